"""Outlines: valid, exact, the same for any cut; sizes on the ellipsoid."""

import time

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize
from scipy import ndimage
from shapely.geometry import Point

from geosim.change.vectorize import Outlines, pixels_of, sizes, to_map
from geosim.raster.grid import Grid, Window

UTM = pyproj.CRS.from_epsg(32633)
GEOD = pyproj.Geod(ellps="WGS84")

masks = st.tuples(st.integers(1, 14), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def outline(numbers, rows):
    outlines = Outlines()
    for start in range(0, len(numbers), rows):
        outlines.add(numbers[start : start + rows].astype(np.int32), start)
    return outlines.joined(int(numbers.max()))


def pixels_in(polygon, shape):
    cols, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    return shapely.contains_xy(polygon, cols, rows)


def blobs(seed, shape=(90, 70)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
    return ndimage.label(smooth > 0.3 * smooth.std())[0]


@settings(max_examples=150, deadline=None)
@given(masks, st.integers(1, 15))
def test_outlines_are_the_pixels(mask, rows):
    numbers, count = ndimage.label(mask)
    polygons = outline(numbers, rows)
    assert len(polygons) == count
    for number, polygon in enumerate(polygons, start=1):
        inside = numbers == number
        assert polygon.geom_type == "Polygon"
        assert polygon.is_valid
        assert polygon.area == inside.sum()
        assert (pixels_in(polygon, mask.shape) == inside).all()
        for ring in (polygon.exterior, *polygon.interiors):
            # only corners are left: no three points in one line
            steps = np.sign(np.diff(np.array(ring.coords), axis=0))
            assert (np.abs(np.diff(steps, axis=0)).sum(axis=1) == 2).all()


@settings(max_examples=150, deadline=None)
@given(masks)
def test_pixels_of_an_outline_are_those_it_was_made_of(mask):
    numbers, _ = ndimage.label(mask)
    for number, polygon in enumerate(outline(numbers, 4), start=1):
        left, top, right, bottom = (int(value) for value in polygon.bounds)
        window = slice(top, bottom), slice(left, right)
        found = pixels_of(polygon, mask[window], left, top)
        assert (found == (numbers[window] == number)).all()


def test_sizes_beyond_the_pole_are_those_up_to_it():
    crs = pyproj.CRS.from_epsg(4326)
    found, wanted = (
        np.ravel(sizes(np.array([shapely.box(10, 89, 20, north)], object), crs))
        for north in (90.5, 90)
    )
    assert np.isfinite(found).all()
    assert found == pytest.approx(wanted)


def test_pixels_of_a_ragged_outline_are_found_at_once():
    rng = np.random.default_rng(3)
    mask = ndimage.label(rng.random((360, 360)) < 0.62)[0]
    mask = mask == np.bincount(mask.ravel())[1:].argmax() + 1
    (polygon,) = outline(mask.astype(np.int32), 360)
    assert shapely.get_num_coordinates(polygon) > 30_000
    left, top, right, bottom = (int(value) for value in polygon.bounds)
    inside = mask[top:bottom, left:right]
    begun = time.process_time()
    found = pixels_of(polygon, inside, left, top)
    quick = time.process_time() - begun
    drawn = rasterize(
        [shapely.transform(polygon, lambda xy: xy - [left, top])], inside.shape
    )
    slow = time.process_time() - begun - quick
    assert (found == drawn).all()
    assert quick < slow / 3


@settings(max_examples=100, deadline=None)
@given(masks, st.integers(1, 15))
def test_outlines_do_not_depend_on_the_cut(mask, rows):
    numbers, _ = ndimage.label(mask)
    whole, cut = outline(numbers, len(numbers)), outline(numbers, rows)
    assert [p.wkt for p in cut] == [p.wkt for p in whole]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_blobs(rows):
    numbers = blobs(1)
    whole = outline(numbers, 90)
    assert [p.wkt for p in outline(numbers, rows)] == [p.wkt for p in whole]
    assert [p.area for p in whole] == np.bincount(numbers.ravel())[1:].tolist()


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_hole_and_an_island(rows):
    numbers = np.ones((5, 5), int)
    numbers[1:4, 1:4] = 0
    numbers[2, 2] = 2
    ring, island = outline(numbers, rows)
    assert ring.area == 16
    assert len(ring.interiors) == 1
    assert island.bounds == (2, 2, 3, 3)
    assert len(island.exterior.coords) == 5


def test_diagonal_neighbours_stay_two():
    polygons = outline(np.array([[1, 0], [0, 2]]), 2)
    assert [p.bounds for p in polygons] == [(0, 0, 1, 1), (1, 1, 2, 2)]


# on the map


@pytest.mark.parametrize(
    "transform",
    [
        Affine(10, 0, 5e5, 0, -10, 5e6),
        Affine(10, 0, 5e5, 0, 10, 5e6),
        Affine.translation(5e5, 5e6) @ Affine.rotation(1.0) @ Affine.scale(2, -2),
        Affine.translation(5e5, 5e6) @ Affine.rotation(123) @ Affine.scale(2, 3),
        Affine.scale(1, -1),
        Affine.identity(),
    ],
)
def test_to_map(transform):
    numbers = np.ones((6, 4), int)
    numbers[2:4, 1:3] = 0
    polygons = outline(numbers, 6)
    (mapped,) = to_map(polygons, transform)
    assert mapped.is_valid
    assert mapped.exterior.is_ccw
    assert not mapped.interiors[0].is_ccw
    assert mapped.area == pytest.approx(20 * abs(transform.determinant))
    assert mapped.contains(Point(transform @ (0.5, 0.5)))
    assert not mapped.contains(Point(transform @ (2, 3)))
    corners = {transform @ at for at in ((0, 0), (4, 0), (4, 6), (0, 6))}
    found = np.array(mapped.exterior.coords)
    for corner in corners:
        assert np.abs(found - corner).sum(axis=1).min() < 1e-6


def test_nothing_to_map():
    mapped = to_map([], Affine.identity())
    assert len(mapped) == 0
    for size in sizes(mapped, UTM):
        assert size.shape == (0,)


# sizes


def measured(polygon, crs, step):
    """Area and length of a densified copy, ring by ring."""
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    dense = shapely.segmentize(polygon, step)
    area = length = 0.0
    for place, ring in enumerate((dense.exterior, *dense.interiors)):
        lon, lat = to_degrees.transform(*np.array(ring.coords).T)
        part, around = GEOD.polygon_area_perimeter(lon, lat)
        area += abs(part) if place == 0 else -abs(part)
        length += around
    return area, length


@pytest.mark.parametrize(
    ("crs", "transform", "step"),
    [
        (UTM, Affine(10, 0, 5e5, 0, -10, 5e6), 5),
        (
            UTM,
            Affine.translation(7e5, 6e6) @ Affine.rotation(20) @ Affine.scale(30, -30),
            20,
        ),
        (pyproj.CRS.from_epsg(4326), Affine(1e-4, 0, 10, 0, -1e-4, 60), 1e-4),
        (pyproj.CRS.from_epsg(4326), Affine(0.01, 0, 10, 0, -0.01, 60), 0.005),
        (pyproj.CRS.from_epsg(3857), Affine(20, 0, 1e6, 0, -20, 8e6), 10),
    ],
)
def test_sizes_are_geodesic(crs, transform, step):
    mapped = to_map(outline(blobs(2), 90), transform)
    areas, lengths = sizes(mapped, crs)
    wanted = np.array([measured(polygon, crs, step) for polygon in mapped])
    assert areas == pytest.approx(wanted[:, 0], rel=1e-4)
    assert lengths == pytest.approx(wanted[:, 1], rel=1e-4)


def test_a_hectare():
    square = shapely.box(500_000, 5_000_000, 500_100, 5_000_100)
    areas, lengths = sizes(np.array([square], object), UTM)
    # one metre of UTM on its central meridian is 1 / 0.9996 m
    assert areas == pytest.approx([10_000 / 0.9996**2], rel=1e-6)
    assert lengths == pytest.approx([400 / 0.9996], rel=1e-6)


def test_wide_objects_in_degrees_follow_the_parallels():
    crs = pyproj.CRS.from_epsg(4326)
    wide = shapely.box(0.0, 50.0, 1.0, 50.5)
    areas, lengths = sizes(np.array([wide], object), crs)
    area, length = measured(wide, crs, 0.01)
    assert areas == pytest.approx([area], rel=1e-4)
    assert lengths == pytest.approx([length], rel=1e-4)


def test_pixels_have_no_size():
    square = np.array([shapely.box(0, 0, 1, 1)], object)
    areas, lengths = sizes(square, None)
    assert np.isnan(areas).all()
    assert np.isnan(lengths).all()


def test_a_polygon_half_around_the_globe_is_as_large_as_its_pixels():
    """Its edges run along parallels, which are no geodesics."""
    crs = pyproj.CRS.from_epsg(4326)
    wide = Grid(
        crs=crs, transform=Affine(0.5, 0, -180, 0, -0.5, 90), width=720, height=300
    )
    polygon = to_map(np.array([shapely.box(50, 30, 650, 100)], object), wide.transform)
    (area,), _ = sizes(polygon, crs)
    assert area == pytest.approx(
        600 * wide.pixel_areas.within(Window(0, 30, 1, 70)).sum(), rel=1e-4
    )


@pytest.mark.parametrize("west", [-180, 0])
def test_a_polygon_of_most_of_the_globe_has_its_own_area(west):
    """A zone of a sphere takes sin(latitude) of it; a hole, a hundredth, is taken out.

    The ellipsoid's zone differs from the sphere's by 0.2 %.
    """
    zone = shapely.box(west, -60, west + 360, 60)
    hole = shapely.box(west + 20, -3, west + 88, 3)
    with_hole = shapely.Polygon(zone.exterior, [hole.exterior])
    areas, _ = sizes(np.array([zone, with_hole], object), pyproj.CRS(4326))
    taken, _ = sizes(np.array([hole], object), pyproj.CRS(4326))
    assert areas[0] / 510_065_621_724_088 == pytest.approx(0.866, abs=0.002)
    assert areas[0] - areas[1] == pytest.approx(taken[0], rel=1e-6)


def test_a_narrow_polygon_across_180_degrees_stays_small():
    """In Mercator around the Pacific, from 60 south to 60 north: nowhere near half."""
    crs = pyproj.CRS(3832)
    to_map_ = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    (left, right), (bottom, top) = to_map_.transform([179, -179], [-60, 60])
    areas, _ = sizes(np.array([shapely.box(left, bottom, right, top)], object), crs)
    assert areas[0] / 510_065_621_724_088 == pytest.approx(0.866 / 180, rel=0.002)
