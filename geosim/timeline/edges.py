"""Where a change ends: at half of its height."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 5.0
"""Sigma in pixels of the surroundings whose change a pixel's own is compared with."""

MARGIN = 24
"""Pixels around a block that its result depends on, the reach of a candidate aside."""

HOLE = 16
"""Pixels of the largest hole that is filled; less across than `MARGIN`, so that no answer
depends on blocks."""

_HALF = 0.5
_FADED = 1e-6


def at_least_half(
    change: NDArray[np.float32], begun: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Pixels whose change is at least half of what the strong pixels around show.

    A pixel on the edge of a clearing is partly forest, and the lens mixes more of it in;
    counted whole wherever a change is significant, an area would grow by most of a pixel
    all around. At half height what is counted too much and too little is the same.

    Args:
        change: (bands, height, width), state after less state before, in units of noise.
        begun: (height, width), True where a new state begins.
    """
    squares = (change**2).sum(axis=0) * begun
    around = gaussian_filter(squares, REACH, truncate=3.0)
    strong = np.stack(
        [gaussian_filter(band * squares, REACH, truncate=3.0) for band in change]
    ) / np.maximum(around, _FADED)
    along = (strong * change).sum(axis=0)
    half: NDArray[np.bool_] = begun & (along >= _HALF * (strong**2).sum(axis=0))
    return half


def small_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of the mask that are too small to mean anything: a roof as bright as grass.

    Args:
        mask: (height, width); a hole at its edge may be larger and is none.
    """
    holes, count = label(~mask)
    size = np.bincount(holes.ravel(), minlength=count + 1)
    small = size <= HOLE
    small[0] = False
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        small[side] = False
    found: NDArray[np.bool_] = small[holes]
    return found


def within(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    """The mask and all that is at most so many pixels away from it."""
    if not mask.any():
        return mask
    near: NDArray[np.bool_] = distance_transform_edt(~mask) <= pixels
    return near
