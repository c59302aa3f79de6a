"""Any picture in one form: (3, height, width) float32, red, green, blue in 0..1."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geosim.errors import PictureReadError
from geosim.images.decoding import decode_bytes, decode_file, decode_image
from geosim.images.picture import Limits, Picture
from geosim.images.pixels import resized, scaled, size_within
from geosim.images.wide_tiff import TRANSPARENT

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "tif", "tiff", "bmp"),
        *("dib", "gif", "ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "avif"),
        *("heic", "heif", "hif"),
    )
)
"""Endings of file names, lower case, by which pictures are found in a folder."""


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
        picture = decode_image(source, name or "an image", at_most)
    elif isinstance(source, bytes):
        picture = decode_bytes(source, name or "the data", at_most, limits)
    else:
        path = Path(source)
        picture = decode_file(path, name or str(path), at_most, limits)
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
        notes = (TRANSPARENT,) if alpha.min() < 1 else ()
    if numbers.ndim == 2 or numbers.shape[2] == 1:  # noqa: PLR2004
        numbers = np.repeat(numbers.reshape(*numbers.shape[:2], 1), 3, axis=2)
    pixels = np.ascontiguousarray(np.moveaxis(numbers, -1, 0), np.float32)
    size = (pixels.shape[2], pixels.shape[1])
    return Picture(pixels=pixels, name=name, original_size=size, notes=notes)


def _reduced(picture: Picture, at_most: int | None) -> Picture:
    size = size_within(picture.size, at_most)
    if size == picture.size:
        return picture
    return replace(picture, pixels=resized(picture.pixels, *size))
