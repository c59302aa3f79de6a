"""The only reader: small real files, values known everywhere from a formula."""

import math
import shutil

import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.rpc
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from scipy import ndimage

from geosim.errors import (
    GridMismatchError,
    NoDataError,
    OptionError,
    RasterReadError,
)
from geosim.raster.grid import Window, blocks
from geosim.raster.scene import open_scene

UTM = "EPSG:32633"
LEFT, TOP, SIZE = 500_000.0, 5_000_000.0, 10.0
NORTH_UP = Affine(SIZE, 0, LEFT, 0, -SIZE, TOP)


def moved(cols, rows=0.0):
    return NORTH_UP @ Affine.translation(cols, rows)


def write(path, array, *, transform=NORTH_UP, crs=UTM, kinds=None, mask=None, **more):
    """Write (bands, height, width) as a GeoTIFF; return its name."""
    profile = {"driver": "GTiff", "crs": crs, "transform": transform, **more}
    bands, height, width = array.shape
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=array.dtype, **profile
    ) as dataset:
        if kinds:
            dataset.colorinterp = [ColorInterp[kind] for kind in kinds]
        dataset.write(array)
        if mask is not None:
            dataset.write_mask(mask)
    return str(path)


def field(x, y):
    """Smooth values, up to about 10 per pixel of 10 m steep."""
    return 1000 + 300 * np.sin((x - LEFT) / 300) + 200 * np.cos((y - TOP) / 240)


def centres(transform, width, height):
    cols, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return transform @ (cols, rows)


def painted(transform, width=80, height=60, crs=UTM, dtype="float32"):
    """The field as a raster of any place and CRS sees it."""
    x, y = centres(transform, width, height)
    if crs != UTM:
        step = pyproj.Transformer.from_crs(crs, UTM, always_xy=True)
        x, y = step.transform(x, y)
    return field(x, y)[None].astype(dtype)


def read_all(before, after, **options):
    with open_scene(before, after, **options) as scene:
        return scene.grid, scene.read(scene.grid.window), scene.readings


@pytest.fixture
def before(tmp_path):
    return write(tmp_path / "before.tif", painted(NORTH_UP))


def largest_error(grid, pair, edge=3):
    """Largest difference of date 2 from the field, `edge` px away from invalid."""
    wanted = field(*centres(grid.transform, grid.width, grid.height))
    inner = ndimage.binary_erosion(pair.valid, iterations=edge)
    assert inner.sum() > 100
    return float(np.abs(pair.after[0] - wanted)[inner].max())


# as it is


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 3, 4, 13])
def test_values_come_as_they_are(tmp_path, dtype, bands):
    rng = np.random.default_rng(1)
    top = min(np.iinfo(dtype).max, 9999) if dtype[0] in "ui" else 9999
    array = rng.integers(0, top, (bands, 9, 11)).astype(dtype)
    name = write(tmp_path / "a.tif", array, photometric="minisblack")
    with open_scene(name, name, bands="all") as scene:
        pair = scene.read(scene.grid.window)
        assert scene.before.dtype == dtype
        assert scene.before.bands == tuple(range(1, bands + 1))
    assert pair.before.dtype == np.float32
    assert pair.before.shape == (bands, 9, 11)
    assert (pair.before == array).all()
    assert (pair.after == array).all()
    assert pair.valid.all()
    assert pair.window == Window(0, 0, 11, 9)


def test_windows_beyond_the_grid_are_clipped(before):
    with open_scene(before, before) as scene:
        whole = scene.read(scene.grid.window)
        pair = scene.read(Window(-5, 50, 20, 20))
        assert pair.window == Window(0, 50, 15, 10)
        assert (pair.before == whole.before[:, 50:60, :15]).all()


