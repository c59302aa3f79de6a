"""Sums over sliding windows: boxes and Gaussians, in float32, strip by strip.

Whole slices are added to each other, shifted, instead of walking from pixel to pixel:
that is several times faster than `scipy.ndimage`, to the same numbers but for rounding.
Strips of rows keep what is added in the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Float = NDArray[np.float32]

STRIP_PIXELS = 1 << 16
"""Pixels of a strip, about: some ten maps of it are used at a time."""

_LEAST_ROWS = 16
"""Rows of a strip at least: what is read around it is read twice."""


def strips_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of the strips of an image of (height, width), from the top."""
    height, width = shape
    rows = max(STRIP_PIXELS // max(width, 1), _LEAST_ROWS)
    for row in range(0, height, rows):
        yield slice(row, min(row + rows, height))


def surrounded(image: NDArray[np.generic], rows: slice, reach: int) -> Float:
    """Rows of an image with `reach` more pixels on each side, 0 beyond its edges.

    Args:
        image: (height, width), any number type.
        rows: which ones, from and to within the image.
        reach: pixels added on all four sides.

    Returns:
        (rows + 2 * reach, width + 2 * reach) float32, a copy.
    """
    height, width = image.shape
    top, bottom = max(rows.start - reach, 0), min(rows.stop + reach, height)
    first = top - (rows.start - reach)
    out = np.zeros((rows.stop - rows.start + 2 * reach, width + 2 * reach), np.float32)
    out[first : first + bottom - top, reach : reach + width] = image[top:bottom]
    return out


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
