"""Read any picture into one form: (3, height, width) float32, red, green, blue in 0..1.

What is decoded here may come from a stranger. Formats are a closed list, a file's size
and its pixels are looked at before anything is decoded, and only the first frame is.
"""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from geosim.errors import PictureReadError
from geosim.images.pixels import as_bytes, bands_first, resized, scaled, wide

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
"""Formats that are decoded, by Pillow's names; none of them runs a program."""

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "tif", "tiff", "bmp"),
        *("dib", "gif", "ppm", "pgm", "pbm", "pnm", "jp2", "j2k"),
    )
)
"""Endings of file names, lower case, by which pictures are found in a folder."""

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_REDUCED, _MASK = 1, 4
"""Bits of TIFF's NewSubfileType: what is no page of its own."""

_PAPER = (255, 255, 255)
"""What shows through where a picture is transparent."""

_OPENING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a picture may be; checked before it is decoded."""

    file_bytes: int = 500_000_000
    """Largest file."""
    pixels: int = 80_000_000
    """Most pixels, width times height; Pillow's own limit lies at 89 million."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as geosim's models see it."""

    pixels: FloatArray
    """(3, height, width) float32, red, green, blue in 0..1 (sRGB)."""
    name: str
    """Where it comes from: a path, or what the caller called it."""
    original_size: tuple[int, int]
    """(width, height) before any reduction, turned upright."""
    notes: tuple[str, ...] = ()
    """What was done on the way: turned by EXIF, composed over white, and the like."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `pixels`."""
        return self.pixels.shape[2], self.pixels.shape[1]


def read_picture(
    source: str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic],
    *,
    name: str | None = None,
    at_most: int | None = None,
    limits: Limits | None = None,
) -> Picture:
    """Read a picture.

    Grey becomes three equal bands, palettes their colours, CMYK and colour profiles
    sRGB, transparency white paper; EXIF orientation is applied. 16 bit values are
    divided by the range of the bits that are in use (12 bits in a 16-bit file: 4095),
    floating point ones by 1 or 255, whichever holds them, else by their 99.9 %
    quantile; 0 stays 0.

    Args:
        source: a path, the bytes of a file, a Pillow image, or an array (H, W),
            (H, W, 1..4) or (3, H, W): integers over the range of their type, floats
            in 0..1.
        name: what to call it in messages; None: its path.
        at_most: longest side; larger pictures are reduced, JPEGs while decoding.
        limits: how large it may be; None: `Limits()`.

    Raises:
        PictureReadError: it cannot be opened, is no picture, is too large or damaged.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        picture = _from_array(source, name or "an array")
    elif isinstance(source, Image.Image):
        picture = _from_pillow(source, name or "an image", at_most)
    elif isinstance(source, bytes):
        picture = _from_bytes(source, name or "the data", at_most, limits)
    else:
        path = Path(source)
        picture = _from_file(path, name or str(path), at_most, limits)
    return _reduced(picture, at_most)


def find_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder by their names' endings, sorted, none that is hidden.

    Raises:
        PictureReadError: it is no folder.
    """
    if not folder.is_dir():
        raise PictureReadError(
            f"a folder of pictures is wanted; '{folder}' is not one; check the path"
        )
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _from_file(path: Path, name: str, at_most: int | None, limits: Limits) -> Picture:
    try:
        size = path.stat().st_size
        _check_bytes(size, name, limits)
        with path.open("rb") as file:
            return _decoded(file, path.read_bytes, name, at_most, limits)
    except OSError as error:
        if isinstance(error, PictureReadError):
            raise
        raise PictureReadError(
            f"'{name}' cannot be opened ({error.strerror or error}); check the path"
        ) from error


def _from_bytes(
    content: bytes, name: str, at_most: int | None, limits: Limits
) -> Picture:
    _check_bytes(len(content), name, limits)
    return _decoded(io.BytesIO(content), lambda: content, name, at_most, limits)