def test_bands_are_chosen_on_both_dates(tmp_path):
    array = np.arange(4, dtype="uint8")[:, None, None] * np.ones((1, 5, 5), "uint8")
    one = write(tmp_path / "a.tif", array, photometric="minisblack")
    two = write(tmp_path / "b.tif", array[:3], kinds=["blue", "green", "red"])
    with open_scene(one, two) as scene:
        pair = scene.read(scene.grid.window)
        assert scene.before.bands == (1, 2, 3)
        assert scene.after.bands == (3, 2, 1)
    assert pair.before[:, 0, 0].tolist() == [0, 1, 2]
    assert pair.after[:, 0, 0].tolist() == [2, 1, 0]
    with pytest.raises(OptionError, match="before gives 4, after 3"):
        read_all(one, two, bands="all")


# what is valid


def test_zero_is_data_unless_the_file_says_otherwise(tmp_path):
    array = np.zeros((3, 4, 4), "uint8")
    free = write(tmp_path / "a.tif", array)
    _, pair, _ = read_all(free, free)
    assert pair.valid.all()
    said = write(tmp_path / "b.tif", array, nodata=0)
    _, pair, _ = read_all(free, said)
    assert not pair.valid.any()


def test_valid_is_where_both_have_data(tmp_path):
    one, two = np.ones((2, 1, 4, 6), "uint8")
    one[:, 1] = 9
    two[:, :, 2] = 7
    _, pair, _ = read_all(
        write(tmp_path / "a.tif", one, nodata=9),
        write(tmp_path / "b.tif", two, nodata=7),
    )
    wanted = np.ones((4, 6), bool)
    wanted[1] = wanted[:, 2] = False
    assert (pair.valid == wanted).all()


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_pixel_with_some_bands_at_nodata_is_valid(tmp_path, shift):
    array = np.full((3, 20, 20), 50, "uint8")
    array[0, 5, 5] = array[2, 7, 7] = 0
    array[:, 12:, :] = 0
    name = write(tmp_path / "b.tif", array, nodata=0, transform=moved(shift))
    plain = write(tmp_path / "a.tif", np.ones((3, 20, 20), "uint8"))
    _, pair, _ = read_all(plain, name)
    assert pair.valid[:12, 1:19].all()
    assert not pair.valid[12:].any()


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("nodata", [None, -9999.0, math.nan])
def test_nan_and_infinity_are_not_valid(tmp_path, shift, nodata):
    array = np.full((2, 20, 40), 5, "float32")
    array[:, 10, 5] = math.nan
    array[0, 10, 15] = math.nan
    array[1, 10, 25] = math.inf
    array[:, 10, 35] = -math.inf
    name = write(tmp_path / "b.tif", array, nodata=nodata, transform=moved(shift))
    plain = write(tmp_path / "a.tif", np.ones((2, 20, 40), "float32"))
    _, pair, _ = read_all(plain, name)
    assert not pair.valid[10, [5, 15, 25, 35]].any()
    assert pair.valid[:6, 1:].all()
    assert pair.after[:, pair.valid] == pytest.approx(5.0)
    if not shift:
        assert pair.valid.sum() == pair.valid.size - 4


def empty_left(kind, folder, dtype="uint8", shift=0.0):
    """Values 200, but nothing in the first 20 columns, said in different ways."""
    array = np.full((1, 30, 40), 200, dtype)
    array[:, :, :20] = 3
    opaque = np.full((30, 40), 255, "uint8")
    opaque[:, :20] = 0
    full = np.iinfo(dtype).max if dtype[0] in "ui" else 255
    alpha = np.where(opaque, full, 0).astype(dtype)
    path, options = folder / f"{kind}.tif", {"transform": moved(shift)}
    if kind == "nodata":
        return write(path, array, nodata=3, **options)
    if kind == "alpha":
        both = np.concatenate([array, alpha[None]])
        return write(path, both, kinds=["gray", "alpha"], **options)
    if kind == "alpha first":
        both = np.concatenate([alpha[None], array])
        return write(path, both, kinds=["alpha", "gray"], **options)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "internal mask"):
        name = write(path, array, mask=opaque, **options)
    assert path.with_suffix(".tif.msk").exists() is (kind == "external mask")
    return name


