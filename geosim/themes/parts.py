"""Objects that hold several classes of change, cut into parts of one class each.

A river that moves gains water on one side and loses it on the other, and the two touch:
one object of the change map, two answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import label, uniform_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

_METRES = 12.0
"""Side on the ground of the window in which the most frequent class wins: a house with
its garden, a road with its verge."""

_SIDES = 5, 41
"""Its smallest and largest side in pixels."""


def window_side(metres: float | None) -> int:
    """Side in pixels, odd, of the window in which the most frequent class wins.

    Args:
        metres: size of a pixel on the ground; None: not known, the smallest window.
    """
    if metres is None:
        return _SIDES[0]
    return int(np.clip(round(_METRES / metres) // 2 * 2 + 1, *_SIDES))


def split(
    classes: NDArray[np.integer[Any]],
    sure: NDArray[np.floating[Any]],
    mask: NDArray[np.bool_],
    least: float,
    side: int,
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Cut an object into connected parts of one class.

    A part has a class of its own where that class is expected on the smallest area: the
    sum of how sure its pixels are of it, which is the expected number of pixels of the
    class, reaches `least`. So a small part has to be sure, a large one may be less so.
    Other parts go to the nearest that has, by way of the object; where none has, the
    object stays whole and has the class that is expected on most of it.

    Args:
        classes: (height, width) class of each pixel, from 0.
        sure: (height, width) how sure a pixel is of its class, 0..1.
        mask: (height, width), True in the object.
        least: smallest expected area in pixels; that of the window where it is larger.
        side: of the window in which the most frequent class wins.
        weights: (classes,) how much a pixel of a class counts there.

    Returns:
        (height, width) number of the part from 1, 0 outside; and the class of each
        part, part 1 first.
    """
    smooth = _majority(classes, mask, side, weights)
    parts, of_part = connected(smooth, mask)
    own = mask & (classes == smooth)
    expected = np.bincount(parts[own], sure[own], len(of_part) + 1)[1:]
    large = np.flatnonzero(expected >= max(least, side**2))
    if len(large) == 0:
        of_class = np.bincount(of_part, expected)
        top = of_part[of_class[of_part].argmax()]
        return mask.astype(np.int32), np.array([top])
    if len(large) < len(of_part):
        grown = _grown(np.where(np.isin(parts, large + 1), parts, 0), mask)
        smooth = np.where(grown > 0, of_part[grown - 1], smooth)
        parts, of_part = connected(smooth, mask)
    return parts, of_part


def _grown(parts: NDArray[np.int32], mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Parts spread into what is 0 of the object, step by step to the 4 neighbours.

    Not to the nearest as the crow flies: what lies past a corner of the object would
    be cut off again.
    """
    padded = np.pad(np.where(mask, parts, -1), 1, constant_values=-1)
    grown, wide = padded.ravel(), padded.shape[1]
    front = np.flatnonzero(grown > 0)
    while len(front):
        reached = []
        for step in (-1, 1, -wide, wide):
            place = front + step
            place = place[grown[place] == 0]
            grown[place] = grown[place - step]
            reached.append(place)
        front = np.concatenate(reached)
    spread: NDArray[np.int32] = np.maximum(padded[1:-1, 1:-1], 0)
    return spread


def _majority(
    classes: NDArray[np.integer[Any]],
    mask: NDArray[np.bool_],
    side: int,
    weights: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The most frequent class around each pixel, within the object."""
    best = np.full(classes.shape, -1.0, np.float32)
    winner = np.zeros(classes.shape, np.int64)
    for kind in np.unique(classes[mask]):
        here = ((classes == kind) & mask) * np.float32(weights[kind])
        share = uniform_filter(here, side, mode="constant")
        more = share > best
        best[more], winner[more] = share[more], kind
    return winner


def connected(
    classes: NDArray[np.int64], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Connected pieces of one class each (4 neighbours).

    Args:
        classes: (height, width).
        mask: (height, width), True in the object.

    Returns:
        (height, width) number of the piece from 1, 0 outside; and the class of each
        piece, piece 1 first.
    """
    parts = np.zeros(classes.shape, np.int32)
    of_part: list[int] = []
    for kind in np.unique(classes[mask]):
        pieces, count = label((classes == kind) & mask)
        parts += np.where(pieces > 0, pieces + len(of_part), 0).astype(np.int32)
        of_part += [int(kind)] * count
    return parts, np.array(of_part, np.int64)
