"""How often the interval of an area holds the truth, over many samples of one map.

    python -m benchmarks.sample_coverage RESULT TRUTH [--samples 300] [--seeds 200]

RESULT is a folder of `geosim change`, TRUTH a raster that lies on its pixels: 0 same,
255 no data, anything else changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio

from geosim.assessing.options import CHANGED, SampleOptions
from geosim.assessing.strata import StrataMap
from geosim.assessment.estimating import NORMAL_95, estimate, tally
from geosim.raster.areas import area_of
from geosim.sample import design_of, positions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUFFERS = (0, 10)
"""Pixels around changes that are a stratum of their own."""

_NODATA = 255


def main() -> None:
    """Print a line for each buffer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=200)
    given = parser.parse_args()
    for buffer in BUFFERS:
        found = StrataMap(given.result, "change", buffer)
        changed = _truth(found, given.truth)
        counts = found.run_counts()
        options = SampleOptions(n=given.samples, buffer=buffer)
        design = design_of(found, counts, options, given.result)
        total = sum(design.areas)
        true = area_of(changed, found.grid.pixel_areas.within(found.grid.window))
        held, errors = [], []
        for seed in range(given.seeds):
            places = positions_of(found, counts, design, seed)
            kinds = np.array([int(one.map_class == CHANGED) for one in design.strata])
            answers = tally(
                places.stratum,
                kinds[places.stratum],
                changed[places.row, places.col].astype(int),
                strata_count=len(design.strata),
                classes=2,
            )
            population = np.array(design.pixels) if buffer else None
            seen = estimate(answers, np.array(design.areas), population)
            error = float(seen.areas_se[1]) * total
            held.append(abs(float(seen.areas[1]) * total - true) <= NORMAL_95 * error)
            errors.append(error)
        print(
            f"buffer {buffer} px: true {true / 1e4:.2f} ha, held in "
            f"{100 * np.mean(held):.1f} % of {given.seeds} samples, standard error "
            f"{np.mean(errors) / 1e4:.2f} ha on average"
        )


def _truth(found: StrataMap, path: Path) -> NDArray[np.bool_]:
    """What changed where the map has data, (height, width)."""
    with rasterio.open(found.path) as file, rasterio.open(path) as truth:
        window = truth.window(*file.bounds).round_offsets().round_lengths()
        values, mapped = truth.read(1, window=window), file.read(1)
    return np.asarray((values != 0) & (values != _NODATA) & (mapped != _NODATA))


if __name__ == "__main__":
    main()
