"""Areas of a grid's pixels on the ellipsoid: pure arithmetic, no file is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geosim.raster.grid import Window

    Float = NDArray[np.float64]
    Measure = Callable[[Float, Float], Float]

_SEMI_MAJOR = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_ECCENTRICITY = math.sqrt(_FLATTENING * (2 - _FLATTENING))

_EVEN = 1e-3
"""Areas along a row that differ by a smaller share are taken for one."""

_PROBES = 9
"""Rows and columns that tell whether the areas along a row are one."""

_ROWS = 2000
"""Rows that are computed at most where they are; the others are interpolated."""

_ROWS_AND_COLUMNS = 257, 65
"""Rows and columns that are computed at most where they are not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelAreas:
    """Area of each pixel of a grid, known at some rows and columns of it."""

    rows: NDArray[np.intp]
    """(r,) rows that are known, ascending."""
    cols: NDArray[np.intp]
    """(c,) columns that are known, ascending; one where a row's areas are one."""
    values: Float
    """(r, c) areas in m2; 1.0 without a CRS."""

    @classmethod
    def of(
        cls, width: int, height: int, measure: Measure | None, missing: float = 1.0
    ) -> PixelAreas:
        """Areas of a grid's pixels, each bounded by its four corners.

        Args:
            width: columns of the grid.
            height: its rows.
            measure: areas in m2 of quadrangles, given (col, row) of their corners in
                turn, both of shape (..., 4); not finite beyond a projection's edge.
                None without a CRS.
            missing: area where no pixel has corners on the Earth, or no CRS.
        """
        middle = np.array([width // 2], np.intp)
        if measure is None:
            values = np.full((1, 1), missing)
            return cls(rows=np.zeros(1, np.intp), cols=middle, values=values)
        rows, cols = _spread(height, _PROBES), _spread(width, _PROBES)
        if _even(_known(rows, cols, measure)):
            rows, cols = _spread(height, _ROWS), middle
        else:
            most_rows, most_cols = _ROWS_AND_COLUMNS
            rows, cols = _spread(height, most_rows), _spread(width, most_cols)
        values = _filled(_known(rows, cols, measure), rows, cols, missing)
        return cls(rows=rows, cols=cols, values=values)

    @property
    def even(self) -> bool:
        """True where all pixels of a row have one area."""
        return len(self.cols) == 1

    @property
    def mean(self) -> float:
        """Area of a pixel of middling size in m2, by the rows and columns known."""
        return float(self.values.mean())

    def at(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> Float:
        """Areas where rows cross columns.

        Args:
            rows: (h,), numbers of rows.
            cols: (w,), numbers of columns.

        Returns:
            (h, w), or (h, 1) where all pixels of a row have one area.
        """
        known = zip(self.values.T, strict=True)
        along = np.stack([np.interp(rows, self.rows, *one) for one in known], axis=1)
        return along if self.even else along @ _shares(cols, self.cols)

    def within(self, window: Window) -> Float:
        """Areas of a window's pixels, (height, width) or (height, 1) as in `at`."""
        return self.at(
            np.arange(window.row_off, window.row_end),
            np.arange(window.col_off, window.col_end),
        )


def area_of(mask: NDArray[np.bool_], areas: Float) -> float:
    """Area of the pixels that are True in a mask.

    Args:
        mask: (h, w).
        areas: of its pixels, (h, w), or (h, 1) where those of a row are one.
    """
    if areas.shape == mask.shape:
        return float(areas[mask].sum())
    return float((mask.sum(axis=1) * areas[:, 0]).sum())


def quad_areas(lon: Float, lat: Float) -> Float:
    """Areas of small quadrangles on the WGS 84 ellipsoid.

    Edges are taken for straight in Lambert's azimuthal equal-area projection about the
    pole of their hemisphere (Snyder 1987, chapter 24).

    Args:
        lon: (..., 4), longitudes of the corners in turn, degrees.
        lat: (..., 4), their latitudes.

    Returns:
        (...) in m2; not finite where a corner is not.
    """
    with np.errstate(invalid="ignore"):
        side = np.where(lat[..., :1] < 0, -1.0, 1.0)
        pole = _authalic(np.array(90.0))
        radius = _SEMI_MAJOR * np.sqrt(np.maximum(pole - side * _authalic(lat), 0.0))
        turn = np.radians(lon)
        return _shoelace(radius * np.sin(turn), radius * np.cos(turn))


def degree_areas(lon: Float, lat: Float) -> Float:
    """As `quad_areas`, of quadrangles between parallels and meridians, however wide.

    Edges are taken for straight in Lambert's cylindrical equal-area projection.
    """
    with np.errstate(invalid="ignore"):
        turn = np.radians(lon - lon[..., :1])
        turn = (turn + math.pi) % (2 * math.pi) - math.pi
        return _shoelace(turn, _authalic(lat)) * (_SEMI_MAJOR**2 / 2)


def _authalic(lat: Float) -> Float:
    """Snyder's q (1987, equation 3-12): even in area from pole to pole."""
    # grids of whole degrees reach beyond the poles with their outer rows
    sine = np.sin(np.radians(np.clip(lat, -90.0, 90.0)))
    part = _ECCENTRICITY * sine
    return (1 - _ECCENTRICITY**2) * (
        sine / (1 - part**2) + np.arctanh(part) / _ECCENTRICITY
    )


def _shoelace(x: Float, y: Float) -> Float:
    """Areas of polygons on a plane, corners along the last axis."""
    x, y = x - x[..., :1], y - y[..., :1]  # small pixels lie far from the pole
    ahead_x, ahead_y = np.roll(x, -1, axis=-1), np.roll(y, -1, axis=-1)
    areas: Float = np.abs((x * ahead_y - ahead_x * y).sum(axis=-1)) / 2
    return areas


def _spread(length: int, most: int) -> NDArray[np.intp]:
    """At most so many places from the first to the last, ascending."""
    return np.unique(np.linspace(0, length - 1, most).round().astype(np.intp))


def _known(rows: NDArray[np.intp], cols: NDArray[np.intp], measure: Measure) -> Float:
    """Areas of pixels where rows cross columns, (r, c)."""
    col = cols[None, :, None] + np.array([0.0, 1.0, 1.0, 0.0])
    row = rows[:, None, None] + np.array([0.0, 0.0, 1.0, 1.0])
    return measure(*np.broadcast_arrays(col, row))


def _even(areas: Float) -> bool:
    """True where the areas along each row are one, as far as they are known."""
    known = np.isfinite(areas)
    least = np.where(known, areas, np.inf).min(axis=1)
    most = np.where(known, areas, -np.inf).max(axis=1)
    return bool((most <= least * (1 + _EVEN)).all())


def _filled(
    areas: Float, rows: NDArray[np.intp], cols: NDArray[np.intp], missing: float
) -> Float:
    """Areas without gaps: those beyond a projection's edge as the nearest known."""
    known = np.isfinite(areas)
    if not known.any():
        return np.full(areas.shape, missing)
    filled, some = areas.copy(), np.flatnonzero(known.any(axis=0))
    for col in some:
        held = known[:, col]
        filled[:, col] = np.interp(rows, rows[held], areas[held, col])
    for row in range(len(rows)):
        filled[row] = np.interp(cols, cols[some], filled[row, some])
    return filled


def _shares(at: NDArray[np.integer], nodes: NDArray[np.intp]) -> Float:
    """(nodes, places) weights by which values at nodes are interpolated to places."""
    left = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((at - nodes[left]) / (nodes[left + 1] - nodes[left]), 0.0, 1.0)
    weights, place = np.zeros((len(nodes), len(at))), np.arange(len(at))
    weights[left, place], weights[left + 1, place] = 1 - share, share
    return weights
