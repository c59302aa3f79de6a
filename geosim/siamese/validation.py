"""Draw synthetic pairs from imagery, and measure a network on held-out ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from geosim.siamese.architecture import LEVELS
from geosim.siamese.backend import functional, torch
from geosim.siamese.fusion import cosine_distance
from geosim.siamese.losses import CHANGED_ABOVE, UNCHANGED_BELOW, contrastive_loss
from geosim.siamese.network import SiameseVGG16
from geosim.siamese.pairs import BoolArray, FloatArray, ImagePair, random_crop
from geosim.siamese.smoothing import SMOOTHING_TRUNCATE, smoothing_sigma
from geosim.siamese.synthesis import SynthesisOptions, SyntheticPair, synthesize

_VALIDATION_SEED = 1_000_003  # its pairs are never those of a training step


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train."""

    steps: int = 200
    """Steps of the optimiser at most."""
    batch: int = 3
    """Pairs per step."""
    crop: int = 192
    """Height and width of a pair in pixels, a multiple of 16."""
    learning_rate: float = 1e-5
    """Rate of AdamW for every layer of the trunk and the embedding."""
    weight_decay: float = 1e-4
    """Decay of AdamW."""
    gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    embedding_weight: float = 0.1
    """Share of the embedding's loss beside that of the levels."""
    validate_every: int = 25
    """Steps between two validations (and two checkpoints)."""
    patience: int = 3
    """Validations without a better result after which training stops."""
    seed: int = 0
    """Seed of all chance."""
    synthesis: SynthesisOptions = field(default_factory=SynthesisOptions)
    """How the pairs are made."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Result on held-out pairs after a number of steps."""

    step: int
    """Steps done."""
    loss: float
    """Contrastive loss of the levels."""
    average_precision: float
    """Mean over the sources of the pixel AP of the balanced score: the levels'
    smoothed distances, each divided by its mean where nothing was pasted."""
    by_source: dict[str, float]
    """That AP by source."""
    by_level: tuple[float, ...]
    """Mean over the sources of the AP of each level alone."""
    unchanged_means: tuple[float, ...]
    """Mean distance of each level where nothing was pasted."""


def draw(
    pairs: Sequence[ImagePair],
    rng: np.random.Generator,
    config: TrainingConfig,
    *,
    source: str | None = None,
) -> SyntheticPair:
    """Make one synthetic pair: a source by chance, a place of it and a donor.

    The more pairs a source has, the likelier it is, by the logarithm of their number.
    """
    counts = Counter(pair.source for pair in pairs)
    sources = sorted(counts)
    share = np.log1p([counts[name] for name in sources])
    name = source or str(rng.choice(sources, p=share / share.sum()))
    group = [pair for pair in pairs if pair.source == name]
    pair = group[int(rng.integers(len(group)))]
    donor = group[int(rng.integers(len(group)))]
    place = random_crop(pair, config.crop, rng)
    other = random_crop(donor, config.crop, rng)
    return synthesize(place, other, rng, config.synthesis)


def to_batch(
    made: Sequence[SyntheticPair],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (2B, 3, H, W) with all first dates in front, changed, valid (B, H, W)."""
    dates = [pair.before for pair in made] + [pair.after for pair in made]
    images = torch.from_numpy(np.stack(dates))
    changed = torch.from_numpy(np.stack([pair.changed for pair in made]))
    valid = torch.from_numpy(np.stack([pair.valid for pair in made]))
    return images, changed, valid


def validate(
    model: SiameseVGG16,
    held_out: Sequence[ImagePair],
    config: TrainingConfig,
    *,
    step: int = 0,
    pairs_per_source: int = 6,
) -> Validation:
    """Measure a network on synthetic pairs of held-out imagery, always the same.

    Training shrinks the distances of the levels unequally. The score that is judged
    therefore weighs each level by the inverse of its own nuisance, whatever the head
    says: it cannot get better or worse by scale alone.
    """
    sources = sorted({pair.source for pair in held_out})
    losses: list[float] = []
    values: dict[str, list[FloatArray]] = {name: [] for name in sources}
    truths: dict[str, list[FloatArray]] = {name: [] for name in sources}
    for index, source in enumerate(sources):
        for number in range(pairs_per_source):
            rng = np.random.default_rng([_VALIDATION_SEED, config.seed, index, number])
            made = draw(held_out, rng, config, source=source)
            smoothed, loss = _measure(model, made)
            losses.append(loss)
            values[source].append(smoothed[:, made.valid])
            truths[source].append(made.changed[made.valid])
    joined = {name: np.concatenate(values[name], axis=1) for name in sources}
    parts = {name: np.concatenate(truths[name]) for name in sources}
    still = [joined[name][:, parts[name] < UNCHANGED_BELOW] for name in sources]
    means = np.mean([part.mean(axis=1) for part in still], axis=0)
    by_source, by_level = {}, []
    for name in sources:
        truth = parts[name] > CHANGED_ABOVE
        by_source[name] = average_precision((1 / means) @ joined[name], truth)
        by_level.append([average_precision(level, truth) for level in joined[name]])
    return Validation(
        step=step,
        loss=float(np.mean(losses)),
        average_precision=float(np.mean(list(by_source.values()))),
        by_source=by_source,
        by_level=tuple(np.mean(by_level, axis=0).tolist()),
        unchanged_means=tuple(means.tolist()),
    )


def _measure(model: SiameseVGG16, made: SyntheticPair) -> tuple[FloatArray, float]:
    """Smoothed distances (4, H, W) and contrastive loss of one pair."""
    images, changed, valid = to_batch([made])
    with torch.inference_mode():
        distances = level_distances(model.activations(images, deepest="relu4_3"))
        loss = float(contrastive_loss(distances, changed, valid))
    size = (made.valid.shape[0], made.valid.shape[1])
    return smooth_levels(distances, made.valid, size), loss


def average_precision(
    score: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]
) -> float:
    """Average precision of scores (N,) against truth (N,); 0 where nothing changed."""
    hits = truth[np.argsort(-score, kind="stable")]
    if not hits.any():
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float(precision[hits].mean())


def level_distances(activations: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Distances (B, h, w) at the four levels, of activations of 2B images."""
    return [cosine_distance(activations[level.relu]) for level in LEVELS]


def smooth_levels(
    distances: Sequence[torch.Tensor], valid: BoolArray, size: tuple[int, int]
) -> FloatArray:
    """Resize the distances of one pair, crop and smooth them.

    Args:
        distances: Of each level (1, h, w).
        valid: (H, W), True where both dates have data.
        size: Height and width of the network's input, at least those of `valid`.

    Returns:
        (levels, H, W) float32; NaN where not valid.
    """
    height, width = valid.shape
    share = np.maximum(_blur(valid.astype(np.float32)), 1e-6)
    smoothed = []
    for distance in distances:
        resized = functional.interpolate(
            distance[:, None], size=size, mode="bilinear", align_corners=False
        )
        level = resized[0, 0, :height, :width].numpy()
        smoothed.append(_blur(np.where(valid, level, 0)) / share)
    return np.where(valid, np.stack(smoothed), np.nan).astype(np.float32)


def _blur(image: FloatArray) -> FloatArray:
    blurred = gaussian_filter(
        image, smoothing_sigma(None), mode="constant", truncate=SMOOTHING_TRUNCATE
    )
    return np.asarray(blurred, np.float32)
