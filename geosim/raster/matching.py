"""The curve that makes date 2's values what date 1 would show, band by band.

It is found over a sample of the whole scene, and over what stayed alike there: a large
change must not be matched away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Normalization = Literal["histogram", "linear", "none"]
"""How date 2 is matched to date 1."""

Knots = tuple["NDArray[np.float32]", "NDArray[np.float32]"]
"""Rising values of date 2, (k,), and what each becomes, (k,); none: it stays."""

_KNOTS = 1024
"""Quantiles that describe a distribution of more values than this."""

_MOST_LEVELS = 1 << 16
"""Whole numbers up to this, of either sign, are counted instead of sorted."""

_STAYED = 0.6
"""Share of the sample, the most alike of the two dates, that the matching is settled
on: two fifths may have changed without leading it."""

_ALIKE = 0.1
"""Difference, in spreads of date 1, up to which a pixel counts as alike anyway."""

_ROUNDS = 3
"""How often matching and choice follow each other."""

_SETTLED_ON = 400_000
"""Pixels of the sample, about, that this takes."""

_ENOUGH = 1000
"""Pixels from which on it is worth while."""

_INNER = (0.05, 0.95)
"""Part of the knots whose gain goes on beyond them."""

_LEAST_SPREAD = 1e-6
"""Part of a band's range that its spread is taken to be at least."""


def match(
    before: NDArray[np.float32], after: NDArray[np.float32], how: Normalization
) -> list[Knots]:
    """Match date 2 to date 1 on a sample of pixels that are valid on both dates.

    Args:
        before: (bands, n) sample of date 1, file values.
        after: (bands, n) sample of date 2 at the same places.
        how: "histogram" matches the whole distribution (Gonzalez & Woods, Digital
            Image Processing, 3.3.2) of what stayed alike, chosen by turns with the
            matching (as pseudo-invariant features: Schott, Salvaggio & Volchok 1988,
            Remote Sensing of Environment 26); "linear" its median and interquartile
            range, "none" leaves date 2 as it is.

    Returns:
        The knots of each band's curve, for `matched`.
    """
    knots = [_MATCHING[how](b, a) for b, a in zip(before, after, strict=True)]
    return _settled(before, after, knots) if how == "histogram" else knots


def _settled(
    before: NDArray[np.float32], after: NDArray[np.float32], knots: list[Knots]
) -> list[Knots]:
    """Matched again over what stayed: a large change must not be matched away."""
    count = before.shape[1]
    if count < _ENOUGH:
        return knots
    step = max(round(count / _SETTLED_ON), 1)
    before, after = before[:, ::step], after[:, ::step]
    spread = np.subtract(*np.percentile(before, (84, 16), axis=1))
    spread = np.maximum(spread, _LEAST_SPREAD * np.ptp(before, axis=1))
    spread[spread == 0] = 1.0  # of one value only
    seen = [_levels(band) for band in after]
    for _ in range(_ROUNDS):
        apart = np.zeros(before.shape[1], np.float32)
        for band, (own, target) in enumerate(knots):
            levels, places = seen[band]
            light = matched(levels, (own, target))[places]
            with np.errstate(over="ignore"):  # of a broken pixel; infinite is as far
                apart += np.square((light - before[band]) / spread[band])
        least = len(before) * _ALIKE**2
        alike = apart <= max(float(np.quantile(apart, _STAYED)), least)
        knots = [
            _match_histogram(one[alike], two[alike])
            for one, two in zip(before, after, strict=True)
        ]
    return knots


def matched(values: NDArray[np.float32], knots: Knots) -> NDArray[np.float32]:
    """Values of date 2 as date 1 would show them.

    Beyond the knots the curve goes on straight, by the gain of its inner part: what is
    new may be brighter than all that stayed alike, and than all of the sample.

    Args:
        values: any shape, file values.
        knots: of the band, see `match`.
    """
    own, target = knots
    if not len(own):
        return values
    light: NDArray[np.float32] = np.interp(values, own, target).astype(np.float32)
    gain = _inner_gain(knots)
    with np.errstate(over="ignore", invalid="ignore"):  # of nodata: -3.4e38, infinity
        for end, beyond in ((0, values < own[0]), (-1, values > own[-1])):
            if beyond.any():
                light[beyond] = target[end] + gain * (values[beyond] - own[end])
    return light


def _inner_gain(knots: Knots) -> np.float32:
    """Slope of the curve between its inner knots; 1 where that has none."""
    own, target = knots
    low, high = (round(share * (len(own) - 1)) for share in _INNER)
    if own[high] <= own[low]:
        return np.float32(1.0)
    return np.float32((target[high] - target[low]) / (own[high] - own[low]))


def _match_histogram(before: NDArray[np.float32], after: NDArray[np.float32]) -> Knots:
    """Each value of date 2 becomes date 1's value of the same cumulative frequency."""
    values, counts = _counted(after)
    # cumulative frequency up to the middle of each value's own share
    position = (np.cumsum(counts) - counts / 2) / after.size
    if len(values) > _KNOTS:
        position = np.linspace(0.0, 1.0, _KNOTS)
        values = np.quantile(after, position)
        values, keep = np.unique(values, return_index=True)
        position = position[keep]
    target_values, target_counts = _counted(before)
    target_position = (np.cumsum(target_counts) - target_counts / 2) / before.size
    target = np.interp(position, target_position, target_values)
    return values.astype(np.float32), target.astype(np.float32)


def _levels(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.intp] | slice]:
    """Rising whole numbers that hold all values, and the place of each among them.

    Other values than whole numbers of few bits: themselves, each in its place.
    """
    low, high = float(values.min()), float(values.max())
    few = low >= -_MOST_LEVELS and high < _MOST_LEVELS
    if not few or (np.rint(values) != values).any():
        return values, slice(None)
    places = values.astype(np.intp)
    places -= int(low)
    return np.arange(low, high + 1, dtype=np.float32), places


def _counted(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Rising values and how often each is there: as `np.unique`, by counting."""
    levels, places = _levels(values)
    if isinstance(places, slice):
        return np.unique(values, return_counts=True)
    counts = np.bincount(places)
    there = np.flatnonzero(counts)
    return levels[there], counts[there]


def _match_linear(before: NDArray[np.float32], after: NDArray[np.float32]) -> Knots:
    """Date 2's median and interquartile range become date 1's."""
    low_before, mid_before, high_before = np.percentile(before, (25, 50, 75))
    low_after, mid_after, high_after = np.percentile(after, (25, 50, 75))
    spread = high_after - low_after
    gain = (high_before - low_before) / spread if spread > 0 else 1.0
    ends = np.array([after.min(), after.max()], np.float32)
    if ends[0] == ends[1]:
        ends[1] += 1.0
    return ends, ((ends - mid_after) * gain + mid_before).astype(np.float32)


def _match_nothing(before: NDArray[np.float32], after: NDArray[np.float32]) -> Knots:
    """Date 2 stays as it is."""
    del before, after
    empty = np.empty(0, np.float32)
    return empty, empty


_MATCHING: dict[Normalization, Callable[..., Knots]] = {
    "histogram": _match_histogram,
    "linear": _match_linear,
    "none": _match_nothing,
}
