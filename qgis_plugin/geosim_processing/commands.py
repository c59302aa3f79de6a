"""The commands of geosim that QGIS offers, with their parameters and outputs.

Flags, choices and defaults are those of the command line; a test compares them.
"""

from __future__ import annotations

from geosim_processing.shared import (
    FURTHER,
    LOADING,
    MACHINE,
    REPLACING,
    RESUMING,
    RULES,
    THREADS,
    folder,
)
from geosim_processing.spec import LOAD, OUTPUT, Command, Output, Parameter

_PLACE = (
    Parameter(
        "GRID",
        "Whose pixels",
        "choice",
        "--grid",
        default="before",
        choices=("before", "after"),
        advanced=True,
    ),
    Parameter(
        "GRID_LAYER",
        "Or those of a third raster",
        "raster",
        "--grid",
        optional=True,
        advanced=True,
    ),
    Parameter(
        "RESOLUTION",
        "Another pixel size",
        "number",
        "--resolution",
        least=0,
        optional=True,
        advanced=True,
        help="In the units of the grid's CRS.",
    ),
    Parameter(
        "BOUNDS",
        "Cut to",
        "extent",
        "--bounds",
        optional=True,
        advanced=True,
        help="Brought into the grid's CRS.",
    ),
    Parameter(
        "DATE_BEFORE",
        "Date 1",
        "text",
        "--date-before",
        optional=True,
        advanced=True,
        help="ISO: 1990, 1990-07 or 1990-07-14. Empty: from its name or its tags.",
    ),
    Parameter(
        "DATE_AFTER",
        "Date 2",
        "text",
        "--date-after",
        optional=True,
        advanced=True,
    ),
)

CHANGE = Command(
    name="change",
    title="Change between two dates",
    summary="Finds what changed between two rasters of one place. They may differ in "
    "coordinate system, resolution, extent and bit depth. Writes a folder with the "
    "change mask, change polygons with areas on the ellipsoid, difference maps, tile "
    "scores, a report and a STAC Item.",
    parameters=(
        Parameter("BEFORE", "Before", "raster", argument=True, help="Date 1."),
        Parameter("AFTER", "After", "raster", argument=True, help="Date 2."),
        *RULES,
        *_PLACE,
        *MACHINE,
        REPLACING,
        RESUMING,
        FURTHER,
        LOADING,
        folder(),
    ),
    outputs=(
        Output(
            "CHANGES",
            "Changes",
            "vector",
            "changes.gpkg|layername=changes",
            load=True,
        ),
        Output("CHANGE", "Change", "raster", "change.tif", load=True, shown=False),
        Output(
            "DIFFERENCE",
            "Difference",
            "raster",
            "difference.tif",
            load=True,
            shown=False,
        ),
        Output(
            "TILES", "Similarity of tiles", "raster", "tiles.tif", load=True, shown=False
        ),
        Output("TILE_POLYGONS", "Tiles", "vector", "changes.gpkg|layername=tiles"),
        Output("REPORT", "Report", "html", "report.html"),
        Output("RECORD", "Record (STAC Item)", "file", "run.json"),
        Output(
            "CHANGED_HA",
            "Changed area in hectares",
            "number",
            "run.json",
            ("properties", "geosim:areas", "changed_ha"),
        ),
        Output(
            "CHANGED_PERCENT",
            "Changed part in percent",
            "number",
            "run.json",
            ("properties", "geosim:areas", "changed_percent"),
        ),
        Output(
            "POLYGONS",
            "Number of polygons",
            "number",
            "run.json",
            ("properties", "geosim:polygons"),
        ),
    ),
    tags=("change detection", "difference", "deforestation", "Siamese", "SSIM"),
)

COMPARE = Command(
    name="compare",
    title="Compare two pictures",
    summary="Says how alike two pictures are, and where they differ: paintings, "
    "photographs, scans, of any size, without coordinates. Writes a heatmap, an overlay, "
    "a sheet with both pictures, the differences at three levels, and a JSON record. "
    "For two georeferenced rasters take 'Change between two dates'.",
    parameters=(
        Parameter("FIRST", "First picture", "raster", argument=True),
        Parameter("SECOND", "Second picture", "raster", argument=True),
        Parameter(
            "MODEL",
            "What compares",
            "choice",
            "--model",
            default="siamese",
            choices=(
                *("siamese", "ssim", "vgg16", "resnet18", "resnet50"),
                "mobilenet_v2",
            ),
            help="geosim's network, structural similarity, or an ImageNet network of "
            "torchvision.",
        ),
        Parameter(
            "ALIGN",
            "How the second is laid over the first",
            "choice",
            "--align",
            default="register",
            choices=("none", "resize", "register"),
            help="Not at all, by size, or by what both show.",
        ),
        Parameter(
            "SIDE",
            "Longest side when compared, px",
            "integer",
            "--side",
            default=1024,
            least=64,
            advanced=True,
        ),
        Parameter(
            "WEIGHTS",
            "Weights of the model",
            "file",
            "--weights",
            optional=True,
            advanced=True,
            pattern="Weights (*.safetensors *.pth)",
        ),
        THREADS,
        REPLACING,
        FURTHER,
        Parameter(
            LOAD,
            "Put the pictures onto the map",
            "switch",
            default=False,
            help="They have no coordinates and lie beside the map's data.",
        ),
        folder(),
    ),
    outputs=(
        Output("OVERLAY", "Difference over the first", "raster", "overlay.png", load=True),
        Output(
            "HEATMAP", "Difference", "raster", "heatmap.png", load=True, shown=False
        ),
        Output("SHEET", "Sheet", "file", "sheet.png"),
        Output("RECORD", "Record", "file", "compare.json"),
        *(
            Output(key.upper(), label, "number", "compare.json", (key,))
            for key, label in (
                ("similarity", "Similarity, 0..1"),
                ("cosine", "Cosine of the embeddings"),
                ("euclidean", "Euclidean distance of the embeddings"),
                ("ssim", "Structural similarity"),
            )
        ),
    ),
    tags=("similarity", "pictures", "paintings", "SSIM"),
)

