"""Areas of pixels where those of a row differ; pyproj's geodesics are the oracle."""

import numpy as np
import pyproj
import pytest
from affine import Affine

from geosim.raster.areas import area_of
from geosim.raster.grid import Grid, Window

GEOD = pyproj.Geod(ellps="WGS84")
WIDE = {
    "the Arctic": ("EPSG:3413", Affine(1e5, 0, -3.85e6, 0, -1e5, 5.85e6), 76, 112),
    "Canada": ("EPSG:3978", Affine(5e4, 0, -2.6e6, 0, -5e4, 3.9e6), 116, 92),
    "turned": ("EPSG:4326", Affine(0, -0.1, 25, -0.1, 0, 65), 150, 100),
    "feet": ("EPSG:2225", Affine(3e4, 0, 5e6, 0, -3e4, 4e6), 90, 70),
    "both hemispheres": ("EPSG:3395", Affine(2e5, 0, -1e7, 0, -2e5, 1e7), 100, 100),
}


def grid_of(name):
    crs, transform, width, height = WIDE[name]
    return Grid(crs=pyproj.CRS(crs), transform=transform, width=width, height=height)


def geodesic(grid):
    """Area of each pixel by its four corners."""
    to_degrees = pyproj.Transformer.from_crs(grid.crs, 4326, always_xy=True)
    found = np.zeros((grid.height, grid.width))
    corners = (0, 0), (1, 0), (1, 1), (0, 1)
    for row, col in np.ndindex(found.shape):
        at = [grid.transform @ (col + right, row + down) for right, down in corners]
        lon, lat = to_degrees.transform(*zip(*at, strict=True))
        found[row, col] = abs(GEOD.polygon_area_perimeter(lon, lat)[0])
    return found


@pytest.mark.parametrize("name", WIDE)
def test_every_pixel_of_a_wide_projection(name):
    grid = grid_of(name)
    areas = grid.pixel_areas.within(grid.window) * np.ones((grid.height, grid.width))
    wanted = geodesic(grid)
    assert areas == pytest.approx(wanted, rel=2e-3)
    assert areas.sum() == pytest.approx(wanted.sum(), rel=2e-4)


def test_the_middle_column_is_no_measure():
    grid = grid_of("the Arctic")
    assert not grid.pixel_areas.even
    row = grid.pixel_areas.within(Window(0, 20, grid.width, 1))
    assert row.min() < 0.9 * row.max()


def test_windows_tell_the_same():
    grid = grid_of("Canada")
    whole = grid.pixel_areas.within(grid.window)
    window = Window(17, 31, 40, 22)
    assert grid.pixel_areas.within(window) == pytest.approx(
        whole[31:53, 17:57], rel=1e-12
    )


def test_rows_of_a_small_scene_have_one_area():
    grid = Grid(
        crs=pyproj.CRS(32633),
        transform=Affine(10, 0, 5e5, 0, -10, 5e6),
        width=900,
        height=50,
    )
    assert grid.pixel_areas.even
    assert grid.pixel_areas.within(grid.window).shape == (50, 1)


def test_pixels_beyond_the_edge_of_a_projection_take_the_nearest_area():
    """The corners of a Mollweide map show nothing."""
    grid = Grid(
        crs=pyproj.CRS("ESRI:54009"),
        transform=Affine(2e5, 0, -1.8e7, 0, -2e5, 9e6),
        width=180,
        height=90,
    )
    areas = grid.pixel_areas.within(grid.window) * np.ones((90, 180))
    assert np.isfinite(areas).all()
    # near the poles a pixel is stretched too far for straight edges
    assert np.isclose(areas, 4e10, rtol=0.05).mean() > 0.99
    assert areas.max() < 4.2e10


@pytest.mark.parametrize("shape", [(3, 4), (3, 1)])
def test_area_of_a_mask(shape):
    areas = np.arange(1.0, 13.0).reshape(3, 4)[:, : shape[1]]
    mask = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]], bool)
    assert area_of(mask, areas) == {4: 1 + 4 + 10 + 11, 1: 1 + 1 + 9 + 9}[shape[1]]
