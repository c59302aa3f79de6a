"""TIFFs that Pillow does not decode, or not as they are meant, by GDAL.

Such as 16 bits in colour, numbers that count from white, and satellites' bands, of
which it takes the first three for colours and the fourth for transparency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import PictureReadError
from geosim.images.guarding import check_pixels, damaged, quietly
from geosim.images.orientation import TURNED, orientation_of_tiff, upright_bands
from geosim.images.picture import Limits, Picture
from geosim.images.pixels import wide
from geosim.raster.bands import choose_bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRANSPARENT = "transparent parts shown as white"
MORE_BITS = "more than 8 bits"
NO_PROFILE = "colour profile not used"


def decode_wide_tiff(content: bytes, name: str, limits: Limits) -> Picture:
    """Decode a TIFF by GDAL and turn it upright.

    Args:
        content: the whole file.
        name: what to call it in messages.
        limits: how large it may be.

    Raises:
        PictureReadError: it is too large or damaged, or its values are no brightness.
    """
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        with MemoryFile(content, ext="tif") as memory:
            with quietly():  # that it lies nowhere on the ground is no news
                # no driver but that of TIFF: others may open further files by name
                file = memory.open(driver="GTiff")
            with file:
                check_pixels((file.width, file.height), name, limits)
                _check_values(file, name)
                bands = _colours(file)
                values = _from_black(file, file.read(list(bands)))
                opacity = _opacity(file)
                wider = any(dtype != "uint8" for dtype in file.dtypes)
                profile = "SOURCE_ICC_PROFILE" in file.tags(ns="COLOR_PROFILE")
    except RasterioError as error:
        raise damaged(name, error) from error
    orientation = orientation_of_tiff(content)
    pixels = wide(values if len(bands) > 1 else values[0])
    if opacity is not None:
        pixels = pixels * opacity + (1 - opacity)
    pixels = upright_bands(pixels, orientation).astype(np.float32, copy=False)
    more = file.count - len(bands) - (opacity is not None)
    told = {
        TURNED: orientation > 1,
        MORE_BITS: wider,
        TRANSPARENT: opacity is not None and opacity.min() < 1,
        NO_PROFILE: profile,
        f"{more} further band{'s' * (more > 1)} left out": more > 0,
    }
    return Picture(
        pixels=pixels,
        name=name,
        original_size=(pixels.shape[2], pixels.shape[1]),
        notes=tuple(note for note, true in told.items() if true),
    )


def _colours(file: Any) -> tuple[int, ...]:  # noqa: ANN401 - rasterio has no types
    """Numbers of red, green and blue by their names, of the first three, or of one."""
    kinds = [kind.name for kind in file.colorinterp]
    if all(kind == "alpha" for kind in kinds):
        return (1,)
    found = choose_bands(None, kinds, [text or "" for text in file.descriptions])
    return found if len(found) == 3 else found[:1]  # noqa: PLR2004


def _from_black(file: Any, values: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """The values, turned round where 0 is white."""
    told = file.tags(ns="IMAGE_STRUCTURE")
    if "MINISWHITE" not in told or values.dtype.kind != "u":
        return values
    bits = int(file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * values.itemsize))
    turned: NDArray[Any] = values.dtype.type(2**bits - 1) - values
    return turned


def _opacity(file: Any) -> NDArray[np.float32] | None:  # noqa: ANN401
    """(height, width) 0..1; None without an alpha band.

    What GDAL calls alpha, unasked, in a file that lies on the ground may be an
    infrared: that has shades.
    """
    from geosim.raster.transparency import alpha_band, has_shades

    number = alpha_band(file)
    if number is None or (file.crs is not None and has_shades(file, number)):
        return None
    kind = np.dtype(file.dtypes[number - 1])
    most = np.iinfo(kind).max if kind.kind in "iu" else 1.0
    found: NDArray[np.float32] = np.clip(file.read(number) / np.float32(most), 0, 1)
    return found.astype(np.float32)


def _check_values(file: Any, name: str) -> None:  # noqa: ANN401 - rasterio has no types
    """Refuse values that are no brightness, which would be shown as if they were."""
    from_white = "MINISWHITE" in file.tags(ns="IMAGE_STRUCTURE")
    if file.colorinterp[0].name == "palette" and not from_white:
        raise PictureReadError(
            f"'{name}' holds numbers of a colour palette of more than 8 bits; make "
            "colours of them with 'gdal_translate -expand rgb'"
        )
    if file.dtypes[0].startswith("complex"):
        raise PictureReadError(
            f"'{name}' holds complex numbers; convert it to amplitude first"
        )
