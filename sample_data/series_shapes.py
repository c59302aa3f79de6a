"""What the synthetic series shows, drawn by hand: where each cover lies on each date.

Coordinates are metres: x to the east and y to the SOUTH, from the upper left corner.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from shapely import LineString, Point, Polygon, box, unary_union
from shapes import Geometry, Points, blob, curve

YEARS = (1990, 1995, 2000, 2005, 2010, 2015, 2020)
SIDE = 3200.0
"""Side of the pictures in metres."""
FRAME = box(-100, -100, SIDE + 100, SIDE + 100)

CLASSES = {
    1: "forest_loss",
    2: "forest_gain",
    3: "built_up_gain",
    4: "water_gain",
    5: "water_loss",
}
"""Codes of `truth.tif`."""

_FOREST: Points = [
    (1500, -100), (1420, 300), (1560, 700), (1450, 1100), (1700, 1500), (2150, 1420),
    (2500, 1700), (3000, 1640), (3300, 1800), (3300, -100),
]  # fmt: skip
_WOOD: Points = [(180, 2350), (520, 2240), (820, 2420), (760, 2800), (360, 2900)]
_CLEARINGS: dict[int, list[Points]] = {
    1995: [[(1720, 900), (2020, 860), (2060, 1150), (1760, 1210)]],
    2000: [[(2060, 860), (2400, 820), (2420, 1120), (2100, 1150)],
           [(2750, 1250), (3000, 1230), (3010, 1480), (2770, 1500)]],
    2005: [[(2440, 800), (2760, 770), (2790, 1110), (2460, 1120)],
           [(1700, 480), (2000, 440), (2020, 780), (1720, 830)]],
    2010: [[(2050, 400), (2480, 370), (2500, 740), (2070, 780)]],
    2015: [[(2820, 760), (3100, 740), (3120, 1080), (2840, 1120)],
           [(2550, 330), (2820, 310), (2840, 680), (2570, 700)]],
    2020: [[(1750, 60), (2260, 40), (2270, 330), (1780, 360)],
           [(2880, 300), (3130, 280), (3120, 640), (2900, 660)]],
}  # fmt: skip
"""What is felled by a date, and stays open."""
_REGROWN: Points = [(2450, 60), (2900, 40), (2920, 220), (2500, 260)]
_REGROWN_FELLED, _REGROWN_CLOSED = 1995, 2010
"""One place is felled by the first of these dates and wooded again by the second."""
_TOWN: Points = [(820, 1320), (1080, 1260), (1240, 1420), (1180, 1640), (900, 1660)]
_BLOCKS: dict[int, list[tuple[float, float, float, float]]] = {
    1995: [(1190, 1650, 1420, 1850)],
    2000: [(940, 1670, 1170, 1900)],
    2005: [(640, 1400, 800, 1640), (1190, 1870, 1440, 2060)],
    2010: [(880, 1010, 1150, 1240)],
    2015: [(620, 1660, 920, 1900), (1460, 1660, 1640, 1960)],
    2020: [(930, 1920, 1170, 2180), (600, 1100, 860, 1380)],
}
"""Quarters built by a date: left, top, right, bottom."""
_LAKE: Points = [(1900, 2500), (2200, 2400), (2420, 2560), (2300, 2780), (1980, 2740)]
_RESERVOIR: Points = [
    (2600, 2100),
    (2880, 2040),
    (3000, 2260),
    (2820, 2440),
    (2620, 2360),
]
_RESERVOIR_FULL = 2010
_UPPER: Points = [(420, -100), (460, 150), (330, 360)]
_LOWER: Points = [(330, 1150), (430, 1500), (300, 1900), (180, 2150), (-100, 2300)]
_BENDS: dict[int, Points] = {
    1990: [(210, 620), (240, 900)],
    2000: [(120, 620), (160, 880)],
    2015: [(10, 640), (90, 850)],
}
"""Apex of the river's bend from a date on."""
_HALF_RIVER = 55.0
_ROADS: list[Points] = [
    [(-100, 2060), (500, 2080), (1000, 1980), (1500, 2140), (2200, 2000), (3300, 1960)],
    [(1050, 3300), (1100, 2600), (1060, 1980), (1100, 1450)],
]


