"""Windows, grids and blocks: arithmetic against brute force and other formulas."""

import dataclasses
import math

import numpy as np
import pyproj
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from geosim.errors import GridMismatchError
from geosim.raster.extent import extent_on
from geosim.raster.grid import (
    Grid,
    Window,
    blocks,
    pixel_offset,
    same_crs,
    sample_windows,
    strips,
)
from geosim.raster.overlap import common_grid

UTM = pyproj.CRS.from_epsg(32633)
WGS84 = pyproj.CRS.from_epsg(4326)

offsets = st.integers(-50, 50)
sides = st.integers(1, 40)
windows = st.builds(Window, offsets, offsets, sides, sides)


def utm_grid(width=100, height=80, left=500_000.0, top=5_000_000.0, size=10.0):
    transform = Affine(size, 0, left, 0, -size, top)
    return Grid(crs=UTM, transform=transform, width=width, height=height)


def same_pixels(one, other):
    return same_crs(one.crs, other.crs) and pixel_offset(one, other) is not None


def degree_grid(west, north, size, width=20, height=10):
    transform = Affine(size, 0, west, 0, -size, north)
    return Grid(crs=WGS84, transform=transform, width=width, height=height)


def plain_grid(width=30, height=20):
    transform = Affine.scale(1.0, -1.0)
    return Grid(crs=None, transform=transform, width=width, height=height)


def pixels(window):
    return {
        (row, col)
        for row in range(window.row_off, window.row_end)
        for col in range(window.col_off, window.col_end)
    }


# windows


@given(windows, st.integers(0, 20), st.sampled_from([1, 2, 16]))
def test_grown_is_the_smallest_aligned_window_with_the_margin(window, margin, align):
    grown = window.grown(margin, align)
    for low, high, start, end in (
        (window.col_off, window.col_end, grown.col_off, grown.col_end),
        (window.row_off, window.row_end, grown.row_off, grown.row_end),
    ):
        assert start % align == 0
        assert end % align == 0
        assert low - margin - align < start <= low - margin
        assert high + margin <= end < high + margin + align


@given(windows, sides, sides)
def test_clipped_holds_the_pixels_on_the_grid(window, width, height):
    on_grid = pixels(window) & pixels(Window(0, 0, width, height))
    clipped = window.clipped(width, height)
    assert pixels(clipped) == on_grid
    assert clipped.width >= 0
    assert clipped.height >= 0


@given(windows, st.integers(0, 5), st.integers(1, 16))
def test_slices_find_a_window_in_what_surrounds_it(window, margin, align):
    outer = window.grown(margin, align)
    rows, cols = np.mgrid[outer.row_off : outer.row_end, outer.col_off : outer.col_end]
    inner = window.slices_in(outer)
    found = set(zip(rows[inner].ravel(), cols[inner].ravel(), strict=True))
    assert found == pixels(window)


# cutting


@given(sides, sides, st.integers(1, 50))
def test_blocks_and_strips_cover_each_pixel_once(width, height, size):
    grid = plain_grid(width, height)
    for cut in (blocks(grid, size), strips(grid, size)):
        seen = np.zeros((height, width), int)
        for window in cut:
            assert window.clipped(width, height) == window
            seen[window.slices_in(grid.window)] += 1
        assert (seen == 1).all()


def test_blocks_come_row_by_row():
    assert list(blocks(plain_grid(5, 3), 2)) == [
        Window(0, 0, 2, 2),
        Window(2, 0, 2, 2),
        Window(4, 0, 1, 2),
        Window(0, 2, 2, 1),
        Window(2, 2, 2, 1),
        Window(4, 2, 1, 1),
    ]


@settings(max_examples=200)
@given(
    st.integers(1, 3000), st.integers(1, 3000), st.integers(8, 256), st.integers(1, 30)
)
def test_sample_windows_are_inside_apart_and_repeatable(width, height, size, count):
    grid = plain_grid(width, height)
    chosen = sample_windows(grid, size, count)
    assert chosen
    assert chosen == sample_windows(grid, size, count)
    seen = np.zeros((height, width), np.uint8)
    for window in chosen:
        assert window.clipped(width, height) == window
        assert window.width > 0
        assert window.height > 0
        seen[window.slices_in(grid.window)] += 1
    assert seen.max() == 1
    if width * height <= size * size * count:
        assert seen.all()
    else:
        assert len(chosen) <= count
        assert {(w.width, w.height) for w in chosen} == {
            (min(size, width), min(size, height))
        }
    assert chosen == sorted(chosen, key=lambda w: (w.row_off, w.col_off))


