"""The main job, from two rasters to a folder that QGIS opens."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
import rasterio

import geosim
from geosim.blocking import block_sides
from geosim.change.scores import SCORE_NODATA, UNIT_LEVELS, UNIT_NODATA
from geosim.deciding import decide
from geosim.errors import NoDataError, OptionError
from geosim.gathering import sums_bytes
from geosim.identity import run_key
from geosim.journal import Journal, check_key, check_leftover
from geosim.options import DEFAULT_TILE, MIN_TILE, ChangeOptions, ClusterOptions
from geosim.preparing import preparing
from geosim.progress import Clock, Progress
from geosim.publish.styles import CHANGE_COLOUR_TABLE
from geosim.raster.grid import blocks
from geosim.raster.scene import Scene, open_scene
from geosim.raster.source import plain_images_welcome
from geosim.raster.staging import (
    WorkFolder,
    check_folder,
    check_space,
    publish_folder,
    work_folder,
)
from geosim.raster.writer import GDAL_CACHE_MB, Layout, WorkRaster
from geosim.result import FILES, RECORD, ChangeResult
from geosim.sampling import take_sample
from geosim.scanning import scan
from geosim.scoring import METHODS
from geosim.spreading import ScanSetup, spreading, whole_name

if TYPE_CHECKING:
    from geosim.delivery import Found
    from geosim.publish.record import RunRecord
    from geosim.raster.grid import Grid
    from geosim.sampling import Sample
    from geosim.scorer import Scorer

_BYTES_ON_DISK = 18
"""Working rasters and results per pixel at most: 2 of scores, 5 of layers, 1 of the
decision, the COGs of layers and decision, and overviews while they are written. The
working rasters stay to the end: what fails while writing can be resumed."""


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
            blocks are finished they are kept in a hidden folder beside `out`, for
            `ChangeOptions.resume`; a note on the exception tells so, also on
            KeyboardInterrupt.
    """
    options = options or ChangeOptions()
    before, after = str(before), str(after)
    folder = Path(out) if out is not None else default_folder(before, after)
    check_folder(folder, FILES, overwrite=options.overwrite)
    clock = Clock(progress)
    with ExitStack() as stack:
        stack.enter_context(plain_images_welcome())
        stack.enter_context(
            rasterio.Env(
                GDAL_CACHEMAX=GDAL_CACHE_MB, GDAL_NUM_THREADS=options.thread_count
            )
        )
        scene = stack.enter_context(
            open_scene(
                before,
                after,
                bands=options.bands,
                reference=options.grid,
                resolution=options.resolution,
                bounds=options.bounds,
            )
        )
        tile_size = choose_tile_size(scene.grid, options)
        work = stack.enter_context(work_folder(folder))
        check_leftover(work, resume=options.resume, overwrite=options.overwrite)
        pixels = scene.grid.width * scene.grid.height
        check_space(work, pixels * _BYTES_ON_DISK + sums_bytes(scene.grid, tile_size))
        stack.enter_context(preparing(scene.grid, options, here=cluster is None))
        with ExitStack() as closing:
            found, rasters = _analyse(
                scene, options, tile_size, work, clock, closing, cluster
            )
            record = _deliver(found, rasters, work, folder, clock)
            publish_folder(work.result, folder, RECORD)
    return ChangeResult(folder=folder, record=record)


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


def _analyse(
    scene: Scene,
    options: ChangeOptions,
    tile_size: int,
    work: WorkFolder,
    clock: Clock,
    closing: ExitStack,
    cluster: ClusterOptions | None,
) -> tuple[Found, dict[str, WorkRaster]]:
    """Fit, score, decide."""
    grid = scene.grid
    with clock.stage("sampling", 1) as tick:
        sample = take_sample(scene, options)
        scorer = METHODS[options.method](sample, options, grid.ground_resolution())
        tick(1)
    sides = block_sides(grid, scorer, options)
    sizes = {"tile": tile_size, "block columns": sides[0], "block rows": sides[1]}
    check_key(work, run_key(scene, sample, scorer, options, sizes))
    rasters = _work_rasters(work.path, grid, scorer, options)
    for raster in rasters.values():
        closing.callback(raster.close)
    count = sum(1 for _ in blocks(grid, *sides))
    journal = Journal(work, (rasters["scores"], rasters["difference"]), count)
    closing.callback(journal.close)
    spread = None
    if cluster is not None and journal.finished < count:
        setup = _setup(scene, options, sample, sides, tile_size, rasters)
        to = rasters["scores"], rasters["difference"]
        left = count - journal.finished
        spread = closing.enter_context(spreading(cluster, setup, left, *to))
    total = grid.width * grid.height
    tiles = math.ceil(grid.width / tile_size) * math.ceil(grid.height / tile_size)
    with clock.stage("scoring", tiles) as tick:
        scanned = scan(
            scene,
            radiometry=sample.radiometry,
            scorer=scorer,
            sides=sides,
            tile_size=tile_size,
            scores=rasters["scores"],
            layers=rasters["difference"],
            journal=journal,
            progress=lambda pixels: tick(pixels * tiles / total),
            spread=spread,
        )
    with clock.stage("deciding", 2) as tick:
        decision = decide(
            grid,
            counts=scanned.histogram,
            scorer=scorer,
            options=options,
            scores=rasters["scores"],
            layers=rasters["difference"],
            change=rasters["change"],
            tile_size=tile_size,
            preview_cell=scanned.preview.cell,
            progress=lambda pixels: tick(pixels / total),
        )
    from geosim.delivery import Found  # `preparing` loads it meanwhile

    found = Found(
        scene=scene,
        sample=sample,
        scorer=scorer,
        scan=scanned,
        decision=decision,
        options=options,
        tile_size=tile_size,
    )
    return found, rasters


