"""What fills the sample landscape, by chance from a seed: fields, houses, trees, cars.

Coordinates are those of `shapes`: metres, x to the east and y to the south.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapes
from settlement import (
    House,
    Plot,
    cars,
    chance,
    estate,
    fences,
    placed,
    stream,
    village,
    village_at,
)
from shapely import LineString, Polygon, ops, unary_union
from shapes import AFTER, BEFORE, Date, Geometry, Road

CHANGE_CLASSES = {
    1: "forest cleared",
    2: "houses built",
    3: "road built",
    4: "water moved or dug",
    5: "house removed",
    6: "gravel pit opened",
}
_SMALLEST_FIELD = 600.0  # square metres


@dataclass(frozen=True)
class Field:
    """A parcel with one crop in rows along `heading` (degrees)."""

    outline: Geometry
    crop: int
    heading: float


@dataclass(frozen=True)
class Tree:
    """A crown of `radius` m at (x, y), `height` m tall, with a `tint` of 0..1."""

    x: float
    y: float
    radius: float
    height: float
    conifer: bool
    tint: float


@dataclass(frozen=True)
class Landscape:
    """All that a camera would see on one date; empty polygons for what is not there."""

    date: Date
    fields: list[Field]
    water: Geometry
    dry_bed: Geometry
    plots: list[Plot]
    vacant: list[Plot]
    roads: list[Road]
    trees: list[Tree]
    hedges: Geometry
    cars: list[House]
    clearing: Geometry
    pit: Geometry


def change_polygons(seed: int) -> dict[int, Geometry]:
    """What really changed, by class code; a later one lies on top of an earlier one."""
    added, removed = (village_at(seed, date)[1] for date in (BEFORE, AFTER))
    plots = unary_union([plot.outline.buffer(2) for plot in estate(seed)]).buffer(-1)
    old_ways = unary_union([road.outline for road in shapes.old_roads()])
    new_ways = unary_union([road.outline.buffer(0.8) for road in shapes.new_roads()])
    return {
        1: shapes.clearing(),
        2: unary_union([plots, *(plot.footprint for plot in added)]),
        4: unary_union([shapes.river_moved(), shapes.new_pond().buffer(2.5)]),
        5: unary_union([plot.footprint for plot in removed]),
        6: shapes.pit(),
        3: new_ways.difference(old_ways),
    }


def _long_side(area: Geometry) -> tuple[float, float]:
    """The vector of the long side of the rectangle around an area."""
    corners = np.asarray(area.minimum_rotated_rectangle.exterior.coords)[:3]
    sides = np.diff(corners, axis=0)
    x, y = sides[np.argmax(np.hypot(*sides.T))]
    return float(x), float(y)


def _cut(
    land: Geometry, rng: np.random.Generator, cuts: list[Geometry]
) -> list[Geometry]:
    """Cut land across its long side until the pieces have the size of a field."""
    if land.area < rng.uniform(7000, 15000):
        return [land]
    x, y = _long_side(land)
    aside = rng.uniform(-0.12, 0.12)
    middle = (land.centroid.x + x * aside, land.centroid.y + y * aside)
    across = np.degrees(np.arctan2(y, x)) + 90 + rng.normal(0, 6)
    knife = placed(LineString([(-900, 0), (900, 0)]), *middle, across)
    cuts.append(knife.intersection(land))
    pieces = [part for part in ops.split(land, knife).geoms if part.area > 1]
    return [field for part in pieces for field in _cut(part, rng, cuts)]


def _parcels(seed: int) -> tuple[list[Field], list[Geometry]]:
    """The fields, and the hedges on some of the borders between them."""
    rng = stream(seed, "fields")
    plots = unary_union([plot.outline for plot in village(seed)]).buffer(2).buffer(-1)
    roads = [road.outline.buffer(2.5) for road in shapes.old_roads()]
    woods = [shapes.forest().buffer(5), shapes.copse().buffer(4), shapes.orchard()]
    taken = [shapes.valley(), plots, shapes.old_pond().buffer(9), *woods, *roads]
    land = shapes.FRAME.difference(unary_union(taken))
    cuts: list[Geometry] = []
    fields = []
    for part in getattr(land, "geoms", [land]):
        for piece in _cut(part, rng, cuts):
            outline = piece.buffer(-4).buffer(2.8)
            if outline.area > _SMALLEST_FIELD:
                x, y = _long_side(outline)
                heading = float(np.degrees(np.arctan2(y, x)))
                fields.append(Field(outline, int(rng.integers(1000)), heading))
    return fields, [cut for cut in cuts if chance(rng, 0.5)]


def _scatter(
    rng: np.random.Generator, area: Geometry, spacing: float, share: float = 1.0
) -> list[tuple[float, float]]:
    """A share of the points of a shaken grid, about `spacing` m apart, in an area."""
    if area.is_empty:
        return []
    left, top, right, bottom = area.bounds
    y, x = np.mgrid[top:bottom:spacing, left:right:spacing]
    grid = np.stack([x.ravel(), y.ravel()], 1)
    grid += rng.uniform(-0.45, 0.45, grid.shape) * spacing
    kept = shapes.inside(area, grid) & (rng.random(len(grid)) < share)
    return [(float(x), float(y)) for x, y in grid[kept]]


def _tree(
    rng: np.random.Generator, x: float, y: float, size: float, conifers: float = 0.0
) -> Tree:
    """A tree of about `size` m crown radius; `conifers` is their share."""
    conifer = chance(rng, conifers)
    radius = size * float(np.clip(rng.lognormal(-0.05, 0.25), 0.5, 1.7))
    radius *= 0.8 if conifer else 1.0
    height = radius**0.7 * rng.uniform(4.2, 5.5) * (1.3 if conifer else 1.0)
    stand = 0.5 + 0.3 * np.sin(x / 23 + y / 51) * np.cos(y / 19 - x / 67)  # of one kind
    tint = float(np.clip(stand + rng.normal(0, 0.25), 0, 1))
    return Tree(x, y, radius, height, conifer, tint)


def _woods(rng: np.random.Generator) -> list[Tree]:
    """The trees of the forest, with conifers in one part, and of the copse."""
    wooded = unary_union([shapes.forest().intersection(shapes.FRAME), shapes.copse()])
    spots = _scatter(rng, wooded, 4.9, 0.96)
    in_conifers = shapes.inside(shapes.conifers(), spots)
    return [
        _tree(rng, x, y, 3.1, 0.8 if dark else 0.1)
        for (x, y), dark in zip(spots, in_conifers, strict=True)
    ]


def _along(
    rng: np.random.Generator, line: Geometry, step: float, size: float, share: float
) -> Iterator[Tree]:
    """Trees along a line, with gaps: a share of the places every `step` m."""
    for place in np.arange(0, line.length, step):
        spot = line.interpolate(place + rng.normal(0, 0.15 * step))
        dx, dy = rng.normal(0, 0.25 * size, 2)
        gap = np.sin(place / 9 + line.length) < -0.75 and step < size * 2  # noqa: PLR2004
        if chance(rng, share) and not gap:
            yield _tree(rng, spot.x + dx, spot.y + dy, size)


def _open_land_trees(rng: np.random.Generator, hedges: list[Geometry]) -> list[Tree]:
    """Hedgerows, trees along water and roads, single trees, the orchard."""
    trees = [tree for line in hedges for tree in _along(rng, line, 2.4, 1.8, 0.85)]
    trees += [tree for line in hedges for tree in _along(rng, line, 21, 3.4, 0.6)]
    water, moved = shapes.river(BEFORE), shapes.river_moved().buffer(8)
    bank = water.buffer(7).difference(unary_union([water.buffer(2), moved]))
    meadow = shapes.valley().difference(unary_union([water.buffer(8), moved]))
    pond = shapes.old_pond().buffer(5).difference(shapes.old_pond().buffer(1.5))
    places = [(bank, 4.5, 0.45, 2.8), (meadow, 14, 0.3, 2.6), (pond, 6, 0.7, 2.2)]
    for area, spacing, share, size in places:
        trees += [_tree(rng, *p, size) for p in _scatter(rng, area, spacing, share)]
    for line in (*shapes.main_roads(), shapes.side_streets()[0]):
        trees += _along(rng, line.buffer(6.5).exterior, 13, 2.3, 0.55)
    left, top, right, bottom = shapes.orchard().buffer(-2).bounds
    rows = [
        (x, y) for x in np.arange(left, right, 8.5) for y in np.arange(top, bottom, 8)
    ]
    planted = shapes.inside(shapes.orchard().buffer(-2), rows)
    spots = [spot for spot, fits in zip(rows, planted, strict=True) if fits]
    return trees + [_tree(rng, x, y, 2.3) for x, y in spots if chance(rng, 0.88)]


def _garden_trees(
    rng: np.random.Generator, plots: list[Plot], size: float
) -> Iterator[Tree]:
    for plot in plots:
        paved = [plot.house.outline.buffer(2.5), plot.drive.buffer(1.5)]
        busy = unary_union([*paved, plot.shed.outline.buffer(1.5)])
        free = plot.outline.buffer(-1.5).difference(busy)
        for x, y in _scatter(rng, free, 5.5, 0.33):
            yield _tree(rng, x, y, size * rng.uniform(0.6, 1.4), 0.15)


def _trees(seed: int, date: Date, hedges: list[Geometry]) -> list[Tree]:
    """All trees of one date; those of 2020 are those of 1990, less where it changed."""
    rng = stream(seed, "trees")
    trees = [*_woods(rng), *_open_land_trees(rng, hedges)]
    ways = [road.outline.buffer(1.5) for road in shapes.old_roads()]
    water = [shapes.river(BEFORE).buffer(1), shapes.old_pond()]
    plots = [plot.outline.buffer(-0.5) for plot in village(seed)]
    taken = unary_union([*ways, *water, *plots])
    hits = shapes.inside(taken, [(tree.x, tree.y) for tree in trees])
    trees = [tree for tree, hit in zip(trees, hits, strict=True) if not hit]
    trees += _garden_trees(stream(seed, "gardens"), village(seed), 2.3)
    if date == BEFORE:
        return trees
    later = stream(seed, "later trees")
    gone = unary_union(list(change_polygons(seed).values())).buffer(0.8)
    hits = shapes.inside(gone, [(tree.x, tree.y) for tree in trees])
    trees = [tree for tree, hit in zip(trees, hits, strict=True) if not hit]
    felled = shapes.clearing().buffer(-4)
    trees += [_tree(later, *spot, 2.6) for spot in _scatter(later, felled, 21, 0.3)]
    trees += [_tree(later, *spot, 0.8) for spot in _scatter(later, felled, 3.5, 0.2)]
    return trees + list(_garden_trees(later, estate(seed), 1.3))


def landscape(seed: int, date: Date) -> Landscape:
    """Lay out the landscape of one date."""
    later = date == AFTER
    nothing = Polygon()
    built, vacant = village_at(seed, date)
    new = estate(seed) if later else []
    roads = shapes.old_roads() + (shapes.new_roads() if later else [])
    fields, hedges = _parcels(seed)
    ponds = [shapes.old_pond(), shapes.new_pond() if later else nothing]
    dry = shapes.river(BEFORE).difference(shapes.river(AFTER))
    hedged = [fences(seed, "fences", village(seed)), fences(seed, "new", new)]
    return Landscape(
        date=date,
        fields=fields,
        water=unary_union([shapes.river(date), *ponds]),
        dry_bed=dry if later else nothing,
        plots=[*built, *new],
        vacant=vacant,
        roads=roads,
        trees=_trees(seed, date, hedges),
        hedges=unary_union(hedged),
        cars=cars(seed, date, roads),
        clearing=shapes.clearing() if later else nothing,
        pit=shapes.pit() if later else nothing,
    )
