"""What rasters there are: methods, bands, types, nodata, plain pictures, grids."""

import numpy as np
import pytest
import rasterio
import rasterio.features
import rasterio.warp
from affine import Affine
from rasterio.enums import ColorInterp
from rasters import CHANGED, NORTH_UP, drawn_pair, on_lattice, read, write, write_pair

from geosim import ChangeOptions, MinArea, detect_change
from geosim.errors import GridMismatchError, OptionError, RasterReadError

NODATA = 255
CORNER = (slice(0, 90), slice(0, 50))
"""Rows and columns of date 2 without data in some tests."""


def compare(pair, tmp_path, method="cva", **options):
    chosen = ChangeOptions(method=method, **options)
    return detect_change(*pair, tmp_path / "result", chosen)


def assert_rectangle_found(result, offset=(0, 0), reach=12):
    """Most of the drawn change was found and nothing farther than `reach` from it."""
    change = read(result.paths["change"], 1)
    rows, cols = (
        slice(place.start - skipped, place.stop - skipped)
        for place, skipped in zip(CHANGED, offset, strict=True)
    )
    assert (change[rows, cols] == 1).mean() > 0.55
    near = np.zeros(change.shape, bool)
    near[
        max(rows.start - reach, 0) : rows.stop + reach,
        max(cols.start - reach, 0) : cols.stop + reach,
    ] = True
    assert not (change[~near] == 1).any()


# --- methods and bands


@pytest.mark.parametrize("method", ["siamese", "ssim", "cva", "irmad"])
def test_every_method_finds_the_rectangle(tmp_path, method):
    result = compare(write_pair(tmp_path, *drawn_pair()), tmp_path, method)
    assert_rectangle_found(result)
    assert result.record.method == method
    with rasterio.open(result.paths["difference"]) as file:
        levels = ("low", "mid", "high") if method == "siamese" else ()
        assert file.descriptions == ("change", *levels, "ssim")
        values = file.read(5 if levels else 2, masked=True) / 254
        assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("method", ["siamese", "ssim", "cva", "irmad"])
def test_six_bands(tmp_path, method):
    pair = write_pair(tmp_path, *drawn_pair(bands=6))
    result = compare(pair, tmp_path, method, bands="all")
    assert_rectangle_found(result)
    assert len(result.record.before.bands) == 6


def test_network_takes_three_of_six_bands_unless_told(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair(bands=6))
    result = compare(pair, tmp_path, "siamese")
    assert_rectangle_found(result)
    assert len(result.record.before.bands) == 3
    with pytest.raises(OptionError, match="three bands"):
        detect_change(*pair, tmp_path / "other", ChangeOptions(bands="1,2"))


@pytest.mark.parametrize("method", ["siamese", "cva", "irmad"])
def test_one_band(tmp_path, method):
    pair = write_pair(tmp_path, *drawn_pair(bands=1))
    assert_rectangle_found(compare(pair, tmp_path, method))


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint16", 10_000), ("int16", 9_000), ("float32", 0.4)]
)
def test_other_number_types(tmp_path, dtype, top):
    pair = write_pair(tmp_path, *drawn_pair(dtype=dtype, top=top))
    result = compare(pair, tmp_path)
    assert_rectangle_found(result)
    assert result.record.before.dtype == dtype


