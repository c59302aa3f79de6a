"""Sums over sliding windows: boxes and Gaussians, in float32, part by part.

Whole slices are added to each other, shifted, instead of walking from pixel to pixel:
that is several times faster than `scipy.ndimage`, to the same numbers but for rounding.
Small parts keep what is added in the processor's cache.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Float = NDArray[np.float32]
    Part = tuple[slice, slice]

PART_SIDES = 128, 256
"""Rows and columns of a part, about: some ten maps of it are used at a time, and what
lies around it, some tens of pixels, is computed twice."""


STRIP_PIXELS = 1 << 16
"""Pixels of a strip, about, where nothing around it is needed."""


def strips_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of the strips of an array of (height, ...), from the top."""
    height, *others = shape
    rows = max(STRIP_PIXELS // max(math.prod(others), 1), 1)
    for row in range(0, height, rows):
        yield slice(row, min(row + rows, height))


def whole(shape: tuple[int, ...]) -> Part:
    """All rows and columns of an image of (height, width)."""
    return slice(0, shape[0]), slice(0, shape[1])


def grown(part: Part, reach: int, shape: tuple[int, ...]) -> Part:
    """A part with `reach` more pixels on each side, as far as the image goes."""
    rows, cols = (
        slice(max(one.start, 0), min(one.stop, length))
        for one, length in zip(_around(part, reach), shape, strict=True)
    )
    return rows, cols


def inside(part: Part, outer: Part) -> Part:
    """A part's rows and columns as they are counted within a larger part."""
    rows, cols = (
        slice(one.start - other.start, one.stop - other.start)
        for one, other in zip(part, outer, strict=True)
    )
    return rows, cols


def parts_of(where: Part) -> Iterator[Part]:
    """Rows and columns of parts that cover a part of an image once."""
    rows, cols = (
        list(_cut(one, side)) for one, side in zip(where, PART_SIDES, strict=True)
    )
    for some in rows:
        for others in cols:
            yield some, others


def _cut(where: slice, side: int) -> Iterator[slice]:
    """A side cut into pieces of one length, about; the last one may be shorter."""
    length = where.stop - where.start
    step = -(-length // max(round(length / side), 1))
    for start in range(where.start, where.stop, max(step, 1)):
        yield slice(start, min(start + step, where.stop))


def surrounded(image: NDArray[np.generic], part: Part, reach: int) -> Float:
    """A part of an image with `reach` more pixels on each side, 0 beyond its edges.

    Args:
        image: (height, width), any number type.
        part: rows and columns, from and to within the image.
        reach: pixels added on all four sides.

    Returns:
        (rows + 2 * reach, columns + 2 * reach) float32, a copy.
    """
    around, held = _around(part, reach), grown(part, reach, image.shape)
    high, wide = (one.stop - one.start for one in around)
    out = np.zeros((high, wide), np.float32)
    out[inside(held, around)] = image[held]
    return out


def all_around(mask: NDArray[np.bool_], part: Part, reach: int) -> bool:
    """True where a part and `reach` more pixels on each side are in `mask`."""
    around = _around(part, reach)
    return grown(part, reach, mask.shape) == around and bool(mask[around].all())


def _around(part: Part, reach: int) -> Part:
    """Rows and columns with `reach` more on each side, perhaps beyond the image."""
    rows, cols = (slice(one.start - reach, one.stop + reach) for one in part)
    return rows, cols


def box_sum(values: Float, radius: int) -> Float:
    """Sum over the square of 2 * radius + 1 px around each pixel that has all of it.

    Args:
        values: (height, width).
        radius: in pixels.

    Returns:
        (height - 2 * radius, width - 2 * radius) float32.
    """
    return _run(_run(values.T, 2 * radius + 1).T, 2 * radius + 1)


def _run(values: Float, length: int) -> Float:
    """Sums of `length` neighbours along the columns, by sums of 1, 2, 4, ... of them.

    (height, width) becomes (height, width - length + 1).
    """
    count = values.shape[1] - length + 1
    part, size, done = values, 1, 0
    total: Float | None = None
    while True:
        if length & size:
            piece = part[:, done : done + count]
            done += size
            if total is None:
                total = piece
            elif size == 1 << (length.bit_length() - 1):
                return total + piece
            else:
                total = total + piece
        if done == length:
            return np.array(total)
        part = part[:, :-size] + part[:, size:]
        size *= 2


def weighted_sum(values: Float, kernel: Float) -> Float:
    """Sum with a separable, symmetric kernel around each pixel that has all of it.

    Args:
        values: (height, width).
        kernel: (radius + 1,) weights of the middle and of the neighbours to each side.

    Returns:
        (height - 2 * radius, width - 2 * radius) float32.
    """
    return _weighted(_weighted(values.T, kernel).T, kernel)


def _weighted(values: Float, kernel: Float) -> Float:
    """The same along the columns alone."""
    radius = len(kernel) - 1
    count = values.shape[1] - 2 * radius
    total: Float = values[:, radius : radius + count] * kernel[0]
    both = np.empty_like(total)
    for step, weight in enumerate(kernel[1:], start=1):
        left, right = radius - step, radius + step
        np.add(values[:, left : left + count], values[:, right : right + count], both)
        both *= weight
        total += both
    return total
