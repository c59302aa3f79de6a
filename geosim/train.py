"""Training on labels, from a folder of pairs to a weights file with its card."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import LabelError
from geosim.progress import Clock, Progress
from geosim.publish.curves import running_mean
from geosim.siamese.crops import Augmentation, draw_crop
from geosim.siamese.labelled import hold_out
from geosim.siamese.ranges import as_tensors, measure_ranges
from geosim.siamese.weights import load_weights
from geosim.train_options import TrainOptions
from geosim.training.labels import find_pairs, read_pairs
from geosim.training.model_files import (
    Pairs,
    Places,
    TrainResult,
    check_places,
    places_beside,
    training_record,
    write_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.fit import Fit, Recipe
    from geosim.siamese.labelled import LabelledPair
    from geosim.siamese.weights import LoadedWeights

RANGE_CROPS = 32
"""Crops on which the ranges for int8 are measured."""

REFIT_SHARE = 1 / 3
"""Steps of the second fit, as a share of those that served best in the first."""


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
        progress: called as the work goes on; the stages are "reading", "training",
            "refitting" and "measuring".
        say: called with a line of text at each look at the held-out pairs.

    Returns:
        The files and the figures.

    Raises:
        MissingDependencyError: torch is not installed.
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    from geosim.siamese.devices import describe_device, use_device
    from geosim.siamese.fit import Recipe
    from geosim.siamese.supervised import finished

    options = options or TrainOptions()
    began, clock = time.perf_counter(), Clock(progress)
    places = places_beside(out)
    check_places(places, options)
    with use_device(options.device, options.threads):
        start = load_weights(options.weights)
        pairs = _read(Path(folder), options, clock)
        crops = Augmentation(swap_dates=options.swap_dates)
        recipe = Recipe(steps=options.steps, seed=options.seed, augmentation=crops)
        held_out, final = _fit_twice(start, recipe, pairs, options, places, clock, say)
        assert held_out.blend is not None  # noqa: S101 - the first fit has ended
        tensors = finished(final.best, held_out.blend)
        tensors |= _ranges(tensors, pairs, recipe, options, clock)
        known = training_record(start, pairs, options, tensors, (held_out, final))
        seconds = round(time.perf_counter() - began, 1)
        known |= {"device": describe_device(options.device), "seconds": seconds}
        return write_model(
            places, tensors, known, (held_out, final), keep=options.keep_checkpoint
        )


def _read(folder: Path, options: TrainOptions, clock: Clock) -> Pairs:
    """Read all pairs and hold some out."""
    other = Path(options.validation) if isinstance(options.validation, str) else None
    total = sum(len(find_pairs(f)) for f in (folder, other) if f is not None)
    with clock.stage("reading", total) as tick:
        pairs = read_pairs(folder, tick)
        if other is not None:
            held_out = read_pairs(other, tick)
            return Pairs(training=pairs, held_out=held_out, whole=[])
    assert not isinstance(options.validation, str)  # noqa: S101 - `other` would be set
    training, held_out = hold_out(pairs, options.validation)
    for role, part in (("to learn from", training), ("held out", held_out)):
        if not any(len(pair.places) for pair in part):
            raise LabelError(
                f"none of the pairs {role} ({', '.join(p.name for p in part)}) has a "
                "changed pixel; give more labelled change, another --validation share "
                "or a folder of its own for --validation"
            )
    return Pairs(training=training, held_out=held_out, whole=pairs)


def _fit_twice(
    start: LoadedWeights,
    recipe: Recipe,
    pairs: Pairs,
    options: TrainOptions,
    places: Places,
    clock: Clock,
    say: Callable[[str], None],
) -> tuple[Fit, Fit]:
    """(fit judged on held-out pairs, fit to ship)."""
    from geosim.siamese.checkpoint import read_checkpoint, write_checkpoint
    from geosim.siamese.fit import Fit
    from geosim.siamese.supervised import Trainer, run_fit

    key = _key(start, recipe, pairs)
    held = read_checkpoint(places.checkpoint, key) if options.resume else None
    number = held["fit"]["number"] if held else 1
    trainer = Trainer(start.arrays, recipe, options.device, number=number)
    if held:
        trainer.restore(held)

    def fit(stage: str, steps: int, **kept: Any) -> Fit:  # noqa: ANN401 - as kept
        first = not kept
        with clock.stage(stage, steps) as tick:
            return run_fit(
                trainer,
                training=pairs.training if first else pairs.whole,
                held_out=pairs.held_out if first else [],
                steps=steps,
                keep=lambda at: write_checkpoint(
                    places.checkpoint, at.content() | kept, key
                ),
                say=_teller(tick, say),
            )

    if held and number > 1:
        first = Fit.of(held["first"])
    else:
        first = fit("training", options.steps)
    # also where the first fit had ended before: the score may have become another
    first.blend = trainer.blend(first.best, pairs.held_out)
    if not (options.refit and pairs.whole):
        return first, first
    if number == 1:
        best = {name: value.cpu().numpy() for name, value in first.best.items()}
        trainer = Trainer(best, recipe, options.device, number=2)
    steps = math.ceil(first.best_look.step * REFIT_SHARE if first.best_look else 1)
    return first, fit("refitting", steps, first=first.content())


def _ranges(
    tensors: Mapping[str, NDArray[np.float32]],
    pairs: Pairs,
    recipe: Recipe,
    options: TrainOptions,
    clock: Clock,
) -> dict[str, NDArray[np.float32]]:
    """What int8 rounds to, measured on crops of all pairs but those held out apart."""
    rng = np.random.default_rng(recipe.seed)
    source = pairs.whole or pairs.training
    with clock.stage("measuring", RANGE_CROPS) as tick:

        def crops() -> Iterator[NDArray[np.float32]]:
            for _ in range(RANGE_CROPS):
                crop = draw_crop(source, rng, recipe.augmentation)
                yield np.stack([crop.before, crop.after])
                tick(1)

        return as_tensors(measure_ranges(tensors, crops(), options.threads))


def _key(start: LoadedWeights, recipe: Recipe, pairs: Pairs) -> dict[str, Any]:
    """What must be the same for a training to go on.

    Of the weights, all but the head: no step uses it, so blend and threshold can be
    found anew when geosim comes with another.
    """
    how = asdict(recipe)
    trunk = hashlib.sha256()
    for name in sorted(start.arrays):
        if not name.startswith("head."):
            trunk.update(name.encode() + start.arrays[name].tobytes())
    return {
        "weights": trunk.hexdigest(),
        "seed": how.pop("seed"),
        "swap_dates": how["augmentation"].pop("swap_dates"),
        "recipe": {name: value for name, value in how.items() if name != "steps"},
        "pairs": [pair.name for pair in pairs.training],
        "held-out pairs": [pair.name for pair in pairs.held_out],
        "labels or contents": _digest([*pairs.training, *pairs.held_out]),
    }


def _digest(pairs: Sequence[LabelledPair]) -> str:
    """Of all that is learned from and judged by: the names alone do not tell."""
    found = hashlib.sha256()
    for pair in pairs:
        for values in (pair.before, pair.after, pair.changed, pair.valid):
            found.update(str(values.shape).encode())
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


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
