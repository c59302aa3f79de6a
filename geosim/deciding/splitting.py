"""Objects of the second pass cut into parts of one class, where they hold several."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geosim.change.vectorize import Outlines, pixels_of, tidied
from geosim.deciding.classifying import CONFIDENCE_LEVELS
from geosim.raster.grid import Window
from geosim.themes.classes import CLASSES, COVERS
from geosim.themes.parts import connected, split, window_side
from geosim.themes.transitions import class_weights, classes_of, pair_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.change.objects import Objects
    from geosim.deciding.classifying import Classifier
    from geosim.raster.writer import WorkRaster
    from geosim.themes.transitions import ObjectClasses

_TILE, _AROUND = 2048, 256
"""Side in pixels of what is worked on at a time of an object whose rectangle is larger
than both together, and what is looked at around it: that bounds the memory. Where the
tiles lie does not depend on the object."""

_LARGEST = (_TILE + 2 * _AROUND) ** 2

_PAIRS = len(COVERS) ** 2


Member = Callable[[int, Window], "NDArray[np.bool_]"]
"""(height, width) of a window: True in the object of a number, from 1."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One row of the new table."""

    kind: int
    """Number of its class."""
    outline: shapely.Polygon
    pixels: int
    level_mean: float
    level_max: int
    sums: NDArray[np.float64]
    """(49,) confidence by pair of covers."""


def split_mixed(
    outlines: list[shapely.Polygon],
    objects: Objects,
    classifier: Classifier,
    levels: WorkRaster,
    least: float,
    member: Member,
) -> tuple[list[shapely.Polygon], Objects, ObjectClasses]:
    """Cut the mixed objects; the others stay as they are.

    The pixels of all objects together stay the same.

    Args:
        outlines: of the objects in (col, row), object 1 first.
        objects: the objects.
        classifier: has seen all of them.
        levels: holds the probability levels in its first band.
        least: smallest expected area of a part's class in pixels.
        member: tells where an object is; asked of large ones, tile by tile from the
            top.

    Returns:
        Outlines, objects and their classes, the largest first.
    """
    cutter = _Cutter(classifier=classifier, levels=levels, least=least)
    mixed = _mixed(classifier, max(least, cutter.side**2))
    parts = []
    for place, outline in enumerate(outlines):
        pixels = int(objects.pixels[place])
        if mixed[place]:
            found = cutter.parts(outline, partial(member, place + 1))
            parts += found
            if found:
                continue
        parts.append(
            _Part(
                kind=0,  # told by its sums
                outline=outline,
                pixels=pixels,
                level_mean=float(objects.probability_mean[place]),
                level_max=int(objects.probability_max[place]),
                sums=classifier.sums[place],
            )
        )
    parts.sort(key=lambda part: -part.pixels)  # stable: equals stay in their order
    counts = np.array([part.pixels for part in parts], np.int64)
    sums = np.array([part.sums for part in parts]).reshape(-1, _PAIRS)
    return (
        [part.outline for part in parts],
        replace(
            objects,
            pixels=counts,
            probability_mean=np.array([part.level_mean for part in parts]),
            probability_max=np.array([part.level_max for part in parts], np.int64),
        ),
        classes_of(sums, counts, classifier.theme),
    )


def _mixed(classifier: Classifier, least: float) -> NDArray[np.bool_]:
    """(objects,) True where a second class is expected on enough for a part."""
    of_pair = pair_classes(classifier.theme)
    expected = classifier.sums @ (of_pair[:, None] == np.unique(of_pair))
    found: NDArray[np.bool_] = np.sort(expected, axis=1)[:, -2] >= least
    return found


