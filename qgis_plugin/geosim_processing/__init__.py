"""geosim in QGIS's Processing toolbox, in models, in batch and by qgis_process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geosim_processing.plugin import GeosimPlugin


def classFactory(iface: object) -> GeosimPlugin:  # noqa: N802 - QGIS calls it so
    """Make the plugin; `iface` is None where QGIS has no windows."""
    from geosim_processing.plugin import GeosimPlugin

    return GeosimPlugin(iface)