def _check_bytes(size: int, name: str, limits: Limits) -> None:
    if size > limits.file_bytes:
        raise PictureReadError(
            f"'{name}' has {size / 1e6:,.0f} MB; at most "
            f"{limits.file_bytes / 1e6:,.0f} MB are read; give a smaller file"
        )
    if size == 0:
        raise PictureReadError(f"'{name}' is empty; a picture is wanted")


def _decoded(
    file: BinaryIO,
    content: Callable[[], bytes],
    name: str,
    at_most: int | None,
    limits: Limits,
) -> Picture:
    """Decode by Pillow; TIFFs that it does not know by GDAL."""
    start = file.read(4)
    file.seek(0)
    try:
        with _quietly():
            image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(name, None, limits) from error
    except UnidentifiedImageError as error:
        if start in _TIFF_STARTS:
            return _from_gdal(content(), name, limits)
        raise PictureReadError(
            f"'{name}' is no picture that can be read; wanted is one of "
            f"{', '.join(FORMATS)}"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError) as error:
        raise _damaged(name, error) from error
    with image:
        _check_pixels(image.size, name, limits)
        if _loses_bits(image):
            return _from_gdal(content(), name, limits)
        return _from_pillow(image, name, at_most)


def _loses_bits(image: Image.Image) -> bool:
    """Whether Pillow would cut a colour TIFF of 16 bits down to 8."""
    if image.format != "TIFF" or image.mode in _WIDE_MODES:
        return False
    bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined] # of TIFFs
    return bool(max(bits) > 8)  # noqa: PLR2004


@contextmanager
def _quietly() -> Iterator[None]:
    """No warnings of Pillow's: geosim says itself what is too large or damaged."""
    # the filter of warnings is the process's: one thread at a time
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _too_large(
    name: str, size: tuple[int, int] | None, limits: Limits
) -> PictureReadError:
    has = f"has {size[0]:,} x {size[1]:,} pixels" if size else "has too many pixels"
    return PictureReadError(
        f"'{name}' {has}, at most {limits.pixels / 1e6:,.0f} million are read; give a "
        "smaller picture"
    )


def _check_pixels(size: tuple[int, int], name: str, limits: Limits) -> None:
    if size[0] * size[1] > limits.pixels:
        raise _too_large(name, size, limits)


def _damaged(name: str, error: Exception) -> PictureReadError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return PictureReadError(
        f"'{name}' is damaged or cut short ({reason}); give a whole file"
    )


def _from_pillow(image: Image.Image, name: str, at_most: int | None) -> Picture:
    """Turn an opened image upright and into sRGB."""
    notes: list[str] = []
    try:
        if _has_another_page(image):
            notes.append("its first page or frame only")
        size = image.size
        if at_most and image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * at_most, 2 * at_most))
        image.load()
        with _quietly():
            orientation = image.getexif().get(0x0112, 1)
        if orientation in range(2, 9):
            with _quietly():
                image = ImageOps.exif_transpose(image)
            notes.append("turned by its EXIF orientation")
            if orientation >= 5:  # noqa: PLR2004 - these swap rows and columns
                size = (size[1], size[0])
        if image.mode in _WIDE_MODES:
            notes.append("more than 8 bits")
            pixels = wide(np.asarray(image))
        else:
            # while it has 8 bits: a large picture takes four times as much as floats
            pixels = bands_first(np.asarray(_shrunk(_as_srgb(image, notes), at_most)))
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise _damaged(name, error) from error
    return Picture(pixels=pixels, name=name, original_size=size, notes=tuple(notes))


def _has_another_page(image: Image.Image) -> bool:
    """Whether a file holds a second picture; a smaller copy of the first is none."""
    if image.format != "TIFF":
        moving = image.format in ("GIF", "WEBP", "PNG")
        return moving and bool(getattr(image, "is_animated", False))
    try:
        image.seek(1)
        kind = image.tag_v2.get(254, 0)  # type: ignore[attr-defined] # of TIFFs
    except (EOFError, SyntaxError, ValueError):  # none, or none that can be read
        return False
    finally:
        image.seek(0)
    return not kind & (_REDUCED | _MASK)


