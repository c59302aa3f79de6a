"""First pass: read, normalise, score and write every block.

Reading, the network and what follows it overlap: while a block is in the network, the
next one is read and the last one is written. The pass leaves the score of every pixel,
sums per tile, the scene's histogram of scores and a small picture of both dates.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geosim.gathering import Gatherer
from geosim.raster.grid import Grid, Window, blocks, even_size
from geosim.siamese.architecture import STRIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from geosim.change.cells import CellSums
    from geosim.gathering import BlockSums
    from geosim.journal import Journal
    from geosim.raster.radiometry import Radiometry
    from geosim.raster.scene import Scene
    from geosim.raster.writer import WorkRaster
    from geosim.scoring import BlockScores, Scorer

    Spread = Callable[[Iterable[Window]], Iterator[tuple[Window, BlockSums]]]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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


def ahead(
    function: Callable[[_In], _Out], items: Iterable[_In], depth: int = 1
) -> Iterator[_Out]:
    """`map` that works up to `depth` items ahead in a thread of its own, in order."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[_Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def block_sides(grid: Grid, largest: int) -> tuple[int, int]:
    """Width and height of the blocks that cut a grid into equal parts."""
    width, height = (
        even_size(side, largest, STRIDE) for side in (grid.width, grid.height)
    )
    return width, height


def scan(  # noqa: PLR0913 - one call, all of it by name
    scene: Scene,
    *,
    radiometry: Radiometry,
    scorer: Scorer,
    sides: tuple[int, int],
    tile_size: int,
    scores: WorkRaster,
    layers: WorkRaster,
    journal: Journal,
    progress: Callable[[int], None],
    spread: Spread | None = None,
) -> Scan:
    """Run the first pass, or go on with it.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        scorer: the method.
        sides: width and height of a block in pixels, multiples of 16.
        tile_size: side of a scoring tile.
        scores: takes the 16-bit scores, one band.
        layers: takes the method's bands and `ssim`; its first band is left alone.
        journal: knows the blocks that are finished, takes the others.
        progress: called with the number of pixels done since the last call.
        spread: has blocks scored elsewhere and their pixels written; yields window and
            sums in the order of the windows. None: all is done here.
    """
    gather = Gatherer.of(scene.grid, tile_size, scorer, scores, layers)
    windows = blocks(scene.grid, *sides)
    # `windows` comes second: zip takes from it only what the journal holds
    for sums, window in zip(journal.entries(), windows, strict=False):
        gather.add(window, sums)
        progress(window.width * window.height)
    done: Iterator[tuple[Window, BlockSums]]
    if spread is None:
        read, compare = block_steps(scene, radiometry, scorer, sides)
        done = (
            (block.window, gather.write(block, found))
            for block, found in ahead(compare, ahead(read, windows))
        )
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
    scene: Scene, radiometry: Radiometry, scorer: Scorer, sides: tuple[int, int]
) -> tuple[
    Callable[[Window], Block], Callable[[Block], tuple[Block, BlockScores | None]]
]:
    """The two steps of a block: reading it, comparing its dates.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        scorer: the method.
        sides: width and height of a block in pixels.
    """
    width, height = sides

    def read(window: Window) -> Block:
        # one shape for all: the engine keeps its buffers and plans for each it sees
        whole = Window(window.col_off, window.row_off, width, height)
        return read_block(scene, radiometry, window, whole.grown(scorer.margin, STRIDE))

    def compare(block: Block) -> tuple[Block, BlockScores | None]:
        if not block.valid[block.inner].any():
            return block, None
        return block, scorer.score(block.before, block.after, block.valid)

    return read, compare


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
    pair = scene.read(outer)
    before, after = radiometry.apply(pair.before, pair.after, pair.valid)
    held = pair.window
    pad = (
        (held.row_off - outer.row_off, outer.row_end - held.row_end),
        (held.col_off - outer.col_off, outer.col_end - held.col_end),
    )
    return Block(
        window=window,
        outer=outer,
        before=np.pad(before, ((0, 0), *pad), mode="symmetric"),
        after=np.pad(after, ((0, 0), *pad), mode="symmetric"),
        valid=np.pad(pair.valid, pad, constant_values=False),
    )
