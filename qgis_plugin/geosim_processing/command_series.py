"""The algorithm `geosim:series`."""

from __future__ import annotations

from geosim_processing.shared import (
    FURTHER,
    GRID,
    LOADING,
    MACHINE,
    MASK_KIND,
    NODATA,
    REPLACING,
    RESUMING,
    RULES,
    folder,
)
from geosim_processing.spec import Command, Output, Parameter

SERIES = Command(
    name="series",
    stages=(("reading", 10), ("pairs", 70), ("deciding", 15), ("writing", 5)),
    record="series.json",
    title="Changes in a time series",
    summary="Finds what changed from date to date in three or more rasters of one "
    "place, when, and whether it stayed. Writes rasters of the first and the last year "
    "of change and of the number of changes, polygons with their date, a table of "
    "areas per interval with rates, a chart and a report.",
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
        *GRID,
        Parameter(
            "EXTENT",
            "What is covered",
            "choice",
            "--extent",
            default="reference",
            choices=("reference", "common"),
            advanced=True,
            help="All of the grid's raster, or what all scenes show.",
        ),
        Parameter(
            "DECIDE",
            "Who says when and where a pixel changed",
            "choice",
            "--decide",
            default="auto",
            choices=("auto", "together", "pairs"),
            advanced=True,
            help="All dates together, or each comparison alone; auto: together from "
            "pixels of 3 m on.",
        ),
        MASK_KIND,
        NODATA,
        Parameter(
            "INITIAL",
            "Land cover on the first date",
            "items",
            "--initial",
            optional=True,
            advanced=True,
            help="In hectares, for rates: forest=1234.5, water=20.",
        ),
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