KINDS = ["nodata", "alpha", "alpha first", "internal mask", "external mask"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_each_way_to_say_nodata(tmp_path, kind, dtype, shift):
    plain = write(tmp_path / "a.tif", np.ones((1, 30, 40), dtype))
    name = empty_left(kind, tmp_path, dtype, shift)
    grid, pair, readings = read_all(plain, name)
    assert readings[1].startswith("warped") is bool(shift)
    assert grid.width == 40
    assert not pair.valid[:, :20].any()
    assert pair.valid[:, 21:].all()
    # and none of it leaks into its neighbours
    assert (pair.after[0][pair.valid] == 200).all()


@pytest.mark.parametrize("kind", ["alpha", "internal mask", "external mask"])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_nodata_value_and_alpha_or_mask_add_up(tmp_path, kind, shift):
    name = empty_left(kind, tmp_path, shift=shift)
    with rasterio.open(name, "r+") as dataset:
        array = dataset.read(1)
        array[20:] = 77
        dataset.write(array, 1)
        dataset.nodata = 77
    plain = write(tmp_path / "a.tif", np.ones((1, 30, 40), "uint8"))
    _, pair, _ = read_all(plain, name)
    assert pair.valid[:20, 21:].all()
    assert not pair.valid[:, :20].any()
    assert not pair.valid[20:].any()


@pytest.mark.parametrize("nodata", [0, -9999])
@pytest.mark.parametrize("size", [SIZE, 4 * SIZE])
def test_nodata_does_not_bleed(tmp_path, before, nodata, size):
    rng = np.random.default_rng(2)
    array = np.full((1, 60, 80), 1000, "int16")
    array[0][rng.random((60, 80)) < 0.2] = nodata
    turned = moved(3.3, 2.7) @ Affine.rotation(2)
    name = write(tmp_path / "b.tif", array, nodata=nodata, transform=turned)
    _, pair, _ = read_all(before, name, resolution=size)
    assert pair.valid.mean() > 0.1
    assert (pair.after[0][pair.valid] == 1000).all()


# onto one grid


def test_whole_offsets_are_read_without_resampling(tmp_path, before):
    after = write(
        tmp_path / "b.tif", painted(moved(7, -5), 50, 40), transform=moved(7, -5)
    )
    grid, pair, readings = read_all(before, after)
    assert (grid.width, grid.height) == (50, 35)
    assert grid.transform.almost_equals(moved(7, 0))
    assert readings == (
        "read as it is, offset 7, 0 px",
        "read as it is, offset 0, 5 px",
    )
    assert (pair.before == pair.after).all()


def test_a_fraction_of_a_pixel(tmp_path, before):
    place = moved(0.3, -0.45)
    after = write(tmp_path / "b.tif", painted(place), transform=place)
    grid, pair, readings = read_all(before, after)
    assert readings[1] == "warped to the grid (cubic resampling)"
    assert largest_error(grid, pair) < 0.3
    assert largest_error(grid, pair, edge=1) < 3


def test_warping_is_cubic_convolution(tmp_path, before):
    """GDAL's kernel (Keys 1981, a = -0.5) written out, on noise."""
    rng = np.random.default_rng(3)
    noise = rng.normal(1000, 100, (1, 60, 80)).astype("float32")
    after = write(tmp_path / "b.tif", noise, transform=moved(-0.25, 0.0))
    _, pair, _ = read_all(before, after)
    t = 0.25
    kernel = [
        -0.5 * t**3 + t**2 - 0.5 * t,
        1.5 * t**3 - 2.5 * t**2 + 1,
        -1.5 * t**3 + 2 * t**2 + 0.5 * t,
        0.5 * t**3 - 0.5 * t**2,
    ]
    windows = np.lib.stride_tricks.sliding_window_view(noise[0], 4, axis=1)
    # on the outermost rows GDAL interpolates linearly
    wanted = (windows @ kernel)[2:-2]
    assert pair.after[0, 2:-2, 1:78] == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize("flip", [False, True])
def test_another_coordinate_system(tmp_path, before, flip):
    to_degrees = pyproj.Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    west, north = to_degrees.transform(LEFT - 100, TOP + 100)
    place = Affine(1e-4, 0, west, 0, -9e-5, north)
    array = painted(place, 130, 110, "EPSG:4326")
    after = write(tmp_path / "b.tif", array, transform=place, crs="EPSG:4326")
    if not flip:
        grid, pair, _ = read_all(before, after)
        assert (grid.width, grid.height) == (80, 60)
        assert pair.valid.all()
        assert largest_error(grid, pair) < 0.5
        return
    grid, pair, _ = read_all(after, before)
    assert grid.crs == pyproj.CRS.from_epsg(4326)
    difference = np.abs(pair.after - pair.before)[0]
    inner = ndimage.binary_erosion(pair.valid, iterations=3)
    assert inner.sum() > 2000
    assert difference[inner].max() < 0.5


def test_a_rotated_date(tmp_path, before):
    # about one degree, as aerial surveys come
    place = moved(-8, -6) @ Affine.rotation(-1.1)
    after = write(tmp_path / "b.tif", painted(place, 100, 80), transform=place)
    grid, pair, _ = read_all(before, after)
    assert (grid.width, grid.height) == (80, 60)
    assert largest_error(grid, pair) < 0.3
    grid, pair, _ = read_all(after, before)
    relative = ~place @ grid.transform
    whole = Affine.translation(round(relative.c), round(relative.f))
    assert relative.almost_equals(whole, 1e-6)
    inner = ndimage.binary_erosion(pair.valid, iterations=3)
    assert np.abs(pair.after - pair.before)[0][inner].max() < 0.3


def test_a_coarser_second_date_is_interpolated(tmp_path, before):
    place = NORTH_UP @ Affine.scale(3)
    after = write(tmp_path / "b.tif", painted(place, 30, 22), transform=place)
    grid, pair, readings = read_all(before, after)
    assert "cubic" in readings[1]
    assert largest_error(grid, pair, edge=6) < 0.5


def test_a_finer_second_date_is_averaged(tmp_path, before):
    place = NORTH_UP @ Affine.scale(0.25)
    array = painted(place, 320, 240)
    rng = np.random.default_rng(4)
    array += rng.normal(0, 10, array.shape).astype("float32")
    after = write(tmp_path / "b.tif", array, transform=place)
    _, pair, readings = read_all(before, after)
    assert "average" in readings[1]
    means = array[0].reshape(60, 4, 80, 4).mean(axis=(1, 3))
    assert pair.after[0] == pytest.approx(means, abs=0.01)


def test_grid_of_the_second_date_or_a_third_raster(tmp_path, before):
    place = moved(0.5, 0.5)
    after = write(tmp_path / "b.tif", painted(place), transform=place)
    third = write(
        tmp_path / "c.tif",
        np.zeros((1, 5, 5), "uint8"),
        transform=NORTH_UP @ Affine.scale(2.5),
    )
    grid, pair, readings = read_all(before, after, reference="after")
    assert grid.transform.almost_equals(place)
    assert [text.split()[0] for text in readings] == ["warped", "read"]
    assert np.abs(pair.before - pair.after)[0, 3:-3, 3:-3].max() < 0.3
    grid, pair, _ = read_all(before, after, reference=third)
    assert grid.pixel_size == (25.0, 25.0)
    # averages over 2.5 pixels lie up to 0.1 pixels beside the middle
    assert np.abs(pair.before - pair.after)[0, 3:-3, 3:-3].max() < 2.5


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_any_window_is_a_crop_of_the_whole(tmp_path, dtype):
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 255, (2, 1, 300, 400)).astype(dtype)
    noise[1, 0, 100:140, 90:200] = 0
    one = write(tmp_path / "a.tif", noise[0], nodata=0)
    turned = moved(3.3, 2.7) @ Affine.rotation(1.3)
    two = write(tmp_path / "b.tif", noise[1], nodata=0, transform=turned)
    _, whole, _ = read_all(one, two)
    for size in (64, 150):
        with open_scene(one, two) as scene:
            for window in blocks(scene.grid, size):
                pair = scene.read(window.grown(7))
                crop = pair.window.slices_in(scene.grid.window)
                assert (pair.valid == whole.valid[crop]).all()
                assert (pair.before == whole.before[0][crop]).all()
                off = np.abs(pair.after - whole.after[0][crop])[0][pair.valid]
                # a thousandth of a pixel may round to the next level
                assert off.max() <= (1 if dtype == "uint8" else 0.3)
                assert (off > 0).mean() < 0.01


