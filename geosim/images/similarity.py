"""From a model's numbers to a similarity that means the same for every model.

Cosines of different models cannot be compared: unrelated photographs have 0.1 with one
and 0.6 with another. A calibration says where a model's cosine of unrelated pictures
ends and that of one picture under two treatments begins; the similarity is a logistic
curve whose middle lies halfway between. It is 1 for a cosine of 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from geosim.images.reference import reference_pictures, treated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.images.models import ImageModel, LevelMaps

    FloatArray = NDArray[np.float32]

_AT_SAME = 0.95
"""Similarity where the cosine of one picture under two treatments begins."""

_UNRELATED_QUANTILE = 0.95
"""Where the cosines of unrelated pictures end."""

_LEAST_GAP = 0.02
"""Between the two, so that the curve has a slope."""

_SMOOTHING = 1 / 160
"""Standard deviation of the smoothing of a difference map, in long sides of it."""

_LEAST_SMOOTHING = 2.0
"""The same in pixels, at least."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a model's numbers are like for pictures that are known to be (un)related."""

    unrelated: float
    """Cosine below which 95 % of unrelated pictures lie."""
    same: float
    """Cosine above which nearly all treatments of one picture lie."""
    levels: tuple[float, float, float]
    """Mean distance of unrelated pictures at low, mid and high level."""


CALIBRATIONS: Mapping[str, Calibration] = {
    # geosim-vgg16-1, on aerial tiles (scripts/calibrate_similarity.py)
    "445ce1e9e0d03807312d5140134c643005f1cf34cf2f14022a490c4a52ff8cff": Calibration(
        unrelated=0.38, same=0.85, levels=(0.51, 0.68, 0.79)
    ),
    # geosim-small-1, on the same
    "f829a976668063eea2a73924655cdcd8b07b0651841d9430148db3a4072cbea3": Calibration(
        unrelated=0.52, same=0.88, levels=(0.51, 0.66, 0.79)
    ),
    # SSIM, which has no weights, on the same
    "ssim": Calibration(unrelated=0.25, same=0.99, levels=(0.43, 0.47, 0.47)),
}
"""By a model's fingerprint; others are calibrated when first used."""


def calibration_of(model: ImageModel) -> Calibration:
    """The calibration of a model: known, or measured on drawn pictures."""
    known = CALIBRATIONS.get(model.fingerprint)
    return known if known is not None else measure(model)


def measure(model: ImageModel) -> Calibration:
    """Calibrate a model on pictures that are drawn, so that none need be at hand.

    Each differs from all others in kind; every second one is treated as in use:
    halved, re-lit, grainy. Which weights a model has hardly matters for this.
    """
    pictures = reference_pictures()
    count = len(pictures)
    vectors = model.embed([*pictures, *(treated(one) for one in pictures[::2])])
    cosines = vectors[:count] @ vectors[:count].T
    unrelated = cosines[np.triu_indices(count, 1)]
    same = (vectors[:count:2] * vectors[count:]).sum(axis=1)
    pairs = [(pictures[index], pictures[index + 1]) for index in (0, 4, 8)]
    found = [model.differences(*pair) for pair in pairs]
    means = [[f.low.mean(), f.mid.mean(), f.high.mean()] for f in found]
    low, mid, high = np.maximum(np.mean(means, axis=0), 1e-3)
    return Calibration(
        unrelated=float(np.quantile(unrelated, _UNRELATED_QUANTILE)),
        same=float(same.min()),
        levels=(float(low), float(mid), float(high)),
    )


def similarity(cosine: float, calibration: Calibration) -> float:
    """Similarity of two pictures from the cosine of their embeddings.

    Args:
        cosine: -1..1.
        calibration: of the model.

    Returns:
        0 unrelated .. 1 the same; 0.95 of its value at 1 where the cosine of treated
        pictures begins, 0.05 of it where that of unrelated ones ends.
    """
    same = max(calibration.same, calibration.unrelated + _LEAST_GAP)
    middle = (calibration.unrelated + same) / 2
    slope = math.log(_AT_SAME / (1 - _AT_SAME)) / (same - middle)

    def curve(at: float) -> float:
        return 1 / (1 + math.exp(-min(max(slope * (at - middle), -60.0), 60.0)))

    return min(curve(min(max(cosine, -1.0), 1.0)) / curve(1.0), 1.0)


def difference_map(maps: LevelMaps, calibration: Calibration) -> FloatArray:
    """One map of three: how different the pictures are, where all levels say so.

    The geometric mean of the levels, each as a share of what unrelated pictures have:
    light alone moves the low level, a shifted texture the low and mid ones, and only
    what shows something else moves all three.

    Args:
        maps: of the model.
        calibration: of the model.

    Returns:
        (height, width) float32, 0 same .. 1 as different as unrelated pictures.
    """
    product = np.ones_like(maps.low, np.float64)
    for level, unrelated in zip(
        (maps.low, maps.mid, maps.high), calibration.levels, strict=True
    ):
        product *= np.clip(level / unrelated, 0, None)
    sigma = max(max(product.shape) * _SMOOTHING, _LEAST_SMOOTHING)
    smooth = gaussian_filter(np.cbrt(product), sigma, mode="nearest")
    found: FloatArray = np.clip(smooth, 0, 1).astype(np.float32)
    return found
