"""GDAL's block cache: as large as we say, and no block is read twice for nothing."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.env import get_gdal_config

from geosim import ChangeOptions
from geosim.raster.environment import GDAL_CACHE, gdal_environment
from geosim.raster.grid import Grid, Window
from geosim.raster.scene import open_scene
from geosim.raster.writer import Layout, WorkRaster
from geosim.scoring.opening import cache_within, open_pair

IO = Path("/proc/self/io")


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
        raster.to_cog(tmp_path / "again.tif", {}, most_cache=0)
    raster.close()
    assert found == [wanted, GDAL_CACHE]


def written(path, side, **profile):
    """A raster of three bands of bytes in UTM."""
    profile |= {"count": 3, "dtype": "uint8", "height": side, "width": side}
    where = {"crs": "EPSG:32633", "transform": Affine(10.0, 0, 5e5, 0, -10.0, 5.4e6)}
    values = np.random.default_rng(1).integers(0, 255, (3, side, side), np.uint8)
    with rasterio.open(path, "w", **profile, **where) as dataset:
        dataset.write(values)
    return str(path)


def test_what_is_kept_of_a_quick_format_by_hand(tmp_path):
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    tiled = written(tmp_path / "tiled.tif", 2500, driver="GTiff", **tiles)
    strips = written(tmp_path / "strips.tif", 2500, driver="GTiff", blockysize=4)
    with open_scene(tiled, strips) as scene:
        # 1,024 rows touch five rows of ten tiles at most; of strips 4,096 are kept,
        # which are more than there are
        kept_tiles, kept_strips = 5 * 256 * 10 * 256 * 3, 2500 * 2500 * 3
        assert scene.cache_bytes == kept_tiles + kept_strips


@pytest.mark.parametrize("name", ["other.png", "/vsizip/{}/packed.zip/tiled.tif"])
def test_what_is_slow_is_kept_whole(tmp_path, name):
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    tiled = written(tmp_path / "tiled.tif", 1500, driver="GTiff", **tiles)
    written(tmp_path / "other.png", 1500, driver="PNG")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.write(tiled, "tiled.tif")
    whole = 1500**2 if name == "other.png" else (6 * 256) ** 2
    slow = name.format(tmp_path)
    slow = slow if slow.startswith("/") else str(tmp_path / slow)
    with open_scene(slow, tiled) as scene:
        assert scene.cache_bytes == 3 * whole + 3 * (5 * 256) * (6 * 256)


def test_of_a_finer_date_more_rows_are_kept(tmp_path):
    tiles = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256}
    coarse, fine = (
        written(tmp_path / f"{side}.tif", side, **tiles) for side in (1100, 2200)
    )
    with rasterio.open(fine, "r+") as dataset:
        dataset.transform = Affine(5.0, 0, 5e5, 0, -5.0, 5.4e6)
    with open_scene(coarse, fine) as scene:
        own = 3 * (5 * 256) ** 2
        # 1,024 rows of the grid are 2,048 of the file: all of its nine; and what GDAL
        # warps is kept as well, in blocks of its own, with an alpha band
        across, down = math.ceil(1100 / 512) * 512, (math.ceil(1024 / 128) + 1) * 128
        warped = 4 * across * min(down, math.ceil(1100 / 128) * 128)
        assert scene.cache_bytes == own + 3 * (9 * 256) ** 2 + warped


def test_a_runs_memory_bounds_what_is_kept():
    options = ChangeOptions(memory=3000)
    assert cache_within(options, 10**9) == 125_000_000
    assert cache_within(options, 10**6) == GDAL_CACHE + 10**6
    assert cache_within(ChangeOptions(memory=2000), 10**6) == 0


@pytest.mark.skipif(not IO.exists(), reason="no /proc")
def test_nothing_is_decoded_twice_where_that_is_slow(tmp_path):
    # of a PNG all rows above a window are decoded with it
    pair = [
        written(tmp_path / f"{year}.png", 1800, driver="PNG", zlevel=1)
        for year in (1990, 2020)
    ]
    options = ChangeOptions(memory=3000)
    with gdal_environment(), open_pair(*pair, options) as scene:
        assert get_gdal_config("GDAL_CACHEMAX") == GDAL_CACHE + 2 * 3 * 1800**2
        before = bytes_read()
        for row in (0, 800):
            for col in (0, 800):
                scene.read(Window(col, row, 1000, 1000))
        for row in range(0, 1800, 200):
            scene.read(Window(0, row, 1800, 200))
        read = bytes_read() - before
    whole = sum(Path(path).stat().st_size for path in pair)
    assert 0.99 * whole < read < 1.1 * whole


def bytes_read():
    """Of all files, by this process."""
    name, number = IO.read_text().split()[:2]
    assert name == "rchar:"
    return int(number)
