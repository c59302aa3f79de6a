"""Where a grid lies on the globe: pure arithmetic for GeoJSON and STAC."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry import mapping

from geosim.publish.record import GridRecord

POINTS_PER_EDGE = 20
DECIMALS = 7
FULL_TURN = 360.0


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The outline of a grid in longitude and latitude."""

    geometry: dict[str, Any]
    """GeoJSON Polygon, or MultiPolygon where it crosses the antimeridian."""
    bbox: tuple[float, float, float, float]
    """`west, south, east, north`; west > east where it crosses the antimeridian."""


def footprint(grid: GridRecord) -> Footprint | None:
    """The outline of the grid; None without a CRS or without a place on the globe.

    Edges are densified before they are projected, because a straight edge of the
    grid is seldom straight in longitude and latitude.
    """
    if grid.wkt is None:
        return None
    outline = _outline(grid)
    to_lonlat = Transformer.from_crs(CRS.from_wkt(grid.wkt), 4326, always_xy=True)
    lon, lat = to_lonlat.transform(outline[:, 0], outline[:, 1])
    if not np.isfinite([lon, lat]).all():
        return None
    lon = np.unwrap(lon, period=FULL_TURN)
    if abs(lon[-1] - lon[0]) > FULL_TURN / 2:
        return _around_pole(lon, lat)
    ring = shapely.Polygon(np.column_stack([lon, lat]))
    return _on_globe(ring)


def _outline(grid: GridRecord) -> NDArray[np.float64]:
    """Closed ring of map coordinates along the outer pixel edges."""
    step = np.arange(POINTS_PER_EDGE) / POINTS_PER_EDGE
    cols = np.concatenate([step, np.ones_like(step), 1 - step, 0 * step, [0]])
    rows = np.concatenate([0 * step, step, np.ones_like(step), 1 - step, [0]])
    cols, rows = cols * grid.width, rows * grid.height
    a, b, c, d, e, f = grid.transform
    return np.column_stack([a * cols + b * rows + c, d * cols + e * rows + f])


def _around_pole(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Footprint:
    """The outline runs once around a pole: close it along the pole itself."""
    pole = 90.0 if lat.mean() > 0 else -90.0
    ring = shapely.Polygon(
        [*zip(lon, lat, strict=True), (lon[-1], pole), (lon[0], pole)]
    )
    pieces = _pieces(ring)
    south, north = sorted([pole, float(lat.min() if pole > 0 else lat.max())])
    return Footprint(
        geometry=_geojson(pieces),
        bbox=(-180.0, round(south, DECIMALS), 180.0, round(north, DECIMALS)),
    )


def _on_globe(ring: shapely.Polygon) -> Footprint:
    """Bring an outline with unwrapped longitudes back to -180..180."""
    west, south, east, north = ring.bounds
    if east - west >= FULL_TURN - 10**-DECIMALS:
        west, east = -FULL_TURN / 2, FULL_TURN / 2
    else:
        west, east = _wrapped(west), _wrapped(east)
    if east == -FULL_TURN / 2:
        east = FULL_TURN / 2
    south, north = max(south, -90.0), min(north, 90.0)  # rows centred on the poles
    bbox = tuple(round(float(value), DECIMALS) for value in (west, south, east, north))
    return Footprint(
        geometry=_geojson(_pieces(ring)), bbox=(bbox[0], bbox[1], bbox[2], bbox[3])
    )


def _wrapped(lon: float) -> float:
    return (lon + FULL_TURN / 2) % FULL_TURN - FULL_TURN / 2


def _pieces(ring: shapely.Polygon) -> list[shapely.Polygon]:
    """The parts of the outline in each turn of the globe, all in -180..180."""
    found: list[shapely.Polygon] = []
    for turn in (-1, 0, 1):
        start = turn * FULL_TURN - FULL_TURN / 2
        part = ring.intersection(shapely.box(start, -90, start + FULL_TURN, 90))
        part = shapely.transform(part, lambda xy, t=turn: xy - [t * FULL_TURN, 0])
        found += [p for p in shapely.get_parts(part) if p.area > 0]
    return found


def _geojson(pieces: list[shapely.Polygon]) -> dict[str, Any]:
    """GeoJSON with outer rings counter-clockwise and 7 decimals (RFC 7946)."""
    rounded = [
        shapely.transform(
            shapely.orient_polygons(p), lambda xy: np.round(xy, DECIMALS) + 0.0
        )
        for p in pieces
    ]
    shape = rounded[0] if len(rounded) == 1 else shapely.MultiPolygon(rounded)
    outline: dict[str, Any] = mapping(shape)
    return {"type": outline["type"], "coordinates": _lists(outline["coordinates"])}


def _lists(value: Any) -> Any:  # noqa: ANN401
    """Nested tuples as nested lists."""
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value
