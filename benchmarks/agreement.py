"""How far two networks agree on pairs without labels.

    python -m benchmarks.agreement BEFORE AFTER [BEFORE AFTER ...]
        [--weights geosim-small-1,geosim-vgg16-1]

A row per pair: the share of the valid pixels that each decides are changed, the share
of what either calls changed on which both agree (intersection over union), and
correlation and mean absolute difference of their probabilities. For measuring only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio

from geosim import ChangeOptions, detect_change
from geosim.raster.source import plain_images_welcome
from geosim.siamese.shipped import SMALL_WEIGHTS, VGG16_WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def answer(
    before: Path, after: Path, weights: str
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Probability (NaN: no data) and decision (255: no data) of one network."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result"
        result = detect_change(before, after, out, ChangeOptions(weights=weights))
        chance = result.read("difference")["change"].astype(np.float64)
        with plain_images_welcome(), rasterio.open(result.paths["change"]) as file:
            return chance, file.read(1)


def row(before: Path, after: Path, weights: list[str]) -> str:
    """A line of the table."""
    (one, first), (two, second) = (answer(before, after, name) for name in weights)
    seen = (first != 255) & (second != 255) & np.isfinite(one) & np.isfinite(two)
    ours, theirs = first[seen] == 1, second[seen] == 1
    either = np.count_nonzero(ours | theirs)
    agreed = np.count_nonzero(ours & theirs) / either if either else 1.0
    related = np.corrcoef(one[seen], two[seen])[0, 1]
    apart = np.abs(one[seen] - two[seen]).mean()
    cells = [f"{before.parent.name}/{before.stem} {after.stem}"]
    cells += [f"{100 * part.mean():.2f}" for part in (ours, theirs)]
    cells += [f"{agreed:.3f}", f"{related:.4f}", f"{apart:.4f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a Markdown table."""
    text = __doc__ or ""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("rasters", type=Path, nargs="+", help="before and after")
    parser.add_argument("--weights", default=f"{SMALL_WEIGHTS},{VGG16_WEIGHTS}")
    asked = parser.parse_args()
    names = asked.weights.split(",")
    if len(asked.rasters) % 2 or len(names) != 2:
        parser.error("wanted are pairs of rasters and two names of weights")
    print(f"| pair | {names[0]}, % | {names[1]}, % | agreed | correlation | apart |")
    print("|---|---|---|---|---|---|")
    for before, after in zip(asked.rasters[::2], asked.rasters[1::2], strict=True):
        print(row(before, after, names), flush=True)


if __name__ == "__main__":
    main()
