"""Training on similar and dissimilar pictures, from a CSV file to a weights file."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geosim
from geosim.errors import OptionError
from geosim.images.models import working_size
from geosim.images.pixels import resized
from geosim.images.reading import read_picture
from geosim.progress import Clock, Progress
from geosim.publish.curves import Line, curves_png, running_mean
from geosim.publish.pair_card import PairTrainingRecord, pair_model_card
from geosim.raster.staging import writing
from geosim.siamese.ranges import as_tensors, measure_ranges
from geosim.siamese.weights import load_weights, save_weights
from geosim.train_options import TrainOptions
from geosim.training.model_files import Places, check_places, places_beside, put_beside
from geosim.training.similar_pairs import hold_out_pairs, read_similar_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.losses import Distance
    from geosim.siamese.metric import PairFit, PairIndex
    from geosim.siamese.weights import LoadedWeights
    from geosim.training.similar_pairs import SimilarPair

    FloatArray = NDArray[np.float32]


RANGE_PICTURES = 64
"""Pictures on which the ranges for int8 are measured."""


@dataclass(frozen=True, kw_only=True)
class PairTrainResult:
    """What `train_on_pairs` wrote."""

    weights: Path
    """The weights file: for `--weights`."""
    card: Path
    """The model card, Markdown."""
    curves: Path
    """The curves, PNG."""
    record: PairTrainingRecord
    """What it was trained on and how well held-out pairs were told."""


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
    from geosim.siamese.checkpoint import read_checkpoint, write_checkpoint
    from geosim.siamese.devices import describe_device, use_device
    from geosim.siamese.metric import PairTrainer

    options = options or TrainOptions()
    began, clock = time.perf_counter(), Clock(progress)
    wanted = _margin(distance, margin)
    places = places_beside(out)
    check_places(places, options)
    if options.device != "cpu":
        raise OptionError("--device: pairs of pictures are trained on the CPU")
    with use_device(options.device, options.threads):
        start = load_weights(options.weights)
        training, held_out = _split(Path(table), options)
        pictures, index = _indexed(training + held_out)
        with clock.stage("reading", len(pictures)) as tick:
            trainer = PairTrainer(
                start.arrays,
                [_read(path) for path in pictures],
                seed=options.seed,
                distance=distance,
                margin=wanted,
                tick=tick,
            )
        key = {
            "weights": start.record.sha256,
            "seed": options.seed,
            "distance": distance,
            "margin": wanted,
            "pictures": [str(path) for path in pictures],
            "pairs": len(training),
            "labels or contents": _digest(pictures, index),
        }
        if options.resume:
            trainer.restore(read_checkpoint(places.checkpoint, key))
        with clock.stage("training", options.steps) as tick:
            fit = trainer.run(
                _part(index, 0, len(training)),
                _part(index, len(training), None),
                options.steps,
                _teller(
                    tick,
                    say,
                    lambda: write_checkpoint(places.checkpoint, trainer.content(), key),
                ),
            )
        tensors = trainer.tensors(start.arrays)
        shown = pictures[:RANGE_PICTURES]
        with clock.stage("measuring", len(shown)) as tick:
            tensors |= as_tensors(
                measure_ranges(tensors, _batches(shown, tick), options.threads)
            )
        known = _known(start, Path(table), (len(training), len(held_out)), fit)
        known |= {"distance": distance, "margin": wanted, "options": options.to_dict()}
        known["device"] = describe_device(options.device)
        known["seconds"] = round(time.perf_counter() - began, 1)
        return _write(places, trainer.fit, tensors, known)


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


def _indexed(pairs: list[SimilarPair]) -> tuple[list[Path], PairIndex]:
    """All pictures once, and the pairs by their places."""
    from geosim.siamese.metric import PairIndex

    both = [place for pair in pairs for place in (pair.first, pair.second)]
    pictures = list(dict.fromkeys(both))
    where = {path: place for place, path in enumerate(pictures)}
    return pictures, PairIndex(
        first=np.array([where[pair.first] for pair in pairs], np.int64),
        second=np.array([where[pair.second] for pair in pairs], np.int64),
        similar=np.array([pair.similar for pair in pairs], np.bool_),
    )


def _digest(pictures: list[Path], index: PairIndex) -> str:
    """Checksum of the pictures' contents and of what is said of which pair."""
    found = hashlib.sha256()
    for path in pictures:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    for part in (index.first, index.second, index.similar):
        found.update(part.tobytes())
    return found.hexdigest()


def _part(index: PairIndex, start: int, end: int | None) -> PairIndex:
    from geosim.siamese.metric import PairIndex

    part = slice(start, end)
    return PairIndex(
        first=index.first[part], second=index.second[part], similar=index.similar[part]
    )


def _read(path: Path) -> FloatArray:
    """A picture in the size in which it will be embedded."""
    picture = read_picture(path, at_most=1024)
    return resized(picture.pixels, *working_size(*picture.size))


def _batches(
    paths: Sequence[Path], tick: Callable[[float], None]
) -> Iterator[FloatArray]:
    """Pictures one by one, (1, 3, height, width)."""
    for path in paths:
        yield _read(path)[None]
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


def _known(
    start: LoadedWeights, table: Path, counts: tuple[int, int], fit: PairFit
) -> dict[str, Any]:
    """The fields of the record that the fit tells."""
    first, best = fit.looks[0], fit.best_look
    return {
        "started_from": f"{start.record.name}, sha256 `{start.record.sha256}`",
        "licence": start.record.licence,
        "attribution": start.record.attribution,
        "trained_on": table.name,
        "pairs": counts[0],
        "held_out": counts[1],
        "steps": best.step,
        "auc_before": first.auc,
        "auc": best.auc,
        "loss_before": first.loss,
        "loss": best.loss,
        "software": f"geosim {geosim.__version__}",
    }


def _write(
    places: Places,
    fit: PairFit,
    tensors: Mapping[str, FloatArray],
    known: dict[str, Any],
) -> PairTrainResult:
    """Write weights, curves and card; then the checkpoint goes, if it is not kept."""
    name = places.weights.stem
    metadata = {
        "name": name,
        "version": "1",
        "licence": f"{known['licence']}; and the terms of the pictures",
        "attribution": known["attribution"],
        "trained_on": f"similar and dissimilar pairs: {known['trained_on']}",
    }
    looks = [look.step for look in fit.looks]
    steps = range(1, fit.step + 1)
    panels: list[tuple[str, list[Line]]] = [
        (
            "contrastive loss",
            [
                ("learned from, mean of 20", steps, running_mean(fit.losses)),
                ("held out", looks, [look.loss for look in fit.looks]),
            ],
        ),
        (
            "held out",
            [("area under the ROC curve", looks, [look.auc for look in fit.looks])],
        ),
    ]
    picture = curves_png(panels, fit.step, fit.best_look.step)
    with writing(places.weights):
        sha256 = save_weights(places.weights, tensors, metadata=metadata)
        record = PairTrainingRecord(name=name, sha256=sha256, **known)
        card = pair_model_card(
            record, weights=places.weights.name, curves=places.curves.name
        )
        put_beside(places, picture, card)
        if not known["options"]["keep_checkpoint"]:
            places.checkpoint.unlink(missing_ok=True)
    return PairTrainResult(
        weights=places.weights, card=places.card, curves=places.curves, record=record
    )
