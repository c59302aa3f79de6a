"""What a training leaves: weights, model card, curves; checked before, whole after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geosim
from geosim.errors import OptionError, OutputError, ResultExistsError
from geosim.publish.card import TrainingRecord, model_card
from geosim.publish.curves import Line, curves_png, running_mean
from geosim.raster.staging import writing
from geosim.siamese.weights import save_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from geosim.siamese.fit import Fit
    from geosim.siamese.labelled import LabelledPair
    from geosim.siamese.weights import LoadedWeights
    from geosim.train_options import TrainOptions

DEFAULT_MODEL = "model.safetensors"
"""Where a model goes unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What `train_model` wrote."""

    weights: Path
    """The weights file: for `--weights` and `ChangeOptions(weights=...)`."""
    card: Path
    """The model card, Markdown."""
    curves: Path
    """The curves, PNG."""
    record: TrainingRecord
    """What it was trained on and how well held-out pairs were told."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything is written."""

    weights: Path
    card: Path
    curves: Path
    checkpoint: Path


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What is learned from and what is held out."""

    training: list[LabelledPair]
    held_out: list[LabelledPair]
    whole: list[LabelledPair]
    """What the second fit learns from; empty where the held-out pairs are others'."""


def places_beside(out: str | Path | None) -> Places:
    """Where the files of a model go: beside its weights, with the same stem.

    Args:
        out: the weights file; None: `model.safetensors` here.

    Raises:
        OptionError: the name does not end with `.safetensors`.
    """
    weights = Path(out or DEFAULT_MODEL)
    if weights.suffix != ".safetensors":
        raise OptionError(
            f"-o wants a file that ends with .safetensors; found '{weights}'"
        )
    return Places(
        weights=weights,
        card=weights.with_suffix(".md"),
        curves=weights.with_suffix(".png"),
        checkpoint=weights.with_suffix(".checkpoint"),
    )


def check_places(places: Places, options: TrainOptions) -> None:
    """Refuse before any work what would be refused after it.

    Raises:
        ResultExistsError: there is a model or a checkpoint already.
        OptionError: there is no checkpoint to resume from.
        OutputError: the folder cannot be written.
    """
    made = [p for p in (places.weights, places.card, places.curves) if p.exists()]
    if made and not options.overwrite:
        raise ResultExistsError(
            f"'{made[0]}' exists already; replace it with --overwrite or choose "
            "another file with -o"
        )
    kept = places.checkpoint.exists()
    if options.resume and not kept:
        raise OptionError(
            f"--resume wants the checkpoint '{places.checkpoint}', which does not "
            "exist; leave --resume out to begin anew"
        )
    if kept and not options.resume and not options.overwrite:
        raise ResultExistsError(
            f"'{places.checkpoint}' is left of an interrupted training; go on with "
            "--resume or begin anew with --overwrite"
        )
    try:
        places.weights.absolute().parent.mkdir(parents=True, exist_ok=True)
        probe = places.checkpoint.with_name(places.checkpoint.name + ".part")
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into '{places.weights.absolute().parent}': "
            f"{error.strerror}; choose another file with -o"
        ) from error


def training_record(
    start: LoadedWeights,
    pairs: Pairs,
    options: TrainOptions,
    tensors: Mapping[str, NDArray[np.float32]],
    fits: tuple[Fit, Fit],
) -> dict[str, Any]:
    """The fields of the record that are known before the file is written."""
    first, final = fits
    look = first.best_look
    refitted = final is not first
    learned = pairs.whole if refitted else pairs.training
    return {
        "started_from": f"{start.record.name}, sha256 `{start.record.sha256}`",
        "licence": start.record.licence,
        "attribution": start.record.attribution,
        "trained_on": tuple(pair.name for pair in learned),
        "held_out": tuple(pair.name for pair in pairs.held_out),
        "refitted": refitted,
        "changed_percent": 100 * _changed_share(learned),
        "steps": (look.step if look else first.step) + refitted * final.step,
        "average_precision": first.blend.average_precision if first.blend else 0.0,
        "chance": _changed_share(pairs.held_out),
        "f1": first.blend.f1 if first.blend else 0.0,
        "threshold": float(tensors["decoder.threshold"][0]),
        "software": f"geosim {geosim.__version__}",
        "options": options.to_dict(),
    }


def _changed_share(pairs: list[LabelledPair]) -> float:
    """Share of the labelled pixels that changed."""
    changed = sum(len(pair.places) for pair in pairs)
    return changed / max(sum(int(pair.valid.sum()) for pair in pairs), 1)


def write_model(
    places: Places,
    tensors: Mapping[str, NDArray[np.float32]],
    known: dict[str, Any],
    fits: tuple[Fit, Fit],
    *,
    keep: bool = False,
) -> TrainResult:
    """Write weights, curves and card.

    The checkpoint has done its duty then and goes, unless it is to be kept.
    """
    name = places.weights.stem
    metadata = {
        "name": name,
        "version": "1",
        "licence": f"{known['licence']}; and the terms of the labelled pairs",
        "attribution": known["attribution"],
        "trained_on": f"labelled pairs: {', '.join(known['trained_on'])}",
    }
    first, final = fits
    picture = curves_png(*curves_of(first, final))
    with writing(places.weights):
        sha256 = save_weights(places.weights, tensors, metadata=metadata)
        record = TrainingRecord(name=name, sha256=sha256, **known)
        card = model_card(
            record, weights=places.weights.name, curves=places.curves.name
        )
        put_beside(places, picture, card)
        if not keep:
            places.checkpoint.unlink(missing_ok=True)
    return TrainResult(
        weights=places.weights, card=places.card, curves=places.curves, record=record
    )


def put_beside(places: Places, curves: bytes, card: str) -> None:
    """Write curves and card, each whole or not at all."""
    for path, content in ((places.curves, curves), (places.card, card.encode())):
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(content)
        partial.replace(path)


def curves_of(
    first: Fit, final: Fit
) -> tuple[list[tuple[str, list[Line]]], int, int | None]:
    """Panels, right end of the axis and marked step for `curves_png`.

    The second fit goes on where the first one was best; that step is marked.
    """
    best = first.best_look
    begun = best.step if best else first.step
    fits = [("first fit", 0, first)]
    if final is not first:
        fits.append(("second fit, all pairs", begun, final))
    losses: list[Line] = [
        (
            name,
            range(start + 1, start + len(fit.losses) + 1),
            running_mean(fit.losses),
        )
        for name, start, fit in fits
    ]
    steps = [look.step for look in first.looks]
    judged = [look.judgement for look in first.looks]
    held_out: list[Line] = [
        ("average precision", steps, [found.average_precision for found in judged]),
        ("best F1", steps, [found.f1 for found in judged]),
    ]
    panels = [("loss, mean of 20 steps", losses), ("held out", held_out)]
    end = max(start + fit.step for _, start, fit in fits)
    return panels, end, best.step if best else None
