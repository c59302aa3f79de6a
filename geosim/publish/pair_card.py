"""The card of a model that was trained on similar and dissimilar pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PairTrainingRecord:
    """What a training on pairs was and what came of it."""

    name: str
    """Name of the model."""
    sha256: str
    """Of the weights file."""
    started_from: str
    """Name and SHA-256 of the weights it began with."""
    licence: str
    """Licence of those weights."""
    attribution: str
    """Whom that licence asks to name."""
    trained_on: str
    """Name of the list."""
    pairs: int
    """Pairs that it learned from."""
    held_out: int
    """Pairs that stopped it."""
    distance: str
    """Of the embeddings: cosine or euclidean."""
    margin: float
    """Distance wanted of dissimilar pairs."""
    steps: int
    """Steps of what was kept; 0: nothing was better than the start."""
    auc_before: float
    """Area under the ROC curve on the held-out pairs, before, 0..1."""
    auc: float
    """The same afterwards."""
    loss_before: float
    """Contrastive loss on the held-out pairs, before."""
    loss: float
    """The same afterwards."""
    seconds: float
    """Time that it took."""
    device: str
    """What it ran on."""
    software: str
    """Version of geosim."""
    options: dict[str, Any]
    """As given to `geosim train`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def pair_model_card(record: PairTrainingRecord, *, weights: str, curves: str) -> str:
    """The card as Markdown.

    Args:
        record: what to tell.
        weights: name of the weights file.
        curves: name of the picture of the curves.
    """
    rows = [f"| {key} | {value} |" for key, value in record.options.items()]
    options = "\n".join(rows)
    auc = f"{record.auc:.3f}; before {record.auc_before:.3f}"
    loss = f"{record.loss:.4f}; before {record.loss_before:.4f}"
    return f"""# {record.name}

An embedding of pictures for `geosim compare A B --weights {weights}` and the search,
trained by {record.software} on similar and dissimilar pairs.

| what | value |
|---|---|
| file | `{weights}`, sha256 `{record.sha256}` |
| started from | {record.started_from} |
| under | {record.licence}: {record.attribution} |
| learned from | {record.pairs} pairs of {record.trained_on} |
| held out | {record.held_out} pairs |
| loss | contrastive, {record.distance} distance, margin {record.margin:g} |
| steps | {record.steps} |
| area under the ROC curve, held out | {auc} |
| loss, held out | {loss} |
| took | {record.seconds / 60:.1f} min on {record.device} |

What was held out chose the number of steps, so the figures on it are a little too good.
Measure the model on pairs that took no part at all.

It calls similar what its pairs called similar, in pictures like theirs. Only the
embedding has learned: differences at low, mid and high level and change maps are those
of the weights it started from. The terms of the pictures hold for the model too.

![Curves]({curves})

| option | value |
|---|---|
{options}
"""
