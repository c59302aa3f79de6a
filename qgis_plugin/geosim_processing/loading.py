"""Put results onto the map: styled, in a group, the polygons on top."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qgis.core import (
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingUtils,
    QgsProject,
)
from qgis.PyQt.QtCore import QTimer

from geosim_processing.definitions import member

if TYPE_CHECKING:
    from geosim_processing.spec import Output

_RANK = "geosim/rank"
"""Property of a layer: its place from the top of its group."""

_KEPT: list[QgsProcessingLayerPostProcessorInterface] = []
"""QGIS does not own them, and Python would let go of them before they are called."""


class Group:
    """The group of one run in the legend, made with its first layer."""

    def __init__(self, name: str) -> None:
        self.name, self._found = name, False

    def within(self, root: QgsLayerTreeGroup) -> QgsLayerTreeGroup:
        """The group; another run's of the same name is left alone."""
        if not self._found:
            name, number = self.name, 2
            while root.findGroup(self.name):
                self.name = f"{name} ({number})"
                number += 1
            self._found = True
        return root.findGroup(self.name) or root.insertGroup(0, self.name)


class Arranged(QgsProcessingLayerPostProcessorInterface):
    """Styles a loaded layer and puts it where it belongs."""

    def __init__(self, output: Output, rank: int, group: Group) -> None:
        super().__init__()
        self.output, self.rank, self.group = output, rank, group

    def postProcessLayer(  # noqa: N802
        self,
        layer: QgsMapLayer,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        """Called by QGIS when the layer is loaded."""
        del feedback
        layer.loadDefaultStyle()  # what stands beside it, whatever Processing is set to
        layer.triggerRepaint()
        layer.setCustomProperty(_RANK, self.rank)
        project = context.project()
        if not self._arrange(project, layer.id()):  # a newer QGIS adds it later
            QTimer.singleShot(0, partial(self._arrange, project, layer.id()))
        if self in _KEPT:
            _KEPT.remove(self)

    def _arrange(self, project: QgsProject, identity: str) -> bool:
        """Move the layer into its group; False where the legend has none yet."""
        root = project.layerTreeRoot()
        node = root.findLayer(identity)
        if node is None:
            return False
        group = self.group.within(root)
        # wherever QGIS has put it; a layer without any node would leave the project
        moved = node.clone()
        group.insertChildNode(_position(group, node, self.rank), moved)
        node.parent().removeChildNode(node)
        node = moved
        node.setItemVisibilityChecked(self.output.shown)
        node.setExpanded(False)
        return True


def _position(group: QgsLayerTreeGroup, node: QgsLayerTreeLayer, rank: int) -> int:
    """Where a node of this rank belongs among the others of the group."""
    for index, other in enumerate(group.children()):
        layer = other.layer() if isinstance(other, QgsLayerTreeLayer) else None
        if layer and other != node and int(layer.customProperty(_RANK, 0)) > rank:
            return index
    return len(group.children())


def load_on_completion(
    context: QgsProcessingContext, output: Output, source: str, rank: int, group: Group
) -> None:
    """Have QGIS load a result when the algorithm has ended.

    Does nothing where there is no project to load it into, as in `qgis_process`.

    Args:
        context: of the run.
        output: which result.
        source: its name for QGIS.
        rank: its place from the top of the group.
        group: that of the run.
    """
    project = context.project()
    if project is None:
        return
    hint = member(QgsProcessingUtils, "LayerHint", output.kind.capitalize())
    details = QgsProcessingContext.LayerDetails(
        output.label, project, output.name, hint
    )
    arranged = Arranged(output, rank, group)
    _KEPT.append(arranged)
    details.setPostProcessor(arranged)
    context.addLayerToLoadOnCompletion(source, details)
