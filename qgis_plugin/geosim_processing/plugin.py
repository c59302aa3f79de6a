"""The plugin: brings the provider, nothing else."""

from __future__ import annotations

from qgis.core import QgsApplication

from geosim_processing.provider import GeosimProvider


class GeosimPlugin:
    """What QGIS loads."""

    def __init__(self, iface: object) -> None:
        """Keep nothing of the window: there may be none."""
        del iface
        self.provider: GeosimProvider | None = None

    def initProcessing(self) -> None:  # noqa: N802
        """Add the provider; all that `qgis_process` calls."""
        self.provider = GeosimProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802
        """Called where QGIS has windows."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away again."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
