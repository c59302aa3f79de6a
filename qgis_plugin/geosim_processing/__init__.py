"""geosim in QGIS's Processing toolbox, in models, in batch and by qgis_process."""


def classFactory(iface):  # noqa: ANN001, ANN201, N802 - QGIS calls it so
    """Make the plugin; `iface` is None where QGIS has no windows."""
    from geosim_processing.plugin import GeosimPlugin

    return GeosimPlugin(iface)
