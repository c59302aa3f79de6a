"""Cubic resampling between grids that differ by a shift alone.

There the kernel's weights are the same for all pixels, so rows and columns are
convolved one after the other: the numbers that GDAL's warper gives, much faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.raster.grid import Grid, Window, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SAME = 1e-6
"""Two grids are one but for a shift, where that differs less than this in pixels."""

_BEFORE, _AFTER = 1, 2
"""Pixels that the kernel reaches to each side of the pixel left of its centre."""


def shift_between(source: Grid, grid: Grid) -> tuple[float, float] | None:
    """(columns, rows) from the source's origin to the grid's, in pixels of both.

    None where they differ by more than a shift. Both have one CRS.
    """
    col = np.array([0.0, grid.width, 0.0, grid.width])
    row = np.array([0.0, 0.0, grid.height, grid.height])
    at_col, at_row = at(~source.transform @ grid.transform, col, row)
    cols, rows = at_col - col, at_row - row
    if max(np.ptp(cols), np.ptp(rows)) > _SAME:
        return None
    return float(cols[0]), float(rows[0])


def kernel_window(window: Window, shift: tuple[float, float]) -> Window:
    """What the kernels of a window read of the source; may stick out of it."""
    col, row = (int(np.floor(part)) for part in shift)
    return Window(
        window.col_off + col - _BEFORE,
        window.row_off + row - _BEFORE,
        window.width + _BEFORE + _AFTER,
        window.height + _BEFORE + _AFTER,
    )


def aligned(window: Window, width: int, height: int) -> Iterator[Window]:
    """Cut a window at the multiples of `width` columns and `height` rows."""
    for row in range(window.row_off // height * height, window.row_end, height):
        top, bottom = max(row, window.row_off), min(row + height, window.row_end)
        for col in range(window.col_off // width * width, window.col_end, width):
            left, right = max(col, window.col_off), min(col + width, window.col_end)
            yield Window(left, top, right - left, bottom - top)


def resample(band: NDArray[Any], shift: tuple[float, float]) -> NDArray[np.float32]:
    """Cubic convolution (Keys 1981, a = -0.5) of one band.

    Args:
        band: (height + 3, width + 3) of the source, see `kernel_window`; whole
            numbers come back rounded, halves upwards, and within their type's range.
        shift: (columns, rows), of which the fraction counts.

    Returns:
        (height, width) float32.
    """
    from scipy.ndimage import correlate1d  # slow to import, seldom needed

    out = band
    for axis, part in ((0, shift[1]), (1, shift[0])):
        weights = _weights(part - np.floor(part))
        # origin -1: the second of four weights is the pixel's own
        out = correlate1d(out, weights, axis, output=np.float64, origin=-1)
    out = out[_BEFORE:-_AFTER, _BEFORE:-_AFTER]
    if np.issubdtype(band.dtype, np.integer):
        limits = np.iinfo(band.dtype)
        out = np.clip(np.floor(out + 0.5), limits.min, limits.max)
    return out.astype(np.float32)


def _weights(fraction: float) -> NDArray[np.float64]:
    """Weights of the four pixels around a place between the second and the third."""
    near = np.array([fraction, 1.0 - fraction])
    far = np.array([1.0 + fraction, 2.0 - fraction])
    inner = 1.5 * near**3 - 2.5 * near**2 + 1.0
    outer = -0.5 * far**3 + 2.5 * far**2 - 4.0 * far + 2.0
    return np.array([outer[0], inner[0], inner[1], outer[1]])
