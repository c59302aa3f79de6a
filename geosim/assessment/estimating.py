"""Accuracy and area from a stratified random sample, with their standard errors.

One estimator serves all designs: the strata may be the map's classes (Olofsson et al.
2014, doi:10.1016/j.rse.2014.02.015) or others, such as a buffer around changes (Stehman
2014, doi:10.1080/01431161.2014.930207). It works on counts (..., strata, map classes,
reference classes), so that many samples can be estimated at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""Standard errors on each side of an estimate that make its 95 % interval."""

LEAST_ANSWERS = 2
"""Answers that a stratum needs for a variance."""


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """What a sample says of a map; standard errors have the shape of their estimates.

    NaN where there is no answer: the user's accuracy of a class that the sample does
    not hold, the producer's accuracy of one that no reference has.
    """

    matrix: Floats
    """(..., map classes, reference classes), shares of the area, 0..1."""
    matrix_se: Floats
    """Their standard errors."""
    overall: Floats
    """(...), share of the area that the map has right, 0..1."""
    overall_se: Floats
    """Its standard error."""
    users: Floats
    """(..., classes), of what is mapped as a class the share that is right, 0..1."""
    users_se: Floats
    """Their standard errors."""
    producers: Floats
    """(..., classes), of what is a class the share that is mapped as it, 0..1."""
    producers_se: Floats
    """Their standard errors."""
    areas: Floats
    """(..., classes), share of the area that each reference class has, 0..1."""
    areas_se: Floats
    """Their standard errors."""


def tally(
    strata: NDArray[np.integer],
    mapped: NDArray[np.integer],
    reference: NDArray[np.integer],
    *,
    strata_count: int,
    classes: int,
) -> NDArray[np.int64]:
    """Count the samples by stratum, map class and reference class.

    Args:
        strata: (n,), from 0.
        mapped: (n,), class on the map, from 0.
        reference: (n,), class in truth, from 0.
        strata_count: number of strata.
        classes: number of classes.

    Returns:
        (strata_count, classes, classes).
    """
    shape = (strata_count, classes, classes)
    places = np.ravel_multi_index((strata, mapped, reference), shape)
    return np.bincount(places, minlength=strata_count * classes**2).reshape(shape)


def estimate(
    counts: NDArray[np.integer],
    sizes: NDArray[np.floating] | NDArray[np.integer],
    population: NDArray[np.integer] | None = None,
    *,
    least: NDArray[np.integer] | int = LEAST_ANSWERS,
) -> Estimates:
    """Estimate error matrix, accuracies and areas.

    Args:
        counts: (..., strata, classes, classes): answers by stratum, map class and
            reference class; at least two in each stratum that has any size.
        sizes: (strata,), areas of the strata in any unit.
        population: (strata,), pixels of the strata, for the finite population
            correction of Stehman (2014); None: none, as Olofsson et al. (2014) have it.
        least: (strata,), answers that are wanted; 1 of a stratum of one pixel, which
            is known then.

    Returns:
        Shares of the area, 0..1.

    Raises:
        ValueError: a stratum has fewer than the least answers.
    """
    answers = np.asarray(counts, np.float64)
    drawn = answers.sum(axis=(-1, -2))
    weight = np.asarray(sizes, np.float64) / np.sum(sizes)
    if np.any((drawn < least) & (weight > 0)):
        raise ValueError("each stratum needs at least two answers, or all it can have")
    left = np.ones_like(drawn)
    if population is not None:
        left = 1.0 - drawn / np.maximum(np.asarray(population, np.float64), drawn)
    # squared weight over n - 1: what a variance p (1 - p) is multiplied by
    factor = weight**2 * left / np.maximum(drawn - 1.0, 1.0)
    share = answers / np.maximum(drawn, 1.0)[..., None, None]
    right = np.diagonal(share, axis1=-2, axis2=-1)
    whole = right.sum(axis=-1)
    by_map, by_truth = share.sum(axis=-1), share.sum(axis=-2)
    users, users_se = _ratio(right, by_map, weight, factor)
    producers, producers_se = _ratio(right, by_truth, weight, factor)
    return Estimates(
        matrix=np.einsum("h,...hij->...ij", weight, share),
        matrix_se=np.sqrt(np.einsum("...h,...hij->...ij", factor, share * (1 - share))),
        overall=whole @ weight,
        overall_se=np.sqrt((factor * whole * (1 - whole)).sum(axis=-1)),
        users=users,
        users_se=users_se,
        producers=producers,
        producers_se=producers_se,
        areas=np.einsum("h,...hj->...j", weight, by_truth),
        areas_se=np.sqrt(
            np.einsum("...h,...hj->...j", factor, by_truth * (1 - by_truth))
        ),
    )


def _ratio(
    part: Floats, whole: Floats, weight: Floats, factor: Floats
) -> tuple[Floats, Floats]:
    """A ratio of two shares, of which the first is part of the second.

    Equation 28 of Stehman (2014), of which equations 6 and 7 of Olofsson et al. (2014)
    are the case where the strata are the map's classes.

    Args:
        part: (..., strata, classes), share of the answers.
        whole: as `part`.
        weight: (strata,).
        factor: (..., strata).

    Returns:
        (..., classes), the ratio and its standard error; NaN where the whole is 0.
    """
    above, below = (np.einsum("h,...hj->...j", weight, one) for one in (part, whole))
    known = below > 0
    ratio = np.divide(above, below, out=np.full_like(below, np.nan), where=known)
    once = ratio[..., None, :]
    spread = part * (1 - part) + once**2 * whole * (1 - whole)
    spread -= 2 * once * part * (1 - whole)
    variance = np.einsum("...h,...hj->...j", factor, spread)
    error = np.sqrt(np.maximum(variance, 0.0))
    return ratio, np.divide(error, below, out=np.full_like(below, np.nan), where=known)
