"""The large forms of the sample landscape, drawn by hand: river, roads, what changed.

Coordinates are metres: x to the east and y to the SOUTH, from the upper left corner
of the 1990 picture.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from shapely import LineString, Polygon, box, contains_xy, prepare, unary_union

Date = Literal[1990, 2020]
Geometry = Any  # shapely has no type information
Points = list[tuple[float, float]]
Array = npt.NDArray[Any]

BEFORE: Final = 1990
AFTER: Final = 2020
EXTENT = 600.0  # side of the 1990 picture
MARGIN = 20.0  # drawn beyond it on all sides: the 2020 picture sees a bit of that
FRAME = box(-MARGIN, -MARGIN, EXTENT + MARGIN, EXTENT + MARGIN)


def _points(text: str) -> Points:
    """Read points written as 'x y, x y, ...'."""
    pairs = (pair.split() for pair in text.split(","))
    return [(float(x), float(y)) for x, y in pairs]


_UPPER_RIVER = _points("232 -60, 236 30, 200 95")
_LOWER_RIVER = _points("132 292, 130 350, 70 395, 42 460, 82 530, 70 660")
_RIVER_BENDS: dict[Date, Points] = {
    BEFORE: _points("130 130, 66 180, 66 248"),
    AFTER: _points("172 150, 128 190, 116 245"),
}
_MAIN_ROAD = _points("-60 440, 60 424, 150 385, 250 352, 340 345")
_MAIN_ROAD_EAST = _points("340 345, 460 338, 560 318, 680 280")
_SOUTH_ROAD = _points("340 345, 352 420, 340 500, 362 580, 355 660")
_NORTH_STREET = _points("340 345, 326 290, 300 215")
_NORTH_TRACK = _points("300 215, 286 140, 330 70, 316 -60")
_FOREST_TRACK = _points("302 112, 380 98, 470 58, 560 42, 680 64")
_FOREST = _points(
    "372 -60, 350 40, 386 110, 350 165, 400 226, 470 200, 525 250, 600 222, "
    "680 254, 680 -60"
)
_CONIFERS = _points("450 -60, 540 20, 505 130, 600 190, 680 120, 680 -60")
_COPSE = _points("108 486, 150 462, 188 476, 182 520, 204 560, 160 584, 128 550")
_OLD_POND = _points("425 548, 452 556, 478 538, 486 570, 448 592, 414 584")
_ORCHARD = _points("356 236, 410 246, 404 300, 368 296")
_CLEARING = _points(
    "434 128, 492 96, 556 122, 556 172, 530 206, 536 290, 468 280, 466 222, "
    "430 196, 460 160"
)
_NEW_POND = _points("196 140, 218 124, 244 140, 232 158, 240 178, 212 180, 206 160")
_PIT = _points("206 450, 252 438, 288 454, 260 482, 282 512, 230 528, 208 496")
_PIT_TRACK = _points("262 484, 300 492, 342 490")
_ESTATE_SPINE = _points("468 338, 474 400, 472 469")
_ESTATE_STREETS: list[Points] = [
    _points("474 412, 520 414, 574 406"),
    _points("472 466, 520 470, 574 464"),
]


@dataclass(frozen=True)
class Road:
    """A road along `line`, `width` m wide; unpaved ones are two wheel tracks."""

    line: Geometry
    width: float
    paved: bool

    @property
    def outline(self) -> Geometry:
        """The polygon that the road covers."""
        return self.line.buffer(self.width / 2, cap_style="flat")


def _cut_corners(points: Points, *, closed: bool) -> Array:
    """Cut the corners of a line four times (Chaikin): (n, 2) points of a curve."""
    line = np.asarray(points, dtype=float)
    for _ in range(4):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], 1)
        ends = (line[:0], line[:0]) if closed else (line[:1], line[-1:])
        line = np.concatenate([ends[0], cut.reshape(-1, 2), ends[1]])
    return line


def curve(points: Points) -> Geometry:
    """A line with its corners rounded."""
    return LineString(_cut_corners(points, closed=False))


def blob(points: Points, roughness: float = 1.0) -> Geometry:
    """A natural outline: rounded, then wavy by about `roughness` m."""
    rounded = Polygon(_cut_corners(points, closed=True))
    ring = rounded.exterior
    places = np.arange(0, ring.length, 1.5)
    edge = np.array([ring.interpolate(place).coords[0] for place in places])
    waves = [(11.0, 0.3, 0.5), (4.3, 2.0, 0.35), (1.9, 4.0, 0.2)]  # m, phase, share
    wave = sum(
        share
        * np.sin(edge[:, 0] / length + phase)
        * np.cos(edge[:, 1] / length - phase)
        for length, phase, share in waves
    )
    along = np.roll(edge, -1, axis=0) - np.roll(edge, 1, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], 1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    return Polygon(edge + 2 * roughness * np.asarray(wave)[:, None] * normal).buffer(0)


@cache
def river(date: Date) -> Geometry:
    """The polygon of the river's water; its width varies with the place."""
    line = curve(_UPPER_RIVER + _RIVER_BENDS[date] + _LOWER_RIVER)
    spots = [line.interpolate(place) for place in np.arange(0, line.length, 1.5)]
    return unary_union([spot.buffer(_half_width(spot.x, spot.y)) for spot in spots])


