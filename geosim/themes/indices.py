"""Spectral indices: normalised differences of two bands of reflectances.

| index | bands | paper |
|---|---|---|
| NDVI | nir, red | Rouse et al. 1974, 3rd ERTS Symposium |
| NDWI | green, nir | McFeeters 1996, Int. J. Remote Sensing 17(7) |
| MNDWI | green, swir1 | Xu 2006, Int. J. Remote Sensing 27(14) |
| NDBI | swir1, nir | Zha et al. 2003, Int. J. Remote Sensing 24(3) |
| NDSI | green, swir1 | Hall et al. 1995, Remote Sensing of Environment 54 |
| NDMI | nir, swir1 | Gao 1996, Remote Sensing of Environment 58 |

MNDWI and NDSI are one ratio: snow is told from water by how bright it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

INDICES: dict[str, tuple[str, str]] = {
    "ndvi": ("nir", "red"),
    "ndwi": ("green", "nir"),
    "mndwi": ("green", "swir1"),
    "ndbi": ("swir1", "nir"),
    "ndsi": ("green", "swir1"),
    "ndmi": ("nir", "swir1"),
}
"""Index to its two bands, by role: (first - second) / (first + second)."""

_LEAST = 1e-6
"""Sum of two reflectances below which there is nothing to compare."""


def spectral_index(
    name: str, bands: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """An index of `INDICES`, -1..1; 0 where both bands are 0.

    Args:
        name: which.
        bands: reflectances by role, of one shape; what is negative counts as 0.

    Raises:
        KeyError: a band is missing.
    """
    first, second = (np.maximum(bands[role], 0.0) for role in INDICES[name])
    total = first + second
    index: NDArray[np.float32]
    index = (first - second) / np.maximum(total, np.float32(_LEAST))
    return index
