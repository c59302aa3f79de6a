"""Cubic resampling of a shifted raster, against GDAL's warper."""

import numpy as np
import pytest
from affine import Affine
from rasters import NORTH_UP, texture, write

from geosim.raster.grid import Grid, Window
from geosim.raster.scene import open_scene
from geosim.raster.shifted import aligned, kernel_window, resample, shift_between

SHIFTS = [(-3.37, 5.81), (0.25, -0.5)]


@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize(
    ("dtype", "top"), [("uint8", 255), ("int16", 3000), ("float32", 1)]
)
@pytest.mark.parametrize("shift", SHIFTS)
def test_values_are_those_of_gdal(tmp_path, dtype, top, nodata, shift):
    values = (texture(2, 180, 560) * top).astype(dtype)
    values[:, 150:, :3] = values[0, 100, 530] = 0
    moved = NORTH_UP @ Affine.translation(*shift)
    paths = (
        write(tmp_path / "a.tif", values, nodata=nodata),
        write(tmp_path / "b.tif", values, transform=moved, nodata=nodata),
    )
    with open_scene(*map(str, paths)) as scene:
        date = scene._after
        assert date.shift is not None
        for window in (scene.grid.window, Window(37, 11, 500, 140)):
            found, valid = date.read(window)
            wanted, seen = date._read(window, list(date.source.bands))
            assert np.array_equal(valid, seen)
            assert found.dtype == np.float32
            where = np.broadcast_to(valid, found.shape)
            assert found[where] == pytest.approx(wanted[where], abs=1e-6 * top)


def test_a_place_half_way_is_the_mean_of_four():
    """-1/16, 9/16, 9/16, -1/16 on both axes; halves are rounded upwards."""
    band = np.zeros((4, 4))
    band[1, 1] = 256.0
    assert resample(band, (0.5, 7.5)).item() == 81.0
    band[1, 1] = 0.0
    band[0, 1] = 256.0
    assert resample(band, (-0.5, 0.5)).item() == -9.0
    whole = np.zeros((4, 4), np.uint8)
    whole[1, 1:3] = 1
    assert resample(whole, (0.5, 0.0)).item() == 1.0


def test_shift_between_grids():
    grid = Grid(crs=None, transform=NORTH_UP, width=10_000, height=10_000)

    def other(change):
        return Grid(crs=None, transform=NORTH_UP @ change, width=100, height=100)

    found = shift_between(grid, other(Affine.translation(2.25, -3.5)))
    assert found == pytest.approx((2.25, -3.5))
    assert shift_between(grid, other(Affine.scale(1.0001))) is None
    assert shift_between(grid, other(Affine.rotation(0.001))) is None


def test_kernels_reach_one_before_and_two_after():
    assert kernel_window(Window(10, 20, 5, 6), (0.5, -0.5)) == Window(9, 18, 8, 9)


def test_aligned_parts_cover_each_pixel_once():
    window = Window(37, 11, 600, 300)
    seen = np.zeros((320, 640), int)
    for part in aligned(window, 512, 128):
        assert part.col_off // 512 == (part.col_end - 1) // 512
        assert part.row_off // 128 == (part.row_end - 1) // 128
        rows, cols = part.slices_in(Window(0, 0, 640, 320))
        seen[rows, cols] += 1
    assert (seen[11:311, 37:637] == 1).all()
    assert seen.sum() == 600 * 300
