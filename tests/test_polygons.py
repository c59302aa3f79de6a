"""Polygons of another CRS on a grid: against every pixel carried to that CRS."""

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from rasterio.features import rasterize

from geosim.raster.grid import Grid
from geosim.raster.polygons import polygons_on

DEGREES = pyproj.CRS.from_epsg(4326)


def grid_of(code, left, top, size=10.0, width=200, height=400):
    return Grid(
        crs=pyproj.CRS.from_epsg(code),
        transform=Affine(size, 0, left, 0, -size, top),
        width=width,
        height=height,
    )


def burnt(polygons, grid):
    shape = grid.height, grid.width
    if not len(polygons):
        return np.zeros(shape, bool)
    return rasterize(polygons, shape, transform=grid.transform).astype(bool)


def lonlat(grid):
    """Of the pixels' centres, each (height, width)."""
    col, row = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    back = pyproj.Transformer.from_crs(grid.crs, DEGREES, always_xy=True)
    return back.transform(*(grid.transform @ (col, row)))


@pytest.mark.parametrize("sides", [(14.9, 15.1), (14, 16), (-180, 180)])
def test_an_edge_is_straight_in_the_crs_it_was_drawn_in(sides):
    grid = grid_of(32633, 499_000, 4_984_500)
    polygon = shapely.box(sides[0], -60, sides[1], 45)
    found = polygons_on(np.array([polygon], object), DEGREES, grid)
    wanted = lonlat(grid)[1] < 45
    assert 0.6 < wanted.mean() < 0.63
    assert (burnt(found, grid) ^ wanted).sum() <= 20  # centres on the very edge


@pytest.mark.parametrize(
    "sides",
    [[(179.95, 180), (-180, -179.95)], [(179.95, 180.05)], [(-180.05, -179.95)]],
)
def test_across_the_antimeridian_however_degrees_are_counted(sides):
    x, y = pyproj.Transformer.from_crs(DEGREES, 32760, always_xy=True).transform(
        180.0, -17.0
    )
    grid = grid_of(32760, x - 10_000, y + 10_000, 100.0, 200, 200)
    polygons = [shapely.box(left, -17.05, right, -16.95) for left, right in sides]
    found = polygons_on(np.array(polygons, object), DEGREES, grid)
    lon, lat = lonlat(grid)
    wanted = (np.abs(lon) > 179.95) & (np.abs(lat + 17) < 0.05)
    assert 0.2 < wanted.mean() < 0.4
    assert (burnt(found, grid) ^ wanted).sum() <= 30


def test_around_a_pole():
    grid = grid_of(3413, -1_000_000, 1_000_000, 10_000.0, 200, 200)
    polygon = shapely.box(-180, 85, 180, 90)
    found = polygons_on(np.array([polygon], object), DEGREES, grid)
    wanted = lonlat(grid)[1] > 85
    assert 0.1 < wanted.mean() < 0.3
    assert (burnt(found, grid) ^ wanted).sum() <= 20


def test_what_is_far_away_or_no_polygon_is_left_out():
    grid = grid_of(32633, 499_000, 4_984_500)
    others = [
        shapely.box(-100, 0, -90, 10),
        shapely.Point(15, 45),
        shapely.LineString([(14, 45), (16, 45)]),
        shapely.Polygon(),
        None,
    ]
    assert len(polygons_on(np.array(others, object), DEGREES, grid)) == 0


def test_a_polygon_that_crosses_itself_is_taken_as_its_parts():
    grid = grid_of(32633, 499_000, 4_984_500)
    bow = shapely.Polygon([(10, 40), (20, 50), (20, 40), (10, 50)])
    assert not bow.is_valid
    found = polygons_on(np.array([bow], object), DEGREES, grid)
    lon, lat = lonlat(grid)
    wanted = np.abs(lat - 45) < np.abs(lon - 15)
    assert (burnt(found, grid) ^ wanted).sum() <= 400


def test_polygons_of_the_same_crs_stay_as_they_are():
    grid = grid_of(32633, 499_000, 4_984_500)
    polygons = np.array([shapely.box(0, 0, 9e5, 9e6), shapely.Point(1, 1)], object)
    assert polygons_on(polygons, grid.crs, grid).tolist() == [polygons[0]]
    plain = Grid(crs=None, transform=Affine.identity(), width=3, height=3)
    assert polygons_on(polygons, None, plain).tolist() == [polygons[0]]
