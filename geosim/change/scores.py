"""Scores on paper and on disk: smoothing with nodata, 8- and 16-bit levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.windows import (
    all_around,
    gaussian_kernel,
    narrow,
    parts_of,
    strips_of,
    surrounded,
    weighted_sum,
    whole,
    wide_box_sum,
    wide_middle,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.windows import Part

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
    score: NDArray[np.float32],
    valid: NDArray[np.bool_],
    sigma: float,
    where: Part | None = None,
) -> NDArray[np.float32]:
    """Gaussian mean over the valid pixels only (normalised convolution).

    Args:
        score: (height, width).
        valid: (height, width); pixels outside of the array count as not valid.
        sigma: in pixels; 0 leaves the score as it is.
        where: rows and columns that are wanted; None: all.

    Returns:
        (height, width) float32; undefined where not valid or not wanted.
    """
    if sigma <= 0:
        return score
    reach = smoothing_reach(sigma)
    kernel = gaussian_kernel(sigma, reach)
    out = np.empty(score.shape, np.float32)
    even = np.ones((2 * reach + 1, 2 * reach + 1), np.float32)
    for part in parts_of(where or whole(score.shape)):
        values, weight = surrounded(score, part, reach), even
        if not all_around(valid, part, reach):
            weight = surrounded(valid, part, reach)
            values *= weight
        mean = weighted_sum(values, kernel)
        mean /= np.maximum(weighted_sum(weight, kernel), np.float32(1e-6))
        out[part] = mean
    return out


def smooth_along_edges(
    score: NDArray[np.float32],
    guides: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: NDArray[np.bool_],
    *,
    radius: int,
    epsilon: float,
    where: Part | None = None,
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
        where: rows and columns that are wanted; None: all.

    Returns:
        (height, width) float32; undefined where not valid or not wanted.
    """
    out = np.empty(score.shape, np.float32)
    for part in parts_of(where or whole(score.shape)):
        first, second, values = (
            surrounded(one, part, 2 * radius) for one in (*guides, score)
        )
        weight = None
        if not all_around(valid, part, 2 * radius):
            weight = surrounded(valid, part, 2 * radius)
        out[part] = _guided(
            first, second, values, weight, radius=radius, epsilon=epsilon
        )
    return out


def _guided(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    score: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    *,
    radius: int,
    epsilon: float,
) -> NDArray[np.float32]:
    """The filter where two radii around a pixel are there, each side shorter by them.

    `weight` is 1 where a pixel counts and else 0; None where all of them count. All
    is wide (see `wide_box_sum`) up to the end.
    """
    w1, w2, wp = first, second, score
    share = shared = np.full((1, 1), 1.0 / (2 * radius + 1) ** 2, np.float32)
    if weight is not None:
        w1, w2, wp = first * weight, second * weight, score * weight
        share = np.maximum(wide_box_sum(weight, radius), np.float32(1e-6))
        np.reciprocal(share, share)
        weight, shared = wide_middle(weight, radius), wide_middle(share, radius)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        total = wide_box_sum(values, radius)
        total *= share
        return total

    m1, m2, mp = mean(w1), mean(w2), mean(wp)
    v11 = mean(w1 * first) - m1 * m1 + np.float32(epsilon)
    v22 = mean(w2 * second) - m2 * m2 + np.float32(epsilon)
    v12 = mean(w1 * second) - m1 * m2
    c1, c2 = mean(w1 * score) - m1 * mp, mean(w2 * score) - m2 * mp
    scaled = np.reciprocal(v11 * v22 - v12 * v12)
    if weight is not None:
        scaled *= weight
        mp *= weight
    a1 = (v22 * c1 - v12 * c2) * scaled
    a2 = (v11 * c2 - v12 * c1) * scaled
    offset: NDArray[np.float32] = mp - a1 * m1 - a2 * m2
    result = wide_box_sum(a1, radius) * wide_middle(first, 2 * radius)
    result += wide_box_sum(a2, radius) * wide_middle(second, 2 * radius)
    result += wide_box_sum(offset, radius)
    result *= shared
    return narrow(result, 2 * radius)


def unit_levels(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Values 0..1 as 8-bit levels, 255 where not valid."""
    levels = np.full(values.shape, UNIT_NODATA, np.uint8)
    for rows in strips_of(values.shape):
        unit = np.clip(values[rows], 0.0, 1.0)
        unit *= UNIT_LEVELS
        # a NaN, which is not valid, would warn
        np.copyto(levels[rows], np.rint(unit), where=valid[rows], casting="unsafe")
    return levels


@dataclass(frozen=True, kw_only=True)
class ScoreScale:
    """How a method's score is held in 16 bits."""

    largest: float
    """The score of level 65534; larger ones are held as this."""

    def levels(
        self, score: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.uint16]:
        """Scores as levels, 65535 where not valid."""
        levels = np.full(score.shape, SCORE_NODATA, np.uint16)
        for rows in strips_of(score.shape):
            unit = np.clip(score[rows] / np.float32(self.largest), 0.0, 1.0)
            unit *= np.float32(SCORE_LEVELS)
            np.copyto(levels[rows], np.rint(unit), where=valid[rows], casting="unsafe")
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
