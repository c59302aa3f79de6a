"""Masks per date: rasters and polygons take pixels out of the answer."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasters import NORTH_UP, UTM, drawn_pair, write, write_pair
from shapely import box

from geosim import ChangeOptions, detect_change, read_pair_list
from geosim.errors import (
    GridMismatchError,
    NoDataError,
    OptionError,
    RasterReadError,
)
from geosim.raster.grid import Window
from geosim.raster.mask_files import MaskFiles
from geosim.raster.scene import open_scene


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), *drawn_pair())


def valid(pair, **masks):
    """Validity of the whole grid, (200, 240)."""
    files = {name: str(value) for name, value in masks.items()}
    with open_scene(*map(str, pair), masks=MaskFiles(**files)) as scene:
        return scene.read(scene.grid.window).valid


def test_a_raster_takes_out_what_is_not_zero(pair, tmp_path):
    codes = np.zeros((1, 200, 240), np.uint8)
    codes[0, 10:20, 30:50], codes[0, 100, 100] = 1, 7
    path = write(tmp_path / "mask.tif", codes)
    for date in ("before", "after"):
        assert np.array_equal(valid(pair, **{date: path}), codes[0] == 0)


@pytest.mark.parametrize(("bands", "drawn"), [(2, "MINISBLACK"), (4, "RGB")])
def test_a_drawn_mask_with_an_alpha_band(pair, tmp_path, bands, drawn):
    values = np.zeros((bands, 200, 240), np.uint8)
    values[:-1, 10:30, 40:80] = 255
    values[-1, :, 60:] = 255  # what is not drawn is not masked
    path = write(tmp_path / "mask.tif", values, photometric=drawn, alpha="YES")
    found = valid(pair, before=path)
    assert (~found).sum() == 20 * 20
    assert not found[10:30, 60:80].any()


def test_both_dates_masks_add_up(pair, tmp_path):
    first, second = np.zeros((2, 1, 200, 240), np.uint8)
    first[0, :50], second[0, :, :60] = 1, 1
    paths = [write(tmp_path / f"{n}.tif", m) for n, m in enumerate((first, second))]
    found = valid(pair, before=paths[0], after=paths[1])
    assert found.sum() == 150 * 180
    assert found[50:, 60:].all()


def test_what_a_mask_does_not_cover_stays(pair, tmp_path):
    codes = np.ones((1, 20, 20), np.uint8)
    path = write(tmp_path / "small.tif", codes)
    found = valid(pair, before=path)
    assert (~found).sum() == 400
    assert not found[:20, :20].any()


def test_a_coarser_mask_is_read_by_the_nearest_pixel(pair, tmp_path):
    codes = np.zeros((1, 20, 24), np.uint8)
    codes[0, 2, 3] = 1
    path = write(tmp_path / "m.tif", codes, transform=NORTH_UP @ Affine.scale(10))
    expected = np.ones((200, 240), bool)
    expected[20:30, 30:40] = False
    assert np.array_equal(valid(pair, after=path), expected)


def test_a_mask_in_another_crs_lands_where_it_belongs(pair, tmp_path):
    codes = np.zeros((1, 200, 240), np.uint8)
    codes[0, 60:110, 70:130] = 1
    path = write(tmp_path / "utm.tif", codes)
    other = tmp_path / "degrees.tif"
    with rasterio.open(path) as source:
        with rasterio.vrt.WarpedVRT(source, crs="EPSG:4326") as warped:
            profile = warped.profile | {"driver": "GTiff"}
            values = warped.read()
        with rasterio.open(other, "w", **profile) as file:
            file.write(values)
    found = valid(pair, before=other)
    assert (found != (codes[0] == 0)).mean() < 0.01


@pytest.mark.parametrize(
    ("code", "masked"),
    [
        (1, True),  # fill
        (21824, False),  # clear
        (21952, False),  # water
        (30048, False),  # snow
        (22280, True),  # cloud
        (23888, True),  # cloud shadow
        (21826, True),  # dilated cloud
        (54596, True),  # cirrus
    ],
)
@pytest.mark.parametrize("how", ["name", "description", "kind"])
def test_landsats_quality_band(pair, tmp_path, code, masked, how):
    codes = np.full((1, 200, 240), 21824, np.uint16)
    codes[0, 5, 6] = code
    name = "LC08_QA_PIXEL.tif" if how == "name" else "quality.tif"
    path = write(tmp_path / name, codes)
    if how == "description":
        with rasterio.open(path, "r+") as file:
            file.descriptions = ("QA_PIXEL",)
    found = valid(pair, before=path, kind="qa_pixel" if how == "kind" else "auto")
    assert found[5, 6] != masked
    assert (~found).sum() == masked


def test_sentinels_scene_classes(pair, tmp_path):
    codes = np.full((1, 200, 240), 4, np.uint8)
    codes[0, 0, :12] = np.arange(12)
    found = valid(pair, after=write(tmp_path / "T33_SCL_20m.tif", codes))
    assert np.flatnonzero(~found[0]).tolist() == [0, 1, 3, 8, 9, 10]
    assert found[1:].all()
    # the same numbers read as a plain mask take out all but 0
    plain = valid(pair, after=tmp_path / "T33_SCL_20m.tif", kind="binary")
    assert plain.sum() == 1


def test_where_scene_classes_end_nothing_is_known(pair, tmp_path):
    codes = np.full((1, 50, 240), 4, np.uint8)
    found = valid(pair, after=write(tmp_path / "scl.tif", codes))
    assert found[:50].all()
    assert not found[50:].any()


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "shp"])
def test_polygons(pair, tmp_path, suffix):
    left, top = NORTH_UP.c, NORTH_UP.f
    shapes = [
        box(left + 30, top - 20, left + 50, top - 10),
        box(left + 200, top - 500, left + 500, top - 190),
    ]
    path = tmp_path / f"clouds.{suffix}"
    frame = gpd.GeoDataFrame({"n": [1, 2]}, geometry=shapes, crs=UTM)
    frame = frame.to_crs(4326) if suffix == "geojson" else frame
    frame.to_file(path)
    expected = np.ones((200, 240), bool)
    expected[10:20, 30:50] = False
    expected[190:, 200:] = False
    found = valid(pair, after=path)
    # a rectangle's edges bend a little in degrees
    assert (found != expected).sum() <= (4 if suffix == "geojson" else 0)


def test_polygons_in_two_layers(pair, tmp_path):
    path = tmp_path / "clouds.gpkg"
    for name in ("thick", "thin"):
        frame = gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs=UTM)
        frame.to_file(path, layer=name)
    with pytest.raises(OptionError, match=r"one layer.*holds thick, thin"):
        valid(pair, after=path)


def test_a_window_is_masked_as_the_whole(pair, tmp_path):
    path = tmp_path / "m.gpkg"
    shape = box(NORTH_UP.c + 33.3, NORTH_UP.f - 90.7, NORTH_UP.c + 99, NORTH_UP.f - 20)
    gpd.GeoDataFrame(geometry=[shape.buffer(7)], crs=UTM).to_file(path)
    whole = valid(pair, before=path)
    with open_scene(*map(str, pair), masks=MaskFiles(before=str(path))) as scene:
        part = scene.read(Window(40, 10, 90, 70)).valid
    assert np.array_equal(part, whole[10:80, 40:130])


def test_a_masked_run(pair, tmp_path):
    codes = np.zeros((1, 200, 240), np.uint8)
    codes[0, :80] = 1
    mask = write(tmp_path / "mask.tif", codes)
    plain, masked = (
        detect_change(
            *pair,
            tmp_path / name,
            ChangeOptions(method="cva", mask_after=path),
        )
        for name, path in (("plain", None), ("masked", str(mask)))
    )
    with rasterio.open(masked.paths["change"]) as file:
        change = file.read(1)
    assert (change[:80] == 255).all()
    assert (change[80:] != 255).all()
    assert masked.record.areas.valid_px == 120 * 240
    assert plain.record.areas.valid_px == 200 * 240
    bottom = masked.changes.total_bounds[3]
    assert bottom <= NORTH_UP.f - 80
    said = "The mask of after takes out 40.0 % of the area."
    assert said in masked.record.notes
    assert not any("mask of" in note for note in plain.record.notes)


@pytest.mark.parametrize(
    ("name", "kind", "error", "said"),
    [
        ("missing.tif", "auto", RasterReadError, "no such file"),
        ("missing.geojson", "auto", RasterReadError, "cannot read the mask"),
        ("nocrs.tif", "auto", GridMismatchError, "has no coordinate reference system"),
        ("clouds.gpkg", "scl", OptionError, "--mask-kind scl is for rasters"),
    ],
)
def test_masks_that_cannot_be_used(pair, tmp_path, name, kind, error, said):
    if name == "nocrs.tif":
        write(tmp_path / name, np.zeros((1, 200, 240), np.uint8), crs=None)
    with pytest.raises(error, match=said):
        valid(pair, before=tmp_path / name, kind=kind)


def test_a_mask_of_everything_is_named(pair, tmp_path):
    mask = write(tmp_path / "all.tif", np.ones((1, 200, 240), np.uint8))
    options = ChangeOptions(method="cva", mask_before=str(mask))
    with pytest.raises(NoDataError, match=r"all\.tif hold 0 where nothing"):
        detect_change(*pair, tmp_path / "result", options)


def test_a_wrong_kind_is_refused():
    with pytest.raises(OptionError, match="--mask-kind wants one of auto, binary"):
        ChangeOptions(mask_kind="fmask")


def test_masks_of_plain_pictures(tmp_path):
    pictures = write_pair(tmp_path, *drawn_pair(), suffix="png", crs=None, driver="PNG")
    codes = np.zeros((1, 200, 240), np.uint8)
    codes[0, :30] = 255
    path = write(tmp_path / "mask.png", codes, crs=None, driver="PNG")
    assert np.array_equal(valid(pictures, before=path), codes[0] == 0)


def test_masks_in_a_list_of_pairs(tmp_path):
    listed = tmp_path / "pairs.csv"
    listed.write_text(
        "before,after,mask_before,mask_after\na.tif,b.tif,clouds.gpkg,\n"
        "c.tif,d.tif,,/vsicurl/https://x.org/m.tif\n"
    )
    first, second = read_pair_list(listed)
    assert first.mask_before == str(tmp_path / "clouds.gpkg")
    assert first.mask_after is None
    assert second.mask_after == "/vsicurl/https://x.org/m.tif"
