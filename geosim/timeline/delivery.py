"""The files of a series, in a staging folder."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geosim.change.vectorize import sizes, to_map
from geosim.publish.geopackage import write_geopackage
from geosim.publish.series_chart import Bars, chart_png, chart_svg
from geosim.publish.series_report import (
    SeriesPictures,
    SeriesRow,
    SeriesStyle,
    render_series_report,
)
from geosim.publish.styles import LAYER_STYLES, palette_style
from geosim.publish.wording import NOTHING, SQUARE_METRES_PER_HECTARE
from geosim.raster.staging import writing
from geosim.raster.writer import Layout
from geosim.themes.classes import CLASSES, THEMES
from geosim.timeline.areas import Change, IntervalAreas, area_rows, in_pixels
from geosim.timeline.classes import UNKNOWN, covers_of_code, slugs_of_codes
from geosim.timeline.result import SERIES_RECORD
from geosim.timeline.summing import NO_COUNT_DATA, NO_YEAR_DATA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.publish.styles import RGBA
    from geosim.raster.grid import Grid
    from geosim.timeline.places import Place
    from geosim.timeline.summing import Sums

_LARGEST = 20
_HALF = 0.5
_YEAR_STOPS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
)
"""Dark for early, light for late; apart for readers who cannot tell red from green."""
_COUNT_STOPS = np.array([(254, 217, 118), (253, 141, 60), (227, 26, 28), (128, 0, 38)])


@dataclass(frozen=True, kw_only=True)
class SeriesFound:
    """All that a series found, ready to be written."""

    grid: Grid
    dates: tuple[str, ...]
    sums: Sums
    places: Sequence[Place]
    theme: str
    initial: Mapping[str, float]
    """m2 of land covers on the first date, as the user knows them."""
    covered: Sequence[Mapping[str, float]] = ()
    """m2 (pixels without a CRS) of land covers on each date, as classified; none where
    not known."""


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


def change_table(found: SeriesFound) -> gpd.GeoDataFrame:
    """The polygons with their attributes, the largest first."""
    grid, places = found.grid, found.places
    outlines = to_map([place.outline for place in places], grid.transform)
    areas, perimeters = sizes(outlines, grid.crs)
    firsts = [found.dates[place.key[0]] for place in places]
    lasts = [found.dates[place.key[1]] for place in places]
    columns = {
        "id": np.arange(1, len(places) + 1),
        "area_m2": areas,
        "area_ha": areas / SQUARE_METRES_PER_HECTARE,
        "area_px": [place.pixels for place in places],
        "perimeter_m": perimeters,
        "probability_mean": [place.probability_mean / 254 for place in places],
        "probability_max": [place.probability_max / 254 for place in places],
        "class": [place.key[2] for place in places],
        "class_probability": [
            np.nan if place.code == UNKNOWN else place.sure for place in places
        ],
        "from_class": [covers_of_code(place.code)[0] for place in places],
        "to_class": [covers_of_code(place.code)[1] for place in places],
        "date_before": firsts,
        "date_after": lasts,
        "date_from": firsts,
        "date_to": lasts,
        "year": [int(date[:4]) for date in lasts],
        "persistent": pd.array(
            [persistent(place, len(found.dates)) for place in places], dtype="boolean"
        ),
    }
    return gpd.GeoDataFrame(columns, geometry=list(outlines), crs=grid.crs)


def persistent(place: Place, dates: int) -> bool | None:
    """Whether a change stays; None where no later date could show that it does not."""
    if place.key[1] == dates - 1:
        return None
    return place.returning < _HALF


def interval_areas(found: SeriesFound) -> list[IntervalAreas]:
    """What changed in each interval; gaps that were bridged are intervals too."""
    kept = THEMES[found.theme].classes
    pairs = sorted(found.sums.valid, key=lambda pair: (pair[1], -pair[0]))
    result = []
    for pair in pairs:
        changed = _by_class(found.sums.changed, pair, kept)
        if not changed and pair[1] - pair[0] > 1:
            continue
        result.append(
            IntervalAreas(
                date_from=found.dates[pair[0]],
                date_to=found.dates[pair[1]],
                valid=found.sums.valid[pair],
                changed=changed,
                returning=_by_class(found.sums.returning, pair, kept),
            )
        )
    return result


def _by_class(
    areas: Mapping[tuple[int, int, str], float],
    pair: tuple[int, int],
    kept: Sequence[str],
) -> dict[str, float]:
    found = {key[2]: area for key, area in areas.items() if key[:2] == pair}
    return {slug: found[slug] for slug in kept if slug in found}


def table_rows(found: SeriesFound) -> list[dict[str, Any]]:
    """Rows of `areas.csv`."""
    classes = {
        slug: Change(cover=kind.cover, direction=kind.direction)
        for slug, kind in CLASSES.items()
    }
    covered = dict(zip(found.dates, found.covered, strict=False))
    rows = area_rows(interval_areas(found), classes, found.initial, covered)
    return rows if found.grid.crs else [in_pixels(row) for row in rows]


def bars_of(found: SeriesFound) -> Bars:
    """The chart's contents: neighbouring dates; a bridged change where it ends."""
    labels = [f"{one[:7]}{NOTHING}{other[:7]}" for one, other in pairwise(found.dates)]
    kept = THEMES[found.theme].classes
    values: dict[str, list[float]] = {}
    for (_, last, slug), area in found.sums.changed.items():
        if slug in kept:
            row = values.setdefault(slug, [0.0] * len(labels))
            row[last - 1] += area / (
                SQUARE_METRES_PER_HECTARE if found.grid.crs else 1.0
            )
    ordered = {slug: values[slug] for slug in CLASSES if slug in values}
    return Bars(
        labels=labels,
        values=ordered,
        colours={slug: CLASSES[slug].colour for slug in ordered},
        names={slug: CLASSES[slug].label for slug in ordered},
        below=frozenset(s for s in ordered if CLASSES[s].direction == "loss"),
        unit="ha" if found.grid.crs else "pixels",
    )


