"""Values for pixels that have none, for filters to tell nothing strange beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def without_gaps(
    values: NDArray[np.float32], valid: NDArray[np.bool_], reach: int | None = None
) -> NDArray[np.float32]:
    """Values in which pixels that are not valid have those of a valid one close by.

    That is the nearest one of their row, or else that of their column so filled. What a
    file holds there is its nodata value, -9999, -3.4e38 or NaN, and any filter would
    carry that into its surroundings, NaN even along whole rows.

    Args:
        values: (bands, height, width).
        valid: (height, width).
        reach: columns, and then rows, that lie close by: a filter that reaches as far
            meets nothing else beside a valid pixel, and a block whose margin is wider
            by as much tells what the whole would. None: however far.

    Returns:
        As `values`, which it is where all is valid; 0 where nothing is close by.
    """
    if valid.all():
        return values
    filled, known = values.copy(), valid.copy()
    ragged = np.flatnonzero(~valid.all(axis=1))
    cols, known[ragged] = _nearest(valid[ragged], reach)
    filled[:, ragged] = np.take_along_axis(values[:, ragged], cols[None], axis=2)
    if known.all():
        return filled
    ragged = np.flatnonzero(~known.all(axis=0))
    rows, seen = _nearest(known[:, ragged].T, reach)
    part = np.take_along_axis(filled[:, :, ragged], rows.T[None], axis=1)
    filled[:, :, ragged] = np.where(seen.T, part, np.float32(0))
    return filled


def _nearest(
    valid: NDArray[np.bool_], reach: int | None
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Place of the nearest valid column and whether it is close, each (rows, width)."""
    width = valid.shape[1]
    far = width if reach is None else min(reach + 1, width)
    place = np.arange(width)
    left = np.maximum.accumulate(np.where(valid, place, -width), axis=1)
    right = np.where(valid, place, 2 * width)[:, ::-1]
    right = np.minimum.accumulate(right, axis=1)[:, ::-1]
    nearest: NDArray[np.intp] = np.where(place - left <= right - place, left, right)
    return np.clip(nearest, 0, width - 1), np.abs(nearest - place) < far
