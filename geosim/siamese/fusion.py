"""The score in torch: four distances become one, smoothed along edges.

The main job does the same by `graph` (the network's terms), `geosim.scoring.network`
(the colour) and `geosim.change.scores` (the smoothing); tests hold them together.
"""

from collections.abc import Mapping

from geosim.siamese.architecture import (
    COSINE_EPSILON,
    NOISE_FLOOR,
    SPREAD_RADIUS,
    SPREAD_RELU,
    TERMS,
    spread_kernel,
)
from geosim.siamese.backend import functional, torch
from geosim.siamese.smoothing import (
    GUIDE_EPSILON,
    SMOOTHING_TRUNCATE,
    guide_radius,
    smoothing_sigma,
)
from geosim.siamese.weighting import DAMPED_TERMS


def cosine_distance(activations: torch.Tensor) -> torch.Tensor:
    """Distance of the channel vectors of two dates.

    Args:
        activations: (2B, C, h, w), the first dates in front of the second ones.

    Returns:
        (B, h, w): `1 - cos`, 0..1 for activations that are not negative.
    """
    first, second = activations.chunk(2)
    dot = (first * second).sum(dim=1)
    squares = first.square().sum(dim=1) * second.square().sum(dim=1)
    return 1 - dot * torch.rsqrt(squares + COSINE_EPSILON)


def spread(features: torch.Tensor) -> torch.Tensor:
    """Average the channel vectors (N, C, h, w) over their surroundings (Gaussian)."""
    channels = features.shape[1]
    kernel = features.new_tensor(spread_kernel())
    for shape, padding in (
        ((1, 1, 1, -1), (0, SPREAD_RADIUS)),
        ((1, 1, -1, 1), (SPREAD_RADIUS, 0)),
    ):
        every = kernel.reshape(shape).repeat(channels, 1, 1, 1)
        features = functional.conv2d(features, every, padding=padding, groups=channels)
    return features


def colour_distance(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Length of the colour change of images (B, bands, H, W) in 0..1.

    Returns:
        (B, H, W), 0..sqrt(3): the root mean square over the bands, times sqrt(3).
    """
    return ((after - before).square().mean(dim=1) * 3).sqrt()


def terms(
    images: torch.Tensor, activations: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """All terms of the score.

    Args:
        images: (2B, 3, H, W) in 0..1, the first dates in front.
        activations: Of these images, at the levels, (2B, C, H / stride, W / stride).

    Returns:
        Distance (B, H, W) by the names of `TERMS`.
    """
    size = (images.shape[-2], images.shape[-1])
    found = {name: activations[name] for name in TERMS if name in activations}
    found["spread"] = spread(activations[SPREAD_RELU].float())
    distances = {
        name: enlarge(cosine_distance(features.float()), size)
        for name, features in found.items()
    }
    return distances | {"colour": colour_distance(*images.float().chunk(2))}


def enlarge(distance: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear enlargement of (B, h, w) to (B, H, W)."""
    return functional.interpolate(
        distance[:, None], size=size, mode="bilinear", align_corners=False
    )[:, 0]


def log_distance(distance: torch.Tensor) -> torch.Tensor:
    """A distance as it enters the score: log(1 + d / NOISE_FLOOR), 0 upwards."""
    return torch.log1p(distance.clamp_min(0) / NOISE_FLOOR)


def scene_medians(
    distances: Mapping[str, torch.Tensor], valid: torch.Tensor | None = None
) -> list[dict[str, float]]:
    """Median of each damped term in each scene, as `weighting.scene_weights` reads it.

    Args:
        distances: By the names of `TERMS`, each (B, H, W).
        valid: (B, H, W) bool; None: everywhere.
    """
    scenes = range(len(distances[DAMPED_TERMS[0]]))
    return [
        {
            name: float(
                log_distance(distances[name][scene])[
                    ... if valid is None or not valid[scene].any() else valid[scene]
                ].median()
            )
            for name in DAMPED_TERMS
        }
        for scene in scenes
    ]


def fuse(distances: Mapping[str, torch.Tensor], weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean of the logarithms, before smoothing.

    Args:
        distances: By the names of `TERMS`; one that is missing counts as 0.
        weights: (4,) in the order of `TERMS`, or (B, 4), a row for each scene.

    Returns:
        (B, H, W), sum of weight * log(1 + distance / NOISE_FLOOR), 0 upwards.
    """
    total = torch.zeros(())
    for name, weight in zip(TERMS, weights.movedim(-1, 0), strict=True):
        if name in distances:
            term = log_distance(distances[name])
            total = total.to(term.device) + weight.reshape(-1, 1, 1) * term
    return total


def smooth(
    score: torch.Tensor,
    guide: torch.Tensor,
    valid: torch.Tensor | None = None,
    *,
    metres: float | None = None,
) -> torch.Tensor:
    """Smooth by a Gaussian, then by a guided filter along the edges of both dates.

    Source: He, Sun & Tang 2013 (doi:10.1109/TPAMI.2012.213), with two guides.

    Args:
        score: (B, H, W).
        guide: (B, 2, H, W), brightness of both dates in 0..1.
        valid: (B, H, W) bool; None: everywhere. Only valid pixels are averaged.
        metres: Size of a pixel on the ground; None where unknown.

    Returns:
        (B, H, W); undefined where not valid.
    """
    one = score.new_ones(score.shape) if valid is None else valid.to(score.dtype)
    blurred = _gaussian(score * one, smoothing_sigma(metres))
    norm = _gaussian(one, smoothing_sigma(metres)).clamp_min(1e-6)
    return _guided(blurred / norm, guide, one, guide_radius(metres))


def _gaussian(values: torch.Tensor, sigma: float) -> torch.Tensor:
    radius = int(SMOOTHING_TRUNCATE * sigma + 0.5)
    steps = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (steps / sigma).square())
    kernel = kernel / kernel.sum()
    rows = functional.conv2d(
        values[:, None], kernel[None, None, :, None], padding="same"
    )
    return functional.conv2d(rows, kernel[None, None, None, :], padding="same")[:, 0]


def _guided(
    score: torch.Tensor, guide: torch.Tensor, one: torch.Tensor, radius: int
) -> torch.Tensor:
    window = 2 * radius + 1

    def total(values: torch.Tensor) -> torch.Tensor:
        padded = values[:, None]
        return functional.avg_pool2d(padded, window, 1, radius)[:, 0]

    count = total(one).clamp_min(1e-6)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return total(values * one) / count

    first, second = guide[:, 0], guide[:, 1]
    m1, m2, mp = mean(first), mean(second), mean(score)
    v11 = mean(first * first) - m1 * m1 + GUIDE_EPSILON
    v22 = mean(second * second) - m2 * m2 + GUIDE_EPSILON
    v12 = mean(first * second) - m1 * m2
    c1, c2 = mean(first * score) - m1 * mp, mean(second * score) - m2 * mp
    determinant = v11 * v22 - v12 * v12
    a1 = (v22 * c1 - v12 * c2) / determinant
    a2 = (v11 * c2 - v12 * c1) / determinant
    offset = mp - a1 * m1 - a2 * m2
    return mean(a1) * first + mean(a2) * second + mean(offset)
