"""From codes per pixel to objects, areas and years; strip by strip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geosim.change.objects import ObjectFinder, Objects
from geosim.change.vectorize import Outlines, pixels_of
from geosim.deciding.classifying import CONFIDENCE_LEVELS
from geosim.raster.areas import area_of
from geosim.raster.grid import Grid, Window, strips
from geosim.themes.parts import split, window_side
from geosim.themes.transitions import class_weights
from geosim.timeline.deciding import RETURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import shapely
    from numpy.typing import NDArray

    from geosim.option_values import MinArea
    from geosim.raster.writer import WorkRaster

STRIP_ROWS = 256
KIND = 0x7F
"""Bits of a code that say the class."""
NO_YEAR, NO_YEAR_DATA = 0, 65535
"""Values of the rasters of years: no change, no data."""
NO_COUNT_DATA = 255
_LARGEST = 16_000_000
"""Pixels of the rectangle around an object beyond which its classes stay."""

_Key = TypeVar("_Key")
Key = tuple[int, int, str]
"""Date before, date after (numbers from 0), slug of the class."""


@dataclass(kw_only=True)
class Sums:
    """Areas of a series in m2, pixels without a CRS."""

    changed: dict[Key, float] = field(default_factory=dict)
    returning: dict[Key, float] = field(default_factory=dict)
    valid: dict[tuple[int, int], float] = field(default_factory=dict)
    """By the dates before and after: what both show."""
    from_to: dict[tuple[int, int, int], float] = field(default_factory=dict)
    """By the dates and the code of the covers before and after."""


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """How an object of several classes is cut."""

    of_code: NDArray[np.uint8]
    """Number of the class of each code."""
    least: float
    """Smallest expected area of a part's class in pixels."""
    side: int
    """Of the window in which the most frequent class wins, in pixels."""
    weights: NDArray[np.float64]
    """(classes,) how much a pixel of a class counts there."""


def clean(
    grid: Grid,
    codes: WorkRaster,
    sure: WorkRaster,
    dates: int,
    smallest: MinArea,
    slugs: Sequence[str],
    tick: Callable[[float], None],
) -> None:
    """Remove objects below the minimum mapping unit and give small parts a class.

    An object is all that changed in one interval and hangs together, whatever its
    class; a part of it whose own class is expected on less gets the class beside it.

    Args:
        grid: of the series.
        codes: changed in place.
        sure: how sure their classes are; changed in place.
        dates: number of dates.
        smallest: the minimum mapping unit.
        slugs: class of each code.
        tick: called with the number of pixels done.
    """
    least = smallest.value
    if smallest.unit == "m2":
        least = smallest.value / grid.pixel_areas.mean
    names, side = sorted(set(slugs)), window_side(grid.ground_resolution())
    place = np.array([names.index(slug) for slug in slugs], np.uint8)
    cut = _Cut(
        of_code=place, least=least, side=side, weights=class_weights(names, side)
    )
    for band in range(1, dates):
        finder = ObjectFinder()
        for window in strips(grid, STRIP_ROWS):
            mask = codes.read(window, band) > 0
            finder.add(mask, mask.view(np.uint8), grid.pixel_areas.within(window))
        objects, outlines = _finish(finder, smallest), Outlines()
        classes = len(names)
        lowest = np.full(len(objects.pixels), classes, np.uint8)
        highest = np.zeros(len(objects.pixels), np.uint8)
        for strip, window in enumerate(strips(grid, STRIP_ROWS)):
            kinds = codes.read(window, band)
            numbers = objects.numbers(strip, kinds > 0)
            outlines.add(numbers, window.row_off)
            inside = numbers > 0
            number, kind = numbers[inside] - 1, place[kinds[inside] & KIND]
            np.minimum.at(lowest, number, kind)
            np.maximum.at(highest, number, kind)
            codes.write(kinds * inside, window, band)
        for mixed, outline in zip(
            lowest != highest, outlines.joined(len(lowest)), strict=True
        ):
            if mixed:
                _settle(codes, sure, band, outline, cut)
        tick(grid.width * grid.height)


