"""Any picture becomes (3, height, width) float32 in 0..1; nothing else does."""

import io
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import rasterio
from pictures import (
    as_uint8,
    avif_of_noughts,
    orientation_and_resolution,
    png_that_claims,
    resolution_as_text,
    textured,
    tiff_of_16_bits,
)
from PIL import Image, ImageCms

from geosim.errors import PictureReadError
from geosim.images import decoding
from geosim.images.decoding import FORMATS
from geosim.images.orientation import orientation_of_tiff
from geosim.images.picture import Limits
from geosim.images.pixels import as_bytes, resized
from geosim.images.reading import find_pictures, read_picture

RGB = as_uint8(textured(1, 40, 60))


AVIF = pytest.param(
    "AVIF",
    marks=pytest.mark.skipif("AVIF" not in FORMATS, reason="wants Pillow 11.3"),
)


def encoded(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "form", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG", AVIF]
)
def test_formats(form, tmp_path):
    path = tmp_path / "picture"  # the content counts, not the name
    options = {"lossless": True} if form == "WEBP" else {}
    path.write_bytes(encoded(Image.fromarray(RGB), form, **options))
    found = read_picture(path)
    assert found.pixels.dtype == np.float32
    assert found.size == found.original_size == (60, 40)
    tolerance = {"JPEG": 0.1, "GIF": 0.15, "AVIF": 0.1}.get(form, 0)
    wanted = np.moveaxis(RGB, -1, 0) / np.float32(255)
    assert np.abs(found.pixels - wanted).mean() <= tolerance / 2
    assert tolerance or np.array_equal(found.pixels, wanted)


STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is stored with an orientation."""


def test_every_exif_orientation_comes_out_upright():
    corners = np.zeros((4, 6, 3), np.uint8)
    corners[0, 0] = (255, 0, 0)  # top left
    corners[0, -1] = (0, 255, 0)  # top right
    upright = Image.fromarray(corners)
    for orientation, way in STORED.items():
        image = upright.transpose(way) if way is not None else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        found = read_picture(encoded(image, "PNG", exif=exif))
        assert found.size == found.original_size == (6, 4), orientation
        assert np.array_equal(as_bytes(found.pixels), corners), orientation
        assert bool(found.notes) == (orientation > 1)


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_16_bits_comes_out_upright(orientation):
    corners = np.zeros((4, 6, 3), np.uint8)
    corners[0, 0], corners[0, -1] = (255, 0, 0), (0, 255, 0)
    stored = Image.fromarray(corners)
    if STORED[orientation] is not None:
        stored = stored.transpose(STORED[orientation])
    file = tiff_of_16_bits(np.asarray(stored, np.uint16) * 257, orientation)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that it lies nowhere on the ground
        found = read_picture(file)
    assert found.size == found.original_size == (6, 4)
    assert np.array_equal(as_bytes(found.pixels), corners)
    assert ("turned by its EXIF orientation" in found.notes) == (orientation > 1)
    assert "more than 8 bits" in found.notes


def test_orientation_of_a_bigtiff():
    head = b"II" + struct.pack("<3HQ", 43, 8, 0, 16)
    tags = struct.pack("<Q2HQQ", 2, 256, 4, 1, 6)
    tags += struct.pack("<2HQH6x", 274, 3, 1, 8)
    assert orientation_of_tiff(head + tags) == 8
    assert orientation_of_tiff(head + tags[:40]) == 1  # cut short


def test_orientation_of_a_tiff_with_the_first_byte_first():
    head = b"MM" + struct.pack(">HL", 42, 8)
    tags = struct.pack(">H2HLHH", 1, 274, 3, 1, 6, 0) + bytes(4)
    assert orientation_of_tiff(head + tags) == 6
    assert orientation_of_tiff(head) == 1  # cut short
    assert orientation_of_tiff(head + tags.replace(b"\0\6", b"\0\x09")) == 1


def test_pixels_are_read_whatever_else_the_exif_says():
    large = Image.fromarray(as_uint8(textured(1, 66, 65)))
    file = encoded(large, "JPEG", exif=orientation_and_resolution(6))
    odd = resolution_as_text(file)
    found, wanted = read_picture(odd), read_picture(file)
    assert np.array_equal(found.pixels, wanted.pixels)
    assert found.size == found.original_size == (66, 65)
    assert found.notes == ("turned by its EXIF orientation",)
    assert read_picture(odd, at_most=33).original_size == (66, 65)  # half: a square


def test_pixels_are_read_where_the_exif_cannot_be(monkeypatch):
    def torn(_):
        raise struct.error("unpack requires a buffer of 2 bytes")

    monkeypatch.setattr(Image.Image, "getexif", torn)
    found = read_picture(encoded(Image.fromarray(RGB), "PNG"))
    assert np.array_equal(as_bytes(found.pixels), RGB)
    assert found.notes == ("EXIF not usable",)


def test_grey_palette_and_bilevel():
    grey = Image.fromarray(RGB[..., 0])
    found = read_picture(encoded(grey, "PNG")).pixels
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(as_bytes(found)[..., 1], RGB[..., 0])
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    found = as_bytes(read_picture(encoded(palette, "PNG")).pixels)
    assert found.tolist() == [[[10, 20, 30], [200, 100, 50]]]
    bilevel = Image.new("1", (2, 1))
    bilevel.putpixel((1, 0), 1)
    assert read_picture(encoded(bilevel, "PNG")).pixels[:, 0].tolist() == [[0, 1]] * 3


def test_a_fourth_band_of_jpeg_2000_is_transparency_where_the_file_says_so():
    layer = np.full((32, 48, 4), 60, np.uint8)
    layer[:, 24:] = (200, 100, 50, 0)  # near infrared, or transparent
    file = encoded(Image.fromarray(layer, "RGBA"), "JPEG2000")
    found = read_picture(file)
    assert as_bytes(found.pixels)[5, 40].tolist() == [255] * 3
    assert found.notes == ("transparent parts shown as white",)
    assert file.count(b"cdef") == 1
    found = read_picture(file.replace(b"cdef", b"free"))
    assert as_bytes(found.pixels)[5, 40].tolist() == [200, 100, 50]
    assert as_bytes(found.pixels)[5, 5].tolist() == [60] * 3
    assert found.notes == ("1 further band left out",)
    codestream = file[file.index(b"\xff\x4f\xff\x51") :]  # cannot say what a band is
    assert np.array_equal(read_picture(codestream).pixels, found.pixels)


def test_transparency_is_white_paper():
    layer = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    layer.putpixel((1, 0), (200, 0, 0, 255))
    layer.putpixel((2, 0), (0, 0, 0, 51))  # a fifth of black
    found = read_picture(encoded(layer, "PNG"))
    assert as_bytes(found.pixels)[0].tolist() == [[255] * 3, [200, 0, 0], [204] * 3]
    assert found.notes == ("transparent parts shown as white",)
    array = np.array(layer)
    assert np.allclose(read_picture(array).pixels, found.pixels, atol=1 / 255)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG", AVIF])
def test_further_pages_are_told(form):
    pages = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    whole = encoded(pages[0], form, save_all=True, append_images=pages[1:])
    found = read_picture(whole)
    assert found.notes == ("its first page or frame only",)
    assert (found.pixels[0] > 0.95).all()
    assert (found.pixels[2] < 0.05).all()
    assert read_picture(encoded(pages[0], form)).notes == ()


def test_overviews_and_masks_of_a_tiff_are_no_pages(tmp_path):
    path = tmp_path / "pyramid.tif"
    profile = {"driver": "GTiff", "width": 600, "height": 600, "count": 3}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", dtype="uint8", photometric="RGB", **profile) as file,
    ):
        file.write(np.full((3, 600, 600), 90, np.uint8))
        file.write_mask(np.full((600, 600), 255, np.uint8))
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
        assert file.overviews(1) == [2, 4]
    found = read_picture(path)
    assert found.notes == ()
    assert np.allclose(found.pixels, 90 / 255)


@pytest.mark.parametrize(("largest", "top"), [(65535, 65535), (4000, 4095), (200, 255)])
def test_sixteen_bits_over_the_bits_in_use(largest, top):
    values = np.array([[0, largest // 2, largest]], np.uint16)
    found = read_picture(encoded(Image.fromarray(values), "PNG")).pixels
    assert np.allclose(found[1, 0], values[0] / top, atol=1e-6)


def test_tiffs_that_pillow_does_not_know(tmp_path):
    values = (np.arange(3 * 4 * 5).reshape(3, 4, 5) * 1000).astype(np.uint16)
    path = tmp_path / "wide.tif"
    profile = {"driver": "GTiff", "width": 5, "height": 4, "count": 3}
    with rasterio.open(path, "w", dtype="uint16", photometric="RGB", **profile) as file:
        file.write(values)
    found = read_picture(path)
    assert np.allclose(found.pixels, values / 65535, atol=1e-6)
    assert found.notes == ("more than 8 bits",)
    profile["count"] = 1
    with rasterio.open(path, "w", dtype="float64", **profile) as file:
        file.write(np.full((1, 4, 5), 0.25))
    assert np.allclose(read_picture(path).pixels, 0.25)


def test_cmyk_without_and_rgb_with_a_profile():
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))  # red ink
    for form in ("JPEG", "TIFF"):
        found = as_bytes(read_picture(encoded(cmyk, form)).pixels)
        assert found[0, 0, 0] > 250
        assert found[0, 0, 1:].max() < 5
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    plain = encoded(Image.fromarray(RGB), "PNG")
    same = encoded(Image.fromarray(RGB), "PNG", icc_profile=profile.tobytes())
    difference = read_picture(plain).pixels - read_picture(same).pixels
    assert np.abs(difference).max() <= 1.01 / 255
    broken = encoded(Image.fromarray(RGB), "PNG", icc_profile=b"no profile")
    found = read_picture(broken)
    assert found.notes == ("colour profile not usable",)
    assert np.array_equal(as_bytes(found.pixels), RGB)


def test_arrays_in_every_usual_order():
    wanted = np.moveaxis(RGB, -1, 0) / np.float32(255)
    for array in (RGB, np.moveaxis(RGB, -1, 0), RGB / 255.0):
        assert np.allclose(read_picture(array).pixels, wanted)
    grey = read_picture(RGB[..., 0]).pixels
    assert np.array_equal(grey, read_picture(RGB[..., :1]).pixels)
    for wrong in (
        np.zeros(5),
        np.zeros((4, 4, 7)),
        np.zeros((0, 4)),
        np.array([["a"]]),
    ):
        with pytest.raises(PictureReadError, match="put the bands last"):
            read_picture(wrong)


def test_reduced_while_reading():
    large = Image.fromarray(as_uint8(textured(2, 600, 900)))
    for form in ("JPEG", "PNG"):
        found = read_picture(encoded(large, form), at_most=300)
        assert found.size == (300, 200)
        assert found.original_size == (900, 600)
    whole = read_picture(large).pixels
    assert np.abs(found.pixels - resized(whole, 300, 200)).max() < 1.01 / 255
    assert resized(whole, 45, 30).mean() == pytest.approx(whole.mean(), abs=0.002)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'x' is empty"),
        (b"#!/bin/sh\nrm -rf /\n", "'x' is no picture that can be read; wanted is one"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture that can be"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is no picture that can be read"),
        (
            png_that_claims(50_000, 50_000),
            "too many pixels|50,000 x 50,000 pixels, at most",
        ),
        (png_that_claims(9_500, 9_500), "9,500 x 9,500 pixels, at most 80 million"),
        (png_that_claims(100, 100), "'x' is damaged or cut short"),
        (encoded(Image.fromarray(RGB), "JPEG")[:900], "'x' is damaged or cut short"),
        (encoded(Image.fromarray(RGB), "TIFF")[:200], "'x' is damaged or cut short"),
        (b"II*\0" + b"\xff" * 40, "'x' is damaged or cut short"),
    ],
)
def test_refused_in_one_line(content, message):
    with pytest.raises(PictureReadError, match=message) as caught:
        read_picture(content, name="x")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif("AVIF" not in FORMATS, reason="wants Pillow 11.3")
def test_a_damaged_avif_is_refused_in_one_line():
    file = avif_of_noughts(Image.fromarray(RGB))
    with pytest.raises(PictureReadError, match="'x' is damaged or cut short") as caught:
        read_picture(file, name="x")
    assert "\n" not in str(caught.value)


def test_a_further_page_that_is_damaged_is_no_trouble():
    pages = [Image.new("L", (5, 4), value) for value in (90, 200)]
    file = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    width = b"\x00\x01\x04\x00\x01\x00\x00\x00\x05"  # tag 256, a number, one, 5
    at = file.rindex(width)
    assert at > file.index(width)
    found = read_picture(file[:at] + b"\x00\x7f" + file[at + 2 :])
    assert np.allclose(found.pixels, 90 / 255)
    assert found.notes == ()


def phone_picture(brand):
    """The first box of what phones write."""
    return b"\0\0\0\x1cftyp" + brand + b"\0\0\0\0mif1" + brand + b"miaf" + b"x" * 60


def test_heic_without_its_library_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for brand in (b"heic", b"heix", b"hevc"):
        with pytest.raises(PictureReadError, match=r"pip install 'geosim\[heif\]'"):
            read_picture(phone_picture(brand), name="x.heic")
    with pytest.raises(PictureReadError, match="'x' is no picture that can be read"):
        read_picture(phone_picture(b"mp42"), name="x")


def test_avif_with_an_old_pillow_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(decoding, "_AVIF", False)
    with pytest.raises(PictureReadError, match=r"wants Pillow 11\.3 or newer"):
        read_picture(phone_picture(b"avif"), name="x")


def test_heic_of_a_phone(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="wants the extra geosim[heif]")
    heif.register_heif_opener()
    corners = np.zeros((32, 48, 3), np.uint8)
    corners[:16, :16] = (255, 0, 0)  # top left
    turned = Image.fromarray(corners).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(turned, "HEIF", exif=exif.tobytes(), quality=95)
    (tmp_path / "IMG_0001.HEIC").write_bytes(content)
    (path,) = find_pictures(tmp_path)
    found = read_picture(path)
    assert found.size == (48, 32)
    assert np.abs(as_bytes(found.pixels).astype(int) - corners).mean() < 8
    assert read_picture(path, at_most=24).size == (24, 16)
    with pytest.raises(PictureReadError, match="48 x 32 pixels, at most"):
        read_picture(path, limits=Limits(pixels=1000))
    with pytest.raises(PictureReadError, match=r"damaged or cut short|no picture"):
        read_picture(content[: len(content) // 2], name="x")


def test_limits_and_missing_files(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(RGB), "PNG"))
    with pytest.raises(PictureReadError, match="at most 0 MB are read"):
        read_picture(path, limits=Limits(file_bytes=10))
    with pytest.raises(PictureReadError, match="60 x 40 pixels, at most"):
        read_picture(path, limits=Limits(pixels=2399))
    assert read_picture(path, limits=Limits(pixels=2400)).size == (60, 40)
    with pytest.raises(PictureReadError, match="cannot be opened"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(PictureReadError, match="cannot be opened"):
        read_picture(tmp_path)


def test_pictures_of_a_folder(tmp_path):
    for name in ("b.JPG", "a/c.png", "d.HEIC", ".hidden/d.png", "e.txt", ".f.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in find_pictures(tmp_path)] == ["c.png", "b.JPG", "d.HEIC"]
    with pytest.raises(PictureReadError, match="a folder of pictures is wanted"):
        find_pictures(tmp_path / "e.txt")


def test_all_formats_are_loaded_before_threads_decode(root):
    code = (
        "from PIL import Image\n"
        "from geosim.images.decoding import FORMATS, load_decoders\n"
        "before = set(Image.OPEN)\n"
        "load_decoders()\n"
        "print(len(before), set(FORMATS) <= set(Image.OPEN))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["0", "True"]


# --- TIFFs that Pillow shows otherwise than they are meant


def raster(path, values, names=(), **profile):
    """Write (bands, height, width) by GDAL."""
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
        file.write(values)
        if names:
            file.descriptions = names
    return path


PLACE = {
    "crs": "EPSG:32633",
    "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 5.4e6),
}
BANDS = np.moveaxis(RGB, -1, 0)
FLAT = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@FLAT
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_numbers_that_count_from_white(tmp_path, dtype):
    grey = BANDS[:1].astype(dtype) * (257 if dtype == "uint16" else 1)
    most = np.iinfo(dtype).max
    path = raster(tmp_path / "a.tif", most - grey, photometric="MINISWHITE")
    found = read_picture(path).pixels
    assert found[0] == pytest.approx(grey[0] / most, abs=1e-6)


@FLAT
def test_whole_numbers_of_32_bits(tmp_path):
    grey = BANDS[:1].astype(np.uint32) * 16843009
    found = read_picture(raster(tmp_path / "a.tif", grey)).pixels
    assert found[1] == pytest.approx(BANDS[0] / 255, abs=1e-6)


@FLAT
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_transparency_is_white_whatever_the_bits(tmp_path, dtype):
    scale = 257 if dtype == "uint16" else 1
    alpha = np.full((1, 40, 60), 255)
    alpha[0, :, :30], alpha[0, :10] = 0, 128
    values = (np.concatenate([BANDS, alpha]) * scale).astype(dtype)
    path = raster(tmp_path / "a.tif", values, photometric="RGB", alpha="YES")
    found = read_picture(path)
    share = alpha / 255
    assert found.pixels == pytest.approx(BANDS / 255 * share + 1 - share, abs=0.005)
    assert "transparent parts shown as white" in found.notes
    assert not any("left out" in note for note in found.notes)


@pytest.mark.parametrize("marked", [{}, {"photometric": "RGB", "alpha": "YES"}])
def test_infrared_of_a_raster_is_no_transparency(tmp_path, marked):
    infrared = np.random.default_rng(1).integers(1, 255, (1, 40, 60), np.uint8)
    values = np.concatenate([BANDS, infrared])
    found = read_picture(raster(tmp_path / "a.tif", values, **marked, **PLACE))
    assert found.pixels == pytest.approx(BANDS / 255, abs=1e-6)
    assert found.notes == ("1 further band left out",)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_by_the_bands_names(tmp_path, dtype):
    names = ("B02 blue", "B03 green", "B04 red")
    values = BANDS[::-1].astype(dtype) * (257 if dtype == "uint16" else 1)
    path = raster(tmp_path / "a.tif", values, names, photometric="MINISBLACK", **PLACE)
    found = read_picture(path)
    assert found.pixels == pytest.approx(BANDS / 255, abs=1e-6)
    assert ("more than 8 bits" in found.notes) == (dtype == "uint16")


def test_a_profile_beside_transparency_counts():
    """The same pixels and profile, with and without an opaque alpha band."""
    known = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # sRGB with red and green exchanged in its table of primaries
    red, green = known.index(b"rXYZ"), known.index(b"gXYZ")
    swapped = bytearray(known)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    opaque = Image.fromarray(RGB)
    clear = opaque.copy()
    clear.putalpha(255)
    plain, with_alpha, untold = (
        read_picture(io.BytesIO(encoded(image, "PNG", **told)).getvalue()).pixels
        for image, told in (
            (opaque, {"icc_profile": bytes(swapped)}),
            (clear, {"icc_profile": bytes(swapped)}),
            (opaque, {}),
        )
    )
    assert np.abs(plain - untold).mean() > 0.02
    assert with_alpha == pytest.approx(plain, abs=1e-6)
