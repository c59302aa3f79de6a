"""Where a change ends: at half of its height."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from geosim.windows import filtered, gaussian_kernel, weighted_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 5.0
"""Sigma in pixels of the surroundings whose change a pixel's own is compared with."""

_TRUNCATE = 4.0
"""The surroundings end at this many sigma."""

MARGIN = 32
"""Pixels around a block that its result depends on, the reach of a candidate aside."""

HOLE = 16
"""Pixels of the largest hole that is filled; less across than `MARGIN`, so that no
answer depends on blocks."""

_HALF = 0.5
_CORE = 1.5
"""Pixels from its edge from which on a change is whole."""
_COARSE = 1e-6
"""Weight of a pixel without a core around by the square of its change, over that of one
in a core. A constant, so that no pixel depends on what else lies in its block."""
_FAINT = 0.25
_EDGE = 3.5
"""Pixels from the edge of a change that lens and mixture reach, with some to spare."""


def at_least_half(
    change: NDArray[np.float32],
    begun: NDArray[np.bool_],
    kinds: NDArray[np.integer[Any]] | None = None,
) -> NDArray[np.bool_]:
    """Pixels whose change is at least half of what the strong pixels around show.

    A pixel on the edge of a clearing is partly forest, and the lens mixes more of it
    in; counted whole wherever a change is significant, an area would grow by most of a
    pixel all around. At half height what is counted too much and too little is equal.

    Args:
        change: (bands, height, width), state after less state before, in units of
            noise.
        begun: (height, width), True where a new state begins.
        kinds: (height, width), class of each change: each is compared with its own, a
            bank that grows not with the bank that is lost beside it; what is faint
            beside any other is none of its own. None: one class.
    """
    squares = (change**2).sum(axis=0)
    half = np.zeros(begun.shape, np.bool_)
    if kinds is None:
        kinds = np.zeros(begun.shape, np.uint8)
    for kind in np.unique(kinds[begun]):
        own = begun & (kinds == kind)
        strong = _strong(change, _weight(squares, own), own)
        along = (strong * change).sum(axis=0)
        half |= own & (along >= _HALF * (strong**2).sum(axis=0))
    # where all around changed there is no edge: a dark roof among bright ones
    half |= eroded(begun, _EDGE)
    height = np.sqrt(squares) * begun
    usual = _strong(height[None], squares * begun, begun)[0]
    half &= height >= _FAINT * usual
    return half


def _weight(
    squares: NDArray[np.float32], own: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What shows a change at its full height: its core, else the strongest."""
    inside = eroded(own, _CORE)
    weight: NDArray[np.float32] = inside + np.float32(_COARSE) * squares * own
    return weight


def _strong(
    values: NDArray[np.float32],
    weight: NDArray[np.float32],
    wanted: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Mean of the surroundings, in which what is strong has the most weight."""
    reach = int(_TRUNCATE * REACH + 0.5)
    kernel = gaussian_kernel(REACH, reach)

    def around(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return filtered(image, reach, lambda part: weighted_sum(part, kernel), wanted)

    total = around(weight)
    mean: NDArray[np.float32] = np.stack([around(one * weight) for one in values])
    mean /= np.where(total > 0, total, np.float32(1.0))
    return mean


def eroded(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    """Pixels of a mask that lie more than so many pixels from all that is not in it.

    Args:
        mask: (height, width); beyond its edge nothing is known to be outside of it.
        pixels: distance between middles of pixels.
    """
    reach = math.floor(pixels)
    held, out = np.pad(mask, reach, constant_values=True), mask.copy()
    height, width = mask.shape
    for row in range(-reach, reach + 1):
        across = math.isqrt(math.floor(pixels**2 - row**2))
        rows = held[reach + row : reach + row + height]
        for col in range(-across, across + 1):
            out &= rows[:, reach + col : reach + col + width]
    return out


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
