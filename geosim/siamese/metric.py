"""Learn an embedding from similar and dissimilar pairs, by the contrastive loss.

Only what lies behind relu4_3 learns: the last three convolutions and the linear
layer. So the differences at low, mid and high level, and with them every change map,
stay as they were, and what lies before is computed once for each picture. A decoder
(`geosim train` with labels) reads those convolutions too: beside one the linear layer
learns alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.backend import functional, torch
from geosim.siamese.decoder import has_decoder
from geosim.siamese.devices import has_bfloat16
from geosim.siamese.loading import network_of
from geosim.siamese.losses import pair_distances, pair_loss
from geosim.siamese.network import pool
from geosim.siamese.synthesis import add_nuisance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.losses import Distance

    FloatArray = NDArray[np.float32]

_SPLIT = 24
"""Index in the network's features of the first layer that learns (after a pooling)."""

_BATCH = 8
"""Pairs of a step, half of them similar."""

_RATES = {"trunk": 2e-5, "embedding": 3e-4}
_DECAY = 1e-4
_LOOK_EVERY, _PATIENCE = 20, 5
_MOST_FEATURES = 3000
"""Views of pictures that are kept; 0.25 MB each."""

_VIEWS = 4
"""Of each picture that is learned from: itself, and mirrored or re-lit."""


@dataclass(frozen=True, kw_only=True)
class PairIndex:
    """Pairs of pictures by their places in a list."""

    first: NDArray[np.int64]
    """(n,) places."""
    second: NDArray[np.int64]
    """(n,) places."""
    similar: NDArray[np.bool_]
    """(n,)."""


@dataclass(frozen=True, kw_only=True)
class PairLook:
    """How well held-out pairs are told after a number of steps."""

    step: int
    """Steps so far."""
    loss: float
    """Contrastive loss."""
    auc: float
    """Area under the ROC curve: chance that a similar pair lies closer, 0..1."""


@dataclass(kw_only=True)
class PairFit:
    """What a fit has done so far."""

    step: int = 0
    """Steps."""
    losses: list[float] = field(default_factory=list)
    """Of each step."""
    looks: list[PairLook] = field(default_factory=list)
    """At the held-out pairs, the first before any step."""
    best: dict[str, Any] = field(default_factory=dict)
    """Tensors of the look with the least loss."""

    @property
    def best_look(self) -> PairLook:
        """The look with the least held-out loss."""
        return min(self.looks, key=lambda look: look.loss)

    @property
    def ended(self) -> bool:
        """Whether the last looks brought nothing."""
        since = len(self.looks) - 1 - self.looks.index(self.best_look)
        return since >= _PATIENCE


