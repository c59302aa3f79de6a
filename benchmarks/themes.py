"""Are the classes of change right? Two comparisons with answers known otherwise.

    python -m benchmarks.themes water DATA/naip_north_dakota
    python -m benchmarks.themes sample --seeds 7 11 23

`water`: NAIP's dates of North Dakota; water gained and lost by geosim's classes against
NDWI (McFeeters 1996) cut by hand on each date, over the area that changed. `sample`:
the synthetic pair of `sample_data/`, and others that its generator draws from seeds,
against the classes that were drawn.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT

from geosim import ChangeOptions, detect_change
from geosim.themes import CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim import ChangeResult

BY_HAND = {2010: 0.15, 2014: 0.50, 2016: 0.30, 2019: 0.25}
"""NDWI above which a pixel of a date is water: the valley of its histogram, looked at
over the picture. Each date was delivered with a stretch of its own: 0 would not do."""

PAIRS = ((2010, 2014), (2014, 2016), (2016, 2019), (2010, 2019))

TRUTH = {
    1: {"forest_loss"},
    2: {"built_up_gain"},
    3: {"built_up_gain"},
    4: {"water_gain", "water_loss"},
    5: {"built_up_loss"},
    6: {"bare_or_mining"},
}
"""Classes of `truth.tif` of the sample data and what they are here."""

NAMES = {
    1: "forest cleared",
    2: "houses built",
    3: "road built",
    4: "water moved or dug",
    5: "house removed",
    6: "gravel pit opened",
}


def class_raster(result: ChangeResult) -> NDArray[np.uint8]:
    """Place in `CLASSES` plus 1 of each pixel of the grid; 0 outside all polygons."""
    slugs = list(CLASSES)
    changes = result.changes
    with rasterio.open(result.paths["change"]) as file:
        shapes = [
            (shape, slugs.index(slug) + 1)
            for shape, slug in zip(changes.geometry, changes["class"], strict=True)
        ]
        burnt: NDArray[np.uint8] = rasterize(
            shapes, (file.height, file.width), transform=file.transform, dtype="uint8"
        )
        return burnt


def water_by_hand(path: Path, grid: Any, threshold: float) -> NDArray[np.bool_]:  # noqa: ANN401
    """Where NDWI of a date is above the threshold, on an open dataset's grid."""
    with (
        rasterio.open(path) as file,
        WarpedVRT(
            file,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.cubic,
        ) as on_grid,
    ):
        green, infrared = on_grid.read([2, 4]).astype(np.float32)
    ndwi = (green - infrared) / np.maximum(green + infrared, 1.0)
    found: NDArray[np.bool_] = ndwi > threshold
    return found


def water(folder: Path, work: Path) -> None:
    """Agreement of the classes with NDWI, pair by pair."""
    print("| pair | changed, ha | agree, % | gain: NDWI, both, geosim, ha | loss |")
    print("|---|---|---|---|---|")
    for pair in PAIRS:
        paths = [folder / f"{year}.tif" for year in pair]
        options = ChangeOptions(bands="naip", overwrite=True)
        result = detect_change(
            paths[0], paths[1], work / f"{pair[0]}_{pair[1]}", options
        )
        with rasterio.open(result.paths["change"]) as file:
            changed = file.read(1) == 1
            hectares = abs(file.transform.a * file.transform.e) / 1e4
            wet = [
                water_by_hand(path, file, BY_HAND[year])
                for path, year in zip(paths, pair, strict=True)
            ]
        told = class_raster(result)
        slugs = list(CLASSES)
        hand = [~wet[0] & wet[1] & changed, wet[0] & ~wet[1] & changed]
        ours = [
            (told == slugs.index(slug) + 1) & changed
            for slug in ("water_gain", "water_loss")
        ]
        same = changed & (hand[0] == ours[0]) & (hand[1] == ours[1])
        parts = [
            ", ".join(f"{part.sum() * hectares:.1f}" for part in (h, h & o, o))
            for h, o in zip(hand, ours, strict=True)
        ]
        share = 100 * same.sum() / changed.sum()
        print(
            f"| {pair[0]} to {pair[1]} | {changed.sum() * hectares:.1f} | {share:.1f} "
            f"| {parts[0]} | {parts[1]} |"
        )


def sample(seeds: list[int], work: Path) -> None:
    """Share of the drawn classes' changed area that has the right class."""
    root = Path(__file__).parent.parent / "sample_data"
    print("| seed | drawn as | found changed, ha | right class, % | most often |")
    print("|---|---|---|---|---|")
    for seed in seeds:
        folder = work / f"seed_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        generate = [sys.executable, str(root / "generate.py"), "--out", str(folder)]
        if not (folder / "truth.tif").exists():
            subprocess.run([*generate, "--seed", str(seed)], check=True)  # noqa: S603
        result = detect_change(
            folder / "1990.tif",
            folder / "2020.tif",
            folder / "result",
            ChangeOptions(overwrite=True),
        )
        with (
            rasterio.open(result.paths["change"]) as grid,
            rasterio.open(folder / "truth.tif") as file,
            WarpedVRT(
                file, transform=grid.transform, width=grid.width, height=grid.height
            ) as on_grid,
        ):
            truth = on_grid.read(1)
            hectares = abs(grid.transform.a * grid.transform.e) / 1e4
        _score(seed, truth, class_raster(result), hectares)


def _score(
    seed: int, truth: NDArray[np.uint8], told: NDArray[np.uint8], hectares: float
) -> None:
    slugs = ["-", *CLASSES]
    right = total = 0
    for code, wanted in TRUTH.items():
        counts = np.bincount(told[truth == code], minlength=len(slugs))
        counts[0] = 0  # what was not found at all is the change map's matter
        good = sum(int(counts[slugs.index(slug)]) for slug in wanted)
        right, total = right + good, total + int(counts.sum())
        often = slugs[int(counts.argmax())]
        share = 100 * good / max(int(counts.sum()), 1)
        print(
            f"| {seed} | {NAMES[code]} | {counts.sum() * hectares:.2f} | {share:.1f} "
            f"| {often} |"
        )
    print(f"| {seed} | all | {total * hectares:.2f} | {100 * right / total:.1f} | |")


def main() -> None:
    """Run one comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="Where results go and stay.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("water").add_argument("folder", type=Path)
    drawn = kinds.add_parser("sample")
    drawn.add_argument("--seeds", type=int, nargs="+", default=[7])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        if options.kind == "water":
            water(options.folder, work)
        else:
            sample(options.seeds, work)


if __name__ == "__main__":
    main()