def write_tables(
    staging: Path, found: SeriesFound, rows: Sequence[Mapping[str, Any]], bars: Bars
) -> gpd.GeoDataFrame:
    """Write `changes.gpkg`, `areas.csv` and the chart; the polygons come back."""
    polygons = change_table(found)
    write_geopackage(
        staging / "changes.gpkg",
        {"changes": polygons},
        {"changes": LAYER_STYLES["changes"]()},
        created=datetime.now(UTC),
    )
    path = staging / "areas.csv"
    with writing(path), path.open("w", encoding="utf-8", newline="") as file:
        names = list(rows[0]) if rows else ["date_from", "date_to", "class", "area_ha"]
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows([_rounded(row) for row in rows])
    with writing(staging / "chart.png"):
        (staging / "chart.png").write_bytes(chart_png(bars))
        (staging / "chart.svg").write_text(chart_svg(bars), encoding="utf-8")
    return polygons


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def largest(found: SeriesFound, polygons: gpd.GeoDataFrame) -> list[SeriesRow]:
    """The largest polygons with where they lie."""
    grid, rows = found.grid, []
    for place, (_, row) in zip(
        found.places[:_LARGEST], polygons.head(_LARGEST).iterrows(), strict=True
    ):
        left, top, right, bottom = place.outline.bounds
        lon, lat = grid.lonlat(*place.outline.representative_point().coords[0])
        rows.append(
            SeriesRow(
                id=int(row["id"]),
                label=CLASSES[row["class"]].label,
                before=place.key[0],
                after=place.key[1],
                area_m2=None if grid.crs is None else float(row["area_m2"]),
                area_px=place.pixels,
                persistent=persistent(place, len(found.dates)),
                box=(
                    left / grid.width,
                    top / grid.height,
                    (right - left) / grid.width,
                    (bottom - top) / grid.height,
                ),
                lon=lon,
                lat=lat,
            )
        )
    return rows


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
    """Write `series.json`, last."""
    path = staging / SERIES_RECORD
    with writing(path):
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
