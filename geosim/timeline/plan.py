"""What a series is of, settled before any comparison: scenes, grid, bands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from geosim.errors import NoDataError, OptionError
from geosim.raster.source import describe, open_raster
from geosim.timeline.options import FINEST_TOGETHER
from geosim.timeline.scenes import without
from geosim.timeline.stack import check_readable, series_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.timeline.calibration import Calibration
    from geosim.timeline.options import SeriesOptions
    from geosim.timeline.scenes import DatedScene
    from geosim.timeline.stack import LeftOut

_MOST_DATES = 250
"""Numbers of dates are kept in a byte."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a series is of, settled before any comparison."""

    scenes: list[DatedScene]
    """In the order of their dates."""
    left_out: list[LeftOut]
    """What cannot be read or lies elsewhere, and why."""
    grid: Grid
    """Of all results."""
    reference: str
    """Name of the raster whose grid it is."""
    bands: str | None
    """That are compared, as `ChangeOptions.bands`."""
    options: ChangeOptions
    """Of each comparison."""
    series: SeriesOptions
    """How they are put together."""
    folder: Path
    """Of the result."""
    notes: tuple[str, ...] = ()
    """What is to be told of the scenes."""

    @property
    def dates(self) -> tuple[str, ...]:
        """ISO dates of the scenes."""
        return tuple(scene.date or "" for scene in self.scenes)

    @property
    def together(self) -> bool:
        """Whether all dates decide together."""
        metres = self.grid.ground_resolution()
        coarse = metres is not None and metres >= FINEST_TOGETHER
        return self.series.decide == "together" or (
            self.series.decide == "auto" and coarse
        )


def make_plan(
    listed: list[DatedScene],
    options: ChangeOptions,
    series: SeriesOptions,
    folder: Path,
) -> Plan:
    """Settle grid, bands and scenes; every scene is read through once.

    Args:
        listed: scenes in the order of their dates.
        options: of each comparison.
        series: how they are put together.
        folder: of the result.

    Raises:
        NoDataError: fewer than two scenes can be read, or they have nothing in common.
        OptionError: more than 250 scenes, hectares where there is no CRS, or values of
            no data for each date.
    """
    if len(set(options.nodata_values)) > 1:
        raise OptionError(
            f"--nodata of a series wants one value for all scenes, such as '0'; found "
            f"'{options.nodata}'"
        )
    settled = _settled(listed, options, series)
    grid, reference = settled.grid, settled.reference
    if series.initial and grid.crs is None:
        raise OptionError(
            "--initial wants hectares, and so scenes with a coordinate reference "
            f"system; '{reference}' has none; leave --initial out"
        )
    if len(settled.scenes) > _MOST_DATES:
        raise OptionError(
            f"a series wants at most {_MOST_DATES} scenes; found {len(settled.scenes)}"
        )
    return Plan(
        scenes=settled.scenes,
        left_out=settled.left_out,
        grid=grid,
        reference=reference,
        bands=settled.bands,
        options=replace(options, bands=settled.bands),
        series=series,
        folder=folder,
    )


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """Scenes that can be read on a grid, see `Plan`."""

    scenes: list[DatedScene]
    left_out: list[LeftOut]
    grid: Grid
    reference: str
    bands: str | None


def _settled(
    listed: list[DatedScene], options: ChangeOptions, series: SeriesOptions
) -> _Settled:
    """Find the grid, and read all scenes on it; again without those that fail.

    One that fails may be the one whose grid it was: what lies on the next one's is
    another question.

    Raises:
        NoDataError: fewer than two scenes are left.
    """
    bad: list[LeftOut] = []
    while True:
        rest = without(listed, [one.scene.path for one in bad])
        if bad:
            _check_enough(rest, bad)
        grid, reference, kept, elsewhere = series_grid(rest, options, series.extent)
        left_out = [*bad, *elsewhere]
        _check_enough(kept, left_out)
        bands = options.bands or _all_bands(kept)
        found = check_readable(
            kept, grid, bands, options.nodata_values[0], options.mask_kind
        )
        if not found:
            return _Settled(
                scenes=kept,
                left_out=left_out,
                grid=grid,
                reference=reference,
                bands=bands,
            )
        bad += found


def check_together(plan: Plan, calibration: Calibration | None) -> None:
    """Refuse where all dates were asked to decide together and cannot.

    Args:
        plan: of the series.
        calibration: of the dates' light; None where too little is seen on all of them.

    Raises:
        NoDataError: as said.
    """
    if calibration is None and plan.series.decide == "together":
        raise NoDataError(
            "--decide together wants places that all dates show, to compare their "
            "light; found too few; leave out scenes with large gaps, or give --decide "
            "pairs"
        )


def _check_enough(scenes: Sequence[DatedScene], left_out: Sequence[LeftOut]) -> None:
    """Refuse what gives no interval."""
    if len(scenes) < 2:  # noqa: PLR2004 - one interval
        raise NoDataError(
            "a series wants at least two scenes that can be read and share a place; "
            f"found {len(scenes)}; {left_out[0].reason}"
        )


def _all_bands(scenes: Sequence[DatedScene]) -> str | None:
    """Numbers of all bands, those that would be compared alone first.

    None where the scenes differ in their bands, or cannot be read.
    """
    found = set()
    for scene in scenes:
        with open_raster(scene.path) as dataset:
            first = describe(scene.path, dataset, None)
            every = describe(scene.path, dataset, "all")
            names = tuple(dataset.descriptions)
        found.add((tuple(dict.fromkeys([*first.bands, *every.bands])), names))
    if len(found) > 1:
        return None
    return ",".join(map(str, found.pop()[0]))
