"""Connected objects of a mask that arrives strip by strip.

Two passes over full-width strips: the first labels each strip and notes which labels
touch across the seam, the second writes the objects that are large enough. Memory grows
with the number of objects, not with the raster. Pixels are connected by their edges (4
neighbours), so that outlines are valid polygons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Objects:
    """All objects of a scene, and where each strip's labels belong."""

    offsets: tuple[int, ...]
    """Global number of each strip's label 1, per strip."""
    object_of: NDArray[np.int64]
    """(labels,) number of the object, from 1, that a global label belongs to; 0 for
    those dropped as too small."""
    pixels: NDArray[np.int64]
    """(objects,) pixels of each kept object; object 1 first."""
    probability_mean: NDArray[np.float64]
    """(objects,) in levels of the probability raster."""
    probability_max: NDArray[np.int64]
    """(objects,) largest level."""

    def numbers(self, strip: int, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Object numbers (from 1; 0 elsewhere) of a strip, given its mask again."""
        labels, count = _labelled(mask)
        of_label = np.zeros(count + 1, np.int32)
        start = self.offsets[strip]
        of_label[1:] = self.object_of[start : start + count]
        numbers: NDArray[np.int32] = of_label[labels]
        return numbers


class ObjectFinder:
    """First pass: give it the strips from the top, then call `finish`."""

    def __init__(self) -> None:
        self._offsets: list[int] = []
        self._next = 0
        self._above: NDArray[np.int64] | None = None
        self._seams: list[NDArray[np.int64]] = []
        self._pixels: list[NDArray[np.int64]] = []
        self._areas: list[NDArray[np.float64]] = []
        self._level_sums: list[NDArray[np.float64]] = []
        self._level_max: list[NDArray[np.int64]] = []

    def add(
        self,
        mask: NDArray[np.bool_],
        levels: NDArray[np.uint8],
        areas: NDArray[np.float64],
    ) -> None:
        """Take in the next strip.

        Args:
            mask: (rows, width), True where changed.
            levels: (rows, width), probability levels.
            areas: of the pixels, (rows, width), or (rows, 1) where those of a row are
                one.
        """
        self._offsets.append(self._next)
        if not mask.any():
            self._above = None
            return
        labels, count = _labelled(mask)
        here = np.where(labels > 0, labels.astype(np.int64) + self._next, 0)
        if self._above is not None:
            touching = (self._above > 0) & (here[0] > 0)
            pairs = np.stack([self._above[touching], here[0][touching]])
            self._seams.append(np.unique(pairs, axis=1))
        self._above = here[-1]
        self._next += count
        inside = labels[mask]
        weight = np.broadcast_to(areas, mask.shape)[mask]
        held = levels[mask]
        minlength = count + 1
        self._pixels.append(np.bincount(inside, minlength=minlength)[1:])
        self._areas.append(_sums(inside, weight, minlength)[1:])
        self._level_sums.append(_sums(inside, held, minlength)[1:])
        largest = np.zeros(minlength, np.int64)
        np.maximum.at(largest, inside, held)
        self._level_max.append(largest[1:])

    def finish(self, *, min_pixels: int, min_area: float) -> Objects:
        """Join across seams, drop what is too small, number the rest.

        Objects are numbered from the largest number of pixels downwards; equals in
        reading order of their first strip's labels.

        Args:
            min_pixels: smallest object in pixels.
            min_area: smallest object in the unit of the areas.
        """
        count = self._next
        root = self._roots(count)
        groups = int(root.max()) + 1 if count else 0
        pixels = _sum_by(root, self._pixels, groups).astype(np.int64)
        areas = _sum_by(root, self._areas, groups)
        level_sums = _sum_by(root, self._level_sums, groups)
        level_max = np.zeros(groups, np.int64)
        if count:
            np.maximum.at(level_max, root, np.concatenate(self._level_max))
        kept = np.flatnonzero((pixels >= min_pixels) & (areas >= min_area))
        first = np.full(groups, count)
        np.minimum.at(first, root, np.arange(count))
        kept = kept[np.lexsort((first[kept], -pixels[kept]))]
        number = np.zeros(groups, np.int64)
        number[kept] = np.arange(1, len(kept) + 1)
        return Objects(
            offsets=tuple(self._offsets),
            object_of=number[root] if count else np.zeros(0, np.int64),
            pixels=pixels[kept],
            probability_mean=level_sums[kept] / np.maximum(pixels[kept], 1),
            probability_max=level_max[kept],
        )

    def _roots(self, count: int) -> NDArray[np.int64]:
        """Group of each global label, shape (labels,)."""
        if not self._seams:
            return np.arange(count)
        return _joined(count, np.concatenate(self._seams, axis=1) - 1)


def _joined(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of what pairs connect, numbered by their first members.

    Labels take the least one beside them until nothing changes; scipy's graphs do the
    same, but take longer to import than a small raster takes to be compared.

    Args:
        count: labels, 0..count-1.
        pairs: (2, n) of labels that belong together.

    Returns:
        (count,) number of the group of each label.
    """
    root = np.arange(count)
    while (root[pairs[0]] != root[pairs[1]]).any():
        ends = root[pairs]
        for end in ends:
            np.minimum.at(root, end, ends.min(axis=0))
        while (root[root] != root).any():
            root = root[root]
    groups: NDArray[np.int64]
    _, groups = np.unique(root, return_inverse=True)
    return groups


def _sum_by(
    root: NDArray[np.int64],
    parts: list[NDArray[np.float64]] | list[NDArray[np.int64]],
    groups: int,
) -> NDArray[np.float64]:
    """Sum of the strips' values per group."""
    if not len(root):
        return np.zeros(groups)
    return _sums(root, np.concatenate(parts), groups)


def _sums(
    group: NDArray[np.integer[Any]], values: NDArray[Any], count: int
) -> NDArray[np.float64]:
    """Sum of the values of each group 0..count-1."""
    return np.bincount(group, values, count).astype(np.float64)


def _labelled(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Numbers of connected pixels, from 1, and how many there are."""
    from scipy.ndimage import label  # slow to import; `preparing` loads it meanwhile

    labels: NDArray[np.int32]
    labels, count = label(mask)
    return labels, count
