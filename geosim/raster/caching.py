"""How much of a date GDAL should keep decoded, so that little is decoded twice.

A date is read for the sample, by blocks with margins in the first pass, by strips of
the whole width in the second, and for the report. The blocks of the file are others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.raster.date import size_ratio

if TYPE_CHECKING:
    from geosim.raster.date import OpenDate
    from geosim.raster.grid import Grid

_QUICK = "GTiff"
"""A format whose blocks are decoded by themselves and quickly. With JPEG 2000 that
takes longer than the network does, of PNG and JPEG all rows above are decoded as well,
and what comes over a network is fetched anew."""

_ELSEWHERE = "/vsi"
"""How the names of GDAL's virtual file systems begin: archives, networks."""

_ROWS_OF_TILES = 1024
"""Of a quick format with tiles: more than a strip of the second pass touches, and what
neighbouring windows share at their sides."""

_ROWS_OF_STRIPS = 4096
"""Of a quick format with strips, of which every window decodes the whole width: more
than blocks of the first pass are high."""


def cache_bytes(date: OpenDate, grid: Grid) -> int:
    """Bytes of blocks, as GDAL holds them, that are worth keeping.

    Args:
        date: ready to be read on the grid.
        grid: what it is read on.

    Returns:
        Those of the whole date, or of some rows of it where its format is quick.
    """
    dataset, dtype = date.dataset, date.source.dtype
    ratio = size_ratio(date.source.grid, grid)[0] if date.warped else 1.0
    scale = ratio if ratio < math.inf else 1.0
    rows = _rows(dataset, date.source.path, grid)
    found = _block_bytes(dataset, dtype, rows * scale, grid.width * scale)
    for reader in (date.reader if date.warped else None, date.masked):
        if reader is not None:
            found += _block_bytes(reader, dtype, min(rows, _ROWS_OF_TILES), grid.width)
    return found


def _rows(dataset: Any, path: str, grid: Grid) -> int:  # noqa: ANN401
    """Rows of the grid whose blocks are kept."""
    if dataset.driver != _QUICK or path.startswith(_ELSEWHERE):
        return grid.height
    _, wide = dataset.block_shapes[0]
    most = _ROWS_OF_TILES if wide < dataset.width else _ROWS_OF_STRIPS
    return min(most, grid.height)


def _block_bytes(dataset: Any, dtype: str, rows: float, columns: float) -> int:  # noqa: ANN401
    """Bytes of the blocks that a window of that size touches, wherever it lies."""
    high, wide = dataset.block_shapes[0]
    down = min(math.ceil(rows / high) + 1, math.ceil(dataset.height / high))
    across = min(math.ceil(columns / wide) + 1, math.ceil(dataset.width / wide))
    pixels = down * high * across * wide
    return int(pixels * dataset.count * np.dtype(dtype).itemsize)
