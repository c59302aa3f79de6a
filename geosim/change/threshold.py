"""From scores to probabilities and from probabilities to a decision.

All functions work on the histogram of a whole scene (`geosim.change.scores`), which is
a sum over blocks and so does not depend on how the scene was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geosim.change.scores import HISTOGRAM_BINS, UNIT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Rule = Literal["auto", "otsu", "kapur"]
"""How the threshold is found; a number fixes it."""

_STILL = 1e-6
"""The mixture is fitted when no mean moves by more than this."""

_SEPARATE = 2.0
"""Two Gaussians that lie this many common spreads apart are two."""

_OUTLIER = 4.0
"""Spreads above the median from which a score is no longer of its class."""

_LEAST_SPREAD = 0.05
"""Spread of the logarithm of the score at least: constant scores have no outliers."""

AUTO_PROBABILITY = 0.25
"""Probability from which `auto` calls a pixel changed, where a method has no own."""


def histogram_quantiles(
    counts: NDArray[np.int64], centres: NDArray[np.float64], at: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles of a histogram, to half a bin."""
    cumulative = np.cumsum(counts) / max(int(counts.sum()), 1)
    places = np.searchsorted(cumulative, np.asarray(at), side="left")
    found: NDArray[np.float64] = centres[np.minimum(places, len(centres) - 1)]
    return found


def logistic_probability(
    score: NDArray[np.float64], *, slope: float, middle: float
) -> NDArray[np.float64]:
    """`1 / (1 + exp(-slope * (score - middle)))`."""
    return _expit(slope * (score - middle))


