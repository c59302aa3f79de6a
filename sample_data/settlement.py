"""Houses, gardens, fences and cars of the sample landscape, by chance from a seed."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapes
from shapely import LineString, Point, Polygon, affinity, box, ops, unary_union
from shapes import AFTER, BEFORE, Date, Geometry, Road

_ABSENT: dict[Date, set[int]] = {
    BEFORE: {3, 10, 17, 22},
    AFTER: {6, 19},
}  # of the village


@dataclass(frozen=True)
class House:
    """A gable roof of `length` by `width` m, its ridge along `heading` (degrees).

    `eave` is its height (m) at the long walls; `roof` picks a colour.
    """

    x: float
    y: float
    length: float
    width: float
    heading: float
    eave: float
    roof: int

    @property
    def outline(self) -> Geometry:
        """The polygon that the roof covers."""
        half = box(-self.length / 2, -self.width / 2, self.length / 2, self.width / 2)
        return placed(half, self.x, self.y, self.heading)


@dataclass(frozen=True)
class Plot:
    """A garden with a house, a drive to the street, a shed and perhaps a pool."""

    outline: Geometry
    house: House
    drive: Geometry
    shed: House

    @property
    def footprint(self) -> Geometry:
        """What building the house covers: its roof, a path around it and the drive."""
        return unary_union([self.house.outline.buffer(1.5), self.drive])


def stream(seed: int, name: str) -> np.random.Generator:
    """A random generator of its own for each purpose."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def placed(shape: Geometry, x: float, y: float, heading: float) -> Geometry:
    """A shape drawn around (0, 0), turned by `heading` degrees and moved to (x, y)."""
    turned = affinity.rotate(shape, heading, origin=(0, 0))
    return affinity.translate(turned, x, y)


def heading_at(line: Geometry, place: float) -> float:
    """The direction of a line (degrees) `place` m along it."""
    here, ahead = line.interpolate(place), line.interpolate(place + 1)
    return float(np.degrees(np.arctan2(ahead.y - here.y, ahead.x - here.x)))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Whether something of this probability happens."""
    return bool(rng.random() < probability)


def _house(rng: np.random.Generator, x: float, y: float, heading: float) -> House:
    """A house of random size and roof, its ridge along the street or across it."""
    length, width = rng.uniform(10, 15), rng.uniform(8, 10)
    turn = (90.0 if chance(rng, 0.3) else 0.0) + rng.normal(0, 2)
    eave = rng.uniform(3, 6)
    return House(x, y, length, width, heading + turn, eave, int(rng.integers(100)))


def _plots_along(
    rng: np.random.Generator, line: Geometry, width: float, depth: float
) -> Iterator[Plot]:
    """Plots on both sides of a street, `width` m along it and `depth` m deep."""
    for place in np.arange(width / 2, line.length - width / 2, width):
        here, heading = line.interpolate(place), heading_at(line, place)
        for side in (-1, 1):
            half, near, far = width / 2 - 0.3, side * 4.5, side * (4.5 + depth)
            back, along = side * rng.uniform(13, 16), rng.uniform(-2, 2)
            strip = box(-half, min(near, far), half, max(near, far))
            door = box(along + 3, min(0, back), along + 6, max(0, back))
            spot = placed(Point(along, back), here.x, here.y, heading)
            yard = Point(
                rng.uniform(5 - half, half - 5), far - side * rng.uniform(3, 6)
            )
            rear = placed(yard, here.x, here.y, heading)
            barn = depth > 25 and chance(rng, 0.3)  # noqa: PLR2004
            size = (rng.uniform(11, 17), rng.uniform(6, 8)) if barn else (4.0, 3.0)
            eave = 4.5 if barn else 2.0
            shed = House(rear.x, rear.y, *size, heading, eave, int(rng.integers(100)))
            yield Plot(
                placed(strip, here.x, here.y, heading),
                _house(rng, spot.x, spot.y, heading),
                placed(door, here.x, here.y, heading),
                shed,
            )


def _without_overlap(plots: Iterator[Plot], taken: Geometry) -> list[Plot]:
    """The plots whose ground nobody else has."""
    kept = []
    for plot in plots:
        if plot.outline.buffer(-1.5).intersects(taken):
            continue
        taken = taken.union(plot.outline)
        kept.append(plot)
    return kept


def village(seed: int) -> list[Plot]:
    """The plots of the village, those of houses built or removed included."""
    rng = stream(seed, "village")
    (west, east), (south, north) = shapes.main_roads(), shapes.side_streets()
    rows = [
        (ops.substring(west, 10, 160), 23, 34),
        (ops.substring(east, 12, 116), 23, 30),
        (ops.substring(south, 12, 128), 23, 30),
        (ops.substring(north, 30, 130), 22, 30),
    ]
    plots = (plot for row in rows for plot in _plots_along(rng, *row))
    return _without_overlap(plots, unary_union([r.outline for r in shapes.old_roads()]))


def estate(seed: int) -> list[Plot]:
    """The plots of the housing estate that is new in 2020."""
    rng = stream(seed, "estate")
    spine, *branches = shapes.estate_streets()
    streets = [ops.substring(branch, 5, branch.length) for branch in branches]
    streets.append(ops.substring(spine, 32, spine.length))
    plots = (plot for line in streets for plot in _plots_along(rng, line, 19, 22))
    roads = shapes.old_roads() + shapes.new_roads()
    return _without_overlap(plots, unary_union([road.outline for road in roads]))


def village_at(seed: int, date: Date) -> tuple[list[Plot], list[Plot]]:
    """The village plots with a house on that date and those without."""
    plots = list(enumerate(village(seed)))
    built = [plot for number, plot in plots if number not in _ABSENT[date]]
    return built, [plot for number, plot in plots if number in _ABSENT[date]]


def fences(seed: int, name: str, plots: list[Plot]) -> Geometry:
    """Garden hedges: some sides of each plot, open where the drive is."""
    rng = stream(seed, name)
    sides = []
    for plot in plots:
        corners = list(plot.outline.buffer(-0.4).exterior.coords)
        lines = [LineString(pair) for pair in pairwise(corners)]
        sides += [line for line in lines if chance(rng, 0.5)]
    drives = unary_union([plot.drive.buffer(0.4) for plot in plots])
    return unary_union([Polygon(), *sides]).difference(drives)


def cars(seed: int, date: Date, roads: list[Road]) -> list[House]:
    """Vehicles: boxes, other ones at each date, on the paved roads."""
    rng = stream(seed, f"cars {date}")
    cars = []
    for road in roads:
        for start in np.arange(15, road.line.length, 45) if road.paved else []:
            place = start + rng.uniform(-20, 20)
            here, heading = road.line.interpolate(place), heading_at(road.line, place)
            lane = float(rng.choice([-1.6, 1.6]))
            spot = placed(Point(0, lane), here.x, here.y, heading)
            colour = int(rng.integers(100))
            if chance(rng, 0.6):
                cars.append(House(spot.x, spot.y, 4.4, 1.8, heading, 1.4, colour))
    return cars
