"""Two dates of one place on one grid, read by windows: the only reader."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affine import Affine

from geosim.errors import OptionError
from geosim.raster.caching import cache_bytes
from geosim.raster.date import OpenDate, open_on
from geosim.raster.gaps import without_gaps
from geosim.raster.grid import Grid, Window
from geosim.raster.held import holding
from geosim.raster.mask import Mask, open_mask
from geosim.raster.mask_files import MaskFiles
from geosim.raster.overlap import common_grid
from geosim.raster.same_bands import check_colours, check_roles
from geosim.raster.source import Source, grid_of, open_raster, open_source
from geosim.themes.roles import ROLES, per_date

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from geosim.raster.held import Reading
    from geosim.raster.nodata import Nodata


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
        self,
        grid: Grid,
        before: OpenDate,
        after: OpenDate,
        stack: ExitStack,
        masks: MaskFiles | None = None,
        *,
        hold: bool = False,
    ) -> None:
        self.grid = grid
        self._before, self._after, self._stack = before, after, stack
        self._hold = hold
        self._read_before, self._read_after = map(self._reading, (before, after))
        self.masks = masks or MaskFiles()
        self._masks = [
            self._open_mask(path, grid)
            for path in (self.masks.before, self.masks.after)
        ]

    def _open_mask(self, path: str | None, grid: Grid) -> Mask | None:
        if path is None:
            return None
        return open_mask(path, self.masks.kind, grid, self._stack)

    def _reading(self, date: OpenDate) -> Reading:
        """How a date's pixels are read."""
        return holding(date, self.grid) if self._hold else date.read

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

    @property
    def cache_bytes(self) -> int:
        """GDAL's cache with which few blocks of the files are decoded twice, bytes."""
        dates = self._before, self._after
        return sum(cache_bytes(date, self.grid) for date in dates)

    def masked(self, window: Window) -> tuple[NDArray[np.bool_] | None, ...]:
        """What each date's mask takes out of a window of the grid; None: no mask."""
        return tuple(mask.read(window) if mask else None for mask in self._masks)

    def _apply_masks(self, valid: NDArray[np.bool_], window: Window) -> None:
        for masked in self.masked(window):
            if masked is not None:
                valid &= ~masked

    def read(self, window: Window) -> Pair:
        """Read the part of `window` that lies on the grid.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        window = window.clipped(self.grid.width, self.grid.height)
        before, valid_before = self._read_before(window, None)
        after, valid_after = self._read_after(window, None)
        valid = valid_before & valid_after
        self._apply_masks(valid, window)
        return Pair(before=before, after=after, valid=valid, window=window)

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
        before, valid = self._read_before(outer, None)
        self._apply_masks(valid, outer)
        if not valid[inside].any():
            return None
        after, valid_after = self._read_after(outer, None)
        valid &= valid_after
        if not valid[inside].any():
            return None
        return Pair(before=before, after=after, valid=valid, window=outer)

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of bands that are known of both dates, in the order of `ROLES`."""
        both = self.before.roles.keys() & self.after.roles.keys()
        return tuple(role for role in ROLES if role in both)

    def read_roles(
        self, window: Window, reach: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """The bands of `roles` of both dates, each (roles, height, width).

        File values; where a date shows nothing, or its mask takes it out, those of a
        pixel close by, see `geosim.raster.gaps`. The third is (height, width), True
        where both dates have all of these bands: an infrared band may have gaps of its
        own, where the bands that are compared have none.

        Args:
            window: cut to the grid.
            reach: how far in pixels what is made of these values reaches; then they do
                not depend on the window. None: they may.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        window = window.clipped(self.grid.width, self.grid.height)
        found = self._with_gaps(window)
        known = found[0][1] & found[1][1]
        if known.all():
            return found[0][0], found[1][0], known
        outer = window.grown(reach or 0).clipped(self.grid.width, self.grid.height)
        inside = window.slices_in(outer)
        if outer != window:
            found = self._with_gaps(outer)
        before, after = (without_gaps(*date, reach)[:, *inside] for date in found)
        return before, after, known

    def _with_gaps(
        self, window: Window
    ) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """The bands of `roles` of each date and where it shows them, in the file."""
        found = []
        for read, source, masked in zip(
            (self._read_before, self._read_after),
            (self.before, self.after),
            self.masked(window),
            strict=True,
        ):
            bands = tuple(source.roles[role] for role in self.roles)
            values, valid = read(window, bands)
            found.append((values, valid if masked is None else valid & ~masked))
        return found

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
        self._after = open_on(self._after.dataset, self._after.source, grid, note)
        self._after.enter(self._stack)
        self._read_after = self._reading(self._after)
        self._masks[1] = self._open_mask(self.masks.after, grid)


@contextmanager
def open_scene(  # noqa: PLR0913 - one call, all of it by name
    before: str,
    after: str,
    *,
    bands: str | None = None,
    reference: str = "before",
    resolution: float | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    masks: MaskFiles | None = None,
    nodata: Nodata = (None, None),
    hold: bool = False,
) -> Iterator[Scene]:
    """Open two rasters on one grid.

    Args:
        before: date 1, a path or any name that GDAL opens.
        after: date 2.
        bands: see `geosim.raster.bands.choose_bands`; of roles and sensors, with a
            colon between, one for each date.
        reference: whose grid: "before", "after" or the name of a third raster.
        resolution: another pixel size in the grid CRS's units.
        bounds: (left, bottom, right, top) in the grid CRS's units.
        masks: what is not to be compared, by date.
        nodata: takes the place of the values that the files declare.
        hold: keep the pixels of a small raster in memory, for what reads it again and
            again (`geosim.raster.held`).

    Raises:
        RasterReadError: a file is missing or cannot be read.
        GridMismatchError: the two cannot share a grid.
        OptionError: a band that a file does not have.
    """
    with ExitStack() as stack:
        datasets, sources = [], []
        wanted = zip((before, after), per_date(bands), nodata, strict=True)
        for path, of_date, value in wanted:
            dataset, source = open_source(path, of_date, value)
            datasets.append(stack.enter_context(dataset))
            sources.append(source)
        _check_bands(sources[0], sources[1], bands)
        grid = common_grid(
            sources[0].grid,
            sources[1].grid,
            reference=_reference_grid(reference, sources),
            resolution=resolution,
            bounds=bounds,
        )
        dates = [
            open_on(dataset, source, grid)
            for dataset, source in zip(datasets, sources, strict=True)
        ]
        for date in dates:
            date.enter(stack)
        yield Scene(grid, dates[0], dates[1], stack, masks, hold=hold)


def _check_bands(before: Source, after: Source, bands: str | None) -> None:
    """Both dates need the same number of bands, and the same ones."""
    if bands is None:
        check_colours([before, after])
    if len(before.bands) != len(after.bands):
        raise OptionError(
            "both dates need the same bands: before gives "
            f"{len(before.bands)}, after {len(after.bands)}; choose as many of both "
            "with --bands, such as --bands 1 for the first of each"
        )
    wanted = per_date(bands)
    # those that are written come first, then what names tell of other bands
    first, second = (list(one.roles)[: len(one.bands)] for one in (before, after))
    if wanted[0] != wanted[1] and first != second:
        raise OptionError(
            "--bands wants the same roles in one order for both dates; found "
            f"{', '.join(first)} and {', '.join(second)}"
        )
    check_roles([before, after])


def _reference_grid(reference: str, sources: list[Source]) -> Grid:
    """The grid that `reference` names."""
    if reference in ("before", "after"):
        return sources[reference == "after"].grid
    with open_raster(reference) as dataset:
        return grid_of(reference, dataset)
