"""Two dates of one place on one grid, read by windows: the only reader.

A date whose pixels lie on the grid is read as it is. Any other is warped by GDAL's
WarpedVRT, exact to a thousandth of a pixel, so that a pixel's value does not depend on
the window it was read with.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from affine import Affine
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geosim.errors import OptionError
from geosim.raster.grid import Grid, Window, at, pixel_offset, same_crs
from geosim.raster.overlap import common_grid
from geosim.raster.source import (
    Source,
    alpha_band,
    describe,
    has_mask,
    nodata_apart,
    one_line_errors,
    open_raster,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_DOWNSAMPLING = 1.9
"""From this ratio of pixel sizes on, pixels are averaged instead of interpolated."""

_PLAIN_CRS = "EPSG:3857"
"""Stands in for the missing CRS of plain images, which GDAL's warper insists on."""

_WARP_TOLERANCE = 1e-3
"""Largest error in pixels of GDAL's transform (rasterio 1.4 refuses 0)."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both dates' pixels of one window."""

    before: NDArray[np.float32]
    """(bands, height, width), values as in the file; undefined where not valid."""
    after: NDArray[np.float32]
    """As `before`."""
    valid: NDArray[np.bool_]
    """(height, width), True where BOTH dates have data."""
    window: Window
    """Where on the grid."""


class Scene:
    """An open pair. Not safe for two threads at a time; use `open_scene`."""

    def __init__(
        self, grid: Grid, before: _OpenDate, after: _OpenDate, stack: ExitStack
    ) -> None:
        self.grid = grid
        self._before, self._after, self._stack = before, after, stack

    @property
    def before(self) -> Source:
        """Date 1's file."""
        return self._before.source

    @property
    def after(self) -> Source:
        """Date 2's file."""
        return self._after.source

    @property
    def readings(self) -> tuple[str, str]:
        """One sentence per date on how it is brought to the grid."""
        return self._before.reading, self._after.reading

    def read(self, window: Window) -> Pair:
        """Read the part of `window` that lies on the grid.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        window = window.clipped(self.grid.width, self.grid.height)
        before, valid_before = self._before.read(window)
        after, valid_after = self._after.read(window)
        return Pair(
            before=before,
            after=after,
            valid=valid_before & valid_after,
            window=window,
        )

    def read_around(self, window: Window, outer: Window) -> Pair | None:
        """Read `outer` where anything is valid in `window`, else None and no further.

        Args:
            window: a window of the grid.
            outer: the same with a margin; may stick out of the grid.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        outer = outer.clipped(self.grid.width, self.grid.height)
        inside = window.slices_in(outer)
        before, valid = self._before.read(outer)
        if not valid[inside].any():
            return None
        after, valid_after = self._after.read(outer)
        valid &= valid_after
        if not valid[inside].any():
            return None
        return Pair(before=before, after=after, valid=valid, window=outer)

    def correct_shift(self, d_row: float, d_col: float) -> None:
        """From now on read date 2 moved so that the content meets date 1's.

        Args:
            d_row: `after(row + d_row, col + d_col)` shows what `before(row, col)` does.
            d_col: as `d_row`, in pixels of the grid.
        """
        moved = self.grid.transform @ Affine.translation(d_col, d_row)
        grid = Grid(
            crs=self.grid.crs,
            transform=moved,
            width=self.grid.width,
            height=self.grid.height,
        )
        note = f", moved by ({-d_row:+.2f}, {-d_col:+.2f}) px (rows, columns)"
        self._after = _open_on(self._after.dataset, self._after.source, grid, note)
        self._after.enter(self._stack)


