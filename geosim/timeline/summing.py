"""From codes per pixel to objects, areas, years and polygons; strip by strip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import shapely
from rasterio.features import rasterize

from geosim.change.objects import ObjectFinder, Objects
from geosim.change.vectorize import Outlines
from geosim.raster.grid import Grid, Window, strips
from geosim.themes.parts import split
from geosim.timeline.classes import SURE_LEVELS
from geosim.timeline.deciding import RETURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.options import MinArea
    from geosim.raster.writer import WorkRaster
    from geosim.timeline.pairs import PairMaps

STRIP_ROWS = 256
KIND = 0x7F
"""Bits of a code that say the class."""
NO_YEAR, NO_YEAR_DATA = 0, 65535
"""Values of the rasters of years: no change, no data."""
NO_COUNT_DATA = 255
_SIDE = 5
"""Side in pixels of the window in which an object's most frequent class wins."""
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
    code: int
    """The pair of covers that prevails."""
    sure: float
    """Mean confidence in the class, 0..1."""


def clean(
    grid: Grid,
    codes: WorkRaster,
    dates: int,
    smallest: MinArea,
    slugs: Sequence[str],
    tick: Callable[[float], None],
) -> None:
    """Remove objects below the minimum mapping unit and give small parts a class.

    An object is all that changed in one interval and hangs together, whatever its
    class; a part of it of another class that is smaller gets the class beside it.

    Args:
        grid: of the series.
        codes: changed in place.
        dates: number of dates.
        smallest: the minimum mapping unit.
        slugs: class of each code.
        tick: called with the number of pixels done.
    """
    row_areas = grid.row_areas()
    least = smallest.value
    if smallest.unit == "m2":
        least = smallest.value / float(row_areas.mean())
    for band in range(1, dates):
        finder = ObjectFinder()
        for window in strips(grid, STRIP_ROWS):
            mask = codes.read(window, band) > 0
            finder.add(mask, mask.view(np.uint8), row_areas[_rows(window)])
        objects, outlines = _finish(finder, smallest), Outlines()
        held = np.zeros((len(objects.pixels), KIND + 1), np.int64)
        for strip, window in enumerate(strips(grid, STRIP_ROWS)):
            kinds = codes.read(window, band)
            numbers = objects.numbers(strip, kinds > 0)
            outlines.add(numbers, window.row_off)
            inside = numbers > 0
            np.add.at(held, (numbers[inside] - 1, kinds[inside] & KIND), 1)
            codes.write(kinds * inside, window, band)
        for place, outline in enumerate(outlines.joined(len(held))):
            if _mixed(held[place], slugs):
                _settle(codes, band, outline, slugs, least)
        tick(grid.width * grid.height)


def _mixed(held: NDArray[np.int64], slugs: Sequence[str]) -> bool:
    """Whether an object holds several classes, given its pixels by code."""
    return len({slugs[int(code)] for code in np.flatnonzero(held)}) > 1


def _settle(
    codes: WorkRaster,
    band: int,
    outline: shapely.Polygon,
    slugs: Sequence[str],
    least: float,
) -> None:
    """Give the small parts of an object the class beside them."""
    left, top, right, bottom = (int(value) for value in outline.bounds)
    window = Window(left, top, right - left, bottom - top)
    if window.width * window.height > _LARGEST:
        return
    local = shapely.transform(outline, lambda xy: xy - np.array([left, top]))
    mask = rasterize([local], (window.height, window.width)).astype(np.bool_)
    kinds = codes.read(window, band)
    names = sorted(set(slugs))
    place = np.array([names.index(slug) for slug in slugs])
    parts, of_part = split(place[kinds & KIND], mask, least, _SIDE, np.ones(len(names)))
    for number, name in enumerate(of_part, start=1):
        part = parts == number
        other = part & (place[kinds & KIND] != name)
        fitting = kinds[part & ~other] & KIND
        if other.any() and fitting.size:
            prevailing = np.bincount(fitting).argmax().astype(np.uint8)
            kinds[other] = prevailing | (kinds[other] & RETURNS)
    codes.write(kinds, window, band)


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
            _add(sums, band, kinds, before, areas, slugs)
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
    slugs: Sequence[str],
) -> None:
    """Add a strip of one date."""
    for since in np.unique(before[before > 0]):
        here = before == since
        dates = (int(since) - 1, date)
        _more(sums.valid, dates, _area(here, areas))
        for code in np.unique(kinds[here & (kinds > 0)]):
            found = here & (kinds == code)
            kind = int(code) & KIND
            key, area = (*dates, slugs[kind]), _area(found, areas)
            _more(sums.changed, key, area)
            _more(sums.from_to, (*dates, kind), area)
            if code & RETURNS:
                _more(sums.returning, key, area)


def _more(sums: dict[_Key, float], key: _Key, area: float) -> None:
    sums[key] = sums.get(key, 0.0) + area


def _area(mask: NDArray[np.bool_], areas: NDArray[np.float64]) -> float:
    return float((mask.sum(axis=1) * areas).sum())


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What polygons are made of."""

    grid: Grid
    rasters: Mapping[str, WorkRaster]
    """"codes", "sure" and "since"."""
    pairs: Mapping[tuple[int, int], PairMaps]
    slugs: Sequence[str]
    """Class of each code."""

    def mask(self, window: Window, key: Key) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """Where a strip has a key, and its codes."""
        before, date, slug = key
        kinds = self.rasters["codes"].read(window, date)
        of_class = np.zeros(KIND + 1, np.bool_)
        of_class[: len(self.slugs)] = [name == slug for name in self.slugs]
        mask = of_class[kinds & KIND]
        mask &= self.rasters["since"].read(window, date) == before + 1
        return mask, kinds


def find_places(maps: Maps, keys: Sequence[Key]) -> list[Place]:
    """The polygons of a series, the largest first."""
    places = []
    for key in keys:
        places += _places_of(maps, key)
    places.sort(key=lambda place: -place.pixels)
    return places


def _places_of(maps: Maps, key: Key) -> list[Place]:
    """Polygons of one class and one pair of dates."""
    grid, finder = maps.grid, ObjectFinder()
    row_areas = grid.row_areas()
    for window in strips(grid, STRIP_ROWS):
        mask, _ = maps.mask(window, key)
        levels = np.zeros(mask.shape, np.uint8)
        if mask.any():
            levels = maps.pairs[key[:2]].probability(window)
        finder.add(mask, levels, row_areas[_rows(window)])
    objects, outlines = finder.finish(min_pixels=1, min_area=0.0), Outlines()
    count = len(objects.pixels)
    codes, sure = np.zeros((count, KIND + 1)), np.zeros(count)
    back = np.zeros(count)
    for strip, window in enumerate(strips(grid, STRIP_ROWS)):
        mask, kinds = maps.mask(window, key)
        numbers = objects.numbers(strip, mask)
        outlines.add(numbers, window.row_off)
        number, kind = numbers[mask] - 1, kinds[mask]
        np.add.at(codes, (number, kind & KIND), 1)
        back += np.bincount(number, kind >= RETURNS, count)
        levels = maps.rasters["sure"].read(window, key[1])[mask]
        sure += np.bincount(number, levels / SURE_LEVELS, count)
    return [
        Place(
            key=key,
            outline=outline,
            pixels=int(objects.pixels[place]),
            probability_mean=float(objects.probability_mean[place]),
            probability_max=int(objects.probability_max[place]),
            returning=float(back[place] / objects.pixels[place]),
            code=int(codes[place].argmax()),
            sure=float(sure[place] / objects.pixels[place]),
        )
        for place, outline in enumerate(outlines.joined(count))
    ]