# shift


@pytest.mark.parametrize(("d_row", "d_col"), [(0.4, -0.3), (3.0, 2.0), (-1.25, 0.0)])
def test_correct_shift(tmp_path, before, d_row, d_col):
    # the content of `after` lies d_row lower and d_col to the right
    off = moved(-d_col, -d_row)
    after = write(tmp_path / "b.tif", painted(off))
    with open_scene(before, after) as scene:
        raw = scene.read(scene.grid.window)
        scene.correct_shift(d_row, d_col)
        pair = scene.read(scene.grid.window)
        assert "moved by" in scene.readings[1]
        assert largest_error(scene.grid, raw) > 1
        assert largest_error(scene.grid, pair) < 0.3
        assert pair.valid[4:-4, 4:-4].all()


def test_correct_shift_of_a_warped_date(tmp_path, before):
    place = moved(0.2, 0.3) @ Affine.rotation(1)
    lie = Affine.translation(5, -8) @ place
    after = write(tmp_path / "b.tif", painted(place), transform=lie)
    with open_scene(before, after) as scene:
        # 5 m east is half a pixel to the right, 8 m south 0.8 downwards
        scene.correct_shift(0.8, 0.5)
        pair = scene.read(scene.grid.window)
        assert largest_error(scene.grid, pair) < 0.3


