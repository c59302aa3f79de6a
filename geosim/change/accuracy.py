"""How well a map of change agrees with a truth: measures that only compute.

Every measure works on counts of pixels per level of a score: an array (..., 2, levels),
row 0 the pixels that did not change, row 1 those that did, the lowest level first. A
score held in 8 or 16 bits is measured exactly, ties and all, whatever the number of
pixels; counts of scenes and of blocks add up; and leading axes (blocks, samples of a
bootstrap) are measured all at once. A yes or no is a score of two levels, its counts
(..., 2, 2) are the confusion matrix `[truth, decision]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64] | NDArray[np.float64]

BLOCK_SIDE = 64
"""Side in pixels of the blocks that a bootstrap draws."""

CALIBRATION_BINS = 10
"""Equal steps of probability that a reliability table has."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityRow:
    """The pixels whose probability lies in one step."""

    low: float
    """Least probability of the step."""
    high: float
    """Largest probability of the step."""
    pixels: int
    """How many pixels have such a probability."""
    predicted: float
    """Their mean probability."""
    observed: float
    """The fraction of them that changed."""


def level_counts(
    levels: NDArray[np.unsignedinteger], changed: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Count pixels per level.

    Args:
        levels: any shape, each below `count`.
        changed: the truth, the same shape.
        count: number of levels.

    Returns:
        (2, count).
    """
    places = levels.ravel().astype(np.int64) + count * changed.ravel()
    return np.bincount(places, minlength=2 * count).reshape(2, count)


def block_numbers(height: int, width: int, side: int = BLOCK_SIDE) -> NDArray[np.int64]:
    """Number of the square block that each pixel lies in, (height, width), from 0."""
    across = -(-width // side)
    rows, cols = np.arange(height) // side, np.arange(width) // side
    numbers: NDArray[np.int64] = rows[:, None] * across + cols
    return numbers


def block_counts(
    levels: NDArray[np.unsignedinteger],
    changed: NDArray[np.bool_],
    blocks: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """Count pixels per block and level.

    Args:
        levels: any shape, each below `count`.
        changed: the truth, the same shape.
        blocks: the block of each pixel, the same shape; numbers may be left out.
        count: number of levels.

    Returns:
        (blocks that hold a pixel, 2, count).
    """
    _, place = np.unique(blocks.ravel(), return_inverse=True)
    held = int(place.max(initial=-1)) + 1
    row = 2 * place.astype(np.int64) + changed.ravel()
    flat = row * count + levels.ravel().astype(np.int64)
    return np.bincount(flat, minlength=held * 2 * count).reshape(held, 2, count)


def average_precision(counts: Counts) -> NDArray[np.float64]:
    """Area under precision over recall, as a sum of steps without interpolation.

    Args:
        counts: (..., 2, levels).

    Returns:
        (...), 0..1; NaN where nothing changed.
    """
    true, flagged = from_above(counts)
    precision = ratio(true, flagged)
    steps = np.diff(true, axis=-1, prepend=0.0)
    area = np.where(flagged > 0, steps * precision, 0.0).sum(axis=-1)
    return ratio(area, true[..., -1])


def roc_area(counts: Counts) -> NDArray[np.float64]:
    """Area under the receiver operating characteristic.

    It is the probability that a changed pixel has a higher score than one that did not
    change, a tie counting half (Hanley & McNeil 1982).

    Args:
        counts: (..., 2, levels).

    Returns:
        (...), 0..1; NaN where nothing, or everything, changed.
    """
    same, changed = (np.asarray(counts[..., row, :], np.float64) for row in (0, 1))
    below = np.cumsum(same, axis=-1) - same / 2
    pairs = same.sum(axis=-1) * changed.sum(axis=-1)
    return ratio((below * changed).sum(axis=-1), pairs)


def f1_curve(counts: Counts) -> NDArray[np.float64]:
    """F1 of flagging every pixel from a level on.

    Args:
        counts: (..., 2, levels). With two levels, `[..., 1]` of the answer is the F1
            of a decision.

    Returns:
        (..., levels), 0..1; 0 where nothing is found, NaN where in addition nothing
        changed.
    """
    true, flagged = from_above(counts)
    curve = ratio(2.0 * true, flagged + true[..., -1:])
    return np.flip(curve, axis=-1)


def best_f1(counts: Counts) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The best F1 that a single threshold reaches, and the level from which to flag.

    Args:
        counts: (..., 2, levels).

    Returns:
        (...) F1, NaN where nothing changed, and (...) levels.
    """
    curve = f1_curve(counts)
    changed = np.asarray(counts[..., 1, :]).sum(axis=-1)
    known = np.where(np.isnan(curve), -1.0, curve)
    best = np.where(changed > 0, known.max(axis=-1), np.nan)
    return best, known.argmax(axis=-1)


def flagged_fraction(confusion: Counts) -> NDArray[np.float64]:
    """The fraction of the pixels that is flagged; NaN where there is no pixel.

    Args:
        confusion: (..., 2, 2), truth by decision.
    """
    flagged = np.asarray(confusion[..., 1], np.float64).sum(axis=-1)
    return ratio(flagged, np.asarray(confusion, np.float64).sum(axis=(-2, -1)))


def reliability_table(
    counts: NDArray[np.int64],
    probability: NDArray[np.float64],
    bins: int = CALIBRATION_BINS,
) -> list[ReliabilityRow]:
    """Compare probabilities with what happened.

    Args:
        counts: (2, levels).
        probability: (levels,), what each level says, 0..1.
        bins: number of equal steps from 0 to 1.

    Returns:
        The steps that hold any pixel.
    """
    pixels, predicted, observed = _binned(counts, probability, bins)
    return [
        ReliabilityRow(
            low=number / bins,
            high=(number + 1) / bins,
            pixels=int(pixels[number]),
            predicted=float(predicted[number] / pixels[number]),
            observed=float(observed[number] / pixels[number]),
        )
        for number in np.flatnonzero(pixels)
    ]


def expected_calibration_error(
    counts: Counts, probability: NDArray[np.float64], bins: int = CALIBRATION_BINS
) -> NDArray[np.float64]:
    """Mean over the pixels of |predicted - observed| of their step of probability.

    Source: Naeini, Cooper & Hauskrecht 2015.

    Args:
        counts: (..., 2, levels).
        probability: (levels,), what each level says, 0..1.
        bins: number of equal steps from 0 to 1.

    Returns:
        (...), 0..1; NaN where there is no pixel.
    """
    pixels, predicted, observed = _binned(counts, probability, bins)
    return ratio(np.abs(predicted - observed).sum(axis=-1), pixels.sum(axis=-1))


def bootstrap_weights(
    blocks: int, samples: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """How often each block is drawn in each sample of a bootstrap.

    Neighbouring pixels are alike, so blocks of them are drawn, not pixels (Kunsch
    1989); `weights @ counts` of the blocks gives the counts of the samples.

    Args:
        blocks: number of blocks, 1 or more.
        samples: number of samples.
        seed: of the draw.

    Returns:
        (samples, blocks), each row with the sum `blocks`.
    """
    rng = np.random.default_rng(seed)
    share = np.full(blocks, 1.0 / blocks)
    return rng.multinomial(blocks, share, size=samples).astype(np.float64)


def resample(
    weights: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Counts of every bootstrap sample.

    Args:
        weights: (samples, blocks).
        counts: (blocks, 2, levels).

    Returns:
        (samples, 2, levels).
    """
    flat = weights @ counts.reshape(len(counts), -1).astype(np.float64)
    return flat.reshape(len(weights), *counts.shape[1:])


def percentile_interval(
    values: NDArray[np.float64], coverage: float = 0.95
) -> tuple[float, float]:
    """The middle part of bootstrap values; (NaN, NaN) where none is a number."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    tail = (1.0 - coverage) / 2.0
    low, high = np.quantile(known, (tail, 1.0 - tail))
    return float(low), float(high)


def from_above(counts: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Changed pixels and all pixels from each level on, the highest level first.

    Args:
        counts: (..., 2, levels).

    Returns:
        Two (..., levels).
    """
    falling = np.flip(np.asarray(counts, np.float64), axis=-1)
    true = np.cumsum(falling[..., 1, :], axis=-1)
    return true, true + np.cumsum(falling[..., 0, :], axis=-1)


def _binned(
    counts: Counts, probability: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Per step (..., bins): pixels, sum of their probabilities, changed pixels."""
    step = np.minimum((probability * bins).astype(np.int64), bins - 1)
    member = np.asarray(step[:, None] == np.arange(bins), np.float64)
    pixels = np.asarray(counts, np.float64).sum(axis=-2)
    changed = np.asarray(counts[..., 1, :], np.float64)
    return pixels @ member, (pixels * probability) @ member, changed @ member


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part / whole of any shapes that fit each other; NaN where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    empty = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    ratio: NDArray[np.float64] = np.divide(part, whole, out=empty, where=whole > 0)
    return ratio
