"""Season: places that look different on two dates and are still what they were.

Fields are green on one date and bare on the other, rivers run clear or muddy. To a
network, as to the eye, that is a large difference; to a reader who asks what was
built, cleared or flooded it is none. Where the near infrared is known, such places can
be told: a field is smooth on both dates and green on one, and neither water nor snow
nor, like forest with or without its leaves, dark; water is water on both dates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, grey_closing

from geosim.themes.cover import snow_cover, soft, texture, water_cover
from geosim.themes.indices import spectral_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.themes.cover import Bands
    from geosim.themes.tones import Tones

SEASON_METRES = 6.0, 24.0
"""Sizes of a pixel between which fields are told from what is built: finer ones see
smooth roofs, coarser ones mix fields."""

CALM = 0.06
"""Probability to which a place falls that is season beyond doubt: about that of what
stays the same in a usual scene."""

_SMOOTH, _SMOOTH_WIDTH = 0.05, 0.012
"""`texture` below which ground is as smooth as a field."""

_DARK, _DARK_WIDTH = 0.015, 0.004
"""Reflectance above the scene's darkest ground up to which it may be forest."""

_GREEN, _GREEN_WIDTH = 0.22, 0.04
"""NDVI that a field has on one date at least: stubble does, building land does not."""

_GAP = 3
"""Side in pixels of the closing: lines between fields that are narrower go with them,
a road of 3 px and more stays."""

SEASON_REACH = 8
"""Pixels around a window that `season_share` looks at: texture and closing."""


def season_share(
    before: Bands, after: Bands, tones: tuple[Tones, Tones], sigma: float = 0.0
) -> NDArray[np.float32]:
    """How surely a pixel is field on both dates, or water on both, or beside such.

    A score is smoothed, so what lies beside a field has a part of the field's score. It
    is as much season as the same smoothing tells, but where water came or went.

    Args:
        before: reflectances of date 1 by role (red, green, nir and, better, swir1),
            each (height, width), with a margin of `SEASON_REACH` + `rim_reach` pixels.
        after: of date 2.
        tones: of both dates, where water begins and what is dark.
        sigma: standard deviation in pixels of the Gaussian that smoothed the score.

    Returns:
        (height, width) 0..1.
    """
    indices = [spectral_index("ndvi", date) for date in (before, after)]
    waters = [
        water_cover(date, own.water)
        for date, own in zip((before, after), tones, strict=True)
    ]
    fields = [
        _field(date, own, index, water)
        for date, own, index, water in zip(
            (before, after), tones, indices, waters, strict=True
        )
    ]
    green = soft(np.maximum(*indices), _GREEN, _GREEN_WIDTH)
    share = np.maximum(fields[0] * fields[1] * green, waters[0] * waters[1])
    closed: NDArray[np.float32] = grey_closing(share, (_GAP, _GAP))
    if sigma <= 0:
        return closed
    rims = gaussian_filter(closed, sigma, radius=rim_reach(sigma), mode="nearest")
    rims *= 1.0 - np.abs(waters[1] - waters[0])
    with_rims: NDArray[np.float32] = np.maximum(closed, rims)
    return with_rims


def rim_reach(sigma: float) -> int:
    """Pixels around a window that the rims take."""
    return math.ceil(3 * sigma)


def _field(
    bands: Bands,
    tones: Tones,
    ndvi: NDArray[np.float32],
    water: NDArray[np.float32],
) -> NDArray[np.float32]:
    """How well one date's pixels would do for a field, 0..1."""
    seen = bands["red"] + bands["green"]
    smooth = soft(-texture(seen), -_SMOOTH, _SMOOTH_WIDTH)
    above = seen * np.float32(0.5) - np.float32(tones.dark)
    light = soft(above, _DARK, _DARK_WIDTH)
    return (1.0 - water) * (1.0 - snow_cover(bands, ndvi)) * smooth * light


def without_season(
    probability: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Probability of change that is not season.

    Log odds above those of `CALM` shrink towards them by the share: what is no season
    stays as it is, what is nothing else ends there, what was lower is not touched.

    Args:
        probability: (...) 0..1.
        share: of season, 0..1, of the same shape.
    """
    calm = np.float32(np.log(CALM / (1.0 - CALM)))
    inside = np.clip(probability, np.float32(1e-6), np.float32(1.0 - 1e-6))
    odds = np.log(inside / (1.0 - inside))
    left = calm + (odds - calm) * (1.0 - share)
    damped = 1.0 / (1.0 + np.exp(-left))
    found: NDArray[np.float32]
    found = np.where((probability > CALM) & (share > 0), damped, probability)
    return found.astype(np.float32)
