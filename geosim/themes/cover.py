"""Land cover of pixels on one date, as soft memberships, from spectral indices.

A tree of soft questions: is it snow? If not, water? If not, covered by plants? Plants are
forest or other vegetation, what is bare of them is built-up or bare ground. Each answer
is a logistic curve around a threshold, not a step, and the memberships are the products
along the tree's branches, so that they add up to one and are lower where two covers look
alike. Thresholds are those of the indices' papers or lie where covers part on open
imagery; docs/themes.md tells which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.themes.classes import COVERS
from geosim.themes.indices import spectral_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Bands = Mapping[str, NDArray[np.float32]]

NEEDED = frozenset({"red", "green", "nir"})
"""Roles without which there are no indices to go by."""

ORDER = tuple(COVERS)
"""Covers in the order of a membership array."""


def soft(
    values: NDArray[np.float32], threshold: float, width: float
) -> NDArray[np.float32]:
    """A logistic step, 0..1: 0.5 at the threshold, 0.73 one `width` above it."""
    steep: NDArray[np.float32]
    steep = (values - np.float32(threshold)) * np.float32(1.0 / width)
    return 1.0 / (1.0 + np.exp(np.clip(-steep, -30.0, 30.0)))


def stacked(parts: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Memberships by cover as (7, ...); a cover that is missing is 0."""
    shape = next(iter(parts.values())).shape
    whole = np.zeros((len(ORDER), *shape), np.float32)
    for slug, membership in parts.items():
        whole[ORDER.index(slug)] = membership
    return whole


def spectral_cover(bands: Bands) -> NDArray[np.float32]:
    """Memberships of pixels, (7, ...) in the order of `COVERS`, that add up to 1.

    Args:
        bands: reflectances by role, of one shape; `NEEDED` and, better, `swir1`.
    """
    ndvi = spectral_index("ndvi", bands)
    snow, water = _snow(bands, ndvi), _water(bands)
    plants = soft(ndvi, 0.38, 0.05)
    forest, built = _forest(bands, ndvi), _built(bands)
    dry = (1.0 - snow) * (1.0 - water)
    return stacked(
        {
            "snow_ice": snow,
            "water": (1.0 - snow) * water,
            "forest": dry * plants * forest,
            "vegetation": dry * plants * (1.0 - forest),
            "built_up": dry * (1.0 - plants) * built,
            "bare": dry * (1.0 - plants) * (1.0 - built),
        }
    )


def _snow(bands: Bands, ndvi: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bright where one sees, dark in the short-wave infrared (Hall et al. 1995)."""
    bright = soft(bands["green"], 0.35, 0.03)
    if "swir1" in bands:
        lit = bright * soft(bands["nir"], 0.15, 0.03)
        return lit * soft(spectral_index("ndsi", bands), 0.4, 0.05)
    # without it a white roof looks the same: only what is very bright
    return soft(bands["green"], 0.6, 0.04) * soft(-ndvi, -0.1, 0.03)


def _water(bands: Bands) -> NDArray[np.float32]:
    """Darker in the infrared than where one sees (McFeeters 1996; Xu 2006)."""
    dark = soft(-bands["nir"], -0.19, 0.02)
    if "swir1" in bands:
        return dark * soft(spectral_index("mndwi", bands), 0.05, 0.06)
    return dark * soft(spectral_index("ndwi", bands), 0.05, 0.05)


def _forest(bands: Bands, ndvi: NDArray[np.float32]) -> NDArray[np.float32]:
    """Darker than other plants, and moister (Gao 1996)."""
    dark = soft(-bands["green"], -0.085, 0.012)
    if "swir1" in bands:
        return dark * soft(spectral_index("ndmi", bands), 0.27, 0.05)
    return dark * soft(ndvi, 0.6, 0.06)


def _built(bands: Bands) -> NDArray[np.float32]:
    """Less red than soil, and less bright than sand."""
    redness = bands["red"] / np.maximum(bands["green"], np.float32(1e-3))
    grey = soft(-redness, -1.35, 0.12)
    return grey
