"""How well `geosim compare` tells the same picture from another and finds what differs.

    python -m benchmarks.images DATA [--pairs 200] [--model siamese] [--align register]

DATA holds tiles/uc_merced (folders of classes) and, for the registered comparison,
sztaki/train and levir_cd/train. Measured are tiles at odd places of each class's sorted
list; those at even places are what `scripts/calibrate_similarity.py` may look at.

Same pictures: a tile beside itself as JPEG of quality 60, at half the size, 15 %
brighter and 15 % darker. Others, drawn at random: tiles of two classes, and two tiles
of one class. Registered: an object (an ellipse of another place) stands in the first
picture and is painted out in the second, which is turned by 7 degrees and scaled by
1.2. Graded: pairs of which a known share shows the same, as `geosim synth` makes them.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.transform import SimilarityTransform, warp

from geosim.compare import compare_images
from geosim.image_options import CompareOptions
from geosim.images.alignment import align
from geosim.images.comparison import at_one_resolution, score
from geosim.images.models import open_model
from geosim.images.pixels import as_bytes, resized
from geosim.images.reading import read_picture
from geosim.images.similarity import calibration_of, similarity
from geosim.images.synthetic import make_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

TREATMENTS = ("identical", "jpeg 60", "half size", "15 % brighter", "15 % darker")
OTHERS = "two classes"
KIN = "two tiles of one class"
SAME_FROM = 0.95
"""Similarity from which a reader takes two pictures for one."""
SHARES = (1.0, 0.95, 0.9, 0.75, 0.5, 0.25, 0.0)
GRADED = 12
"""Pairs of each share."""


def tiles(data: Path, *, measured: bool) -> list[Path]:
    """Tiles at odd places of each class (measured) or at even ones (to fit on)."""
    found: list[Path] = []
    for folder in sorted((data / "tiles" / "uc_merced").iterdir()):
        found += sorted(folder.glob("*.jpg"))[int(measured) :: 2]
    return found


def treated(picture: FloatArray, treatment: str) -> FloatArray:
    """A picture as a copy of it may be."""
    if treatment == "jpeg 60":
        stream = io.BytesIO()
        Image.fromarray(as_bytes(picture)).save(stream, "JPEG", quality=60)
        return read_picture(stream.getvalue()).pixels
    if treatment == "half size":
        return resized(picture, picture.shape[2] // 2, picture.shape[1] // 2)
    gain = {"15 % brighter": 1.15, "15 % darker": 0.85}.get(treatment, 1.0)
    found: FloatArray = np.clip(picture * np.float32(gain), 0, 1)
    return found


def pairs_of(
    files: list[Path], count: int, rng: np.random.Generator
) -> Iterator[tuple[str, Path, Path]]:
    """(treatment, first, second): treatments of `count` tiles, `count` others, kin."""
    chosen = [files[index] for index in rng.permutation(len(files))[:count]]
    for path in chosen:
        yield from ((treatment, path, path) for treatment in TREATMENTS)
    for path in chosen:
        while (other := files[rng.integers(len(files))]).parent == path.parent:
            pass
        yield OTHERS, path, other
    for path in chosen:
        kin = [file for file in files if file.parent == path.parent and file != path]
        yield KIN, path, kin[rng.integers(len(kin))]


@cache
def _model(name: str, weights: str | None) -> tuple[Any, Any]:
    model = open_model(name, weights, threads=1)
    return model, calibration_of(model)


def alike(task: tuple[str, Path, Path, str, str | None, Any]) -> tuple[str, float]:
    """(treatment, similarity) of one pair, as `compare_images` finds it."""
    treatment, first, second, name, weights, how = task
    model, calibration = _model(name, weights)
    images = [read_picture(path).pixels for path in (first, second)]
    if treatment not in (OTHERS, KIN):
        images[1] = treated(images[1], treatment)
    pair = align(images[0], images[1], how)
    scores = score(model, calibration, at_one_resolution(pair))
    return treatment, scores.similarity


def _results(
    tasks: list[Any], options: argparse.Namespace
) -> Iterator[tuple[str, float]]:
    """Of every task in its order; those that were kept are not done again."""
    keep: Path | None = options.keep
    kept = keep.read_text().splitlines() if keep and keep.exists() else []
    for line in kept:
        treatment, value = json.loads(line)
        yield treatment, value
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.workers) as pool:
        for result in pool.imap(alike, tasks[len(kept) :], chunksize=4):
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps(result) + "\n")
            yield result


def area_under_curve(same: FloatArray, other: FloatArray) -> float:
    """Chance that a pair of the same has the higher similarity; ties count half."""
    more = (same[:, None] > other).mean()
    return float(more + 0.5 * (same[:, None] == other).mean())


def similarities(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Median, 5 % quantile of the same; median of others; area under the ROC curve."""
    files = tiles(data, measured=True)
    rng = np.random.default_rng(0)
    tasks = [
        (*pair, options.model, options.weights, options.align)
        for pair in pairs_of(files, options.pairs, rng)
    ]
    found: dict[str, list[float]] = {}
    for treatment, value in _results(tasks, options):
        found.setdefault(treatment, []).append(value)
    table: dict[str, Any] = {
        name: {
            "pairs": len(values),
            "median": float(np.median(values)),
            "5 %": float(np.quantile(values, 0.05)),
            "95 %": float(np.quantile(values, 0.95)),
            "share from 0.95 on": float(np.mean(np.array(values) >= SAME_FROM)),
        }
        for name, values in found.items()
    }
    same = np.array([v for t in TREATMENTS for v in found[t]], np.float32)
    other = np.array(found[OTHERS], np.float32)
    table["same, all"] = {
        "pairs": len(same),
        "median": float(np.median(same)),
        "5 %": float(np.quantile(same, 0.05)),
        "95 %": float(np.quantile(same, 0.95)),
    }
    table["area under the ROC curve"] = area_under_curve(same, other)
    return table


