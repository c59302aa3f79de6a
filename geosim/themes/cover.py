"""Land cover of pixels on one date, as soft memberships, from spectral indices.

A tree of soft questions: is it snow? If not, water? If not, covered by plants? Plants
are forest or other vegetation, what is bare of them is built-up or bare ground. Each
answer is a logistic curve around a threshold, not a step, and the memberships are the
products along the tree's branches: they add up to one and are lower where two covers
look alike. Thresholds are those of the indices' papers or lie where covers part on open
imagery; docs/themes.md tells which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from geosim.themes.classes import COVERS
from geosim.themes.indices import spectral_index
from geosim.themes.tones import WATER
from geosim.windows import box_minimum, filtered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Bands = Mapping[str, NDArray[np.float32]]

NEEDED = frozenset({"red", "green", "nir"})
"""Roles without which there are no indices to go by."""

_ROUGH = 5
"""Side in pixels of the window of `texture`."""

_MOVED = 21
"""Side in pixels of the window in which water must have moved for a bank."""

COVER_REACH = _MOVED // 2
"""Pixels around one that its covers look at: smoothing, texture and banks."""

ORDER = tuple(COVERS)
"""Covers in the order of a membership array."""

_WATER, _BUILT, _BARE = map(ORDER.index, ("water", "built_up", "bare"))


def soft(
    values: NDArray[np.float32], threshold: float, width: float
) -> NDArray[np.float32]:
    """A logistic step, 0..1: 0.5 at the threshold, 0.73 one `width` above it."""
    steep: NDArray[np.float32]
    steep = (values - np.float32(threshold)) * np.float32(1.0 / width)
    one = np.float32(1.0)
    step: NDArray[np.float32] = one / (one + np.exp(-np.clip(steep, -30.0, 30.0)))
    return step


def stacked(parts: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Memberships by cover as (7, ...); a cover that is missing is 0."""
    shape = next(iter(parts.values())).shape
    whole = np.zeros((len(ORDER), *shape), np.float32)
    for slug, membership in parts.items():
        whole[ORDER.index(slug)] = membership
    return whole


def texture(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """How rough the ground is: relative spread of the brightness in 5 x 5 pixels.

    Of all such windows that hold a pixel the calmest counts: an edge between two smooth
    fields is not rough.

    Args:
        seen: (height, width), what is seen, above 0.
    """
    calmest: NDArray[np.float32] = filtered(
        contrast(seen, _ROUGH), _ROUGH // 2, lambda part: box_minimum(part, _ROUGH // 2)
    )
    return calmest


def contrast(seen: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Relative spread of the brightness around a pixel.

    Args:
        seen: (height, width), what is seen, above 0.
        side: of the surroundings, in pixels.
    """
    tone = np.log(np.maximum(seen, np.float32(1e-3)))
    mean = uniform_filter(tone, side)
    spread = np.maximum(uniform_filter(tone * tone, side) - mean * mean, 0.0)
    found: NDArray[np.float32] = np.sqrt(spread)
    return found


def spectral_cover(
    bands: Bands, rough: NDArray[np.float32], wet: float = WATER
) -> NDArray[np.float32]:
    """Memberships of pixels, (7, ...) in the order of `COVERS`, that add up to 1.

    Args:
        bands: reflectances by role, of one shape; `NEEDED` and, better, `swir1`.
        rough: `texture` of what is seen, of that shape.
        wet: NDWI that parts water from land, where there is no `swir1`.
    """
    ndvi = spectral_index("ndvi", bands)
    snow, water = snow_cover(bands, ndvi), water_cover(bands, wet)
    plants = _plants(bands, ndvi)
    forest, built = _forest(bands, ndvi), _built(bands, rough)
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


def with_banks(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Built-up ground beside water that moved is taken for what it is: sand and mud.

    Banks look like roofs and roads to every index; where they lie tells them apart.

    Args:
        before: (7, height, width) memberships of date 1, with a margin of 10 px.
        after: of date 2.
    """
    bank = _bank(before, after)
    for cover in (before, after):
        taken = cover[_BUILT] * bank
        cover[_BARE] += taken
        cover[_BUILT] -= taken
    return before, after


def channels_with_banks(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[Iterator[NDArray[np.float32]], Iterator[NDArray[np.float32]]]:
    """`with_banks`, cover by cover, each (height, width); what is given stays."""
    bank = _bank(before, after)

    def channels(cover: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        for number, one in enumerate(cover):
            if number == _BARE:
                yield one + cover[_BUILT] * bank
            elif number == _BUILT:
                yield one - one * bank
            else:
                yield one

    return channels(before), channels(after)


def _bank(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width), 0..1: how much water moved around."""
    return soft(
        uniform_filter(np.abs(after[_WATER] - before[_WATER]), _MOVED), 0.15, 0.03
    )


def snow_cover(bands: Bands, ndvi: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bright where one sees, dark in the short-wave infrared (Hall et al. 1995).

    Returns:
        As the bands, 0..1.
    """
    bright = soft(bands["green"], 0.35, 0.03)
    if "swir1" in bands:
        lit = bright * soft(bands["nir"], 0.15, 0.03)
        return lit * soft(spectral_index("ndsi", bands), 0.4, 0.05)
    # without it a white roof looks the same: only what is very bright
    return soft(bands["green"], 0.6, 0.04) * soft(-ndvi, -0.1, 0.03)


def water_cover(bands: Bands, wet: float) -> NDArray[np.float32]:
    """Darker in the infrared than where one sees (McFeeters 1996; Xu 2006); 0..1.

    Args:
        bands: as `spectral_cover`.
        wet: as `spectral_cover`.
    """
    dark = soft(-bands["nir"], -0.19, 0.02)
    if "swir1" in bands:
        return dark * soft(spectral_index("mndwi", bands), 0.05, 0.06)
    return dark * soft(spectral_index("ndwi", bands), wet, 0.05)


def _plants(bands: Bands, ndvi: NDArray[np.float32]) -> NDArray[np.float32]:
    """Green; towns with gardens look green too, but are dry."""
    if "swir1" in bands:
        moist = ndvi + np.float32(0.5) * spectral_index("ndmi", bands)
        return soft(moist, 0.45, 0.05)
    return soft(ndvi, 0.38, 0.05)


def _forest(bands: Bands, ndvi: NDArray[np.float32]) -> NDArray[np.float32]:
    """Darker than other plants, and moister (Gao 1996)."""
    dark = soft(-bands["green"], -0.085, 0.012)
    if "swir1" in bands:
        return dark * soft(spectral_index("ndmi", bands), 0.27, 0.05)
    return dark * soft(ndvi, 0.6, 0.06)


def _built(bands: Bands, rough: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rough, where fields are smooth; less red than soil, lighter than burnt ground."""
    green: NDArray[np.float32] = np.maximum(bands["green"], np.float32(1e-3))
    redness = bands["red"] / green
    grey = soft(-redness, -1.4, 0.08)
    return soft(rough, 0.07, 0.015) * grey * soft(bands["red"], 0.06, 0.008)
