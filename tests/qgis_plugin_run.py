"""Run the plugin's algorithms in QGIS, as its dialogs do.

Runs under QGIS's own Python, outside pytest:

    QT_QPA_PLATFORM=offscreen python3 qgis_plugin_run.py PLUGINS JOB.json

`PLUGINS` is the folder of installed plugins. The job: `do` ("answer", "batch", "load",
"model" or "plain"), `algorithm`, `parameters`, and what the function of that name below
takes. Prints JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

SYSTEM_PLUGINS = "/usr/share/qgis/python/plugins"


class Feedback(QgsProcessingFeedback):
    """Remembers what it is told, and cancels at a percentage."""

    def __init__(self, percent=None):
        super().__init__(logFeedback=False)
        self.percent, self.told, self.steps, self.asked = percent, [], [], None
        self.progressChanged.connect(self.step)

    def step(self, percent):
        self.steps.append(percent)
        if self.percent is not None and percent >= self.percent and not self.asked:
            self.asked = time.monotonic()
            self.cancel()

    def pushInfo(self, text):  # noqa: N802
        self.told.append(text)

    setProgressText = pushWarning = pushConsoleInfo = pushInfo  # noqa: N815
    pushCommandInfo = pushInfo  # noqa: N815

    def reportError(self, text, fatalError=False):  # noqa: ARG002, FBT002, N802, N803
        self.told.append(text)


def load(job):
    """Run and load as the toolbox does; the legend, and a picture of the map."""
    import processing

    project = QgsProject.instance()
    for name in job.get("layers", ()):
        project.addMapLayer(QgsRasterLayer(name, Path(name).stem))
    results = processing.runAndLoadResults(
        job["algorithm"], job["parameters"], feedback=Feedback()
    )
    application.processEvents()  # what QGIS has put off
    root = project.layerTreeRoot()
    legend = [
        {
            "layer": node.name(),
            "file": Path(node.layer().source().partition("|")[0]).name,
            "group": node.parent().name(),
            "shown": node.isVisible(),
            "valid": node.layer().isValid(),
            "renderer": node.layer().renderer().type(),
            "extent": node.layer().extent().toString(0),
        }
        for node in root.findLayers()
    ]
    if "picture" in job:
        shown = [node.layer() for node in root.findLayers() if node.isVisible()]
        _draw(shown, Path(job["picture"]))
    return {"results": _plain(results), "legend": legend}


def _draw(layers, path, width=900):
    """The layers, the first on top, on white."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setBackgroundColor(QColor(255, 255, 255))
    extent = layers[0].extent() if len(layers) == 1 else layers[-1].extent()
    height = round(width * extent.height() / extent.width())
    settings.setOutputSize(QSize(width, height))
    settings.setExtent(extent)
    settings.setDestinationCrs(layers[-1].crs())
    drawing = QgsMapRendererParallelJob(settings)
    drawing.start()
    drawing.waitForFinished()
    drawing.renderedImage().save(str(path))


def _plain(results):
    return {
        name: value if isinstance(value, (int, float, str)) else value.source()
        for name, value in results.items()
    }


def plain(job, through=None):
    """Run as a script does; results, or the error's text."""
    feedback = Feedback(job.get("percent"))
    listening = through(1, feedback) if through else feedback
    context = QgsProcessingContext()
    for name, source in job.get("named", {}).items():
        layer = QgsRasterLayer(source, name, job.get("provider", "gdal"))
        QgsProject.instance().addMapLayer(layer)
        job["parameters"][name] = layer.id()
    if "extent" in job:
        name, (left, bottom, right, top), crs = job["extent"]
        job["parameters"][name] = f"{left},{right},{bottom},{top} [{crs}]"
    context.setProject(QgsProject.instance())
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(
        job["algorithm"]
    )
    can, why = algorithm.canExecute()
    try:
        results, ok = algorithm.run(
            job["parameters"], context, listening, {}, catchExceptions=False
        )
        error = None if ok else feedback.told[-1]
    except QgsProcessingException as raised:
        error = str(raised)
    if error:
        return {"error": error, "can": can, "why": why, "told": feedback.told}
    took = time.monotonic() - feedback.asked if feedback.asked else None
    return {
        "results": _plain(results),
        "told": feedback.told,
        "steps": feedback.steps,
        "took": took,
    }


def batch(job):
    """Run several rows, listening as the batch dialog does."""
    from processing.gui.BatchAlgorithmDialog import BatchFeedback

    return [
        plain({"algorithm": job["algorithm"], "parameters": row}, BatchFeedback)
        for row in job["rows"]
    ]


def answer(job):
    """Answer every sample as the map does, in QGIS's edit mode."""
    layer = QgsVectorLayer(job["source"], "samples", "ogr")
    layer.startEditing()
    index = layer.fields().indexOf("reference")
    for feature in layer.getFeatures():
        layer.changeAttributeValue(feature.id(), index, feature["map_class"])
    count = layer.featureCount()
    return {"answered": count if layer.commitChanges() else 0}


def model(job):
    """A model: change, then the polygons' centroids; saved, read again, run."""
    made = QgsProcessingModelAlgorithm("sites", "geosim")
    source = QgsProcessingModelChildParameterSource
    for name in ("BEFORE", "AFTER"):
        made.addModelParameter(
            QgsProcessingParameterRasterLayer(name, name),
            QgsProcessingModelParameter(name),
        )
    change = QgsProcessingModelChildAlgorithm("geosim:change")
    change.setChildId("change")
    change.addParameterSources("METHOD", [source.fromStaticValue("cva")])
    change.addParameterSources("LOAD", [source.fromStaticValue(False)])  # noqa: FBT003
    for name in ("BEFORE", "AFTER"):
        change.addParameterSources(name, [source.fromModelParameter(name)])
    folder = QgsProcessingModelOutput("folder", "folder")
    folder.setChildId("change")
    folder.setChildOutputName("OUTPUT")
    change.setModelOutputs({"folder": folder})
    made.addChildAlgorithm(change)
    points = QgsProcessingModelChildAlgorithm("native:centroids")
    points.setChildId("points")
    points.addParameterSources("INPUT", [source.fromChildOutput("change", "CHANGES")])
    sites = QgsProcessingModelOutput("sites", "sites")
    sites.setChildId("points")
    sites.setChildOutputName("OUTPUT")
    points.setModelOutputs({"sites": sites})
    made.addChildAlgorithm(points)
    made.toFile(job["file"])
    read = QgsProcessingModelAlgorithm()
    if not read.fromFile(job["file"]):
        return {"error": "cannot be read again"}
    context, feedback = QgsProcessingContext(), Feedback()
    context.setProject(QgsProject.instance())
    read.initAlgorithm()
    results, _ = read.run(
        job["parameters"], context, feedback, {}, catchExceptions=False
    )
    names = [name for name in results if name.endswith("sites")]
    layer = QgsProcessingUtils.mapLayerFromString(results[names[0]], context)
    return {
        "sites": layer.featureCount(),
        "fields": [field.name() for field in layer.fields()],
        "names": sorted(results),
        "told": feedback.told,
    }


def main(plugins, job):
    """Do the job with the plugin loaded."""
    sys.path[:0] = [plugins, SYSTEM_PLUGINS]
    from processing.core.Processing import Processing

    Processing.initialize()
    from geosim_processing import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    known = (answer, batch, load, model, plain)
    return {function.__name__: function for function in known}[job["do"]](job)


if __name__ == "__main__":
    application = QgsApplication([], GUIenabled=True)
    application.initQgis()
    answer = main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # Leaving in Python's order would destroy layers after the application.
    os._exit(0)
