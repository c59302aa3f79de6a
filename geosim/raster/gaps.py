"""Values for pixels that have none, for filters to tell nothing strange beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def without_gaps(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Values in which pixels that are not valid have those of a valid one close by.

    That is the nearest one of their row, or of the nearest row that has any. What a
    file holds there is its nodata value, -9999, -3.4e38 or NaN, and any filter would
    carry that into its surroundings, NaN even along whole rows.

    Args:
        values: (bands, height, width).
        valid: (height, width).

    Returns:
        As `values`, which it is where all is valid; 0 where nothing is.
    """
    if valid.all():
        return values
    seen: NDArray[np.bool_] = np.any(valid, axis=1)
    if not seen.any():
        return np.zeros_like(values)
    filled, ragged = values.copy(), np.flatnonzero(seen & ~np.all(valid, axis=1))
    cols = _nearest(valid[ragged])
    filled[:, ragged] = np.take_along_axis(values[:, ragged], cols[None], axis=2)
    return filled if seen.all() else filled[:, _nearest(seen[None])[0]]


def _nearest(valid: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Place of the nearest valid column, (rows, width); every row has one."""
    width = valid.shape[1]
    place = np.arange(width)
    left = np.maximum.accumulate(np.where(valid, place, -width), axis=1)
    right = np.where(valid, place, 2 * width)[:, ::-1]
    right = np.minimum.accumulate(right, axis=1)[:, ::-1]
    nearest: NDArray[np.intp] = np.where(place - left <= right - place, left, right)
    return nearest
