"""Grids, windows and blocks: pure arithmetic, no file is touched here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pyproj.exceptions
from affine import Affine

from geosim.errors import GridMismatchError
from geosim.raster.areas import PixelAreas, degree_areas, quad_areas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SAME_GRID_TOLERANCE = 1e-3
"""Two grids whose pixels lie closer than this (in pixels) are one grid."""

_EDGE_POINTS = 21
"""Points per edge when an outline is carried into another CRS: straight lines bend."""


def at(
    transform: Affine, first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A geotransform at many points: (col, row) to (x, y), or its inverse back."""
    a, b, c, d, e, f = transform[:6]
    return a * first + b * second + c, d * first + e * second + f


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels of a grid; it may stick out of it."""

    col_off: int
    """First column."""
    row_off: int
    """First row."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    @property
    def col_end(self) -> int:
        """First column that is not in the window any more."""
        return self.col_off + self.width

    @property
    def row_end(self) -> int:
        """First row that is not in the window any more."""
        return self.row_off + self.height

    def grown(self, margin: int, align: int = 1) -> Window:
        """Widen by `margin` on each side, then outwards to multiples of `align`."""
        col = (self.col_off - margin) // align * align
        row = (self.row_off - margin) // align * align
        col_end = -((-self.col_end - margin) // align) * align
        row_end = -((-self.row_end - margin) // align) * align
        return Window(col, row, col_end - col, row_end - row)

    def clipped(self, width: int, height: int) -> Window:
        """The part that lies on a grid of this size; at least zero pixels."""
        col, row = max(self.col_off, 0), max(self.row_off, 0)
        return Window(
            col,
            row,
            max(min(self.col_end, width) - col, 0),
            max(min(self.row_end, height) - row, 0),
        )

    def slices_in(self, outer: Window) -> tuple[slice, slice]:
        """(rows, columns) of this window in an array that covers `outer`."""
        row, col = self.row_off - outer.row_off, self.col_off - outer.col_off
        return slice(row, row + self.height), slice(col, col + self.width)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where pixels lie: CRS, geotransform, size."""

    crs: pyproj.CRS | None
    """Coordinate reference system; None for plain images."""
    transform: Affine
    """Maps (col, row) of pixel corners to (x, y)."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    @classmethod
    def of(cls, dataset: Any) -> Grid:  # noqa: ANN401 - rasterio has no types
        """Where the pixels of an open rasterio dataset lie, by what it says itself."""
        crs = pyproj.CRS.from_user_input(dataset.crs.to_wkt()) if dataset.crs else None
        return cls(
            crs=crs,
            transform=dataset.transform,
            width=dataset.width,
            height=dataset.height,
        )

    @property
    def in_degrees(self) -> bool:
        """True where x and y are longitude and latitude in degrees."""
        if self.crs is None or not self.crs.is_geographic:
            return False
        return all(axis.unit_name == "degree" for axis in self.crs.axis_info[:2])

    @property
    def window(self) -> Window:
        """The whole grid as a window."""
        return Window(0, 0, self.width, self.height)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outline in the CRS's units."""
        x, y = self.outline()
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Length of a pixel's (column, row) step in the CRS's units."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    @property
    def coefficients(self) -> tuple[float, float, float, float, float, float]:
        """The geotransform as six plain numbers, a to f, for records."""
        t = self.transform
        return t.a, t.b, t.c, t.d, t.e, t.f

    def outline(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(x, y) of points along the outline, each of shape (4 * 21,)."""
        step = np.linspace(0.0, 1.0, _EDGE_POINTS)
        ones, zeros = np.ones_like(step), np.zeros_like(step)
        col = np.concatenate([step, ones, step[::-1], zeros]) * self.width
        row = np.concatenate([zeros, step, ones, step[::-1]]) * self.height
        return at(self.transform, col, row)

    def lonlat(self, col: float, row: float) -> tuple[float | None, float | None]:
        """Longitude and latitude (WGS 84) of a place; None without a CRS."""
        if self.crs is None:
            return None, None
        to_degrees = carried(self.crs, pyproj.CRS(4326))
        lon, lat = to_degrees.transform(*(self.transform @ (col, row)))
        return float(lon), float(lat)

    def cut(self, window: Window) -> Grid:
        """The grid of a window of this grid."""
        shifted = self.transform @ Affine.translation(window.col_off, window.row_off)
        return Grid(
            crs=self.crs, transform=shifted, width=window.width, height=window.height
        )

    def coarser(self, cell: int) -> Grid:
        """The grid whose pixels are `cell` x `cell` pixels of this one, rounded up."""
        return Grid(
            crs=self.crs,
            transform=self.transform @ Affine.scale(cell),
            width=-(-self.width // cell),
            height=-(-self.height // cell),
        )

    def ground_resolution(self) -> float | None:
        """Side of a square as large as the middle pixel, in metres; None without CRS.

        On the WGS 84 ellipsoid, so it also holds for degrees.
        """
        if self.crs is None:
            return None
        middle = np.array([self.height // 2]), np.array([self.width // 2])
        return float(math.sqrt(self.pixel_areas.at(*middle)[0, 0]))

    @cached_property
    def pixel_areas(self) -> PixelAreas:
        """Area of each pixel in m2, 1.0 without a CRS; the grid keeps it."""
        if self.crs is None:
            return PixelAreas.of(self.width, self.height, None)
        to_degrees = carried(self.crs, pyproj.CRS(4326))
        areas = degree_areas if self.crs.is_geographic else quad_areas

        def measure(
            col: NDArray[np.float64], row: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            return areas(*to_degrees.transform(*at(self.transform, col, row)))

        plain = abs(self.transform.determinant)
        return PixelAreas.of(self.width, self.height, measure, plain)


def carried(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    """What carries (x, y) from one CRS to another.

    Raises:
        GridMismatchError: nothing does, as from a local system or another planet.
    """
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise GridMismatchError(
            f"a coordinate system that can be carried to '{target.name}' is wanted; "
            f"found '{source.name}'; assign another with 'gdal_edit.py -a_srs "
            "EPSG:CODE', or take JPEG or PNG files of one size, which need none"
        ) from error


def same_crs(a: pyproj.CRS | None, b: pyproj.CRS | None) -> bool:
    """True where both are None or describe one horizontal CRS."""
    if a is None or b is None:
        return a is b
    return bool(a == b or a.equals(b, ignore_axis_order=True))


def pixel_offset(reference: Grid, other: Grid) -> tuple[int, int] | None:
    """Whole-pixel (col, row) of `other`'s origin on `reference`, or None.

    None where the pixels do not lie on each other: another size, rotation or a
    fractional offset beyond `SAME_GRID_TOLERANCE` at any corner.
    """
    relative = ~reference.transform @ other.transform
    corners = [(0, 0), (other.width, 0), (0, other.height), (other.width, other.height)]
    col0, row0 = round(relative.c), round(relative.f)
    for col, row in corners:
        at_col, at_row = relative @ (col, row)
        if abs(at_col - col - col0) > SAME_GRID_TOLERANCE:
            return None
        if abs(at_row - row - row0) > SAME_GRID_TOLERANCE:
            return None
    return col0, row0


def blocks(grid: Grid, size: int) -> Iterator[Window]:
    """Cut a grid into windows of `size` x `size` pixels, row by row.

    The last ones of a row or column are smaller; together they cover each pixel once.
    """
    for row in range(0, grid.height, size):
        for col in range(0, grid.width, size):
            yield Window(col, row, size, size).clipped(grid.width, grid.height)


def strips(grid: Grid, rows: int) -> Iterator[Window]:
    """Cut a grid into full-width windows of at most `rows` rows, from the top."""
    for row in range(0, grid.height, rows):
        yield Window(0, row, grid.width, rows).clipped(grid.width, grid.height)


def sample_windows(grid: Grid, size: int, count: int) -> list[Window]:
    """At most `count` windows of `size` px spread evenly, deterministic, in row order.

    Where the grid is not larger than the windows together, it is cut into blocks of
    `size`, which can be more where it is narrow.
    """
    if grid.width * grid.height <= size * size * count:
        return list(blocks(grid, size))
    across = max(1, round(math.sqrt(count * grid.width / grid.height)))
    across = min(across, count, max(1, grid.width // size))
    down = min(max(1, count // across), max(1, grid.height // size))
    cols = np.linspace(0, max(grid.width - size, 0), across).round().astype(int)
    rows = np.linspace(0, max(grid.height - size, 0), down).round().astype(int)
    return [
        Window(int(c), int(r), size, size).clipped(grid.width, grid.height)
        for r in rows
        for c in cols
    ]
