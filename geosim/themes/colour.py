"""Land cover from colour and texture alone, where a picture has red, green and blue.

The same tree of soft questions as in `geosim.themes.cover`, asked of what the eye has
to go by: how green (Woebbecke et al. 1995, Transactions of the ASAE 38(1)), how warm,
how bright, how rough. Shaded asphalt and a pond look alike: what colour tells is told
as less sure (`TRUST`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from geosim.themes.cover import contrast, soft, stacked, texture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Bands = Mapping[str, NDArray[np.float32]]

NEEDED = frozenset({"red", "green", "blue"})
"""Roles without which there is no colour to go by."""

TRUST = 0.7
"""What confidence is multiplied by: how much less sure colour is than indices."""

_FINE = 4.0
"""Metres per pixel below which single trees and roofs are seen."""

_SMOOTH = 5
"""Side in pixels of the window that colours are averaged in."""

_AROUND = 15
"""Side in pixels of the window whose contrast tells roofs and roads from soil."""


def colour_cover(bands: Bands, metres: float | None) -> NDArray[np.float32]:
    """Memberships of pixels, (7, height, width) in the order of `COVERS`.

    Args:
        bands: red, green and blue as they are displayed, 0..1.
        metres: size of a pixel on the ground; None: not known, taken for fine.
    """
    seen = (bands["red"] + bands["green"] + bands["blue"]) / np.float32(3.0)
    red, green, blue = (
        np.maximum(uniform_filter(bands[role], _SMOOTH), np.float32(1e-3))
        for role in ("red", "green", "blue")
    )
    total = red + green + blue
    light, greenness = total / np.float32(3.0), (2.0 * green - red - blue) / total
    warmth, rough = (red - blue) / total, texture(seen)
    leaves = _forest(light, greenness, rough, fine=metres is None or metres < _FINE)
    snow = soft(light, 0.92, 0.015) * soft(-np.abs(warmth), -0.03, 0.008)
    water = _water(light, greenness, warmth, rough)
    plants: NDArray[np.float32] = np.maximum(soft(greenness, 0.085, 0.015), leaves)
    built = _built(light, warmth, contrast(seen, _AROUND))
    dry = (1.0 - snow) * (1.0 - water)
    return stacked(
        {
            "snow_ice": snow,
            "water": (1.0 - snow) * water,
            "forest": dry * plants * leaves,
            "vegetation": dry * plants * (1.0 - leaves),
            "built_up": dry * (1.0 - plants) * built,
            "bare": dry * (1.0 - plants) * (1.0 - built),
        }
    )


def _water(
    light: NDArray[np.float32],
    greenness: NDArray[np.float32],
    warmth: NDArray[np.float32],
    rough: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Smooth, dark, neither green nor warm."""
    still = soft(-rough, -0.035, 0.006) * soft(-light, -0.45, 0.02)
    return still * soft(-greenness, -0.105, 0.012) * soft(-warmth, -0.01, 0.01)


def _forest(
    light: NDArray[np.float32],
    greenness: NDArray[np.float32],
    rough: NDArray[np.float32],
    *,
    fine: bool,
) -> NDArray[np.float32]:
    """Dark and not grey; where single crowns are seen, rough."""
    if not fine:
        return soft(-light, -0.27, 0.012) * soft(greenness, 0.02, 0.012)
    crowns = soft(rough, 0.035, 0.006) * soft(-light, -0.42, 0.025)
    return crowns * soft(greenness, 0.03, 0.012)


def _built(
    light: NDArray[np.float32],
    warmth: NDArray[np.float32],
    contrast: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Edges around it; grey, or as red as tiles."""
    grey = soft(-np.abs(warmth), -0.045, 0.01) * soft(light, 0.3, 0.03)
    paint: NDArray[np.float32] = np.maximum(grey, soft(warmth, 0.14, 0.015))
    return soft(contrast, 0.1, 0.015) * paint
