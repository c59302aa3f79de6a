"""First pass: read, normalise, score and write every block.

Reading, the network and what follows it overlap: while a block is in the network, the
next one is read and the last one is smoothed and written. The pass leaves the score of
every pixel, sums per tile, the scene's histogram of scores and a small picture of both
dates.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geosim.machine.overlapping import ahead, together
from geosim.scoring.gathering import Gatherer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from geosim.change.cells import CellSums
    from geosim.raster.grid import Window
    from geosim.raster.radiometry import Radiometry
    from geosim.raster.scene import Pair, Scene
    from geosim.raster.writer import WorkRaster
    from geosim.scoring.blocking import Blocks
    from geosim.scoring.gathering import BlockSums
    from geosim.scoring.journal import Journal
    from geosim.scoring.scorer import BlockScores, Scorer

    Read = tuple[Window, Pair | None]
    Scored = tuple[Window, "Block | None", BlockScores | None]
    Spread = Callable[[Iterable[Window]], Iterator[tuple[Window, BlockSums]]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of both dates, normalised and padded."""

    window: Window
    """The block without its margin."""
    outer: Window
    """The block with its margin, on multiples of 16; may stick out of the grid."""
    before: NDArray[np.float32]
    """(bands, outer height, outer width) in 0..1."""
    after: NDArray[np.float32]
    """As `before`."""
    valid: NDArray[np.bool_]
    """(outer height, outer width)."""

    @property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns of the block within its margin."""
        return self.window.slices_in(self.outer)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the first pass gathers besides the working rasters."""

    histogram: NDArray[np.int64]
    """Counts of scores, shape (4096,)."""
    tiles: CellSums
    """Per tile: valid pixels, sum of SSIM."""
    similarity: NDArray[np.float32] | None
    """(tile rows, tile columns) cosine similarity; None without a network."""
    preview: CellSums
    """Per preview pixel: valid pixels, red, green, blue of date 1, of date 2, each
    pixel as 0..255."""


def scan(  # noqa: PLR0913 - one call, all of it by name
    scene: Scene,
    *,
    radiometry: Radiometry,
    scorer: Scorer,
    blocks: Blocks,
    tile_size: int,
    scores: WorkRaster,
    layers: WorkRaster,
    journal: Journal,
    progress: Callable[[int], None],
    spread: Spread | None = None,
    threads: int = 1,
) -> Scan:
    """Run the first pass, or go on with it.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        scorer: the method.
        blocks: how the scene is cut.
        tile_size: side of a scoring tile.
        scores: takes the 16-bit scores, one band.
        layers: takes the method's bands and `ssim`; its first band is left alone.
        journal: knows the blocks that are finished, takes the others.
        progress: called with the number of pixels done since the last call.
        spread: has blocks scored elsewhere and their pixels written; yields window and
            sums in the order of the windows. None: all is done here.
        threads: of the run. With one, blocks are read ahead and all else is done one
            thing after the other; with more, these also share what the network waits
            for, or what waits for it: normalising the first block, writing the last.
    """
    gather = Gatherer.of(scene.grid, tile_size, scorer, scores, layers)
    windows = blocks.windows()
    # `windows` comes second: zip takes from it only what the journal holds
    for sums, window in zip(journal.entries(), windows, strict=False):
        gather.add(window, sums)
        progress(window.width * window.height)
    done: Iterator[tuple[Window, BlockSums]]
    with ExitStack() as stack:
        if spread is None:
            steps = block_steps(scene, radiometry, scorer, blocks, threads)
            scored = _overlapped(windows, *steps, threads)
            compared = stack.enter_context(closing(scored))
            grid = scene.grid

            def written(scored: Scored) -> tuple[Window, BlockSums]:
                window = scored[0]
                last = (window.row_end, window.col_end) == (grid.height, grid.width)
                return window, write_block(gather, scored, threads if last else 1)

            done = map(written, compared)
        else:
            done = spread(windows)
        for window, sums in done:
            gather.add(window, sums)
            journal.add(sums)
            progress(window.width * window.height)
    journal.sync()
    return Scan(
        histogram=gather.histogram,
        tiles=gather.tiles,
        similarity=gather.embeddings.finish() if gather.embeddings else None,
        preview=gather.preview,
    )


