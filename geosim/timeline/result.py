"""What `detect_series` gives back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geosim.errors import OutputError
from geosim.publish.formats import FORMAT_FILES

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd

SERIES_RECORD = "series.json"
"""Tells of the other files."""

SERIES_ITEM = "item.json"
"""The STAC Item."""

SERIES_RASTERS = ("first_change", "last_change", "count")

SERIES_FILES = (
    "first_change.tif",
    "last_change.tif",
    "count.tif",
    "first_change.qml",
    "last_change.qml",
    "count.qml",
    "changes.gpkg",
    "areas.csv",
    "chart.png",
    "chart.svg",
    "report.html",
    SERIES_ITEM,
    SERIES_RECORD,
)
"""Names of the files of a series; its comparisons lie in the folder `pairs`."""

SERIES_EXTRA_FILES: dict[str, str] = {
    name: path for name, path in FORMAT_FILES.items() if path not in SERIES_FILES
} | {"pdf": "report.pdf"}
"""Names of the files that a series has where they were asked for, by their form."""


@dataclass(frozen=True, kw_only=True)
class SeriesResult:
    """A finished series: its record and its files, read when they are asked for."""

    folder: Path
    """Where the files are."""
    record: dict[str, Any]
    """Contents of `series.json`: scenes, intervals, scenes left out, options, notes."""

    @property
    def paths(self) -> dict[str, Path]:
        """The files by name without suffix; "chart" is the PNG, "pairs" the folder.

        Files that were asked for are named by their form (`geojson`, `pdf`, ...).
        """
        shown = [name for name in SERIES_FILES if not name.endswith((".qml", ".svg"))]
        paths = {name.split(".")[0]: self.folder / name for name in shown}
        extra = {form: self.folder / name for form, name in SERIES_EXTRA_FILES.items()}
        there = {form: path for form, path in extra.items() if path.is_file()}
        return paths | {"pairs": self.folder / "pairs"} | there

    @property
    def changes(self) -> gpd.GeoDataFrame:
        """The change polygons with `date_from`, `date_to`, `year`, `persistent`."""
        import geopandas as gpd  # slow to import

        return gpd.read_file(self.paths["changes"], layer="changes")

    @property
    def areas(self) -> pd.DataFrame:
        """The table of areas and rates per interval and class."""
        import pandas as pd  # slow to import

        return pd.read_csv(self.paths["areas"])

    @property
    def left_out(self) -> list[dict[str, str]]:
        """Scenes that the series went on without: `path`, `date`, `reason`."""
        found: list[dict[str, str]] = self.record["left_out"]
        return found


def open_series(folder: Path) -> SeriesResult:
    """Open the result of an earlier series.

    Raises:
        OutputError: no complete result is there.
    """
    try:
        record = json.loads((folder / SERIES_RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"'{folder}' must hold a series with its {SERIES_RECORD}; run geosim "
            f"series with -o {folder}"
        ) from error
    return SeriesResult(folder=folder, record=record)
