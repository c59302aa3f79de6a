"""The main job, from two rasters to a folder that QGIS opens."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from geosim.analysing import analyse, file_tags, planned_blocks
from geosim.batching.cluster import with_worker_memory
from geosim.errors import NoDataError, OptionError, RasterReadError
from geosim.machine.overlapping import beside
from geosim.options import DEFAULT_TILE, MIN_TILE, ChangeOptions
from geosim.progress import Clock, Progress
from geosim.publish.formats import check_formats
from geosim.raster.environment import gdal_environment
from geosim.raster.output_folder import check_folder, check_inputs
from geosim.raster.source import plain_images_welcome
from geosim.raster.staging import check_space, publish_folder, work_folder
from geosim.raster.writer import COG_CACHE
from geosim.result import EXTRA_FILES, FILES, RECORD, ChangeResult
from geosim.scoring.gathering import sums_bytes
from geosim.scoring.identity import check_unchanged, file_states
from geosim.scoring.journal import check_leftover
from geosim.scoring.opening import cache_within, open_pair
from geosim.scoring.preparing import preparing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Self

    from geosim.cluster_options import ClusterOptions
    from geosim.delivering.delivery import Found
    from geosim.publish.record import RunRecord
    from geosim.raster.grid import Grid
    from geosim.raster.scene import Scene
    from geosim.raster.staging import WorkFolder
    from geosim.raster.writer import WorkRaster

_BYTES_ON_DISK = 20
"""Working rasters and results per pixel at most: 2 of scores, 5 of layers, 1 of the
decision, 2 of covers, the COGs of layers and decision, and overviews while they are
written. The working rasters stay to the end: what fails there can be resumed."""


def detect_change(
    before: str | Path,
    after: str | Path,
    out: str | Path | None = None,
    options: ChangeOptions | None = None,
    *,
    cluster: ClusterOptions | None = None,
    progress: Progress | None = None,
) -> ChangeResult:
    """Find what changed between two rasters of one place.

    Args:
        before: date 1, a path or any name that GDAL opens (`/vsicurl/...`, `s3://...`).
        after: date 2.
        out: folder of the result; None: `change_<before>_<after>` here.
        options: how; the defaults where None.
        cluster: whose workers score the blocks, each with `memory` and `threads` of the
            options; None: this process does.
        progress: called as the work goes on.

    Returns:
        The result: its record, its files, its polygons.

    Raises:
        GeosimError: one of `geosim.errors`; nothing is left under a final name. Where
            blocks are finished they are kept in a hidden folder beside `out` (in it,
            where it is on another disk), for `ChangeOptions.resume`; a note on the
            exception tells so, also on KeyboardInterrupt.
    """
    options = options or ChangeOptions()
    if cluster is not None:
        options = with_worker_memory(options, cluster, sys.maxsize)
    before, after = str(before), str(after)
    folder = Path(out) if out is not None else default_folder(before, after)
    files = *FILES, *EXTRA_FILES.values()
    masks = options.mask_before, options.mask_after
    check_inputs(folder, files, [before, after, options.grid, options.weights, *masks])
    check_folder(folder, files, overwrite=options.overwrite)
    clock = Clock(progress)
    with ExitStack() as stack:
        scene = stack.enter_context(_opened(before, after, options))
        inputs = [name for name in (before, after, *masks) if name]
        states = file_states(inputs)
        tile_size = choose_tile_size(scene.grid, options)
        check_formats(options.formats, scene.grid.crs)
        work = stack.enter_context(work_folder(folder))
        check_leftover(work, resume=options.resume, overwrite=options.overwrite)
        # another run may have ended meanwhile
        check_folder(folder, files, overwrite=options.overwrite)
        pixels = scene.grid.width * scene.grid.height
        check_space(work, pixels * _BYTES_ON_DISK + sums_bytes(scene.grid, tile_size))
        planned, here = planned_blocks(work), cluster is None
        stack.enter_context(preparing(scene.grid, options, here=here, planned=planned))
        with ExitStack() as closing:
            cogs = closing.enter_context(_Cogs(work.new_result(), options))
            found, rasters = analyse(
                scene,
                options=options,
                tile_size=tile_size,
                work=work,
                clock=clock,
                closing=closing,
                cluster=cluster,
                finished=cogs.start,
            )
            record = _deliver(found, rasters, cogs, folder, clock)
            _check_inputs_stayed(work, states, inputs)
            publish_folder(work.result, folder, RECORD, tuple(EXTRA_FILES.values()))
            work.published = f"the result in '{folder}' is complete"
    return ChangeResult(folder=folder, record=record)


def _check_inputs_stayed(
    work: WorkFolder, states: Mapping[str, list[int]], inputs: Sequence[str]
) -> None:
    """See `check_unchanged`; of blocks that mix two files nothing is kept."""
    try:
        check_unchanged(states, inputs)
    except RasterReadError:
        work.keep = False
        raise


@contextmanager
def _opened(before: str, after: str, options: ChangeOptions) -> Iterator[Scene]:
    """The pair, with GDAL's cache and threads for the whole run."""
    with (
        plain_images_welcome(),
        gdal_environment(options.thread_count),
        open_pair(before, after, options, hold=True) as scene,
    ):
        yield scene


