"""Many dates of one place: what changed when, and whether it stayed."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import NoDataError, ResultExistsError
from geosim.options import ChangeOptions
from geosim.pipeline import choose_tile_size
from geosim.progress import Clock, Progress
from geosim.publish.formats import check_formats
from geosim.raster.environment import cache_for, gdal_environment
from geosim.raster.output_folder import check_folder, check_inputs
from geosim.raster.source import plain_images_welcome
from geosim.raster.staging import WorkFolder, check_space, publish_folder, work_folder
from geosim.raster.writer import Layout, WorkRaster
from geosim.scoring.identity import check_unchanged, file_states
from geosim.scoring.opening import cache_within
from geosim.timeline.calibration import no_calibration
from geosim.timeline.classes import fit_covering, slugs_of_codes
from geosim.timeline.deciding import Decider, reach_of
from geosim.timeline.options import SeriesOptions
from geosim.timeline.pairs import (
    PAIRS,
    Interval,
    check_pairs,
    intervals_wanted,
    open_maps,
    remove_pairs,
    run_pairs,
)
from geosim.timeline.plan import Plan, check_together, make_plan
from geosim.timeline.recording import Made
from geosim.timeline.result import (
    SERIES_EXTRA_FILES,
    SERIES_FILES,
    SERIES_RASTERS,
    SERIES_RECORD,
    SeriesResult,
)
from geosim.timeline.sampling import calibrate, samples_of
from geosim.timeline.scanning import block_side, decide_all, threads_within
from geosim.timeline.scenes import DatedScene, read_scenes, undated
from geosim.timeline.stack import count_intervals, open_stack
from geosim.timeline.summing import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.result import ChangeResult
    from geosim.timeline.calibration import Calibration
    from geosim.timeline.covers import Covered
    from geosim.timeline.pairs import PairMaps
    from geosim.timeline.stack import Stack


def detect_series(
    scenes: str | Path | Sequence[str | Path | DatedScene],
    out: str | Path | None = None,
    options: ChangeOptions | None = None,
    *,
    series: SeriesOptions | None = None,
    progress: Progress | None = None,
) -> SeriesResult:
    """Find what changed when in a series of rasters of one place.

    Neighbouring dates are compared as `detect_change` does; then all dates together
    decide to the pixel in which interval a change came, where it ends and whether it
    stays. The year of a change is that of the later date of its interval. A scene that
    cannot be read is left out and told (`SeriesResult.left_out`); what has no data on a
    date is bridged: its change is dated to the longer interval.

    Args:
        scenes: rasters in any order; or a folder, a CSV file or a STAC ItemCollection
            (see `read_scenes`).
        out: folder of the result; None: `series_<first>_<last>` here.
        options: of each comparison; `grid` "before" is the first scene's grid; `bands`
            None are all bands, red, green and blue first, where all scenes have the
            same; `formats` are those of the series' polygons. With
            `resume` comparisons that are finished stay, those of an earlier series in
            `out` included, so that a later date can be added.
        series: how they are put together; the defaults where None.
        progress: called as the work goes on, with the stages "reading", "pairs"
            (counted), "deciding" and "writing".

    Returns:
        The result: its record, its files, its polygons, its table.

    Raises:
        GeosimError: one of `geosim.errors`. Comparisons that are finished are kept in a
            hidden folder beside `out`, or in it, for `ChangeOptions.resume`.
    """
    options, series = options or ChangeOptions(), series or SeriesOptions()
    listed = read_scenes(scenes, series.dates)
    folder = Path(out) if out is not None else default_series_folder(listed)
    replaced = options.overwrite or options.resume
    named = [name for scene in listed for name in (scene.path, scene.mask)]
    files = *SERIES_FILES, *SERIES_EXTRA_FILES.values()
    check_inputs(folder, files, [*named, options.grid])
    check_folder(folder, files, overwrite=replaced)
    check_pairs(folder / PAIRS)
    clock = Clock(progress)
    with (
        plain_images_welcome(),
        gdal_environment(options.thread_count),
        work_folder(folder) as work,
    ):
        _check_leftover(work, options)
        # another run may have ended meanwhile
        check_folder(folder, files, overwrite=replaced)
        plan = make_plan(listed, options, series, folder)
        check_formats(options.formats, plan.grid.crs)
        plan = replace(plan, notes=tuple(undated(scenes)))
        choose_tile_size(plan.grid, options)
        inputs = [n for s in plan.scenes for n in (s.path, s.mask) if n]
        states = file_states(inputs)
        record = _run(plan, work, clock)
        check_unchanged(states, inputs)
        remove_pairs(folder / PAIRS)
        extra = tuple(SERIES_EXTRA_FILES.values())
        publish_folder(work.result, folder, SERIES_RECORD, extra)
        work.published = f"the result in '{folder}' is complete"
    return SeriesResult(folder=folder, record=record)


def default_series_folder(scenes: Sequence[DatedScene]) -> Path:
    """`series_<first>_<last>` of the dates."""
    return Path(f"series_{scenes[0].date}_{scenes[-1].date}")


def _check_leftover(work: WorkFolder, options: ChangeOptions) -> None:
    """Clear the working folder, or leave its comparisons for a run that goes on."""
    pairs, delivered = work.path / PAIRS, work.result / PAIRS
    if delivered.is_dir() and not pairs.exists():  # it could not be published
        delivered.rename(pairs)
    kept = [path for path in pairs.glob("*/run.json") if path.parent.name[0] != "."]
    begun = next(pairs.glob(".*.partial"), None)
    if (kept or begun) and not options.resume and not options.overwrite:
        also = " and one that was begun" if begun else ""
        raise ResultExistsError(
            f"'{work.told}' holds {len(kept)} finished comparisons{also} of an "
            "interrupted series; go on with --resume or begin anew with --overwrite"
        )
    if not options.resume:
        work.clear()


def _run(plan: Plan, work: WorkFolder, clock: Clock) -> dict[str, Any]:
    """Compare, decide and write into the working folder; the record comes back."""
    # slow to import; whoever waits for the start need not wait for them
    from geosim.timeline.delivery import year_layout
    from geosim.timeline.writing import write_result

    grid, dates, total = plan.grid, plan.dates, plan.grid.width * plan.grid.height
    layers = 3 * (len(dates) - 1) + 1 + 3 * 5
    check_space(work, total * layers)
    with ExitStack() as closing:
        stack = closing.enter_context(
            open_stack(
                plan.scenes,
                grid,
                plan.bands,
                plan.options.nodata_values[0],
                plan.options.mask_kind,
            )
        )
        cache = cache_within(plan.options, stack.cache_bytes)
        closing.enter_context(cache_for(cache))
        with clock.stage("reading", total) as tick:
            counts, shares = count_intervals(stack, len(dates), tick)
        results, notes = _compare(plan, counts, work, clock)
        maps = open_maps(results, grid, closing)
        names = {
            "codes": Layout(dtype="uint8", nodata=255, bands=dates[1:]),
            "sure": Layout(dtype="uint8", nodata=255, bands=dates[1:]),
            "since": Layout(dtype="uint8", nodata=255, bands=dates[1:]),
            "last": Layout(dtype="uint8", nodata=255, bands=("last",)),
        } | {name: year_layout(name) for name in SERIES_RASTERS}
        rasters = {}
        for name, layout in names.items():
            rasters[name] = WorkRaster(work.path / f"{name}.work", grid, layout)
            closing.callback(rasters[name].close)
        with clock.stage("deciding", total * (len(dates) + 1)) as tick:
            calibration, covered = _decide(plan, stack, maps, rasters, tick)
        return write_result(
            plan, work, clock,
            made=Made(
                stack=stack, maps=maps, results=results, rasters=rasters,
                shares=shares.tolist(), notes=notes, calibration=calibration,
                covered=covered,
            ),
        )  # fmt: skip


def _compare(
    plan: Plan,
    counts: NDArray[np.int64],
    work: WorkFolder,
    clock: Clock,
) -> tuple[dict[Interval, ChangeResult], list[str]]:
    """Compare each interval that is wanted.

    Raises:
        NoDataError: not one of them could be compared.
    """
    smallest = plan.options.min_area
    metres = plan.grid.ground_resolution()
    pixels = smallest.value
    if smallest.unit == "m2" and metres is not None:
        pixels = smallest.value / metres**2
    intervals = intervals_wanted(counts, max(int(np.ceil(pixels)), 1))
    pairs = work.path / PAIRS
    pairs.mkdir(exist_ok=True)
    with clock.stage("pairs", len(intervals)) as tick:

        def done(number: int) -> None:
            work.note = (
                f"{number} of {len(intervals)} comparisons are kept in "
                f"'{work.told}'; go on with --resume"
            )
            tick(1)

        with _keeping(work, pairs):
            results, notes = run_pairs(
                plan.scenes,
                intervals,
                reference=plan.reference,
                options=plan.options,
                folder=pairs,
                earlier=plan.folder / PAIRS,
                done=done,
            )
    if not results:
        work.keep = False
        raise NoDataError(
            f"a series wants two dates that share pixels with data; found none; "
            f"{notes[0]}"
        )
    return results, notes


@contextmanager
def _keeping(work: WorkFolder, pairs: Path) -> Iterator[None]:
    """Keep the working folder if it holds a comparison, or blocks of one."""
    try:
        yield
    finally:
        work.keep = any(pairs.iterdir())


def _decide(
    plan: Plan,
    stack: Stack,
    maps: Mapping[tuple[int, int], PairMaps],
    rasters: Mapping[str, WorkRaster],
    tick: Callable[[float], None],
) -> tuple[Calibration | None, Covered | None]:
    """Decide each pixel, drop what is too small; the areas of land covers."""
    dates, bands = len(plan.dates), len(stack.bands)
    reach = reach_of(plan.grid)
    calibration = calibrate(stack, maps, reach)
    check_together(plan, calibration)
    covering = fit_covering(stack, samples_of(stack), plan.options)
    decider = Decider(
        stack=stack,
        maps=maps,
        calibration=calibration or no_calibration(dates, bands),
        covering=covering,
        reach=reach,
        together=plan.together and calibration is not None,
    )
    memory, layers = plan.options.megabytes, dates * bands
    threads = threads_within(memory, layers, plan.options.thread_count)
    side = block_side(memory, layers, threads)
    covered = decide_all(decider, rasters, side, threads, tick)
    slugs = slugs_of_codes(plan.options.theme)
    clean(
        plan.grid, rasters["codes"], rasters["sure"], dates, plan.options.min_area,
        slugs, tick,
    )  # fmt: skip
    return calibration, covered if covering else None
