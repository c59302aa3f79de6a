"""Second pass: probabilities, the decision, objects; strip by strip.

The scores of the first pass are turned into probabilities with what is known of the
whole scene, cut at the threshold, and joined into objects. Two runs over the strips are
needed: only after the first is it known which objects are large enough.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.cells import CellSums
from geosim.change.objects import ObjectFinder, Objects
from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_LEVELS,
    UNIT_NODATA,
)
from geosim.change.threshold import Threshold, choose_threshold
from geosim.change.vectorize import Outlines
from geosim.deciding.membership import Membership
from geosim.deciding.probabilities import LevelMaps, changed_where, level_maps
from geosim.deciding.splitting import split_mixed
from geosim.machine.overlapping import ahead
from geosim.raster.areas import area_of
from geosim.raster.grid import Grid, Window, strips

if TYPE_CHECKING:
    from collections.abc import Callable

    import shapely
    from numpy.typing import NDArray

    from geosim.deciding.classifying import Classifier
    from geosim.deciding.seasons import Seasons
    from geosim.option_values import MinArea
    from geosim.options import ChangeOptions
    from geosim.raster.writer import WorkRaster
    from geosim.scoring.scorer import Scorer
    from geosim.themes.transitions import ObjectClasses

STRIP_ROWS = 256
"""Rows of a strip. Fixed, so that nothing depends on the blocks of the first pass."""

CHANGED, SAME, NODATA = 1, 0, 255
"""Values of `change.tif`."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the second pass found."""

    threshold: Threshold
    """Where probability became change."""
    histogram: NDArray[np.int64]
    """(255,): pixels at each probability level 0..254."""
    objects: Objects
    """The objects kept; mixed ones cut into parts of one class."""
    outlines: list[shapely.Polygon]
    """Their outlines in (col, row), object 1 first."""
    tiles: CellSums
    """Per tile: changed pixels."""
    preview: CellSums
    """Per preview pixel: valid pixels, sum of probability levels, changed pixels."""
    valid_px: int
    """Pixels valid on both dates."""
    valid_m2: float
    """Their area; pixels without a CRS."""
    changed_px: int
    """Pixels of the kept objects."""
    classes: ObjectClasses | None = None
    """What the objects are; None where that cannot be told."""
    season_px: int | None = None
    """Pixels that season kept below the threshold; None: season was not looked at."""


@dataclass(frozen=True, kw_only=True)
class _Rasters:
    """The working rasters of the second pass, and how strips of them are read."""

    scores: WorkRaster
    layers: WorkRaster
    change: WorkRaster
    aside: int
    """Threads that work a strip ahead; 0 where the run has none to spare."""


def decide(  # noqa: PLR0913 - one call, all of it by name
    grid: Grid,
    *,
    counts: NDArray[np.int64],
    scorer: Scorer,
    options: ChangeOptions,
    scores: WorkRaster,
    layers: WorkRaster,
    change: WorkRaster,
    tile_size: int,
    preview_cell: int,
    progress: Callable[[int], None],
    finished: Callable[[WorkRaster], None],
    classifier: Callable[[int], Classifier] | None = None,
    seasons: Seasons | None = None,
) -> Decision:
    """Run the second pass.

    Args:
        grid: the scene's grid.
        counts: histogram of the scores of the whole scene.
        scorer: the method, which knows what a score means.
        options: threshold rule, minimum mapping unit, threads.
        scores: 16-bit scores of the first pass.
        layers: takes the probability as its first band.
        change: takes the decision.
        tile_size: side of a tile in pixels.
        preview_cell: pixels per preview pixel.
        progress: called with the number of pixels done since the last call.
        finished: called with `layers` and `change` when the last pixel of each is
            written; what goes on afterwards only reads them.
        classifier: makes what tells the class of so many objects; None: nothing does.
        seasons: tells season from change; None: nothing does.
    """
    rasters = _Rasters(
        scores=scores,
        layers=layers,
        change=change,
        aside=min(options.thread_count - 1, 1),
    )
    probability = scorer.probability(counts)
    threshold = choose_threshold(
        options.threshold, counts, _per_bin(probability), automatic=scorer.threshold
    )
    maps = level_maps(probability, threshold, seasons)
    finder, minimum = ObjectFinder(), options.min_area
    histogram, valid_m2, season_px = _find(grid, rasters, maps, finder, progress)
    finished(layers)
    objects = _large_enough(finder, minimum)
    changed_px = int(objects.pixels.sum())
    kept = _Kept(
        tiles=CellSums(grid.width, grid.height, tile_size, 1),
        preview=CellSums(grid.width, grid.height, preview_cell, 3),
        classes=classifier(len(objects.pixels)) if classifier else None,
    )
    _keep(grid, rasters, objects, threshold, kept, progress)
    finished(change)
    least = _least(minimum, valid_m2, int(histogram.sum()))
    outlines, objects, classes = _told(grid, rasters, objects, threshold, kept, least)
    return Decision(
        threshold=threshold,
        histogram=histogram,
        objects=objects,
        outlines=outlines,
        tiles=kept.tiles,
        preview=kept.preview,
        valid_px=int(histogram.sum()),
        valid_m2=valid_m2,
        changed_px=changed_px,
        classes=classes,
        season_px=season_px if seasons else None,
    )


