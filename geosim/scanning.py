"""First pass: read, normalise, score and write every block.

Reading, the network and what follows it overlap: while a block is in the network, the
next one is read and the last one is written. The pass leaves the score of every pixel,
sums per tile, the scene's histogram of scores and a small picture of both dates.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geosim.change import ssim
from geosim.change.cells import CellSums
from geosim.change.scores import (
    HISTOGRAM_BINS,
    UNIT_NODATA,
    score_histogram,
    unit_levels,
)
from geosim.raster.grid import Grid, Window, blocks, even_size
from geosim.siamese.architecture import STRIDE
from geosim.siamese.engine import gem_cells, tile_similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from geosim.raster.radiometry import Radiometry
    from geosim.raster.scene import Scene
    from geosim.raster.writer import WorkRaster
    from geosim.scoring import BlockScores, Scorer
    from geosim.siamese.weights import LoadedWeights

_In = TypeVar("_In")
_Out = TypeVar("_Out")

PREVIEW_SIDE = 1400
"""Longest side in pixels of the pictures for the report."""


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
    """Per preview pixel: valid pixels, red, green, blue of date 1, of date 2."""


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


@dataclass(kw_only=True)
class _Gatherer:
    """Sums that grow block by block."""

    scorer: Scorer
    scores: WorkRaster
    layers: WorkRaster
    tiles: CellSums
    preview: CellSums
    embeddings: TileEmbeddings | None
    histogram: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(HISTOGRAM_BINS, np.int64)
    )

    def take(self, block: Block, found: BlockScores | None) -> None:
        """Write one block and add it to the sums; None: nothing is valid in it."""
        window, inner = block.window, block.inner
        valid = block.valid[inner]
        if found is None:
            self._write_nothing(window, valid)
            return
        levels = self.scorer.scale.levels(found.score[inner], valid)
        self.histogram += score_histogram(levels)
        self.scores.write(levels, window, 1)
        similarity = ssim.ssim_map(block.before, block.after)[inner]
        layers = {name: part[inner] for name, part in found.bands.items()}
        layers["ssim"] = (1.0 - similarity) / 2.0
        for name, values in layers.items():
            band = self.layers.layout.bands.index(name) + 1
            self.layers.write(unit_levels(values, valid), window, band)
        self.tiles.add(
            window.row_off,
            window.col_off,
            (valid, np.where(valid, similarity, 0.0)),
        )
        self._add_preview(block, valid)
        if self.embeddings is not None and found.features is not None:
            self.embeddings.add(block, found.features)

    def _add_preview(self, block: Block, valid: NDArray[np.bool_]) -> None:
        rows, cols = block.inner
        dates = [
            date[[0, len(date) // 2, -1] if len(date) < 3 else slice(3), rows, cols]  # noqa: PLR2004
            for date in (block.before, block.after)
        ]
        seen = (band * valid for date in dates for band in date)
        self.preview.add(
            block.window.row_off, block.window.col_off, chain([valid], seen)
        )

    def _write_nothing(self, window: Window, valid: NDArray[np.bool_]) -> None:
        nothing = np.zeros(valid.shape, np.float32)
        self.scores.write(self.scorer.scale.levels(nothing, valid), window, 1)
        empty = np.full(valid.shape, UNIT_NODATA, np.uint8)
        for band in range(2, len(self.layers.layout.bands) + 1):
            self.layers.write(empty, window, band)


def scan(  # noqa: PLR0913 - one call, all of it by name
    scene: Scene,
    *,
    radiometry: Radiometry,
    scorer: Scorer,
    block_size: int,
    tile_size: int,
    scores: WorkRaster,
    layers: WorkRaster,
    progress: Callable[[int], None],
) -> Scan:
    """Run the first pass.

    Args:
        scene: the open pair.
        radiometry: its fitted normalisation.
        scorer: the method.
        block_size: largest side of a block in pixels, a multiple of 16.
        tile_size: side of a scoring tile.
        scores: takes the 16-bit scores, one band.
        layers: takes the method's bands and `ssim`; its first band is left alone.
        progress: called with the number of pixels done since the last call.
    """
    grid = scene.grid
    cell = max(1, -(-max(grid.width, grid.height) // PREVIEW_SIDE))
    gather = _Gatherer(
        scorer=scorer,
        scores=scores,
        layers=layers,
        tiles=CellSums(grid.width, grid.height, tile_size, 2),
        preview=CellSums(grid.width, grid.height, cell, 7),
        embeddings=TileEmbeddings(grid, tile_size, scorer.weights)
        if scorer.weights
        else None,
    )

    width = even_size(grid.width, block_size, STRIDE)
    height = even_size(grid.height, block_size, STRIDE)

    def read(window: Window) -> Block:
        # one shape for all: the engine keeps its buffers and plans for each it sees
        whole = Window(window.col_off, window.row_off, width, height)
        return read_block(scene, radiometry, window, whole.grown(scorer.margin, STRIDE))

    def compare(block: Block) -> tuple[Block, BlockScores | None]:
        if not block.valid[block.inner].any():
            return block, None
        return block, scorer.score(block.before, block.after, block.valid)

    windows = blocks(grid, width, height)
    for block, found in ahead(compare, ahead(read, windows)):
        gather.take(block, found)
        progress(block.window.width * block.window.height)
    similarity = gather.embeddings.finish() if gather.embeddings else None
    return Scan(
        histogram=gather.histogram,
        tiles=gather.tiles,
        similarity=similarity,
        preview=gather.preview,
    )


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


class TileEmbeddings:
    """Pools the last features of both dates over tiles while blocks arrive.

    A tile row is finished and its sums are dropped as soon as no later block can
    add to it, so memory does not grow with the raster's height.
    """

    def __init__(self, grid: Grid, tile_size: int, weights: LoadedWeights) -> None:
        """Start with no tile seen."""
        rows, cols = -(-grid.height // tile_size), -(-grid.width // tile_size)
        self._tile_size, self._weights = tile_size, weights
        self._sides = grid.height, grid.width
        self._similarity = np.full((rows, cols), np.nan, np.float32)
        self._open: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def add(self, block: Block, features: NDArray[np.float32]) -> None:
        """Add the cells of a block.

        Args:
            block: row-major order over the grid; starts at multiples of 16.
            features: (2, 512, outer height / 16, outer width / 16).
        """
        window, outer = block.window, block.outer
        share = _cell_share(block)
        rows = slice((window.row_off - outer.row_off) // STRIDE, None)
        cols = slice((window.col_off - outer.col_off) // STRIDE, None)
        powers = gem_cells(features[:, :, rows, cols])
        powers = powers[:, :, : share.shape[0], : share.shape[1]] * share
        tile_rows, row_starts = self._tiles_of(window.row_off, share.shape[0], axis=0)
        tile_cols, col_starts = self._tiles_of(window.col_off, share.shape[1], axis=1)
        powers = np.add.reduceat(powers, col_starts, axis=3)
        powers = np.add.reduceat(powers, row_starts, axis=2)
        share = np.add.reduceat(share, col_starts, axis=1)
        share = np.add.reduceat(share, row_starts, axis=0)
        self._finish_above(int(tile_rows[0]))
        for place, row in enumerate(tile_rows):
            sums, weight = self._row(int(row))
            sums[:, :, tile_cols] += powers[:, :, place]
            weight[tile_cols] += share[place]

    def _tiles_of(
        self, offset: int, cells: int, *, axis: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tiles that cells belong to (by their centres), and the first cell of each."""
        centres = offset + np.arange(cells) * STRIDE + STRIDE // 2
        tiles = centres // self._tile_size
        if offset + cells * STRIDE >= self._sides[axis]:
            # the last cell reaches into the last tile, however narrow that is
            tiles[-1] = self._similarity.shape[axis] - 1
        found, starts = np.unique(tiles, return_index=True)
        return found, starts

    def _row(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Running sums of a tile row: (2, 512, tiles) and (tiles,)."""
        cols = self._similarity.shape[1]
        if row not in self._open:
            self._open[row] = np.zeros((2, 512, cols)), np.zeros(cols)
        return self._open[row]

    def _finish_above(self, row: int) -> None:
        for done in [number for number in self._open if number < row]:
            sums, weight = self._open.pop(done)
            self._similarity[done] = tile_similarity(sums, weight, self._weights)

    def finish(self) -> NDArray[np.float32]:
        """Similarity of all tiles, (tile rows, tile columns), NaN without data."""
        self._finish_above(self._similarity.shape[0])
        return self._similarity


def _cell_share(block: Block) -> NDArray[np.float64]:
    """Valid share of each 16 px cell of a block without its margin."""
    rows, cols = block.inner
    valid = block.valid[rows, cols]
    pad = [(0, -side % STRIDE) for side in valid.shape]
    padded = np.pad(valid, pad)
    high, wide = (side // STRIDE for side in padded.shape)
    cells = padded.reshape(high, STRIDE, wide, STRIDE)
    share: NDArray[np.float64] = cells.mean(axis=(1, 3))
    return share
