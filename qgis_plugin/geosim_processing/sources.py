"""What geosim is given for a layer: a name that GDAL opens."""

from __future__ import annotations

from qgis.core import QgsMapLayer, QgsProcessingException, QgsProviderRegistry

_NOT_FILES = (
    "geosim reads files and addresses that GDAL opens; export the layer to a file "
    "(Export > Save As) and take that"
)


def raster_source(layer: QgsMapLayer) -> str:
    """The name under which GDAL opens the data of a raster layer.

    Raises:
        QgsProcessingException: it comes from a service or a provider that is not GDAL.
    """
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"the layer '{layer.name()}' comes from QGIS's provider "
            f"'{layer.providerType()}'; {_NOT_FILES}"
        )
    registry = QgsProviderRegistry.instance()
    source = layer.source()
    if "authcfg=" in source:
        raise QgsProcessingException(
            f"the layer '{layer.name()}' is opened with a login that QGIS keeps, which "
            f"geosim does not get; {_NOT_FILES}"
        )
    parts = registry.decodeUri("gdal", source)
    options = [str(one) for one in parts.pop("openOptions", None) or []]
    parts.pop("credentialOptions", None)
    name = str(registry.encodeUri("gdal", parts)) or source
    if options:  # GDAL takes them from a name in this form only
        return f"vrt://{name}?oo={','.join(options)}"
    return name


def vector_source(layer: QgsMapLayer) -> str:
    """The file of a vector layer.

    Raises:
        QgsProcessingException: it has none, or holds edits that are not saved.
    """
    if layer.isEditable() and layer.isModified():
        raise QgsProcessingException(
            f"the layer '{layer.name()}' has edits that are not saved; save them"
        )
    if layer.providerType() != "ogr":
        raise QgsProcessingException(
            f"the layer '{layer.name()}' comes from QGIS's provider "
            f"'{layer.providerType()}'; save it as a GeoPackage and take that"
        )
    registry = QgsProviderRegistry.instance()
    parts = registry.decodeUri("ogr", layer.source())
    named = parts.get("layerName")
    inside = registry.providerMetadata("ogr").querySublayers(str(parts["path"]))
    names = [one.name() for one in sorted(inside, key=lambda one: one.layerNumber())]
    if named and names and named != names[0]:
        raise QgsProcessingException(
            f"the layer '{layer.name()}' is not the first one of its file, which "
            "geosim would read; save it to a file of its own and take that"
        )
    return str(parts["path"])
