"""Compare two pictures that lie in one frame: numbers and maps, no files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.ssim import ssim_map
from geosim.images.pixels import resized
from geosim.images.similarity import difference_map, similarity
from geosim.images.structure import brightness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.images.alignment import AlignedPair
    from geosim.images.models import ImageModel
    from geosim.images.similarity import Calibration

    FloatArray = NDArray[np.float32]

_GAINS = (0.6, 1.6)
"""How much brighter or darker light may be; what differs more is a difference."""

_OFFSET = 0.2

_AS_GOOD_AS_ONE = 0.95
"""Scale from which two pictures have one resolution."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Where two pictures differ; NaN where only one of them shows anything."""

    combined: FloatArray
    """(height, width) 0 same .. 1 as different as unrelated pictures."""
    low: FloatArray
    """(height, width) 0 upwards: edges, texture, colour."""
    mid: FloatArray
    """(height, width): parts and patterns."""
    high: FloatArray
    """(height, width): what is shown."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How alike two pictures are as a whole."""

    similarity: float
    """0 unrelated .. 1 the same, calibrated; see `geosim.images.similarity`."""
    cosine: float
    """-1..1, of the model's embeddings."""
    euclidean: float
    """0..2, distance of the embeddings, which have length 1."""
    ssim: float
    """-1..1, mean structural similarity of the brightness."""


def score(model: ImageModel, calibration: Calibration, pair: AlignedPair) -> Scores:
    """How alike two pictures are, by what both show.

    Args:
        model: that embeds them.
        calibration: of the model.
        pair: in one frame; the rectangle around the valid part is looked at.
    """
    rows, cols = (np.flatnonzero(pair.valid.any(axis=axis)) for axis in (1, 0))
    part = np.s_[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    first, second = model.embed([pair.first[part], pair.second[part]]).astype(float)
    cosine = float(np.clip(first @ second, -1, 1))
    grey = [brightness(image) for image in (pair.first, pair.second)]
    return Scores(
        similarity=similarity(cosine, calibration),
        cosine=cosine,
        euclidean=float(np.linalg.norm(first - second)),
        ssim=float(ssim_map(grey[0], grey[1])[pair.valid].mean()),
    )


def compare_pixels(
    model: ImageModel, calibration: Calibration, pair: AlignedPair
) -> Differences:
    """Where two pictures differ, once the second has the light of the first.

    Args:
        model: that compares them.
        calibration: of the model.
        pair: in one frame, each side at least 32 px.
    """
    second = relit(pair.second, pair.first, pair.valid)
    maps = model.differences(pair.first, second)
    levels = (difference_map(maps, calibration), maps.low, maps.mid, maps.high)
    combined, low, mid, high = (
        np.where(pair.valid, level, np.float32(np.nan)) for level in levels
    )
    return Differences(combined=combined, low=low, mid=mid, high=high)


def relit(image: FloatArray, like: FloatArray, valid: NDArray[np.bool_]) -> FloatArray:
    """A picture with the light of another: mean and spread of each band.

    Only as far as light goes: a gain of 0.6 to 1.6 and an offset of 0.2 of the range.
    What lies beyond is left to be seen as a difference.
    """
    given, wanted = image[:, valid], like[:, valid]
    spread = wanted.std(axis=1) / np.maximum(given.std(axis=1), 1e-3)
    gain = np.clip(spread, *_GAINS)
    offset = np.clip(wanted.mean(axis=1) - gain * given.mean(axis=1), -_OFFSET, _OFFSET)
    lit = gain[:, None, None] * image + offset[:, None, None]
    found: FloatArray = np.clip(lit, 0, 1).astype(np.float32)
    return found


def at_one_resolution(pair: AlignedPair) -> AlignedPair:
    """A pair whose first picture is no finer than the second one was.

    A copy at half the size has lost its fine texture; that is no difference in what
    is shown. (A second picture that was finer has been averaged when it was aligned.)
    """
    scale = pair.alignment.scale
    if scale > _AS_GOOD_AS_ONE:
        return pair
    height, width = pair.valid.shape
    small = [max(round(side * scale), 1) for side in (width, height)]
    first = resized(resized(pair.first, *small), width, height)
    return replace(pair, first=first)