def block_steps(
    scene: Scene,
    radiometry: Radiometry,
    scorer: Scorer,
    blocks: Blocks,
    threads: int = 1,
) -> tuple[
    Callable[[Window], Read],
    Callable[[Read], tuple[Window, Block | None]],
    Callable[[tuple[Window, Block | None]], Scored],
]:
    """The three steps of a block: reading it, normalising it, comparing its dates.

    None stands for a block in which nothing is valid.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        scorer: the method.
        blocks: how the scene is cut.
        threads: for normalising the first block.
    """

    def read(window: Window) -> Read:
        return window, scene.read_around(window, blocks.outer(window))

    def normalise(item: Read) -> tuple[Window, Block | None]:
        window, pair = item
        if pair is None:
            return window, None
        outer = blocks.outer(window)
        at_once = 1 if window.row_off or window.col_off else threads
        return window, block_of(pair, radiometry, window, outer, at_once)

    def compare(item: tuple[Window, Block | None]) -> Scored:
        window, block = item
        if block is None:
            return window, None, None
        return window, block, scorer.compare(block.before, block.after)

    return read, normalise, compare


def _overlapped(
    windows: Iterable[Window],
    read: Callable[[Window], Read],
    normalise: Callable[[Read], tuple[Window, Block | None]],
    compare: Callable[[tuple[Window, Block | None]], Scored],
    threads: int,
) -> Generator[Scored, None, None]:
    """What the steps make of each block, in order, beside what is done with it.

    One thread is the network's, and all that computes waits its turn: a worker of a
    batch that took a second core beside it would take another worker's.
    """
    if threads == 1:
        with closing(ahead(read, windows)) as pairs:
            yield from map(compare, map(normalise, pairs))
        return
    with (
        closing(ahead(lambda window: normalise(read(window)), windows)) as found,
        closing(ahead(compare, found)) as compared,
    ):
        yield from compared


def write_block(gather: Gatherer, scored: Scored, threads: int = 1) -> BlockSums:
    """Write what `block_steps` made of a block; what it adds comes back."""
    window, block, found = scored
    if block is None or found is None:
        return gather.write_nothing(window)
    return gather.write(block, found, threads)


def read_block(
    scene: Scene, radiometry: Radiometry, window: Window, outer: Window
) -> Block:
    """Read and normalise a block with its margin, mirrored beyond the raster's edge.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        window: the block.
        outer: the block with its margin; may stick out of the grid.
    """
    return block_of(scene.read(outer), radiometry, window, outer)


def block_of(
    pair: Pair,
    radiometry: Radiometry,
    window: Window,
    outer: Window,
    threads: int = 1,
) -> Block:
    """Normalise what was read of a block, see `read_block`; rows by rows."""
    bands, shape = len(pair.before), (outer.height, outer.width)
    dates = tuple(np.empty((bands, *shape), np.float32) for _ in range(2))
    valid = np.zeros(shape, np.bool_)
    held = pair.window.slices_in(outer)
    before, after = (date[:, *held] for date in dates)

    def normalise(rows: slice) -> None:
        read = pair.before[:, rows], pair.after[:, rows], pair.valid[rows]
        radiometry.apply_to((before[:, rows], after[:, rows]), *read)

    step = -(-pair.window.height // threads)
    parts = (slice(row, row + step) for row in range(0, pair.window.height, step))
    together([partial(normalise, rows) for rows in parts], threads)
    valid[held] = pair.valid
    for date in dates:
        _mirror(date, held)
    return Block(
        window=window, outer=outer, before=dates[0], after=dates[1], valid=valid
    )


def _mirror(date: NDArray[np.float32], held: tuple[slice, slice]) -> None:
    """Fill rows and columns around what is held of a date; corners by both."""
    rows, cols = held
    for beyond, place in _mirrored(rows, date.shape[1]):
        date[:, beyond, cols] = date[:, place, cols]
    for beyond, place in _mirrored(cols, date.shape[2]):
        date[:, :, beyond] = date[:, :, place]


def _mirrored(held: slice, length: int) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    """What lies before and behind a part of an axis, and what is mirrored there."""
    count = held.stop - held.start
    for beyond in (slice(0, held.start), slice(held.stop, length)):
        steps = (np.arange(beyond.start, beyond.stop) - held.start) % (2 * count)
        yield beyond, held.start + np.minimum(steps, 2 * count - 1 - steps)
