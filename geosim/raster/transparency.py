"""What an open raster says of pixels that show nothing: alpha, masks, nodata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from geosim.raster.grid import Grid, sample_windows

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOKED_AT = 64, 16
"""Side in pixels and number of the windows that tell whether a band has shades."""

_SHADES = 0.1
"""Share of a band's pixels between none and all from which on it is no alpha: of a
collar the edges alone are."""


def alpha_band(dataset: Any) -> int | None:  # noqa: ANN401 - rasterio has no types
    """Number of the alpha band."""
    if ColorInterp.alpha not in dataset.colorinterp:
        return None
    return int(dataset.colorinterp.index(ColorInterp.alpha)) + 1


def has_mask(dataset: Any) -> bool:  # noqa: ANN401
    """True where a mask, internal or beside the file, covers all bands."""
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def all_valid(dataset: Any, bands: Iterable[int]) -> bool:  # noqa: ANN401
    """True where nothing of a file tells of pixels without data in these bands."""
    flags = dataset.mask_flag_enums
    return all(MaskFlags.all_valid in flags[number - 1] for number in bands)


def nodata_apart(dataset: Any) -> bool:  # noqa: ANN401
    """True where a nodata value stands beside an alpha band or a mask."""
    if dataset.nodata is None:
        return False
    return alpha_band(dataset) is not None or has_mask(dataset)


def has_shades(dataset: Any, number: int) -> bool:  # noqa: ANN401
    """True where a band says more than there and not there, as infrared does."""
    kind = np.dtype(dataset.dtypes[number - 1])
    most = np.iinfo(kind).max if kind.kind in "iu" else 1.0
    between, pixels = 0, 0
    for window in sample_windows(Grid.of(dataset), *_LOOKED_AT):
        place = RasterioWindow(
            window.col_off, window.row_off, window.width, window.height
        )
        values = dataset.read(number, window=place)
        between += int(((values > 0) & (values < most)).sum())
        pixels += values.size
    return between > _SHADES * pixels
