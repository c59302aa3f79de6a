"""Decode pictures that may come from a stranger.

Formats are a closed list, a file's size and its pixels are looked at before anything is
decoded, and only the first frame is. Nothing else decodes pictures of users.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from geosim.errors import PictureReadError
from geosim.images.boxes import HEADER_BYTES, brands, has_opacity
from geosim.images.guarding import (
    BROKEN,
    OPENING,
    check_pixels,
    damaged,
    quietly,
    too_large,
)
from geosim.images.orientation import upright
from geosim.images.picture import Limits, Picture
from geosim.images.pixels import bands_first, size_within, wide
from geosim.images.wide_tiff import (
    MORE_BITS,
    NO_PROFILE,
    TRANSPARENT,
    decode_wide_tiff,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_AVIF = "avif" in features.modules and bool(features.check("avif"))

FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000"),
    *("AVIF",) * _AVIF,
)
"""Formats that are decoded, by Pillow's names; none of them runs a program. HEIC is
decoded by the extra `heif`."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
"""How ISO media files name what is in them (ISO/IEC 23008-12)."""

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first four bytes of a TIFF or a BigTIFF, of either byte order."""

_WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 262, 277, 339
_PLACED = 33550, 33922, 34264
"""TIFF's tags: bits of a sample, what the numbers mean, samples of a pixel, their kind;
where a GeoTIFF lies."""
_NAMES = 42112
"""GDAL's own tag, which holds the bands' names."""
_FROM_WHITE = 0
_REDUCED, _MASK = 1, 4
"""Bits of TIFF's NewSubfileType: what is no page of its own."""

_PAPER = (255, 255, 255)
"""What shows through where a picture is transparent."""


def decode_file(path: Path, name: str, at_most: int | None, limits: Limits) -> Picture:
    """Open a file and decode it; see `geosim.images.reading.read_picture`."""
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


def decode_bytes(
    content: bytes, name: str, at_most: int | None, limits: Limits
) -> Picture:
    """Decode what a file holds; see `geosim.images.reading.read_picture`."""
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


def load_decoders() -> None:
    """Load all of Pillow's formats now.

    Threads that decode would load them at the first picture; an interruption of the
    main thread at that moment leaves them waiting for a module that is never loaded.
    """
    Image.init()


def _decoded(
    file: BinaryIO,
    content: Callable[[], bytes],
    name: str,
    at_most: int | None,
    limits: Limits,
) -> Picture:
    """Decode by Pillow; TIFFs that it does not know by GDAL."""
    start = file.read(HEADER_BYTES)
    file.seek(0)
    formats = _formats_of(start, name)
    try:
        with quietly():
            image = Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise too_large(name, None, limits) from error
    except UnidentifiedImageError as error:
        if start[:4] in TIFF_STARTS:
            return decode_wide_tiff(content(), name, limits)
        raise PictureReadError(
            f"'{name}' is no picture that can be read; wanted is one of "
            f"{', '.join(FORMATS)}"
        ) from error
    except BROKEN as error:
        raise damaged(name, error) from error
    with image:
        check_pixels(image.size, name, limits)
        if _is_for_gdal(image):
            return decode_wide_tiff(content(), name, limits)
        further = image.format == "JPEG2000" and not has_opacity(start)
        return decode_image(image, name, at_most, opaque=further)


def _formats_of(start: bytes, name: str) -> tuple[str, ...]:
    """Formats to try, by a file's first bytes.

    Raises:
        PictureReadError: it wants a library that is missing.
    """
    found = brands(start)
    if found & _HEIC_BRANDS:
        try:
            from pillow_heif import register_heif_opener
        except ImportError as error:
            raise PictureReadError(
                f"'{name}' is HEIC, which wants the extra 'heif'; install it with pip "
                "install 'geosim[heif]', or save the picture as JPEG"
            ) from error
        with OPENING:
            register_heif_opener()
        return ("HEIF",)
    if found & _AVIF_BRANDS and not _AVIF:
        raise PictureReadError(
            f"'{name}' is AVIF, which wants Pillow 11.3 or newer; install it with pip "
            "install --upgrade pillow, or save the picture as JPEG"
        )
    return FORMATS


