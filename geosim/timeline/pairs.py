"""The comparisons of a series: each pair of neighbouring dates, kept when done."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window as RasterioWindow

from geosim.change.scores import UNIT_LEVELS
from geosim.deciding.decision import CHANGED, NODATA
from geosim.delivering.finished import open_result, same_run
from geosim.errors import (
    GridMismatchError,
    NoDataError,
    OtherRunError,
    OutputError,
    ResultExistsError,
)
from geosim.options import ChangeOptions
from geosim.pipeline import detect_change
from geosim.raster.grid import Grid, Window, pixel_offset
from geosim.result import RECORD
from geosim.siamese.keeping import keeping
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.result import ChangeResult
    from geosim.timeline.scenes import DatedScene

LIKELY = 0.5
"""Share of a comparison's threshold from which a change is likely enough to be looked
for on the other dates."""

PAIRS = "pairs"
"""Folder of the comparisons within the result's."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Two dates of a series that are compared."""

    before: int
    """Number of date 1, from 0."""
    after: int
    """Number of date 2."""
    bridged_px: int = 0
    """Pixels without data between them, for which it is compared; 0 for neighbours."""


def intervals_wanted(counts: NDArray[np.int64], smallest: int) -> list[Interval]:
    """Neighbouring dates, and others that enough pixels have as neighbours.

    Args:
        counts: (t, t) of `count_intervals`.
        smallest: pixels that a gap must have to be bridged.
    """
    dates = len(counts)
    found = [Interval(before=date, after=date + 1) for date in range(dates - 1)]
    for before in range(dates):
        for after in range(before + 2, dates):
            pixels = int(counts[before, after])
            if pixels >= smallest:
                found.append(Interval(before=before, after=after, bridged_px=pixels))
    return sorted(found, key=lambda one: (one.after, one.before))


def pair_name(scenes: Sequence[DatedScene], interval: Interval) -> str:
    """Folder of a comparison: its dates."""
    return f"{scenes[interval.before].date}_{scenes[interval.after].date}"


def run_pairs(
    scenes: Sequence[DatedScene],
    intervals: Sequence[Interval],
    *,
    reference: str,
    options: ChangeOptions,
    folder: Path,
    earlier: Path,
    done: Callable[[int], None],
) -> tuple[dict[Interval, ChangeResult], list[str]]:
    """Compare each interval: (results, notes on those that have nothing in common).

    Args:
        scenes: by date.
        intervals: which dates to compare.
        reference: name of the raster whose pixels are used.
        options: of each comparison; with `resume` what is there already stays.
        folder: where the results go.
        earlier: folder of results of an earlier run, used with `resume`.
        done: called with the number of intervals that are done.

    Raises:
        GeosimError: as `detect_change`.
    """
    results, notes = {}, []
    weights = None
    if options.method == "siamese":
        weights = load_weights(options.weights).record.sha256
    with keeping():
        for number, interval in enumerate(intervals):
            name = pair_name(scenes, interval)
            before, after = scenes[interval.before], scenes[interval.after]
            own = replace(
                options,
                grid=reference,
                date_before=before.date,
                date_after=after.date,
                mask_before=before.mask,
                mask_after=after.mask,
                overwrite=True,
                formats=ChangeOptions().formats,  # others are the series' own
            )
            try:
                found = None
                if options.resume:
                    _take_over(earlier / name, folder / name)
                    found = _finished(folder / name, before, after, own, weights)
                results[interval] = found or _compare(before, after, folder / name, own)
            except (NoDataError, GridMismatchError) as error:
                notes.append(
                    f"{before.date} and {after.date} were not compared: {error}"
                )
            done(number + 1)
    return results, notes


def check_pairs(folder: Path) -> None:
    """Refuse a folder of comparisons that holds anything else, which would be lost.

    Args:
        folder: `PAIRS` of a result that is to be replaced; may be missing.

    Raises:
        ResultExistsError: it holds files or folders of somebody's own.
    """
    if folder.exists() and not folder.is_dir():
        raise ResultExistsError(
            f"a series keeps its comparisons in the folder '{folder}', which is a "
            "file; move it or choose another place with -o"
        )
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if not _is_comparison(path):
            raise ResultExistsError(
                f"'{folder}' holds '{path.name}', which is no comparison of a series "
                "and would be lost; move it or choose another place with -o"
            )


