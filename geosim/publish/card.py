"""The model card: what a trained model is, in Markdown (Mitchell et al. 2019)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_LEAST_GAIN = 0.1
"""Of what lies between a guess and a perfect average precision."""


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What a training was and what came of it."""

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
    trained_on: tuple[str, ...]
    """Names of the pairs that the final fit learned from."""
    held_out: tuple[str, ...]
    """Names of the pairs that stopped the first fit and placed the threshold."""
    refitted: bool
    """True where the final fit learned from the held-out pairs as well."""
    changed_percent: float
    """Share of the labelled pixels that changed."""
    steps: int
    """Steps of the final fit."""
    average_precision: float
    """On the held-out pairs, of the first fit."""
    chance: float
    """Average precision of a guess: share of what was held out that changed."""
    f1: float
    """The same at the threshold."""
    threshold: float
    """Probability from which a pixel counts as changed."""
    seconds: float
    """Time that it took."""
    device: str
    """What it ran on."""
    software: str
    """Version of geosim."""
    options: dict[str, Any]
    """As given to `geosim train`."""

    @property
    def doubt(self) -> str | None:
        """Why the model is hardly of use, in a sentence; None where it may be."""
        gained = (self.average_precision - self.chance) / max(1 - self.chance, 1e-9)
        if gained >= _LEAST_GAIN:
            return None
        return (
            "The model hardly finds what the labels mark: average precision on what "
            f"was held out is {self.average_precision:.3f}, that of a guess "
            f"{self.chance:.3f}; look whether labels and both dates belong together, "
            "or give more labelled change."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def model_card(record: TrainingRecord, *, weights: str, curves: str) -> str:
    """The card as Markdown.

    Args:
        record: what to tell.
        weights: name of the weights file.
        curves: name of the picture of the curves.
    """
    again = (
        "The model then learned from everything; the figures are from before that."
        if record.refitted
        else "The model was not fitted to it."
    )
    doubt = f"\n**{record.doubt}**\n" if record.doubt else ""
    rows = [f"| {key} | {value} |" for key, value in record.options.items()]
    options = "\n".join(rows)
    return f"""# {record.name}

A change detection model for `geosim change BEFORE AFTER --weights {weights}`,
trained by {record.software} on labelled pairs.

| what | value |
|---|---|
| file | `{weights}`, sha256 `{record.sha256}` |
| started from | {record.started_from} |
| under | {record.licence}: {record.attribution} |
| learned from | {", ".join(record.trained_on)} |
| changed | {record.changed_percent:.2f} % of their labelled pixels |
| held out | {", ".join(record.held_out)} |
| steps | {record.steps} |
| average precision, held out | {record.average_precision:.3f} (a guess \
{record.chance:.3f}) |
| F1 at the threshold, held out | {record.f1:.3f} |
| threshold (`--threshold auto`) | {record.threshold:.3f} |
| took | {record.seconds / 60:.0f} min on {record.device} |
{doubt}
What was held out chose the number of steps, the blend and the threshold, so the figures
on it are a little too good. {again}
Measure the model on pairs that took no part at all.

It finds what its labels called change, on imagery like that of its pairs: same sensor,
pixel size and season. The dates are shown to it as `geosim change` does by default:
red, green and blue, date 2 matched to date 1's histogram. The terms of the pairs hold
for the model too.

![Curves]({curves})

| option | value |
|---|---|
{options}
"""
