"""A pair of 30,000 x 30,000 px on two workers: the same pixels as on one machine."""

import shutil

import numpy as np
import pytest
import rasterio
from rasters import NORTH_UP
from test_memory import draw

from geosim import ChangeOptions, ClusterOptions, detect_change
from geosim.raster.grid import Grid

SIDE = 30_000
PART = 1_500
"""Side of the part that the network compares."""

NEEDED_GB = 32
"""Two results, the working rasters of one run, the pair."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("huge")
    free = shutil.disk_usage(folder).free / 1e9
    if free < NEEDED_GB:
        pytest.skip(f"wants {NEEDED_GB} GB of disk; found {free:.0f}")
    yield draw(folder, SIDE)
    shutil.rmtree(folder)


def same_pixels(one, other):
    """Whether the rasters of two results hold the same values, block by block."""
    for name in ("change.tif", "difference.tif", "tiles.tif"):
        with rasterio.open(one / name) as a, rasterio.open(other / name) as b:
            assert (a.shape, a.count, a.transform) == (b.shape, b.count, b.transform)
            for _, window in a.block_windows(1):
                parts = a.read(window=window), b.read(window=window)
                if not np.array_equal(*parts, equal_nan=True):
                    return False
    return True


@pytest.mark.parametrize(
    ("method", "bounds"),
    [
        ("cva", None),
        (
            "siamese",
            Grid(crs=None, transform=NORTH_UP, width=PART, height=PART).bounds,
        ),
    ],
)
def test_two_workers_say_what_one_machine_says(pair, tmp_path, method, bounds):
    options = ChangeOptions(method=method, bounds=bounds, memory=1500, threads=1)
    folders = tmp_path / "alone", tmp_path / "spread"
    records = [
        detect_change(*pair, folder, options, cluster=cluster).record
        for folder, cluster in zip(
            folders, (None, ClusterOptions(workers=2)), strict=True
        )
    ]
    assert same_pixels(*folders)
    assert records[0].polygons == records[1].polygons > 0
    assert records[0].threshold == records[1].threshold
    for folder in folders:
        shutil.rmtree(folder)
