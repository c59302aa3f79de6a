"""Methods against labels: how well each finds what the labels say."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.assessing.evaluation_files import FILES, as_dict, write_into
from geosim.assessing.labelled_sets import (
    LabelledFiles,
    LabelledSet,
    find_labelled,
    kind,
    read_truth,
)
from geosim.assessing.method_answers import answer_of, score_levels
from geosim.assessing.options import EvaluateOptions
from geosim.assessing.own_maps import holds_bits, own_answer
from geosim.assessment.measuring import Row, Scene, gather, measure
from geosim.change.scores import SCORE_LEVELS, UNIT_LEVELS
from geosim.delivering.finished import open_result
from geosim.errors import GeosimError
from geosim.options import ChangeOptions
from geosim.pipeline import detect_change
from geosim.progress import Clock, Progress
from geosim.raster.grid import Grid
from geosim.raster.output_folder import check_folder
from geosim.raster.source import open_raster, plain_images_welcome
from geosim.raster.staging import publish_folder, work_folder
from geosim.scoring.opening import open_pair
from geosim.training.labels import withholds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geosim.assessment.measuring import Answer


@dataclass(frozen=True, kw_only=True)
class SetEvaluation:
    """What was measured on one set."""

    name: str
    """Of the set."""
    pooled: Mapping[str, Row]
    """Over the pixels of all its scenes, by method."""
    scenes: Mapping[str, Mapping[str, Row]]
    """By scene, then by method."""
    counts: Mapping[str, Mapping[str, Any]]
    """By method: `score` (2, levels) and `probability` (2, 255 or None), pixels by
    truth and level, for curves."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that was measured."""

    sets: tuple[SetEvaluation, ...]
    """By set."""
    options: EvaluateOptions
    """How it was measured."""
    folder: Path
    """Where the files are."""

    @property
    def paths(self) -> dict[str, Path]:
        """The files, by kind."""
        return {key: self.folder / name for key, name in FILES.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, as in `evaluation.json`."""
        return as_dict(self)


def evaluate_methods(
    data: str | Path,
    out: str | Path | None = None,
    options: EvaluateOptions | None = None,
    *,
    change: ChangeOptions | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure methods on labelled pairs, or a finished result against its labels.

    Args:
        data: folder with labelled pairs, in one of the forms that
            `geosim.assessing.labelled_sets.find_labelled` names, or, with
            `options.labels`, of a result of `geosim change`.
        out: folder of the result; None: `evaluation_<name>` here.
        options: which methods and maps, and how they are measured.
        change: options of the runs of geosim's own methods; their method is left out.
        progress: called as the work goes on.

    Returns:
        The figures, per scene and pooled; its files are in `out`.

    Raises:
        LabelError: labels are missing or not in order.
        GeosimError: one of `geosim.errors`; nothing half-written is left.
    """
    options = options or EvaluateOptions()
    data = Path(data)
    folder = Path(out) if out is not None else Path(f"evaluation_{data.resolve().name}")
    check_folder(folder, tuple(FILES.values()), overwrite=options.overwrite)
    clock = Clock(progress)
    with plain_images_welcome(), work_folder(folder) as work:
        work.keep = False
        if options.labels is not None:
            measured = [_of_result(data, Path(options.labels), options)]
        else:
            sets = find_labelled(data)
            with clock.stage("pairs", sum(len(one.pairs) for one in sets)) as tick:
                measured = [
                    _of_set(one, options, change or ChangeOptions(), tick)
                    for one in sets
                ]
        found = Evaluation(sets=tuple(measured), options=options, folder=folder)
        write_into(found, work.new_result())
        publish_folder(work.result, folder, FILES["record"])
    return found


def _of_result(folder: Path, labels: Path, options: EvaluateOptions) -> SetEvaluation:
    """One finished result against its labels."""
    result = open_result(folder)
    with open_raster(str(result.paths["change"])) as dataset:
        grid = Grid.of(dataset)
    truth = read_truth(labels, grid)
    name = folder.resolve().name
    scene = gather({"result": answer_of(result)}, *truth, options.tolerance)
    return _measured(name, {name: scene}, ["result"], options)


def _of_set(
    one: LabelledSet,
    options: EvaluateOptions,
    change: ChangeOptions,
    tick: Any,  # noqa: ANN401 - a function
) -> SetEvaluation:
    """All methods and maps on all pairs of a set."""
    scenes = {}
    rasters = [pair.label for pair in one.pairs if kind(pair.label) != "polygons"]
    ones = withholds(rasters)
    bits = {folder: holds_bits(Path(folder)) for _, folder in options.maps}
    for pair in one.pairs:
        try:
            scenes[pair.name] = _scene(pair, options, change, ones=ones, bits=bits)
        except GeosimError as error:
            raise type(error)(f"pair '{pair.name}': {error}") from error
        tick(1)
    names = [*options.methods, *(name for name, _ in options.maps)]
    return _measured(one.name, scenes, names, options)


def _scene(
    pair: LabelledFiles,
    options: EvaluateOptions,
    change: ChangeOptions,
    *,
    ones: bool,
    bits: Mapping[str, bool],
) -> Scene:
    """What every method says of a pair, where the label knows the truth."""
    names = str(pair.before), str(pair.after)
    with open_pair(*names, change) as opened:
        grid, source = opened.grid, opened.before.grid
    answers: dict[str, Answer] = {}
    with tempfile.TemporaryDirectory(prefix="geosim-") as scratch:
        for method in options.methods:
            how = replace(change, method=method, overwrite=True, resume=False)
            result = detect_change(*names, Path(scratch) / method, how)
            answer = answer_of(result)
            if method != "siamese":
                answer = replace(answer, levels=score_levels(*names, how))
            answers[method] = answer
    for name, folder in options.maps:
        path = Path(folder)
        answers[name] = own_answer(
            path, pair.name, grid, options.maps_threshold, bits=bits[folder]
        )
    truth = read_truth(pair.label, grid, source, ones=ones)
    return gather(answers, *truth, options.tolerance)


def _measured(
    name: str,
    scenes: dict[str, Scene],
    methods: list[str],
    options: EvaluateOptions,
) -> SetEvaluation:
    """Figures of all scenes together and of each."""
    together = list(scenes.values())
    return SetEvaluation(
        name=name,
        pooled={one: measure(together, one, options.samples) for one in methods},
        scenes={
            scene: {one: measure([held], one, options.samples) for one in methods}
            for scene, held in scenes.items()
        },
        counts={one: _counts(together, one) for one in methods},
    )


def _counts(scenes: list[Scene], method: str) -> dict[str, Any]:
    """Pixels by truth and level, for the curves."""
    from geosim.change.accuracy import level_counts

    score = sum(
        level_counts(one.voices[method].levels, one.changed, SCORE_LEVELS + 1)
        for one in scenes
    )
    chances = [
        (chance, one.changed)
        for one in scenes
        if (chance := one.voices[method].probability) is not None
    ]
    probability = None
    if len(chances) == len(scenes):
        counted = [
            level_counts(levels, truth, UNIT_LEVELS + 1) for levels, truth in chances
        ]
        probability = np.sum(counted, axis=0)
    return {"score": score, "probability": probability}