def test_correct_shift_within_a_larger_second_date(tmp_path, before):
    after = write(
        tmp_path / "b.tif",
        painted(moved(-10 - 2, -10 - 3), 110, 90),
        transform=moved(-10, -10),
    )
    with open_scene(before, after) as scene:
        scene.correct_shift(3.0, 2.0)
        pair = scene.read(scene.grid.window)
        assert scene.readings[1].startswith("read as it is")
        assert pair.valid.all()
        assert np.abs(pair.after - pair.before).max() < 0.01


def picture(path, cols=0.0, rows=0.0):
    """A grey PNG of the field with its content moved right and down."""
    array = painted(moved(-cols, -rows)) / 8
    profile = {"driver": "PNG", "count": 1, "height": 60, "width": 80, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(array.round().astype("uint8"))
    return str(path)


def test_pictures_without_crs(tmp_path):
    one, two = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 3, 2)
    with open_scene(one, two) as scene:
        assert scene.grid.crs is None
        assert scene.grid.transform == Affine.scale(1, -1)
        raw = scene.read(scene.grid.window)
        assert (raw.after[0, 2:, 3:] == raw.before[0, :-2, :-3]).all()
        scene.correct_shift(2.0, 3.0)
        pair = scene.read(scene.grid.window)
    assert (pair.after[0, :-2, :-3] == pair.before[0, :-2, :-3]).all()
    assert pair.valid[:-2, :-3].all()
    assert not pair.valid[-1].any()
    assert not pair.valid[:, -1].any()


def test_pictures_moved_by_fractions(tmp_path):
    one, two = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", -0.6, 1.4)
    with open_scene(one, two) as scene:
        scene.correct_shift(1.4, -0.6)
        pair = scene.read(scene.grid.window)
    inner = np.s_[:, 4:-4, 4:-4]
    assert np.abs(pair.after - pair.before)[inner].max() <= 1


def test_pictures_of_two_sizes(tmp_path):
    one = picture(tmp_path / "a.png")
    with rasterio.open(
        tmp_path / "b.png", "w", driver="PNG", count=1, height=5, width=6, dtype="uint8"
    ) as dataset:
        dataset.write(np.zeros((1, 5, 6), "uint8"))
    with pytest.raises(GridMismatchError, match="80 x 60 px, after 6 x 5"):
        read_all(one, str(tmp_path / "b.png"))


