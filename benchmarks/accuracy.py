"""Measure weights on labelled pairs that nothing was ever fitted to.

    python benchmarks/accuracy.py DATA [--weights NAME|PATH] [--threshold P]
        [--json FILE]

DATA is a folder with `sztaki/`, `levir_cd/`, `oscd/` and `neon_no_change/`. Figures
are pooled over the pixels of a set. For MEASURING only: no weight, threshold or
setting may be fitted or selected on these sets.

The columns: AP and ROC area of the smoothed score, AP of the probability, F1 at the
best single threshold of the probability (what a perfect threshold would give), F1 and
flagged fraction at the given probability (that of `--threshold auto`), prevalence.
Beside the fused score each level's own AP is shown.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import torch

from geosim.change.threshold import AUTO_PROBABILITY
from geosim.siamese.calibration import Head, fuse, scene_quantiles, smoothed_distances
from geosim.siamese.network import SiameseVGG16, load_state
from geosim.siamese.pairs import ImagePair, prepare_pair

OSCD_CITIES = ("brasilia", "montpellier", "rio", "milano")
SZTAKI_CROP = (slice(0, 448), slice(0, 784))
NEON_HELD_OUT = ("SJER_010", "SJER_012", "SJER_015", "SJER_016")
LEVELS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


class Labelled(NamedTuple):
    """A pair with its truth (H, W) bool; all False where nothing changed."""

    pair: ImagePair
    truth: np.ndarray


def read(path: Path, *bands: int) -> np.ndarray:
    """Read bands of a raster as (bands, height, width)."""
    with rasterio.open(path) as dataset:
        return dataset.read(list(bands))


def sztaki(data: Path, name: str) -> Iterator[Labelled]:
    """Top-left 784 x 448 crop of a SZTAKI AirChange test pair."""
    folder = data / "sztaki" / "test"
    before, after = (read(folder / d / f"{name}.png", 1, 2, 3) for d in "AB")
    label = read(folder / "label" / f"{name}.png", 1)[0]
    crop = (slice(None), *SZTAKI_CROP)
    yield Labelled(prepare_pair(before[crop], after[crop]), label[SZTAKI_CROP] > 127)


def levir(data: Path) -> Iterator[Labelled]:
    """LEVIR-CD test images that the data folder holds."""
    folder = data / "levir_cd" / "test"
    for path in sorted((folder / "A").glob("*.png")):
        before, after = read(path, 1, 2, 3), read(folder / "B" / path.name, 1, 2, 3)
        label = read(folder / "label" / path.name, 1)[0]
        yield Labelled(prepare_pair(before, after), label > 127)


def oscd(data: Path) -> Iterator[Labelled]:
    """Four OSCD test cities, red, green, blue of Sentinel-2."""
    for city in OSCD_CITIES:
        folder = data / "oscd" / "test" / city
        before, after = (read(folder / f"{t}.tif", 3, 2, 1) for t in ("t1", "t2"))
        label = read(folder / "label.tif", 1)[0]
        yield Labelled(prepare_pair(before, after), label > 0)


def neon(data: Path, *, held_out: bool) -> Iterator[Labelled]:
    """NEON pairs without change, those held out from training or the others."""
    folder = data / "neon_no_change"
    for path in sorted((folder / "t1").glob("*.tif")):
        if (path.stem in NEON_HELD_OUT) != held_out:
            continue
        before, after = read(path, 1, 2, 3), read(folder / "t2" / path.name, 1, 2, 3)
        valid = ~((before == 255).all(0) | (after == 255).all(0))
        pair = prepare_pair(before, after, valid=valid)
        yield Labelled(pair, np.zeros(valid.shape, bool))


def curve(score: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """AP, ROC area and best F1 of scores (N,) against truth (N,), ties kept whole."""
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    true = np.cumsum(hits)[last].astype(float)
    flagged = last + 1.0
    positives, negatives = true[-1], flagged[-1] - true[-1]
    precision, recall = true / flagged, true / positives
    false_rate = (flagged - true) / negatives
    f1 = 2 * true / (flagged + positives)
    return {
        "ap": float(np.sum(np.diff(recall, prepend=0) * precision)),
        "auc": float(np.trapezoid(np.append(0, recall), np.append(0, false_rate))),
        "best_f1": float(f1.max()),
        "best_at": float(ranked[last][f1.argmax()]),
    }


def measure(
    model: SiameseVGG16,
    head: Head,
    weights: np.ndarray,
    scenes: Iterator[Labelled],
    *,
    threshold: float = AUTO_PROBABILITY,
) -> dict[str, float]:
    """All figures of one set."""
    scores, chances, truths, levels = [], [], [], []
    for pair, truth in scenes:
        distances = smoothed_distances(model, pair)
        score = fuse(distances, weights)
        quantiles = scene_quantiles(score)[None]
        scores.append(score[pair.valid])
        chances.append(head.probability(scores[-1], quantiles))
        truths.append(truth[pair.valid])
        levels.append(distances[:, pair.valid])
    score, chance, truth = (np.concatenate(x) for x in (scores, chances, truths))
    decided = chance >= threshold
    row = {"flagged": float(decided.mean()), "prevalence": float(truth.mean())}
    if not truth.any():
        return row
    both = 2.0 * (decided & truth).sum() / max(decided.sum() + truth.sum(), 1)
    by_score, by_chance = curve(score, truth), curve(chance, truth)
    row |= {"ap": by_score["ap"], "auc": by_score["auc"]}
    row |= {"best_score": by_score["best_at"], "score_f1": by_score["best_f1"]}
    row |= {"ap_p": by_chance["ap"], "best_f1": by_chance["best_f1"], "f1": float(both)}
    values = np.concatenate(levels, axis=1)
    for name, level in zip(LEVELS, values, strict=True):
        row[name] = curve(level, truth)["ap"]
    return row


def show(name: str, row: dict[str, float]) -> None:
    """Print one line of the table."""
    columns = ("ap", "auc", "ap_p", "best_f1", "f1", "flagged", "prevalence", *LEVELS)
    cells = [f"{row[c]:8.3f}" if c in row else " " * 7 + "-" for c in columns]
    print(f"{name:14s}" + "".join(cells), flush=True)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="geosim-vgg16-1")
    parser.add_argument("--threshold", type=float, default=AUTO_PROBABILITY)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = SiameseVGG16().eval()
    load_state(model, options.weights)
    numbers = {n: p.detach().double().numpy() for n, p in model.head.named_parameters()}
    slope, offset = numbers["slope"].item(), numbers["offset"].item()
    level_weights = numbers["level_weights"]
    q10, q25, q50 = numbers["quantiles"].tolist()
    head = Head(slope=slope, offset=offset, quantiles=(q10, q25, q50))
    print(f"weights {options.weights}; head {head}; levels {level_weights}")
    heads = ("AP", "AUC", "AP(p)", "best F1", "F1", "flagged", "prev.", *LEVELS)
    print(" " * 14 + "".join(f"{h:>8s}" for h in heads))
    sets = {
        "szada_1": sztaki(options.data, "szada_1"),
        "tiszadob_3": sztaki(options.data, "tiszadob_3"),
        "levir": levir(options.data),
        "oscd": oscd(options.data),
        "neon held out": neon(options.data, held_out=True),
        "neon trained": neon(options.data, held_out=False),
    }
    table = {}
    for name, scenes in sets.items():
        table[name] = measure(
            model, head, level_weights, scenes, threshold=options.threshold
        )
        show(name, table[name])
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
