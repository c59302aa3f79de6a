"""How well a decision agrees with a truth: pixels, objects, boundaries, curves.

Pixels are measured on confusion matrices (..., 2, 2), truth by decision, and on counts
(..., 2, levels) as in `geosim.change.accuracy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, label

from geosim.change.accuracy import from_above, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.change.accuracy import Counts

    Floats = NDArray[np.float64]

OBJECT_IOU = 0.5
"""Overlap over union from which an object counts as found."""

NOTHING, MISSED, MET = 0, 1, 2
"""Flags of pixels: stands for nothing; for an object or boundary that is missed; that
is met."""


def precision(confusion: Counts) -> Floats:
    """Of what is flagged the share that changed, (...), NaN where nothing is."""
    found = np.asarray(confusion, np.float64)
    return ratio(found[..., 1, 1], found[..., :, 1].sum(axis=-1))


def recall(confusion: Counts) -> Floats:
    """Of what changed the share that is flagged, (...), NaN where nothing changed."""
    found = np.asarray(confusion, np.float64)
    return ratio(found[..., 1, 1], found[..., 1, :].sum(axis=-1))


def iou(confusion: Counts) -> Floats:
    """Intersection of truth and decision over their union, (...), of the changed class.

    NaN where nothing changed and nothing is flagged.
    """
    found = np.asarray(confusion, np.float64)
    union = found.sum(axis=(-1, -2)) - found[..., 0, 0]
    return ratio(found[..., 1, 1], union)


def kappa(confusion: Counts) -> Floats:
    """Cohen's kappa (1960), (...): agreement beyond that of chance, at most 1.

    NaN where truth and decision both know one class only.
    """
    found = np.asarray(confusion, np.float64)
    total = found.sum(axis=(-1, -2))
    agreed = np.trace(found, axis1=-2, axis2=-1)
    chance = (found.sum(axis=-1) * found.sum(axis=-2)).sum(axis=-1)
    return ratio(agreed * total - chance, total**2 - chance)


def precision_recall_curve(counts: Counts) -> tuple[Floats, Floats]:
    """(recall, precision) of flagging from each level on, the highest level first.

    Args:
        counts: (2, levels), with any changed pixel.

    Returns:
        Two (points,): only the levels from which anything is flagged.
    """
    true, flagged = from_above(counts)
    some = flagged > 0
    return true[some] / true[-1], true[some] / flagged[some]


def roc_curve(counts: Counts) -> tuple[Floats, Floats]:
    """(false alarm rate, recall) of flagging from each level on, from (0, 0) to (1, 1).

    Args:
        counts: (2, levels), with changed and unchanged pixels.

    Returns:
        Two (levels + 1,).
    """
    true, flagged = from_above(counts)
    false = flagged - true
    start = np.zeros(1)
    return (
        np.concatenate([start, false / false[-1]]),
        np.concatenate([start, true / true[-1]]),
    )


def object_flags(
    objects: NDArray[np.bool_], others: NDArray[np.bool_], least: float = OBJECT_IOU
) -> NDArray[np.uint8]:
    """Mark one pixel of each object as met or missed.

    Objects are connected by edges. One is met where an object of the other mask has an
    intersection over union of at least `least` with it.

    Args:
        objects: (height, width), whose objects are marked.
        others: (height, width), those that they are compared with.
        least: intersection over union, above 0.

    Returns:
        (height, width): 0, or at the first pixel of an object 1 missed or 2 met.
    """
    flags = np.full(objects.shape, NOTHING, np.uint8)
    own, count = label(objects)
    if not count:
        return flags
    other, others_count = label(others)
    both = own.astype(np.int64) * (others_count + 1) + other
    pairs, shared = np.unique(both[objects & others], return_counts=True)
    sizes = np.bincount(own.ravel(), minlength=count + 1)
    other_sizes = np.bincount(other.ravel(), minlength=others_count + 1)
    which, partner = np.divmod(pairs, others_count + 1)
    union = sizes[which] + other_sizes[partner] - shared
    met = np.zeros(count + 1, np.bool_)
    met[which[shared >= least * union]] = True
    numbers, first = np.unique(own.ravel(), return_index=True)
    inside = numbers > 0
    flags.ravel()[first[inside]] = np.where(met[numbers[inside]], MET, MISSED)
    return flags


def boundary_flags(
    mask: NDArray[np.bool_],
    other: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    tolerance: float,
) -> NDArray[np.uint8]:
    """Mark the boundary of a mask as met or missed by that of another one.

    A boundary pixel lies inside of the mask and touches, by an edge, a counted pixel
    outside of it. It is met where one of the other boundary lies within the tolerance.

    Args:
        mask: (height, width), whose boundary is marked.
        other: (height, width), the mask that it is compared with.
        counted: (height, width), pixels that count at all.
        tolerance: in pixels, between centres.

    Returns:
        (height, width): 0, or on the boundary 1 missed or 2 met.
    """
    own, others = _boundary(mask, counted), _boundary(other, counted)
    flags = np.where(own, MISSED, NOTHING).astype(np.uint8)
    if others.any():
        distance = distance_transform_edt(~others)
        flags[own & (distance <= tolerance)] = MET
    return flags


def _boundary(mask: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inside = mask & counted
    # what does not count is no boundary, nor is the edge of the picture
    whole = binary_erosion(inside | ~counted, border_value=1)
    return np.asarray(inside & ~whole)


def met_share(counts: Counts) -> Floats:
    """Share that is met of all that are flagged.

    Args:
        counts: (..., 3), pixels by flag.

    Returns:
        (...), 0..1; NaN where there are none.
    """
    found = np.asarray(counts, np.float64)
    return ratio(found[..., MET], found[..., MISSED] + found[..., MET])


def harmonic(first: Floats, second: Floats) -> Floats:
    """F1 of a precision and a recall, (...).

    0 where both are, and where nothing was found (a precision of NaN); NaN where
    nothing was to be found (a recall of NaN).
    """
    first = np.where(np.isnan(first) & np.isfinite(second), 0.0, first)
    total = first + second
    return np.where(total == 0, 0.0, ratio(2 * first * second, total))