@dataclass(frozen=True, kw_only=True)
class _OpenDate:
    """One date, ready to be read on the grid."""

    source: Source
    dataset: Any
    """The file, a rasterio dataset."""
    reader: Any
    """The file itself or a WarpedVRT of it."""
    offset: tuple[int, int]
    """(col, row) of the grid's origin in the reader."""
    warped: bool
    reading: str
    masked: WarpedVRT | None = None
    """The file's mask, warped, where it declares a nodata value as well."""

    def enter(self, stack: ExitStack) -> None:
        """Close what was opened for reading, but not the file, with the stack."""
        for reader in (self.reader if self.warped else None, self.masked):
            if reader is not None:
                stack.enter_context(reader)

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (bands, height, width) and validity (height, width)."""
        col, row = window.col_off + self.offset[0], window.row_off + self.offset[1]
        place = RasterioWindow(col, row, window.width, window.height)
        bands = list(self.source.bands)
        with one_line_errors(self.source.path):
            values = self.reader.read(bands, window=place).astype(np.float32)
            valid = np.isfinite(values).all(axis=0)
            if not self.warped:
                valid &= self.reader.read_masks(bands, window=place).any(axis=0)
            # GDAL's masks heed only one of nodata value, alpha band and mask band
            readers = [self.reader, *([self.masked] if self.masked else [])]
            for reader in readers:
                alpha = alpha_band(reader)
                if alpha is not None:
                    valid &= reader.read(alpha, window=place) > 0
        if nodata_apart(self.dataset):
            valid &= (values != np.float32(self.dataset.nodata)).any(axis=0)
        return values, valid


@contextmanager
def open_scene(
    before: str,
    after: str,
    *,
    bands: str | None = None,
    reference: str = "before",
    resolution: float | None = None,
    bounds: tuple[float, float, float, float] | None = None,
) -> Iterator[Scene]:
    """Open two rasters on one grid.

    Args:
        before: date 1, a path or any name that GDAL opens.
        after: date 2.
        bands: see `geosim.raster.bands.choose_bands`.
        reference: whose grid: "before", "after" or the name of a third raster.
        resolution: another pixel size in the grid CRS's units.
        bounds: (left, bottom, right, top) in the grid CRS's units.

    Raises:
        RasterReadError: a file is missing or cannot be read.
        GridMismatchError: the two cannot share a grid.
        OptionError: a band that a file does not have.
    """
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_raster(path)) for path in (before, after)]
        sources = [
            describe(path, dataset, bands)
            for path, dataset in zip((before, after), datasets, strict=True)
        ]
        _check_bands(*sources)
        grid = common_grid(
            sources[0].grid,
            sources[1].grid,
            reference=_reference_grid(reference, sources),
            resolution=resolution,
            bounds=bounds,
        )
        dates = [
            _open_on(dataset, source, grid)
            for dataset, source in zip(datasets, sources, strict=True)
        ]
        for date in dates:
            date.enter(stack)
        yield Scene(grid, dates[0], dates[1], stack)


def _check_bands(before: Source, after: Source) -> None:
    """Both dates need the same number of bands."""
    if len(before.bands) != len(after.bands):
        raise OptionError(
            "both dates need the same bands: before gives "
            f"{len(before.bands)}, after {len(after.bands)}; choose with --bands"
        )


def _reference_grid(reference: str, sources: list[Source]) -> Grid:
    """The grid that `reference` names."""
    if reference in ("before", "after"):
        return sources[reference == "after"].grid
    with open_raster(reference) as dataset:
        return describe(reference, dataset, None).grid


def _open_on(dataset: Any, source: Source, grid: Grid, note: str = "") -> _OpenDate:  # noqa: ANN401
    """Read `dataset` on `grid`: directly where the pixels lie on each other."""
    if same_crs(source.grid.crs, grid.crs):
        offset = pixel_offset(source.grid, grid)
        if offset is not None and _inside(offset, source.grid, grid):
            reading = f"read as it is, offset {offset[0]}, {offset[1]} px"
            return _OpenDate(
                source=source,
                dataset=dataset,
                reader=dataset,
                offset=offset,
                warped=False,
                reading=reading,
            )
    ratio = _size_ratio(source.grid, grid)
    method = Resampling.average if ratio > _DOWNSAMPLING else Resampling.cubic
    two_kinds = source.nodata is not None and has_mask(dataset)
    return _OpenDate(
        source=source,
        dataset=dataset,
        reader=_warped(dataset, source, grid, method),
        offset=(0, 0),
        warped=True,
        reading=f"warped to the grid ({method.name} resampling){note}",
        masked=_warped(dataset, source, grid, method, by_mask=True)
        if two_kinds
        else None,
    )


def _inside(offset: tuple[int, int], source: Grid, grid: Grid) -> bool:
    """True where the whole grid lies within the source."""
    col, row = offset
    fits_across = col >= 0 and col + grid.width <= source.width
    return fits_across and row >= 0 and row + grid.height <= source.height


def _size_ratio(source: Grid, grid: Grid) -> float:
    """Pixel size of the grid over that of the source, along the columns."""
    middle_col, middle_row = grid.width / 2, grid.height / 2
    x, y = at(
        grid.transform,
        np.array([middle_col, middle_col + 1.0]),
        np.array([middle_row, middle_row]),
    )
    if not same_crs(source.crs, grid.crs):
        step = pyproj.Transformer.from_crs(grid.crs, source.crs, always_xy=True)
        x, y = step.transform(x, y)
    col, row = at(~source.transform, np.asarray(x), np.asarray(y))
    return float(np.hypot(col[1] - col[0], row[1] - row[0]))


def _warped(
    dataset: Any,  # noqa: ANN401
    source: Source,
    grid: Grid,
    method: Resampling,
    *,
    by_mask: bool = False,
) -> WarpedVRT:
    """A WarpedVRT of the dataset on the grid, with an alpha band for validity.

    GDAL's warper heeds a mask only where it knows of no nodata value: `by_mask`
    keeps it from it.
    """
    has_alpha = alpha_band(dataset) is not None
    nodata = source.nodata
    if nodata is None and source.dtype.startswith("float"):
        nodata = None if has_alpha or has_mask(dataset) else float("nan")
    plain = grid.crs is None
    crs = _PLAIN_CRS if plain else grid.crs.to_wkt()  # type: ignore[union-attr]
    options = {
        "INIT_DEST": "0",
        # beside an alpha band GDAL would count that as a band that is not nodata
        "UNIFIED_SRC_NODATA": "NO" if has_alpha else "YES",
    }
    return WarpedVRT(
        dataset,
        src_crs=crs if plain else None,
        src_transform=source.grid.transform if plain else None,
        crs=crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=method,
        tolerance=_WARP_TOLERANCE,
        add_alpha=not has_alpha,
        src_nodata=None if by_mask else nodata,
        **options,
    )
