"""The first pass of one pair on the workers of a Dask cluster.

Workers read and score blocks by themselves; the pixels and sums of a block come back
and are written and added in the order of the blocks, as if they had been made here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosim.batching.cluster import local_workers, open_cluster
from geosim.batching.tasks import run_tasks
from geosim.errors import GeosimError
from geosim.raster.environment import gdal_environment
from geosim.scoring.gathering import Gatherer
from geosim.scoring.methods import METHODS
from geosim.scoring.opening import open_pair
from geosim.scoring.scanning import block_steps, write_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import ExitStack

    from numpy.typing import NDArray

    from geosim.batching.worker import Here
    from geosim.cluster_options import ClusterOptions
    from geosim.options import ChangeOptions
    from geosim.raster.grid import Window
    from geosim.raster.writer import Layout, WorkRaster
    from geosim.scoring.blocking import Blocks
    from geosim.scoring.gathering import BlockSums
    from geosim.scoring.sampling import Sample
    from geosim.scoring.scanning import Scored, Spread

_DEPTH = 2
"""Blocks that a worker holds: while one is scored the one before travels."""


@dataclass(frozen=True, kw_only=True)
class ScanSetup:
    """All that a worker must know of a scene to score its blocks."""

    before: str
    after: str
    options: ChangeOptions
    sample: Sample
    """What was fitted to the scene: workers fit nothing."""
    blocks: Blocks
    tile_size: int
    scores: Layout
    layers: Layout


@dataclass(frozen=True, kw_only=True)
class HeldPixels:
    """Takes the pixels of one block as a working raster does, and keeps them."""

    layout: Layout
    bands: dict[int, NDArray[Any]] = field(default_factory=dict)
    """By number, from 1."""

    def write(self, values: NDArray[Any], window: Window, band: int) -> None:
        """Keep the values of a band."""
        del window
        self.bands[band] = values

    def taken(self) -> dict[int, NDArray[Any]]:
        """The bands, which are then forgotten."""
        bands = dict(self.bands)
        self.bands.clear()
        return bands


@dataclass(frozen=True, kw_only=True)
class ScoredBlock:
    """What comes back of a block."""

    scores: dict[int, NDArray[Any]]
    """Pixels of the scores, by band."""
    layers: dict[int, NDArray[Any]]
    """Pixels of the layers, by band."""
    sums: BlockSums
    """What the block adds."""


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A scene that a worker has opened, for all blocks that it gets."""

    score: Callable[[Window], Scored]
    gather: Gatherer
    scores: HeldPixels
    layers: HeldPixels


@contextmanager
def spreading(
    cluster: ClusterOptions,
    setup: ScanSetup,
    blocks: int,
    scores: WorkRaster,
    layers: WorkRaster,
) -> Iterator[Spread]:
    """A function for `scan` that has blocks scored by workers.

    Args:
        cluster: where.
        setup: the scene; the paths in it must be those that workers can open.
        blocks: how many there are: no more workers are started.
        scores: takes the scores.
        layers: takes the layers.

    Raises:
        ClusterError: no scheduler or no worker answers.
        MissingDependencyError: `distributed` is not installed.
    """
    workers, threads = local_workers(cluster, setup.options, blocks)
    with open_cluster(cluster, workers=workers, threads=threads) as client:

        def spread(windows: Iterable[Window]) -> Iterator[tuple[Window, BlockSums]]:
            listed = list(windows)
            for window, block in _in_order(client, cluster, setup, listed):
                for raster, bands in ((scores, block.scores), (layers, block.layers)):
                    for band, values in bands.items():
                        raster.write(values, window, band)
                yield window, block.sums

        yield spread


def _in_order(
    client: Any,  # noqa: ANN401
    cluster: ClusterOptions,
    setup: ScanSetup,
    windows: list[Window],
) -> Iterator[tuple[Window, ScoredBlock]]:
    """Blocks as they come back, in the order of the windows.

    No block begins that is further from the first unfinished one than two per worker:
    that many at most wait here for one that takes long.
    """
    early: dict[int, ScoredBlock] = {}
    due = 0
    for ended in run_tasks(
        client,
        score_block,
        windows,
        retries=cluster.retries,
        hopeless=lambda e: isinstance(e, GeosimError) and not isinstance(e, OSError),
        shared=setup,
        depth=_DEPTH,
        lead=_DEPTH,
    ):
        if ended.error is not None:
            raise ended.error
        early[ended.number] = ended.value
        while due in early:
            yield windows[due], early.pop(due)
            due += 1


def score_block(window: Window, here: Here) -> ScoredBlock:
    """What a worker does with a block."""
    shared = here.shared
    assert shared is not None  # noqa: S101 - given with the task
    setup: ScanSetup = shared.value
    with gdal_environment(here.threads):
        if shared.opened is None:
            shared.opened = _open(setup, here.threads, shared.closing)
        opened: _Opened = shared.opened
        sums = write_block(opened.gather, opened.score(window))
    return ScoredBlock(
        scores=opened.scores.taken(), layers=opened.layers.taken(), sums=sums
    )


def _open(setup: ScanSetup, threads: int, closing: ExitStack) -> _Opened:
    """Open the scene and the method, as the client did."""
    options, sample = setup.options, setup.sample
    options = replace(options, threads=options.threads or threads)
    scene = closing.enter_context(open_pair(setup.before, setup.after, options))
    if sample.corrected and sample.shift is not None:
        scene.correct_shift(sample.shift.d_row, sample.shift.d_col)
    metres = scene.grid.ground_resolution()
    scorer = METHODS[options.method](sample, options, metres)
    read, normalise, compare = block_steps(
        scene, sample.radiometry, scorer, setup.blocks
    )
    scores, layers = HeldPixels(layout=setup.scores), HeldPixels(layout=setup.layers)
    return _Opened(
        score=lambda window: compare(normalise(read(window))),
        gather=Gatherer.of(scene.grid, setup.tile_size, scorer, scores, layers),
        scores=scores,
        layers=layers,
    )


def whole_name(name: str) -> str:
    """A file here by its whole path, as every process sees it; other names as is."""
    return str(Path(name).absolute()) if Path(name).is_file() else name


def with_whole_names(options: ChangeOptions) -> ChangeOptions:
    """The options with the names of files as every process sees them."""
    masks = (options.mask_before, options.mask_after)
    before, after = (whole_name(mask) if mask else None for mask in masks)
    by_date = options.grid in ("before", "after")  # also beside a file of that name
    return replace(
        options,
        grid=options.grid if by_date else whole_name(options.grid),
        weights=whole_name(options.weights),
        mask_before=before,
        mask_after=after,
    )
