"""The answer does not depend on how the work was cut."""

import geopandas as gpd
import numpy as np
import pytest
from geopandas.testing import assert_geodataframe_equal
from rasters import crop, read

from geosim import ChangeOptions, detect_change

SIZE = (600, 555)
"""Columns and rows of date 1's crop; what both dates share is no multiple of 16."""


@pytest.fixture(scope="module")
def pair(sample_pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    before, after = sample_pair
    return (
        crop(before, folder / "1990.tif", (0, 560, *SIZE)),
        crop(after, folder / "2020.tif", (0, 556, *SIZE)),
    )


def run(pair, folder, method, block_size, threads):
    options = ChangeOptions(
        method=method, tile_size=256, block_size=block_size, threads=threads
    )
    return detect_change(*pair, folder, options)


@pytest.fixture(scope="module")
def references(pair, tmp_path_factory):
    """Each method's result with blocks of 512 px and one thread, made once."""
    made = {}

    def reference(method):
        if method not in made:
            folder = tmp_path_factory.mktemp("reference") / "result"
            made[method] = run(pair, folder, method, 512, 1)
        return made[method]

    return reference


def assert_same(result, reference):
    grid = result.record.grid
    assert grid == reference.record.grid
    assert grid.width % 16
    assert grid.height % 16
    difference = [read(r.paths["difference"]).astype(int) for r in (result, reference)]
    assert np.abs(difference[0] - difference[1]).max() <= 1
    change = [read(r.paths["change"]) for r in (result, reference)]
    assert np.array_equal(*change)
    assert 0 < (change[0] == 1).mean() < 0.5
    tiles = [read(r.paths["tiles"]) for r in (result, reference)]
    assert tiles[0] == pytest.approx(tiles[1], abs=1e-5, nan_ok=True)
    polygons, wanted = (
        gpd.read_file(r.paths["changes"], layer="changes") for r in (result, reference)
    )
    assert len(polygons) > 3
    assert polygons.geometry.geom_equals_exact(wanted.geometry, 0.0).all()
    assert_geodataframe_equal(polygons, wanted)


@pytest.mark.parametrize(
    ("method", "block_size", "threads"),
    [
        ("siamese", 2048, 2),
        pytest.param("siamese", 208, 2, marks=pytest.mark.slow),
        ("ssim", 208, 2),
        pytest.param("ssim", 2048, 2, marks=pytest.mark.slow),
        ("cva", 112, 2),
        pytest.param("irmad", 208, 2, marks=pytest.mark.slow),
    ],
)
def test_blocks_and_threads_leave_the_answer_alone(
    references, pair, tmp_path, method, block_size, threads
):
    result = run(pair, tmp_path / "result", method, block_size, threads)
    assert_same(result, references(method))


def test_memory_decides_the_blocks_and_nothing_else(references, pair, tmp_path):
    options = ChangeOptions(method="ssim", tile_size=256, memory=500)
    assert_same(detect_change(*pair, tmp_path / "out", options), references("ssim"))
