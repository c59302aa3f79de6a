"""What rounding to 8 bits costs: `geosim change` in int8 beside float32.

    python -m benchmarks.int8_accuracy DATA [--sets szada,tiszadob,levir,oscd]
    python -m benchmarks.int8_accuracy DATA --sets szada --weights model.safetensors

DATA as for `python -m benchmarks.accuracy`. A row per set: AP and F1 at the automatic
threshold in both, mean absolute difference of the probability over all labelled pixels
(in 8-bit levels, as written), and the share of pixels whose decision differs. For
measuring only: nothing is fitted to it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import rasterio

from benchmarks.accuracy.measure import Scene, gather, measure
from benchmarks.accuracy.methods import Case, default
from benchmarks.accuracy.sets import LabelledPair, cropped, find_sets, read_truth
from geosim.change.scores import UNIT_LEVELS
from geosim.raster.source import plain_images_welcome
from geosim.siamese.shipped import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from geosim.assessment.measuring import Answer

PRECISIONS: tuple[Literal["float32", "int8"], ...] = ("float32", "int8")


def both(pair: LabelledPair, weights: str, threads: int | None) -> Scene:
    """Both answers at the labelled pixels; the grid is date 1's."""
    answers: dict[str, Answer] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = cropped(pair, Path(folder) / "crop")
        for precision in PRECISIONS:
            case = Case(
                before=files.before,
                after=files.after,
                all_bands=pair.all_bands,
                scratch=Path(folder) / precision,
                weights=weights,
                threads=threads,
                precision=precision,
            )
            answers[precision] = default(case)["default"]
        with plain_images_welcome(), rasterio.open(files.before) as file:
            truth = read_truth(files, file.shape)
    height, width = answers["int8"].valid.shape
    changed, labelled = (part[:height, :width] for part in truth)
    return gather(answers, changed, labelled)


def differences(scenes: list[Scene]) -> tuple[float, float]:
    """Mean absolute difference of the probability; share decided otherwise."""
    chances, decisions = [], []
    for scene in scenes:
        one, two = (scene.voices[name] for name in PRECISIONS)
        chances.append(np.abs(one.levels.astype(float) - two.levels) / UNIT_LEVELS)
        decisions.append(one.decided != two.decided)
    return (
        float(np.concatenate(chances).mean()),
        float(np.concatenate(decisions).mean()),
    )


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with labelled pairs")
    parser.add_argument("--sets", default="szada,tiszadob,levir,oscd")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--threads", type=int, help="of the network")
    asked = parser.parse_args()
    parts = asked.sets.split(",")
    print(
        "| set | AP float32 | AP int8 | F1 float32 | F1 int8 | probability | decided |"
    )
    print("|---|---|---|---|---|---|---|")
    seen: dict[LabelledPair, Scene] = {}
    for found in find_sets(asked.data):
        if not any(part in found.name for part in parts):
            continue
        for pair in found.pairs:
            if pair not in seen:
                seen[pair] = both(pair, asked.weights, asked.threads)
        scenes = [seen[pair] for pair in found.pairs]
        rows = [measure(scenes, name, samples=1).figures for name in PRECISIONS]
        cells = [f"{row[key].value:.4f}" for key in ("ap", "f1") for row in rows]
        cells += [f"{value:.4f}" for value in differences(scenes)]
        print(f"| {found.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