def test_sample_windows_reach_all_corners():
    chosen = sample_windows(plain_grid(4000, 3000), 256, 24)
    assert len(chosen) == 24
    assert chosen[0] == Window(0, 0, 256, 256)
    assert chosen[-1] == Window(4000 - 256, 3000 - 256, 256, 256)


# where pixels lie


def test_same_crs_ignores_axis_order_and_spelling():
    assert same_crs(None, None)
    assert not same_crs(UTM, None)
    assert not same_crs(None, UTM)
    assert not same_crs(UTM, pyproj.CRS.from_epsg(32634))
    assert same_crs(UTM, pyproj.CRS.from_wkt(UTM.to_wkt()))
    assert same_crs(WGS84, pyproj.CRS.from_user_input("OGC:CRS84"))


def test_bounds_and_pixel_size():
    grid = utm_grid(size=2.5)
    assert grid.bounds == (500_000.0, 4_999_800.0, 500_250.0, 5_000_000.0)
    assert grid.pixel_size == (2.5, 2.5)


def test_pixel_size_of_a_rotated_grid():
    turned = Affine.translation(7, 8) @ Affine.rotation(30) @ Affine.scale(2, -3)
    grid = Grid(crs=UTM, transform=turned, width=4, height=4)
    assert grid.pixel_size == pytest.approx((2.0, 3.0))


def test_cut_and_coarser():
    grid = utm_grid(width=25, height=11)
    part = grid.cut(Window(3, 2, 5, 4))
    assert part.transform @ (0, 0) == (500_030.0, 4_999_980.0)
    assert (part.width, part.height) == (5, 4)
    coarse = grid.coarser(10)
    assert (coarse.width, coarse.height) == (3, 2)
    assert coarse.pixel_size == (100.0, 100.0)
    assert coarse.transform @ (0, 0) == (500_000.0, 5_000_000.0)


@given(st.integers(-99, 99), st.integers(-99, 99), st.floats(-180, 180))
def test_whole_offsets_are_found_on_any_rotation(col, row, degrees):
    turned = Affine.translation(5e5, 5e6) @ Affine.rotation(degrees)
    reference = Grid(crs=UTM, transform=turned, width=60, height=40)
    other = reference.cut(Window(col, row, 20, 30))
    assert pixel_offset(reference, other) == (col, row)
    assert same_pixels(reference, other)


@pytest.mark.parametrize(
    "other",
    [
        Affine.translation(0.5, 0),
        Affine.translation(0, 3.01),
        Affine.scale(2.0),
        Affine.scale(1.0001),
        Affine.rotation(0.01),
        Affine.scale(1.0, -1.0),
    ],
)
def test_other_pixels_have_no_offset(other):
    grid = utm_grid()
    moved = Grid(crs=UTM, transform=grid.transform @ other, width=100, height=80)
    assert pixel_offset(grid, moved) is None
    assert not same_pixels(grid, moved)


def test_rounding_noise_is_no_offset():
    grid = utm_grid()
    noise = grid.transform @ Affine.translation(4 + 2e-4, -2 - 2e-4)
    moved = Grid(crs=UTM, transform=noise, width=100, height=80)
    assert pixel_offset(grid, moved) == (4, -2)


def test_one_place_in_two_zones_is_not_the_same_pixels():
    grid = utm_grid()
    other = Grid(
        crs=pyproj.CRS.from_epsg(32634), transform=grid.transform, width=9, height=9
    )
    assert not same_pixels(grid, other)


# the grid of both dates


@given(
    st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 90), st.integers(1, 90)
)
def test_common_grid_of_shifted_dates_is_their_intersection(col, row, width, height):
    before = utm_grid()
    after = before.cut(Window(col, row, width, height))
    both = pixels(before.window) & pixels(Window(col, row, width, height))
    if not both:
        with pytest.raises(GridMismatchError, match="must overlap"):
            common_grid(before, after)
        return
    grid = common_grid(before, after)
    at = pixel_offset(before, grid)
    assert at is not None
    assert pixels(Window(*at, grid.width, grid.height)) == both