@dataclass(frozen=True)
class Covers:
    """Where each cover lies on one date; what is none of them is open land."""

    forest: Geometry
    built: Geometry
    water: Geometry
    felled: Geometry
    dry_bed: Geometry
    roads: Geometry


def _smooth(points: Points) -> Geometry:
    return blob(points, 9.0)


def _until(year: int, shapes: dict[int, list[Geometry]]) -> Geometry:
    """What has come by a date."""
    return unary_union([one for when, some in shapes.items() if when <= year
                        for one in some])  # fmt: skip


@cache
def river(year: int) -> Geometry:
    """The river's water on a date."""
    bend = _BENDS[max(when for when in _BENDS if when <= year)]
    line = curve(_UPPER + bend + _LOWER)
    steps = range(0, int(line.length), 12)
    spots = [line.interpolate(place) for place in steps]
    return unary_union([Point(spot).buffer(_HALF_RIVER) for spot in spots])


@cache
def covers(year: int) -> Covers:
    """All covers of a date; none lies on another."""
    rivers = [river(when) for when in _BENDS if when <= year]
    water = [river(year), _smooth(_LAKE)]
    if year >= _RESERVOIR_FULL:
        water.append(_smooth(_RESERVOIR))
    wet = unary_union(water)
    roads = unary_union([curve(line).buffer(9) for line in _ROADS]).difference(wet)
    built = unary_union([_smooth(_TOWN), _until(year, _quarters())])
    built = built.difference(unary_union([wet, roads]))
    wooded = unary_union([_smooth(_FOREST), _smooth(_WOOD)])
    wooded = wooded.difference(unary_union([wet, roads, built]))
    felled = _until(year, _fellings()).intersection(wooded)
    if _REGROWN_FELLED <= year < _REGROWN_CLOSED:
        felled = felled.union(_smooth(_REGROWN).intersection(wooded))
    return Covers(
        forest=wooded.difference(felled),
        built=built,
        water=wet,
        felled=felled,
        dry_bed=unary_union(rivers).difference(wet),
        roads=roads,
    )


def _fellings() -> dict[int, list[Geometry]]:
    return {year: [_smooth(one) for one in some] for year, some in _CLEARINGS.items()}


def _quarters() -> dict[int, list[Geometry]]:
    return {year: [box(*one) for one in some] for year, some in _BLOCKS.items()}


def changes(before: int, after: int) -> Iterator[tuple[int, Geometry]]:
    """(code, area) of each class that changed between two dates."""
    old, new = covers(before), covers(after)
    yield 1, old.forest.difference(new.forest)
    yield 2, new.forest.difference(old.forest)
    yield 3, new.built.difference(old.built)
    yield 5, old.water.difference(new.water)
    yield 4, new.water.difference(old.water)


def fields() -> list[Geometry]:
    """Parcels of open land, the same on all dates."""
    cells = []
    for row in range(-1, 13):
        for col in range(-1, 15):
            lean = 40 * ((row * 7 + col * 3) % 5 - 2)
            x, y = 230 * col + lean, 260 * row + 25 * (col % 3)
            cells.append(Polygon([(x, y), (x + 222, y + 20), (x + 214, y + 250),
                                  (x - 8, y + 236)]))  # fmt: skip
    return cells


def streets(built: Geometry) -> Geometry:
    """Streets of the town, every 90 m."""
    lines = [LineString([(0, at), (SIDE, at + 60)]) for at in range(900, 2300, 90)]
    lines += [LineString([(at, 0), (at - 60, SIDE)]) for at in range(500, 1800, 90)]
    return unary_union([line.buffer(6) for line in lines]).intersection(built)
