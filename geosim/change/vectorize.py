"""Outlines of objects as polygons, and their sizes on the ellipsoid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely
from rasterio.features import shapes

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray

_GEOD = pyproj.Geod(ellps="WGS84")

_EARTH = 510_065_621_724_088.0
"""Surface of the WGS 84 ellipsoid in m2."""

_NEARLY_HALF = 0.45
"""Part of the Earth from which on a polygon may be more than half of it."""

_LONGEST_EDGE = {"degrees": 0.5, "metres": 20_000.0}
"""Of an edge that is measured in one piece: longer ones are no geodesics."""


class Outlines:
    """Collects the outlines of numbered objects strip by strip.

    Kept in pixel coordinates, which are whole numbers: joining strips there is exact.
    """

    def __init__(self) -> None:
        self._parts: dict[int, list[shapely.Polygon]] = {}

    def add(self, numbers: NDArray[np.int32], row_off: int) -> None:
        """Take in a strip.

        Args:
            numbers: (rows, width), object numbers from 1, 0 where there is none.
            row_off: the strip's first row on the grid.
        """
        offset = np.array([0.0, row_off])
        for geometry, number in shapes(numbers, mask=numbers > 0, connectivity=4):
            rings = [
                shapely.linearrings(np.array(ring) + offset)
                for ring in geometry["coordinates"]
            ]
            polygon = shapely.polygons(rings[0], rings[1:] or None)
            self._parts.setdefault(int(number), []).append(polygon)

    def joined(self, count: int) -> list[shapely.Polygon]:
        """The outlines of objects 1..count in (col, row), joined across strips."""
        whole = np.empty(count, object)
        for place in range(count):
            parts = self._parts[place + 1]
            whole[place] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
        return list(tidied(whole))


def tidied(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons without points on straight lines, in an order of their own.

    They no longer depend on the pieces that they were joined of.
    """
    # normalised first, so that no ring starts at a point on a straight line
    plain = shapely.simplify(shapely.normalize(polygons), 0.0)
    found: NDArray[np.object_] = shapely.normalize(plain)
    return found


def pixels_of(
    outline: shapely.Polygon, objects: NDArray[np.bool_], col_off: int, row_off: int
) -> NDArray[np.bool_]:
    """Where in a window the object of an outline is.

    Found by what hangs together, not by drawing the outline: that takes as many steps
    as it has corners in each row, minutes for a large ragged one.

    Args:
        outline: in (col, row), as `Outlines.joined` gives it.
        objects: (height, width), True in any object; holds the whole of this one.
        col_off: the window's first column on the grid.
        row_off: the window's first row on the grid.

    Returns:
        (height, width), True in this object.
    """
    from scipy.ndimage import label  # slow to import

    labels, _ = label(objects)
    within = outline.representative_point()
    number = labels[int(within.y) - row_off, int(within.x) - col_off]
    found: NDArray[np.bool_] = labels == number
    return found


def to_map(polygons: list[shapely.Polygon], transform: Affine) -> NDArray[np.object_]:
    """(col, row) polygons in map coordinates, exterior rings counter-clockwise."""

    def apply(points: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c, d, e, f = transform[:6]
        moved: NDArray[np.float64] = points @ np.array([[a, d], [b, e]])
        moved += np.array([c, f])
        return moved

    mapped = shapely.transform(np.array(polygons, dtype=object), apply)
    return np.asarray(shapely.orient_polygons(mapped))


def sizes(
    polygons: NDArray[np.object_], crs: pyproj.CRS | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(area in m2, perimeter in m) of each polygon on the WGS 84 ellipsoid.

    The perimeter counts the edges of holes too, as in PostGIS and QGIS.
    NaN without a CRS: pixels have no size then.
    """
    if crs is None or not len(polygons):
        missing = np.full(len(polygons), np.nan)
        return missing, missing.copy()
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)

    def apply(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = to_degrees.transform(points[:, 0], points[:, 1])
        return np.column_stack([lon, np.clip(lat, -90.0, 90.0)])  # as the pixels' areas

    placed = shapely.transform(_in_pieces(polygons, crs), apply)
    found = (abs(_GEOD.geometry_area_perimeter(polygon)[0]) for polygon in placed)
    areas = np.array(list(found))
    # a ring parts the globe in two, of which the smaller one was measured
    wide = shapely.area(shapely.transform(placed, _on_cylinder)) > _NEARLY_HALF
    for place in np.flatnonzero(wide):
        outer, *holes = map(_inside_of, shapely.get_rings(placed[place]))
        areas[place] = outer - sum(holes)
    return areas, _perimeters(placed)


def _on_cylinder(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(longitude, latitude) on Lambert's cylinder of equal areas, the Earth being 1."""
    lon, lat = points[:, 0] / 360.0, np.radians(points[:, 1])
    return np.column_stack([lon, np.sin(lat) / 2.0])


def _inside_of(ring: shapely.LinearRing) -> float:
    """Area in m2 of what a ring in degrees goes around, however large it is."""
    points = shapely.get_coordinates(ring)
    found = abs(_GEOD.polygon_area_perimeter(*points.T)[0])
    x, y = _on_cylinder(points).T
    x = np.unwrap(x, period=1.0)  # follows it across 180 degrees
    share = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return float(min(found, _EARTH - found, key=lambda m2: abs(m2 - share * _EARTH)))


def _in_pieces(polygons: NDArray[np.object_], crs: pyproj.CRS) -> NDArray[np.object_]:
    """The polygons without edges that are too long for geodesics."""
    longest = _LONGEST_EDGE["degrees"]
    if not crs.is_geographic:
        unit = crs.axis_info[0].unit_conversion_factor or 1.0
        longest = _LONGEST_EDGE["metres"] / unit
    bounds = shapely.bounds(polygons)
    if (bounds[:, 2:] - bounds[:, :2]).max() <= longest:
        return polygons
    return np.asarray(shapely.segmentize(polygons, longest))


def _perimeters(placed: NDArray[np.object_]) -> NDArray[np.float64]:
    """Length in m of all rings of each polygon (no multipolygon), in degrees."""
    rings, of_polygon = shapely.get_rings(placed, return_index=True)
    points, of_ring = shapely.get_coordinates(rings, return_index=True)
    edges = of_ring[1:] == of_ring[:-1]
    start, end = points[:-1][edges], points[1:][edges]
    _, _, lengths = _GEOD.inv(start[:, 0], start[:, 1], end[:, 0], end[:, 1])
    polygon = of_polygon[of_ring[1:][edges]]
    return np.bincount(polygon, lengths, len(placed)).astype(np.float64)
