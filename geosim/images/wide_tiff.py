"""TIFFs of kinds that Pillow does not decode, such as 16 bits in colour, by GDAL."""

from __future__ import annotations

from typing import Any

from geosim.errors import PictureReadError
from geosim.images.guarding import check_pixels, damaged, quietly
from geosim.images.orientation import TURNED, orientation_of_tiff, upright_bands
from geosim.images.picture import Limits, Picture
from geosim.images.pixels import wide


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
                count = 3 if file.count >= 3 else 1  # noqa: PLR2004
                values = file.read(list(range(1, count + 1)))
    except RasterioError as error:
        raise damaged(name, error) from error
    orientation = orientation_of_tiff(content)
    values = upright_bands(values, orientation)
    pixels = wide(values if count > 1 else values[0])
    size = (pixels.shape[2], pixels.shape[1])
    more = file.count - count
    left = f"{more} further band{'s' * (more > 1)} left out"
    notes = (
        *(TURNED,) * (orientation > 1),
        "more than 8 bits",
        *(left,) * bool(more),
    )
    return Picture(pixels=pixels, name=name, original_size=size, notes=notes)


def _check_values(file: Any, name: str) -> None:  # noqa: ANN401 - rasterio has no types
    """Refuse values that are no brightness, which would be shown as if they were."""
    if file.colorinterp[0].name == "palette":
        raise PictureReadError(
            f"'{name}' holds numbers of a colour palette of more than 8 bits; make "
            "colours of them with 'gdal_translate -expand rgb'"
        )
    if file.dtypes[0].startswith("complex"):
        raise PictureReadError(
            f"'{name}' holds complex numbers; convert it to amplitude first"
        )
