"""Read the parameters of a run: layers become names, extents numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsRasterLayer,
    QgsRectangle,
)

from geosim_processing.sources import raster_source, vector_source
from geosim_processing.spec import split_items

if TYPE_CHECKING:
    from geosim_processing.spec import Command, Parameter


def read_values(
    algorithm: QgsProcessingAlgorithm,
    command: Command,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
) -> dict[str, Any]:
    """Values by the parameters' names, as `spec.arguments` takes them.

    Raises:
        QgsProcessingException: a layer that geosim cannot read.
    """
    crs = _crs_of_bounds(algorithm, parameters, context)
    return {
        one.name: _value(algorithm, one, parameters, context, crs)
        for one in command.parameters
    }


def _value(
    algorithm: QgsProcessingAlgorithm,
    one: Parameter,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    crs: QgsCoordinateReferenceSystem,
) -> Any:  # noqa: ANN401
    """A parameter's value; its default where it is left empty."""
    at = (parameters, one.name, context)
    if one.kind == "extent":
        return _extent(algorithm.parameterAsExtent(*at, crs))
    always = one.kind in ("switch", "output folder", "output vector")
    if not always and not _given(parameters.get(one.name, one.default)):
        return one.default
    return _READERS[one.kind](algorithm, *at)


def _extent(box: QgsRectangle) -> tuple[float, float, float, float] | None:
    if box.isNull():
        return None
    return (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())


def _given(value: Any) -> bool:  # noqa: ANN401
    """False for what the dialog leaves empty, in whatever shape it comes."""
    if value is None or value in ("", []):
        return False
    return not (hasattr(value, "isNull") and value.isNull())


def _layer(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> str:
    """The name of a raster, or the file of a vector layer.

    What QGIS cannot open is passed on: geosim's GDAL may be newer.
    """
    layer = algorithm.parameterAsLayer(parameters, name, context)
    if layer is None:
        return algorithm.parameterAsString(parameters, name, context)
    if isinstance(layer, QgsRasterLayer):
        return raster_source(layer)
    return vector_source(layer)


def _layers(algorithm: QgsProcessingAlgorithm, *at: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(raster_source(one) for one in algorithm.parameterAsLayerList(*at))


def _text(algorithm: QgsProcessingAlgorithm, *at: Any) -> str:  # noqa: ANN401
    return algorithm.parameterAsString(*at).strip()


def _items(algorithm: QgsProcessingAlgorithm, *at: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(split_items(algorithm.parameterAsString(*at)))


_READERS: dict[str, Any] = {
    "raster": _layer,
    "rasters": _layers,
    "vector": _layer,
    "layer": _layer,
    "file": _text,
    "folder": _text,
    "text": _text,
    "items": _items,
    "choice": QgsProcessingAlgorithm.parameterAsEnumString,
    "integer": QgsProcessingAlgorithm.parameterAsInt,
    "number": QgsProcessingAlgorithm.parameterAsDouble,
    "switch": QgsProcessingAlgorithm.parameterAsBool,
    "output folder": QgsProcessingAlgorithm.parameterAsFileOutput,
    "output vector": QgsProcessingAlgorithm.parameterAsOutputLayer,
}


def _crs_of_bounds(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
) -> QgsCoordinateReferenceSystem:
    """That of the raster whose grid is taken."""
    if algorithm.parameterDefinition("BOUNDS") is None:
        return QgsCoordinateReferenceSystem()
    grid = algorithm.parameterAsEnumString(parameters, "GRID", context)
    name = "GRID_LAYER"
    if not _given(parameters.get(name)):
        name = "AFTER" if grid == "after" else "BEFORE"
    layer: QgsRasterLayer | None = algorithm.parameterAsRasterLayer(
        parameters, name, context
    )
    return layer.crs() if layer else QgsCoordinateReferenceSystem()
