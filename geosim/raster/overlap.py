"""The grid that two rasters share: pure arithmetic, no file is touched here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geosim.errors import GridMismatchError, OptionError
from geosim.raster.extent import extent_on
from geosim.raster.grid import (
    SAME_GRID_TOLERANCE,
    Grid,
    Window,
    at,
    pixel_offset,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST = 2**31 - 1
"""Pixels on a side that GDAL can count."""


def common_grid(
    before: Grid,
    after: Grid,
    *,
    reference: Grid | None = None,
    resolution: float | None = None,
    bounds: tuple[float, float, float, float] | None = None,
) -> Grid:
    """The grid on which both dates are read: the reference's pixels, cut to both.

    Args:
        before: grid of date 1.
        after: grid of date 2.
        reference: whose pixels to use; date 1's where None.
        resolution: another pixel size in the reference CRS's units.
        bounds: (left, bottom, right, top) in the reference CRS's units to cut to.

    Raises:
        GridMismatchError: a CRS on one side only, plain images of two sizes, or no
            overlap.
    """
    reference = reference or before
    if before.crs is None or after.crs is None or reference.crs is None:
        for name, wanted in (("resolution", resolution), ("bounds", bounds)):
            if wanted is not None:
                raise GridMismatchError(
                    f"--{name} wants images with a coordinate reference system; these "
                    "have none; leave it out, or change the images before"
                )
        return _plain_grid(before, after, reference)
    if resolution is not None:
        reference = _resampled(reference, resolution)
    extents = [extent_on(reference, before), extent_on(reference, after)]
    if bounds is not None:
        extents.append(_bounds_on(reference, bounds))
    low = np.max([e[:2] for e in extents], axis=0)
    high = np.min([e[2:] for e in extents], axis=0)
    # a pixel belongs to the grid when its centre does; the slack absorbs rounding
    slack = SAME_GRID_TOLERANCE
    col, row = (math.ceil(v - 0.5 - slack) for v in low)
    col_end, row_end = (math.floor(v + 0.5 + slack) for v in high)
    if col_end <= col or row_end <= row:
        if (low < high).all():
            raise GridMismatchError(_too_narrow_message(reference, low, high))
        raise GridMismatchError(_no_overlap_message(before, after, bounds))
    return reference.cut(Window(col, row, col_end - col, row_end - row))


def _plain_grid(before: Grid, after: Grid, reference: Grid) -> Grid:
    """The grid of two images without CRS: same size, pixel on pixel."""
    if before.crs and after.crs:
        raise GridMismatchError(
            "--grid wants a raster with a coordinate reference system, as both images "
            "have one; the raster that it names has none; assign it with "
            "'gdal_edit.py -a_srs EPSG:CODE'"
        )
    if before.crs is not None or after.crs is not None:
        has, lacks = ("before", "after") if before.crs else ("after", "before")
        raise GridMismatchError(
            f"both rasters need a coordinate reference system or neither: {has} has "
            f"one, {lacks} has none; assign it with 'gdal_edit.py -a_srs EPSG:CODE'"
        )
    if (before.width, before.height) != (after.width, after.height):
        raise GridMismatchError(
            "images without a coordinate reference system must have one size: before "
            f"is {before.width} x {before.height} px, after {after.width} x "
            f"{after.height} px; georeference or resize them, or compare them by "
            "'geosim compare', which takes any two pictures"
        )
    if pixel_offset(after, before) != (0, 0):
        raise GridMismatchError(
            "images without a coordinate reference system are compared pixel on pixel, "
            "but by their geotransforms these lie elsewhere: before covers "
            f"{_corners(before)}, after {_corners(after)}; assign the system that they "
            "are in with 'gdal_edit.py -a_srs EPSG:CODE', or take the geotransforms "
            "out with 'gdal_edit.py -unsetgt'"
        )
    if reference.crs is not None:
        raise GridMismatchError(
            "--grid names a georeferenced raster, but the two images have no "
            "coordinate reference system; leave --grid out"
        )
    return before


def _resampled(grid: Grid, resolution: float) -> Grid:
    """The same extent and orientation with square pixels of `resolution`."""
    wide, high = grid.pixel_size
    sides = grid.width * wide / resolution, grid.height * high / resolution
    if not max(sides) < _LONGEST:
        raise OptionError(
            f"--resolution {resolution:g} gives {sides[0]:.3g} x {sides[1]:.3g} "
            f"pixels; at most {_LONGEST:,} on a side are possible; give a coarser one"
        )
    scaled = grid.transform @ Affine.scale(resolution / wide, resolution / high)
    return Grid(
        crs=grid.crs,
        transform=scaled,
        width=max(math.ceil(grid.width * wide / resolution - 1e-6), 1),
        height=max(math.ceil(grid.height * high / resolution - 1e-6), 1),
    )


def _bounds_on(
    grid: Grid, bounds: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Bounds in the grid's CRS as (col_min, row_min, col_max, row_max)."""
    left, bottom, right, top = bounds
    x, y = np.array([left, right, right, left]), np.array([bottom, bottom, top, top])
    col, row = at(~grid.transform, x, y)
    return float(col.min()), float(row.min()), float(col.max()), float(row.max())


def _too_narrow_message(
    grid: Grid, low: NDArray[np.float64], high: NDArray[np.float64]
) -> str:
    """One line on an overlap, (col, row) of its corners, without a pixel's centre."""
    across, down = (high - low) * grid.pixel_size
    return (
        "what the two rasters (and --bounds) have in common must hold a pixel: it is "
        f"{across:g} x {down:g}, a pixel {grid.pixel_size[0]:g} x "
        f"{grid.pixel_size[1]:g} in the CRS's units; take a smaller --resolution or "
        "larger bounds"
    )


def _no_overlap_message(
    before: Grid, after: Grid, bounds: tuple[float, float, float, float] | None
) -> str:
    """One line that names both extents."""

    def extent(grid: Grid) -> str:
        authority = grid.crs.to_authority() if grid.crs else None
        name = ":".join(authority) if authority else "its own CRS"
        return f"{_corners(grid)} in {name}"

    with_bounds = f" within the bounds {bounds}" if bounds else ""
    return (
        f"the two rasters must overlap{with_bounds}: before covers {extent(before)}, "
        f"after {extent(after)}; check that both show the same place"
    )


def _corners(grid: Grid) -> str:
    """Left, bottom, right, top."""
    return "({:.10g}, {:.10g}, {:.10g}, {:.10g})".format(*grid.bounds)