def test_reference_decides_whose_pixels():
    before = utm_grid()
    after = utm_grid(left=500_004.0, width=90)
    third = utm_grid(left=0.0, top=0.0, size=25.0)
    assert same_pixels(common_grid(before, after), before)
    assert same_pixels(common_grid(before, after, reference=after), after)
    assert same_pixels(common_grid(before, after, reference=third), third)


def test_a_pixel_belongs_where_its_centre_does():
    before = utm_grid(width=10, height=10)
    # 4 m to the right: the first centre lies outside of `after`'s extent by no more
    # than half a pixel, so all columns stay
    grid = common_grid(before, utm_grid(width=10, height=10, left=500_004.0))
    assert (grid.width, grid.height) == (10, 10)
    grid = common_grid(before, utm_grid(width=10, height=10, left=500_006.0))
    assert pixel_offset(before, grid) == (1, 0)
    assert (grid.width, grid.height) == (9, 10)


def test_common_grid_across_coordinate_systems():
    before = utm_grid()
    to_degrees = pyproj.Transformer.from_crs(UTM, WGS84, always_xy=True)
    corners = [before.transform @ at for at in ((20, 10), (60, 10), (60, 50), (20, 50))]
    lon, lat = to_degrees.transform(*np.array(corners).T)
    size = 1e-5
    after = degree_grid(
        lon.min(),
        lat.max(),
        size,
        width=round(np.ptp(lon) / size),
        height=round(np.ptp(lat) / size),
    )
    grid = common_grid(before, after)
    assert same_pixels(grid, before)
    col, row = pixel_offset(before, grid)
    assert abs(col - 20) <= 1
    assert abs(row - 10) <= 1
    assert abs(grid.width - 40) <= 2
    assert abs(grid.height - 40) <= 2


def test_extent_on_bends_with_the_projection():
    # on a wide UTM grid the middle of an edge of parallels lies lower than its ends
    grid = utm_grid()
    wide = degree_grid(10.0, 46.0, 0.5, width=20, height=4)
    _, row_min, _, row_max = extent_on(grid, wide)
    step = pyproj.Transformer.from_crs(WGS84, UTM, always_xy=True)
    lon = np.linspace(10.0, 20.0, 2001)
    _, y_top = step.transform(lon, np.full_like(lon, 46.0))
    _, y_bottom = step.transform(lon, np.full_like(lon, 44.0))
    assert row_min == pytest.approx((5_000_000.0 - y_top.max()) / 10, abs=1)
    assert row_max == pytest.approx((5_000_000.0 - y_bottom.min()) / 10, abs=1)


def test_rotated_dates_share_the_references_pixels():
    # about one degree, as aerial surveys come
    turned = (
        Affine.translation(500_100, 4_999_900)
        @ Affine.rotation(1.0)
        @ Affine.scale(10, -10)
    )
    after = Grid(crs=UTM, transform=turned, width=60, height=40)
    grid = common_grid(utm_grid(), after)
    assert same_pixels(grid, utm_grid())
    left, bottom, right, top = after.bounds
    assert np.abs(np.subtract(grid.bounds, (left, bottom, right, top))).max() <= 5.001
    other_way = common_grid(after, utm_grid())
    assert pixel_offset(after, other_way) == (0, 0)
    assert (other_way.width, other_way.height) == (60, 40)


def test_resolution_keeps_place_and_extent():
    grid = common_grid(utm_grid(), utm_grid(), resolution=25.0)
    assert grid.pixel_size == (25.0, 25.0)
    assert grid.transform @ (0, 0) == (500_000.0, 5_000_000.0)
    assert (grid.width, grid.height) == (40, 32)


def test_bounds_cut():
    bounds = (500_100.0, 4_999_500.0, 500_300.0, 4_999_900.0)
    grid = common_grid(utm_grid(), utm_grid(), bounds=bounds)
    assert grid.bounds == bounds
    assert (grid.width, grid.height) == (20, 40)


def test_bounds_elsewhere_are_refused():
    with pytest.raises(GridMismatchError, match="within the bounds"):
        common_grid(utm_grid(), utm_grid(), bounds=(0.0, 0.0, 1.0, 1.0))