def _expit(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function of log odds."""
    probability: NDArray[np.float64] = 0.5 + 0.5 * np.tanh(0.5 * odds)
    return probability


def mixture_probability(
    counts: NDArray[np.int64], centres: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Probability of change from the histogram alone: a mixture of two Gaussians.

    The score's logarithm is modelled as a mixture of unchanged and changed pixels,
    fitted by expectation maximisation (Bruzzone & Prieto 2000), started from the
    lower and upper parts of the distribution. The posterior of the upper component
    is made monotone: a larger score is never less likely to be change. Where the two
    components do not separate (Ashman's D below 2, Ashman et al. 1994) or the upper
    one is the larger, there is no second class: only outliers of the one that there
    is are taken for change.

    Returns:
        A function of rising scores that gives rising probabilities.
    """
    offset = max(float(centres[0]), 1e-9)
    x = np.log(centres + offset)
    weight = counts / max(int(counts.sum()), 1)
    mean, spread, share = _fit_two_gaussians(x, weight)
    separation = np.sqrt(2.0) * (mean[1] - mean[0]) / np.hypot(*spread)
    if separation < _SEPARATE or share[1] > share[0]:
        return _outlier_probability(x, weight, offset)

    def posterior(score: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.log(np.maximum(score, 0.0) + offset)[..., None]
        log_density = -0.5 * ((at - mean) / spread) ** 2 - np.log(spread)
        log_odds = np.log(share) + log_density
        value = _expit(log_odds[..., 1] - log_odds[..., 0])
        monotone = np.where(at[..., 0] < mean[0], 0.0, value)
        return np.maximum.accumulate(monotone)

    return posterior


def _outlier_probability(
    x: NDArray[np.float64], weight: NDArray[np.float64], offset: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Logistic around `_OUTLIER` robust standard deviations above the median."""
    middle, upper = histogram_quantiles(weight, x, (0.5, 0.84))  # type: ignore[arg-type]
    spread = max(upper - middle, _LEAST_SPREAD)

    def posterior(score: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.log(np.maximum(score, 0.0) + offset)
        return _expit(2.0 * ((at - middle) / spread - _OUTLIER))

    return posterior


def _fit_two_gaussians(
    x: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(means, spreads, shares) of two components, the lower first."""
    low, mid, high = histogram_quantiles(weight, x, (0.16, 0.5, 0.98))  # type: ignore[arg-type]
    start = max(mid - low, 1e-3)
    mean, spread = np.array([mid, max(high, mid + 2 * start)]), np.full(2, start)
    share = np.array([0.9, 0.1])
    for _ in range(200):
        log_p = (
            np.log(share) - np.log(spread) - 0.5 * ((x[:, None] - mean) / spread) ** 2
        )
        log_p -= log_p.max(axis=1, keepdims=True)
        member = np.exp(log_p)
        member *= (weight / member.sum(axis=1))[:, None]
        total = np.maximum(member.sum(axis=0), 1e-12)
        moved = (member * x[:, None]).sum(axis=0) / total
        variance = (member * (x[:, None] - moved) ** 2).sum(axis=0) / total
        still = np.abs(moved - mean).max() < _STILL
        mean, spread = moved, np.maximum(np.sqrt(variance), 1e-3)
        share = np.clip(total / total.sum(), 1e-6, 1.0)
        if still:
            break
    order = np.argsort(mean)
    return mean[order], spread[order], share[order]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The decision rule of one run."""

    value: float
    """Probability from which a pixel counts as changed, 0..1."""
    rule: str
    """"auto", "otsu", "kapur" or "fixed"."""
    reason: str
    """One sentence on how the value came about."""
    split: int | None = None
    """First bin of the scores' histogram that counts as changed, where the rule splits
    that: of a calm scene all probabilities may lie within a level or two."""

    @property
    def level(self) -> int:
        """The smallest 8-bit probability level that counts as changed, 1..255."""
        return max(int(np.ceil(self.value * UNIT_LEVELS - 1e-9)), 1)


def choose_threshold(
    rule: Rule | float,
    counts: NDArray[np.int64],
    probability: NDArray[np.float64],
    *,
    automatic: Threshold | None = None,
) -> Threshold:
    """Find the threshold on the probability.

    Args:
        rule: "auto" takes the method's own threshold; "otsu" (Otsu 1979) and "kapur"
            (Kapur et al. 1985) split the score's histogram; a number in 0..1 is the
            threshold.
        counts: the score's histogram, shape (4096,).
        probability: probability in the middle of each bin, rising, shape (4096,).
        automatic: what "auto" takes where the method knows its own.
    """
    if not isinstance(rule, str):
        return Threshold(value=rule, rule="fixed", reason="fixed by the user")
    if rule == "auto":
        return automatic or Threshold(
            value=AUTO_PROBABILITY,
            rule="auto",
            reason="lies where the scores stand out from those of the unchanged part",
        )
    place = _SPLITS[rule](counts)
    reason = {
        "otsu": "splits the scores into two classes of least variance (Otsu)",
        "kapur": "splits the scores into two classes of most entropy (Kapur)",
    }[rule]
    value = float(probability[place])
    return Threshold(value=value, rule=rule, reason=reason, split=place)


def _split_otsu(counts: NDArray[np.int64]) -> int:
    """First bin of the upper class, by scikit-image."""
    from skimage.filters import threshold_otsu  # slow to import, seldom needed

    if np.count_nonzero(counts) < 2:  # noqa: PLR2004 - nothing to split
        return HISTOGRAM_BINS - 1
    centres = np.arange(HISTOGRAM_BINS)
    return min(int(threshold_otsu(hist=(counts, centres))) + 1, HISTOGRAM_BINS - 1)


def _split_kapur(counts: NDArray[np.int64]) -> int:
    """First bin of the upper class: the largest sum of both classes' entropies."""
    share = counts / max(int(counts.sum()), 1)
    below = np.cumsum(share)
    terms = np.cumsum(
        np.where(share > 0, -share * np.log(np.maximum(share, 1e-300)), 0)
    )
    above, rest = 1.0 - below, terms[-1] - terms
    usable = (below > 0) & (above > np.finfo(float).eps)
    safe_below, safe_above = np.where(usable, below, 1.0), np.where(usable, above, 1.0)
    entropy = (
        np.log(safe_below) + terms / safe_below + np.log(safe_above) + rest / safe_above
    )
    if not usable.any():
        return HISTOGRAM_BINS - 1
    return min(int(np.argmax(np.where(usable, entropy, -np.inf))) + 1, len(counts) - 1)


_SPLITS: dict[str, Callable[[NDArray[np.int64]], int]] = {
    "otsu": _split_otsu,
    "kapur": _split_kapur,
}
