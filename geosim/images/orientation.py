"""Turn pictures upright by the orientation that their file tells (TIFF, EXIF)."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geosim.images.guarding import BROKEN, quietly

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORIENTATION = 0x0112
"""Number of the tag, in TIFF and in EXIF."""

TURNED = "turned by its EXIF orientation"
"""The note of a picture that was turned."""

_WAYS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of an orientation upright; 1, and any other number: nothing."""

_SWAPPING = (5, 6, 7, 8)
"""Orientations whose rows are columns of what is to be seen."""

_MIRRORED_COLS = (2, 3, 6, 7)
_MIRRORED_ROWS = (3, 4, 7, 8)
"""Orientations that are mirrored, after rows became columns where they do."""


def upright(image: Image.Image, notes: list[str]) -> tuple[Image.Image, bool]:
    """A loaded image as it is to be seen, and whether rows became columns for it.

    Args:
        image: of any mode.
        notes: get a line where it was turned, or where its EXIF cannot be read.
    """
    try:
        with quietly():
            orientation = image.getexif().get(_ORIENTATION, 1)
    except BROKEN:  # what is beside the pixels says nothing against them
        notes.append("EXIF not usable")
        return image, False
    if orientation not in _WAYS:
        return image, False
    notes.append(TURNED)
    # no ImageOps.exif_transpose: it also writes the EXIF anew, which fails where one
    # entry is odd
    return image.transpose(_WAYS[orientation]), orientation in _SWAPPING


def upright_bands(values: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Bands (bands, rows, columns) as they are to be seen."""
    if orientation in _SWAPPING:
        values = values.swapaxes(1, 2)
    if orientation in _MIRRORED_COLS:
        values = values[:, :, ::-1]
    if orientation in _MIRRORED_ROWS:
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def orientation_of_tiff(content: bytes) -> int:
    """Orientation, 1 to 8, of the first page of a TIFF; 1: none, or none to be read."""
    from PIL import TiffImagePlugin  # a format, which all are loaded with

    big = content[2:4] == b"+\0"  # Pillow knows BigTIFF of this byte order alone
    try:
        with quietly():
            tags = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if big else 8])
            file = BytesIO(content)
            file.seek(tags.next)
            tags.load(file)
            found = tags.get(_ORIENTATION, 1)
    except BROKEN:  # which whatever decodes the pixels tells
        return 1
    return found if found in _WAYS else 1