def _setup(
    scene: Scene,
    options: ChangeOptions,
    sample: Sample,
    sides: tuple[int, int],
    tile_size: int,
    rasters: dict[str, WorkRaster],
) -> ScanSetup:
    """What workers must know, with names as every process sees them."""
    own = replace(
        options, grid=whole_name(options.grid), weights=whole_name(options.weights)
    )
    return ScanSetup(
        before=whole_name(scene.before.path),
        after=whole_name(scene.after.path),
        options=own,
        sample=sample,
        sides=sides,
        tile_size=tile_size,
        scores=rasters["scores"].layout,
        layers=rasters["difference"].layout,
    )


def _work_rasters(
    folder: Path, grid: Grid, scorer: Scorer, options: ChangeOptions
) -> dict[str, WorkRaster]:
    """The rasters that the two passes fill."""
    tags = file_tags(options)
    layouts = {
        "scores": Layout(dtype="uint16", nodata=SCORE_NODATA, bands=("score",)),
        "difference": Layout(
            dtype="uint8",
            nodata=UNIT_NODATA,
            bands=("change", *scorer.band_names, "ssim"),
            scale=1.0 / UNIT_LEVELS,
            tags=tags,
        ),
        "change": Layout(
            dtype="uint8",
            nodata=UNIT_NODATA,
            bands=("change",),
            overviews="mode",
            colours=CHANGE_COLOUR_TABLE,
            tags=tags,
        ),
    }
    return {
        name: WorkRaster(folder / f"{name}.work", grid, layout)
        for name, layout in layouts.items()
    }


def file_tags(options: ChangeOptions) -> dict[str, str]:
    """Metadata tags of every raster: software and parameters."""
    return {
        "TIFFTAG_SOFTWARE": f"geosim {geosim.__version__}",
        "GEOSIM_METHOD": options.method,
        "GEOSIM_PARAMETERS": json.dumps(options.to_dict()),
    }


def _deliver(
    found: Found,
    rasters: dict[str, WorkRaster],
    work: WorkFolder,
    folder: Path,
    clock: Clock,
) -> RunRecord:
    """Write the files of the result into the working folder."""
    from geosim import delivery  # `preparing` loads them meanwhile
    from geosim.reporting import write_report

    staging = work.new_result()
    options, grid = found.options, found.scene.grid
    creation = dict(options.creation_options)
    tiles = delivery.tile_layers(found)
    with clock.stage("writing", 4) as tick, ThreadPoolExecutor(2) as pool:
        cogs = [
            pool.submit(rasters[name].to_cog, staging / f"{name}.tif", creation)
            for name in ("difference", "change")
        ]
        cogs.append(
            pool.submit(
                delivery.write_tiles,
                staging / "tiles.tif",
                tiles,
                grid.coarser(found.tile_size),
                options,
                file_tags(options),
            )
        )
        delivery.write_styles(staging)
        polygons = delivery.write_vectors(staging, found)
        record = delivery.run_record(
            found,
            name=folder.name or "change",
            polygons=polygons,
            timings=clock.seconds,
            notes=_notes(found),
        )
        write_report(staging, found, record, polygons)
        tick(1)
        for cog in cogs:
            cog.result()
            tick(0.8)
        bands = {
            "tiles.tif": tuple(tiles),
            "difference.tif": rasters["difference"].layout.bands,
            "change.tif": rasters["change"].layout.bands,
        }
        delivery.write_run(staging, folder, record, bands)
        tick(0.6)
    return record


def _notes(found: Found) -> tuple[str, ...]:
    """What a reader should know, one sentence each."""
    notes = []
    grid, shift = found.scene.grid, found.sample.shift
    if grid.crs is None:
        notes.append(
            "The images have no coordinate reference system: areas are in pixels."
        )
    decision = found.decision
    if decision.changed_px == 0 and found.options.threshold == "auto":
        largest = float(np.flatnonzero(decision.histogram).max()) / UNIT_LEVELS
        notes.append(
            f"Nothing was decided to have changed: the probability is at most "
            f"{largest:.2f}, the threshold {decision.threshold.value:.2f}; a number or "
            "otsu as --threshold shows the most different places all the same."
        )
    if shift is None:
        notes.append("The shift between the dates could not be measured.")
    elif not shift.reliable:
        notes.append(
            "The shift between the dates is uncertain: sample windows do not agree."
        )
    elif not found.sample.corrected and max(abs(shift.d_row), abs(shift.d_col)) > 1:
        notes.append(
            "The dates lie more than a pixel apart; --coregister takes the shift out."
        )
    if found.options.coregister and not found.sample.corrected:
        notes.append("The shift was not corrected, because it is not certain.")
    return tuple(notes)
