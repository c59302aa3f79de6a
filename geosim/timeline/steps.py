"""Steps in a pixel's time series: from when to when its state stayed the same.

A pixel is described by states that stay until they change at once. The states that fit
best, for a price per change, are found exactly by dynamic programming (Potts model;
Winkler & Liebscher 2002, doi 10.1080/10485250212145; as PELT, but for few dates).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The states of n pixels through t dates."""

    starts: NDArray[np.bool_]
    """(t, n), True where a state begins that differs from the one before; never at a
    pixel's first valid date."""
    states: NDArray[np.float32]
    """(t, bands, n), value of the state that each date belongs to."""


def previous_valid(valid: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Number of the last valid date before each date, (t, ...); -1 for none."""
    found = np.full(valid.shape, -1, np.int16)
    for date in range(1, len(valid)):
        found[date] = np.where(valid[date - 1], date - 1, found[date - 1])
    return found


def fit_steps(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    price: float,
) -> Steps:
    """Find the states of each pixel.

    Args:
        values: (t, bands, n), scaled so that the noise of each band has spread 1 and
            that of different bands is independent; anything where not valid.
        valid: (t, n), True where a date has data.
        allowed: (t, n), True where a state may begin.
        price: sum of squared residuals that a further state must save.
    """
    dates, bands, count = values.shape
    kept = np.where(valid[:, None], values, 0).astype(np.float64)
    number = np.cumsum(valid, axis=0, dtype=np.float64)
    total = np.cumsum(kept, axis=0)
    square = np.cumsum((kept**2).sum(axis=1), axis=0)
    allowed = allowed & valid
    best = np.full((dates, count), np.inf)
    begun = np.zeros((dates, count), np.int16)
    for last in range(dates):
        for first in range(last + 1):
            n, mean_square = _sums(number, total, first, last)
            fit = square[last] - (square[first - 1] if first else 0.0)
            fit = fit - mean_square / np.maximum(n, 1)
            if first:
                fit = np.where(allowed[first], fit + best[first - 1] + price, np.inf)
            better = fit < best[last]
            best[last] = np.where(better, fit, best[last])
            begun[last] = np.where(better, first, begun[last])
    starts = np.zeros((dates, count), np.bool_)
    states = np.zeros((dates, bands, count), np.float32)
    begin = begun[-1].astype(np.int64)
    pixel = np.arange(count)
    for date in range(dates - 1, -1, -1):
        # states are told date by date from the end; a state's own sums give its value
        end = _end_of(date, starts)
        n = number[end, pixel] - np.where(begin > 0, number[begin - 1, pixel], 0)
        some = total[end, :, pixel].T
        some = some - np.where(begin > 0, total[begin - 1, :, pixel].T, 0)
        states[date] = some / np.maximum(n, 1)
        at_start = begin == date
        starts[date] = at_start & (date > 0)
        if date:
            begin = np.where(at_start, begun[date - 1], begin)
    return Steps(starts=starts & (previous_valid(valid) >= 0), states=states)


def _end_of(date: int, starts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Last date of the state that each pixel has on a date; later starts are known."""
    later = starts[date + 1 :]
    if not len(later):
        return np.full(starts.shape[1], len(starts) - 1)
    found = later.argmax(axis=0)
    ends = np.where(later.any(axis=0), date + found, len(starts) - 1)
    return np.asarray(ends, np.int64)


def _sums(
    number: NDArray[np.float64], total: NDArray[np.float64], first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(valid dates, squared length of the sum of values) from `first` to `last`."""
    n, part = number[last], total[last]
    if first:
        n, part = n - number[first - 1], part - total[first - 1]
    return n, (part**2).sum(axis=0)


def lasting(starts: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(t, n), True where a state begins that two valid dates show at least.

    The state before it has to last as long, unless it is the first one: what leads back
    from an excursion of one date is as doubtful as what led there.
    """
    state = np.cumsum(starts, axis=0)
    dates = np.stack([((state == one) & valid).sum(axis=0) for one in state])
    long = dates >= 2  # noqa: PLR2004 - seen twice
    found = np.zeros(starts.shape, np.bool_)
    found[1:] = starts[1:] & long[1:] & (long[:-1] | (state[:-1] == 0))
    return found


def returned(
    states: NDArray[np.float32],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    starts: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Where a change is taken back later: (t, n), told at the date it began.

    It is taken back where a later state, or the last valid date, is nearer to the state
    before the change than to the one after it, measured along the change.

    Args:
        states: (t, bands, n) of `Steps`.
        values: (t, bands, n), as given to `fit_steps`.
        valid: (t, n).
        starts: (t, n) of `Steps`.
    """
    dates = len(states)
    back = np.zeros(starts.shape, np.bool_)
    last = dates - 1 - valid[::-1].argmax(axis=0)
    end = values[last, :, np.arange(values.shape[2])].T
    for date in range(1, dates):
        before, change = states[date - 1], states[date] - states[date - 1]
        length = np.maximum((change**2).sum(axis=0), 1e-9)
        for later in range(date + 1, dates):
            share = ((states[later] - before) * change).sum(axis=0) / length
            back[date] |= share < 0.5  # noqa: PLR2004 - half way back
        ending = ((end - before) * change).sum(axis=0) / length
        back[date] |= (ending < 0.5) & (last > date)  # noqa: PLR2004
    return back & starts
