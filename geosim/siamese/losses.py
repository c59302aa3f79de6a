"""Losses: what did not change lies close, what did lies apart; or labels say it.

Contrastive loss of Hadsell, Chopra & LeCun 2006 (doi:10.1109/CVPR.2006.100): on cosine
distances with a margin that grows with how much changed, and of pairs of pictures.
"""

from collections.abc import Sequence
from typing import Literal

from geosim.siamese.backend import functional, torch

LEVEL_MARGINS = (0.45, 0.70, 0.75, 0.80)
"""Distance beyond which a wholly changed cell is pushed no further, by level."""

UNCHANGED_BELOW = 0.02
"""A cell of which less than this changed is to lie close."""

CHANGED_ABOVE = 0.50
"""A cell of which more than this changed is to lie apart; between: ignored."""

EMBEDDING_MARGIN = 0.9
"""Cosine distance wanted between the embeddings of wholly different tiles."""

Distance = Literal["cosine", "euclidean"]
"""Of embeddings: `1 - cos`, 0..2, or the length of their difference, 0..2."""

PAIR_MARGINS = {"cosine": 0.9, "euclidean": 1.3}
"""Distance beyond which a dissimilar pair of pictures is pushed no further; about one
place."""


def level_loss(
    distance: torch.Tensor,
    changed: torch.Tensor,
    valid: torch.Tensor,
    *,
    margin: float,
) -> torch.Tensor:
    """Contrastive loss of one level.

    Args:
        distance: (B, h, w), `1 - cos` of the two dates.
        changed: (B, H, W), fraction 0..1; H and W whole multiples of h and w.
        valid: (B, H, W) bool; cells that are not wholly valid are ignored.
        margin: Distance wanted where everything changed; a cell with fraction c is
            pushed to `c * margin`.

    Returns:
        Scalar: mean of distance^2 over the unchanged cells plus mean of
        max(c * margin - distance, 0)^2 over the changed ones, each 0 without cells.
    """
    size = (distance.shape[-2], distance.shape[-1])
    fraction = _area_average(changed, size)
    whole = _area_average(valid.to(distance.dtype), size) > 1 - 1e-6
    unchanged = whole & (fraction < UNCHANGED_BELOW)
    apart = whole & (fraction > CHANGED_ABOVE)
    near = _mean_where(distance.square(), unchanged)
    missing = functional.relu(margin * fraction - distance)
    return near + _mean_where(missing.square(), apart)


def contrastive_loss(
    distances: Sequence[torch.Tensor], changed: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    """Sum of `level_loss` over the four levels with their margins."""
    pairs = zip(distances, LEVEL_MARGINS, strict=True)
    losses = [level_loss(d, changed, valid, margin=margin) for d, margin in pairs]
    return torch.stack(losses).sum()


def change_loss(
    odds: torch.Tensor, changed: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    """Binary cross-entropy plus the Dice loss of the whole batch.

    Args:
        odds: (B, H, W) log odds.
        changed: (B, H, W) 0 or 1.
        valid: (B, H, W) 0 or 1; where 0 nothing counts.

    Returns:
        Scalar: mean cross-entropy of the valid pixels, plus
        `1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1)` (Milletari et al. 2016,
        arXiv:1606.04797), which heeds the few changed pixels as much as the others.
    """
    entropy = functional.binary_cross_entropy_with_logits(
        odds, changed, weight=valid, reduction="sum"
    )
    chance = torch.sigmoid(odds) * valid
    truth = changed * valid
    overlap = (2 * (chance * truth).sum() + 1) / (chance.sum() + truth.sum() + 1)
    return entropy / valid.sum().clamp_min(1) + 1 - overlap


def embedding_loss(
    first: torch.Tensor, second: torch.Tensor, changed_fraction: torch.Tensor
) -> torch.Tensor:
    """Contrastive loss of tile embeddings with a graded target.

    Args:
        first: (N, 128) unit vectors.
        second: (N, 128) unit vectors.
        changed_fraction: (N,), 0 the same tile .. 1 another place.

    Returns:
        Scalar: mean over the pairs of (1 - c) * distance^2 plus
        max(c * margin - distance, 0)^2, where distance = 1 - cos.
    """
    distance = 1 - (first * second).sum(dim=1)
    near = (1 - changed_fraction) * distance.square()
    missing = functional.relu(EMBEDDING_MARGIN * changed_fraction - distance)
    return (near + missing.square()).mean()


def pair_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    similar: torch.Tensor,
    *,
    distance: Distance,
    margin: float,
) -> torch.Tensor:
    """Contrastive loss of pairs of embeddings.

    Args:
        first: (n, d) unit vectors.
        second: (n, d) unit vectors.
        similar: (n,) bool.
        distance: how far two embeddings lie from each other.
        margin: distance wanted of dissimilar pairs.

    Returns:
        Scalar: mean of d^2 over the similar pairs plus that of max(margin - d, 0)^2
        over the others, each 0 without pairs.
    """
    found = pair_distances(first, second, distance)
    missing = functional.relu(margin - found).square()
    parts = [(found.square(), similar), (missing, ~similar)]
    return torch.stack([_mean_where(part, at) for part, at in parts]).sum()


def pair_distances(
    first: torch.Tensor, second: torch.Tensor, distance: Distance
) -> torch.Tensor:
    """(n,) of unit vectors (n, d)."""
    if distance == "cosine":
        return 1 - (first * second).sum(dim=1)
    # the root has no slope at 0
    return ((first - second).square().sum(dim=1) + 1e-12).sqrt()


def _area_average(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(values[:, None], size)[:, 0]


def _mean_where(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)
