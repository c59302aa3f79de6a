"""What one raster covers of another's pixels, where an outline does not tell it."""

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from geosim.errors import GridMismatchError
from geosim.raster.date import size_ratio
from geosim.raster.extent import extent_on
from geosim.raster.grid import Grid
from geosim.raster.overlap import common_grid
from geosim.raster.scene import open_scene


def grid(crs, left, top, step, width, height=None):
    """A north-up grid."""
    return Grid(
        crs=CRS(crs),
        transform=Affine(step, 0, left, 0, -step, top),
        width=width,
        height=height or width,
    )


GLOBE = grid(4326, -180, 90, 0.5, 720, 360)
GLOBE_FROM_0 = grid(4326, 0, 90, 0.5, 720, 360)
CAP = grid(4326, -180, 90, 0.5, 720, 60)
POLAR = grid(3413, -2e6, 2e6, 20e3, 200)
SOUTH_POLAR = grid(3031, -2e6, 2e6, 20e3, 200)
EUROPE = grid(3035, 4e6, 3.5e6, 2500, 200)
MOLLWEIDE = grid("ESRI:54009", -18_041_000, 9_021_000, 100_000, 361, 181)
FIJI_OF_ITS_OWN = grid(
    "+proj=longlat +ellps=intl +towgs84=59.47,-5.04,187.44,0.47,-0.1,1.024,-4.6",
    175,
    -10,
    0.05,
    200,
)
FIJI = grid(4326, 175, -10, 0.05, 200)
UTM_33 = grid(32633, 5e5, 5e6, 1000, 150)
UTM_60 = grid(32760, 7.8e5, 8e6, 1000, 100)
WEB = grid(3857, 1e6, 6e6, 2500, 200)


def pixels_within(reference, other):
    """(rows, cols) of the reference's pixels whose centres lie in another raster."""
    col, row = np.meshgrid(np.arange(reference.width), np.arange(reference.height))
    x, y = reference.transform @ (col + 0.5, row + 0.5)
    step = pyproj.Transformer.from_crs(reference.crs, other.crs, always_xy=True)
    x, y = (np.asarray(each) for each in step.transform(x, y))
    x, y = (np.where(np.isfinite(each), each, 1e9) for each in (x, y))
    inside = np.zeros(x.shape, bool)
    for turn in (-360, 0, 360) if other.crs.is_geographic else (0,):
        there_col, there_row = ~other.transform @ (x + turn, y)
        inside |= (
            (there_col >= 0)
            & (there_col <= other.width)
            & (there_row >= 0)
            & (there_row <= other.height)
        )
    return np.nonzero(inside)


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        (UTM_33, GLOBE),
        (UTM_33, GLOBE_FROM_0),
        (UTM_60, GLOBE),
        (UTM_60, GLOBE_FROM_0),
        (EUROPE, GLOBE),
        (EUROPE, GLOBE_FROM_0),
        (WEB, GLOBE),
        (POLAR, GLOBE),
        (POLAR, CAP),
        (GLOBE, POLAR),
        (GLOBE, SOUTH_POLAR),
        (GLOBE_FROM_0, POLAR),
        (CAP, POLAR),
        (GLOBE, UTM_33),
        (GLOBE_FROM_0, UTM_60),
        (FIJI, UTM_60),
        (FIJI, GLOBE),
        (FIJI, grid(4326, -180, -10, 0.05, 50)),  # its east
        (grid(4326, -180, -16, 0.05, 100), UTM_60),  # one side of it alone
        (grid(4807, 10, 60, 0.05, 200), UTM_33),
    ],
)
def test_no_pixel_that_both_hold_is_lost(reference, other):
    rows, cols = pixels_within(reference, other)
    assert len(rows)
    found = extent_on(reference, other)
    room = max(reference.width, reference.height) / 128 + 1
    for low, high, held, size in (
        (found[0], found[2], cols, reference.width),
        (found[1], found[3], rows, reference.height),
    ):
        first, end = np.clip([low, high], 0, size)
        assert held.min() + 1 - room <= first <= held.min() + 0.5
        assert held.max() + 0.5 <= end <= held.max() + room


def test_two_halves_at_both_ends_of_a_globe_are_refused():
    for there in (UTM_60, FIJI):
        with pytest.raises(GridMismatchError, match="with '--grid FILE'"):
            common_grid(GLOBE, there)
        assert common_grid(GLOBE, there, reference=there) == there


