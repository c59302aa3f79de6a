"""Signs of clouds' shadows in a pair of images alone: for a warning, not for a mask.

A shadow takes about the same part of the light in every band and leaves the ground to
be seen: what is darker is darker by one factor, its detail is that of the other date,
its edge is soft, and it is as wide as a cloud. New water, burnt or ploughed ground is
darker too, but shows another detail or a sharp edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import (
    binary_erosion,
    gaussian_gradient_magnitude,
    maximum_filter,
    minimum_filter,
    uniform_filter,
)

from geosim.change.clouds import SHARP, cloud_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.change.clouds import Dates

_DARK = 0.02
"""Added to both dates: below it ratios are noise."""

_LEFT = 0.75
"""Part of the light that is left at most, in every band."""

_UNLIKE = 0.3
"""Largest difference of that part between bands; the sky lights shadows, in blue."""

_LIT = 0.1
"""How bright the other date must be for a shadow to show."""

_DETAIL = 7
"""Side in pixels of the mean that detail is told from."""

_SAME_GROUND = 0.35
"""Correlation of both dates' detail within shadows from which it is one ground."""

_SHARE = 0.015
"""Share of the pixels looked at from which a warning is given."""


def shadow_shares(pieces: Sequence[Dates], metres: float | None) -> tuple[float, float]:
    """Share of the pixels that look like a cloud's shadow on date 1 and on date 2.

    Args:
        pieces: as in `geosim.change.clouds.cloud_signs`.
        metres: size of a pixel on the ground; None: not known.

    Returns:
        0..1 for each date; 0 where it is too little for a warning.
    """
    seen = sum(int(valid.sum()) for *_, valid in pieces)
    if not seen:
        return 0.0, 0.0
    side = cloud_side(metres)
    first, second = (_share(pieces, date, side, seen) for date in (0, 1))
    return first, second


def _share(pieces: Sequence[Dates], date: int, side: int, seen: int) -> float:
    """The share of one date."""
    ratios = [(dates[date] + _DARK) / (dates[1 - date] + _DARK) for dates in pieces]
    # a whole date may be darker, as in winter
    usual = np.median(
        np.concatenate(
            [ratio[:, dates[2]] for ratio, dates in zip(ratios, pieces, strict=True)],
            axis=1,
        ),
        axis=1,
    )
    found, edges, details = 0, [], []
    for ratio, (before, after, valid) in zip(ratios, pieces, strict=True):
        left = ratio / np.maximum(usual, _DARK)[:, None, None]
        here, there = (before, after) if date == 0 else (after, before)
        kept = _darkened(left, there, valid, side)
        if kept.any():
            found += int(kept.sum())
            grey = here.mean(axis=0), there.mean(axis=0)
            edges.append(_steepness(grey[1] * usual.mean() - grey[0], kept))
            inside = binary_erosion(kept, iterations=2, border_value=1)
            details.append([_detail(one)[inside] for one in grey])
    share, steep = found / seen, np.concatenate(edges) if edges else np.zeros(0)
    if share < _SHARE or not len(steep) or float(np.median(steep)) >= SHARP:
        return 0.0
    own, other = np.concatenate(details, axis=1)
    return share if _correlation(own, other) >= _SAME_GROUND else 0.0


def _darkened(
    left: NDArray[np.float32],
    other: NDArray[np.float32],
    valid: NDArray[np.bool_],
    side: int,
) -> NDArray[np.bool_]:
    """(height, width), True where all bands lost alike, as wide as a cloud."""
    high = left.max(axis=0)
    alike = high - left.min(axis=0) < _UNLIKE
    dark = valid & (high < _LEFT) & alike & (other.mean(axis=0) > _LIT)
    # what is narrower than a cloud goes: an opening
    wide = minimum_filter(dark.astype(np.uint8), side, mode="constant", cval=1)
    kept: NDArray[np.bool_] = (maximum_filter(wide, side) > 0) & valid
    return kept


def _steepness(
    lost: NDArray[np.float32], kept: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Gradient per pixel at the edges, as a share of what is lost within."""
    edge = kept & ~binary_erosion(kept, border_value=1)
    steep = gaussian_gradient_magnitude(uniform_filter(lost, 3), 1.0)[edge]
    share: NDArray[np.float32] = steep / max(float(np.median(lost[kept])), 1e-3)
    return share


def _detail(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of an image without its mean over the surroundings."""
    left: NDArray[np.float32] = grey - uniform_filter(grey, _DETAIL)
    return left


def _correlation(own: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Pearson's; 0 where either has no detail."""
    own, other = own - own.mean(), other - other.mean()
    size = float(np.sqrt((own**2).sum() * (other**2).sum()))
    return float((own * other).sum()) / size if size > 0 else 0.0