def _large_enough(finder: ObjectFinder, minimum: MinArea) -> Objects:
    """The objects of the minimum mapping unit and more."""
    return finder.finish(
        min_pixels=int(np.ceil(minimum.value)) if minimum.unit == "px" else 1,
        min_area=minimum.value if minimum.unit == "m2" else 0.0,
    )


def _least(minimum: MinArea, valid_m2: float, valid_px: int) -> float:
    """The minimum mapping unit in pixels of middling size."""
    if minimum.unit == "px":
        return minimum.value
    return minimum.value * valid_px / max(valid_m2, 1.0)


def _find(
    grid: Grid,
    rasters: _Rasters,
    maps: LevelMaps,
    finder: ObjectFinder,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.int64], float, int]:
    """Write the probability, find the objects.

    Returns:
        Histogram of the levels, valid area, pixels that are season.
    """
    histogram = np.zeros(UNIT_NODATA + 1, np.int64)
    valid_m2, season_px = 0.0, 0

    def read(
        window: Window,
    ) -> tuple[Window, NDArray[np.uint8], NDArray[np.int64], int]:
        levels, season = maps.read(window, rasters.scores.read(window, 1))
        rasters.layers.write(levels, window, 1)
        counts = np.bincount(levels.ravel(), minlength=UNIT_NODATA + 1)
        return window, levels, counts, season

    windows = strips(grid, STRIP_ROWS)
    with closing(ahead(read, windows, threads=rasters.aside)) as found:
        for window, levels, counts, season in found:
            histogram += counts
            season_px += season
            areas = grid.pixel_areas.within(window)
            valid_m2 += area_of(levels != UNIT_NODATA, areas)
            finder.add(changed_where(levels, maps.threshold), levels, areas)
            progress(window.width * window.height)
    return histogram[:UNIT_NODATA], valid_m2, season_px


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What the second run gathers of the objects."""

    tiles: CellSums
    preview: CellSums
    classes: Classifier | None
    outlines: Outlines = field(default_factory=Outlines)


def _keep(
    grid: Grid,
    rasters: _Rasters,
    objects: Objects,
    threshold: Threshold,
    kept: _Kept,
    progress: Callable[[int], None],
) -> None:
    """The second run: write the decision, gather what the kept objects are."""

    def read(
        strip: tuple[int, Window],
    ) -> tuple[Window, NDArray[np.uint8], NDArray[np.int32]]:
        """Levels of a strip and the numbers of its objects; tell their classes."""
        place, window = strip
        levels = rasters.layers.read(window, 1)
        numbers = objects.numbers(place, changed_where(levels, threshold))
        if kept.classes is not None:
            kept.classes.add(window, numbers)
        return window, levels, numbers

    windows = enumerate(strips(grid, STRIP_ROWS))
    with closing(ahead(read, windows, threads=rasters.aside)) as found:
        for window, levels, numbers in found:
            valid, changed = levels != UNIT_NODATA, numbers > 0
            decision = np.where(valid, changed * np.uint8(CHANGED), np.uint8(NODATA))
            rasters.change.write(decision, window, 1)
            kept.outlines.add(numbers, window.row_off)
            kept.tiles.add(window.row_off, 0, changed[None])
            kept.preview.add(window.row_off, 0, (valid, levels * valid, changed))
            progress(window.width * window.height)


def _told(
    grid: Grid,
    rasters: _Rasters,
    objects: Objects,
    threshold: Threshold,
    kept: _Kept,
    least: float,
) -> tuple[list[shapely.Polygon], Objects, ObjectClasses | None]:
    """Outlines, objects and their classes; mixed objects cut, where classes are told.

    Args:
        grid: the scene's grid.
        rasters: hold the probability.
        objects: as they were kept.
        threshold: where probability became change.
        kept: what was gathered of them.
        least: the minimum mapping unit in pixels.
    """
    outlines = kept.outlines.joined(len(objects.pixels))
    if kept.classes is None:
        return outlines, objects, None
    windows = tuple(strips(grid, STRIP_ROWS))
    member = Membership(windows, rasters.layers, objects, threshold).of
    return split_mixed(outlines, objects, kept.classes, rasters.layers, least, member)


def _per_bin(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability in the middle of each histogram bin, of that at each level."""
    middle = (np.arange(HISTOGRAM_BINS) + 0.5) * (SCORE_LEVELS + 1) / HISTOGRAM_BINS
    per_bin: NDArray[np.float64]
    per_bin = probability[np.minimum(middle.astype(int), SCORE_LEVELS)]
    return per_bin