def _is_for_gdal(image: Image.Image) -> bool:
    """Whether Pillow would show a TIFF otherwise than it is meant."""
    if image.format != "TIFF" or image.mode in ("CMYK", "P"):
        return False
    tags: Any = image.tag_v2  # type: ignore[attr-defined] # of TIFFs
    bits = max(tags.get(_BITS, (1,)))
    if image.mode in _WIDE_MODES:
        # as signed numbers, or as a negative
        unsigned = bits == 32 and 1 in tags.get(_FORMAT, (1,))  # noqa: PLR2004
        return unsigned or tags.get(_PHOTOMETRIC) == _FROM_WHITE
    # colours of 16 bits would be cut down to 8; bands of a place on the ground may
    # have names, and the fourth is perhaps no transparency
    bands = tags.get(_SAMPLES, 1)
    named = bands > 3 or (bands > 1 and _NAMES in tags)  # noqa: PLR2004
    return bits > 8 or (named and any(tag in tags for tag in _PLACED))  # noqa: PLR2004


def decode_image(
    image: Image.Image, name: str, at_most: int | None, *, opaque: bool = False
) -> Picture:
    """Turn an opened image upright and into sRGB; `opaque`: no band is transparency."""
    notes: list[str] = []
    try:
        if _has_another_page(image):
            notes.append("its first page or frame only")
        size = image.size
        if at_most and image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * at_most, 2 * at_most))
        image.load()
        if opaque and image.mode in ("LA", "RGBA"):
            notes.append("1 further band left out")
            image = image.convert(image.mode.removesuffix("A"))
        image, swapped = upright(image, notes)
        if swapped:
            size = (size[1], size[0])
        if image.mode in _WIDE_MODES:
            notes.append(MORE_BITS)
            if image.info.get("icc_profile"):
                notes.append(NO_PROFILE)
            pixels = wide(np.asarray(image))
        else:
            # while it has 8 bits: a large picture takes four times as much as floats
            pixels = bands_first(np.asarray(_shrunk(_as_srgb(image, notes), at_most)))
    except BROKEN as error:
        raise damaged(name, error) from error
    return Picture(pixels=pixels, name=name, original_size=size, notes=tuple(notes))


def _has_another_page(image: Image.Image) -> bool:
    """Whether a file holds a second picture; a smaller copy of the first is none."""
    if image.format != "TIFF":
        moving = image.format in ("GIF", "WEBP", "PNG", "AVIF", "HEIF")
        return moving and bool(getattr(image, "is_animated", False))
    try:
        image.seek(1)
        kind = image.tag_v2.get(254, 0)  # type: ignore[attr-defined] # of TIFFs
    except BROKEN:  # none, or none that can be read
        return False
    finally:
        image.seek(0)
    return not kind & (_REDUCED | _MASK)


def _shrunk(image: Image.Image, at_most: int | None) -> Image.Image:
    size = size_within(image.size, at_most)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC)


def _as_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """An 8-bit image of any mode as RGB, without transparency."""
    profile, alpha = image.info.get("icc_profile"), None
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        grey = image.mode in ("L", "LA", "La")
        layer = image.convert("RGBA")
        alpha = layer.getchannel("A")
        image = layer.convert("L" if grey else "RGB")
    image = _by_profile(image, profile, notes)
    if alpha is None:
        return image
    if alpha.getextrema()[0] != 255:  # noqa: PLR2004 - opaque everywhere
        notes.append(TRANSPARENT)
    paper = Image.new("RGB", image.size, _PAPER)
    paper.paste(image, mask=alpha)
    return paper


def _by_profile(
    image: Image.Image, profile: bytes | None, notes: list[str]
) -> Image.Image:
    """An opaque 8-bit image as RGB, by its colour profile where it has one."""
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
