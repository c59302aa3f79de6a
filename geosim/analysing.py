"""From an open scene to what is known of it: fit, score every block, decide."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import geosim
from geosim.change.scores import SCORE_NODATA, UNIT_LEVELS, UNIT_NODATA
from geosim.publish.styles import CHANGE_COLOUR_TABLE
from geosim.raster.writer import Layout, WorkRaster
from geosim.scoring.blocking import cut_grid, plan_blocks
from geosim.scoring.identity import planned_sides, run_key
from geosim.scoring.journal import Journal, check_key, held_key
from geosim.scoring.methods import METHODS
from geosim.scoring.sampling import take_sample
from geosim.scoring.scanning import scan
from geosim.scoring.spreading import ScanSetup, spreading, whole_name, with_whole_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from geosim.cluster_options import ClusterOptions
    from geosim.deciding.classifying import Classifier
    from geosim.delivering.delivery import Found
    from geosim.options import ChangeOptions
    from geosim.progress import Clock
    from geosim.raster.grid import Grid
    from geosim.raster.scene import Scene
    from geosim.raster.staging import WorkFolder
    from geosim.scoring.blocking import Blocks
    from geosim.scoring.sampling import Sample
    from geosim.scoring.scanning import Scan
    from geosim.scoring.scorer import Scorer
    from geosim.themes.tones import Tones


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """A scene with what was fitted to it, and how it is cut."""

    scene: Scene
    options: ChangeOptions
    sample: Sample
    scorer: Scorer
    blocks: Blocks
    tile_size: int
    rasters: dict[str, WorkRaster]


def analyse(  # noqa: PLR0913 - one call, all of it by name
    scene: Scene,
    *,
    options: ChangeOptions,
    tile_size: int,
    work: WorkFolder,
    clock: Clock,
    closing: ExitStack,
    cluster: ClusterOptions | None,
    finished: Callable[[WorkRaster], None],
) -> tuple[Found, dict[str, WorkRaster]]:
    """Fit, score, decide.

    Args:
        scene: the open pair.
        options: how.
        tile_size: side of a scoring tile.
        work: takes the working rasters; may hold those of a run to go on with.
        clock: told of each stage.
        closing: closes what is opened here and still needed afterwards.
        cluster: whose workers score the blocks; None: this process.
        finished: called with each working raster of the result when its last pixel is
            written.

    Returns:
        What was found, and the working rasters by name.
    """
    fitted = _fit(scene, options, tile_size, work, clock, closing)
    scanned = _first_pass(fitted, work, clock, closing, cluster)
    grid, rasters = scene.grid, fitted.rasters
    from geosim.deciding.classifying import fit_classifier_tones
    from geosim.deciding.decision import decide
    from geosim.deciding.seasons import fit_seasons
    from geosim.delivering.delivery import (
        Found,  # `preparing` loads all of them meanwhile
    )

    tones = fit_classifier_tones(scene, fitted.sample, options)
    classifier = _classifier(fitted, tones, work, closing)
    seasons = fit_seasons(scene, fitted.scorer, options, tones)
    total = grid.width * grid.height

    with clock.stage("deciding", 2) as tick:
        decision = decide(
            grid,
            counts=scanned.histogram,
            scorer=fitted.scorer,
            options=options,
            scores=rasters["scores"],
            layers=rasters["difference"],
            change=rasters["change"],
            tile_size=tile_size,
            preview_cell=scanned.preview.cell,
            progress=lambda pixels: tick(pixels / total),
            finished=finished,
            classifier=classifier,
            seasons=seasons,
        )
    found = Found(
        scene=scene,
        sample=fitted.sample,
        scorer=fitted.scorer,
        scan=scanned,
        decision=decision,
        options=options,
        tile_size=tile_size,
    )
    return found, rasters


def _classifier(
    fitted: _Fitted,
    tones: tuple[Tones, Tones] | None,
    work: WorkFolder,
    closing: ExitStack,
) -> Callable[[int], Classifier] | None:
    """What tells the classes of objects, given their number; None where none can."""
    from geosim.deciding.classifying import Classifier  # as `deciding`

    scene, options = fitted.scene, fitted.options
    if tones is None:
        return None
    layout = Layout(dtype="uint8", nodata=0, bands=("pair", "confidence"))
    pairs = WorkRaster(work.path / "pairs.work", scene.grid, layout)
    closing.callback(pairs.close)
    return partial(Classifier.of, scene, tones, options.theme, pairs)


def _fit(
    scene: Scene,
    options: ChangeOptions,
    tile_size: int,
    work: WorkFolder,
    clock: Clock,
    closing: ExitStack,
) -> _Fitted:
    """Fit to a sample; make the working rasters, or take those of the same run."""
    grid = scene.grid
    with clock.stage("sampling", 1) as tick:
        sample = take_sample(scene, options)
        scorer = METHODS[options.method](sample, options, grid.ground_resolution())
        tick(1)
    planned = planned_blocks(work)
    blocks = (
        cut_grid(grid, scorer, planned)
        if planned
        else plan_blocks(grid, scorer, options)
    )
    width, height = blocks.sides
    sizes = {"tile": tile_size, "block columns": width, "block rows": height}
    check_key(work, run_key(scene, sample, scorer, options, sizes))
    rasters = _work_rasters(work.path, grid, scorer, options)
    for raster in rasters.values():
        closing.callback(raster.close)
    return _Fitted(
        scene=scene,
        options=options,
        sample=sample,
        scorer=scorer,
        blocks=blocks,
        tile_size=tile_size,
        rasters=rasters,
    )


def planned_blocks(work: WorkFolder) -> tuple[int, int] | None:
    """Width and height of the blocks of the run that this one goes on with.

    None where there is none; where the options ask for other blocks, `check_key` will
    refuse them.
    """
    return planned_sides(held_key(work))


def _first_pass(
    fitted: _Fitted,
    work: WorkFolder,
    clock: Clock,
    closing: ExitStack,
    cluster: ClusterOptions | None,
) -> Scan:
    """Score every block, here or on a cluster."""
    grid, tile_size = fitted.scene.grid, fitted.tile_size
    to = fitted.rasters["scores"], fitted.rasters["difference"]
    count = fitted.blocks.count
    journal = Journal(work, to, count)
    closing.callback(journal.close)
    spread = None
    if cluster is not None and journal.finished < count:
        left = count - journal.finished
        spread = closing.enter_context(spreading(cluster, _setup(fitted), left, *to))
    total = grid.width * grid.height
    tiles = math.ceil(grid.width / tile_size) * math.ceil(grid.height / tile_size)
    with clock.stage("scoring", tiles) as tick:
        return scan(
            fitted.scene,
            radiometry=fitted.sample.radiometry,
            scorer=fitted.scorer,
            blocks=fitted.blocks,
            tile_size=tile_size,
            scores=to[0],
            layers=to[1],
            journal=journal,
            progress=lambda pixels: tick(pixels * tiles / total),
            spread=spread,
            threads=fitted.options.thread_count,
        )


def _setup(fitted: _Fitted) -> ScanSetup:
    """What workers must know, with names as every process sees them."""
    options, scene, rasters = fitted.options, fitted.scene, fitted.rasters
    own = with_whole_names(options)
    return ScanSetup(
        before=whole_name(scene.before.path),
        after=whole_name(scene.after.path),
        options=own,
        sample=fitted.sample,
        blocks=fitted.blocks,
        tile_size=fitted.tile_size,
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