def _is_comparison(path: Path) -> bool:
    """Whether it is the folder of a result, or of one that was interrupted."""
    return path.is_dir() and (path.name.startswith(".") or (path / RECORD).exists())


def remove_pairs(folder: Path) -> None:
    """Remove the comparisons of an earlier result, and nothing else."""
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if _is_comparison(path):
            shutil.rmtree(path, ignore_errors=True)


def _take_over(earlier: Path, folder: Path) -> None:
    """Bring an earlier run's comparison here, without copying where it can be."""
    if folder.exists() or not earlier.is_dir():
        return

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    shutil.copytree(earlier, folder, copy_function=link)


def _finished(
    folder: Path,
    before: DatedScene,
    after: DatedScene,
    options: ChangeOptions,
    weights: str | None,
) -> ChangeResult | None:
    """The result that is there, where a new run would give it again."""
    try:
        result = open_result(folder)
    except OutputError:
        return None
    same = same_run(result.record, before.path, after.path, options, weights)
    return result if same else None


def _compare(
    before: DatedScene, after: DatedScene, folder: Path, options: ChangeOptions
) -> ChangeResult:
    try:
        return detect_change(before.path, after.path, folder, options)
    except OtherRunError:
        anew = replace(options, resume=False)
        return detect_change(before.path, after.path, folder, anew)


class PairMaps:
    """The maps of a comparison, read by windows of the series' grid."""

    def __init__(self, result: ChangeResult, grid: Grid, stack: ExitStack) -> None:
        """Open them; they are closed with the stack."""
        self._change = stack.enter_context(rasterio.open(result.paths["change"]))
        self._scores = stack.enter_context(rasterio.open(result.paths["difference"]))
        own = Grid(
            crs=grid.crs,
            transform=Affine(*result.record.grid.transform),
            width=self._change.width,
            height=self._change.height,
        )
        offset = pixel_offset(grid, own)
        if offset is None:
            raise OutputError(
                f"'{result.folder}' must lie on the grid of the series and does not; "
                "run the series again with --overwrite"
            )
        self._offset = offset

        self._level = result.record.threshold.value * UNIT_LEVELS

    def likely(self, window: Window) -> NDArray[np.bool_]:
        """(height, width), True from half of the comparison's threshold on."""
        levels = self._read(self._scores, window)
        found: NDArray[np.bool_] = levels >= LIKELY * self._level
        found &= levels != NODATA
        return found

    def changed(self, window: Window) -> NDArray[np.bool_]:
        """(height, width), True where the comparison says so."""
        found: NDArray[np.bool_] = self._read(self._change, window) == CHANGED
        return found

    def probability(self, window: Window) -> NDArray[np.uint8]:
        """(height, width) levels 0..254 of the probability, 0 without data."""
        levels = self._read(self._scores, window)
        return np.where(levels == NODATA, np.uint8(0), levels)

    def _read(self, dataset: object, window: Window) -> NDArray[np.uint8]:
        """The first band of a map, 255 beyond it."""
        values = np.full((window.height, window.width), NODATA, np.uint8)
        moved = Window(
            window.col_off - self._offset[0],
            window.row_off - self._offset[1],
            window.width,
            window.height,
        )
        inside = moved.clipped(dataset.width, dataset.height)  # type: ignore[attr-defined]
        if inside.width and inside.height:
            place = RasterioWindow(
                inside.col_off, inside.row_off, inside.width, inside.height
            )
            values[inside.slices_in(moved)] = dataset.read(1, window=place)  # type: ignore[attr-defined]
        return values


def open_maps(
    results: Mapping[Interval, ChangeResult], grid: Grid, stack: ExitStack
) -> dict[tuple[int, int], PairMaps]:
    """The maps of all comparisons by their dates' numbers."""
    return {
        (interval.before, interval.after): PairMaps(result, grid, stack)
        for interval, result in results.items()
    }
