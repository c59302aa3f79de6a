"""Rasters in degrees that go beyond 180, beside projected ones: as anywhere else."""

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import CRS

from geosim.raster.extent import extent_on
from geosim.raster.grid import Grid
from geosim.raster.longitudes import counted_on, middle_beyond
from geosim.raster.mask_files import MaskFiles
from geosim.raster.scene import open_scene

SIDE, METRES = 120, 10.0
LATITUDE = -17.0


def degrees(left, width, *, step=1.0, top=10.0, height=20, crs=4326):
    """A grid in degrees."""
    place = Affine(step, 0, left, 0, -step, top)
    return Grid(crs=CRS(crs), transform=place, width=width, height=height)


@pytest.mark.parametrize(
    ("left", "width", "middle"),
    [
        (170, 10, None),
        (175, 10, 180.0),
        (-185, 10, -180.0),
        (-180, 360, None),
        (-180.5, 360, None),  # its outer pixels are centred on the edge
        (0, 360, 180.0),
        (0, 400, None),
    ],
)
def test_which_grids_go_beyond(left, width, middle):
    assert middle_beyond(degrees(left, width)) == middle


def test_grads_and_metres_do_not():
    assert middle_beyond(degrees(175, 10, crs=4807)) is None
    assert middle_beyond(degrees(175, 10, crs=32601)) is None


@pytest.mark.parametrize(
    ("left", "width", "lon", "found"),
    [
        (170, 10, [179.0, -179.0, 179.0], [179.0, -179.0, 179.0]),
        (175, 10, [179.0, -179.0, -178.0, 178.0], [179.0, 181.0, 182.0, 178.0]),
        (-185, 10, [179.0, -179.0, 179.0], [-181.0, -179.0, -181.0]),
        (0, 360, [-60.0, -50.0, -60.0], [300.0, 310.0, 300.0]),
        (0, 360, [-5.0, 5.0, -5.0], [355.0, 5.0, 355.0]),  # on both of its sides
    ],
)
def test_longitudes_as_a_grid_counts_them(left, width, lon, found):
    grid = degrees(left, width)
    assert counted_on(grid, np.array(lon)).tolist() == pytest.approx(found)


def test_around_a_pole_all_longitudes_count():
    around = np.arange(-180.0, 180.0, 10.0)
    found = counted_on(degrees(0, 360), around)
    assert found.min() == 0.0
    assert found.max() == 350.0


def test_the_globe_in_another_datum_keeps_its_extent():
    globe, other = degrees(-180, 360, top=80), degrees(-180, 360, top=80, crs=4269)
    assert extent_on(globe, other) == pytest.approx((0, 0, 360, 20), abs=1e-3)
    globe, other = degrees(0, 360, top=80), degrees(0, 360, top=80, crs=4269)
    assert extent_on(globe, other) == pytest.approx((0, 0, 360, 20), abs=1e-3)


def local(middle):
    """A projection around a longitude."""
    return CRS(f"+proj=laea +lat_0={LATITUDE} +lon_0={middle} +datum=WGS84")


def save(path, values, crs, transform):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(values),
        height=SIDE,
        width=SIDE,
        dtype=values.dtype,
        crs=crs,
        transform=transform,
    ) as dataset:
        dataset.write(values)
    return str(path)


def pair_around(folder, middle, turns=0):
    """The same two pictures around any longitude: projected, and in degrees."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    before, after = rng.integers(1, 255, (2, 3, SIDE // 8, SIDE // 8), np.uint8)
    before, after = (one.repeat(8, 1).repeat(8, 2) for one in (before, after))
    half = SIDE / 2
    place = Affine(METRES, 0, -half * METRES, 0, -METRES, half * METRES)
    wide, high = METRES / 106_000, METRES / 110_700
    left = middle + 360 * turns - half * wide
    turned = Affine(wide, 0, left, 0, -high, LATITUDE + half * high)
    projected = save(folder / "metres.tif", before, local(middle), place)
    return projected, save(folder / "degrees.tif", after, CRS(4326), turned)


def mask_of(folder, degrees_path):
    """The north of the raster in degrees is masked."""
    with rasterio.open(degrees_path) as dataset:
        crs, transform = dataset.crs, dataset.transform
    values = np.zeros((1, SIDE, SIDE), np.uint8)
    values[:, : SIDE // 4] = 1
    return save(folder / "mask.tif", values, crs, transform)


@pytest.mark.parametrize(("middle", "turns"), [(180, 0), (180, -1), (-60, 1)])
@pytest.mark.parametrize("projected_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_pairs_are_read_as_elsewhere(tmp_path, middle, turns, projected_first, masked):
    found = []
    for name, where, turned in (("there", middle, turns), ("here", 30, 0)):
        paths = pair_around(tmp_path / name, where, turned)
        mask = mask_of(tmp_path / name, paths[1]) if masked else None
        first, second = paths if projected_first else paths[::-1]
        with open_scene(first, second, masks=MaskFiles(before=mask)) as scene:
            found.append(scene.read(scene.grid.window))
            readings = scene.readings
        assert "cubic" in readings[1]  # not the means of a grid that seems far coarser
    there, here = found
    assert there.before.shape == here.before.shape
    assert there.before[0].size > 0.9 * SIDE**2
    assert (there.valid == here.valid).mean() > 0.99
    assert here.valid.mean() == pytest.approx(0.75 if masked else 1.0, abs=0.02)
    valid = there.valid & here.valid
    for one, other in ((there.before, here.before), (there.after, here.after)):
        difference = np.abs(one - other)[:, valid]
        assert (difference > 2).mean() < 0.01  # of 255


@pytest.mark.parametrize("turn", [0, 360])
@pytest.mark.parametrize("polygons", [None, 4326, 4269])
def test_masks_mean_one_place_however_degrees_are_counted(tmp_path, turn, polygons):
    paths = [str(tmp_path / name) for name in ("before.tif", "after.tif")]
    values = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), np.uint8)
    place = Affine(0.05, 0, 177, 0, -0.05, -15)  # to 183
    for path in paths:
        save(path, values, CRS(4326), place)
    left, side = -179 + turn, 2.0
    if polygons:
        mask = str(tmp_path / "mask.gpkg")
        square = shapely.box(left, -18 - side, left + side, -18)
        geopandas.GeoDataFrame(geometry=[square], crs=polygons).to_file(mask)
    else:
        mask = str(tmp_path / "mask.tif")
        there = Affine(side / SIDE, 0, left, 0, -side / SIDE, -18)
        save(mask, np.ones((1, SIDE, SIDE), np.uint8), CRS(4326), there)
    with open_scene(*paths, masks=MaskFiles(before=mask)) as scene:
        masked = scene.masked(scene.grid.window)[0]
    expected = np.zeros((SIDE, SIDE), bool)
    expected[60:100, 80:] = True  # from 18 to 20 degrees south, 181 to 183 east
    assert np.array_equal(masked, expected)


def test_the_oracle_finds_the_same_place():
    """What the tests above place in degrees lies where PROJ puts it."""
    to_metres = pyproj.Transformer.from_crs(4326, local(180), always_xy=True)
    x, y = to_metres.transform([181.0, -179.0], [LATITUDE, LATITUDE])
    assert x[0] == pytest.approx(x[1])
    assert y[0] == pytest.approx(y[1])
