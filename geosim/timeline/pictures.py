"""Previews of a series for its report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.change.cells import CellSums, mean_where_any
from geosim.publish.series_report import SeriesPictures
from geosim.raster.grid import strips
from geosim.themes.roles import COLOURS
from geosim.timeline.summing import KIND, STRIP_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.raster.writer import WorkRaster
    from geosim.timeline.stack import Stack

_STRETCH_PERCENT = (1.0, 99.0)
_HALF = 0.5


def previews(
    stack: Stack, rasters: Mapping[str, WorkRaster], longest: int
) -> SeriesPictures:
    """Pictures of all dates, changes and first years in preview size."""
    grid = stack.grid
    cell = max(1, math.ceil(max(grid.width, grid.height) / longest))
    dates = len(stack.readings)
    return SeriesPictures(
        dates=[_photo(_means(stack, date, cell)) for date in range(dates)],
        codes=_codes(rasters["codes"], stack, cell, dates),
        years=_nearest(rasters["first_change"], stack, cell),
    )


def _means(stack: Stack, date: int, cell: int) -> NDArray[np.float32]:
    """(3, height, width) mean colours of a date's cells; NaN where it has no data."""
    grid, chosen = stack.grid, _colour_bands(stack.bands)
    photo = CellSums(grid.width, grid.height, cell, 4, np.float32)
    for window in strips(grid, stack.strip_rows()):
        values, valid = stack.read_date(date, window)
        layers = [np.where(valid, values[band], 0) for band in chosen]
        photo.add(window.row_off, 0, [*layers, valid.astype(np.float32)])
    return mean_where_any(photo.sums[:3], photo.sums[3])


def _colour_bands(names: tuple[str, ...]) -> list[int]:
    """Places of red, green and blue, or of the first bands."""
    lower = [name.lower() for name in names]
    if all(colour in lower for colour in COLOURS):
        return [lower.index(colour) for colour in COLOURS]
    return [min(place, len(names) - 1) for place in range(3)]


def _photo(means: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(height, width, 3): a stretch of each date's own, the same for its bands."""
    known = means[np.isfinite(means)]
    low, high = np.percentile(known, _STRETCH_PERCENT) if known.size else (0.0, 1.0)
    scaled = (np.nan_to_num(means, nan=low) - low) * (255.0 / max(high - low, 1e-6))
    return np.moveaxis(np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), 0, -1)


def _codes(
    raster: WorkRaster, stack: Stack, cell: int, dates: int
) -> NDArray[np.uint8]:
    """(t - 1, height, width): the class in the middle of each cell that changed."""
    grid, shown = stack.grid, []
    for band in range(1, dates):
        share = CellSums(grid.width, grid.height, cell, 2, np.float32)
        for window in strips(grid, STRIP_ROWS):
            kinds = raster.read(window, band)
            share.add(window.row_off, 0, (kinds > 0, np.ones(kinds.shape, bool)))
        kinds = _nearest(raster, stack, cell, band) & KIND
        changed = share.sums[0] >= _HALF * share.sums[1]
        shown.append(np.where(changed, kinds, 0).astype(np.uint8))
    return np.stack(shown)


def _nearest(
    raster: WorkRaster, stack: Stack, cell: int, band: int = 1
) -> NDArray[Any]:
    """The pixel in the middle of each cell."""
    grid, rows = stack.grid, []
    picked = range(0, grid.height, cell)
    for window in strips(grid, STRIP_ROWS):
        values = raster.read(window, band)
        for row in picked:
            at = min(row + cell // 2, grid.height - 1)
            if window.row_off <= at < window.row_end:
                cols = np.minimum(
                    np.arange(0, grid.width, cell) + cell // 2, grid.width - 1
                )
                rows.append(values[at - window.row_off, cols])
    return np.stack(rows)
