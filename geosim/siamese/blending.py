"""The decoder's log odds and the score become one probability.

Labels of a few places teach the kinds of change that they show; the score, which never
saw a label, orders the pixels of other places better. Both say something of held-out
places, and from these follows how much each counts (stacking, Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1): `weight * odds + weight * score + offset` are the
log odds of the answer. Held-out places count about alike, as new scenes would: pooled,
the place with most change would decide alone. But one with hardly a changed pixel
counts little, since chance decides what it says: `place_weights`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.judging import (
    CENTRES,
    LARGEST_ODDS,
    Judgement,
    at_share,
    calibration,
    judge,
    odds_histogram,
    rates,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

RATIOS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Weights of the score per weight of the log odds that are tried, rising."""

AS_GOOD = 0.98
"""Of all ratios with this share of the best precision the largest is taken: the ends
of pairs that were learned from flatter the log odds."""


SHARES = (0.02, 0.05, 0.1, 0.2)
"""Shares of changed pixels for which ratio and threshold are to be good, on average:
precision, and with it the best threshold, hangs on how much changed, which of a new
place nobody knows and which that of the labelled places need not be."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is said of the valid pixels of one held-out place, and the truth."""

    odds: NDArray[np.float32]
    """(N,): the decoder's log odds, held within `decoder.ODDS_LIMIT`."""
    score: NDArray[np.float32]
    """(N,): the smoothed score, 0 upwards."""
    changed: NDArray[np.bool_]
    """(N,): what the label says."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How log odds and score are joined, and where the answer becomes change."""

    weights: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """Of the log odds, of the score and of 1."""
    threshold: float = 0.5
    """Probability from which a pixel counts as changed."""
    average_precision: float = 0.0
    """Of all held-out pixels together."""
    f1: float = 0.0
    """The same at the threshold."""


def blended(
    odds: NDArray[np.float32],
    score: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Probability of change.

    Args:
        odds: log odds of the decoder, any shape.
        score: smoothed score, the same shape.
        weights: (3,), of the log odds, of the score and of 1.

    Returns:
        float32 in 0..1, the same shape.
    """
    joined = weights[0] * odds + weights[1] * score + weights[2]
    chance: NDArray[np.float32] = 0.5 + 0.5 * np.tanh(0.5 * joined)
    return chance


def fit_blend(places: Sequence[Answers]) -> Blend:
    """Weights and threshold from held-out places.

    The ratio of both weights is the largest of `RATIOS` whose average precision, mean
    over `SHARES` and, by their weights, over the places that hold change, is about that
    of the best; slope and offset calibrate all pixels as they are (Platt 1999); the
    threshold has the largest F1, again as a mean over shares and places.

    Args:
        places: at least one with a changed pixel; else the log odds stay as they are.
    """
    places = [place for place in places if len(place.odds)]
    if not any(place.changed.any() for place in places):
        return Blend()
    counting = place_weights([int(place.changed.sum()) for place in places])
    precision = []
    for ratio in RATIOS:
        told = _over_shares(
            lambda count: judge(count).average_precision, _counts(places, ratio)
        )
        precision.append(counting @ told)
    enough = AS_GOOD * max(precision)
    ratio = max(r for r, p in zip(RATIOS, precision, strict=True) if p >= enough)
    middle, factor = _into_bins(places, ratio)
    counts = _counts(places, ratio)
    total = np.sum(counts, axis=0)
    slope, offset = calibration(total)
    curves = _over_shares(lambda count: rates(count)[2], counts)
    place = int((counting @ curves).argmax())
    at = CENTRES[::-1][place] - LARGEST_ODDS / len(CENTRES)
    threshold = 0.5 + 0.5 * np.tanh(0.5 * (slope * at + offset))
    weight = slope * factor
    whole: Judgement = judge(total)
    return Blend(
        weights=(weight, ratio * weight, offset - weight * middle),
        threshold=float(np.clip(threshold, 0.01, 0.99)),
        average_precision=whole.average_precision,
        f1=float(rates(total)[2][place]),
    )


def _counts(places: Sequence[Answers], ratio: float) -> list[NDArray[np.int64]]:
    """Histograms of each place's sums, brought into range."""
    middle, factor = _into_bins(places, ratio)
    return [
        odds_histogram(
            ((place.odds + ratio * place.score - middle) * factor).astype(np.float32),
            place.changed,
        )
        for place in places
    ]


def _into_bins(places: Sequence[Answers], ratio: float) -> tuple[float, float]:
    """Middle and factor that bring the sums into the range of the histograms."""
    joined = [place.odds + ratio * place.score for place in places]
    least = min(float(values.min()) for values in joined)
    most = max(float(values.max()) for values in joined)
    return (least + most) / 2, 2 * LARGEST_ODDS / max(most - least, 1e-3)


def place_weights(changed: Sequence[int]) -> NDArray[np.float64]:
    """How much each place counts, of the number of its changed pixels; sum 1.

    As in a random-effects mean (DerSimonian & Laird 1986,
    doi:10.1016/0197-2456(86)90046-2): what a place says differs from the others by what
    places differ, and by chance, which falls with the number. Both are taken to be as
    large where that is the median.

    Args:
        changed: pixels of each place; those without any count nothing.

    Returns:
        (places,).
    """
    count = np.array(changed, np.float64)
    weights = count / (count + np.median(count[count > 0]))
    summing_to_one: NDArray[np.float64] = weights / weights.sum()
    return summing_to_one


def _over_shares(
    tell: Callable[[NDArray[np.float64]], Any], counts: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """What is told of each place, mean over the shares."""
    shifted = [[at_share(count, share) for share in SHARES] for count in counts]
    return np.array([np.mean([*map(tell, each)], axis=0) for each in shifted])
