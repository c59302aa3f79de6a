"""The files of a series, in a staging folder."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.publish.formats import write_formats
from geosim.publish.geopackage import write_geopackage
from geosim.publish.record import plain
from geosim.publish.series_chart import Bars, chart_png, chart_svg
from geosim.publish.series_report import (
    SeriesPictures,
    SeriesStyle,
    render_series_report,
)
from geosim.publish.series_stac import grid_of, series_item
from geosim.publish.stac import asset_entry, read_asset
from geosim.publish.styles import LAYER_STYLES, palette_style
from geosim.raster.staging import writing
from geosim.raster.writer import Layout
from geosim.result import RECORD
from geosim.themes.classes import CLASSES, THEMES
from geosim.timeline.areas import columns
from geosim.timeline.classes import slugs_of_codes
from geosim.timeline.result import (
    SERIES_EXTRA_FILES,
    SERIES_FILES,
    SERIES_ITEM,
    SERIES_RASTERS,
    SERIES_RECORD,
)
from geosim.timeline.summing import NO_COUNT_DATA, NO_YEAR_DATA
from geosim.timeline.tables import bars_of, change_table, largest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geosim.publish.formats import Format
    from geosim.themes.classes import RGBA
    from geosim.timeline.result import SeriesResult
    from geosim.timeline.tables import SeriesFound

_YEAR_STOPS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
)
"""Dark for early, light for late; apart for readers who cannot tell red from green."""
_COUNT_STOPS = np.array([(254, 217, 118), (253, 141, 60), (227, 26, 28), (128, 0, 38)])


def years_of(dates: Sequence[str]) -> list[int]:
    """The year of each date."""
    return [int(date[:4]) for date in dates]


def year_layout(name: str) -> Layout:
    """Layout of a raster of years, or of the number of changes."""
    if name == "count":
        return Layout(
            dtype="uint8", nodata=NO_COUNT_DATA, bands=("changes",), overviews="mode"
        )
    return Layout(
        dtype="uint16", nodata=NO_YEAR_DATA, bands=("year",), overviews="mode"
    )


_BANDS = {f"{name}.tif": year_layout(name).bands for name in SERIES_RASTERS}
"""Names of the bands of each raster."""


def ramp(stops: NDArray[np.int64], count: int) -> list[RGBA]:
    """So many colours along stops, dark to light."""
    places = np.linspace(0, len(stops) - 1, max(count, 1))
    channels = [np.interp(places, range(len(stops)), stops[:, i]) for i in range(3)]
    return [(int(r), int(g), int(b), 255) for r, g, b in zip(*channels, strict=True)]


def year_colours(years: Sequence[int]) -> dict[int, RGBA]:
    """Colour of each year of change."""
    later = list(dict.fromkeys(years[1:]))
    return dict(zip(later, ramp(_YEAR_STOPS, len(later)), strict=True))


def write_styles(staging: Path, years: Sequence[int]) -> None:
    """Write a `.qml` beside each raster."""
    by_year = {
        year: (str(year), colour) for year, colour in year_colours(years).items()
    }
    most = len(years) - 1
    by_count = {
        number: (str(number), colour)
        for number, colour in enumerate(ramp(_COUNT_STOPS, most), start=1)
    }
    for name in ("first_change", "last_change", "count"):
        path = staging / f"{name}.qml"
        with writing(path):
            style = palette_style(by_count if name == "count" else by_year)
            path.write_text(style, encoding="utf-8")


def write_tables(
    staging: Path,
    found: SeriesFound,
    rows: Sequence[Mapping[str, Any]],
    bars: Bars,
    formats: Sequence[Format],
) -> gpd.GeoDataFrame:
    """Write `changes.gpkg`, `areas.csv` and the chart; the polygons come back.

    The polygons are written in `formats` as well.
    """
    polygons = change_table(found)
    write_geopackage(
        staging / "changes.gpkg",
        {"changes": polygons},
        {"changes": LAYER_STYLES["changes"]()},
        created=datetime.now(UTC),
    )
    write_formats(staging, polygons, formats)
    path = staging / "areas.csv"
    with writing(path), path.open("w", encoding="utf-8", newline="") as file:
        names = columns(known=found.grid.crs is not None)
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows([_rounded(row) for row in rows])
    with writing(staging / "chart.png"):
        (staging / "chart.png").write_bytes(chart_png(bars))
        (staging / "chart.svg").write_text(chart_svg(bars), encoding="utf-8")
    return polygons


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def write_report(
    staging: Path,
    found: SeriesFound,
    record: Mapping[str, Any],
    pictures: SeriesPictures,
    rows: Sequence[Mapping[str, Any]],
    polygons: gpd.GeoDataFrame,
) -> None:
    """Write `report.html`."""
    bars = bars_of(found)
    present = {key[2] for key in found.sums.changed}
    shown = [slug for slug in THEMES[found.theme].classes if slug in present]
    style = SeriesStyle(
        labels={slug: (CLASSES[slug].label, CLASSES[slug].colour) for slug in shown},
        codes={
            code: CLASSES[slug].colour
            for code, slug in enumerate(slugs_of_codes(found.theme))
            if slug in shown
        },
        years=year_colours(years_of(found.dates)),
    )
    page = render_series_report(
        record,
        pictures=pictures,
        style=style,
        bars=bars,
        rows=rows,
        changes=largest(found, polygons),
    )
    path = staging / "report.html"
    with writing(path):
        path.write_text(page, encoding="utf-8")


def write_record(staging: Path, record: Mapping[str, Any]) -> None:
    """Write `series.json`."""
    _write_json(staging / SERIES_RECORD, record)


def write_item(staging: Path, record: Mapping[str, Any], folder: Path) -> None:
    """Write `item.json`, which tells of all other files, last.

    Args:
        staging: holds them.
        record: contents of `series.json`.
        folder: where the result will lie.
    """
    names = [*SERIES_FILES, *SERIES_EXTRA_FILES.values()]
    there = [staging / name for name in names if (staging / name).is_file()]
    assets = [
        read_asset(path, bands=_BANDS.get(path.name, ()))
        for path in there
        if path.name != SERIES_ITEM
    ]
    name = folder.absolute().name
    item = series_item(record, assets, name=name, folder=folder, pairs=RECORD)
    _write_json(staging / SERIES_ITEM, plain(item))


def register(result: SeriesResult, name: str) -> None:
    """Tell of a file that was made afterwards in `item.json`."""
    path = result.folder / SERIES_ITEM
    item = json.loads(path.read_text(encoding="utf-8"))
    asset = read_asset(result.folder / name)
    item["assets"][name] = asset_entry(asset, grid_of(result.record))
    _write_json(path, item)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with writing(path):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