def test_no_overlap_names_both_extents():
    with pytest.raises(GridMismatchError) as caught:
        common_grid(utm_grid(), utm_grid(left=600_000.0))
    text = str(caught.value)
    assert "500000" in text
    assert "600000" in text
    assert "EPSG:32633" in text


def test_longitudes_that_are_counted_in_two_ways_are_one_place():
    grid = common_grid(degree_grid(285.4, -8.0, 0.01), degree_grid(-74.6, -8.0, 0.01))
    assert grid == degree_grid(285.4, -8.0, 0.01)
    with pytest.raises(GridMismatchError, match="the same place"):
        common_grid(degree_grid(285.4, -8.0, 0.01), degree_grid(-74.6, 8.0, 0.01))


@pytest.mark.parametrize(
    "wanted", [{"resolution": 2.0}, {"bounds": (0.0, -5.0, 5.0, 0.0)}]
)
def test_plain_images_have_no_units_to_cut_by(wanted):
    plain = Grid(crs=None, transform=Affine.scale(1, -1), width=9, height=9)
    with pytest.raises(GridMismatchError, match=f"--{next(iter(wanted))} wants images"):
        common_grid(plain, plain, **wanted)


def test_an_overlap_smaller_than_a_pixel_is_told_as_that():
    with pytest.raises(GridMismatchError, match="smaller --resolution") as caught:
        common_grid(utm_grid(), utm_grid(), resolution=1e6)
    assert "a pixel 1e+06 x 1e+06" in str(caught.value)


MARS = """GEOGCS["Mars",DATUM["D_Mars",SPHEROID["Mars_IAU_IAG",3396190.0,169.894]],
PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]]"""


@pytest.mark.parametrize("wkt", ['LOCAL_CS["site",UNIT["metre",1]]', MARS])
def test_a_coordinate_system_apart_from_the_earth_is_refused(wkt):
    grid = dataclasses.replace(utm_grid(), crs=pyproj.CRS.from_wkt(wkt))
    with pytest.raises(GridMismatchError, match=r"WGS 84.*found '(site|Mars)'"):
        grid.ground_resolution()
    with pytest.raises(GridMismatchError, match="wanted"):
        common_grid(grid, utm_grid())


def test_a_grid_without_crs_is_told_from_the_images():
    with pytest.raises(GridMismatchError, match="--grid wants a raster with"):
        common_grid(utm_grid(), utm_grid(), reference=plain_grid())


def test_where_the_projection_is_not_defined():
    polar = pyproj.CRS.from_proj4("+proj=ortho +lat_0=90 +lon_0=0 +datum=WGS84")
    one = Grid(crs=polar, transform=Affine.scale(10, -10), width=9, height=9)
    south = degree_grid(10.0, -60.0, 0.1)
    with pytest.raises(GridMismatchError, match="must overlap"):
        common_grid(one, south)


@pytest.mark.parametrize("swap", [False, True])
def test_one_side_without_crs_is_refused(swap):
    pair = [utm_grid(), plain_grid()]
    if swap:
        pair.reverse()
    with pytest.raises(GridMismatchError, match="a_srs") as caught:
        common_grid(*pair)
    assert ("after has none" in str(caught.value)) is not swap


def test_plain_images():
    assert common_grid(plain_grid(), plain_grid()) == plain_grid()
    with pytest.raises(GridMismatchError, match="30 x 20 px, after 31 x 20"):
        common_grid(plain_grid(), plain_grid(31, 20))
    with pytest.raises(GridMismatchError, match="leave --grid out"):
        common_grid(plain_grid(), plain_grid(), reference=utm_grid())


@pytest.mark.parametrize("swap", [False, True])
def test_plain_images_that_lie_elsewhere_are_refused(swap):
    there = Affine(0.5, 0.0, 100.0, 0.0, -0.5, 200.0)
    placed = dataclasses.replace(plain_grid(), transform=there)
    assert common_grid(placed, placed) == placed
    pair = [placed, plain_grid()]
    if swap:
        pair.reverse()
    with pytest.raises(GridMismatchError, match="unsetgt") as caught:
        common_grid(*pair)
    which = "after" if swap else "before covers"
    assert f"{which} (100, 190, 115, 200)" in str(caught.value)


# sizes on the ground


