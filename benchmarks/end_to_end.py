"""Accuracy of what `geosim change` writes, with default settings.

    python benchmarks/end_to_end.py DATA

DATA is a folder with `sztaki/`, `levir_cd/` and `oscd/`. Each pair goes through
`detect_change`; AP and the best F1 are those of the band `change` of
`difference.tif` (8 bit), F1 is that of `change.tif`. Pooled over the pixels of a
set. For measuring only.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from accuracy import OSCD_CITIES, SZTAKI_CROP, curve
from PIL import Image

from geosim import detect_change
from geosim.raster.source import plain_images_welcome

Labelled = tuple[Path, Path, npt.NDArray[np.bool_]]


def label(path: Path) -> npt.NDArray[np.bool_]:
    """True where a label raster says changed: 255 in PNG, 1 in TIFF."""
    with plain_images_welcome(), rasterio.open(path) as dataset:
        values: npt.NDArray[Any] = dataset.read(1)
    return values > (127 if path.suffix == ".png" else 0)


def sztaki(data: Path, name: str, scratch: Path) -> Iterator[Labelled]:
    """The published crop of a test pair, cut into files of their own."""
    folder = data / "sztaki" / "test"
    for date in "AB":
        image = np.array(Image.open(folder / date / f"{name}.png"))[SZTAKI_CROP]
        Image.fromarray(image).save(scratch / f"{name}_{date}.png")
    truth = label(folder / "label" / f"{name}.png")[SZTAKI_CROP]
    yield scratch / f"{name}_A.png", scratch / f"{name}_B.png", truth


def levir(data: Path) -> Iterator[Labelled]:
    """The LEVIR-CD test images that the folder holds."""
    folder = data / "levir_cd" / "test"
    for path in sorted((folder / "A").glob("*.png")):
        yield path, folder / "B" / path.name, label(folder / "label" / path.name)


def oscd(data: Path) -> Iterator[Labelled]:
    """Four OSCD test cities."""
    for city in OSCD_CITIES:
        folder = data / "oscd" / "test" / city
        yield folder / "t1.tif", folder / "t2.tif", label(folder / "label.tif")


def measure(name: str, pairs: Iterator[Labelled], scratch: Path) -> str:
    """Run all pairs of a set; one line of the table."""
    chances, decisions, truths = [], [], []
    for number, (before, after, truth) in enumerate(pairs):
        result = detect_change(before, after, scratch / f"{name}_{number}")
        chance = result.read("difference")["change"]
        valid = np.isfinite(chance)
        chances.append(chance[valid])
        decisions.append(result.read("change")["change"][valid] == 1)
        truths.append(truth[valid])
    chance, decided, truth = map(np.concatenate, (chances, decisions, truths))
    found = curve(chance, truth)
    f1 = 2 * (decided & truth).sum() / (decided.sum() + truth.sum())
    figures = (found["ap"], found["best_f1"], f1, decided.mean(), truth.mean())
    return f"{name:12s}" + "".join(f"{figure:9.3f}" for figure in figures)


def main() -> None:
    """Measure every set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print(" " * 12 + "       AP  best F1       F1  flagged  changed")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sets = {
            "szada_1": sztaki(data, "szada_1", scratch),
            "tiszadob_3": sztaki(data, "tiszadob_3", scratch),
            "levir": levir(data),
            "oscd": oscd(data),
        }
        for name, pairs in sets.items():
            print(measure(name, pairs, scratch), flush=True)


if __name__ == "__main__":
    main()
