"""Objects of the second pass cut into parts of one class, where they hold several."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geosim.change.vectorize import Outlines, pixels_of
from geosim.classifying import CONFIDENCE_LEVELS
from geosim.raster.grid import Window
from geosim.themes.classes import CLASSES, COVERS
from geosim.themes.parts import split, window_side
from geosim.themes.transitions import UNCHANGED_WEIGHT, classes_of, pair_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.change.objects import Objects
    from geosim.classifying import Classifier
    from geosim.raster.writer import WorkRaster
    from geosim.themes.transitions import ObjectClasses

_LARGEST = 16_000_000
"""Pixels of the rectangle around an object beyond which it stays whole: what is worked
on at a time bounds the memory."""

_PAIRS = len(COVERS) ** 2


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One row of the new table."""

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
) -> tuple[list[shapely.Polygon], Objects, ObjectClasses]:
    """Cut the mixed objects; the others stay as they are.

    The pixels of all objects together stay the same.

    Args:
        outlines: of the objects in (col, row), object 1 first.
        objects: the objects.
        classifier: has seen all of them.
        levels: holds the probability levels in its first band.
        least: smallest expected area of a part's class in pixels.

    Returns:
        Outlines, objects and their classes, the largest first.
    """
    side = window_side(classifier.metres)
    mixed = _mixed(classifier, max(least, side**2))
    parts = []
    for place, outline in enumerate(outlines):
        pixels = int(objects.pixels[place])
        if mixed[place]:
            found = _parts(outline, classifier, levels, least, side)
            parts += found
            if found:
                continue
        parts.append(
            _Part(
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


def _parts(
    outline: shapely.Polygon,
    classifier: Classifier,
    levels: WorkRaster,
    least: float,
    side: int,
) -> list[_Part]:
    """The parts of an object; none where it stays whole."""
    left, top, right, bottom = (math.floor(value) for value in outline.bounds)
    window = Window(left, top, right - left, bottom - top)
    if window.width * window.height > _LARGEST:
        return []
    codes = classifier.pairs.read(window, 1)
    mask = pixels_of(outline, codes > 0, left, top)
    pair = np.maximum(codes.astype(np.intp) - 1, 0)
    weights = np.ones(len(CLASSES))
    if side > window_side(None):
        # a garden between houses did not change, yet belongs to what was built
        weights[tuple(CLASSES).index("other")] = UNCHANGED_WEIGHT
    classes = pair_classes(classifier.theme)[pair]
    sure = classifier.pairs.read(window, 2) / np.float32(CONFIDENCE_LEVELS)
    numbers, of_part = split(classes, sure, mask, least, side, weights)
    if len(of_part) < 2:  # noqa: PLR2004
        return []
    return list(_table(window, numbers, pair, classifier, levels))


def _table(
    window: Window,
    numbers: NDArray[np.int32],
    pair: NDArray[np.intp],
    classifier: Classifier,
    levels: WorkRaster,
) -> Iterator[_Part]:
    """What is known of each part."""
    inside = numbers > 0
    number, count = numbers[inside] - 1, int(numbers.max())
    level = levels.read(window, 1)[inside]
    sure = classifier.pairs.read(window, 2)[inside] / CONFIDENCE_LEVELS
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
            outline=shapely.transform(outline, lambda xy: xy + origin),
            pixels=int(pixels[place]),
            level_mean=float(means[place]),
            level_max=int(largest[place]),
            sums=sums[place],
        )