def row_areas(grid):
    """Of the middle column."""
    return grid.pixel_areas.at(np.arange(grid.height), np.array([grid.width // 2]))[
        :, 0
    ]


def zone_area(north, south, width):
    """Area between two parallels, in closed form (Snyder 1987, eq. 3-12)."""
    a, f = 6_378_137.0, 1 / 298.257223563
    e = math.sqrt(f * (2 - f))

    def q(latitude):
        s = math.sin(math.radians(latitude))
        return s / (1 - (e * s) ** 2) + math.atanh(e * s) / e

    return math.radians(width) * (a**2 * (1 - e**2)) / 2 * (q(north) - q(south))


def test_areas_of_degree_pixels():
    grid = degree_grid(5.0, 60.05, 0.01)
    wanted = [zone_area(60.05 - 0.01 * r, 60.04 - 0.01 * r, 0.01) for r in range(10)]
    assert row_areas(grid) == pytest.approx(wanted, rel=1e-6)
    equator = row_areas(degree_grid(5.0, 0.05, 0.01))[5]
    assert row_areas(grid)[5] / equator == pytest.approx(0.5, abs=0.006)


def test_areas_of_rows_that_reach_beyond_the_poles():
    """A grid of whole degrees, as those of climate models: half of its outer rows."""
    grid = Grid(
        crs=WGS84, transform=Affine(1, 0, -180.5, 0, -1, 90.5), width=360, height=181
    )
    areas = row_areas(grid)
    assert areas[[0, -1]] == pytest.approx([zone_area(90, 89.5, 1)] * 2, rel=1e-4)
    assert areas[1] == pytest.approx(zone_area(89.5, 88.5, 1), rel=1e-4)
    assert 360 * areas.sum() == pytest.approx(5.1006562e14, rel=1e-4)  # of the Earth


def test_areas_where_the_middle_column_leaves_the_earth():
    """The corners of a sinusoidal map show nothing."""
    sinusoidal = pyproj.CRS.from_proj4("+proj=sinu +R=6371007.181")
    grid = Grid(
        crs=sinusoidal,
        transform=Affine(1e5, 0, 9e6, 0, -1e5, 1e7),
        width=80,
        height=100,
    )
    areas = row_areas(grid)
    assert np.isfinite(areas).all()
    assert areas[-1] == pytest.approx(1e10, rel=0.02)


def test_areas_of_many_rows_are_interpolated():
    grid = degree_grid(5.0, 60.0, 0.002, height=5001)
    areas = row_areas(grid)
    assert areas.shape == (5001,)
    for row in (0, 1, 1234, 3999, 5000):
        wanted = zone_area(60.0 - 0.002 * row, 60.0 - 0.002 * (row + 1), 0.002)
        assert areas[row] == pytest.approx(wanted, rel=1e-6)


def test_areas_of_projected_pixels():
    grid = utm_grid(size=1.0, left=499_950.0)
    lon, lat = pyproj.Transformer.from_crs(UTM, WGS84, always_xy=True).transform(
        500_000.0, 4_999_960.0
    )
    scale = pyproj.Proj(UTM).get_factors(lon, lat).areal_scale
    assert row_areas(grid) == pytest.approx(np.full(80, 1 / scale), rel=1e-6)
    assert row_areas(grid)[0] == pytest.approx(1.0, abs=0.001)
    assert grid.ground_resolution() == pytest.approx(1.0, abs=0.001)


def test_web_mercator_metres_are_not_metres():
    mercator = pyproj.CRS.from_epsg(3857)
    x, y = pyproj.Transformer.from_crs(WGS84, mercator, always_xy=True).transform(
        10.0, 60.0
    )
    grid = Grid(crs=mercator, transform=Affine(10, 0, x, 0, -10, y), width=4, height=4)
    assert grid.ground_resolution() == pytest.approx(5.0, abs=0.03)


def test_areas_do_not_depend_on_rotation():
    turned = (
        Affine.translation(500_000, 5e6) @ Affine.rotation(30) @ Affine.scale(2, -3)
    )
    grid = Grid(crs=UTM, transform=turned, width=5, height=7)
    assert row_areas(grid) == pytest.approx(np.full(7, 6.0), rel=0.001)


def test_plain_pixels_have_no_size():
    assert (row_areas(plain_grid()) == 1.0).all()
    assert plain_grid().ground_resolution() is None
