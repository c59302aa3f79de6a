"""How well log odds tell changed pixels: from two histograms that add up.

The histograms are those of the changed and of the unchanged pixels of all held-out
places; average precision, the best threshold and the calibration follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_ODDS = 16.0
"""Log odds beyond this are counted as this."""

_BINS = 2048

CENTRES = (np.arange(_BINS) + 0.5) * (2 * LARGEST_ODDS / _BINS) - LARGEST_ODDS
"""Log odds in the middle of each bin."""


def odds_histogram(
    odds: NDArray[np.float32], changed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Counts (2, bins) of the log odds of unchanged and of changed pixels."""
    place = ((odds + LARGEST_ODDS) * (_BINS / (2 * LARGEST_ODDS))).astype(np.int64)
    place = np.clip(place, 0, _BINS - 1)
    counts = [
        np.bincount(place[changed == kind], minlength=_BINS) for kind in (False, True)
    ]
    return np.stack(counts)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How well held-out places were told."""

    average_precision: float
    """Area under precision over recall, 0..1."""
    f1: float
    """F1 at the best threshold."""
    threshold: float
    """The log odds of that threshold."""


def judge(counts: NDArray[Any]) -> Judgement:
    """Average precision and best F1 of histograms (2, bins); 0 without changes."""
    if not counts[1].any():
        return Judgement(average_precision=0.0, f1=0.0, threshold=0.0)
    precision, recall, f1 = rates(counts)
    best = int(f1.argmax())
    return Judgement(
        average_precision=float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        f1=float(f1[best]),
        # the lower edge of the last bin that is flagged
        threshold=float(CENTRES[::-1][best] - LARGEST_ODDS / _BINS),
    )


def rates(
    counts: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 (bins,) of flagging a bin and all above it.

    Args:
        counts: Histograms (2, bins).

    Returns:
        Three arrays, the strictest threshold first; all 0 without changes.
    """
    flagged = counts[:, ::-1].cumsum(axis=1)
    true, total = flagged[1].astype(float), flagged.sum(axis=0)
    positives = float(true[-1]) or 1.0
    f1: NDArray[np.float64] = 2 * true / (total + positives)
    return true / np.maximum(total, 1), true / positives, f1


def at_share(counts: NDArray[Any], share: float) -> NDArray[np.float64]:
    """Histograms (2, bins) as they were if another share of the pixels had changed.

    Among changed pixels, and among unchanged ones, the log odds are spread as before
    (label shift); all pixels together stay as many. A kind that is missing stays so.
    """
    kinds = counts.sum(axis=1, keepdims=True)
    wanted = counts.sum() * np.array([[1 - share], [share]])
    shifted: NDArray[np.float64] = counts * (wanted / np.maximum(kinds, 1))
    return shifted


def calibration(counts: NDArray[np.int64], *, steps: int = 50) -> tuple[float, float]:
    """Slope and offset that make probabilities of log odds (Platt 1999).

    Crops for training hold more changes than a scene; the offset takes that back.

    Args:
        counts: Histograms (2, bins) of held-out places.
        steps: Newton steps at most.

    Returns:
        (slope, offset): `sigmoid(slope * odds + offset)` is the share that changed.
        (1, 0) where one kind of pixels is missing or the odds rise the wrong way.
    """
    if not counts.any(axis=1).all():
        return 1.0, 0.0
    total = counts.sum(axis=0).astype(float)
    weight = total / total.sum()
    share = counts[1] / np.maximum(total, 1)
    design = np.stack([CENTRES, np.ones_like(CENTRES)])
    found = np.array([1.0, 0.0])
    for _ in range(steps):
        chance = 0.5 + 0.5 * np.tanh(0.5 * found @ design)
        slope = design @ (weight * (share - chance))
        curve = (design * (weight * chance * (1 - chance))) @ design.T
        move = np.linalg.solve(curve + 1e-9 * np.eye(2), slope)
        found = found + np.clip(move, -1, 1)
        if np.abs(move).max() < 1e-8:  # noqa: PLR2004
            break
    usable = np.isfinite(found).all() and found[0] > 0.1  # noqa: PLR2004
    return (float(found[0]), float(found[1])) if usable else (1.0, 0.0)
