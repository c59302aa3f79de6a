"""From the numbers in a file to reflectances, or to numbers that stand in for them.

Indices are ratios of reflectances. Many files hold digital numbers instead: then the
darkest pixels of the scene give what the air adds, and its brightest near infrared the
scale, so that what follows works on numbers of about the same size everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from geosim.themes.indices import spectral_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Scaling = tuple[float, float]

WATER = 0.05
"""NDWI that parts water from land in reflectances, where both are told apart by NIR too
(McFeeters 1996 cuts at 0)."""

_WATER_MOST = 0.45
"""Largest such NDWI that a scene of digital numbers may ask for."""

_LARGEST_SHARE = 2.0
"""Largest reflectance that a float file is believed to hold."""

_TEN_THOUSAND = 1e-4
"""Scale of reflectances in whole numbers: Sentinel-2, Planet, most archives."""

_LANDSAT_2 = (2.75e-5, -0.2)
"""Scale and offset of surface reflectance in Landsat's Collection 2, level 2."""
_LANDSAT_2_LEAST = 5_000
"""Its numbers begin at about 7,300."""

_PLAUSIBLE = (0.2, 1.2)
"""Where the brightest near infrared of land lies as a reflectance."""

_BRIGHT_PERCENT = 98.0
_BRIGHT = 0.40
"""What the near infrared's 98th percentile stands for where its scale is not known:
dense plants and dry soil."""

_BINS = 200
"""Bins of an index's histogram."""

_DARK_PERCENT = 0.1
_DARK = 0.01
"""Reflectance of the darkest pixels (Chavez 1988, Remote Sensing of Environment 24)."""

_DARKEST_PERCENT = 0.5
"""Percentile of red and green that stands for the darkest ground: forest, shade."""

_RAW_GAINS = {
    "blue": 0.39,
    "green": 0.79,
    "red": 0.67,
    "nir": 0.85,
    "swir1": 0.56,
    "swir2": 0.81,
}
"""Reflectance per digital number of Landsat's TM and ETM+, relative to each other: gain
over the sun's irradiance (Chander et al. 2009, Remote Sensing of Environment 113)."""


@dataclass(frozen=True, kw_only=True)
class Tones:
    """How one date's numbers become reflectances: `gain * number + offset`."""

    gain: NDArray[np.float32]
    """(roles,)."""
    offset: NDArray[np.float32]
    """(roles,)."""
    kind: Literal["reflectance", "digital numbers"]
    """What the file holds, as far as one can tell."""
    water: float = WATER
    """NDWI of this date from which on water is more likely than not."""
    dark: float = 0.0
    """Mean of red and green of the scene's darkest ground, a reflectance."""

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reflectances of file values, (roles, ...)."""
        shape = (-1,) + (1,) * (values.ndim - 1)
        scaled: NDArray[np.float32]
        scaled = values * self.gain.reshape(shape) + self.offset.reshape(shape)
        return scaled


def fit_tones(
    sample: NDArray[np.float32],
    roles: Sequence[str],
    *,
    dtype: str,
    scaling: Mapping[str, Scaling],
    sensor: str | None = None,
) -> Tones:
    """How the numbers of one date become reflectances.

    Args:
        sample: (roles, n) valid file values from all over the scene.
        roles: of the bands.
        dtype: of the file.
        scaling: scale and offset that the file declares, by role.
        sensor: its name where the user gave it.
    """
    declared = [scaling.get(role, (1.0, 0.0)) for role in roles]
    if any(pair != (1.0, 0.0) for pair in declared):
        return _linear(declared)
    if dtype.startswith("float"):
        if np.percentile(sample, 99) <= _LARGEST_SHARE:
            return _linear([(1.0, 0.0)] * len(roles))
    elif dtype != "uint8":
        landsat = sensor is not None and sensor.startswith("landsat")
        if landsat and np.percentile(sample, 1) > _LANDSAT_2_LEAST:
            return _linear([_LANDSAT_2] * len(roles))
        bright = _TEN_THOUSAND * _bright(sample, roles)
        if _PLAUSIBLE[0] <= bright <= _PLAUSIBLE[1]:
            return _linear([(_TEN_THOUSAND, 0.0)] * len(roles))
    return _relative(sample, roles, raw=sensor in ("landsat-tm", "landsat-etm"))


def with_darkest(
    tones: Tones, sample: NDArray[np.float32], roles: Sequence[str]
) -> Tones:
    """The tones with the scene's darkest ground; red and green must be known.

    Args:
        tones: of one date.
        sample: (roles, n) valid file values from all over the scene.
        roles: of the bands.
    """
    bands = dict(zip(roles, tones.apply(sample), strict=True))
    seen = (bands["red"] + bands["green"]) / 2
    return replace(tones, dark=float(np.percentile(seen, _DARKEST_PERCENT)))


def fit_display(sample: NDArray[np.float32], dtype: str) -> Tones:
    """How the numbers of one date become what a screen shows, 0..1.

    Args:
        sample: (roles, n) valid file values from all over the scene.
        dtype: of the file; 8-bit pictures are shown as they are, others stretched
            between the 1st and the 99th percentile of all bands.
    """
    low, high = 0.0, 255.0
    if dtype != "uint8":
        low, high = (float(value) for value in np.percentile(sample, (1.0, 99.0)))
    width = high - low if high > low else 1.0
    shape = len(sample)
    return Tones(
        gain=np.full(shape, 1.0 / width, np.float32),
        offset=np.full(shape, -low / width, np.float32),
        kind="digital numbers",
    )


def _linear(pairs: Sequence[Scaling]) -> Tones:
    gain, offset = np.array(pairs, np.float32).T
    return Tones(gain=gain, offset=offset, kind="reflectance")


def _bright(sample: NDArray[np.float32], roles: Sequence[str]) -> float:
    """The brightest near infrared, or of all bands where there is none."""
    band = sample[roles.index("nir")] if "nir" in roles else sample
    return float(np.percentile(band, _BRIGHT_PERCENT))


def _relative(sample: NDArray[np.float32], roles: Sequence[str], *, raw: bool) -> Tones:
    """Numbers in place of reflectances, relative to the scene."""
    gain, dark = np.ones(len(roles)), np.zeros(len(roles))
    if raw:
        gain = np.array([_RAW_GAINS[role] for role in roles])
        dark = gain * np.percentile(sample, _DARK_PERCENT, axis=1)
    scaled = sample * gain[:, None] - dark[:, None]
    bright = _bright(scaled.astype(np.float32), roles)
    scale = _BRIGHT / bright if bright > 0 else 1.0
    tones = Tones(
        gain=(scale * gain).astype(np.float32),
        offset=(_DARK * raw - scale * dark).astype(np.float32),
        kind="digital numbers",
    )
    if not {"green", "nir"} <= set(roles):
        return tones
    bands = dict(zip(roles, tones.apply(sample), strict=True))
    valley = _valley(spectral_index("ndwi", bands))
    return replace(tones, water=min(max(valley, WATER), _WATER_MOST))


def _valley(index: NDArray[np.float32]) -> float:
    """Where an index, -1..1, parts into two classes (Otsu 1979, IEEE Trans. SMC 9)."""
    counts, edges = np.histogram(index, bins=_BINS, range=(-1.0, 1.0))
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = below[-1] + counts[-1] - below
    moment = np.cumsum(counts * middle)
    first = moment[:-1] / np.maximum(below, 1)
    second = (moment[-1] - moment[:-1]) / np.maximum(above, 1)
    between = below * above * (first - second) ** 2
    return float(edges[1 + int(between.argmax())])
