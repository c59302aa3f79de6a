"""Sums and minima over sliding windows, in float32, part by part.

Whole parts are added to each other, shifted, instead of walking from pixel to pixel, to
`scipy.ndimage`'s numbers but for rounding: boxes take half of its time, minima a sixth,
wide Gaussians as long, which are here for parts to be left out.
Small parts keep what is added in the processor's cache; as long lines without gaps
numpy adds them half as fast again as row by row.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def filtered(
    image: NDArray[Any],
    reach: int,
    of_part: Callable[[Float], Float],
    wanted: NDArray[np.bool_] | None = None,
) -> Float:
    """A filter around each pixel, mirrored beyond the image's edge, as `scipy.ndimage`.

    Args:
        image: (height, width), any number type.
        reach: pixels on each side that a value depends on.
        of_part: `box_sum`, `weighted_sum` or `box_minimum` with that reach.
        wanted: (height, width), where the values are wanted; parts of the image
            without any are left out. None: everywhere.

    Returns:
        (height, width) float32; 0 in parts where nothing is wanted.
    """
    mirrored = np.pad(image.astype(np.float32, copy=False), reach, mode="symmetric")
    out = np.zeros(image.shape, np.float32)
    for part in parts_of(whole(image.shape)):
        if wanted is None or wanted[part].any():
            around = tuple(slice(one.start, one.stop + 2 * reach) for one in part)
            out[part] = of_part(mirrored[around])
    return out


def gaussian_kernel(sigma: float, reach: int) -> Float:
    """Weights (reach + 1,) of the middle and one side; those of both sides sum to 1."""
    steps = np.arange(reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights[0] + 2.0 * weights[1:].sum()
    return weights.astype(np.float32)


def box_sum(values: Float, radius: int) -> Float:
    """Sum over the square of 2 * radius + 1 px around each pixel that has all of it.

    Args:
        values: (height, width).
        radius: in pixels.

    Returns:
        (height - 2 * radius, width - 2 * radius) float32.
    """
    return narrow(wide_box_sum(values, radius), radius)


def box_minimum(values: Float, radius: int) -> Float:
    """The smallest value in the square around each pixel, sizes as of `box_sum`."""
    columns = _smallest(values, 2 * radius + 1)
    return _smallest(columns.T, 2 * radius + 1).T


def _smallest(values: Float, length: int) -> Float:
    """The smallest of `length` neighbours in a column, by smallest of 1, 2, 4, ..."""
    size = 1
    while size < length:
        step = min(size, length - size)
        values = np.minimum(values[:-step], values[step:])
        size += step
    return values


def wide_box_sum(values: Float, radius: int) -> Float:
    """`box_sum` with 2 * radius more columns on the right, which mean nothing.

    An image with all of its columns is one long line: neighbours in a column lie a
    width apart in it, and the last pixels of a row are followed by the first ones of
    the next row, whose sum is what means nothing.

    Returns:
        (height - 2 * radius, width) float32.
    """
    length = 2 * radius + 1
    line, wide = _as_line(values, radius)
    _run(_run(line, length, values.shape[1]), length, 1, wide.reshape(-1))
    return wide


def weighted_sum(values: Float, kernel: Float) -> Float:
    """Sum with a separable, symmetric kernel around each pixel that has all of it.

    Args:
        values: (height, width).
        kernel: (radius + 1,) weights of the middle and of the neighbours to each side.

    Returns:
        (height - 2 * radius, width - 2 * radius) float32.
    """
    line, wide = _as_line(values, len(kernel) - 1)
    _weighted(_weighted(line, kernel, values.shape[1]), kernel, 1, wide.reshape(-1))
    return narrow(wide, len(kernel) - 1)


def narrow(wide: Float, radius: int) -> Float:
    """A wide sum without the columns that mean nothing, a view."""
    return wide[:, : wide.shape[1] - 2 * radius]


def wide_middle(values: Float, radius: int) -> Float:
    """The pixels in whose middle `wide_box_sum` adds up, as wide as it, a view.

    Args:
        values: (height, width), C-contiguous.
        radius: in pixels.

    Returns:
        (height - 2 * radius, width); the last 2 * radius columns mean nothing.
    """
    height, width = values.shape
    first, rows = radius * width + radius, height - 2 * radius
    return values.reshape(-1)[first : first + rows * width].reshape(rows, width)


def _as_line(values: Float, radius: int) -> tuple[Float, Float]:
    """An image as one line, and a place for its wide sum."""
    rows, width = values.shape[0] - 2 * radius, values.shape[1]
    wide = np.empty((rows, width), np.float32)
    wide[-1, width - 2 * radius :] = 0.0  # the only ones that nothing is written to
    return np.ascontiguousarray(values).reshape(-1), wide


def _run(line: Float, length: int, step: int, out: Float | None = None) -> Float:
    """Sums of `length` neighbours `step` apart, by sums of 1, 2, 4, ... of them.

    (pixels,) becomes (pixels - (length - 1) * step,), the beginning of `out`.
    """
    count = len(line) - (length - 1) * step
    out = np.empty(count, np.float32) if out is None else out[:count]
    part, size, done = line, 1, 0
    total: Float | None = None
    while True:
        if length & size:
            piece = part[done * step :][:count]
            done += size
            total = piece if total is None else np.add(total, piece, out)
        if done == length:
            break
        part = part[: -size * step] + part[size * step :]
        size *= 2
    if total is not out:
        out[:] = total
    return out


def _weighted(line: Float, kernel: Float, step: int, out: Float | None = None) -> Float:
    """Weighted sums of neighbours `step` apart, the beginning of `out`."""
    radius = len(kernel) - 1
    count = len(line) - 2 * radius * step
    total = np.empty(count, np.float32) if out is None else out[:count]
    np.multiply(line[radius * step :][:count], kernel[0], total)
    both = np.empty_like(total)
    for apart, weight in enumerate(kernel[1:], start=1):
        left, right = (radius - apart) * step, (radius + apart) * step
        np.add(line[left:][:count], line[right:][:count], both)
        both *= weight
        total += both
    return total
