"""Weights of the score's terms in a scene: what tells little there counts little.

Light, season and sensor change brightness, texture and colour of a whole scene. Where
half of its pixels differ strongly at the shallow level or in colour, such a difference
is no sign of change, and the deeper terms decide; where the dates are alike in them,
they are the sharpest sign there is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geosim.siamese.architecture import NOISE_FLOOR, TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

SATURATION = math.log1p(1.0 / NOISE_FLOOR)
"""What a term is at a distance of 1: about as much as it can be."""

SHALLOW = "relu1_2"
"""The shallowest activation that is compared; one cell is one pixel."""

DAMPED_TERMS = (SHALLOW, "colour")
"""Terms that light, season and sensor reach."""

DAMPING = (4, 0)
"""Exponent of what the median of a damped term leaves free of its range, by the row of
the head. Coarse pixels keep their weights: content rules there in any case. The colour
of more than three bands is damped the less, by the cube of their number: light and
season do not move all of them alike."""

TERM_CONTRAST = (0.71, 0.55, 0.29, 0.66)
"""Interquartile range of each term over a scene, mean of the held-out pairs with
pasted changes. Weights are scaled by it, so that the score spreads as widely whichever
terms make it and one slope of the head serves all scenes."""

FIXED_TERM_WEIGHTS = ((0.50, 0.15, 0.25, 0.10), (0.30, 0.05, 0.60, 0.05))
"""Weights that no scene changes, usual and coarse pixels: of the score that a decoder
is blended with, which is fitted on pieces of scenes."""

RGB_BANDS = 3
"""Bands that the network sees."""


def log_distance(distance: ArrayLike) -> NDArray[np.float32]:
    """A distance as it enters the score: log(1 + d / NOISE_FLOOR), 0 upwards."""
    above = np.maximum(np.asarray(distance, np.float32), 0)
    # "log1p" would be more exact by 1e-7, and ten times slower
    logarithm: NDArray[np.float32]
    logarithm = np.log(above / np.float32(NOISE_FLOOR) + np.float32(1.0))
    return logarithm


def scene_weights(
    weights: Sequence[float] | NDArray[np.float32],
    medians: Mapping[str, float],
    *,
    row: int = 0,
    bands: int = RGB_BANDS,
) -> NDArray[np.float32]:
    """Weights of the terms in one scene.

    Args:
        weights: (4,) a row of the head, in the order of `TERMS`.
        medians: of each damped term over the scene's valid pixels, as it enters the
            score (`log_distance`), by name.
        row: which row it is, see `architecture.term_row`.
        bands: bands that are compared. Those that the network does not see are in the
            colour alone, whose weight grows with the cube of their number.

    Returns:
        (4,) float32: each damped term times (1 - median / SATURATION) ** DAMPING[row],
        that of more bands' colour smaller; all scaled to the common contrast.
    """
    found = np.array(weights, np.float64)
    further = (max(bands, RGB_BANDS) / RGB_BANDS) ** 3
    found[TERMS.index("colour")] *= further
    for name in DAMPED_TERMS:
        free = 1.0 - min(max(medians[name] / SATURATION, 0.0), 1.0)
        power = DAMPING[row] / (further if name == "colour" else 1.0)
        found[TERMS.index(name)] *= free**power
    contrast = np.asarray(TERM_CONTRAST) / np.mean(TERM_CONTRAST)
    scaled: NDArray[np.float32] = (found / (found @ contrast)).astype(np.float32)
    return scaled
