"""Measure the cosines that `geosim.images.similarity.CALIBRATIONS` holds.

    python scripts/calibrate_similarity.py DATA [--model siamese] [--tiles 60]

Looks at tiles of DATA/tiles/uc_merced that `benchmarks.images` does not measure. Prints
the 95 % quantile of the cosine of tiles of two classes, the 5 % quantile of that of a
tile and a treated copy of itself, the mean distances of unrelated tiles at low, mid and
high level, and what drawn pictures alone would have said.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.images import TREATMENTS, tiles, treated
from geosim.images.models import open_model
from geosim.images.pixels import resized
from geosim.images.reading import read_picture
from geosim.images.similarity import measure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="siamese")
    parser.add_argument("--weights")
    parser.add_argument("--tiles", type=int, default=60)
    options = parser.parse_args()
    model = open_model(options.model, options.weights, threads=2)
    rng = np.random.default_rng(0)
    files = tiles(options.data, measured=False)
    files = [files[index] for index in rng.permutation(len(files))[: options.tiles]]
    pictures = [read_picture(path).pixels for path in files]
    vectors = model.embed(pictures)
    for treatment in TREATMENTS[1:]:
        copies = model.embed([treated(one, treatment) for one in pictures])
        cosines = (vectors * copies).sum(axis=1)
        print(
            f"{treatment:<14} 5 % {np.quantile(cosines, 0.05):.3f} "
            f"median {np.median(cosines):.3f}"
        )
    cosines = vectors @ vectors.T
    apart = np.array([[a.parent != b.parent for a in files] for b in files])
    for share in (0.5, 0.95, 0.99):
        print(f"two classes    {share:.0%} {np.quantile(cosines[apart], share):.3f}")
    levels = []
    for index in range(0, min(len(pictures), 24), 2):
        first, second = (resized(p, 256, 256) for p in pictures[index : index + 2])
        found = model.differences(first, second)
        levels.append([found.low.mean(), found.mid.mean(), found.high.mean()])
    print("levels        ", np.mean(levels, axis=0).round(3))
    print("drawn pictures", measure(model))


if __name__ == "__main__":
    main()
