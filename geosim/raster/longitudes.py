"""Longitudes of rasters in degrees that go on beyond 180, across the antimeridian.

A raster of Fiji may reach from 177 to 182 degrees, one of the globe from 0 to 360.
What comes out of a transformation is counted from -180 to 180, so places on such a
raster have to be brought to its own count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj

from geosim.raster.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TURN = 360.0
_HALF = 180.0

_SLACK = 1.0
"""Degrees by which a raster of the whole globe may go beyond 180, as where its outer
pixels are centred there."""


def middle_beyond(grid: Grid) -> float | None:
    """The longitude in the middle of a grid that goes beyond 180 degrees, either way.

    None of any other, and of one that holds more than a turn.
    """
    if not grid.in_degrees:
        return None
    left, _, right, _ = grid.bounds
    room = _SLACK if around_the_globe(grid) else 0.0
    within = left >= -_HALF - room and right <= _HALF + room
    if within or right - left > _TURN + _SLACK:
        return None
    return (left + right) / 2


def around_the_globe(grid: Grid) -> bool:
    """True where a grid in degrees ends where it begins."""
    left, _, right, _ = grid.bounds
    return grid.in_degrees and right - left > _TURN - _SLACK


def near(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes along lines without the turn between two neighbours, (..., n)."""
    line: NDArray[np.float64] = np.unwrap(lon, period=_TURN)
    return line


def counted_on(grid: Grid, lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes along a closed line as a grid counts them.

    Args:
        grid: where they are looked for.
        lon: (n,) -180..180, of neighbours along the line.

    Returns:
        (n,) degrees; unchanged where the grid does not go beyond 180.
    """
    middle = middle_beyond(grid)
    if middle is None:
        return lon
    closed = near(np.append(lon, lon[0]))
    line = closed[:-1]
    line = line + np.round((middle - (line.min() + line.max()) / 2) / _TURN) * _TURN
    around_a_pole = abs(closed[-1] - closed[0]) > _HALF
    if around_a_pole or np.abs(line - middle).max() > _HALF + _SLACK:
        # it goes beyond both sides: all of them count
        line = middle + (lon - middle + _HALF) % _TURN - _HALF
    return line


def turned_to(grid: Grid, lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each longitude by itself as a grid counts it, within half a turn of its middle.

    Args:
        grid: where they are looked for.
        lon: degrees, of any shape; unchanged where the grid is not in degrees.
    """
    if not grid.in_degrees:
        return lon
    left, _, right, _ = grid.bounds
    start = (left + right) / 2 - _HALF
    return start + (lon - start) % _TURN


def turned(source: Grid, grid: Grid) -> bool:
    """Whether places of a grid must be counted anew to be found on a source."""
    beyond = middle_beyond(source) is not None or middle_beyond(grid) is not None
    return source.in_degrees and beyond


def crs_for_warping(dataset: Any, grid: Grid) -> str | None:  # noqa: ANN401 - rasterio has no types
    """What the warper must be told of an open raster's CRS to find all of its pixels.

    GDAL sees to longitudes of a source beyond 180 degrees by itself, but not where it
    is given the CRS, as rasterio always does, and never to those of the grid.

    Args:
        dataset: what is warped.
        grid: where it is warped to.

    Returns:
        WKT with the longitude that others are counted around; None: nothing.
    """
    source = Grid.of(dataset)
    if not turned(source, grid):
        return None
    assert source.crs is not None  # noqa: S101 - it is in degrees
    left, _, right, _ = source.bounds
    middle = (left + right) / 2
    flat = source.crs.sub_crs_list[0] if source.crs.is_compound else source.crs
    known = flat.to_2d().to_json_dict()
    # by its name GDAL keeps a transformation, whatever it is counted around
    named = known["source_crs"] if flat.is_bound else known
    named["name"] += f" around {middle:.10g}"
    for one in (known, named):
        one.pop("id", None)
    text = pyproj.CRS.from_json_dict(known).to_wkt("WKT1_GDAL")
    return f'{text[:-1]},EXTENSION["CENTER_LONG","{middle:.10g}"]]'
