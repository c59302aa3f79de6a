"""Polygons of any CRS brought to a grid, with edges as straight as they were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geosim.raster.grid import at, carried, same_crs
from geosim.raster.longitudes import turned_to

if TYPE_CHECKING:
    import pyproj
    from numpy.typing import NDArray

    from geosim.raster.grid import Grid

_POINTS = 33
"""Points each way across the grid that tell where it lies in the polygons' CRS."""

_ROOM = 0.1
"""Share of that place's size by which it is widened before polygons are cut to it."""

_PIECES = 200
"""Pieces that an edge across the whole place is cut into: an arc over 300 km is then
off by less than a metre."""

_TURN, _HALF_TURN = 360.0, 180.0
"""Degrees: points that lie more than half apart are nearer the other way round."""

_AREAL = shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON


def polygons_on(
    geometries: NDArray[np.object_], crs: pyproj.CRS | None, grid: Grid
) -> NDArray[np.object_]:
    """Polygons in the grid's CRS, those of another CRS cut to its surroundings.

    An edge is straight in the CRS it was drawn in, and an arc in another one: it is cut
    into short pieces before its corners are carried over. What lies far away, perhaps
    where the grid's CRS has no place for it, is left out before.

    Args:
        geometries: of shapely; what is not a polygon, empty or None is left out.
        crs: of the geometries.
        grid: whose CRS they are brought to; both have one, or neither.

    Raises:
        GridMismatchError: nothing carries from one CRS to the other.
    """
    areal = _areal(geometries)
    if crs is None or grid.crs is None:
        return areal
    if same_crs(crs, grid.crs):
        return _at_all_turns(areal, grid) if grid.in_degrees else areal
    there, parts = carried(crs, grid.crs), [np.empty(0, object)]
    for place in _places(crs, grid):
        left, bottom, right, top = place.bounds
        step = max(right - left, top - bottom) / _PIECES
        parts.append(
            shapely.transform(
                shapely.segmentize(_cut(areal, place), step),
                lambda xy: _columns(grid, *there.transform(xy[:, 0], xy[:, 1])),
            )
        )
    return np.concatenate(parts)


def _columns(
    grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2) of places in the grid's CRS, longitudes as the grid counts them."""
    return np.column_stack([turned_to(grid, x), y])


def _at_all_turns(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Polygons in degrees, each where it meets the grid, however it was counted."""
    here = shapely.box(*grid.bounds)
    found = [np.empty(0, object)]
    for turn in (0.0, -_TURN, _TURN):
        step = np.array([turn, 0.0])
        moved = shapely.transform(polygons, lambda xy, by=step: xy + by)
        found.append(moved[shapely.intersects(shapely.envelope(moved), here)])
    return np.concatenate(found)


def _areal(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Those that are polygons and not empty."""
    polygons = geometries[np.isin(shapely.get_type_id(geometries), _AREAL)]
    found: NDArray[np.object_] = polygons[~shapely.is_empty(polygons)]
    return found


def _cut(polygons: NDArray[np.object_], place: shapely.Polygon) -> NDArray[np.object_]:
    """What of them lies in a place."""
    near = polygons[shapely.intersects(shapely.envelope(polygons), place)]
    inside = shapely.within(shapely.envelope(near), place)
    crossing = shapely.intersection(shapely.make_valid(near[~inside]), place)
    return np.concatenate([near[inside], _areal(shapely.get_parts(crossing))])


def _places(crs: pyproj.CRS, grid: Grid) -> list[shapely.Polygon]:
    """Boxes in the polygons' CRS that hold the grid: of degrees one in each turn."""
    col, row = np.meshgrid(
        np.linspace(0, grid.width, _POINTS), np.linspace(0, grid.height, _POINTS)
    )
    assert grid.crs is not None  # noqa: S101 - asked for with one only
    points = carried(grid.crs, crs).transform(*at(grid.transform, col, row))
    known = np.isfinite(points).all(axis=0)
    if not known.any():
        return []
    x, y = (np.asarray(one)[known] for one in points)
    sides = [(x.min(), x.max())]
    bottom, top = y.min(), y.max()
    if crs.is_geographic:
        left, right = sides[0]
        if np.ptp(x) > _HALF_TURN:
            left, right = x[x >= 0].min(), x[x < 0].max() + _TURN
        # files may count beyond 180 degrees, either way
        sides = [(left + by, right + by) for by in (0.0, -_TURN, _TURN)]
        bottom, top = (
            pole if _holds(grid, crs, pole) else edge
            for pole, edge in ((-90.0, bottom), (90.0, top))
        )
    return [_widened(left, bottom, right, top) for left, right in sides]


def _holds(grid: Grid, crs: pyproj.CRS, latitude: float) -> bool:
    """Whether a pole lies on the grid, where no row of points may meet it."""
    assert grid.crs is not None  # noqa: S101 - asked for with one only
    x, y = carried(crs, grid.crs).transform(0.0, latitude)
    col, row = at(~grid.transform, np.array(x), np.array(y))
    return bool(0 <= col <= grid.width and 0 <= row <= grid.height)


def _widened(left: float, bottom: float, right: float, top: float) -> shapely.Polygon:
    room = _ROOM * max(right - left, top - bottom)
    return shapely.box(left - room, bottom - room, right + room, top + room)