def default_folder(before: str, after: str) -> Path:
    """`change_<before>_<after>` of the names without their suffixes."""
    names = [PurePath(text).stem or "image" for text in (before, after)]
    return Path(f"change_{names[0]}_{names[1]}")


def choose_tile_size(grid: Grid, options: ChangeOptions) -> int:
    """The tile size asked for, or the default cut to the raster.

    Raises:
        NoDataError: the common area is too small to compare.
        OptionError: the tile is larger than the raster.
    """
    side = min(grid.width, grid.height)
    if side < MIN_TILE:
        raise NoDataError(
            f"the common area must be at least {MIN_TILE} x {MIN_TILE} px; it is "
            f"{grid.width} x {grid.height} px; give larger rasters or a finer "
            "--resolution"
        )
    if options.tile_size is None:
        return min(DEFAULT_TILE, side)
    if options.tile_size > max(grid.width, grid.height):
        raise OptionError(
            f"--tile-size {options.tile_size} is larger than the common area of "
            f"{grid.width} x {grid.height} px; give {side} or less"
        )
    return options.tile_size


class _Cogs:
    """Writes working rasters as COGs while the run goes on, where threads are left."""

    def __init__(self, staging: Path, options: ChangeOptions) -> None:
        self.staging = staging
        self.pool = beside(options.thread_count, 5)
        self.written: list[Future[None]] = []
        self._creation = dict(options.creation_options)
        self._cache = cache_within(options, COG_CACHE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown(cancel_futures=error[0] is not None)

    def start(self, raster: WorkRaster) -> None:
        """Begin with a raster to which nothing is written any more."""
        path = self.staging / raster.path.with_suffix(".tif").name
        self.written.append(
            self.pool.submit(raster.to_cog, path, self._creation, self._cache)
        )


def _deliver(
    found: Found,
    rasters: dict[str, WorkRaster],
    cogs: _Cogs,
    folder: Path,
    clock: Clock,
) -> RunRecord:
    """Write the files of the result into the working folder."""
    from geosim.delivering import (  # `preparing` loads them meanwhile
        delivery,
        recording,
    )
    from geosim.delivering.notes import notes_on
    from geosim.delivering.reporting import report_content, write_report

    options, grid = found.options, found.scene.grid
    staging, pool = cogs.staging, cogs.pool
    tiles = delivery.tile_layers(found)
    with clock.stage("writing", 4) as tick:
        inputs = found.scene.before, found.scene.after
        checksums = pool.submit(lambda: [*map(recording.input_checksum, inputs)])
        scores = pool.submit(
            delivery.write_tiles,
            staging / "tiles.tif",
            tiles,
            grid.coarser(found.tile_size),
            options,
            file_tags(options),
        )
        delivery.write_styles(staging)
        changes = delivery.change_polygons(found)
        polygons = delivery.of_theme(changes, options.theme)
        notes = notes_on(found)  # it reads the scene, as what follows in the pool does
        content = pool.submit(report_content, found, polygons)
        delivery.write_vectors(staging, found, polygons)
        record = recording.run_record(
            found,
            name=folder.name or "change",
            changes=changes,
            timings=clock.seconds,
            notes=notes,
            checksums=checksums.result(),
        )
        write_report(staging, record, content.result())
        tick(1)
        for cog in (*cogs.written, scores):
            cog.result()
            tick(0.8)
        bands = {
            "tiles.tif": tuple(tiles),
            "difference.tif": rasters["difference"].layout.bands,
            "change.tif": rasters["change"].layout.bands,
        }
        recording.write_run(staging, folder, record, bands)
        tick(0.6)
    return record