@dataclass(frozen=True, kw_only=True)
class _Cutter:
    """Cuts objects into parts of one class."""

    classifier: Classifier
    levels: WorkRaster
    least: float
    """Smallest expected area of a part's class in pixels."""

    @property
    def side(self) -> int:
        """Side in pixels of the window in which the most frequent class wins."""
        return window_side(self.classifier.metres)

    def parts(
        self, outline: shapely.Polygon, member: Callable[[Window], NDArray[np.bool_]]
    ) -> list[_Part]:
        """The parts of an object; none where it stays whole."""
        left, top, right, bottom = (math.floor(value) for value in outline.bounds)
        whole = Window(left, top, right - left, bottom - top)
        if whole.width * whole.height > _LARGEST:
            found = _merged(
                [
                    part
                    for tile in _tiles(whole)
                    for part in self._tile(tile, whole, member)
                ]
            )
        else:
            mask = pixels_of(
                outline, self.classifier.pairs.read(whole, 1) > 0, left, top
            )
            numbers, of_part, pair = self._cut(whole, mask)
            if len(of_part) < 2:  # noqa: PLR2004 - spare the table
                return []
            found = list(self._table(whole, numbers, of_part, pair))
        return found if len(found) > 1 else []

    def _tile(
        self,
        tile: Window,
        whole: Window,
        member: Callable[[Window], NDArray[np.bool_]],
    ) -> Iterator[_Part]:
        """The parts of a large object that lie in a tile, cut at its edges."""
        outer = _within(tile.grown(_AROUND), whole)
        inner = tile.slices_in(outer)
        mask = member(outer)
        if not mask[inner].any():
            return
        numbers, of_part, pair = self._cut(outer, mask)
        kinds = of_part[np.maximum(numbers[inner], 1) - 1]
        yield from self._table(tile, *connected(kinds, mask[inner]), pair[inner])

    def _cut(
        self, window: Window, mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.intp]]:
        """Numbers of the parts, their classes, and each pixel's pair of covers."""
        classifier, side = self.classifier, self.side
        codes = classifier.pairs.read(window, 1)
        pair = np.maximum(codes.astype(np.intp) - 1, 0)
        weights = class_weights(tuple(CLASSES), side)
        classes = pair_classes(classifier.theme)[pair]
        sure = classifier.pairs.read(window, 2) / np.float32(CONFIDENCE_LEVELS)
        return *split(classes, sure, mask, self.least, side, weights), pair

    def _table(
        self,
        window: Window,
        numbers: NDArray[np.int32],
        of_part: NDArray[np.int64],
        pair: NDArray[np.intp],
    ) -> Iterator[_Part]:
        """What is known of each part."""
        inside = numbers > 0
        number, count = numbers[inside] - 1, len(of_part)
        level = self.levels.read(window, 1)[inside]
        sure = self.classifier.pairs.read(window, 2)[inside] / CONFIDENCE_LEVELS
        pixels = np.bincount(number, minlength=count)
        means = np.bincount(number, level, count) / pixels
        largest = np.zeros(count, np.int64)
        np.maximum.at(largest, number, level)
        key = number * _PAIRS + pair[inside]
        sums = np.bincount(key, sure, count * _PAIRS).reshape(count, _PAIRS)
        outlines = Outlines()
        outlines.add(numbers, 0)
        origin: NDArray[Any] = np.array([window.col_off, window.row_off])
        for place, outline in enumerate(outlines.joined(count)):
            yield _Part(
                kind=int(of_part[place]),
                outline=shapely.transform(outline, lambda xy: xy + origin),
                pixels=int(pixels[place]),
                level_mean=float(means[place]),
                level_max=int(largest[place]),
                sums=sums[place],
            )


def _tiles(whole: Window) -> Iterator[Window]:
    """Tiles of the grid that hold a window, cut to it, row by row."""
    for row in range(whole.row_off // _TILE, -(-whole.row_end // _TILE)):
        for col in range(whole.col_off // _TILE, -(-whole.col_end // _TILE)):
            yield _within(Window(col * _TILE, row * _TILE, _TILE, _TILE), whole)


def _within(window: Window, whole: Window) -> Window:
    """The part of a window that lies in another one."""
    col, row = max(window.col_off, whole.col_off), max(window.row_off, whole.row_off)
    return Window(
        col,
        row,
        min(window.col_end, whole.col_end) - col,
        min(window.row_end, whole.row_end) - row,
    )


def _merged(parts: list[_Part]) -> list[_Part]:
    """Parts of one class that share an edge between tiles, joined."""
    from scipy.sparse import coo_array  # slow to import, seldom needed
    from scipy.sparse.csgraph import connected_components

    if not parts:
        return []
    outlines = np.array([part.outline for part in parts])
    kinds = np.array([part.kind for part in parts])
    first, second = shapely.STRtree(outlines).query(outlines, predicate="touches")
    same = (first < second) & (kinds[first] == kinds[second])
    first, second = first[same], second[same]
    shared = shapely.length(shapely.intersection(outlines[first], outlines[second]))
    first, second = first[shared > 0], second[shared > 0]
    edges = coo_array((np.ones(len(first)), (first, second)), (len(parts),) * 2)
    count, group = connected_components(edges, directed=False)
    of_group: list[list[_Part]] = [[] for _ in range(count)]
    for part, number in zip(parts, group, strict=True):
        of_group[number].append(part)
    return [_joined(some) for some in of_group]


def _joined(parts: list[_Part]) -> _Part:
    """One part of several."""
    if len(parts) == 1:
        return parts[0]
    pixels = sum(part.pixels for part in parts)
    whole = np.array([shapely.union_all([part.outline for part in parts])])
    return _Part(
        kind=parts[0].kind,
        outline=tidied(whole)[0],
        pixels=pixels,
        level_mean=sum(part.level_mean * part.pixels for part in parts) / pixels,
        level_max=max(part.level_max for part in parts),
        sums=np.sum([part.sums for part in parts], axis=0),
    )
