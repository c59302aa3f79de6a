"""All scenes of a series on one grid, read by windows."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import GeosimError, GridMismatchError, OptionError
from geosim.raster.caching import cache_bytes
from geosim.raster.date import open_on
from geosim.raster.grid import Grid, strips
from geosim.raster.mask import open_mask
from geosim.raster.overlap import common_grid
from geosim.raster.same_bands import check_colours, check_roles
from geosim.raster.source import describe, open_raster, open_source
from geosim.themes.roles import ROLES
from geosim.timeline.steps import previous_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.raster.date import OpenDate
    from geosim.raster.grid import Window
    from geosim.raster.mask import Mask
    from geosim.raster.mask_files import MaskKind
    from geosim.raster.source import Source
    from geosim.timeline.options import Extent
    from geosim.timeline.scenes import DatedScene

_STRIP_PIXELS = 4_000_000
"""Pixels of all dates and bands that a strip holds at most."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A scene that the series goes on without."""

    scene: DatedScene
    reason: str
    """Why, in one line."""


class Stack:
    """Open scenes on one grid. Not safe for two threads at a time."""

    def __init__(
        self, grid: Grid, dates: list[OpenDate], masks: list[Mask | None]
    ) -> None:
        self.grid, self._dates, self._masks = grid, dates, masks
        common = set.intersection(*(set(date.source.roles) for date in dates))
        self.roles: tuple[str, ...] = tuple(role for role in ROLES if role in common)
        """What bands of all scenes are, as far as it is known."""
        self._numbers = [
            tuple(
                dict.fromkeys(
                    [*date.source.bands, *(date.source.roles[r] for r in self.roles)]
                )
            )
            for date in dates
        ]

    @property
    def sources(self) -> list[Source]:
        """What each scene's file says of itself."""
        return [date.source for date in self._dates]

    @property
    def scalings(self) -> list[dict[str, tuple[float, float]]]:
        """Scale and offset that each scene declares, by role."""
        return [
            {role: source.scaling[source.roles[role] - 1] for role in self.roles}
            for source in self.sources
        ]

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that are read, as the first scene tells them."""
        first = self.sources[0]
        names = dict(zip(first.bands, first.band_names, strict=True))
        by_number = {number: role for role, number in first.roles.items()}
        return tuple(
            names.get(number) or by_number[number] for number in self._numbers[0]
        )

    def role_bands(self, values: NDArray[np.float32], date: int) -> NDArray[np.float32]:
        """Of a date's (bands, ...) those of `roles`, in their order."""
        numbers, source = self._numbers[date], self.sources[date]
        return values[[numbers.index(source.roles[role]) for role in self.roles]]

    @property
    def readings(self) -> tuple[str, ...]:
        """One sentence per date on how it is brought to the grid."""
        return tuple(date.reading for date in self._dates)

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(t, bands, height, width) file values and (t, height, width) validity.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        found = [self.read_date(date, window) for date in range(len(self._dates))]
        return np.stack([one[0] for one in found]), np.stack([one[1] for one in found])

    def read_date(
        self, date: int, window: Window
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(bands, height, width) file values of one date and (height, width) validity.

        Raises:
            RasterReadError: a file is damaged or went away.
        """
        values, valid = self._dates[date].read(window, self._numbers[date])
        mask = self._masks[date]
        return values, valid if mask is None else valid & ~mask.read(window)

    @property
    def cache_bytes(self) -> int:
        """GDAL's cache with which few blocks of the files are decoded twice, bytes."""
        return sum(cache_bytes(date, self.grid) for date in self._dates)

    def strip_rows(self) -> int:
        """Rows of a strip that is read of all dates at once."""
        layers = len(self._dates) * len(self.bands) * self.grid.width
        return max(16, min(256, _STRIP_PIXELS // max(layers, 1)))


@contextmanager
def open_stack(
    scenes: Sequence[DatedScene],
    grid: Grid,
    bands: str | None,
    nodata: float | None = None,
    kind: MaskKind = "auto",
) -> Iterator[Stack]:
    """Open scenes on a grid.

    Args:
        scenes: by date.
        grid: what they are read on.
        bands: which, see `geosim.raster.bands.choose_bands`.
        nodata: takes the place of the nodata values that the files declare.
        kind: what the numbers of masks mean.

    Raises:
        RasterReadError: one cannot be opened.
        OptionError: they differ in their number of bands.
    """
    with ExitStack() as stack:
        dates = []
        for scene in scenes:
            dataset, source = open_source(scene.path, bands, nodata)
            dates.append(open_on(stack.enter_context(dataset), source, grid))
        if bands is None:
            check_colours(date.source for date in dates)
        check_roles([date.source for date in dates])
        counts = {len(date.source.bands) for date in dates}
        if len(counts) > 1:
            raise OptionError(
                "all scenes need the same bands; found "
                f"{', '.join(map(str, sorted(counts)))} of them; choose with --bands"
            )
        for date in dates:
            date.enter(stack)
        masks = [
            open_mask(scene.mask, kind, grid, stack) if scene.mask else None
            for scene in scenes
        ]
        yield Stack(grid, dates, masks)


def series_grid(
    scenes: Sequence[DatedScene], options: ChangeOptions, extent: Extent
) -> tuple[Grid, str, list[DatedScene], list[LeftOut]]:
    """The grid of a series: (grid, name of the raster it is of, scenes, left out).

    Args:
        scenes: by date.
        options: `grid` ("before": the first scene's, "after": the last one's, or a
            raster's), `resolution` and `bounds`.
        extent: "reference": all of that raster; "common": what all scenes show.

    Raises:
        GeosimError: the raster of the grid cannot be used.
    """
    grids: dict[str, Grid] = {}
    left_out = []
    for scene in scenes:
        try:
            with open_raster(scene.path) as dataset:
                grids[scene.path] = describe(scene.path, dataset, None).grid
        except GeosimError as error:
            left_out.append(LeftOut(scene=scene, reason=str(error)))
    there = [scene for scene in scenes if scene.path in grids]
    if len(there) < 2:  # noqa: PLR2004 - one interval
        raise GridMismatchError(
            "a series wants at least two scenes that can be read; found "
            f"{len(there)}; the first of the others: {left_out[0].reason}"
        )
    name = {"before": there[0].path, "after": there[-1].path}.get(
        options.grid, options.grid
    )
    if name in grids:
        reference = grids[name]
    else:
        with open_raster(name) as dataset:
            reference = describe(name, dataset, None).grid
    kept = []
    for scene in there:
        try:
            common_grid(reference, grids[scene.path])
            kept.append(scene)
        except GeosimError as error:
            left_out.append(LeftOut(scene=scene, reason=f"'{scene.path}': {error}"))
    others = [grids[scene.path] for scene in kept] if extent == "common" else []
    grid = common_grid(
        reference,
        reference,
        resolution=options.resolution,
        bounds=options.bounds,
    )
    # each step cuts the grid further; the pixels stay where they are
    grid = reduce(common_grid, others, grid)
    return grid, name, kept, left_out


def check_readable(
    scenes: Sequence[DatedScene],
    grid: Grid,
    bands: str | None,
    nodata: float | None = None,
    kind: MaskKind = "auto",
) -> list[LeftOut]:
    """Read every scene through once: those that cannot be read, or show nothing.

    Args:
        scenes: by date.
        grid: what they are read on.
        bands: as `open_stack`.
        nodata: as there.
        kind: as there.
    """
    bad = []
    for scene in scenes:
        seen = False
        try:
            with open_stack([scene], grid, bands, nodata, kind) as stack:
                for window in strips(grid, stack.strip_rows()):
                    seen |= bool(stack.read_date(0, window)[1].any())
        except GeosimError as error:
            bad.append(LeftOut(scene=scene, reason=str(error)))
        else:
            if not seen:
                reason = f"'{scene.path}' has no pixel with data on the series' grid"
                if scene.mask:
                    reason += f" that its mask '{scene.mask}' leaves"
                bad.append(LeftOut(scene=scene, reason=reason))
    return bad


def count_intervals(
    stack: Stack, dates: int, tick: Callable[[float], None]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many pixels have each pair of dates as neighbours in their own series.

    Returns:
        (t, t) pixels whose last valid date before the second is the first; (t,) share
        of the grid that each date covers.
    """
    counts = np.zeros((dates, dates), np.int64)
    valid_px = np.zeros(dates)
    grid = stack.grid
    for window in strips(grid, stack.strip_rows()):
        _, valid = stack.read(window)
        before = previous_valid(valid)
        for date in range(dates):
            valid_px[date] += np.count_nonzero(valid[date])
            found = before[date][valid[date]]
            counts[:, date] += np.bincount(found[found >= 0], minlength=dates)
        tick(window.width * window.height)
    return counts, valid_px / (grid.width * grid.height)
