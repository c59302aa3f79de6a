"""Where labels and maps of others lie, and how they come onto a pair's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geosim.errors import LabelError
from geosim.raster.grid import pixel_offset, same_crs
from geosim.raster.longitudes import crs_for_warping
from geosim.raster.source import one_line_errors
from geosim.raster.transparency import alpha_band

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geosim.raster.grid import Grid


def lies_on(own: Grid, grid: Grid) -> bool:
    """True for the very pixels of a grid; without a CRS for as many."""
    if (own.width, own.height) != (grid.width, grid.height):
        return False
    there = same_crs(own.crs, grid.crs) and pixel_offset(grid, own) == (0, 0)
    return own.crs is None or there


def nearest_on(
    dataset: Any,  # noqa: ANN401 - rasterio has no types
    grid: Grid,
    what: str,
    *,
    zero_is_data: bool = False,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The first band of an open raster on another grid, the nearest pixel of each.

    Args:
        dataset: has a CRS.
        grid: has one too.
        what: names the raster in a message.
        zero_is_data: whether a nodata value of 0 is not heeded.

    Returns:
        Values and where there are any, each (height, width).

    Raises:
        LabelError: there are none.
    """
    nodata = dataset.nodata
    if zero_is_data and nodata == 0:
        nodata = None
    with (
        one_line_errors(dataset.name),
        WarpedVRT(
            dataset,
            resampling=Resampling.nearest,
            add_alpha=nodata is None and alpha_band(dataset) is None,
            src_nodata=nodata,
            src_crs=crs_for_warping(dataset, grid),
            crs=grid.crs.to_wkt() if grid.crs else None,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
        ) as reader,
    ):
        alpha = alpha_band(reader)
        # GDAL takes an alpha band for a mask beside one or three other bands alone
        seen = (reader.read(alpha) if alpha else reader.read_masks(1)) > 0
        values = reader.read(1)
    if not seen.any():
        raise LabelError(f"{what} does not lie where the images are")
    return values, seen
