"""Make docs/accuracy.md's picture from a real run on the sample data.

    python -m scripts.make_accuracy_picture

Five panels: before, after, probability, decision and truth, as the bench draws them.
"""

import tempfile
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

from benchmarks.accuracy.methods import Case, default, view
from benchmarks.accuracy.pictures import sheet
from benchmarks.accuracy.sets import UNLABELLED

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "sample_accuracy.png"
PANEL = 380
COLOURS = 256


def main() -> None:
    """Run geosim on the sample data and draw it beside the truth."""
    before, after, truth = (
        ROOT / "sample_data" / f"{name}.tif" for name in ("1990", "2020", "truth")
    )
    with tempfile.TemporaryDirectory() as folder:
        case = Case(before=before, after=after, all_bands=False, scratch=Path(folder))
        answer = default(case)["default"]
        seen = view(case)
    with rasterio.open(truth) as file:
        classes = file.read(1)
    col, row = seen.offset
    height, width = seen.valid.shape
    classes = classes[row : row + height, col : col + width]
    labelled = classes != UNLABELLED
    changed = labelled & (classes > 0)
    picture = sheet(seen, answer, changed, labelled, side=PANEL)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    quantized = picture.quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)
    quantized.save(PICTURE, optimize=True)
    found = int(np.count_nonzero(answer.decided & changed))
    f1 = 2 * found / (np.count_nonzero(answer.decided & labelled) + changed.sum())
    print(f"{PICTURE}: F1 {f1:.3f}")


if __name__ == "__main__":
    main()
