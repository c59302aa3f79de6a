"""The algorithm `geosim:change`."""

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

_DATES = (
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
    Parameter(
        "MASK_BEFORE",
        "What to leave out of date 1",
        "layer",
        "--mask-before",
        optional=True,
        advanced=True,
        help="Clouds, shadows: a raster or polygons.",
    ),
    Parameter(
        "MASK_AFTER",
        "What to leave out of date 2",
        "layer",
        "--mask-after",
        optional=True,
        advanced=True,
    ),
    MASK_KIND,
    NODATA,
)

CHANGE = Command(
    name="change",
    stages=(("sampling", 5), ("scoring", 80), ("deciding", 7), ("writing", 8)),
    record="run.json",
    title="Change between two dates",
    summary="Finds what changed between two rasters of one place. They may differ in "
    "coordinate system, resolution, extent and bit depth. Writes a folder with the "
    "change mask, change polygons with areas on the ellipsoid, difference maps, tile "
    "scores, a report and a STAC Item.",
    parameters=(
        Parameter("BEFORE", "Before", "raster", argument=True, help="Date 1."),
        Parameter("AFTER", "After", "raster", argument=True, help="Date 2."),
        *RULES,
        *GRID,
        *_DATES,
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
            "TILES",
            "Similarity of tiles",
            "raster",
            "tiles.tif",
            load=True,
            shown=False,
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
