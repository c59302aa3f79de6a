"""The provider `geosim` of QGIS's Processing framework, and its setting."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import QgsProcessingProvider, QgsSettings
from qgis.PyQt.QtGui import QIcon

from geosim_processing.commands import COMMANDS
from geosim_processing.locating import VARIABLE, find_command

ICON = Path(__file__).with_name("icon.svg")


def command() -> list[str]:
    """The program geosim, as set, or as the environment says.

    Raises:
        CommandNotFoundError: it is not there; the text says what to do.
    """
    setting = QgsSettings().value(f"Processing/Configuration/{VARIABLE}", "")
    return find_command(str(setting or ""), os.environ)


class GeosimProvider(QgsProcessingProvider):
    """geosim's commands as algorithms."""

    def id(self) -> str:
        """First part of the algorithms' names."""
        return "geosim"

    def name(self) -> str:
        """What the toolbox says."""
        return "geosim"

    def longName(self) -> str:  # noqa: N802
        """What the provider's tooltip says."""
        return "geosim: change between images"

    def icon(self) -> QIcon:
        """Of the provider and its algorithms."""
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:  # noqa: N802
        """The same for models."""
        return str(ICON)

    def load(self) -> bool:
        """Register the setting, then the algorithms."""
        try:
            from processing.core.ProcessingConfig import ProcessingConfig, Setting
        except ImportError:  # a program without the Processing plugin
            self.refreshAlgorithms()
            return True
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(
            Setting(
                self.name(),
                VARIABLE,
                "Command geosim, or the folder of its environment (empty: looked for)",
                "",
                valuetype=Setting.FILE,
                validator=lambda text: True,  # noqa: ARG005 - may have arguments
            )
        )
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the setting away."""
        try:
            from processing.core.ProcessingConfig import ProcessingConfig
        except ImportError:
            return
        ProcessingConfig.removeSetting(VARIABLE)

    def loadAlgorithms(self) -> None:  # noqa: N802
        """One per command."""
        from geosim_processing.algorithm import GeosimAlgorithm

        for one in COMMANDS:
            self.addAlgorithm(GeosimAlgorithm(one))

    def supportsNonFileBasedOutput(self) -> bool:  # noqa: N802
        """Samples are written to GeoPackages only."""
        return False

    def supportedOutputVectorLayerExtensions(self) -> list[str]:  # noqa: N802
        """See `supportsNonFileBasedOutput`."""
        return ["gpkg"]

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:  # noqa: FBT001, FBT002, N802, N803
        """See `supportsNonFileBasedOutput`."""
        del hasGeometry
        return "gpkg"
