"""Where a fit to labelled pairs stands, and the recipe that it follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from geosim.siamese.backend import torch
from geosim.siamese.blending import Blend
from geosim.siamese.crops import Augmentation
from geosim.siamese.judging import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping


State = dict[str, torch.Tensor]
"""Tensor by name, as torch's `state_dict` has them."""


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

    @property
    def precision(self) -> float:
        """Average precision, by which looks are ranked."""
        return self.judgement.average_precision


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
    blend: Blend | None = None
    """Of the first fit, once it has ended: how the held-out places want log odds and
    score to be joined."""

    def content(self) -> dict[str, Any]:
        """Plain values and tensors."""
        looks = [
            {"step": look.step, "judgement": asdict(look.judgement)}
            for look in self.looks
        ]
        blend = None if self.blend is None else asdict(self.blend)
        return vars(self) | {"looks": looks, "blend": blend}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Fit:
        """What `content` gave."""
        looks = [
            Look(step=look["step"], judgement=Judgement(**look["judgement"]))
            for look in content["looks"]
        ]
        blend = None if content["blend"] is None else Blend(**content["blend"])
        return cls(**{**content, "looks": looks, "blend": blend})

    @property
    def best_look(self) -> Look | None:
        """The look with the largest average precision."""
        return max(self.looks, key=lambda look: look.precision, default=None)
