"""What each part of the default score brings: the score without it, by the reference.

    python -m benchmarks.accuracy DATA --methods whole,sum,no_training,no_spread,...

All by the torch reference, cut by Otsu: AP, ROC area and the best F1 are what tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.siamese.architecture import (
    NOISE_FLOOR,
    SPREAD_RELU,
    STRIDE,
    TERMS,
    term_row,
)
from geosim.siamese.smoothing import GUIDE_EPSILON, guide_radius, smoothing_sigma
from geosim.siamese.weighting import (
    DAMPED_TERMS,
    FIXED_TERM_WEIGHTS,
    log_distance,
    scene_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from geosim.siamese.network import SiameseVGG16

SCALES = (0.1, 0.2, 0.3, 0.4)
"""Divide the distances at the four levels in the sum that needs no training."""

PARTS = {
    "whole": "the default's score",
    "fixed": "the same with weights of the terms that no scene changes",
    "sum": "sum of the four distances over 0.1, 0.2, 0.3, 0.4, Gaussian of 5 px",
    "no_spread": "fixed, with relu4_3 not averaged over its surroundings",
    "no_colour": "fixed, without the colour change",
    "no_relu4_3": "fixed, without the spread relu4_3",
    "no_guide": "fixed, with a Gaussian alone, sigma 5 px",
    "no_training": "fixed, on the ImageNet trunk",
}
"""The score without a part, by name."""


def parts(
    model: SiameseVGG16,
    dates: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: NDArray[np.bool_],
    metres: float | None,
) -> dict[str, NDArray[np.float32]]:
    """Scores (height, width) by name, all but `no_training`.

    Args:
        model: the network.
        dates: both dates (3, height, width) in 0..1.
        valid: (height, width).
        metres: size of a pixel on the ground; None where unknown.
    """
    import torch

    from geosim.siamese import fusion
    from geosim.siamese.architecture import LEVELS

    height, width = valid.shape
    pad = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
    images = torch.from_numpy(np.stack([np.pad(d, pad, mode="edge") for d in dates]))
    which = term_row(metres)
    with torch.inference_mode():
        found = model.activations(images, deepest=LEVELS[-1].relu)
        every = {
            name: distance[0, :height, :width].numpy()
            for name, distance in fusion.terms(images, found).items()
        }
        size = (images.shape[-2], images.shape[-1])
        levels = {
            level.relu: _whole(found[level.relu], size)[:height, :width]
            for level in LEVELS
        }
        row = model.head.term_weights[which].tolist()
    medians = {
        name: float(np.median(log_distance(every[name][valid])))
        for name in DAMPED_TERMS
    }
    of_scene = dict(
        zip(TERMS, scene_weights(row, medians, row=which).tolist(), strict=True)
    )
    by_name = dict(zip(TERMS, FIXED_TERM_WEIGHTS[which], strict=True))
    total = sum(
        levels[level.relu] / scale for level, scale in zip(LEVELS, SCALES, strict=True)
    )
    guides = (dates[0].mean(axis=0), dates[1].mean(axis=0))

    def along(score: NDArray[np.float32]) -> NDArray[np.float32]:
        return _smoothed(score, guides, valid, metres)

    fused = _fused(every, by_name)
    plain = every | {"spread": levels[SPREAD_RELU]}
    return {
        "whole": along(_fused(every, of_scene)),
        "fixed": along(fused),
        "sum": _blurred(np.asarray(total, np.float32), valid),
        "no_spread": along(_fused(plain, by_name)),
        "no_colour": along(_fused(every, by_name | {"colour": 0.0})),
        "no_relu4_3": along(_fused(every, by_name | {"spread": 0.0})),
        "no_guide": _blurred(fused, valid),
    }


def _whole(features: torch.Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    from geosim.siamese.fusion import cosine_distance, enlarge

    enlarged: NDArray[np.float32] = enlarge(cosine_distance(features), size)[0].numpy()
    return enlarged


def _fused(
    distances: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    """Weighted sum of the logarithms."""
    logarithms = [
        weight * np.log1p(np.maximum(distances[name], 0) / NOISE_FLOOR)
        for name, weight in weights.items()
    ]
    return np.asarray(np.sum(logarithms, axis=0), np.float32)


def _smoothed(
    score: NDArray[np.float32],
    guides: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: NDArray[np.bool_],
    metres: float | None,
) -> NDArray[np.float32]:
    from geosim.change.scores import smooth, smooth_along_edges

    found = smooth_along_edges(
        smooth(score, valid, smoothing_sigma(metres)),
        guides,
        valid,
        radius=guide_radius(metres),
        epsilon=GUIDE_EPSILON,
    )
    return np.maximum(found, 0)


def _blurred(
    score: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    from geosim.change.scores import smooth

    return smooth(score, valid, 5.0)
