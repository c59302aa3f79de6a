"""What a series found as tables: polygons, areas by interval, the chart's bars."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geosim.change.scores import UNIT_LEVELS
from geosim.change.vectorize import sizes, to_map
from geosim.publish.series_chart import Bars
from geosim.publish.series_tables import SeriesRow
from geosim.publish.wording import NOTHING, SQUARE_METRES_PER_HECTARE
from geosim.themes.classes import CLASSES, THEMES
from geosim.timeline.areas import Change, IntervalAreas, area_rows, in_pixels
from geosim.timeline.classes import UNKNOWN, covers_of_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geosim.raster.grid import Grid
    from geosim.timeline.covers import Covered
    from geosim.timeline.places import Place
    from geosim.timeline.summing import Sums

_LARGEST = 20
_HALF = 0.5


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
    covered: Covered | None = None
    """Land covers as classified, m2 (pixels without a CRS); None where not known."""
    compared: float | None = None
    """Area that any two dates show, in the same unit."""


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
        "probability_mean": [place.probability_mean / UNIT_LEVELS for place in places],
        "probability_max": [place.probability_max / UNIT_LEVELS for place in places],
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
            [persistent(place) for place in places], dtype="boolean"
        ),
    }
    return gpd.GeoDataFrame(columns, geometry=list(outlines), crs=grid.crs)


def persistent(place: Place) -> bool | None:
    """Whether a change stays; None where no later date shows half of it."""
    if place.later < _HALF:
        return None
    return place.returning < _HALF * place.later


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
                bridged=pair[1] - pair[0] > 1,
                covered=found.covered.pairs.get(pair, {}) if found.covered else {},
                moved=_moved(found.sums.from_to, pair),
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


def _moved(
    areas: Mapping[tuple[int, int, int], float], pair: tuple[int, int]
) -> dict[str, float]:
    """Area of each land cover that came between two dates, less what went."""
    moved: dict[str, float] = {}
    for (*dates, code), area in areas.items():
        before, after = covers_of_code(code)
        if tuple(dates) == pair and before is not None and after is not None:
            moved[before] = moved.get(before, 0.0) - area
            moved[after] = moved.get(after, 0.0) + area
    return moved


def table_rows(found: SeriesFound) -> list[dict[str, Any]]:
    """Rows of `areas.csv`."""
    classes = {
        slug: Change(cover=kind.cover, direction=kind.direction)
        for slug, kind in CLASSES.items()
    }
    covered = found.covered.first if found.covered else {}
    rows = area_rows(
        interval_areas(found), classes, found.initial, covered, found.compared
    )
    return rows if found.grid.crs else [in_pixels(row) for row in rows]


def shortages(found: SeriesFound, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line on each cover of which more was lost than the user says there was.

    Args:
        found: what the series found; has a CRS where covers are given.
        rows: its `table_rows`.
    """
    told: dict[str, str] = {}
    for row in rows:
        if row["period"] == "whole":
            continue  # what came again and went again counts twice
        kind = CLASSES[row["class"]]
        if (
            kind.cover is not None
            and kind.cover in found.initial
            and kind.direction == "loss"
            and row["area_ha"] > max(row["base_ha"], 0.0)
        ):
            given = found.initial[kind.cover] / SQUARE_METRES_PER_HECTARE
            told.setdefault(
                kind.cover,
                f"More {kind.cover} was lost by {row['date_to']} than there was after "
                f"--initial {kind.cover}={given:g}; from then on rates that cannot be "
                "told are left empty.",
            )
    return list(told.values())


def bars_of(found: SeriesFound) -> Bars:
    """The chart's contents: neighbouring dates; pale where it ends what was bridged."""
    labels = [f"{one[:7]}{NOTHING}{other[:7]}" for one, other in pairwise(found.dates)]
    kept = THEMES[found.theme].classes
    values: dict[str, list[float]] = {}
    bridged: dict[str, list[float]] = {}
    for (first, last, slug), area in found.sums.changed.items():
        if slug in kept:
            row = values.setdefault(slug, [0.0] * len(labels))
            longer = bridged.setdefault(slug, [0.0] * len(labels))
            to = longer if last - first > 1 else row
            to[last - 1] += area / (
                SQUARE_METRES_PER_HECTARE if found.grid.crs else 1.0
            )
    ordered = {slug: values[slug] for slug in CLASSES if slug in values}
    return Bars(
        labels=labels,
        values=ordered,
        bridged=bridged,
        colours={slug: CLASSES[slug].colour for slug in ordered},
        names={slug: CLASSES[slug].label for slug in ordered},
        below=frozenset(s for s in ordered if CLASSES[s].direction == "loss"),
        unit="ha" if found.grid.crs else "pixels",
    )


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
                persistent=persistent(place),
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
