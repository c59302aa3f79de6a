"""What one raster covers of another's pixels: pure arithmetic, no file is touched.

An outline that is carried into another CRS tells where a raster lies, as long as it
stays one closed line there. Around a pole, across the edge of a map of the globe, or
where a raster reaches farther than the other's projection, it does not: then points
all over both rasters tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import GridMismatchError
from geosim.raster.grid import Grid, at, carried, same_crs
from geosim.raster.longitudes import counted_on, turned_to

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 128
"""Cells each way into which a raster is cut where its points are asked."""

_TURN, _HALF_TURN = 360.0, 180.0

_TURNS = 0, -1, 1, -2, 2
"""By which degrees of two rasters may differ: one may begin at -360, one at 0."""

_FARTHEST = 400.0
"""Longitude beyond which a raster is refused: more than a turn from Greenwich, where
GDAL finds some of its pixels and loses others without a word."""

_SLACK = 1e-6
"""Share of a raster's sides by which a point may lie outside, for rounding."""


def extent_on(reference: Grid, other: Grid) -> tuple[float, float, float, float]:
    """(col_min, row_min, col_max, row_max) of `other` on `reference`.

    Where `other`'s outline does not tell (see above), what lies on the reference alone
    counts, at most 1/128 of the reference's sides too wide; of nothing the extent is
    empty.

    Raises:
        GridMismatchError: it lies at both ends of a reference that shows the globe, or
            one of them more than a turn from Greenwich.
    """
    for each in (reference, other):
        _refuse_turns(each)
    if not reference.crs or not other.crs or same_crs(reference.crs, other.crs):
        return _by_turns(reference, other)
    outline, told = _outline_on(reference, other)
    points, cell = _lattice(reference)
    covered = points[:, _within(other, _on(other, reference, points))]
    if told and _holds(outline, covered, cell / _CELLS):
        return _extent(outline)
    # what is smaller than a cell may lie between the reference's points
    own = _on(reference, other, _lattice(other)[0])
    own = own[:, _within(reference, own)]
    _refuse_halves(reference, np.concatenate([covered[0], own[0]]))
    around = np.hstack([covered - cell, covered + cell, own])
    if not around.size:
        return 0.0, 0.0, 0.0, 0.0
    size = np.array([[reference.width], [reference.height]], np.float64)
    return _extent(np.clip(around, 0.0, size))


def _extent(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """The least and the greatest of (2, n) columns and rows."""
    (col_min, row_min), (col_max, row_max) = points.min(axis=1), points.max(axis=1)
    return float(col_min), float(row_min), float(col_max), float(row_max)


def _by_turns(reference: Grid, other: Grid) -> tuple[float, float, float, float]:
    """The extent of a raster in the same CRS, whose degrees may be counted otherwise.

    A globe lies on a reference that goes beyond 180 degrees in two of its turns.
    """
    x, y = other.outline()
    inverse = ~reference.transform
    extents = [
        _extent(np.stack(at(inverse, x + times * _TURN, y)))
        for times in (_TURNS if reference.in_degrees else (0,))
    ]
    met = [each for each in extents if _meets(reference, each)]
    if not met:
        return extents[0]
    cols = [np.linspace(max(each[0], 0), min(each[2], reference.width)) for each in met]
    _refuse_halves(reference, np.concatenate(cols))
    low, high = np.min(met, axis=0)[:2], np.max(met, axis=0)[2:]
    return _extent(np.stack([low, high], axis=1))


def _meets(grid: Grid, extent: tuple[float, float, float, float]) -> bool:
    """Whether an extent has a pixel or more in common with a grid."""
    col_min, row_min, col_max, row_max = extent
    across = min(col_max, grid.width) - max(col_min, 0)
    return across >= 1 and min(row_max, grid.height) > max(row_min, 0)


def _outline_on(reference: Grid, other: Grid) -> tuple[NDArray[np.float64], bool]:
    """(2, n) of `other`'s outline on `reference`, and whether it is one closed line."""
    assert other.crs is not None  # noqa: S101 - asked for with one only
    assert reference.crs is not None  # noqa: S101
    x, y = carried(other.crs, reference.crs).transform(*other.outline())
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.zeros((2, 0)), False
    told = True
    if reference.crs.is_geographic:
        x = counted_on(reference, np.asarray(x))
        told = bool(np.abs(np.diff(x, append=x[0])).max() <= _HALF_TURN)
    return np.stack(at(~reference.transform, x, np.asarray(y))), told


def _lattice(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(2, n) columns and rows of points all over a grid, and the (2, 1) step of them.

    Those on its outline are among them.
    """
    steps = np.linspace(0.0, 1.0, _CELLS + 1)
    col, row = np.meshgrid(steps * grid.width, steps * grid.height)
    cell = np.array([[grid.width], [grid.height]]) / _CELLS
    return np.stack([col.ravel(), row.ravel()]), cell


def _on(target: Grid, source: Grid, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, n) columns and rows of `source` as such of `target`; not all are finite."""
    assert source.crs is not None  # noqa: S101 - asked for with one only
    assert target.crs is not None  # noqa: S101
    place = at(source.transform, *points)
    x, y = carried(source.crs, target.crs).transform(*place)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(known, each, np.nan) for each in (x, y))
    return np.stack(at(~target.transform, turned_to(target, x), y))


def _within(grid: Grid, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) which of (2, n) columns and rows lie on a grid."""
    share = points / np.array([[grid.width], [grid.height]])
    inside: NDArray[np.bool_] = ((share >= -_SLACK) & (share <= 1 + _SLACK)).all(axis=0)
    return inside


def _holds(
    outline: NDArray[np.float64],
    points: NDArray[np.float64],
    room: NDArray[np.float64],
) -> bool:
    """Whether points lie in the box around an outline, up to some room."""
    low, high = outline.min(axis=1)[:, None], outline.max(axis=1)[:, None]
    return bool(((points >= low - room) & (points <= high + room)).all())


def _refuse_turns(grid: Grid) -> None:
    """Refuse longitudes more than a turn from Greenwich.

    Raises:
        GridMismatchError: as said.
    """
    left, bottom, right, top = grid.bounds
    if grid.in_degrees and max(-left, right) > _FARTHEST:
        raise GridMismatchError(
            f"longitudes between {-_FARTHEST:g} and {_FARTHEST:g} are wanted; found "
            f"{left:.10g} to {right:.10g}; count them anew with 'gdal_edit.py -a_ullr "
            f"LEFT {top:.10g} RIGHT {bottom:.10g}'"
        )


def _refuse_halves(reference: Grid, cols: NDArray[np.float64]) -> None:
    """Refuse what lies at both ends of the globe, with half of it between.

    Raises:
        GridMismatchError: as said.
    """
    assert reference.crs is not None  # noqa: S101 - asked for with one only
    if not reference.crs.is_geographic or not cols.size:
        return
    apart = float(np.diff(np.sort(cols)).max(initial=0.0)) * reference.pixel_size[0]
    if apart > _HALF_TURN:
        raise GridMismatchError(
            "one raster lies across the line where the other, which shows the globe, "
            "ends: in two parts at both of its sides; take the pixels of the first "
            "with '--grid FILE'"
        )
