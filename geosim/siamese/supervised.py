"""Train a decoder, and the deep layers of the trunk with it, on labelled pairs.

Two fits. The first learns from a part of the pairs and is judged on the rest: it tells
when to stop, how log odds and score are joined and where the threshold lies. The second
goes on from there with all pairs for a third as many steps. Chance comes from the
seed, the fit and the step's number alone, so a run that is resumed ends as one that was
never interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.answering import answers, log_odds, odds_counts
from geosim.siamese.architecture import CONVOLUTIONS
from geosim.siamese.backend import nn, torch
from geosim.siamese.blending import Blend, fit_blend
from geosim.siamese.crops import draw_crop
from geosim.siamese.decoder import BLEND, THRESHOLD
from geosim.siamese.decoder_network import Decoder
from geosim.siamese.fit import Fit, Look, Recipe, State
from geosim.siamese.judging import judge
from geosim.siamese.loading import network_of
from geosim.siamese.losses import change_loss
from geosim.siamese.pasting import cut_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.crops import Crop
    from geosim.siamese.labelled import LabelledPair
    from geosim.siamese.network import SiameseVGG16
    from geosim.siamese.pasting import ChangedObject


class Trainer:
    """A network in training: its parameters, their running mean, the optimiser."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        recipe: Recipe,
        device: str,
        *,
        number: int = 1,
    ) -> None:
        """Start from checked tensors, with a new decoder unless they hold one.

        Args:
            arrays: as `weights.load_weights` gives them.
            recipe: how to train.
            device: where.
            number: of the fit, 1 or 2.
        """
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, device
        self.model = network_of(arrays)
        if self.model.decoder is None:
            self.model.decoder = Decoder(self.model.channels)
        self.model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.trunk = _learning_layers(self.model, recipe.trunk_from)
        self.decoder = list(self.model.decoder.parameters())
        self.model.requires_grad_(False)  # noqa: FBT003
        for parameter in (*self.trunk, *self.decoder):
            parameter.requires_grad_(True)  # noqa: FBT003
        groups = [
            {"params": self.decoder, "lr": recipe.decoder_rate},
            {"params": self.trunk, "lr": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.mean = {n: v.clone() for n, v in self.model.state_dict().items()}
        self.fit = Fit(number=number)

    def step(
        self, pairs: Sequence[LabelledPair], objects: Sequence[ChangedObject] = ()
    ) -> float:
        """Learn from one batch, with objects pasted into it; its loss."""
        recipe, fit = self.recipe, self.fit
        chance = [recipe.seed, fit.number, fit.step]
        rng = np.random.default_rng(chance)
        torch.manual_seed(int(rng.integers(2**31)))
        crops = [
            draw_crop(pairs, rng, recipe.augmentation, objects)
            for _ in range(recipe.batch)
        ]
        images, changed, valid = _as_batch(crops, self.device)
        risen = min(fit.step / max(recipe.trunk_waits, 1), 1.0)
        self.optimiser.param_groups[1]["lr"] = recipe.trunk_rate * risen
        self.model.train()
        loss = change_loss(log_odds(self.model, images), changed, valid)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.decoder, *self.trunk], 5.0)
        self.optimiser.step()
        fit.step += 1
        keep = min(recipe.average, fit.step / (fit.step + 9))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)
        fit.losses.append(float(loss.detach()))
        return fit.losses[-1]

    def look(self, pairs: Iterable[LabelledPair]) -> Look:
        """Judge the running mean on held-out places and keep it if it is the best."""
        fit, current = self.fit, _copied(self.model.state_dict())
        self.model.load_state_dict(self.mean)
        each = [odds_counts(self.model, pair, self.device) for pair in pairs]
        counts = np.sum(each, axis=0)
        self.model.load_state_dict(current)
        best = fit.best_look
        look = Look(step=fit.step, judgement=judge(counts))
        fit.looks.append(look)
        if best is None or look.precision > best.precision:
            fit.best = _copied(self.mean)
        return look

    def blend(self, state: State, pairs: Iterable[LabelledPair]) -> Blend:
        """Join log odds and score by what they say of held-out places, in float32.

        Args:
            state: parameters to judge; those in training stay as they are.
            pairs: the held-out places.
        """
        current = _copied(self.model.state_dict())
        self.model.load_state_dict(state)
        places = [answers(self.model, pair, self.device) for pair in pairs]
        self.model.load_state_dict(current)
        return fit_blend(places)

    def is_exhausted(self) -> bool:
        """Whether no look of the last ones was a gain."""
        best = self.fit.best_look
        if best is None:
            return False
        since = sum(look.step > best.step for look in self.fit.looks)
        return since >= self.recipe.patience

    def content(self) -> dict[str, Any]:
        """All that a checkpoint must hold to go on."""
        return {
            "model": self.model.state_dict(),
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "fit": self.fit.content(),
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's content."""
        self.model.load_state_dict(content["model"])
        self.mean = dict(content["mean"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.fit = Fit.of(content["fit"])


def run_fit(
    trainer: Trainer,
    *,
    training: Sequence[LabelledPair],
    held_out: Sequence[LabelledPair],
    steps: int,
    keep: Callable[[Trainer], None],
    say: Callable[[Fit], None],
) -> Fit:
    """Train until the steps are done or the held-out places gain no more.

    Args:
        trainer: Where to go on from.
        training: Pairs to learn from.
        held_out: Pairs to judge by; none in the second fit.
        steps: Steps at most.
        keep: Called every few steps, to write a checkpoint.
        say: Called after each step.
    """
    fit, every = trainer.fit, trainer.recipe.judge_every
    objects = cut_objects(training)
    while fit.step < steps and not trainer.is_exhausted():
        trainer.step(training, objects)
        if fit.step % every == 0 or fit.step == steps:
            if held_out:
                trainer.look(held_out)
            keep(trainer)
        say(fit)
    if not held_out:
        fit.best = _copied(trainer.mean)
    return fit


def finished(fit: State, blend: Blend) -> dict[str, NDArray[np.float32]]:
    """Tensors to save: parameters, and what the held-out places told.

    Args:
        fit: Parameters to ship.
        blend: Of the first fit.
    """
    arrays = {name: value.float().cpu().numpy() for name, value in fit.items()}
    arrays[BLEND] = np.array(blend.weights, np.float32)
    arrays[THRESHOLD] = np.array([blend.threshold], np.float32)
    return arrays


def _as_batch(
    crops: Sequence[Crop], device: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (2B, 3, S, S), first dates in front; changed and valid (B, S, S)."""
    images = np.stack([c.before for c in crops] + [c.after for c in crops])
    changed = np.stack([c.changed for c in crops]).astype(np.float32)
    valid = np.stack([c.valid for c in crops]).astype(np.float32)
    tensors = (torch.from_numpy(array).to(device) for array in (images, changed, valid))
    first, second, third = tensors
    return first.contiguous(memory_format=torch.channels_last), second, third


def _copied(state: Mapping[str, torch.Tensor]) -> State:
    return {name: value.detach().clone() for name, value in state.items()}


def _learning_layers(model: SiameseVGG16, first: str) -> list[nn.Parameter]:
    """Parameters of the trunk from a layer on, by its activation's name."""
    names = [layer.relu for layer in CONVOLUTIONS]
    late = {layer.name for layer in CONVOLUTIONS[names.index(first) :]}
    return [
        parameter
        for name, parameter in model.named_parameters()
        if name.rsplit(".", 1)[0] in late
    ]