def _shrunk(image: Image.Image, at_most: int | None) -> Image.Image:
    size = _size_within(image.size, at_most)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC)


def _size_within(size: tuple[int, int], at_most: int | None) -> tuple[int, int]:
    """(width, height) with no side longer than `at_most`, the shape kept."""
    if not at_most or max(size) <= at_most:
        return size
    scale = at_most / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _as_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """An 8-bit image of any mode as RGB, without transparency."""
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        layer = image.convert("RGBA")
        alpha = layer.getchannel("A")
        if alpha.getextrema()[0] != 255:  # noqa: PLR2004 - opaque everywhere
            notes.append("transparent parts shown as white")
        image = Image.new("RGB", image.size, _PAPER)
        image.paste(layer, mask=alpha)
        return image
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("colour profile not usable")
        else:
            assert converted is not None  # noqa: S101 - only None where in place
            return converted
    if image.mode == "CMYK":
        notes.append("CMYK without a colour profile")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_array(values: NDArray[np.generic], name: str) -> Picture:
    """An array in one of the usual orders."""
    shape = values.shape
    if values.ndim == 3 and shape[0] == 3 and shape[2] > 4:  # noqa: PLR2004
        values = np.moveaxis(values, 0, -1)
    fits = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (1, 2, 3, 4))  # noqa: PLR2004
    kinds = (np.bool_, np.integer, np.floating)
    if not fits or 0 in shape or not any(np.issubdtype(values.dtype, k) for k in kinds):
        raise PictureReadError(
            f"{name}: wanted numbers (height, width) or (height, width, 1 to 4), found "
            f"{values.dtype} {shape}; put the bands last"
        )
    numbers = scaled(values)
    notes: tuple[str, ...] = ()
    if numbers.ndim == 3 and numbers.shape[2] in (2, 4):  # noqa: PLR2004
        alpha = numbers[..., -1:]
        numbers = numbers[..., :-1] * alpha + (1 - alpha)
        notes = ("transparent parts shown as white",) if alpha.min() < 1 else ()
    if numbers.ndim == 2 or numbers.shape[2] == 1:  # noqa: PLR2004
        numbers = np.repeat(numbers.reshape(*numbers.shape[:2], 1), 3, axis=2)
    pixels = np.ascontiguousarray(np.moveaxis(numbers, -1, 0), np.float32)
    size = (pixels.shape[2], pixels.shape[1])
    return Picture(pixels=pixels, name=name, original_size=size, notes=notes)


def _from_gdal(content: bytes, name: str, limits: Limits) -> Picture:
    """A TIFF of a kind that Pillow does not decode, such as 16 bits in colour."""
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        # no driver but that of TIFF: others may open further files by name
        with (
            MemoryFile(content, ext="tif") as memory,
            memory.open(driver="GTiff") as file,
        ):
            _check_pixels((file.width, file.height), name, limits)
            count = 3 if file.count >= 3 else 1  # noqa: PLR2004
            values = file.read(list(range(1, count + 1)))
    except RasterioError as error:
        raise _damaged(name, error) from error
    pixels = wide(values if count > 1 else values[0])
    size = (pixels.shape[2], pixels.shape[1])
    more = file.count - count
    notes = ("more than 8 bits",) + ((f"{more} further bands left out",) * bool(more))
    return Picture(pixels=pixels, name=name, original_size=size, notes=notes)


def _reduced(picture: Picture, at_most: int | None) -> Picture:
    size = _size_within(picture.size, at_most)
    if size == picture.size:
        return picture
    return replace(picture, pixels=resized(picture.pixels, *size))


__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Limits",
    "Picture",
    "as_bytes",
    "find_pictures",
    "read_picture",
    "resized",
]
