"""Accuracy of weights trained on labels, through `geosim change`, default settings.

    python benchmarks/trained.py SET TEST [--weights FILE] [--pictures FOLDER]

SET is `sztaki` or `levir`, TEST the folder with that set's test pairs (A/, B/, label/);
of SZTAKI the published top-left 784 x 448 crop is measured. AP and best F1 are those of
the band `change` of `difference.tif`, F1 is that of `change.tif`. `--pictures` writes
before, after, probability and decision with the truth beside each other. For measuring
only: nothing may be fitted or selected here.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from geosim import ChangeOptions, detect_change
from geosim.siamese.shipped import DEFAULT_WEIGHTS

CROP = {"sztaki": (784, 448), "levir": (1024, 1024)}
"""Columns and rows, from the top left."""


def figures(
    chance: np.ndarray, decided: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """AP and best F1 of 8-bit chances, F1 of the decision; all (N,)."""
    levels = np.rint(254 * chance).astype(int)
    counts = [np.bincount(levels[truth == kind], minlength=255) for kind in (0, 1)]
    false, true = (np.cumsum(count[::-1]).astype(float) for count in counts)
    precision, recall = true / np.maximum(true + false, 1), true / max(true[-1], 1)
    best = 2 * true / np.maximum(true + false + true[-1], 1)
    f1 = 2 * (decided & truth).sum() / max(decided.sum() + truth.sum(), 1)
    return {
        "ap": float(np.sum(np.diff(recall, prepend=0) * precision)),
        "best_f1": float(best.max()),
        "f1": float(f1),
        "flagged": float(decided.mean()),
        "changed": float(truth.mean()),
    }


def show(
    images: list[np.ndarray], chance: np.ndarray, decided: np.ndarray, truth: np.ndarray
) -> Image.Image:
    """Before, after; probability, decision: hits white, misses blue, alarms red."""
    grey = np.repeat((255 * chance).astype(np.uint8)[..., None], 3, axis=2)
    mixed = np.zeros_like(grey)
    mixed[decided & truth] = 255
    mixed[decided & ~truth] = (220, 40, 40)
    mixed[~decided & truth] = (60, 110, 255)
    return Image.fromarray(np.vstack([np.hstack(images), np.hstack([grey, mixed])]))


def main() -> None:
    """Measure each test pair and all together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=list(CROP))
    parser.add_argument("test", type=Path)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    cols, rows = CROP[asked.set]
    options = ChangeOptions(weights=asked.weights)
    names, parts = sorted((asked.test / "label").glob("*.png")), []
    columns = ("ap", "best_f1", "f1", "flagged", "changed")
    print(" " * 12 + "".join(f"{name:>9}" for name in columns))
    with tempfile.TemporaryDirectory() as scratch:
        for path in names:
            files, images = [], []
            for date in "AB":
                image = Image.open(asked.test / date / path.name).convert("RGB")
                images.append(np.asarray(image)[:rows, :cols])
                files.append(Path(scratch) / f"{path.stem}_{date}.png")
                Image.fromarray(images[-1]).save(files[-1])
            result = detect_change(
                files[0], files[1], Path(scratch) / path.stem, options
            )
            chance = result.read("difference")["change"]
            decided = result.read("change")["change"] == 1
            truth = np.asarray(Image.open(path).convert("L"))[:rows, :cols] > 127
            parts.append([values.ravel() for values in (chance, decided, truth)])
            row = figures(*parts[-1])
            print(f"{path.stem:12}" + "".join(f"{row[c]:9.3f}" for c in columns))
            if asked.pictures:
                asked.pictures.mkdir(parents=True, exist_ok=True)
                picture = show(images, chance, decided, truth)
                picture.save(asked.pictures / f"{path.stem}.png")
    row = figures(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    print(f"{'all':12}" + "".join(f"{row[c]:9.3f}" for c in columns))


if __name__ == "__main__":
    main()
