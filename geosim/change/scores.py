"""Scores on paper and on disk: smoothing with nodata, 8- and 16-bit levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRUNCATE = 4.0
"""The Gaussian is cut at this many sigma."""

UNIT_LEVELS = 254
"""8-bit level of 1.0; 255 is nodata."""

UNIT_NODATA = 255
SCORE_LEVELS = 65534
"""16-bit level of the largest score; 65535 is nodata."""

SCORE_NODATA = 65535
HISTOGRAM_BINS = 4096
"""Bins of the score's histogram over 0..largest: fixed edges, so that sums add up."""


def smoothing_reach(sigma: float) -> int:
    """Pixels that a Gaussian of this sigma reaches to each side."""
    return int(_TRUNCATE * sigma + 0.5)


def smooth(
    score: NDArray[np.float32], valid: NDArray[np.bool_], sigma: float
) -> NDArray[np.float32]:
    """Gaussian mean over the valid pixels only (normalised convolution).

    Args:
        score: (height, width).
        valid: (height, width); pixels outside of the array count as not valid.
        sigma: in pixels; 0 leaves the score as it is.

    Returns:
        (height, width) float32; undefined where not valid.
    """
    from scipy.ndimage import gaussian_filter  # slow to import, not for --help

    if sigma <= 0:
        return score
    weight = valid.astype(np.float32)
    options = {"mode": "constant", "truncate": _TRUNCATE}
    mean: NDArray[np.float32] = gaussian_filter(score * weight, sigma, **options)
    norm = gaussian_filter(weight, sigma, **options)
    np.maximum(norm, np.float32(1e-6), out=norm)
    mean /= norm
    return mean


def smooth_along_edges(
    score: NDArray[np.float32],
    guides: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: NDArray[np.bool_],
    *,
    radius: int,
    epsilon: float,
) -> NDArray[np.float32]:
    """Guided filter with two guides, over the valid pixels only.

    In every window the score is fitted as a linear function of the guides; a pixel
    takes the mean of the fits of the windows that hold it. Where the guides have an
    edge, the result may have one; elsewhere it is a mean.

    Source: He, Sun & Tang 2013 (doi:10.1109/TPAMI.2012.213).

    Args:
        score: (height, width).
        guides: two images (height, width) in 0..1.
        valid: (height, width); pixels outside of the array count as not valid.
        radius: half the window in pixels; the result depends on twice of it.
        epsilon: variance of a guide below which its edges are smoothed away.

    Returns:
        (height, width) float32; undefined where not valid.
    """
    from scipy.ndimage import uniform_filter  # slow to import, not for --help

    weight = valid.astype(np.float32)

    def total(values: NDArray[np.float32]) -> NDArray[np.float32]:
        summed: NDArray[np.float32] = uniform_filter(
            values, 2 * radius + 1, mode="constant"
        )
        return summed

    count = total(weight)
    np.maximum(count, np.float32(1e-6), out=count)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = total(values * weight) / count
        return found

    first, second = guides
    m1, m2, mp = mean(first), mean(second), mean(score)
    v11 = mean(first * first) - m1 * m1 + np.float32(epsilon)
    v22 = mean(second * second) - m2 * m2 + np.float32(epsilon)
    v12 = mean(first * second) - m1 * m2
    c1, c2 = mean(first * score) - m1 * mp, mean(second * score) - m2 * mp
    determinant = v11 * v22 - v12 * v12
    a1 = (v22 * c1 - v12 * c2) / determinant
    a2 = (v11 * c2 - v12 * c1) / determinant
    offset = mp - a1 * m1 - a2 * m2
    result: NDArray[np.float32] = mean(a1) * first + mean(a2) * second + mean(offset)
    return result


def unit_levels(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Values 0..1 as 8-bit levels, 255 where not valid."""
    levels = np.rint(np.clip(values, 0.0, 1.0) * UNIT_LEVELS).astype(np.uint8)
    levels[~valid] = UNIT_NODATA
    return levels


def unit_values(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8-bit levels as values 0..1, NaN for nodata."""
    values: NDArray[np.float32] = levels.astype(np.float32)
    values /= UNIT_LEVELS
    values[levels == UNIT_NODATA] = np.nan
    return values


@dataclass(frozen=True, kw_only=True)
class ScoreScale:
    """How a method's score is held in 16 bits."""

    largest: float
    """The score of level 65534; larger ones are held as this."""

    def levels(
        self, score: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.uint16]:
        """Scores as levels, 65535 where not valid."""
        unit = np.clip(score / np.float32(self.largest), 0.0, 1.0)
        levels: NDArray[np.uint16]
        levels = np.rint(unit * np.float32(SCORE_LEVELS)).astype(np.uint16)
        levels[~valid] = SCORE_NODATA
        return levels

    def values(self) -> NDArray[np.float64]:
        """Score of each level 0..65534, shape (65535,)."""
        return np.linspace(0.0, self.largest, SCORE_LEVELS + 1)

    def bin_centres(self) -> NDArray[np.float64]:
        """Score in the middle of each histogram bin, shape (4096,)."""
        step = self.largest / HISTOGRAM_BINS
        return np.linspace(step / 2, self.largest - step / 2, HISTOGRAM_BINS)


def score_histogram(levels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Counts per bin, shape (4096,), nodata left out. Counts of blocks add up."""
    held = levels[levels != SCORE_NODATA].astype(np.int64)
    bins = held * HISTOGRAM_BINS // (SCORE_LEVELS + 1)
    return np.bincount(bins, minlength=HISTOGRAM_BINS)
