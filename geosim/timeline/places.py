"""The polygons of a series: places of one class and one pair of dates, by strips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.objects import ObjectFinder, Objects
from geosim.change.vectorize import Outlines
from geosim.deciding.classifying import CONFIDENCE_LEVELS
from geosim.raster.grid import Grid, Window, strips
from geosim.timeline.deciding import RETURNS
from geosim.timeline.summing import KIND, STRIP_ROWS, Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import shapely
    from numpy.typing import NDArray

    from geosim.raster.writer import WorkRaster
    from geosim.timeline.pairs import PairMaps


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
    later: float
    """Share of its pixels that a later date shows."""
    returning: float
    """Share of its pixels whose change is taken back later."""
    code: int
    """The pair of covers that prevails."""
    sure: float
    """Mean confidence in the class, 0..1."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What polygons are made of."""

    grid: Grid
    rasters: Mapping[str, WorkRaster]
    """"codes", "sure", "since" and "last"."""
    pairs: Mapping[tuple[int, int], PairMaps]
    slugs: Sequence[str]
    """Class of each code."""


@dataclass(frozen=True, kw_only=True)
class _Strip:
    """A strip of one date."""

    number: int
    """From 0."""
    window: Window
    codes: NDArray[np.uint8]
    """(rows, width)."""
    masks: Mapping[Key, NDArray[np.bool_]]
    """(rows, width) where it has a key; only keys that it has."""


@dataclass(kw_only=True)
class _Tally:
    """Sums over the places of a key."""

    objects: Objects
    outlines: Outlines = field(default_factory=Outlines)
    pairs: list[NDArray[np.int64]] = field(default_factory=list)
    """(3, n) place, code, pixels, of each strip."""
    sure: NDArray[np.float64] = field(init=False)
    later: NDArray[np.float64] = field(init=False)
    returning: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.sure = np.zeros(len(self.objects.pixels))
        self.later = np.zeros(len(self.objects.pixels))
        self.returning = np.zeros(len(self.objects.pixels))

    def add(
        self,
        strip: _Strip,
        mask: NDArray[np.bool_],
        levels: NDArray[np.uint8],
        later: NDArray[np.bool_],
    ) -> None:
        """Take in a strip.

        Args:
            strip: of one date.
            mask: (rows, width), which of it has the key.
            levels: how sure its classes are, 0..254.
            later: True where a later date has data.
        """
        numbers = self.objects.numbers(strip.number, mask)
        self.outlines.add(numbers, strip.window.row_off)
        place, code = numbers[mask].astype(np.int64) - 1, strip.codes[mask]
        both = place * (KIND + 1) + (code & KIND)
        found, pixels = np.unique(both, return_counts=True)
        self.pairs.append(np.stack([*np.divmod(found, KIND + 1), pixels]))
        np.add.at(self.later, place, later[mask])
        np.add.at(self.returning, place, code >= RETURNS)
        np.add.at(self.sure, place, levels[mask] / CONFIDENCE_LEVELS)

    def codes(self) -> NDArray[np.int64]:
        """(places,) the code that most pixels have, the lowest of several."""
        place, code, pixels = np.concatenate(self.pairs, axis=1)
        found, where = np.unique(place * (KIND + 1) + code, return_inverse=True)
        place, code = np.divmod(found, KIND + 1)
        order = np.lexsort((code, -np.bincount(where, pixels), place))
        _, first = np.unique(place[order], return_index=True)
        best: NDArray[np.int64] = code[order][first]
        return best

    def places(self, key: Key) -> list[Place]:
        """The places, all strips taken in."""
        objects, codes = self.objects, self.codes()
        return [
            Place(
                key=key,
                outline=outline,
                pixels=int(objects.pixels[place]),
                probability_mean=float(objects.probability_mean[place]),
                probability_max=int(objects.probability_max[place]),
                later=float(self.later[place] / objects.pixels[place]),
                returning=float(self.returning[place] / objects.pixels[place]),
                code=int(codes[place]),
                sure=float(self.sure[place] / objects.pixels[place]),
            )
            for place, outline in enumerate(self.outlines.joined(len(codes)))
        ]


def find_places(maps: Maps, keys: Sequence[Key]) -> list[Place]:
    """The polygons of a series, the largest first.

    The rasters are read twice for each date, however many classes it has.

    Args:
        maps: of the whole series.
        keys: that the rasters hold; equally large places stay in their order.
    """
    found: dict[Key, list[Place]] = {}
    for date in dict.fromkeys(date for _, date, _ in keys):
        own = [key for key in keys if key[1] == date]
        found |= _places_of(maps, date, own)
    places = [place for key in keys for place in found[key]]
    places.sort(key=lambda place: -place.pixels)
    return places


def _places_of(maps: Maps, date: int, keys: Sequence[Key]) -> dict[Key, list[Place]]:
    """Places of the keys of one date."""
    finders = {key: ObjectFinder() for key in keys}
    for strip in _strips(maps, date, keys):
        window = strip.window
        areas = maps.grid.pixel_areas.within(window)
        empty = np.zeros(strip.codes.shape, np.bool_)
        levels = {
            pair: maps.pairs[pair].probability(window)
            for pair in {key[:2] for key in strip.masks}
        }
        for key, finder in finders.items():
            mask = strip.masks.get(key, empty)
            finder.add(mask, levels.get(key[:2], strip.codes), areas)
    tallies = {
        key: _Tally(objects=finder.finish(min_pixels=1, min_area=0.0))
        for key, finder in finders.items()
    }
    for strip in _strips(maps, date, keys):
        if not strip.masks:
            continue
        sure = maps.rasters["sure"].read(strip.window, date)
        later = maps.rasters["last"].read(strip.window, 1) > date
        for key, mask in strip.masks.items():
            tallies[key].add(strip, mask, sure, later)
    return {
        key: tally.places(key) if tally.pairs else [] for key, tally in tallies.items()
    }


def _strips(maps: Maps, date: int, keys: Sequence[Key]) -> Iterator[_Strip]:
    """The strips of a date from the top."""
    number_of = np.zeros((256, KIND + 1), np.uint16)
    for number, (before, _, slug) in enumerate(keys, start=1):
        of_class = [name == slug for name in maps.slugs]
        number_of[before + 1, : len(of_class)][of_class] = number
    for place, window in enumerate(strips(maps.grid, STRIP_ROWS)):
        codes = maps.rasters["codes"].read(window, date)
        numbers = number_of[maps.rasters["since"].read(window, date), codes & KIND]
        masks = {
            keys[number - 1]: numbers == number
            for number in np.unique(numbers).tolist()
            if number
        }
        yield _Strip(number=place, window=window, codes=codes, masks=masks)
