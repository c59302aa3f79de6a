"""Signs of cloud and haze in a pair of images alone: for a warning, not for a mask.

A cloud adds light in every band, so that even the darkest band is bright (the dark
channel of He, Sun & Tang 2011, IEEE Trans. Pattern Analysis 33(12)); it is colourless,
wider than a building, its edge is soft, and the other date does not show it. Haze lifts
the darkest places of a whole date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import (
    binary_erosion,
    gaussian_gradient_magnitude,
    maximum_filter,
    minimum_filter,
    uniform_filter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Dates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]

_RISE = 0.15
"""How much brighter the darkest band must be than on the other date."""

_LIT, _NO_ROOM = 0.5, 0.2
"""A band that is brighter than the first on the other date, as infrared over plants is,
has no room to rise: it must only not fall by more than 0.05."""

_BRIGHT = 0.35
"""How bright it must be."""

_COLOUR = 0.3
"""Largest saturation, (max - min) / max over the bands."""

_METRES = 60.0
_SIDES = 7, 61
"""Least width of a cloud: metres, and its limits in pixels."""

SHARP = 0.2
"""Median gradient per pixel at the edge, as a share of the rise, from which the edge is
that of a field or a roof."""

_SHARE = 0.015
"""Share of the pixels looked at from which a warning is given."""

_PATCH = 15
"""Side in pixels of the patch whose darkest pixel is the dark channel."""

_DARKEST_PERCENT = 5.0
_HAZE = 0.15
"""How much brighter a date's darkest patches must be than the other's."""


@dataclass(frozen=True, kw_only=True)
class CloudSigns:
    """What a date shows that the other does not."""

    share: float
    """Share of the pixels looked at that look like cloud, 0..1."""
    haze: float
    """By how much its darkest places are brighter than the other's, -1..1."""

    @property
    def cloudy(self) -> bool:
        """True where a reader should be warned of cloud."""
        return self.share >= _SHARE

    @property
    def hazy(self) -> bool:
        """True where a reader should be warned of haze."""
        return self.haze >= _HAZE


def cloud_signs(
    pieces: Sequence[Dates], metres: float | None
) -> tuple[CloudSigns, CloudSigns]:
    """Signs of cloud and haze on date 1 and on date 2.

    Args:
        pieces: windows of the scene, each (bands, height, width) of both dates in 0..1
            on one scale for all bands, and (height, width), True where valid.
        metres: size of a pixel on the ground; None: not known.
    """
    side = cloud_side(metres)
    seen = max(sum(int(valid.sum()) for *_, valid in pieces), 1)
    shares = []
    for order in ((0, 1), (1, 0)):
        found = [
            _cloud(dates[order[0]], dates[order[1]], dates[2], side) for dates in pieces
        ]
        edges = np.concatenate([edge for _, edge in found]) if found else np.zeros(0)
        soft = len(edges) > 0 and float(np.median(edges)) < SHARP
        shares.append(sum(count for count, _ in found) / seen if soft else 0.0)
    darkest = [_darkest(pieces, date) for date in (0, 1)]
    return (
        CloudSigns(share=shares[0], haze=darkest[0] - darkest[1]),
        CloudSigns(share=shares[1], haze=darkest[1] - darkest[0]),
    )


def cloud_side(metres: float | None) -> int:
    """Least width of a cloud in pixels, odd.

    Args:
        metres: size of a pixel on the ground; None: not known.
    """
    if metres is None:
        return _SIDES[0]
    return int(np.clip(round(_METRES / metres) // 2 * 2 + 1, *_SIDES))


def _cloud(
    date: NDArray[np.float32],
    other: NDArray[np.float32],
    valid: NDArray[np.bool_],
    side: int,
) -> tuple[int, NDArray[np.float32]]:
    """Pixels of a piece that look like cloud; how steep their edges are."""
    low, high = date.min(axis=0), date.max(axis=0)
    rise = np.where(other > _LIT, date - other + _NO_ROOM, date - other).min(axis=0)
    pale = high - low < _COLOUR * high
    bright = valid & (rise > _RISE) & (low > _BRIGHT) & pale
    # what is narrower than a cloud goes: an opening
    wide = minimum_filter(bright.astype(np.uint8), side, mode="constant", cval=1)
    kept = (maximum_filter(wide, side) > 0) & valid
    if not kept.any():
        return 0, np.zeros(0, np.float32)
    added = uniform_filter(low - other.min(axis=0), 3)
    edge = kept & ~binary_erosion(kept, border_value=1)
    steep = gaussian_gradient_magnitude(added, 1.0)[edge]
    return int(kept.sum()), steep / max(float(np.median(added[kept])), 1e-3)


def _darkest(pieces: Sequence[Dates], date: int) -> float:
    """Brightness of the darkest patches of a date."""
    found = []
    for dates in pieces:
        low = np.where(dates[2], dates[date].min(axis=0), np.float32(1.0))
        found.append(minimum_filter(low, _PATCH)[dates[2]])
    values = np.concatenate(found) if found else np.zeros(1)
    return float(np.percentile(values, _DARKEST_PERCENT)) if values.size else 0.0
