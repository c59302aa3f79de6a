"""Tiles of a large raster, with their coordinates, or of a picture."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from rasterio.enums import Resampling
from rasterio.windows import Window

from geosim.images.picture import Limits
from geosim.images.pixels import resized, size_within
from geosim.images.reading import SUFFIXES, read_picture
from geosim.raster.grid import Grid
from geosim.raster.source import describe, one_line_errors, open_raster
from geosim.retrieval.records import Entry, Place, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Rectangle = tuple[int, int, int, int]

LEAST_DATA = 0.5
"""Share of a tile's pixels that must have data; emptier tiles are left out."""

_STRETCH_PERCENT = (1.0, 99.0)
"""Percentiles of the raster that become 0 and 1, where it is not 8 bit."""

_NOT_OF_GDAL = frozenset({".heic", ".heif", ".hif", ".avif"})
"""Pictures that GDAL, as it comes with rasterio, does not open."""

_RGBA = 4

_LARGEST_SAMPLE = 1024
"""Side in pixels of the reduced copy that these are taken from."""


class TileReader:
    """A raster, open for reading tiles as pictures."""

    def __init__(self, path: str, dataset: Any, bands: str | None) -> None:  # noqa: ANN401
        self.path = path
        self._dataset = dataset
        self._source = describe(path, dataset, bands)
        self._stretch: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def grid(self) -> Grid:
        """The raster's grid."""
        return self._source.grid

    def read(
        self, window: Rectangle, at_most: int | None = None
    ) -> NDArray[np.float32] | None:
        """(3, height, width) in 0..1; None where more than half of it has no data.

        Pixels without data hold the tile's mean.

        Args:
            window: (col_off, row_off, width, height).
            at_most: longest side; a larger window is averaged.

        Raises:
            RasterReadError: it cannot be read.
        """
        width, height = window[2:]
        step = max(max(width, height) / (at_most or math.inf), 1.0)
        shape = (max(round(height / step), 1), max(round(width / step), 1))
        values, valid = self._pixels(shape, window=Window(*window))
        if valid.mean() < LEAST_DATA:
            return None
        low, high = self._scale()
        scaled = (values - low[:, None, None]) / (high - low)[:, None, None]
        scaled = np.clip(scaled, 0, 1).astype(np.float32)
        if not valid.all():
            scaled[:, ~valid] = scaled[:, valid].mean(axis=1, keepdims=True)
        return three_bands(scaled)

    def _scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values of each band that become 0 and 1: the same for all tiles."""
        if self._stretch is None:
            self._stretch = self._fit_scale()
        return self._stretch

    def _fit_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = len(self._source.bands)
        if self._source.dtype == "uint8":
            return np.zeros(count, np.float32), np.full(count, 255, np.float32)
        width, height = self.grid.width, self.grid.height
        step = max(max(width, height) / _LARGEST_SAMPLE, 1.0)
        shape = (max(round(height / step), 1), max(round(width / step), 1))
        values, valid = self._pixels(shape)
        if not valid.any():
            return np.zeros(count, np.float32), np.ones(count, np.float32)
        low, high = np.percentile(values[:, valid], _STRETCH_PERCENT, axis=1)
        high = np.maximum(high, low + 1e-6)
        return low.astype(np.float32), high.astype(np.float32)

    def _pixels(
        self, shape: tuple[int, int], window: Window | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (bands, *shape) and where all of them are data."""
        bands = list(self._source.bands)
        with one_line_errors(self.path):
            read = self._dataset.read(
                bands,
                masked=True,
                window=window,
                out_shape=(len(bands), *shape),
                resampling=Resampling.average,
            )
        values = np.asarray(read.data, np.float32)
        known = np.logical_and(np.isfinite(values), ~np.ma.getmaskarray(read))
        valid: NDArray[np.bool_] = np.logical_and.reduce(known, axis=0)
        return np.where(valid, values, 0).astype(np.float32), valid


