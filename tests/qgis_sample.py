"""Open a sample's GeoPackage in QGIS as a user does; print JSON of what it made of it.

Runs under QGIS's own Python, outside pytest:

    QT_QPA_PLATFORM=offscreen python3 qgis_sample.py SAMPLES.gpkg
"""

import json
import os
import sys

from qgis.core import (
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsProject,
    QgsVectorLayer,
)


def main():
    path = sys.argv[1]
    application = QgsApplication([], GUIenabled=False)
    application.initQgis()
    layer = QgsVectorLayer(f"{path}|layername=samples", "samples", "ogr")
    QgsProject.instance().addMapLayer(layer)
    _, styled = layer.loadDefaultStyle()
    names = [field.name() for field in layer.fields()]
    widgets = {name: layer.editorWidgetSetup(i) for i, name in enumerate(names)}
    chip = widgets["chip"].config()
    root = chip["PropertyCollection"]["properties"]["propertyRootPath"]["expression"]
    context = QgsExpressionContext(
        QgsExpressionContextUtils.globalProjectLayerScopes(layer)
    )
    told = {
        "valid": layer.isValid(),
        "styled": bool(styled),
        "renderer": layer.renderer().type(),
        "widgets": {name: setup.type() for name, setup in widgets.items()},
        "list": widgets["reference"].config()["map"],
        "chip_root": QgsExpression(root).evaluate(context),
        "points": [list(f.geometry().asPoint()) for f in layer.getFeatures()][:3],
    }
    # an answer, as the form writes it
    layer.startEditing()
    first = next(layer.getFeatures())
    layer.changeAttributeValue(first.id(), names.index("reference"), "changed")
    told["committed"] = layer.commitChanges()
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)


main()
