"""QGIS's parameters and outputs, made from the plain descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputFile,
    QgsProcessingOutputHtml,
    QgsProcessingOutputNumber,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
)

if TYPE_CHECKING:
    from geosim_processing.spec import Output, Parameter


def member(owner: type, enumeration: str, name: str) -> Any:  # noqa: ANN401
    """A value of an enumeration of a class, as Qt 5 and as Qt 6 bindings have it."""
    scope = getattr(owner, enumeration, owner)
    return getattr(scope, name) if hasattr(scope, name) else getattr(owner, name)


def _vector_type() -> Any:  # noqa: ANN401
    """Any layer with geometry."""
    return member(QgsProcessing, "SourceType", "TypeVectorAnyGeometry")


def parameter(one: Parameter) -> QgsProcessingParameterDefinition:
    """A parameter as QGIS has it."""
    made = _MAKERS[one.kind](one)
    if one.help:
        made.setHelp(one.help)
    if one.advanced:
        flag = member(QgsProcessingParameterDefinition, "Flag", "FlagAdvanced")
        made.setFlags(made.flags() | flag)
    return made


def _raster(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterRasterLayer(one.name, one.label, optional=one.optional)


def _rasters(one: Parameter) -> QgsProcessingParameterDefinition:
    kind = member(QgsProcessing, "SourceType", "TypeRaster")
    return QgsProcessingParameterMultipleLayers(
        one.name, one.label, kind, optional=one.optional
    )


def _vector(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterVectorLayer(
        one.name, one.label, [_vector_type()], optional=one.optional
    )


def _layer(one: Parameter) -> QgsProcessingParameterDefinition:
    kinds = [
        member(QgsProcessing, "SourceType", name)
        for name in ("TypeRaster", "TypeVectorPolygon")
    ]
    return QgsProcessingParameterMapLayer(
        one.name, one.label, optional=one.optional, types=kinds
    )


def _file(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterFile(
        one.name,
        one.label,
        behavior=member(QgsProcessingParameterFile, "Behavior", "File"),
        optional=one.optional,
        fileFilter=one.pattern,
    )


def _folder(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterFile(
        one.name,
        one.label,
        behavior=member(QgsProcessingParameterFile, "Behavior", "Folder"),
        optional=one.optional,
    )


def _text(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterString(
        one.name, one.label, one.default, optional=one.optional
    )


def _choice(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterEnum(
        one.name,
        one.label,
        options=list(one.choices),
        defaultValue=one.default,
        optional=one.optional,
        usesStaticStrings=True,
    )


def _number(one: Parameter) -> QgsProcessingParameterDefinition:
    kind = "Integer" if one.kind == "integer" else "Double"
    made = QgsProcessingParameterNumber(
        one.name,
        one.label,
        type=member(QgsProcessingParameterNumber, "Type", kind),
        defaultValue=one.default,
        optional=one.optional,
    )
    if one.least is not None:
        made.setMinimum(one.least)
    if one.most is not None:
        made.setMaximum(one.most)
    return made


def _switch(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterBoolean(one.name, one.label, bool(one.default))


def _extent(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterExtent(one.name, one.label, optional=one.optional)


def _output_folder(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterFolderDestination(one.name, one.label)


def _output_vector(one: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterVectorDestination(one.name, one.label, _vector_type())


_MAKERS = {
    "raster": _raster,
    "rasters": _rasters,
    "vector": _vector,
    "layer": _layer,
    "file": _file,
    "folder": _folder,
    "text": _text,
    "items": _text,
    "choice": _choice,
    "integer": _number,
    "number": _number,
    "switch": _switch,
    "extent": _extent,
    "output folder": _output_folder,
    "output vector": _output_vector,
}

_OUTPUTS = {
    "raster": QgsProcessingOutputRasterLayer,
    "vector": QgsProcessingOutputVectorLayer,
    "html": QgsProcessingOutputHtml,
    "file": QgsProcessingOutputFile,
    "number": QgsProcessingOutputNumber,
}


def output(one: Output) -> Any:  # noqa: ANN401
    """An output as QGIS has it."""
    return _OUTPUTS[one.kind](one.name, one.label)
