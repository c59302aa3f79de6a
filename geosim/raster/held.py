"""A date's pixels kept in memory, where the whole raster is small.

However little is read of a date that is warped, GDAL warps whole blocks for it. A
raster that is sampled as a whole in any case is read once, and every window is cut from
that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from geosim.raster.date import OpenDate
    from geosim.raster.grid import Grid, Window

    Pixels = tuple[NDArray[np.float32], NDArray[np.bool_]]
    Reading = Callable[[Window, tuple[int, ...] | None], Pixels]

MOST_PIXELS = 1_572_864
"""Of a raster that is held: as many as a sample has, 24 windows of 256 x 256 px."""

MOST_BYTES = 16_000_000
"""Of a date that is held."""


def holding(date: OpenDate, grid: Grid) -> Reading:
    """How a date is read: from memory where the grid is small, else from its file.

    Args:
        date: ready to be read on the grid.
        grid: the scene's.

    Returns:
        What `date.read` is, to the same values. Not safe for two threads at a time.
    """
    if grid.width * grid.height > MOST_PIXELS:
        return date.read
    return _Held(date, grid).read


class _Held:
    """The whole of a date, read at the first asking."""

    def __init__(self, date: OpenDate, grid: Grid) -> None:
        self._date, self._grid = date, grid
        self._there: dict[tuple[int, ...], Pixels | None] = {}
        self._room = MOST_BYTES

    def read(self, window: Window, bands: tuple[int, ...] | None = None) -> Pixels:
        """As `OpenDate.read`."""
        wanted = tuple(bands or self._date.source.bands)
        ordered = tuple(sorted(set(wanted)))
        if ordered not in self._there:
            self._there[ordered] = self._read_all(ordered)
        held = self._there[ordered]
        if held is None:
            return self._date.read(window, bands)
        rows, cols = window.slices_in(self._grid.window)
        places = [ordered.index(band) for band in wanted]
        values, valid = held
        return values[places, rows, cols].astype(np.float32), valid[rows, cols].copy()

    def _read_all(self, bands: tuple[int, ...]) -> Pixels | None:
        """All pixels of some bands; None where they take too much room."""
        dtypes = self._date.dataset.dtypes
        dtype = _stored_as(dtypes[band - 1] for band in bands)
        grid = self._grid
        size = grid.width * grid.height * (len(bands) * dtype.itemsize + 1)
        if size > self._room:
            return None
        self._room -= size
        values, valid = self._date.read(grid.window, bands)
        return values.astype(dtype, copy=False), valid


def _stored_as(dtypes: Iterable[str]) -> np.dtype[np.generic]:
    """Type that takes least room and holds what is read of such bands exactly.

    A VRT may have bands of several types.
    """
    own = np.result_type(*dtypes)
    small = own.kind in "ui" and own.itemsize < np.dtype(np.float32).itemsize
    return own if small else np.dtype(np.float32)
