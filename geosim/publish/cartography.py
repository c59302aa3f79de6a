"""What makes a picture a map: its shape on the ground, scale, north, corners.

Pure arithmetic on a grid. Places in a picture are shares of its width and height, from
its top left corner, so that they hold in whatever size it is shown. All lengths are
geodesic, on the WGS 84 ellipsoid: they hold for degrees and for rotated grids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Geod, Transformer

from geosim.publish.footprint import FULL_TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.publish.record import GridRecord

_GEOD = Geod(ellps="WGS84")
_POINTS = 21
"""Points along a row or column whose length is measured."""

_ROUND = (1.0, 2.0, 5.0)
SQUARE = 0.001
"""Relative difference of a pixel's sides on the ground that is left as it is."""


@dataclass(frozen=True, kw_only=True)
class ScaleBar:
    """A round length on the ground and how long it is in the picture."""

    metres: float
    """The length: 1, 2 or 5 times a power of ten."""
    share: float
    """Part of the picture's width that it takes."""

    @property
    def label(self) -> str:
        """The length in words."""
        return length_label(self.metres)


def length_label(metres: float) -> str:
    """`500 m`, `2 km`, `20 cm`."""
    if metres >= 1000:  # noqa: PLR2004 - a kilometre
        return f"{metres / 1000:g}\u00a0km"
    if metres >= 1:
        return f"{metres:g}\u00a0m"
    return f"{100 * metres:g}\u00a0cm"


@lru_cache(maxsize=8)  # a page asks for each map of one grid
def ground_size(grid: GridRecord) -> tuple[float, float] | None:
    """Width of the middle row and height of the middle column in metres.

    None without a CRS, or without a place on the globe.
    """
    if grid.wkt is None:
        return None
    along = np.linspace(0.0, 1.0, _POINTS)
    middle = np.full(_POINTS, 0.5)
    width = _length(grid, along, middle)
    height = _length(grid, middle, along)
    if not (math.isfinite(width) and math.isfinite(height) and width and height):
        return None
    return width, height


def map_shape(grid: GridRecord) -> tuple[float, float]:
    """Width and height in which a picture of the grid has the ground's proportions.

    Pixels of a geographic CRS are narrower on the ground than high; shown as squares
    they would stretch the land, and one scale bar could not hold for both directions.
    """
    size = ground_size(grid)
    if size is None:
        return float(grid.width), float(grid.height)
    ratio = (size[0] / grid.width) / (size[1] / grid.height)
    if abs(ratio - 1) < SQUARE:
        return float(grid.width), float(grid.height)
    return grid.width * ratio, float(grid.height)


def scale_bar(grid: GridRecord, largest: float = 0.28) -> ScaleBar | None:
    """The longest round length that takes at most a part of the picture's width.

    Args:
        grid: of the picture.
        largest: that part.

    Returns:
        None without a CRS.
    """
    size = ground_size(grid)
    if size is None:
        return None
    metres = round_below(size[0] * largest)
    return ScaleBar(metres=metres, share=metres / size[0])


def round_below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a value."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    best = max(step for step in _ROUND if step * power <= value * (1 + 1e-9))
    return float(f"{best * power:.12g}")


def north_angle(grid: GridRecord) -> float | None:
    """Where north lies in the middle of the picture: degrees clockwise from its top.

    Of the picture as `map_shape` shows it. None without a CRS.
    """
    size = ground_size(grid)
    if size is None:
        return None
    lon, lat = lonlat_at(grid, np.array([0.5]), np.array([0.5]))
    step = 0.01 * min(size)
    lon_to, lat_to, _ = _GEOD.fwd(lon, lat, [0.0], [step])
    x, y = shares_at(grid, np.array(lon_to), np.array(lat_to))
    width, height = map_shape(grid)
    angle = math.degrees(math.atan2((x[0] - 0.5) * width, (0.5 - y[0]) * height))
    return angle if math.isfinite(angle) else None


def corners(grid: GridRecord) -> list[tuple[float, float]] | None:
    """(lon, lat) of the picture's corners: top left, top right, bottom right and left.

    None without a CRS.
    """
    if ground_size(grid) is None:
        return None
    lon, lat = lonlat_at(grid, np.array([0.0, 1, 1, 0]), np.array([0.0, 0, 1, 1]))
    wrapped = (lon + FULL_TURN / 2) % FULL_TURN - FULL_TURN / 2
    return list(zip(wrapped.tolist(), lat.tolist(), strict=True))


def lonlat_at(
    grid: GridRecord, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of places given as shares of width and height."""
    a, b, c, d, e, f = grid.transform
    col, row = x * grid.width, y * grid.height
    to_lonlat = _to_lonlat(grid.wkt or "")
    lon, lat = to_lonlat.transform(a * col + b * row + c, d * col + e * row + f)
    return np.asarray(lon), np.asarray(lat)


def shares_at(
    grid: GridRecord, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of longitudes and latitudes as shares of width and height."""
    a, b, c, d, e, f = grid.transform
    to_lonlat = _to_lonlat(grid.wkt or "")
    x, y = map(np.asarray, to_lonlat.transform(lon, lat, direction="INVERSE"))
    if CRS.from_wkt(grid.wkt or "").is_geographic:
        # the turn of the globe that the grid lies in
        middle = a * grid.width / 2 + b * grid.height / 2 + c
        x = x + FULL_TURN * np.round((middle - x) / FULL_TURN)
    det = a * e - b * d
    col = (e * (x - c) - b * (y - f)) / det
    row = (a * (y - f) - d * (x - c)) / det
    return col / grid.width, row / grid.height


@lru_cache(maxsize=8)
def _to_lonlat(wkt: str) -> Transformer:
    """From a CRS to longitude and latitude of WGS 84."""
    return Transformer.from_crs(CRS.from_wkt(wkt), 4326, always_xy=True)


def _length(grid: GridRecord, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Geodesic length of a line through places given as shares."""
    lon, lat = lonlat_at(grid, x, y)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return math.nan
    return float(_GEOD.line_length(lon, lat))
