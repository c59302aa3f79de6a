"""Train a decoder, and the deep layers of the trunk with it, on labelled pairs.

Two fits. The first learns from a part of the pairs and is judged on the rest: it tells
when to stop, where the threshold lies and how log odds become probabilities. The second
goes on from there with all pairs for a third as many steps. Chance comes from the
seed, the fit and the step's number alone, so a run that is resumed ends as one that was
never interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import CONVOLUTIONS
from geosim.siamese.backend import nn, torch
from geosim.siamese.decoder import DECODER_MARGIN
from geosim.siamese.decoder_network import Decoder
from geosim.siamese.devices import has_bfloat16
from geosim.siamese.fit import Fit, Look, Recipe, State
from geosim.siamese.judging import calibration, judge, odds_histogram
from geosim.siamese.labelled import LabelledPair, draw_crop
from geosim.siamese.losses import change_loss
from geosim.siamese.network import SiameseVGG16, load_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.labelled import Crop

_TILE = 1024
"""Side in pixels of the squares that held-out places are judged by."""


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
        self.model = SiameseVGG16()
        load_arrays(self.model, arrays)
        if self.model.decoder is None:
            self.model.decoder = Decoder()
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

    def step(self, pairs: Sequence[LabelledPair]) -> float:
        """Learn from one batch; its loss."""
        recipe, fit = self.recipe, self.fit
        chance = [recipe.seed, fit.number, fit.step]
        rng = np.random.default_rng(chance)
        torch.manual_seed(int(rng.integers(2**31)))
        crops = [
            draw_crop(pairs, rng, recipe.augmentation) for _ in range(recipe.batch)
        ]
        images, changed, valid = _as_batch(crops, self.device)
        risen = min(fit.step / max(recipe.trunk_waits, 1), 1.0)
        self.optimiser.param_groups[1]["lr"] = recipe.trunk_rate * risen
        self.model.train()
        loss = change_loss(self._log_odds(images), changed, valid)
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

    def _log_odds(self, images: torch.Tensor) -> torch.Tensor:
        """(2B, 3, H, W) to (B, H, W), in bfloat16 where the processor has it."""
        decoder = self.model.decoder
        assert decoder is not None  # noqa: S101 - made in __init__
        kind = torch.device(self.device).type
        fast = kind == "cuda" or has_bfloat16()
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=fast):
            odds: torch.Tensor = decoder(self.model.activations(images))
        return odds.float()

    def look(self, pairs: Iterable[LabelledPair]) -> Look:
        """Judge the running mean on held-out places and keep it if it is the best."""
        fit, current = self.fit, _copied(self.model.state_dict())
        self.model.load_state_dict(self.mean)
        counts = self.counts(pairs)
        self.model.load_state_dict(current)
        best = fit.best_look
        look = Look(step=fit.step, judgement=judge(counts))
        fit.looks.append(look)
        if best is None or look.precision > best.precision:
            fit.best, fit.counts = _copied(self.mean), counts
        return look

    def counts(self, pairs: Iterable[LabelledPair]) -> NDArray[np.int64]:
        """Histograms of the log odds over all valid pixels of the pairs."""
        self.model.eval()
        total = np.zeros((2, 1), np.int64)
        with torch.inference_mode():
            for pair in pairs:
                odds = self._odds_of(pair)
                total = total + odds_histogram(
                    odds[pair.valid], pair.changed[pair.valid]
                )
        return total

    def _odds_of(self, pair: LabelledPair) -> NDArray[np.float32]:
        """Log odds (H, W) of a whole pair, square by square with a margin."""
        height, width = pair.valid.shape
        odds = np.empty((height, width), np.float32)
        for row in range(0, height, _TILE):
            for col in range(0, width, _TILE):
                top, left = max(row - DECODER_MARGIN, 0), max(col - DECODER_MARGIN, 0)
                cut = (
                    slice(None),
                    slice(top, row + _TILE + DECODER_MARGIN),
                    slice(left, col + _TILE + DECODER_MARGIN),
                )
                images = np.stack([pair.before[cut], pair.after[cut]])
                pad = [(0, 0), (0, 0), *((0, -n % 16) for n in images.shape[2:])]
                padded = np.pad(images.astype(np.float32), pad, mode="edge")
                found = self._log_odds(torch.from_numpy(padded).to(self.device))[0]
                place = odds[row : row + _TILE, col : col + _TILE]
                rows, cols = place.shape
                inner = found[row - top :, col - left :][:rows, :cols]
                place[:] = inner.cpu().numpy()
        return odds

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
    while fit.step < steps and not trainer.is_exhausted():
        trainer.step(training)
        if fit.step % every == 0 or fit.step == steps:
            if held_out:
                trainer.look(held_out)
            keep(trainer)
        say(fit)
    if not held_out:
        fit.best = _copied(trainer.mean)
    return fit


def finished(fit: State, held_out: Fit) -> dict[str, NDArray[np.float32]]:
    """Tensors to save: calibrated log odds, the threshold of the held-out places.

    Args:
        fit: Parameters to ship.
        held_out: The first fit, judged on held-out places.
    """
    arrays = {name: value.float().cpu().numpy() for name, value in fit.items()}
    look = held_out.best_look
    if look is None or held_out.counts is None:
        return arrays
    slope, offset = calibration(held_out.counts)
    arrays["decoder.out.weight"] = arrays["decoder.out.weight"] * np.float32(slope)
    bias = arrays["decoder.out.bias"] * np.float32(slope) + np.float32(offset)
    arrays["decoder.out.bias"] = bias
    odds = slope * look.judgement.threshold + offset
    threshold = float(np.clip(1 / (1 + np.exp(-odds)), 0.01, 0.99))
    arrays["decoder.threshold"] = np.array([threshold], np.float32)
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
