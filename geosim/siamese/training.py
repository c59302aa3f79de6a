"""Train the trunk and the embedding on pairs made from imagery without labels.

Gentle contrastive training: the whole trunk, a low rate, few steps. Chance comes from
the seed and the step's number alone, so a run that is resumed ends as one that was
never interrupted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from geosim.errors import OptionError
from geosim.siamese.architecture import EMBEDDING_RELU
from geosim.siamese.backend import functional, nn, torch
from geosim.siamese.losses import contrastive_loss, embedding_loss
from geosim.siamese.network import SiameseVGG16
from geosim.siamese.pairs import ImagePair
from geosim.siamese.validation import (
    TrainingConfig,
    Validation,
    draw,
    level_distances,
    to_batch,
    validate,
)

State = dict[str, torch.Tensor]


@dataclass(kw_only=True)
class TrainingRun:
    """Where a training stands; what a checkpoint holds."""

    step: int = 0
    """Steps done."""
    best: State = field(default_factory=dict)
    """Parameters with the best validation so far."""
    validations: list[Validation] = field(default_factory=list)
    """All validations, in order."""
    losses: list[float] = field(default_factory=list)
    """Loss of every step."""


def train(
    model: SiameseVGG16,
    *,
    training: Sequence[ImagePair],
    held_out: Sequence[ImagePair],
    config: TrainingConfig,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> TrainingRun:
    """Train a network in place; it ends with the parameters that validated best.

    Args:
        model: The network; its embedding already initialised.
        training: Pairs to learn from.
        held_out: Pairs of other places to stop by.
        config: How to train.
        checkpoint: File to resume from where it exists, and to write to.
        say: Called with a line of progress.

    Returns:
        The run: losses, validations and the best parameters.
    """
    optimiser = torch.optim.AdamW(
        _trained_parameters(model),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    run = _resume(model, optimiser, checkpoint) or TrainingRun()
    if not run.validations:
        _validate(model, held_out, config, run, say)
    while run.step < config.steps and not _is_exhausted(run, config):
        run.losses.append(_one_step(model, optimiser, training, config, run.step))
        run.step += 1
        if run.step % config.validate_every == 0 or run.step == config.steps:
            _validate(model, held_out, config, run, say)
            _save(model, optimiser, run, checkpoint)
    model.load_state_dict(run.best)
    return run


def average_states(start: State, end: State, *, share: float) -> State:
    """Parameters between two networks of one family.

    Source: Wortsman et al. 2022, arXiv:2109.01903 (WiSE-FT).

    Args:
        start: Parameters before training.
        end: Parameters after training.
        share: 0 gives `start`, 1 gives `end`.
    """
    if not 0 <= share <= 1:
        raise OptionError(f"share must lie in 0..1, found {share}; 0.5 is halfway")
    return {name: torch.lerp(start[name], end[name], share) for name in start}


def initialise_embedding(model: SiameseVGG16, pooled: torch.Tensor) -> None:
    """Set the projection to a whitened PCA of pooled features.

    Each eigenvalue is raised by the mean of those kept, so that directions which few
    tiles support are not blown up.

    Args:
        model: The network.
        pooled: (N, channels), pooled relu5_3 of N tiles, N > 128.
    """
    size = model.embedding.out_features
    if pooled.shape[0] <= size:
        raise OptionError(
            f"more than {size} tiles are needed for the embedding, found "
            f"{pooled.shape[0]}; give more imagery"
        )
    mean = pooled.mean(dim=0)
    _, singular, rows = torch.linalg.svd(pooled - mean, full_matrices=False)
    variance = singular[:size].square() / (pooled.shape[0] - 1)
    matrix = rows[:size] / (variance + variance.mean()).sqrt()[:, None]
    with torch.no_grad():
        model.embedding.weight.copy_(matrix)
        model.embedding.bias.copy_(-matrix @ mean)


def train_embedding(
    model: SiameseVGG16,
    pooled: torch.Tensor,
    changed_fraction: torch.Tensor,
    *,
    steps: int = 60,
    learning_rate: float = 1e-4,
) -> list[float]:
    """Train the projection alone, on features that were pooled once.

    Args:
        model: The network, its projection initialised.
        pooled: (N, 2, channels), pooled relu5_3 of both dates of N tiles of other
            places.
        changed_fraction: (N,), how much of each tile changed.
        steps: Steps of Adam over all tiles.
        learning_rate: Its rate.

    Returns:
        The loss before each step.
    """
    parameters = list(model.embedding.parameters())
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    losses: list[float] = []
    for step in range(steps):
        vectors = functional.normalize(model.embedding(pooled), dim=2)
        shift = 1 + step % (pooled.shape[0] - 1)
        loss = _tile_loss(vectors[:, 0], vectors[:, 1], changed_fraction, shift=shift)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def _tile_loss(
    first: torch.Tensor, second: torch.Tensor, fraction: torch.Tensor, *, shift: int
) -> torch.Tensor:
    """Each tile with its other date, and with a tile of another place."""
    return embedding_loss(
        torch.cat([first, first]),
        torch.cat([second, second.roll(shift, dims=0)]),
        torch.cat([fraction, torch.ones_like(fraction)]),
    )


def _trained_parameters(model: SiameseVGG16) -> list[nn.Parameter]:
    return [*model.features.parameters(), *model.embedding.parameters()]


def _one_step(
    model: SiameseVGG16,
    optimiser: torch.optim.Optimizer,
    training: Sequence[ImagePair],
    config: TrainingConfig,
    step: int,
) -> float:
    rng = np.random.default_rng([config.seed, step])
    made = [draw(training, rng, config) for _ in range(config.batch)]
    images, changed, valid = to_batch(made)
    activations = model.activations(images)
    loss = contrastive_loss(level_distances(activations), changed, valid)
    if config.embedding_weight > 0:
        first, second = model.embed(activations[EMBEDDING_RELU]).chunk(2)
        tiles = _tile_loss(first, second, changed.mean(dim=(1, 2)), shift=1)
        loss = loss + config.embedding_weight * tiles
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(_trained_parameters(model), config.gradient_norm)
    optimiser.step()
    return float(loss.detach())


def _validate(
    model: SiameseVGG16,
    held_out: Sequence[ImagePair],
    config: TrainingConfig,
    run: TrainingRun,
    say: Callable[[str], None],
) -> None:
    found = validate(model, held_out, config, step=run.step)
    best = max((v.average_precision for v in run.validations), default=-1.0)
    if found.average_precision > best:
        run.best = {name: v.clone() for name, v in model.state_dict().items()}
    run.validations.append(found)
    recent = run.losses[-config.validate_every :]
    trained = f"{np.mean(recent):.4f}" if recent else "-"
    sources = " ".join(f"{name} {ap:.3f}" for name, ap in found.by_source.items())
    levels = " ".join(f"{ap:.3f}" for ap in found.by_level)
    say(
        f"step {run.step}: training loss {trained}, held-out loss {found.loss:.4f}, "
        f"held-out AP {found.average_precision:.4f} ({sources}), by level {levels}"
    )


def _is_exhausted(run: TrainingRun, config: TrainingConfig) -> bool:
    found = [v.average_precision for v in run.validations]
    return len(found) - 1 - int(np.argmax(found)) >= config.patience


def _save(
    model: SiameseVGG16,
    optimiser: torch.optim.Optimizer,
    run: TrainingRun,
    checkpoint: Path | None,
) -> None:
    if checkpoint is None:
        return
    content = {
        "step": run.step,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "best": run.best,
        "losses": run.losses,
        "validations": [vars(v) for v in run.validations],
    }
    partial = checkpoint.with_name(checkpoint.name + ".part")
    torch.save(content, partial)
    partial.replace(checkpoint)


def _resume(
    model: SiameseVGG16, optimiser: torch.optim.Optimizer, checkpoint: Path | None
) -> TrainingRun | None:
    if checkpoint is None or not checkpoint.exists():
        return None
    content = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(content["model"])
    optimiser.load_state_dict(content["optimiser"])
    return TrainingRun(
        step=content["step"],
        best=content["best"],
        losses=content["losses"],
        validations=[Validation(**v) for v in content["validations"]],
    )
