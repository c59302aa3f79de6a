"""What `geosim change` is compared with: others that find changes in two rasters.

Run by `benchmarks.end_to_end`, each in a process of its own:

    python -m benchmarks.contestants NAME BEFORE AFTER OUT THREADS MEMORY WEIGHTS
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray

TILE = 256
"""Side of the tiles of the torch loops, px."""


def by_tiles(
    before: str,
    after: str,
    out: str,
    score: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """Score tile after tile, without margin, as many projects do; write a GeoTIFF.

    Args:
        before: date 1, three bands of uint8.
        after: date 2.
        out: one band of float32.
        score: two tiles (1, 3, height, width) in 0..1 to (height, width).
    """
    import torch

    with rasterio.open(before) as one, rasterio.open(after) as two:
        profile = one.profile | {"count": 1, "dtype": "float32", "compress": None}
        with rasterio.open(out, "w", **profile) as to, torch.inference_mode():
            for row in range(0, one.height, TILE):
                for col in range(0, one.width, TILE):
                    high = min(TILE, one.height - row)
                    wide = min(TILE, one.width - col)
                    window = Window(col, row, wide, high)
                    dates = (
                        torch.from_numpy(padded(raster.read(window=window)))
                        for raster in (one, two)
                    )
                    found = score(*dates).numpy()[:high, :wide]
                    to.write(found.astype(np.float32), 1, window=window)


def padded(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(1, 3, 256, 256) in 0..1 of a tile, which is smaller at the edges."""
    whole = np.zeros((1, 3, TILE, TILE), np.float32)
    whole[0, :, : tile.shape[1], : tile.shape[2]] = tile / np.float32(255)
    return whole


def torch_loop(before: str, after: str, out: str, threads: int) -> None:
    """VGG16 in torch float32, tile after tile; nothing is smoothed."""
    import torch

    from geosim.siamese import fusion, loading
    from geosim.siamese.architecture import LEVELS
    from geosim.siamese.weights import load_weights

    torch.set_num_threads(threads)
    model = loading.network_of(load_weights().arrays)
    model.eval()

    def score(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        found = model.activations(torch.cat([one, two]))
        maps = [
            fusion.enlarge(fusion.cosine_distance(found[level.relu]), (TILE, TILE))
            for level in LEVELS
        ]
        return torch.stack(maps).mean(dim=0)[0]

    by_tiles(before, after, out, score)


def torchgeo(before: str, after: str, out: str, threads: int) -> None:
    """FCSiamDiff of torchgeo (its usual ResNet encoder), untrained, float32."""
    import torch
    from torchgeo.models import FCSiamDiff

    torch.set_num_threads(threads)
    model = FCSiamDiff(in_channels=3, classes=1, encoder_weights=None).eval()
    by_tiles(
        before,
        after,
        out,
        lambda one, two: model(torch.stack([one, two], dim=1))[0, 0].sigmoid(),
    )


def network(
    before: str, after: str, threads: int, memory: int, weights: str
) -> dict[str, Any]:
    """The network alone on one block of those that geosim would cut the pair into.

    Returns:
        Sides of a block with its margin, how many there are, seconds and processor
        seconds of each (medians of three after one for warming up), pixels of the pair.
    """
    from geosim import ChangeOptions
    from geosim.raster.scene import open_scene
    from geosim.scoring.blocking import plan_blocks
    from geosim.scoring.methods import METHODS
    from geosim.scoring.sampling import take_sample
    from geosim.siamese.engine import open_engine
    from geosim.siamese.weights import load_weights

    options = ChangeOptions(threads=threads, memory=memory, weights=weights)
    with open_scene(before, after) as scene:
        sample = take_sample(scene, options)
        scorer = METHODS["siamese"](sample, options, scene.grid.ground_resolution())
        blocks = plan_blocks(scene.grid, scorer, options)
        window = next(blocks.windows())
        count = blocks.count
        read = scene.read(window)
        high, wide = blocks.outer_shape
        pixels = scene.grid.width * scene.grid.height
        dates = sample.radiometry.apply(read.before, read.after, read.valid)
    reach = ((0, 0), (0, high - window.height), (0, wide - window.width))
    one, two = (np.pad(date, reach, mode="symmetric") for date in dates)
    engine = open_engine(load_weights(weights), threads=threads)
    seconds, cpu = [], []
    for _ in range(4):
        began, worked = time.perf_counter(), time.process_time()
        engine.differences(one, two)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    return {
        "block": [high, wide],
        "blocks": count,
        "seconds": statistics.median(seconds[1:]),
        "cpu": statistics.median(cpu[1:]),
        "pixels": pixels,
    }


def main() -> None:
    """Be one contestant; the network's figures go to stdout."""
    name, before, after, out, threads, memory, weights = sys.argv[1:]
    if name == "network":
        found = network(before, after, int(threads), int(memory), weights)
        sys.stdout.write(json.dumps(found))
    else:
        {"torch_loop": torch_loop, "torchgeo": torchgeo}[name](
            before, after, out, int(threads)
        )


if __name__ == "__main__":
    main()
