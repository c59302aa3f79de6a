"""Read the parameters of a run: layers become names, extents numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsRasterLayer,
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


def _value(  # noqa: C901, PLR0911 - a line per kind
    algorithm: QgsProcessingAlgorithm,
    one: Parameter,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    crs: QgsCoordinateReferenceSystem,
) -> Any:  # noqa: ANN401
    name, at = one.name, (parameters, one.name, context)
    if one.kind == "output folder":
        return algorithm.parameterAsFileOutput(*at)
    if one.kind == "output vector":
        return algorithm.parameterAsOutputLayer(*at)
    if one.kind == "switch":
        return algorithm.parameterAsBool(*at)
    if not _given(parameters.get(name, one.default)):
        return one.default
    if one.kind == "raster":
        return _raster(algorithm, *at)
    if one.kind == "rasters":
        layers = algorithm.parameterAsLayerList(*at)
        return tuple(raster_source(layer) for layer in layers)
    if one.kind == "vector":
        return _vector(algorithm, *at)
    if one.kind == "choice":
        return algorithm.parameterAsEnumString(*at)
    if one.kind == "choices":
        return tuple(algorithm.parameterAsEnumStrings(*at))
    if one.kind == "integer":
        return algorithm.parameterAsInt(*at)
    if one.kind == "number":
        return algorithm.parameterAsDouble(*at)
    if one.kind == "extent":
        box = algorithm.parameterAsExtent(*at, crs)
        edges = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return None if box.isNull() else edges
    text = algorithm.parameterAsString(*at).strip()
    return tuple(split_items(text)) if one.kind == "items" else text


def _given(value: Any) -> bool:  # noqa: ANN401
    """False for what the dialog leaves empty, in whatever shape it comes."""
    if value is None or value in ("", []):
        return False
    return not (hasattr(value, "isNull") and value.isNull())


def _raster(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> str:
    """The name of a raster; what QGIS cannot open, geosim may."""
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        return algorithm.parameterAsString(parameters, name, context)
    return raster_source(layer)


def _vector(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
) -> str:
    layer = algorithm.parameterAsVectorLayer(parameters, name, context)
    if layer is None:
        said = algorithm.parameterAsString(parameters, name, context)
        raise QgsProcessingException(f"'{said}' is no vector layer")
    return vector_source(layer)


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
