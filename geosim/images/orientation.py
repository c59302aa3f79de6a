"""Turn pictures upright by the orientation that their file tells (TIFF, EXIF)."""

from __future__ import annotations

from PIL import Image

from geosim.images.guarding import BROKEN, quietly

_ORIENTATION = 0x0112
"""Number of the tag, in TIFF and in EXIF."""

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
    notes.append("turned by its EXIF orientation")
    # no ImageOps.exif_transpose: it also writes the EXIF anew, which fails where one
    # entry is odd
    return image.transpose(_WAYS[orientation]), orientation in _SWAPPING