class PictureReader:
    """A picture, read as one in a folder is: upright, in its colours."""

    def __init__(self, path: str) -> None:
        self._pixels = read_picture(path).pixels
        height, width = self._pixels.shape[1:]
        self.grid = Grid(
            crs=None, transform=Affine.identity(), width=width, height=height
        )

    def read(
        self, window: Rectangle, at_most: int | None = None
    ) -> NDArray[np.float32]:
        """(3, height, width) in 0..1, see `TileReader.read`."""
        col, row, width, height = window
        cut = self._pixels[:, row : row + height, col : col + width]
        return resized(cut, *size_within((width, height), at_most))


def windows_of(grid: Grid, side: int, overlap: int) -> list[Rectangle]:
    """All tiles as (col_off, row_off, width, height), row after row."""
    cols = starts(grid.width, side, overlap)
    rows = starts(grid.height, side, overlap)
    width, height = min(side, grid.width), min(side, grid.height)
    return [(col, row, width, height) for row in rows for col in cols]


def entry_of(grid: Grid, source: Source, stamp: str, window: Rectangle) -> Entry:
    """A tile as an entry of an index."""
    col, row, width, height = window
    return Entry(
        source=source,
        name=f"{col},{row}",
        width=width,
        height=height,
        stamp=stamp,
        window=window,
        place=place_of(grid, window),
    )


@contextmanager
def open_tiles(
    path: str, bands: str | None = None
) -> Iterator[TileReader | PictureReader]:
    """Open a raster or a picture for reading tiles.

    Args:
        path: anything that GDAL opens, or a picture.
        bands: as `ChangeOptions.bands`; the first three are seen. None: what has the
            name and the depth of a picture and no place on the Earth is read as one.

    Raises:
        RasterReadError: it cannot be opened.
        PictureReadError: it is damaged.
        OptionError: a band that is not there, a palette, complex numbers.
    """
    suffix = Path(path).suffix.lower()
    if suffix in _NOT_OF_GDAL:
        yield PictureReader(path)
        return
    dataset = open_raster(path)
    try:
        if bands is None and suffix in SUFFIXES and _is_picture(dataset):
            yield PictureReader(path)
        else:
            yield TileReader(path, dataset, bands)
    finally:
        dataset.close()


@contextmanager
def open_placed(path: str) -> Iterator[TileReader | None]:
    """Open a raster for reading tiles; None where it says nothing of where it lies.

    Such a raster is a picture, and may have a colour palette, which no raster may that
    is compared.

    Args:
        path: anything that GDAL opens.

    Raises:
        RasterReadError: it cannot be opened.
        GeosimError: it has coordinates, and cannot be compared.
    """
    dataset = open_raster(path)
    try:
        yield TileReader(path, dataset, None) if _placed(dataset) else None
    finally:
        dataset.close()


def _is_picture(dataset: Any) -> bool:  # noqa: ANN401
    """Whether an open raster is one for the eye, and not too large to be held."""
    small = dataset.width * dataset.height <= Limits().pixels
    deep = any(dtype != "uint8" for dtype in dataset.dtypes)
    return small and dataset.count <= _RGBA and not deep and not _placed(dataset)


def _placed(dataset: Any) -> bool:  # noqa: ANN401
    """Whether an open raster says where it lies."""
    return bool(dataset.crs or dataset.gcps[0] or dataset.rpcs)


def starts(length: int, side: int, overlap: int) -> list[int]:
    """First columns (or rows) of tiles: evenly apart, the last one moved inside.

    Args:
        length: of the raster in pixels.
        side: of a tile.
        overlap: pixels that neighbours share at least.
    """
    if length <= side:
        return [0]
    step = side - overlap
    found = list(range(0, length - side, step))
    return [*found, length - side]


def three_bands(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first three bands; of fewer, the first one three times."""
    return values[:3] if len(values) >= 3 else np.repeat(values[:1], 3, axis=0)  # noqa: PLR2004


def place_of(grid: Grid, window: Rectangle) -> Place | None:
    """Corners of a window; None without a coordinate system."""
    if grid.crs is None:
        return None
    col, row, width, height = window
    corners = (
        (col, row),
        (col + width, row),
        (col + width, row + height),
        (col, row + height),
    )
    number = grid.crs.to_epsg()
    return Place(
        crs=f"EPSG:{number}" if number else grid.crs.to_wkt(),
        corners=tuple(_float_pair(grid.transform @ corner) for corner in corners),
    )


def _float_pair(pair: Sequence[float]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
