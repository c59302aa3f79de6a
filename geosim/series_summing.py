"""From codes per pixel to objects, areas, years and polygons; strip by strip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.objects import ObjectFinder, Objects
from geosim.change.vectorize import Outlines
from geosim.raster.grid import Grid, Window, strips
from geosim.series_deciding import RETURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import shapely
    from numpy.typing import NDArray

    from geosim.options import MinArea
    from geosim.raster.writer import WorkRaster
    from geosim.series_pairs import PairMaps

STRIP_ROWS = 256
KIND = 0x7F
"""Bits of a code that say the class."""
NO_YEAR, NO_YEAR_DATA = 0, 65535
"""Values of the rasters of years: no change, no data."""
NO_COUNT_DATA = 255

Key = tuple[int, int, int]
"""Date before, date after (numbers from 0), class's code."""


@dataclass(kw_only=True)
class Sums:
    """Areas of a series in m2, pixels without a CRS."""

    changed: dict[Key, float] = field(default_factory=dict)
    returning: dict[Key, float] = field(default_factory=dict)
    valid: dict[tuple[int, int], float] = field(default_factory=dict)
    """By the dates before and after: what both show."""
    pixels: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A polygon of a series."""

    key: Key
    outline: shapely.Polygon
    """In (col, row)."""
    pixels: int
    probability_mean: float
    """Levels 0..254."""
    probability_max: int
    returning: float
    """Share of its pixels whose change is taken back later."""


def drop_small(
    grid: Grid,
    codes: WorkRaster,
    dates: int,
    smallest: MinArea,
    tick: Callable[[float], None],
) -> None:
    """Remove what is smaller than the minimum mapping unit, whatever its class."""
    row_areas = grid.row_areas()
    for band in range(1, dates):
        finder = ObjectFinder()
        for window in strips(grid, STRIP_ROWS):
            mask = codes.read(window, band) > 0
            finder.add(mask, mask.view(np.uint8), row_areas[_rows(window)])
        objects = _finish(finder, smallest)
        for number, window in enumerate(strips(grid, STRIP_ROWS)):
            kinds = codes.read(window, band)
            kept = objects.numbers(number, kinds > 0) > 0
            codes.write(kinds * kept, window, band)
        tick(grid.width * grid.height)


def _finish(finder: ObjectFinder, smallest: MinArea) -> Objects:
    return finder.finish(
        min_pixels=int(np.ceil(smallest.value)) if smallest.unit == "px" else 1,
        min_area=smallest.value if smallest.unit == "m2" else 0.0,
    )


def _rows(window: Window) -> slice:
    return slice(window.row_off, window.row_end)


def write_years(
    grid: Grid,
    codes: WorkRaster,
    since: WorkRaster,
    years: Sequence[int],
    out: Mapping[str, WorkRaster],
) -> Sums:
    """Write the first and the last year of change and their number; sum up areas.

    Args:
        grid: of the series.
        codes: class's code of the change that came by each date but the first.
        since: number, from 1, of the last valid date before; 0 without data.
        years: of all dates.
        out: takes "first_change", "last_change" and "count".
    """
    sums, row_areas = Sums(), grid.row_areas()
    for window in strips(grid, STRIP_ROWS):
        shape = (window.height, window.width)
        first, last = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
        count, seen = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
        areas = row_areas[_rows(window)]
        for band, year in enumerate(years[1:], start=1):
            kinds, before = codes.read(window, band), since.read(window, band)
            changed = kinds > 0
            first[changed & (first == NO_YEAR)] = year
            last[changed] = year
            count += changed
            seen |= before > 0
            _add(sums, band, kinds, before, areas)
        first[~seen], last[~seen] = NO_YEAR_DATA, NO_YEAR_DATA
        count[~seen] = NO_COUNT_DATA
        for name, values in (
            ("first_change", first), ("last_change", last), ("count", count)
        ):  # fmt: skip
            out[name].write(values, window, 1)
    return sums


def changed_once(grid: Grid, count: WorkRaster) -> tuple[int, float]:
    """(pixels, area) that changed at least once."""
    pixels, area, row_areas = 0, 0.0, grid.row_areas()
    for window in strips(grid, STRIP_ROWS):
        values = count.read(window, 1)
        mask = (values > 0) & (values != NO_COUNT_DATA)
        pixels += int(mask.sum())
        area += _area(mask, row_areas[_rows(window)])
    return pixels, area


def _add(
    sums: Sums,
    date: int,
    kinds: NDArray[np.uint8],
    before: NDArray[np.uint8],
    areas: NDArray[np.float64],
) -> None:
    """Add a strip of one date."""
    for since in np.unique(before[before > 0]):
        here = before == since
        dates = (int(since) - 1, date)
        sums.valid[dates] = sums.valid.get(dates, 0.0) + _area(here, areas)
        for code in np.unique(kinds[here & (kinds > 0)]):
            found = here & (kinds == code)
            key = (*dates, int(code) & KIND)
            area = _area(found, areas)
            sums.changed[key] = sums.changed.get(key, 0.0) + area
            sums.pixels[key] = sums.pixels.get(key, 0) + int(found.sum())
            if code & RETURNS:
                sums.returning[key] = sums.returning.get(key, 0.0) + area


def _area(mask: NDArray[np.bool_], areas: NDArray[np.float64]) -> float:
    return float((mask.sum(axis=1) * areas).sum())


def find_places(
    grid: Grid,
    codes: WorkRaster,
    since: WorkRaster,
    maps: Mapping[tuple[int, int], PairMaps],
    keys: Sequence[Key],
) -> list[Place]:
    """The polygons of a series, the largest first."""
    places = []
    for key in keys:
        places += _places_of(grid, codes, since, maps, key)
    places.sort(key=lambda place: -place.pixels)
    return places


def _places_of(
    grid: Grid,
    codes: WorkRaster,
    since: WorkRaster,
    maps: Mapping[tuple[int, int], PairMaps],
    key: Key,
) -> list[Place]:
    """Polygons of one class and one pair of dates."""
    finder, row_areas = ObjectFinder(), grid.row_areas()
    back = ObjectFinder()  # the same objects, with the share that returns as level
    for window in strips(grid, STRIP_ROWS):
        mask, returning = _mask(codes, since, window, key)
        levels = np.zeros(mask.shape, np.uint8)
        if mask.any():
            levels = maps[key[:2]].probability(window)
        finder.add(mask, levels, row_areas[_rows(window)])
        back.add(mask, returning.view(np.uint8), row_areas[_rows(window)])
    objects = finder.finish(min_pixels=1, min_area=0.0)
    shares = back.finish(min_pixels=1, min_area=0.0).probability_mean
    outlines = Outlines()
    for number, window in enumerate(strips(grid, STRIP_ROWS)):
        mask, _ = _mask(codes, since, window, key)
        outlines.add(objects.numbers(number, mask), window.row_off)
    return [
        Place(
            key=key,
            outline=outline,
            pixels=int(objects.pixels[place]),
            probability_mean=float(objects.probability_mean[place]),
            probability_max=int(objects.probability_max[place]),
            returning=float(shares[place]),
        )
        for place, outline in enumerate(outlines.joined(len(objects.pixels)))
    ]


def _mask(
    codes: WorkRaster, since: WorkRaster, window: Window, key: Key
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a strip has a key, and where that returns."""
    before, date, kind = key
    kinds = codes.read(window, date)
    mask = ((kinds & KIND) == kind) & (since.read(window, date) == before + 1)
    return mask, mask & ((kinds & RETURNS) > 0)