class PairTrainer:
    """The network, the features of all pictures, and the optimiser."""

    def __init__(
        self,
        arrays: Mapping[str, FloatArray],
        pictures: Sequence[FloatArray],
        *,
        seed: int,
        distance: Distance,
        margin: float,
        tick: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Compute what does not learn.

        Args:
            arrays: tensors of a weights file.
            pictures: (3, height, width) each, sides multiples of 16.
            seed: of all chance.
            distance: of embeddings.
            margin: of dissimilar pairs.
            tick: called with 1 after each picture.
        """
        self._seed, self._distance, self._margin = seed, distance, margin
        self._model = network_of(arrays)
        self._model.eval()
        trunk = self._model.features[:_SPLIT]
        views = max(min(_VIEWS, _MOST_FEATURES // max(len(pictures), 1)), 1)
        self._features = []
        for index, picture in enumerate(pictures):
            rng = np.random.default_rng((seed, index))
            shown = np.stack([view_of(picture, rng, view) for view in range(views)])
            with torch.no_grad():
                batch = (torch.from_numpy(shown) - self._model.mean) / self._model.std
                with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
                    deep = trunk(batch)
                self._features.append(deep.half())
            tick(1)
        self._tail = self._model.features[_SPLIT:]
        parts = {"trunk": self._tail, "embedding": self._model.embedding}
        if has_decoder(arrays):
            self._tail.requires_grad_(requires_grad=False)
            del parts["trunk"]
        groups = [
            {"params": list(part.parameters()), "lr": _RATES[name]}
            for name, part in parts.items()
        ]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=_DECAY)
        self.fit = PairFit()

    def embed(self, places: NDArray[np.int64], views: NDArray[np.int64]) -> Any:  # noqa: ANN401 - a tensor
        """Unit vectors (n, 128) of views of pictures."""
        found: dict[int, Any] = {}
        shapes: dict[tuple[int, ...], list[int]] = {}
        for number, place in enumerate(places):
            shape = tuple(self._features[place].shape[1:])
            shapes.setdefault(shape, []).append(number)
        for members in shapes.values():
            batch = torch.stack(
                [self._features[places[n]][views[n]] for n in members]
            ).float()
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
                deep = self._tail(batch)
            vectors = self._model.embedding(pool(deep.float()))
            found |= dict(
                zip(members, functional.normalize(vectors, dim=1), strict=True)
            )
        return torch.stack([found[number] for number in range(len(places))])

    def run(
        self,
        training: PairIndex,
        held_out: PairIndex,
        steps: int,
        told: Callable[[PairFit], None],
    ) -> PairFit:
        """Go on until `steps` or until the held-out pairs stop getting better.

        Args:
            training: what to learn from.
            held_out: what to judge by.
            steps: at most.
            told: called after each step; where the last look is of this step, all that
                is needed to go on is in `content`.
        """
        if not self.fit.looks:
            self._look(held_out)
            told(self.fit)
        while self.fit.step < steps and not self.fit.ended:
            self.fit.losses.append(self._step(training))
            self.fit.step += 1
            if self.fit.step % _LOOK_EVERY == 0 or self.fit.step == steps:
                self._look(held_out)
            told(self.fit)
        return self.fit

    def _step(self, pairs: PairIndex) -> float:
        rng = np.random.default_rng((self._seed, 1, self.fit.step))
        half = _BATCH // 2
        kinds = [np.flatnonzero(pairs.similar), np.flatnonzero(~pairs.similar)]
        chosen = np.concatenate([rng.choice(kind, half) for kind in kinds])
        places = np.concatenate([pairs.first[chosen], pairs.second[chosen]])
        views = rng.integers(len(self._features[0]), size=len(places))
        first, second = self.embed(places, views).chunk(2)
        similar = torch.from_numpy(pairs.similar[chosen])
        loss = pair_loss(
            first, second, similar, distance=self._distance, margin=self._margin
        )
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    def _look(self, pairs: PairIndex) -> None:
        with torch.inference_mode():
            zero = np.zeros(len(pairs.first), np.int64)
            first, second = (
                self.embed(places, zero) for places in (pairs.first, pairs.second)
            )
            similar = torch.from_numpy(pairs.similar)
            loss = pair_loss(
                first, second, similar, distance=self._distance, margin=self._margin
            )
            apart = pair_distances(first, second, self._distance).numpy()
        near, far = apart[pairs.similar], apart[~pairs.similar]
        closer = (near[:, None] < far).mean() + 0.5 * (near[:, None] == far).mean()
        look = PairLook(step=self.fit.step, loss=float(loss), auc=float(closer))
        self.fit.looks.append(look)
        if self.fit.best_look is look:
            self.fit.best = self._learned()

    def _learned(self) -> dict[str, Any]:
        state = self._model.state_dict()
        return {
            name: value.detach().clone()
            for name, value in state.items()
            if name.startswith("embedding.")
            or (name.startswith("features.") and int(name.split(".")[1]) >= _SPLIT)
        }

    def tensors(self, start: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """All tensors of a weights file: the best look's, the others as before."""
        learned = {name: value.numpy() for name, value in self.fit.best.items()}
        return {name: learned.get(name, value) for name, value in start.items()}

    def content(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "model": self._learned(),
            "optimizer": self._optimizer.state_dict(),
            "fit": {
                "step": self.fit.step,
                "losses": self.fit.losses,
                "looks": [asdict(look) for look in self.fit.looks],
                "best": self.fit.best,
            },
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._model.load_state_dict(content["model"], strict=False)
        self._optimizer.load_state_dict(content["optimizer"])
        kept = dict(content["fit"])
        looks = [PairLook(**look) for look in kept.pop("looks")]
        self.fit = PairFit(looks=looks, **kept)


def view_of(picture: FloatArray, rng: np.random.Generator, number: int) -> FloatArray:
    """View 0 is the picture itself, odd ones are mirrored, all others re-lit."""
    if number == 0:
        return picture
    seen = picture[:, :, ::-1] if number % 2 else picture
    return add_nuisance(np.ascontiguousarray(seen), rng)
