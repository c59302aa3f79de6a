"""Meridians and parallels across a picture of a grid, drawn and labelled at its frame.

Places are shares of the picture's width and height, as in `geosim.publish.cartography`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely

from geosim.publish.cartography import ground_size, lonlat_at, shares_at
from geosim.publish.footprint import FULL_TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.publish.record import GridRecord

_DEGREES = (
    *(d * 10.0**-p for p in range(7, 0, -1) for d in (1.0, 2.0, 5.0)),
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
)
"""Steps of a graticule, rising."""

_LINE_POINTS = 65
_SHORTEST = 0.15
"""Share of the picture that a line must cross, not to be a mere corner."""

_STRAIGHT = 0.0005
"""How far a drawn line may lie from the true one, as a share of the picture."""

_NEAR = 0.02
"""How near to the picture's edge no line is drawn, as a share of its span."""

_EDGE_POINTS = 21
"""Points along an edge of the picture by which its span in degrees is known."""

_STEEPEST = 85.0
"""Latitude beyond which meridians run together and no graticule is drawn."""


@dataclass(frozen=True, kw_only=True)
class GraticuleLine:
    """A meridian or parallel where it crosses the picture."""

    kind: Literal["meridian", "parallel"]
    """Of what the line is."""
    label: str
    """Its longitude or latitude."""
    points: tuple[tuple[float, float], ...]
    """`(x, y)` as shares of width and height."""
    at: tuple[float, float]
    """Where it meets the frame and is labelled."""


@lru_cache(maxsize=8)
def graticule(grid: GridRecord, lines: int = 4) -> tuple[GraticuleLine, ...]:
    """Meridians and parallels at round degrees across the picture.

    Args:
        grid: of the picture.
        lines: how many of each there are at most.

    Returns:
        None of them without a CRS, around a pole, or across half the globe.
    """
    if ground_size(grid) is None:
        return ()
    edge = np.linspace(0.0, 1.0, _EDGE_POINTS)
    zero, one = np.zeros(_EDGE_POINTS), np.ones(_EDGE_POINTS)
    lon, lat = lonlat_at(
        grid,
        np.concatenate([edge, one, 1 - edge, zero]),
        np.concatenate([zero, edge, one, 1 - edge]),
    )
    lon = np.unwrap(lon, period=FULL_TURN)
    west, east, south, north = lon.min(), lon.max(), lat.min(), lat.max()
    if east - west > FULL_TURN / 2 or max(abs(south), abs(north)) > _STEEPEST:
        return ()
    found = []
    step, values = _round_values(west, east, lines)
    for value in values:
        run = np.linspace(south, north, _LINE_POINTS)
        label = _degrees(value, step, "EW")
        line = _crossing(grid, np.full(_LINE_POINTS, value), run)
        found.append(_line("meridian", label, line))
    step, values = _round_values(south, north, lines)
    for value in values:
        run = np.linspace(west, east, _LINE_POINTS)
        label = _degrees(value, step, "NS")
        line = _crossing(grid, run, np.full(_LINE_POINTS, value))
        found.append(_line("parallel", label, line))
    return tuple(line for line in found if line is not None)


def _round_values(low: float, high: float, lines: int) -> tuple[float, list[float]]:
    """A round step, and its multiples between two values, not too near to them."""
    margin = _NEAR * (high - low)
    low, high = low + margin, high - margin
    for step in _DEGREES:
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < lines:
            break
    return step, [number * step for number in range(first, last + 1)]


def _degrees(value: float, step: float, letters: str) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    value = (value + FULL_TURN / 2) % FULL_TURN - FULL_TURN / 2
    letter = letters[0] if value >= 0 else letters[1]
    if abs(value) in (0.0, FULL_TURN / 2):  # neither east nor west
        return f"{abs(value):.{decimals}f}°"
    return f"{abs(value):.{decimals}f}°\u202f{letter}"


def _crossing(
    grid: GridRecord, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The part of a line that lies in the picture, (n, 2) shares; None where none."""
    x, y = shares_at(grid, lon, lat)
    points = np.column_stack([x, y])
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:  # noqa: PLR2004 - ends of a line
        return None
    inside = shapely.LineString(points).intersection(shapely.box(0, 0, 1, 1))
    parts = [part for part in shapely.get_parts(inside) if part.length > _SHORTEST]
    if not parts:
        return None
    longest = shapely.simplify(max(parts, key=lambda part: part.length), _STRAIGHT)
    found: NDArray[np.float64] = shapely.get_coordinates(longest)
    return found


def _line(
    kind: Literal["meridian", "parallel"],
    label: str,
    points: NDArray[np.float64] | None,
) -> GraticuleLine | None:
    """The line, labelled at its lower end, a parallel at its left one."""
    if points is None:
        return None
    ends = points[[0, -1]]
    end = ends[ends[:, 1].argmax()] if kind == "meridian" else ends[ends[:, 0].argmin()]
    return GraticuleLine(
        kind=kind,
        label=label,
        points=tuple((float(x), float(y)) for x, y in points),
        at=(float(end[0]), float(end[1])),
    )