def test_a_picture_beside_a_map(tmp_path, before):
    with pytest.raises(GridMismatchError, match="after has none"):
        read_all(before, picture(tmp_path / "b.png"))


def test_masks_of_pictures_move_with_them(tmp_path):
    one = np.full((2, 30, 30), 90, "uint8")
    one[1] = 255
    two = one.copy()
    two[1, :, :10] = 0
    names = []
    for name, array in (("a.png", one), ("b.png", two)):
        with rasterio.open(
            tmp_path / name,
            "w",
            driver="PNG",
            count=2,
            height=30,
            width=30,
            dtype="uint8",
        ) as dataset:
            dataset.write(array)
        names.append(str(tmp_path / name))
    with open_scene(*names) as scene:
        assert scene.before.bands == (1,)
        assert (
            scene.read(scene.grid.window).valid[0].tolist()
            == [False] * 10 + [True] * 20
        )
        scene.correct_shift(0.0, 4.0)
        valid = scene.read(scene.grid.window).valid[15]
    assert valid.tolist() == [False] * 6 + [True] * 20 + [False] * 4


# what is refused


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def test_missing_file(tmp_path, before):
    with pytest.raises(RasterReadError) as caught:
        read_all(before, str(tmp_path / "none.tif"))
    assert "none.tif' as a raster: no such file; check the path" in one_line(caught)
    assert isinstance(caught.value, OSError)


