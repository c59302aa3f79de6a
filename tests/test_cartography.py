"""Scale bar, north, graticule: answers worked by hand, PROJ and GDAL as oracles."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from publish_records import TRANSFORM, make_grid
from pyproj import CRS, Geod, Transformer

from geosim.publish.cartography import (
    corners,
    ground_size,
    length_label,
    map_shape,
    north_angle,
    round_below,
    scale_bar,
)
from geosim.publish.graticule import graticule

GEOD = Geod(ellps="WGS84")


def rotated(degrees, size=10.0, east=500_000.0, north=5_000_000.0):
    """A transform whose rows are turned clockwise from east by so many degrees."""
    turn = math.radians(degrees)
    across = size * math.cos(turn), -size * math.sin(turn)
    down = -size * math.sin(turn), -size * math.cos(turn)
    return across[0], down[0], east, across[1], down[1], north


def geographic(west, north, step, width=1000, height=1000):
    return make_grid(
        wkt=CRS(4326).to_wkt(),
        crs="EPSG:4326",
        transform=(step, 0, west, 0, -step, north),
        width=width,
        height=height,
    )


def place(grid, x, y):
    """Longitude and latitude of shares of width and height, by pyproj."""
    a, b, c, d, e, f = grid.transform
    col, row = x * grid.width, y * grid.height
    to_degrees = Transformer.from_crs(CRS(grid.wkt), 4326, always_xy=True)
    return to_degrees.transform(a * col + b * row + c, d * col + e * row + f)


def test_utm_on_the_central_meridian():
    # 300 x 200 px of 10 m; UTM's scale there is 0.9996
    width, height = ground_size(make_grid())
    assert width == pytest.approx(3000 / 0.9996, rel=1e-6)
    assert height == pytest.approx(2000 / 0.9996, rel=1e-6)
    bar = scale_bar(make_grid())
    assert (bar.metres, bar.label) == (500, "500\u00a0m")
    assert bar.share == pytest.approx(500 / (3000 / 0.9996), rel=1e-6)
    assert north_angle(make_grid()) == pytest.approx(0, abs=0.02)


def test_degrees_at_sixty_north_are_half_as_wide_as_high():
    # 1 x 1 degree around 60 N: cos 60 = 1/2, a little more on the ellipsoid
    grid = geographic(20, 60.5, 0.001)
    width, height = ground_size(grid)
    assert width == pytest.approx(GEOD.line_length([20, 21], [60, 60]), rel=1e-4)
    assert height == pytest.approx(GEOD.line_length([20, 20], [59.5, 60.5]), rel=1e-6)
    shape = map_shape(grid)
    assert shape[0] / shape[1] == pytest.approx(width / height, rel=1e-9)
    assert 0.49 < shape[0] / shape[1] < 0.51
    bar = scale_bar(grid)
    assert bar.metres == 10_000
    ends = place(grid, 0.5 - bar.share / 2, 0.5), place(grid, 0.5 + bar.share / 2, 0.5)
    _, _, length = GEOD.inv(*ends[0], *ends[1])
    assert length == pytest.approx(10_000, rel=1e-4)
    assert north_angle(grid) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [0, 30, 90, -45, 180, 135])
def test_north_of_a_rotated_grid(degrees):
    # rows turned clockwise by so many degrees: north turns the other way
    grid = make_grid(transform=rotated(degrees))
    wanted = (-degrees + 180) % 360 - 180
    found = north_angle(grid)
    assert (found - wanted + 180) % 360 - 180 == pytest.approx(0, abs=0.03)
    assert ground_size(grid)[0] == pytest.approx(3000 / 0.9996, rel=1e-5)


def test_a_picture_that_is_upside_down():
    grid = make_grid(transform=(10, 0, 500_000, 0, 10, 4_998_000))
    assert abs(north_angle(grid)) == pytest.approx(180, abs=0.03)


def test_north_is_not_up_beside_the_central_meridian():
    # 3 degrees west at 45 N the convergence is about -3 sin(45)
    grid = make_grid(transform=(10, 0, 263_000, 0, -10, 5_000_000))
    assert north_angle(grid) == pytest.approx(3 * math.sin(math.radians(45)), abs=0.1)


@given(
    st.floats(-180, 180),
    st.floats(0.3, 500),
    st.floats(200_000, 800_000),
    st.floats(1_000_000, 8_000_000),
)
def test_north_points_north_and_the_bar_is_as_long_as_it_says(turn, size, east, north):
    grid = make_grid(transform=rotated(turn, size, east, north))
    angle, bar = math.radians(north_angle(grid)), scale_bar(grid)
    width, height = map_shape(grid)
    reach = 0.02 * min(width, height)
    tip = 0.5 + reach * math.sin(angle) / width, 0.5 - reach * math.cos(angle) / height
    azimuth, _, _ = GEOD.inv(*place(grid, 0.5, 0.5), *place(grid, *tip))
    assert (azimuth + 180) % 360 - 180 == pytest.approx(0, abs=0.1)
    ends = place(grid, 0.5 - bar.share / 2, 0.5), place(grid, 0.5 + bar.share / 2, 0.5)
    _, _, length = GEOD.inv(*ends[0], *ends[1])
    assert length == pytest.approx(bar.metres, rel=2e-3)
    assert bar.share <= 0.28
    assert bar.share > 0.28 / 2.5 - 1e-9


@pytest.mark.parametrize(
    ("value", "metres"),
    [
        (1, 1),
        (0.99, 0.5),
        (19.9, 10),
        (20, 20),
        (4999, 2000),
        (5000, 5000),
        (0.03, 0.02),
    ],
)
def test_round_lengths(value, metres):
    assert round_below(value) == pytest.approx(metres)


def test_lengths_in_words():
    words = [length_label(metres) for metres in (20_000, 1000, 500, 1, 0.2)]
    assert words == [
        f"{t}"
        for t in ("20\u00a0km", "1\u00a0km", "500\u00a0m", "1\u00a0m", "20\u00a0cm")
    ]


def test_the_graticule_lies_where_proj_says():
    for grid in (
        make_grid(),
        make_grid(transform=rotated(30)),
        geographic(-74.7, -8.2, 0.0008),
    ):
        lines = graticule(grid)
        assert {line.kind for line in lines} == {"meridian", "parallel"}
        for line in lines:
            lon, lat = place(grid, *np.array(line.points).T)
            along = lon if line.kind == "meridian" else lat
            assert np.ptp(along) < 2e-5
            assert f"{abs(along[0]):.4f}".startswith(line.label.split("°")[0][:5])
            x, y = line.at
            assert min(x, y, 1 - x, 1 - y) == pytest.approx(0, abs=1e-6)


def test_a_graticule_has_round_steps_and_few_lines():
    # 15.000 to 15.038 E, 45.1355 to 45.1535 N
    labels = [line.label for line in graticule(make_grid())]
    assert labels == [
        "15.01°\u202fE",
        "15.02°\u202fE",
        "15.03°\u202fE",
        "45.140°\u202fN",
        "45.145°\u202fN",
        "45.150°\u202fN",
    ]


def test_a_graticule_across_the_antimeridian():
    grid = geographic(179, 10, 0.01, width=200, height=100)
    labels = [line.label for line in graticule(grid) if line.kind == "meridian"]
    assert labels == ["179.5°\u202fE", "180.0°", "179.5°\u202fW"]
    assert [round(lon, 6) for lon, _ in corners(grid)] == [179, -179, -179, 179]


def test_corners_go_around_from_the_top_left():
    assert corners(geographic(20, 60, 0.001)) == [
        (20, 60),
        (21, 60),
        (21, 59),
        (20, 59),
    ]


def test_without_a_crs_there_is_no_map():
    grid = make_grid(wkt=None, crs=None, resolution_m=None)
    assert ground_size(grid) is scale_bar(grid) is north_angle(grid) is corners(grid)
    assert graticule(grid) == ()
    assert map_shape(grid) == (300, 200)


def test_no_graticule_around_a_pole():
    grid = make_grid(
        wkt=CRS(3413).to_wkt(),
        crs="EPSG:3413",
        transform=(10_000, 0, -1e6, 0, -10_000, 1e6),
        width=200,
        height=200,
    )
    assert graticule(grid) == ()
    assert scale_bar(grid).metres == 500_000


@given(st.integers(1, 60), st.floats(-60, 60), st.floats(1e-5, 0.05))
def test_geographic_maps_have_the_grounds_proportions(zone, north, step):
    grid = geographic(6 * zone - 183, north, step, width=120, height=80)
    assume(abs(north - 80 * step) < 80)
    width, height = ground_size(grid)
    shape = map_shape(grid)
    assert shape[0] / shape[1] == pytest.approx(width / height, rel=2e-3)


def test_square_pixels_stay_square():
    assert TRANSFORM[0] == -TRANSFORM[4]
    assert map_shape(make_grid()) == (300, 200)
