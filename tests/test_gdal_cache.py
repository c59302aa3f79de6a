"""GDAL's block cache: as large as we say, and no block is read twice for nothing."""

import io

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.env import get_gdal_config

from geosim.raster.environment import GDAL_CACHE, gdal_environment
from geosim.raster.grid import Grid
from geosim.raster.writer import Layout, WorkRaster


class Counting(io.FileIO):
    """A file that counts how often it is read."""

    reads = 0

    def read(self, size=-1):
        Counting.reads += 1
        return super().read(size)


@pytest.fixture
def raster(tmp_path):
    path = tmp_path / "tiled.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "tiled": True}
    size = {"width": 512, "height": 512, "blockxsize": 256, "blockysize": 256}
    with rasterio.open(path, "w", **profile, **size) as dataset:
        dataset.write(np.ones((1, 512, 512), np.uint8))
    return path


def test_blocks_stay_in_the_cache(raster):
    # a number in `rasterio.Env` is bytes: 64, meant as MB, once held not a single block
    with (
        gdal_environment(),
        rasterio.open(raster, opener=Counting) as dataset,
    ):
        dataset.read()
        before = Counting.reads
        dataset.read()
        assert before > 0
        assert Counting.reads == before


def test_the_cache_of_who_calls_is_as_it_was():
    def size():
        with rasterio.Env():
            return get_gdal_config("GDAL_CACHEMAX")

    before = size()
    with gdal_environment(2):
        assert size() == GDAL_CACHE != before
        with gdal_environment():
            assert size() == GDAL_CACHE
        assert size() == GDAL_CACHE
    assert size() == before


@pytest.mark.parametrize(
    ("width", "wanted"),
    [(1_000, GDAL_CACHE), (8_000, 8_000 * 5 * 512 * 3 // 2), (60_000, 128_000_000)],
)
def test_rows_fit_into_the_cache_while_a_cog_is_written(tmp_path, width, wanted):
    transform = Affine(10.0, 0.0, 0.0, 0.0, -10.0, 0.0)
    grid = Grid(crs=None, transform=transform, width=width, height=2)
    layout = Layout(dtype="uint8", nodata=255, bands=tuple("abcde"))
    found = []

    class Watched(WorkRaster):
        def _build_overviews(self, header, block):
            found.append(get_gdal_config("GDAL_CACHEMAX"))
            super()._build_overviews(header, block)

    raster = Watched(tmp_path / "map.work", grid, layout)
    with gdal_environment():
        raster.to_cog(tmp_path / "map.tif", {})
    raster.close()
    assert found == [wanted]