def test_no_raster(tmp_path, before):
    path = tmp_path / "notes.txt"
    path.write_text("not a raster")
    with pytest.raises(RasterReadError) as caught:
        read_all(before, str(path))
    assert "a GeoTIFF, JPEG or PNG is wanted" in one_line(caught)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_damaged_file_is_named_when_it_is_read(tmp_path, shift):
    rng = np.random.default_rng(6)
    noise = rng.integers(0, 255, (1, 200, 200)).astype("uint8")
    whole = write(tmp_path / "a.tif", noise)
    cut = write(
        tmp_path / "b.tif", noise, compress="deflate", transform=moved(shift, shift)
    )
    data = (tmp_path / "b.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(RasterReadError) as caught:
        read_all(whole, cut)
    assert "b.tif" in one_line(caught)


@pytest.mark.parametrize("keep", [0, 4, 100])
def test_a_file_cut_short_at_once(tmp_path, before, keep):
    data = (tmp_path / "before.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(data[:keep])
    with pytest.raises(RasterReadError) as caught:
        read_all(before, str(tmp_path / "b.tif"))
    assert "b.tif" in one_line(caught)


def test_complex_numbers(tmp_path, before):
    array = np.ones((1, 60, 80), "complex64")
    name = write(tmp_path / "b.tif", array)
    with pytest.raises(OptionError, match="convert it to amplitude"):
        read_all(before, name)


def test_palette_images(tmp_path, before):
    name = write(tmp_path / "b.tif", np.ones((1, 60, 80), "uint8"))
    with rasterio.open(name, "r+") as dataset:
        dataset.write_colormap(1, {0: (0, 0, 0), 1: (255, 0, 0)})
    with pytest.raises(OptionError, match="gdal_translate -expand rgb"):
        read_all(before, name)
    # but its pixels may say where those of the result lie
    with open_scene(before, before, reference=name) as scene:
        assert (scene.grid.width, scene.grid.height) == (80, 60)


def test_a_container_without_bands(tmp_path, before):
    path = tmp_path / "b.gpkg"
    values = np.ones((1, 20, 20), "uint8")
    for table, more in (("one", {}), ("two", {"append_subdataset": "yes"})):
        write(path, values, driver="GPKG", raster_table=table, **more)
    with pytest.raises(NoDataError, match="name one of its subdatasets"):
        read_all(before, str(path))
    grid, pair, _ = read_all(before, f"GPKG:{path}:two", bands="1")
    assert (grid.width, grid.height) == (20, 20)
    assert (pair.after == 1).all()


def test_control_points_without_geotransform(tmp_path, before):
    path = tmp_path / "b.tif"
    points = [
        GroundControlPoint(row, col, LEFT + 10 * col, TOP - 10 * row)
        for row, col in ((0, 0), (0, 80), (60, 0), (60, 80))
    ]
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=60, width=80, dtype="uint8"
    ) as dataset:
        dataset.write(np.ones((1, 60, 80), "uint8"))
        dataset.gcps = (points, rasterio.CRS.from_epsg(32633))
    with pytest.raises(GridMismatchError, match="gdalwarp"):
        read_all(before, str(path))


def test_rational_polynomials_alone_are_refused(tmp_path):
    name = write(tmp_path / "b.tif", np.ones((1, 30, 40), "uint8"))
    plain = tmp_path / "rpc.tif"
    ones, line, sample = [1.0] + [0.0] * 19, [0.0] * 20, [0.0] * 20
    line[2], sample[1] = 1.0, 1.0
    terms = {
        "line_num_coeff": line, "line_den_coeff": ones,
        "samp_num_coeff": sample, "samp_den_coeff": ones,
    }  # fmt: skip
    places = {
        f"{name}_{part}": 10.0
        for name in ("line", "samp", "lat", "long", "height")
        for part in ("off", "scale")
    }
    with rasterio.open(plain, "w", driver="GTiff", width=40, height=30, count=1,
                       dtype="uint8") as dataset:  # fmt: skip
        dataset.write(np.ones((1, 30, 40), "uint8"))
        dataset.rpcs = rasterio.rpc.RPC(**terms, **places, err_bias=1, err_rand=1)
    with pytest.raises(GridMismatchError, match="gdalwarp -rpc"):
        read_all(name, plain)


def test_no_overlap(tmp_path, before):
    far = moved(10_000)
    name = write(tmp_path / "b.tif", painted(far), transform=far)
    with pytest.raises(GridMismatchError, match="must overlap"):
        read_all(before, name)


def test_a_file_that_goes_away_after_a_scene_is_closed(tmp_path, before):
    copy = str(shutil.copy(before, tmp_path / "b.tif"))
    with open_scene(before, copy) as scene:
        pass
    with pytest.raises(RasterReadError):
        scene.read(scene.grid.window)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("shift", [0, 3.5], ids=["as it is", "warped"])
def test_a_value_that_no_band_measures_is_no_data_in_one_band(tmp_path, dtype, shift):
    values = np.random.default_rng(1).integers(1, 200, (3, 60, 80)).astype(dtype)
    first = write(tmp_path / "first.tif", values, nodata=-9999)
    holed = values.copy()
    holed[1, 20:40, 30:50] = -9999
    second = write(
        tmp_path / "second.tif",
        holed,
        nodata=-9999,
        transform=Affine(10, 0, LEFT + shift, 0, -10, TOP),
    )
    with open_scene(first, second) as scene:
        valid = scene.read(scene.grid.window).valid
    assert not valid[21:39, 31:49].any()
    assert valid[2:18, 2:78].all()
    # 0 in one band is a colour
    dark = values.copy()
    dark[1, 20:40, 30:50] = 0
    second = write(tmp_path / "second.tif", dark, nodata=0)
    with open_scene(first, second) as scene:
        assert scene.read(scene.grid.window).valid.all()


def test_a_crs_without_a_place_is_refused(tmp_path):
    path = tmp_path / "nowhere.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=40, height=30, count=1, dtype="uint8",
        crs="EPSG:32633",
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 30, 40), "uint8"))
    with pytest.raises(GridMismatchError, match="but no geotransform that says"):
        read_all(str(path), str(path))


@pytest.mark.parametrize("resolution", [1e-6, 1e-300])
def test_more_pixels_than_can_be_counted_are_refused(tmp_path, resolution):
    path = write(tmp_path / "a.tif", np.ones((1, 400, 400), "uint8"))
    with pytest.raises(OptionError, match="give a coarser one"):
        read_all(path, path, resolution=resolution)