def test_degrees_more_than_a_turn_from_greenwich_are_refused():
    """GDAL finds a part of them only."""
    far = grid(4326, 180, 60, 1, 360)
    for pair in ((far, FIJI), (FIJI, far)):
        with pytest.raises(
            GridMismatchError, match="found 180 to 540; count them anew"
        ):
            common_grid(*pair)


def test_degrees_that_are_counted_two_ways():
    before_0, from_0 = grid(4326, -359, 10, 0.5, 60), grid(4326, 340, 10, 0.5, 60)
    assert extent_on(before_0, from_0) == (-42, 0, 18, 60)
    assert extent_on(from_0, before_0) == (42, 0, 102, 60)


def test_nothing_in_common_is_an_empty_extent():
    assert extent_on(CAP, SOUTH_POLAR) == (0, 0, 0, 0)
    with pytest.raises(GridMismatchError, match="must overlap"):
        common_grid(CAP, SOUTH_POLAR)


def save(path, where):
    """A raster whose values tell the place: by waves over the sphere."""
    col, row = np.meshgrid(np.arange(where.width), np.arange(where.height))
    to_degrees = pyproj.Transformer.from_crs(where.crs, 4326, always_xy=True)
    place = where.transform @ (col + 0.5, row + 0.5)
    lon, lat = np.radians(to_degrees.transform(*place))
    lon, lat = (np.where(np.isfinite(one), one, np.nan) for one in (lon, lat))
    north = np.sin(lat)
    east, ahead = np.cos(lat) * np.sin(lon), np.cos(lat) * np.cos(lon)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=3,
        height=where.height,
        width=where.width,
        dtype="float32",
        crs=where.crs,
        transform=where.transform,
    ) as dataset:
        dataset.write(np.stack([north, east, ahead]).astype(np.float32))
    return str(path)


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        (EUROPE, GLOBE, 1.0),
        (UTM_60, GLOBE, 1.0),
        (UTM_60, GLOBE_FROM_0, 1.0),
        (UTM_33, GLOBE_FROM_0, 1.0),
        (POLAR, CAP, 1.0),
        (GLOBE, POLAR, 0.6),
        (GLOBE_FROM_0, SOUTH_POLAR, 0.6),
        (GLOBE, GLOBE_FROM_0, 1.0),
        (GLOBE_FROM_0, GLOBE, 1.0),
        (FIJI, GLOBE, 1.0),
        (FIJI, grid(4326, -185, -10, 0.05, 200), 1.0),
        (FIJI, grid(4269, -190, -10, 0.07, 200), 1.0),
        (grid(4326, -75, -8, 0.05, 100), grid(4326, 285, -8, 0.05, 100), 1.0),
        (FIJI_OF_ITS_OWN, grid(4326, 176, -11, 0.05, 150), 1.0),
        (UTM_60, FIJI_OF_ITS_OWN, 0.7),
    ],
)
def test_what_both_hold_is_read(tmp_path, before, after, least):
    paths = save(tmp_path / "before.tif", before), save(tmp_path / "after.tif", after)
    with open_scene(*paths) as scene:
        pair = scene.read(scene.grid.window)
    assert pair.valid.mean() >= least
    assert np.abs(pair.before - pair.after)[:, pair.valid].max() < 0.01


@pytest.mark.parametrize("side", [200, 201])
def test_a_pole_in_the_middle_does_not_tell_how_coarse_a_grid_is(side):
    polar = grid(6931, -5000 * side, 5000 * side, 10_000, side)
    across, down = size_ratio(
        GLOBE, polar
    )  # pixels of half a degree: 56 km of latitude
    assert 0.1 < across < 1.9  # 180 at the pole itself
    assert 0.1 < down < 1.9


def test_how_coarse_a_grid_is_where_nothing_is_known():
    far = grid("+proj=ortho +lat_0=0 +lon_0=0", 2e7, 2e7, 1e5, 40)
    assert np.isnan(size_ratio(GLOBE, far)).all()


def test_a_map_of_the_globe_that_ends_within_the_grid_is_read_whole(tmp_path):
    pacific = grid(4326, 100, 40, 1.0, 190, 80)
    paths = save(tmp_path / "a.tif", pacific), save(tmp_path / "b.tif", MOLLWEIDE)
    with open_scene(*paths) as scene:
        pair = scene.read(scene.grid.window)
    assert pair.valid.mean() > 0.98
    difference = np.abs(pair.before - pair.after)[:, pair.valid]
    assert np.percentile(difference, 98) < 0.01  # but where its two edges meet
