"""One date, read by windows of a grid.

Where its pixels lie on the grid it is read as it is. Any other is warped by GDAL's
WarpedVRT, exact to a thousandth of a pixel, so that a pixel's value does not depend on
the window it was read with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geosim.raster.grid import Grid, Window, at, pixel_offset, same_crs
from geosim.raster.longitudes import (
    around_the_globe,
    crs_for_warping,
    near,
    turned,
)
from geosim.raster.nodata import one_band_tells
from geosim.raster.shifted import aligned, kernel_window, resample, shift_between
from geosim.raster.source import (
    PLAIN_CRS,
    Source,
    one_line_errors,
)
from geosim.raster.transparency import (
    all_valid,
    alpha_band,
    has_mask,
    nodata_apart,
)

if TYPE_CHECKING:
    from contextlib import ExitStack

    from numpy.typing import NDArray

_DOWNSAMPLING = 1.9
"""From this ratio of pixel sizes on, pixels are averaged instead of interpolated."""

_WARP_BLOCK = 512, 128
"""Columns and rows of the blocks that GDAL warps as a whole, however little is read."""

_WARP_TOLERANCE = 1e-3
"""Largest error in pixels of GDAL's transform (rasterio 1.4 refuses 0)."""


@dataclass(frozen=True, kw_only=True)
class OpenDate:
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
    shift: tuple[float, float] | None = None
    """(columns, rows) of the grid's origin on the file's pixels, where a warped date
    differs by that alone and is interpolated."""

    def enter(self, stack: ExitStack) -> None:
        """Close what was opened for reading, but not the file, with the stack."""
        for reader in (self.reader if self.warped else None, self.masked):
            if reader is not None:
                stack.enter_context(reader)

    def read(
        self, window: Window, bands: tuple[int, ...] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (bands, height, width) and validity (height, width).

        Args:
            window: of the grid.
            bands: numbers of bands; None: those that are compared.
        """
        wanted = list(bands or self.source.bands)
        if self.shift is None:
            return self._read(window, wanted)
        values = np.empty((len(wanted), window.height, window.width), np.float32)
        valid = np.empty((window.height, window.width), np.bool_)
        for part in aligned(window, *_WARP_BLOCK):
            rows, cols = part.slices_in(window)
            moved = self._read_shifted(part, self.shift, wanted)
            if moved is None:
                values[:, rows, cols], valid[rows, cols] = self._read(part, wanted)
            else:
                values[:, rows, cols], valid[rows, cols] = moved, True
        return values, valid

    def _read_shifted(
        self, window: Window, shift: tuple[float, float], bands: list[int]
    ) -> NDArray[np.float32] | None:
        """Interpolated values; None where GDAL would leave a pixel out of a kernel."""
        needed = kernel_window(window, shift)
        source = self.source
        if needed.clipped(source.grid.width, source.grid.height) != needed:
            return None
        place = RasterioWindow(
            needed.col_off, needed.row_off, needed.width, needed.height
        )
        with one_line_errors(source.path):
            if not (
                all_valid(self.dataset, bands)
                or self.dataset.read_masks(bands, window=place).all()
            ):
                return None
            found = _read_bands(self.dataset, bands, place)
        if not np.isfinite(found).all():
            return None
        moved = np.stack([resample(band, shift) for band in found])
        # GDAL moves results that happen to equal the nodata value
        return None if (moved == source.nodata).any() else moved

    def _read(
        self, window: Window, bands: list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """As `read`, by GDAL."""
        col, row = window.col_off + self.offset[0], window.row_off + self.offset[1]
        place = RasterioWindow(col, row, window.width, window.height)
        strict = one_band_tells(self.source.nodata)
        with one_line_errors(self.source.path):
            found = _read_bands(self.reader, bands, place)
            with np.errstate(over="ignore"):  # of a nodata value such as -1.8e308
                values = found.astype(np.float32)
            valid = np.ones(values.shape[1:], np.bool_)
            if found.dtype.kind == "f":
                valid &= np.isfinite(values).all(axis=0)
            if not self.warped and not all_valid(self.reader, bands):
                valid &= self.reader.read_masks(bands, window=place).any(axis=0)
            # GDAL's masks heed only one of nodata value, alpha band and mask band
            readers = [self.reader, *([self.masked] if self.masked else [])]
            for reader in readers:
                alpha = alpha_band(reader)
                if alpha is not None:
                    valid &= reader.read(alpha, window=place) > 0
        if nodata_apart(self.dataset):
            valid &= (values != _as_read(self.dataset.nodata)).any(axis=0)
        if strict:
            valid &= (values != _as_read(self.source.nodata)).all(axis=0)
        return values, valid


def _read_bands(
    reader: Any,  # noqa: ANN401
    bands: list[int],
    place: RasterioWindow,
) -> NDArray[Any]:
    """(bands, height, width) in the type that holds all of them.

    A VRT may have bands of several types, which rasterio does not read at once.
    """
    if len({reader.dtypes[band - 1] for band in bands}) == 1:
        return np.asarray(reader.read(bands, window=place))
    found = [reader.read(band, window=place) for band in bands]
    kind = np.result_type(*(one.dtype for one in found))
    return np.stack([one.astype(kind) for one in found])


def _as_read(nodata: float | None) -> np.float32:
    """A nodata value as pixels with it are read; infinite where that is too large."""
    assert nodata is not None  # noqa: S101 - asked for with one only
    with np.errstate(over="ignore"):
        return np.float32(nodata)


def open_on(dataset: Any, source: Source, grid: Grid, note: str = "") -> OpenDate:  # noqa: ANN401
    """Read `dataset` on `grid`: directly where the pixels lie on each other."""
    if same_crs(source.grid.crs, grid.crs):
        offset = pixel_offset(source.grid, grid)
        if offset is not None and _inside(offset, source.grid, grid):
            reading = f"read as it is, offset {offset[0]}, {offset[1]} px"
            return OpenDate(
                source=source,
                dataset=dataset,
                reader=dataset,
                offset=offset,
                warped=False,
                reading=reading,
            )
    ratio = size_ratio(source.grid, grid)[0]
    method = Resampling.average if ratio > _DOWNSAMPLING else Resampling.cubic
    two_kinds = source.nodata is not None and has_mask(dataset)
    simple = method == Resampling.cubic and same_crs(source.grid.crs, grid.crs)
    simple &= alpha_band(dataset) is None and not two_kinds
    return OpenDate(
        source=source,
        dataset=dataset,
        reader=_warped(dataset, source, grid, method),
        offset=(0, 0),
        warped=True,
        reading=f"warped to the grid ({method.name} resampling){note}",
        masked=_warped(dataset, source, grid, method, by_mask=True)
        if two_kinds
        else None,
        shift=shift_between(source.grid, grid) if simple else None,
    )


def _inside(offset: tuple[int, int], source: Grid, grid: Grid) -> bool:
    """True where the whole grid lies within the source."""
    col, row = offset
    fits_across = col >= 0 and col + grid.width <= source.width
    return fits_across and row >= 0 and row + grid.height <= source.height


def size_ratio(source: Grid, grid: Grid) -> tuple[float, float]:
    """Pixel size of the grid over that of the source, along its columns and its rows.

    The median of nine places: one of them, as the pole in the middle of a polar grid,
    may tell nothing. NaN where none has a place in the source's CRS.
    """
    shares = np.array([0.25, 0.5, 0.75])
    col, row = (one.ravel() for one in np.meshgrid(shares, shares))
    # of each place the next column, the place, the next row
    x, y = at(
        grid.transform,
        col[:, None] * grid.width + np.array([1.0, 0.0, 0.0]),
        row[:, None] * grid.height + np.array([0.0, 0.0, 1.0]),
    )
    if not same_crs(source.crs, grid.crs):
        step = pyproj.Transformer.from_crs(grid.crs, source.crs, always_xy=True)
        x, y = step.transform(x, y)
    known = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    if not known.any():
        return math.nan, math.nan
    x, y = x[known], y[known]
    if source.crs is not None and source.crs.is_geographic:
        x = near(x)
    col, row = at(~source.transform, x, y)
    across, down = np.median(np.hypot(np.diff(col), np.diff(row)), axis=0)
    return float(across), float(down)


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
    # GDAL's alpha tells of pixels without any band only. Without it such a value stays
    # where a band has none, and is looked for when it is read.
    strict = not by_mask and not has_alpha and one_band_tells(nodata)
    plain = grid.crs is None
    crs = PLAIN_CRS if plain else grid.crs.to_wkt()  # type: ignore[union-attr]
    options = {
        "INIT_DEST": "NO_DATA" if strict else "0",
        # beside an alpha band GDAL would count that as a band that is not nodata
        "UNIFIED_SRC_NODATA": "NO" if has_alpha or strict else "YES",
    }
    if grid.in_degrees and not source.grid.in_degrees:
        # the edges of a block do not tell what it needs of a map of the globe, which
        # ends somewhere within it
        options["SAMPLE_GRID"] = "YES"
    if turned(source.grid, grid) or around_the_globe(source.grid):
        # GDAL takes the scale from the pixels that it reads for a block: across the
        # ends of a source all of them
        for name, ratio in zip(
            ("XSCALE", "YSCALE"), size_ratio(source.grid, grid), strict=True
        ):
            options[name] = str(1 / ratio)
    return WarpedVRT(
        dataset,
        src_crs=crs if plain else crs_for_warping(dataset, grid),
        src_transform=source.grid.transform if plain else None,
        crs=crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=method,
        tolerance=_WARP_TOLERANCE,
        add_alpha=not has_alpha and not strict,
        src_nodata=None if by_mask else nodata,
        **options,
    )