def _half_width(x: float, y: float) -> float:
    """Half the river's width at a place, 5.6 to 8.8 m."""
    return float(7.2 + 0.9 * np.sin(y / 17) + 0.7 * np.sin(x / 6 + y / 8))


@cache
def river_moved() -> Geometry:
    """Where the river or its bank is on one date only."""
    banks = (river(date).buffer(2.5) for date in _RIVER_BENDS)
    moved = next(banks).symmetric_difference(next(banks))
    return moved.buffer(-0.5).buffer(0.5)


def old_roads() -> list[Road]:
    """The roads that are there on both dates."""
    return [
        Road(curve(_NORTH_TRACK), 3.2, paved=False),
        Road(curve(_FOREST_TRACK), 3.2, paved=False),
        *(Road(line, 5.5, paved=True) for line in side_streets()),
        *(Road(line, 6.5, paved=True) for line in main_roads()),
    ]


def main_roads() -> list[Geometry]:
    """Centre lines of the main road, away from the crossing: west, then east."""
    return [curve(_MAIN_ROAD[::-1]), curve(_MAIN_ROAD_EAST)]


def side_streets() -> list[Geometry]:
    """Centre lines of the side roads, away from the crossing: south, then north."""
    return [curve(_SOUTH_ROAD), curve(_NORTH_STREET)]


def estate_streets() -> list[Geometry]:
    """Centre lines of the streets of the new estate, the one they leave from first."""
    return [curve(_ESTATE_SPINE), *(curve(points) for points in _ESTATE_STREETS)]


def new_roads() -> list[Road]:
    """The roads that are new in 2020."""
    track = Road(curve(_PIT_TRACK), 5.0, paved=False)
    return [track, *(Road(line, 5.7, paved=True) for line in estate_streets())]


@cache
def forest() -> Geometry:
    """The forest as it was in 1990."""
    return blob(_FOREST, 2.0)


def conifers() -> Geometry:
    """The part of the forest where conifers prevail."""
    return blob(_CONIFERS, 3.0)


def copse() -> Geometry:
    """A small wood that stays."""
    return blob(_COPSE, 1.5)


def orchard() -> Geometry:
    """A meadow with fruit trees."""
    return Polygon(_ORCHARD)


def clearing() -> Geometry:
    """The forest felled by 2020."""
    return blob(_CLEARING, 2.5).intersection(forest())


def pit() -> Geometry:
    """The gravel pit opened by 2020."""
    return blob(_PIT, 2.0)


def old_pond() -> Geometry:
    """A pond that stays."""
    return blob(_OLD_POND)


def new_pond() -> Geometry:
    """A pond dug by 2020."""
    return blob(_NEW_POND)


@cache
def valley() -> Geometry:
    """The meadows along the river, wide enough for both of its courses."""
    return unary_union([river(BEFORE), river(AFTER)]).buffer(34).buffer(-20)


def inside(area: Geometry, points: Any) -> Array:  # noqa: ANN401
    """Which of the points, (n, 2) or a list of pairs, lie in an area: (n,) bool."""
    prepare(area)
    return np.asarray(contains_xy(area, np.reshape(points, (-1, 2))), dtype=bool)
