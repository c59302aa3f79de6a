"""Training on labels, from a folder of pairs to a weights file with its card."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geosim
from geosim.errors import LabelError, OptionError, OutputError, ResultExistsError
from geosim.labels import find_pairs, read_pairs
from geosim.options import TrainOptions
from geosim.progress import Clock, Progress
from geosim.publish.card import TrainingRecord, model_card
from geosim.publish.curves import curves_png, running_mean
from geosim.raster.writer import writing
from geosim.siamese.labelled import Augmentation, LabelledPair, hold_out
from geosim.siamese.weights import load_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from geosim.publish.curves import Line
    from geosim.siamese.supervised import Fit, Recipe
    from geosim.siamese.weights import LoadedWeights

DEFAULT_MODEL = "model.safetensors"
"""Where the model goes unless told otherwise."""


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
class _Places:
    """Where everything is written."""

    weights: Path
    card: Path
    curves: Path
    checkpoint: Path


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """What is learned from and what is held out."""

    training: list[LabelledPair]
    held_out: list[LabelledPair]
    joins: bool
    """Whether the held-out pairs belong to the same folder."""


def train_model(
    folder: str | Path,
    out: str | Path | None = None,
    options: TrainOptions | None = None,
    *,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train a model on labelled pairs.

    Args:
        folder: holds A/ (date 1), B/ (date 2) and label/, files of the same names.
        out: the weights file to write; None: `model.safetensors` here. The card and the
            curves go beside it.
        options: how; the defaults where None.
        progress: called as the work goes on; the stages are "reading", "training" and
            "refitting".
        say: called with a line of text at each look at the held-out pairs.

    Returns:
        The files and the figures.

    Raises:
        MissingDependencyError: torch is not installed.
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    from geosim.siamese import supervised

    options = options or TrainOptions()
    began, clock = time.perf_counter(), Clock(progress)
    places = _places(Path(out or DEFAULT_MODEL))
    _check_places(places, options)
    supervised.use_device(options.device, options.threads)
    start = load_weights(options.weights)
    pairs = _read(Path(folder), options, clock)
    recipe = supervised.Recipe(
        steps=options.steps,
        seed=options.seed,
        augmentation=Augmentation(swap_dates=options.swap_dates),
    )
    held_out, final = _fit_twice(start, recipe, pairs, options, places, clock, say)
    tensors = supervised.finished(final.best, held_out)
    known = _record(start, pairs, options, tensors, (held_out, final))
    known["seconds"] = round(time.perf_counter() - began, 1)
    return _write(places, tensors, known, (held_out, final))


def _places(weights: Path) -> _Places:
    if weights.suffix != ".safetensors":
        raise OptionError(
            f"-o wants a file that ends with .safetensors; found '{weights}'"
        )
    return _Places(
        weights=weights,
        card=weights.with_suffix(".md"),
        curves=weights.with_suffix(".png"),
        checkpoint=weights.with_suffix(".checkpoint"),
    )


def _check_places(places: _Places, options: TrainOptions) -> None:
    """Refuse before any work what would be refused after it."""
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


def _read(folder: Path, options: TrainOptions, clock: Clock) -> _Pairs:
    """Read all pairs and hold some out."""
    other = Path(options.validation) if isinstance(options.validation, str) else None
    total = sum(len(find_pairs(f)) for f in (folder, other) if f is not None)
    with clock.stage("reading", total) as tick:
        pairs = read_pairs(folder, tick)
        if other is not None:
            held_out = read_pairs(other, tick)
            return _Pairs(training=pairs, held_out=held_out, joins=False)
    assert not isinstance(options.validation, str)  # noqa: S101 - `other` would be set
    training, held_out = hold_out(pairs, options.validation)
    for role, part in (("to learn from", training), ("held out", held_out)):
        if not any(len(pair.places) for pair in part):
            raise LabelError(
                f"none of the pairs {role} ({', '.join(p.name for p in part)}) has a "
                "changed pixel; give more labelled change, another --validation share "
                "or a folder of its own for --validation"
            )
    return _Pairs(training=training, held_out=held_out, joins=True)


def _fit_twice(  # noqa: PLR0913, PLR0917 - the story of a training
    start: LoadedWeights,
    recipe: Recipe,
    pairs: _Pairs,
    options: TrainOptions,
    places: _Places,
    clock: Clock,
    say: Callable[[str], None],
) -> tuple[Fit, Fit]:
    """(fit judged on held-out pairs, fit to ship)."""
    from geosim.siamese.checkpoint import read_checkpoint, write_checkpoint
    from geosim.siamese.supervised import Fit, Trainer, run_fit

    key = _key(start, pairs, options)
    held = read_checkpoint(places.checkpoint, key) if options.resume else None
    number = held["fit"]["number"] if held else 1
    trainer = Trainer(start.arrays, recipe, options.device, number=number)
    if held:
        trainer.restore(held)
    if held and number > 1:
        first = Fit.of(held["first"])
    else:
        with clock.stage("training", options.steps) as tick:
            first = run_fit(
                trainer,
                training=pairs.training,
                held_out=pairs.held_out,
                steps=options.steps,
                keep=lambda at: write_checkpoint(places.checkpoint, at.content(), key),
                say=_teller(tick, say),
            )
        if not options.refit or not pairs.joins:
            return first, first
        trainer = Trainer(start.arrays, recipe, options.device, number=2)
    told = first.content() | {"best": {}}
    steps = first.best_look.step if first.best_look else options.steps
    with clock.stage("refitting", steps) as tick:
        second = run_fit(
            trainer,
            training=[*pairs.training, *pairs.held_out],
            held_out=[],
            steps=steps,
            keep=lambda at: write_checkpoint(
                places.checkpoint, at.content() | {"first": told}, key
            ),
            say=_teller(tick, say),
        )
    return first, second


def _key(start: LoadedWeights, pairs: _Pairs, options: TrainOptions) -> dict[str, Any]:
    """What must be the same for a training to go on."""
    return {
        "weights": start.record.sha256,
        "seed": options.seed,
        "swap_dates": options.swap_dates,
        "pairs": [pair.name for pair in pairs.training],
        "held-out pairs": [pair.name for pair in pairs.held_out],
    }


def _teller(
    tick: Callable[[float], None], say: Callable[[str], None]
) -> Callable[[Fit], None]:
    """Pass the steps and the looks of a fit on."""
    done = 0

    def tell(fit: Fit) -> None:
        nonlocal done
        tick(fit.step - done)
        done = fit.step
        if fit.looks and fit.looks[-1].step == fit.step:
            found = fit.looks[-1].judgement
            say(
                f"step {fit.step}: loss {running_mean(fit.losses)[-1]:.3f}, held out: "
                f"AP {found.average_precision:.3f}, best F1 {found.f1:.3f}"
            )

    return tell


def _record(
    start: LoadedWeights,
    pairs: _Pairs,
    options: TrainOptions,
    tensors: Mapping[str, NDArray[np.float32]],
    fits: tuple[Fit, Fit],
) -> dict[str, Any]:
    """The fields of the record that are known before the file is written."""
    from geosim.siamese.supervised import describe_device

    first, final = fits
    look = first.best_look
    refitted = final is not first
    learned = [*pairs.training, *(pairs.held_out if refitted else ())]
    changed = sum(len(pair.places) for pair in learned)
    valid = sum(int(pair.valid.sum()) for pair in learned)
    return {
        "started_from": f"{start.record.name}, sha256 `{start.record.sha256}`",
        "licence": start.record.licence,
        "attribution": start.record.attribution,
        "trained_on": tuple(pair.name for pair in learned),
        "held_out": tuple(pair.name for pair in pairs.held_out),
        "refitted": refitted,
        "changed_percent": 100 * changed / max(valid, 1),
        "steps": final.step if refitted or look is None else look.step,
        "average_precision": look.judgement.average_precision if look else 0.0,
        "f1": look.judgement.f1 if look else 0.0,
        "threshold": float(tensors["decoder.threshold"][0]),
        "device": describe_device(options.device),
        "software": f"geosim {geosim.__version__}",
        "options": options.to_dict(),
    }


def _write(
    places: _Places,
    tensors: Mapping[str, NDArray[np.float32]],
    known: dict[str, Any],
    fits: tuple[Fit, Fit],
) -> TrainResult:
    """Write weights, curves and card; the checkpoint has done its duty then."""
    name = places.weights.stem
    metadata = {
        "name": name,
        "version": "1",
        "licence": f"{known['licence']}; and the terms of the labelled pairs",
        "attribution": known["attribution"],
        "trained_on": f"labelled pairs: {', '.join(known['trained_on'])}",
    }
    first, final = fits
    picture = curves_png(
        _panels(first, final), steps=max(first.step, final.step), mark=known["steps"]
    )
    with writing(places.weights):
        sha256 = save_weights(places.weights, tensors, metadata=metadata)
        record = TrainingRecord(name=name, sha256=sha256, **known)
        card = model_card(
            record, weights=places.weights.name, curves=places.curves.name
        )
        _put(places.curves, picture)
        _put(places.card, card.encode())
        places.checkpoint.unlink(missing_ok=True)
    return TrainResult(
        weights=places.weights, card=places.card, curves=places.curves, record=record
    )


def _put(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)


def _panels(first: Fit, final: Fit) -> list[tuple[str, list[Line]]]:
    """Loss of both fits; what the looks at the held-out pairs found."""
    fits = {"first fit": first, "second fit": final}
    losses = [
        (name, range(1, len(fit.losses) + 1), running_mean(fit.losses))
        for name, fit in fits.items()
        if name == "first fit" or final is not first
    ]
    steps = [look.step for look in first.looks]
    judged = [look.judgement for look in first.looks]
    held_out = [
        ("average precision", steps, [found.average_precision for found in judged]),
        ("best F1", steps, [found.f1 for found in judged]),
    ]
    return [("loss, mean of 20 steps", losses), ("held-out pairs", held_out)]
