"""Embeddings of tiles, pooled from the last features of blocks while these arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.change.cells import sums_from
from geosim.siamese.architecture import GEM_POWER, STRIDE
from geosim.siamese.engine import tile_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window
    from geosim.scoring.scanning import Block
    from geosim.siamese.weights import LoadedWeights

_CHANNELS_AT_ONCE = 32
"""Channels whose powers are in memory at a time."""


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
        """Add the cells of a block, see `part`."""
        self.add_part(block.window, *self.part(block, features))

    def part(
        self, block: Block, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What a block adds to the tiles that it touches.

        Args:
            block: starts at multiples of 16.
            features: (2, channels, outer height / 16, outer width / 16).

        Returns:
            (2, channels, tile rows, tile columns) float32 sums of powers, and the
            weights of the tiles.
        """
        window, outer = block.window, block.outer
        share = _cell_share(block)
        rows = slice((window.row_off - outer.row_off) // STRIDE, None)
        cols = slice((window.col_off - outer.col_off) // STRIDE, None)
        inside = features[:, :, rows, cols][:, :, : share.shape[0], : share.shape[1]]
        _, row_starts = self._tiles_of(window.row_off, share.shape[0], axis=0)
        _, col_starts = self._tiles_of(window.col_off, share.shape[1], axis=1)
        channels, weight = inside.shape[1], share.astype(np.float32)
        sums = np.empty((2, channels, len(row_starts), len(col_starts)), np.float32)
        for first in range(0, channels, _CHANNELS_AT_ONCE):
            some = slice(first, first + _CHANNELS_AT_ONCE)
            powers = _powers(inside[:, some])
            powers *= weight
            rows_summed = sums_from(powers, row_starts, axis=2)
            sums[:, some] = np.add.reduceat(rows_summed, col_starts, axis=3)
        share = np.add.reduceat(share, col_starts, axis=1)
        share = np.add.reduceat(share, row_starts, axis=0)
        return sums, share

    def add_part(
        self, window: Window, powers: NDArray[np.float32], share: NDArray[np.float64]
    ) -> None:
        """Add what `part` found for a block; the blocks come in row-major order."""
        cells = -(-window.height // STRIDE), -(-window.width // STRIDE)
        tile_rows, _ = self._tiles_of(window.row_off, cells[0], axis=0)
        tile_cols, _ = self._tiles_of(window.col_off, cells[1], axis=1)
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
        """Running sums of a tile row: (2, channels, tiles) and (tiles,)."""
        cols = self._similarity.shape[1]
        if row not in self._open:
            channels = self._weights.arrays["embedding.weight"].shape[1]
            self._open[row] = np.zeros((2, channels, cols)), np.zeros(cols)
        return self._open[row]

    def _finish_above(self, row: int) -> None:
        for done in [number for number in self._open if number < row]:
            sums, weight = self._open.pop(done)
            self._similarity[done] = tile_similarity(sums, weight, self._weights)

    def finish(self) -> NDArray[np.float32]:
        """Similarity of all tiles, (tile rows, tile columns), NaN without data."""
        self._finish_above(self._similarity.shape[0])
        return self._similarity


def _powers(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features to the power of GEM_POWER, which is a whole number: by products."""
    powers = features.copy()
    for _ in range(round(GEM_POWER) - 1):
        powers *= features
    return powers


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
