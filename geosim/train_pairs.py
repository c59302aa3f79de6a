"""Training on similar and dissimilar pictures, from a CSV file to a weights file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosim.errors import OptionError
from geosim.progress import Clock, Progress
from geosim.publish.curves import running_mean
from geosim.siamese.ranges import as_tensors, measure_ranges
from geosim.siamese.weights import load_weights
from geosim.train_options import TrainOptions
from geosim.training.model_files import check_places, places_beside
from geosim.training.pair_model_files import known_of, write_pair_model
from geosim.training.pair_pictures import gather_pictures, read_working_size
from geosim.training.similar_pairs import hold_out_pairs, read_similar_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geosim.siamese.losses import Distance
    from geosim.siamese.metric import PairFit, PairTrainer
    from geosim.siamese.weights import LoadedWeights
    from geosim.training.pair_model_files import PairTrainResult
    from geosim.training.pair_pictures import PairPictures
    from geosim.training.similar_pairs import SimilarPair

    FloatArray = NDArray[np.float32]


RANGE_PICTURES = 64
"""Pictures on which the ranges for int8 are measured."""


def train_on_pairs(
    table: str | Path,
    out: str | Path | None = None,
    options: TrainOptions | None = None,
    *,
    distance: Distance = "cosine",
    margin: float | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> PairTrainResult:
    """Train an embedding on similar and dissimilar pictures.

    Args:
        table: CSV file with the columns first, second and similar (1 or 0).
        out: the weights file to write; None: `model.safetensors` here. The card and the
            curves go beside it.
        options: how; the defaults where None. `validation` is a share or another CSV
            file; `refit` and `swap_dates` count for nothing.
        distance: of embeddings, cosine or Euclidean.
        margin: distance wanted of dissimilar pairs; None: 0.9 cosine, 1.3 Euclidean.
        progress: called as the work goes on; the stages are "reading", "training"
            and "measuring".
        say: called with a line of text at each look at the held-out pairs.

    Returns:
        The files and the figures.

    Raises:
        MissingDependencyError: torch is not installed.
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    from geosim.siamese.devices import describe_device, use_device

    options = options or TrainOptions()
    began, clock = time.perf_counter(), Clock(progress)
    told = {"distance": distance, "margin": _margin(distance, margin)}
    places = places_beside(out)
    check_places(places, options)
    if options.device != "cpu":
        raise OptionError("--device: pairs of pictures are trained on the CPU")
    with use_device(options.device, options.threads):
        start = load_weights(options.weights)
        seen = gather_pictures(*_split(Path(table), options))
        trainer = _trained(start, seen, options, told, places.checkpoint, clock, say)
        tensors = trainer.tensors(start.arrays)
        tensors |= _ranges(tensors, seen.pictures, options.threads, clock)
        known = known_of(start, Path(table), seen.counts, trainer.fit)
        known |= {**told, "options": options.to_dict()}
        known["device"] = describe_device(options.device)
        known["seconds"] = round(time.perf_counter() - began, 1)
        return write_pair_model(places, trainer.fit, tensors, known)


def _trained(
    start: LoadedWeights,
    seen: PairPictures,
    options: TrainOptions,
    told: Mapping[str, Any],
    checkpoint: Path,
    clock: Clock,
    say: Callable[[str], None],
) -> PairTrainer:
    """The trainer after its last step; `told` has distance and margin."""
    from geosim.siamese.checkpoint import read_checkpoint, write_checkpoint
    from geosim.siamese.metric import PairTrainer

    with clock.stage("reading", len(seen.pictures)) as tick:
        pictures = [read_working_size(path) for path in seen.pictures]
        trainer = PairTrainer(
            start.arrays, pictures, seed=options.seed, tick=tick, **told
        )
    key = {
        "weights": start.record.sha256,
        "seed": options.seed,
        **told,
        "pictures": [str(path) for path in seen.pictures],
        "pairs": seen.counts[0],
        "labels or contents": seen.digest(),
    }
    if options.resume:
        trainer.restore(read_checkpoint(checkpoint, key))
    with clock.stage("training", options.steps) as tick:

        def keep() -> None:
            write_checkpoint(checkpoint, trainer.content(), key)

        trainer.run(
            seen.training, seen.held_out, options.steps, _teller(tick, say, keep)
        )
    return trainer


def _ranges(
    tensors: Mapping[str, FloatArray],
    pictures: Sequence[Path],
    threads: int | None,
    clock: Clock,
) -> dict[str, FloatArray]:
    """Ranges for int8, measured on some of the pictures."""
    shown = pictures[:RANGE_PICTURES]
    with clock.stage("measuring", len(shown)) as tick:
        return as_tensors(measure_ranges(tensors, _batches(shown, tick), threads))


def _margin(distance: str, margin: float | None) -> float:
    from geosim.siamese.losses import PAIR_MARGINS

    if distance not in PAIR_MARGINS:
        raise OptionError(
            f"--distance wants one of {', '.join(PAIR_MARGINS)}; found '{distance}'"
        )
    if margin is not None and not 0 < margin <= 2:  # noqa: PLR2004 - unit vectors
        raise OptionError(f"--margin wants more than 0, at most 2; found {margin:g}")
    return PAIR_MARGINS[distance] if margin is None else margin


def _split(
    table: Path, options: TrainOptions
) -> tuple[list[SimilarPair], list[SimilarPair]]:
    pairs = read_similar_pairs(table)
    if isinstance(options.validation, str):
        return pairs, read_similar_pairs(Path(options.validation))
    return hold_out_pairs(pairs, options.validation, options.seed)


def _batches(
    paths: Sequence[Path], tick: Callable[[float], None]
) -> Iterator[FloatArray]:
    """Pictures one by one, (1, 3, height, width)."""
    for path in paths:
        yield read_working_size(path)[None]
        tick(1)


def _teller(
    tick: Callable[[float], None],
    say: Callable[[str], None],
    keep: Callable[[], None],
) -> Callable[[PairFit], None]:
    """Pass the steps on; keep and tell each look."""
    done = 0

    def tell(fit: PairFit) -> None:
        nonlocal done
        tick(fit.step - done)
        done = fit.step
        look = fit.looks[-1]
        if look.step == fit.step:
            keep()
            loss = f"loss {running_mean(fit.losses)[-1]:.4f}, " if fit.losses else ""
            say(
                f"step {fit.step}: {loss}held out: loss {look.loss:.4f}, "
                f"ROC {look.auc:.3f}"
            )

    return tell
