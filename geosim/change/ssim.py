"""Structural similarity per pixel (Wang et al. 2004), to scikit-image's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.windows import narrow, parts_of, whole, wide_box_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW = 7
"""Side of the window in pixels; scikit-image's default."""

REACH = WINDOW // 2
"""Pixels around a pixel that its value depends on."""

_C1, _C2 = np.float32(0.01**2), np.float32(0.03**2)
"""What keeps flat windows apart from a division by 0, for values in 0..1."""

_MIDDLE = np.float32(0.5)
"""Of the values' range."""

_SAMPLE = np.float32(WINDOW**2 / (WINDOW**2 - 1))
"""Variance of a sample over that of its pixels."""


def ssim_map(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """SSIM of the bands' mean, per pixel.

    Args:
        before: (bands, height, width) in 0..1, each side at least 7 px.
        after: as `before`.

    Returns:
        (height, width) float32 in -1..1, 1 = same.
    """
    # around 0 less is lost where squares of close numbers are subtracted
    first, second = (_mirrored(date.mean(axis=0) - _MIDDLE) for date in (before, after))
    similarity = np.empty(before.shape[1:], np.float32)
    for part in parts_of(whole(similarity.shape)):
        # the pixels' own windows reach as far on all sides
        around = tuple(slice(one.start, one.stop + 2 * REACH) for one in part)
        similarity[part] = _inside(first[around], second[around])
    return similarity


def _mirrored(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(image, REACH, mode="symmetric")


def _inside(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """SSIM of each pixel that has a whole window around it; values less `_MIDDLE`."""
    share = np.float32(1.0 / WINDOW**2)
    m1, m2 = wide_box_sum(first, REACH) * share, wide_box_sum(second, REACH) * share
    squares = wide_box_sum(first * first, REACH)
    squares += wide_box_sum(second * second, REACH)
    variances = (squares * share - m1 * m1 - m2 * m2) * _SAMPLE
    covariance = (wide_box_sum(first * second, REACH) * share - m1 * m2) * _SAMPLE
    m1 += _MIDDLE
    m2 += _MIDDLE
    similarity = (2 * m1 * m2 + _C1) * (2 * covariance + _C2)
    similarity /= (m1 * m1 + m2 * m2 + _C1) * (variances + _C2)
    return narrow(np.clip(similarity, -1.0, 1.0, out=similarity), REACH)
