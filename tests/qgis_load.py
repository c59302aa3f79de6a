"""Open a result folder in QGIS, the way a user drops it onto the map.

Runs under QGIS's own Python, outside pytest:

    QT_QPA_PLATFORM=offscreen python3 qgis_load.py RESULT_FOLDER PICTURES X,Y X,Y ...

Prints JSON: for each layer whether it is valid, which renderer its default style
gave it, what a legend would say, and the colours of the map at the given points (in
map coordinates); writes one PNG per layer and `map.png` with all of them.
"""

import json
import os
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

WIDTH = 600
RASTERS = ("difference.tif", "change.tif", "tiles.tif")
LAYERS = ("changes", "tiles")


def open_layers(folder):
    """Every layer of the result, named, the topmost on the map first."""
    found = {}
    for name in LAYERS:
        path = folder / "changes.gpkg"
        found[f"layer {name}"] = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
    for name in RASTERS:
        if (folder / name).exists():
            found[name] = QgsRasterLayer(str(folder / name), name)
    return found


def describe(layer):
    """What QGIS made of the layer and of its default style."""
    text, styled = layer.loadDefaultStyle()
    told = {
        "valid": layer.isValid(),
        "styled": bool(styled),
        "message": text,
        "crs": layer.crs().authid(),
        "renderer": layer.renderer().type(),
        "extent": [
            layer.extent().xMinimum(),
            layer.extent().yMinimum(),
            layer.extent().xMaximum(),
            layer.extent().yMaximum(),
        ],
    }
    if isinstance(layer, QgsRasterLayer):
        stats = layer.dataProvider().bandStatistics(1, QgsRasterBandStats.All)
        told["min"], told["max"] = stats.minimumValue, stats.maximumValue
        told["legend"] = [label for label, _ in layer.renderer().legendSymbologyItems()]
    else:
        told["features"] = layer.featureCount()
        told["legend"] = [
            item.label()
            for item in layer.renderer().legendSymbolItems()
            if item.label()
        ]
    return told


def render(layers, extent, crs, path):
    """Draw the layers, the first on top, on white."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setBackgroundColor(QColor(255, 255, 255))
    height = max(1, round(WIDTH * extent.height() / extent.width()))
    settings.setOutputSize(QSize(WIDTH, height))
    settings.setExtent(extent)
    settings.setDestinationCrs(crs)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(str(path))
    return image, settings, [error.message for error in job.errors()]


def colours(image, settings, points):
    """Red, green, blue of the rendered map at points in map coordinates."""
    to_pixel = settings.mapToPixel()
    found = []
    for x, y in points:
        where = to_pixel.transform(QgsPointXY(x, y))
        colour = QColor(image.pixel(int(where.x()), int(where.y())))
        found.append([colour.red(), colour.green(), colour.blue()])
    return found


def main(folder, pictures, points):
    """Load, describe and draw; returns what is printed."""
    log = []
    QgsApplication.messageLog().messageReceived.connect(
        lambda text, tag, level: log.append(f"{tag} {level}: {text}")
    )
    layers = open_layers(folder)
    told = {name: describe(layer) for name, layer in layers.items()}
    grid = layers["change.tif"]
    for name, layer in layers.items():
        path = pictures / f"{name.replace(' ', '_').replace('.tif', '')}.png"
        image, settings, errors = render([layer], grid.extent(), grid.crs(), path)
        told[name]["colours"] = colours(image, settings, points)
        told[name]["errors"] = errors
    everything = list(layers.values())
    image, settings, errors = render(
        everything, grid.extent(), grid.crs(), pictures / "map.png"
    )
    told["map"] = {"colours": colours(image, settings, points), "errors": errors}
    return {"layers": told, "log": log}


if __name__ == "__main__":
    application = QgsApplication([], GUIenabled=False)
    application.initQgis()
    where = [tuple(map(float, text.split(","))) for text in sys.argv[3:]]
    answer = main(Path(sys.argv[1]), Path(sys.argv[2]), where)
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # Leaving in Python's order would destroy layers after the application.
    os._exit(0)
