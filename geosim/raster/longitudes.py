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

_DEGREES = "degree"


def middle_beyond(grid: Grid) -> float | None:
    """The longitude in the middle of a grid that goes beyond 180 degrees, either way.

    None of any other, and of one that holds more than a turn.
    """
    if grid.crs is None or not grid.crs.is_geographic or not _in_degrees(grid):
        return None
    left, _, right, _ = grid.bounds
    room = _SLACK if right - left > _TURN - _SLACK else 0.0
    within = left >= -_HALF - room and right <= _HALF + room
    if within or right - left > _TURN + _SLACK:
        return None
    return (left + right) / 2


def _in_degrees(grid: Grid) -> bool:
    assert grid.crs is not None  # noqa: S101 - asked for with one only
    return all(axis.unit_name == _DEGREES for axis in grid.crs.axis_info[:2])


def near(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes along a line without the turn between two neighbours, (n,) degrees."""
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


def crs_for_warping(dataset: Any) -> str | None:  # noqa: ANN401 - rasterio has no types
    """What the warper must be told of an open raster's CRS to find all of its pixels.

    GDAL sees to longitudes beyond 180 degrees by itself, but not where it is given the
    CRS, as rasterio always does.

    Returns:
        WKT with the longitude that others are counted around; None: nothing.
    """
    if dataset.crs is None:
        return None
    crs = pyproj.CRS.from_user_input(dataset.crs.to_wkt())
    grid = Grid(
        crs=crs,
        transform=dataset.transform,
        width=dataset.width,
        height=dataset.height,
    )
    middle = middle_beyond(grid)
    if middle is None:
        return None
    flat = crs.sub_crs_list[0] if crs.is_compound else crs
    known = flat.to_2d().to_json_dict()
    # by its name GDAL keeps a transformation, whatever it is counted around
    known["name"] += f" around {middle:.10g}"
    known.pop("id", None)
    text = pyproj.CRS.from_json_dict(known).to_wkt("WKT1_GDAL")
    return f'{text[:-1]},EXTENSION["CENTER_LONG","{middle:.10g}"]]'