SERIES = Command(
    name="series",
    title="Changes in a time series",
    summary="Finds what changed from date to date in three or more rasters of one "
    "place, when, and whether it stayed. Writes rasters of the first and the last year "
    "of change and of the number of changes, polygons with their date, a table of areas "
    "per interval with rates, a chart and a report.",
    parameters=(
        Parameter(
            "SCENES",
            "Scenes",
            "rasters",
            argument=True,
            optional=True,
            help="Three or more; their order does not matter.",
        ),
        Parameter(
            "SCENE_LIST",
            "Or a list of scenes",
            "file",
            argument=True,
            optional=True,
            pattern="Lists (*.csv *.json *.geojson)",
            help="A CSV or a STAC ItemCollection.",
        ),
        Parameter(
            "SCENE_FOLDER",
            "Or a folder of scenes",
            "folder",
            argument=True,
            optional=True,
        ),
        Parameter(
            "DATES",
            "Dates",
            "text",
            "--dates",
            optional=True,
            help="ISO dates joined by commas, one per scene, in the scenes' order. "
            "Empty: from names, tags or the list.",
        ),
        *RULES,
        *MACHINE,
        REPLACING,
        RESUMING,
        FURTHER,
        LOADING,
        folder(),
    ),
    outputs=(
        Output(
            "CHANGES", "Changes", "vector", "changes.gpkg|layername=changes", load=True
        ),
        Output(
            "FIRST_CHANGE",
            "First year of change",
            "raster",
            "first_change.tif",
            load=True,
        ),
        Output(
            "LAST_CHANGE",
            "Last year of change",
            "raster",
            "last_change.tif",
            load=True,
            shown=False,
        ),
        Output(
            "COUNT",
            "Number of changes",
            "raster",
            "count.tif",
            load=True,
            shown=False,
        ),
        Output("AREAS", "Areas per interval", "file", "areas.csv"),
        Output("CHART", "Chart", "file", "chart.png"),
        Output("REPORT", "Report", "html", "report.html"),
        Output("RECORD", "Record", "file", "series.json"),
    ),
    tags=("time series", "year of change", "deforestation"),
)

SAMPLE = Command(
    name="sample",
    title="Draw a sample for assessment",
    summary="Draws a stratified random sample from the result of 'Change between two "
    "dates' or 'Changes in a time series', as points or squares with an empty attribute "
    "'reference'. Fill it in by looking at the images, then run 'Assess a sample'.",
    parameters=(
        Parameter(
            "RESULT",
            "Folder of the result",
            "folder",
            argument=True,
            help="What 'Change between two dates' or 'Changes in a time series' wrote.",
        ),
        Parameter("N", "Size of the sample", "integer", "--n", default=300, least=2),
        REPLACING,
        FURTHER,
        Parameter(OUTPUT, "Sample", "output vector", "--out"),
    ),
    outputs=(),
    tags=("accuracy", "stratified", "Olofsson", "validation"),
)

ASSESS = Command(
    name="assess",
    title="Assess a sample",
    summary="Error matrix in area proportions, overall, user's and producer's accuracy "
    "and error-adjusted areas with their 95 % intervals (Olofsson et al. 2014), from a "
    "sample whose attribute 'reference' is filled in.",
    parameters=(
        Parameter(
            "SAMPLES",
            "Sample",
            "vector",
            argument=True,
            help="As 'Draw a sample for assessment' wrote it, edits saved.",
        ),
        REPLACING,
        FURTHER,
        folder(),
    ),
    outputs=(
        Output("RECORD", "Assessment (JSON)", "file", "assessment.json"),
        Output("TABLE", "Assessment (CSV)", "file", "assessment.csv"),
        Output("REPORT", "Report", "html", "report.html"),
    ),
    tags=("accuracy", "area estimation", "error matrix", "Olofsson"),
)

COMMANDS = (CHANGE, SERIES, COMPARE, SAMPLE, ASSESS)
"""In the order of the toolbox."""