def test_numbers_of_two_types_are_no_haze(tmp_path):
    before, after = (date // 2 + 60 for date in drawn_pair())
    counts = after.astype("uint16") * 40
    pair = write(tmp_path / "a.tif", before), write(tmp_path / "b.tif", counts)
    result = compare(pair, tmp_path)
    assert_rectangle_found(result)
    assert not any("cloud" in note or "hazy" in note for note in result.record.notes)


def test_decibels_are_no_haze(tmp_path):
    before, after = (date / 10 - 30 for date in drawn_pair(dtype="float32"))
    result = compare(write_pair(tmp_path, before, after - 0.1), tmp_path)
    assert_rectangle_found(result)
    assert not any("cloud" in note or "hazy" in note for note in result.record.notes)


def test_a_broken_pixel_is_no_trouble(tmp_path):
    before, after = (date.astype("float32") for date in drawn_pair())
    after[:, 5, 5] = 3e38
    result = compare(write_pair(tmp_path, before, after), tmp_path)
    assert_rectangle_found(result)
    assert not any("cloud" in note or "hazy" in note for note in result.record.notes)


def test_one_band_is_not_asked_for_the_names_of_its_bands(tmp_path):
    pair = write_pair(tmp_path, *(date[:1] for date in drawn_pair()))
    notes = compare(pair, tmp_path).record.notes
    assert "What the changes are cannot be told from one band." in notes
    assert not any("--bands" in note for note in notes)


# --- plain pictures


@pytest.mark.parametrize(("suffix", "driver"), [("png", "PNG"), ("jpg", "JPEG")])
def test_plain_pictures(tmp_path, suffix, driver):
    pair = write_pair(tmp_path, *drawn_pair(), suffix, crs=None, driver=driver)
    result = compare(pair, tmp_path)
    assert_rectangle_found(result)
    assert any("areas are in pixels" in note for note in result.record.notes)
    areas = result.record.areas
    assert areas.changed_m2 is None
    assert areas.valid_px == 200 * 240
    changes = result.changes
    assert changes.crs is None
    assert changes["area_m2"].isna().all()
    assert changes["area_px"].sum() == areas.changed_px > 0
    assert changes.geometry.area.sum() == areas.changed_px
    for name in ("change", "difference", "tiles"):
        with rasterio.open(result.paths[name]) as file:
            assert file.crs is None
    with rasterio.open(result.paths["change"]) as file:
        mask = rasterio.features.geometry_mask(
            changes.geometry, file.shape, file.transform, invert=True
        )
        assert np.array_equal(mask, file.read(1) == 1)


def test_square_metres_of_plain_pictures_are_told_as_pixels(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair(), "png", crs=None, driver="PNG")
    result = compare(pair, tmp_path, min_area=MinArea(value=500, unit="m2"))
    assert any("also --min-area: 500 px" in note for note in result.record.notes)
    assert (result.changes["area_px"] > 0).all()
    page = result.paths["report"].read_text()
    assert "objects below 500 pixels were dropped" in page
    assert "500 m²" not in page


def test_plain_pictures_of_two_sizes_are_refused(tmp_path):
    before, after = drawn_pair()
    pair = write_pair(tmp_path, before, after[:, :-1], "png", crs=None, driver="PNG")
    with pytest.raises(GridMismatchError, match="must have one size"):
        compare(pair, tmp_path)


# --- nodata


def with_value(path, after, empty, **how):
    after[:, empty] = 0
    return write(path, np.where(empty, 0, np.maximum(after, 1)), nodata=0, **how)


def with_nan(path, after, empty, **how):
    values = np.where(empty, np.nan, after.astype("float32"))
    return write(path, values.astype("float32"), **how)


def with_alpha(path, after, empty, **how):
    after[:, empty] = 0
    alpha = np.where(empty, 0, 255).astype("uint8")
    write(path, np.concatenate([after, alpha[None]]), **how)
    with rasterio.open(path, "r+") as file:
        kinds = ("red", "green", "blue", "alpha")
        file.colorinterp = [ColorInterp[kind] for kind in kinds]
    return path


def with_mask(path, after, empty, **how):
    after[:, empty] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write(path, after, **how)
        with rasterio.open(path, "r+") as file:
            file.write_mask(~empty)
    return path


@pytest.mark.parametrize("placed", ["aligned", "warped"])
@pytest.mark.parametrize("kind", [with_value, with_nan, with_alpha, with_mask])
def test_nodata_is_never_change(tmp_path, kind, placed):
    before, after = drawn_pair()
    empty = np.zeros(after.shape[1:], bool)
    empty[CORNER] = True
    moved = Affine.translation(0.5, 0.25) if placed == "warped" else Affine.identity()
    pair = (
        write(tmp_path / "before.tif", before),
        kind(tmp_path / "after.tif", after, empty, transform=NORTH_UP @ moved),
    )
    result = compare(pair, tmp_path)
    assert result.record.after.warped == (placed == "warped")
    change = read(result.paths["change"], 1)
    nothing = change == NODATA
    left, _, _, top = result.record.grid.bounds
    rows, cols = round(NORTH_UP.f - top), round(left - NORTH_UP.c)
    wanted = empty[rows:, cols:][: change.shape[0], : change.shape[1]]
    if placed == "aligned":
        assert np.array_equal(nothing, wanted)
    else:
        # half a pixel either way, and what the cubic kernel spreads of NaN
        assert np.abs(nothing.sum() - wanted.sum()) < 3 * (90 + 50)
        assert not nothing[95:].any()
        assert nothing[:88, :48].all()
    for band in read(result.paths["difference"]):
        assert np.array_equal(band == NODATA, nothing)
    assert_rectangle_found(result, (rows, cols))
    # the wedge's edge is no change either: nothing within ten pixels of it
    assert not (change[:100, :60] == 1).any()
    tiles = read(result.paths["tiles"])
    assert np.isfinite(tiles).all()


def test_network_sees_no_edge_of_nodata(tmp_path):
    before, after = drawn_pair()
    empty = np.zeros(after.shape[1:], bool)
    empty[CORNER] = True
    pair = (
        write(tmp_path / "before.tif", before),
        with_value(tmp_path / "after.tif", after, empty),
    )
    result = compare(pair, tmp_path, "siamese", tile_size=50)
    change = read(result.paths["change"], 1)
    assert np.array_equal(change == NODATA, empty)
    assert not (change[:100, :60] == 1).any()
    assert_rectangle_found(result)
    similarity, *_, valid = read(result.paths["tiles"])
    assert valid[0, 0] == 0
    assert np.isnan(similarity[0, 0])
    assert np.isfinite(similarity[1:, 1:]).all()


def test_zero_is_data_where_the_file_does_not_say_otherwise(tmp_path):
    before, after = drawn_pair()
    after[:, *CORNER] = 0
    result = compare(write_pair(tmp_path, before, after), tmp_path)
    assert (read(result.paths["change"], 1)[CORNER] == 1).mean() > 0.8


def collared(tmp_path, value, dtype="uint8", top=255, **how):
    """A pair whose date 2 holds one value beyond a slanting line; where that is."""
    before, after = drawn_pair(dtype=dtype, top=top)
    rows, cols = np.indices(after.shape[1:])
    empty = cols + 0.3 * rows < 60
    after[:, empty] = value
    return write_pair(tmp_path, before, after, **how), empty


def collar_notes(result):
    return [note for note in result.record.notes if "--nodata" in note]


@pytest.mark.parametrize(
    ("value", "dtype", "top"),
    [
        (0, "uint8", 255),
        (255, "uint8", 255),
        (65535, "uint16", 4000),
        (-32768, "int16", 4000),
        (-9999, "float32", 1),
    ],
)
def test_a_collar_of_one_value_is_told_and_nodata_mends_it(tmp_path, value, dtype, top):
    pair, empty = collared(tmp_path, value, dtype, top)
    (note,) = collar_notes(compare(pair, tmp_path))
    share = round(100 * empty.mean())
    assert f"{share} % of the area" in note or f"{share - 1} % of the area" in note
    assert f"nothing but {value} in after" in note
    assert f"--nodata=:{value} " in note

    mended = compare(pair, tmp_path, nodata=f":{value}", overwrite=True)
    change = read(mended.paths["change"], 1)
    assert np.array_equal(change == NODATA, empty)
    assert collar_notes(mended) == []
    record = mended.record
    assert (record.before.nodata, record.after.nodata) == (None, value)
    assert record.after.driver == "GTiff"
    assert record.after.sha256


def test_a_collar_that_jpeg_spoilt_is_told(tmp_path):
    (first, second), empty = collared(tmp_path, 0)
    how = {"compress": "JPEG", "photometric": "YCBCR"}
    write(second, read(second), **how)
    assert 0.5 * empty.sum() < (read(second)[:, empty] == 0).all(axis=0).sum()
    (note,) = collar_notes(compare((first, second), tmp_path))
    assert "nothing but 0 in after" in note


def test_a_black_collar_is_no_sign_of_haze(tmp_path):
    before, after = (np.maximum(date, 60) for date in drawn_pair())
    after[:, :, :60] = 0
    result = compare(write_pair(tmp_path, before, after), tmp_path)
    assert len(collar_notes(result)) == 1
    assert not any("hazy" in note for note in result.record.notes)


def test_a_collar_of_a_large_raster_is_told(tmp_path):
    before, after = drawn_pair(height=1500, width=1600)
    before[:, :300, :400] = 255
    before[:, 400:700, 600:1000] = 255  # no collar: it does not reach the edge
    result = compare(write_pair(tmp_path, before, after), tmp_path)
    (note,) = collar_notes(result)
    assert "5 % of the area hold nothing but 255 in before" in note
    assert "--nodata=255: " in note


def test_a_collar_of_both_dates_is_one_note(tmp_path):
    before, after = drawn_pair()
    for date in (before, after):
        date[:, :40] = 0
    (note,) = collar_notes(compare(write_pair(tmp_path, before, after), tmp_path))
    assert "20 % of the area hold nothing but 0 in both dates" in note
    assert "--nodata=0 " in note


def test_what_is_no_collar_is_not_told(tmp_path):
    before, after = drawn_pair()
    before[:, 50:110, 50:130] = 0  # inside
    after[:, :40] = np.array([0, 0, 9], "uint8")[:, None, None]  # not one value
    after[:, -40:] = 17  # no end of the type
    assert collar_notes(compare(write_pair(tmp_path, before, after), tmp_path)) == []


@pytest.mark.parametrize("kind", [with_alpha, with_mask])
def test_nodata_counts_beside_alpha_and_masks(tmp_path, kind):
    before, after = drawn_pair()
    empty = np.zeros(after.shape[1:], bool)
    empty[CORNER] = True
    after[:, 150:, 200:] = 255
    pair = (
        write(tmp_path / "before.tif", before),
        kind(tmp_path / "after.tif", after, empty),
    )
    empty[150:, 200:] = True
    result = compare(pair, tmp_path, nodata=":255")
    assert np.array_equal(read(result.paths["change"], 1) == NODATA, empty)


def test_nodata_of_a_warped_date(tmp_path):
    pair, empty = collared(tmp_path, 0)
    before = read(pair[0])
    moved = NORTH_UP @ Affine.translation(-0.5, -0.25)
    write(pair[0], before, transform=moved)
    result = compare(pair, tmp_path, nodata=":0")
    nothing = read(result.paths["change"], 1) == NODATA
    assert result.record.after.warped
    assert abs(nothing.sum() - empty.sum()) < 3 * 200
    assert collar_notes(result) == []


def test_nodata_takes_the_place_of_what_a_file_declares(tmp_path):
    pair, empty = collared(tmp_path, 0, nodata=7)
    assert len(collar_notes(compare(pair, tmp_path))) == 1
    result = compare(pair, tmp_path, nodata=0, overwrite=True)
    assert (read(result.paths["change"], 1) == NODATA)[empty].all()


@pytest.mark.parametrize("wrong", ["x", ":", "", "0:1:2", "nan", ":inf"])
def test_nodata_that_is_no_number_is_refused(wrong):
    with pytest.raises(OptionError, match="--nodata wants a number for both dates"):
        ChangeOptions(nodata=wrong)


def test_nodata_that_a_file_cannot_hold_is_refused(tmp_path):
    pair, _ = collared(tmp_path, 0)
    with pytest.raises(OptionError, match=r"from 0 to 255 \(uint8\); found -9999"):
        compare(pair, tmp_path, nodata=-9999)


def test_nodata_as_programs_give_it():
    for given, text in ((0, "0"), (np.float32(2.5), "2.5"), ((None, 255), ":255")):
        assert ChangeOptions(nodata=given).nodata == text
    assert ChangeOptions(nodata="0:").nodata_values == (0, None)


def test_infinity_and_nan_of_date_1_are_no_data(tmp_path):
    before, after = drawn_pair(dtype="float32", top=1)
    before[1, 5:9, 5:9] = np.inf
    before[0, 20:24, 20:24] = np.nan
    result = compare(write_pair(tmp_path, before, after), tmp_path)
    nothing = read(result.paths["change"], 1) == NODATA
    assert nothing.sum() == 32
    assert nothing[5:9, 5:9].all()
    assert nothing[20:24, 20:24].all()
    assert_rectangle_found(result)


# --- grids


@pytest.fixture
def two_grids(tmp_path):
    """Date 2 is larger, begins elsewhere and lies between the pixels of date 1."""
    before, after = drawn_pair(height=240, width=260)
    later = NORTH_UP @ Affine.translation(8.4, 4.3)
    return (
        write(tmp_path / "1990.tif", before[:, :200, :220]),
        write(tmp_path / "2020.tif", after[:, 4:, 8:], transform=later),
    )


def grid_of(result):
    grid = result.record.grid
    return Affine(*grid.transform), grid.width, grid.height


def test_result_lies_on_date_1s_grid(two_grids, tmp_path):
    transform, width, height = grid_of(compare(two_grids, tmp_path))
    assert on_lattice(transform, NORTH_UP)
    # the part that both show
    assert (transform.c, transform.f) == (NORTH_UP.c + 8, NORTH_UP.f - 4)
    assert (width, height) == (212, 196)


def test_grid_after(two_grids, tmp_path):
    result = compare(two_grids, tmp_path, grid="after")
    later = NORTH_UP @ Affine.translation(8.4, 4.3)
    transform, width, height = grid_of(result)
    assert on_lattice(transform, later)
    assert (width, height) == (212, 196)
    assert result.record.before.warped
    assert not result.record.after.warped
    assert_rectangle_found(result, (4, 8))


def test_grid_of_a_third_raster(two_grids, tmp_path):
    place = Affine(2.0, 0.0, 500_020.0, 0.0, -2.0, 5_399_990.0)
    third = write(
        tmp_path / "third.tif", np.zeros((1, 70, 80), "uint8"), transform=place
    )
    result = compare(two_grids, tmp_path, grid=str(third))
    transform, width, height = grid_of(result)
    assert on_lattice(transform, place)
    assert (width, height) == (106, 98)
    assert result.record.before.warped
    assert result.record.after.warped
    changes = result.changes
    assert changes.geometry.union_all().centroid.coords[0] == pytest.approx(
        (500_100, 5_399_915), abs=6
    )


def test_resolution(two_grids, tmp_path):
    result = compare(two_grids, tmp_path, resolution=2.5)
    transform, width, height = grid_of(result)
    assert (transform.a, transform.e) == (2.5, -2.5)
    assert on_lattice(transform, NORTH_UP @ Affine.scale(2.5))
    assert abs(width - 212 / 2.5) <= 1
    assert abs(height - 196 / 2.5) <= 1


def test_bounds(two_grids, tmp_path):
    bounds = (500_030.0, 5_399_860.0, 500_150.0, 5_399_960.0)
    result = compare(two_grids, tmp_path, bounds=bounds)
    assert result.record.grid.bounds == bounds
    assert grid_of(result)[1:] == (120, 100)
    assert_rectangle_found(result, (40, 30))


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_another_crs(tmp_path):
    before, after = drawn_pair()
    pair = [write(tmp_path / "before.tif", before)]
    # date 2 in degrees, drawn with GDAL's own warper
    source = write(tmp_path / "source.tif", after)
    with rasterio.open(source) as file:
        shape = rasterio.warp.calculate_default_transform(
            file.crs, "EPSG:4326", file.width, file.height, *file.bounds
        )
        values = np.zeros((3, shape[2], shape[1]), "uint8")
        rasterio.warp.reproject(
            file.read(),
            values,
            src_crs=file.crs,
            src_transform=file.transform,
            dst_crs="EPSG:4326",
            dst_transform=shape[0],
            resampling=rasterio.warp.Resampling.cubic,
        )
    pair.append(
        write(
            tmp_path / "after.tif",
            values,
            crs="EPSG:4326",
            transform=shape[0],
            nodata=0,
        )
    )
    result = compare(pair, tmp_path)
    transform, width, height = grid_of(result)
    assert on_lattice(transform, NORTH_UP)
    assert (width, height) == (240, 200)
    rows, cols = (round(NORTH_UP.f - transform.f), round(transform.c - NORTH_UP.c))
    assert_rectangle_found(result, (rows, cols))
    assert result.record.after.placement.startswith("warped to the grid")


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (("red", "green", "blue", "nir"), None),
        (("red", "green", "blue", "nir"), "all"),
        (("", "", "", ""), "red=1,green=2,blue=3,nir=4"),
        (("", "", "", ""), "naip"),
        (("", "", "", ""), "sentinel-2"),
    ],
)
def test_an_infrared_band_that_is_marked_as_alpha(tmp_path, names, bands):
    """As rasterio and GDAL write four bands; dark water is no gap."""
    results = []
    for kind in (ColorInterp.alpha, ColorInterp.undefined):
        folder = tmp_path / kind.name
        folder.mkdir()
        before, after = drawn_pair(bands=4)
        before[3, 20:60, 20:60] = after[3, 20:60, 20:60] = 0
        paths = write_pair(folder, before, after)
        for path in paths:
            with rasterio.open(path, "r+") as file:
                file.descriptions = names
                file.colorinterp = (*file.colorinterp[:3], kind)
            with rasterio.open(path) as file:
                assert file.colorinterp[3] is kind
        options = ChangeOptions(method="cva", bands=bands)
        results.append(detect_change(*paths, folder / "out", options))
    assert results[0].record.areas == results[1].record.areas
    assert results[0].record.areas.valid_px == before[0].size
    assert results[0].record.before.bands == results[1].record.before.bands


def test_a_sensor_of_three_bands_and_transparency(tmp_path):
    before, after = drawn_pair()
    empty = np.zeros(before.shape[1:], bool)
    empty[20:60, 20:60] = True
    paths = tmp_path / "1990.tif", tmp_path / "2020.tif"
    for path, values in zip(paths, (before, after), strict=True):
        with_alpha(path, values, empty)
    options = ChangeOptions(method="cva", bands="naip")
    record = detect_change(*paths, tmp_path / "out", options).record
    assert len(record.before.bands) == 3
    assert record.areas.valid_px == empty.size - empty.sum()


@pytest.mark.parametrize("part", [0.1, 0.6, 0.99])
def test_a_png_that_was_cut_short(tmp_path, part):
    """GDAL gives zeros, or anything, for the rows that are missing."""
    paths = write_pair(tmp_path, *drawn_pair(), suffix="png", crs=None, driver="PNG")
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole + b"added by a camera" * 100)
    detect_change(*paths, tmp_path / "out", ChangeOptions(method="cva"))
    paths[1].write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(RasterReadError, match="is the file complete"):
        detect_change(*paths, tmp_path / "cut", ChangeOptions(method="cva"))
    assert not (tmp_path / "cut").exists()
