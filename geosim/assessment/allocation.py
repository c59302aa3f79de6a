"""How many samples, and how many of them in which stratum.

Source: Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), section 5.1; Cochran 1977.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geosim.assessment.settings import LEAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geosim.assessment.settings import Allocation

    Floats = NDArray[np.float64]

RARE_LEAST, RARE_MOST = 50, 100
"""Samples that a rare stratum should have, by the paper."""


def least_size(
    shares: Floats, accuracies: Floats, target_se: float, population: int
) -> int:
    """Number of samples for a standard error of the overall accuracy, best allocated.

    Equation 13 of Olofsson et al. (2014), equation 5.25 of Cochran (1977): any other
    allocation than Neyman's takes more of them, see `sample_size`.

    Args:
        shares: (strata,), shares of the area, with the sum 1.
        accuracies: (strata,), the user's accuracy that is expected of each, 0..1.
        target_se: standard error wanted of the overall accuracy, above 0.
        population: pixels.
    """
    spread = np.sqrt(accuracies * (1.0 - accuracies))
    least = target_se**2 + float(shares @ spread**2) / population
    size = float(shares @ spread) ** 2 / least
    # what is a whole number but for rounding is that number
    return max(math.ceil(round(size, 6)), LEAST * len(shares))


def expected_se(
    shares: Floats,
    accuracies: Floats,
    samples: NDArray[np.int64],
    pixels: NDArray[np.int64],
) -> float:
    """Standard error that is expected of the overall accuracy.

    Equation 5.6 of Cochran (1977).

    Args:
        shares: (strata,), shares of the area, with the sum 1.
        accuracies: (strata,), the user's accuracy that is expected of each, 0..1.
        samples: (strata,), above 0.
        pixels: (strata,), of which they are drawn.
    """
    variance = shares**2 * accuracies * (1.0 - accuracies) / samples
    return float(np.sqrt((variance * (1.0 - samples / pixels)).sum()))


def sample_size(
    shares: Floats,
    accuracies: Floats,
    target_se: float,
    pixels: NDArray[np.int64],
    spread: Callable[[int], NDArray[np.int64]],
) -> int:
    """Number of samples for a standard error of the overall accuracy, as allocated.

    Args:
        shares: (strata,), shares of the area, with the sum 1.
        accuracies: (strata,), the user's accuracy that is expected of each, 0..1.
        target_se: standard error wanted of the overall accuracy, above 0.
        pixels: (strata,), how many each stratum holds.
        spread: how many of a total each stratum gets, (strata,).
    """

    def enough(total: int) -> bool:
        # one that is met but for rounding is met
        error = expected_se(shares, accuracies, spread(total), pixels)
        return error <= target_se * (1 + 1e-9)

    low = least_size(shares, accuracies, target_se, int(pixels.sum()))
    high = low
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def allocate(
    total: int,
    pixels: NDArray[np.int64],
    how: Allocation,
    accuracies: Floats | None = None,
    least: int | None = None,
) -> NDArray[np.int64]:
    """Spread a number of samples over the strata.

    Args:
        total: samples, at least two for each stratum.
        pixels: (strata,), how many each stratum holds; all above 0.
        how: the rule.
        accuracies: (strata,), user's accuracies that are expected, for `neyman`.
        least: samples of a rare stratum, for `rare`; None: 50 to 100, by `total`.

    Returns:
        (strata,), with the sum `total` where there are as many pixels; no stratum has
        more samples than pixels, each at least two where it has as many.
    """
    share = pixels / pixels.sum()
    if how == "equal":
        weight, floor = np.ones(len(pixels)), LEAST
    elif how == "neyman":
        expected = np.full(len(pixels), 0.5) if accuracies is None else accuracies
        weight, floor = share * np.sqrt(expected * (1.0 - expected)), LEAST
    else:
        weight, floor = share, LEAST
    if how == "rare":
        floor = rare_least(total, len(pixels)) if least is None else least
    return _spread(total, pixels, weight, min(floor, total // len(pixels)))


def rare_least(total: int, strata: int) -> int:
    """Samples of a rare stratum: half of an equal share, kept within 50 to 100.

    Where these are many strata for few samples, all but one of them take two thirds.
    """
    least = min(max(total // (2 * strata), RARE_LEAST), RARE_MOST)
    return max(min(least, 2 * total // 3 // max(strata - 1, 1)), LEAST)


def _spread(
    total: int, pixels: NDArray[np.int64], weight: Floats, floor: int
) -> NDArray[np.int64]:
    """Samples in proportion to the weights, with a floor and the pixels as ceiling."""
    low = np.minimum(floor, pixels)
    total = min(total, int(pixels.sum()))
    low_total = int(low.sum())
    if low_total >= total or not weight.any():
        weight = np.ones(len(pixels))
    count = low.astype(np.float64)
    free = np.ones(len(pixels), np.bool_)
    # those that would get less than the floor keep it, those full keep their pixels
    while free.any():
        rest = total - count[~free].sum()
        of_free = weight[free].sum()
        wanted = np.where(free, weight * rest / of_free if of_free else 0.0, count)
        full = free & (wanted >= pixels)
        short = free & (wanted < low)
        if full.any():
            count[full], free = pixels[full], free & ~full
        elif short.any():
            count[short], free = low[short], free & ~short
        else:
            count = wanted
            break
    return _whole(count, total, pixels)


def _whole(count: Floats, total: int, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers with the same sum: the largest remainders are rounded up."""
    found = np.floor(count + 1e-9).astype(np.int64)
    order = np.argsort(found - count, kind="stable")
    while (missing := total - int(found.sum())) > 0:
        room = [number for number in order if found[number] < pixels[number]]
        for number in room[:missing]:
            found[number] += 1
    return found