def graded(data: Path, options: argparse.Namespace) -> dict[float, list[float]]:
    """Similarity of pairs of which a known share shows the same, by that share."""
    files = tiles(data, measured=True)
    rng = np.random.default_rng(4)
    model = open_model(options.model, options.weights, options.workers)
    calibration = calibration_of(model)
    found: dict[float, list[float]] = {}
    for share in SHARES:
        pairs = []
        for _ in range(GRADED):
            chosen = rng.choice(len(files), 2, replace=False)
            picture, donor = (
                resized(read_picture(files[index]).pixels, 256, 256) for index in chosen
            )
            pairs.append(make_pair(picture, donor, share, rng))
        first = model.embed([pair.first for pair in pairs])
        second = model.embed([pair.second for pair in pairs])
        cosines = (first * second).sum(axis=1)
        found[share] = [similarity(float(c), calibration) for c in cosines]
    return found


def painted_out(
    picture: FloatArray, donor: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """(with an object, turned and scaled without it, where the object is)."""
    height, width = picture.shape[1:]
    radius = rng.uniform(0.04, 0.07) * max(height, width)
    row = rng.uniform(3 * radius, height - 3 * radius)
    col = rng.uniform(3 * radius, width - 3 * radius)
    rows, cols = np.mgrid[:height, :width]
    place = ((rows - row) / radius) ** 2 + ((cols - col) / (1.4 * radius)) ** 2 < 1
    soft = gaussian_filter(place.astype(np.float32), 1)
    first = picture * (1 - soft) + resized(donor, width, height) * soft
    shape = (round(height * 1.35), round(width * 1.35))
    turn = (
        SimilarityTransform(translation=(-(width - 1) / 2, -(height - 1) / 2))
        + SimilarityTransform(rotation=np.deg2rad(7), scale=1.2)
        + SimilarityTransform(translation=((shape[1] - 1) / 2, (shape[0] - 1) / 2))
    )
    bands = [warp(b, turn.inverse, output_shape=shape, order=3) for b in picture]
    return first, np.clip(np.stack(bands), 0, 1).astype(np.float32), place


def registered(data: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Per picture: share of the heatmap's top 1 % that lies on the object."""
    files = [
        path
        for name in ("sztaki", "levir_cd")
        for path in sorted((data / name / "train" / "A").glob("*.png"))
    ]
    rng = np.random.default_rng(0)
    model = open_model(options.model, options.weights, options.workers)
    rows = []
    for index, path in enumerate(files):
        donor = read_picture(files[(index + 1) % len(files)], at_most=800).pixels
        picture = read_picture(path, at_most=800).pixels
        first, second, place = painted_out(picture, donor, rng)
        result = compare_images(
            as_bytes(first), as_bytes(second), None, CompareOptions(), model=model
        )
        found = np.nan_to_num(result.differences.combined)
        top = found >= np.quantile(found, 0.99)
        rows.append(
            {
                "picture": path.name,
                "object, share of the picture": float(place.mean()),
                "top 1 % on the object": float(place[top].mean()),
                "similarity": result.similarity,
                "alignment": result.alignment.said,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--model", default="siamese")
    parser.add_argument("--weights")
    parser.add_argument("--align", default="register", choices=("register", "resize"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--keep", type=Path, help="file of finished pairs, to go on after a break"
    )
    parser.add_argument("--only", choices=("similarity", "graded", "registered"))
    options = parser.parse_args()
    if options.only in (None, "similarity"):
        for name, row in similarities(options.data, options).items():
            print(f"{name:<26}", json.dumps(row), flush=True)
    if options.only in (None, "graded"):
        for share, values in graded(options.data, options).items():
            quantiles = np.quantile(values, (0.1, 0.5, 0.9)).round(3)
            print(f"{share:.0%} the same: 10 %, median, 90 %:", *quantiles, flush=True)
    if options.only in (None, "registered"):
        rows = registered(options.data, options)
        shares = [row["top 1 % on the object"] for row in rows]
        print(
            f"top 1 % on the object: mean {np.mean(shares):.3f}, "
            f"least {np.min(shares):.3f} of {len(rows)} pictures"
        )


if __name__ == "__main__":
    main()
