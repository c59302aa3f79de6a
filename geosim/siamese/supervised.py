"""Train a decoder, and the deep layers of the trunk with it, on labelled pairs.

Two fits. The first learns from a part of the pairs and is judged on the others: it
tells after how many steps to stop, where the threshold lies and how log odds become
probabilities. The second learns from all pairs for as many steps. Chance comes from the
seed, the fit and the step's number alone, so a run that is resumed ends as one that was
never interrupted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import OptionError
from geosim.siamese.architecture import CONVOLUTIONS
from geosim.siamese.backend import functional, nn, torch
from geosim.siamese.decoder import DECODER_MARGIN
from geosim.siamese.decoder_network import Decoder
from geosim.siamese.judging import Judgement, calibration, judge, odds_histogram
from geosim.siamese.labelled import Augmentation, LabelledPair, draw_crop
from geosim.siamese.network import SiameseVGG16, load_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from numpy.typing import NDArray

    from geosim.siamese.labelled import Crop

State = dict[str, torch.Tensor]

_TILE = 1024
"""Side in pixels of the squares that held-out places are judged by."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a decoder is trained. Defaults live here."""

    steps: int
    """Steps at most."""
    seed: int
    """Of all chance."""
    batch: int = 4
    """Crops of a step."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How crops vary."""
    decoder_rate: float = 1e-3
    """Learning rate of the decoder (AdamW)."""
    trunk_rate: float = 3e-5
    """Learning rate of the trunk's deep layers."""
    trunk_from: str = "relu4_1"
    """First layer of the trunk that learns; those before it stay."""
    trunk_waits: int = 40
    """Steps over which the trunk's rate rises from 0: the decoder comes first."""
    weight_decay: float = 1e-3
    """Of AdamW."""
    average: float = 0.98
    """Share that the running mean of the parameters keeps at each step; the mean is
    what is judged and kept (Polyak & Juditsky 1992)."""
    judge_every: int = 25
    """Steps between two looks at the held-out places."""
    patience: int = 8
    """Looks without a gain after which training stops."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the held-out places."""

    step: int
    """Steps done."""
    judgement: Judgement
    """How well they were told."""


@dataclass(kw_only=True)
class Fit:
    """Where a fit stands; what a checkpoint holds."""

    number: int = 1
    """1: judged on held-out places; 2: on all pairs."""
    step: int = 0
    """Steps done."""
    losses: list[float] = field(default_factory=list)
    """Loss of every step."""
    looks: list[Look] = field(default_factory=list)
    """All looks, in order."""
    best: State = field(default_factory=dict)
    """Mean parameters that were judged best; of the second fit the last ones."""
    counts: NDArray[np.int64] | None = None
    """Histograms of the held-out log odds at the best look."""

    def content(self) -> dict[str, Any]:
        """Plain values and tensors."""
        looks = [
            {"step": look.step, "judgement": asdict(look.judgement)}
            for look in self.looks
        ]
        counts = None if self.counts is None else torch.from_numpy(self.counts)
        return vars(self) | {"looks": looks, "counts": counts}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Fit:
        """What `content` gave."""
        looks = [
            Look(step=look["step"], judgement=Judgement(**look["judgement"]))
            for look in content["looks"]
        ]
        counts = None if content["counts"] is None else content["counts"].numpy()
        return cls(**{**content, "looks": looks, "counts": counts})

    @property
    def best_look(self) -> Look | None:
        """The look with the largest average precision."""
        key = _precision
        return max(self.looks, key=key) if self.looks else None


def _precision(look: Look) -> float:
    return look.judgement.average_precision


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
        self.model.requires_grad_(requires_grad=False)
        for parameter in (*self.trunk, *self.decoder):
            parameter.requires_grad_(requires_grad=True)
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
        fast = kind == "cuda" or _has_bfloat16()
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
        if best is None or _precision(look) > _precision(best):
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
        arXiv:1606.04797), which heeds the few changed pixels as much as the many others.
    """
    entropy = functional.binary_cross_entropy_with_logits(
        odds, changed, weight=valid, reduction="sum"
    )
    chance = torch.sigmoid(odds) * valid
    truth = changed * valid
    overlap = (2 * (chance * truth).sum() + 1) / (chance.sum() + truth.sum() + 1)
    return entropy / valid.sum().clamp_min(1) + 1 - overlap


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


def _learning_layers(model: SiameseVGG16, first: str) -> list[nn.Parameter]:
    """Parameters of the trunk from a layer on, by its activation's name."""
    names = [layer.relu for layer in CONVOLUTIONS]
    late = {layer.name for layer in CONVOLUTIONS[names.index(first) :]}
    return [
        parameter
        for name, parameter in model.named_parameters()
        if name.rsplit(".", 1)[0] in late
    ]


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


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; elsewhere it would be slower."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known and known())


def use_device(device: str, threads: int | None) -> None:
    """Check that torch can train there and set its threads.

    Raises:
        OptionError: no GPU where one is asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError(
            "--device cuda wants an NVIDIA GPU that torch can use; found none; leave "
            "--device out to train on the CPU"
        )
    if threads:
        torch.set_num_threads(threads)


def describe_device(device: str) -> str:
    """What a training ran on, for its card."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    precision = "bfloat16" if _has_bfloat16() else "float32"
    threads = torch.get_num_threads()
    return f"a CPU, {threads} threads, {precision}, torch {torch.__version__}"