def _settle(
    codes: WorkRaster,
    sure: WorkRaster,
    band: int,
    outline: shapely.Polygon,
    cut: _Cut,
) -> None:
    """Give the small parts of an object the class beside them.

    Args:
        codes: changed in place.
        sure: changed in place: a pixel is not sure of a class that it is given.
        band: of the date.
        outline: of the object in (col, row).
        cut: how objects are cut.
    """
    left, top, right, bottom = (int(value) for value in outline.bounds)
    window = Window(left, top, right - left, bottom - top)
    if window.width * window.height > _LARGEST:
        return
    kinds, levels = codes.read(window, band), sure.read(window, band)
    mask = pixels_of(outline, kinds > 0, left, top)
    classes = cut.of_code[kinds & KIND]
    certain = levels / np.float32(CONFIDENCE_LEVELS)
    parts, of_part = split(classes, certain, mask, cut.least, cut.side, cut.weights)
    for number, name in enumerate(of_part, start=1):
        part = parts == number
        other = part & (classes != name)
        fitting = kinds[part & ~other] & KIND
        if other.any() and fitting.size:
            prevailing = np.bincount(fitting).argmax().astype(np.uint8)
            kinds[other] = prevailing | (kinds[other] & RETURNS)
            levels[other] = 0
    codes.write(kinds, window, band)
    sure.write(levels, window, band)


def _finish(finder: ObjectFinder, smallest: MinArea) -> Objects:
    return finder.finish(
        min_pixels=int(np.ceil(smallest.value)) if smallest.unit == "px" else 1,
        min_area=smallest.value if smallest.unit == "m2" else 0.0,
    )


def write_years(
    grid: Grid,
    codes: WorkRaster,
    since: WorkRaster,
    years: Sequence[int],
    slugs: Sequence[str],
    out: Mapping[str, WorkRaster],
) -> Sums:
    """Write the first and the last year of change and their number; sum up areas.

    Args:
        grid: of the series.
        codes: class's code of the change that came by each date but the first.
        since: number, from 1, of the last valid date before; 0 without data.
        years: of all dates.
        slugs: class of each code.
        out: takes "first_change", "last_change" and "count".
    """
    sums = Sums()
    for window in strips(grid, STRIP_ROWS):
        shape = (window.height, window.width)
        first, last = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
        count, seen = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
        areas = grid.pixel_areas.within(window)
        for band, year in enumerate(years[1:], start=1):
            kinds, before = codes.read(window, band), since.read(window, band)
            changed = kinds > 0
            first[changed & (first == NO_YEAR)] = year
            last[changed] = year
            count += changed
            seen |= before > 0
            _add(sums, band, kinds, before, areas, slugs)
        first[~seen], last[~seen] = NO_YEAR_DATA, NO_YEAR_DATA
        count[~seen] = NO_COUNT_DATA
        for name, values in (
            ("first_change", first), ("last_change", last), ("count", count)
        ):  # fmt: skip
            out[name].write(values, window, 1)
    return sums


def changed_once(grid: Grid, count: WorkRaster) -> tuple[int, float, float]:
    """Pixels that changed at least once, their area, and that of all compared once."""
    pixels, area, compared = 0, 0.0, 0.0
    for window in strips(grid, STRIP_ROWS):
        values, areas = count.read(window, 1), grid.pixel_areas.within(window)
        known = values != NO_COUNT_DATA
        mask = (values > 0) & known
        pixels += int(mask.sum())
        area += area_of(mask, areas)
        compared += area_of(known, areas)
    return pixels, area, compared


def _add(
    sums: Sums,
    date: int,
    kinds: NDArray[np.uint8],
    before: NDArray[np.uint8],
    areas: NDArray[np.float64],
    slugs: Sequence[str],
) -> None:
    """Add a strip of one date."""
    for since in np.unique(before[before > 0]):
        here = before == since
        dates = (int(since) - 1, date)
        _more(sums.valid, dates, area_of(here, areas))
        for code in np.unique(kinds[here & (kinds > 0)]):
            found = here & (kinds == code)
            kind = int(code) & KIND
            key, area = (*dates, slugs[kind]), area_of(found, areas)
            _more(sums.changed, key, area)
            _more(sums.from_to, (*dates, kind), area)
            if code & RETURNS:
                _more(sums.returning, key, area)


def _more(sums: dict[_Key, float], key: _Key, area: float) -> None:
    sums[key] = sums.get(key, 0.0) + area
