"""What the first pass leaves of a block: its pixels in working rasters, its sums.

What a block adds is found first and added then, so that it can be kept in between: a
run that goes on from another one's blocks adds the same numbers in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geosim.change import ssim
from geosim.change.cells import CellSums, sums_from
from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_NODATA,
    UNIT_NODATA,
    score_histogram,
    unit_levels,
)
from geosim.siamese.architecture import GEM_POWER, STRIDE
from geosim.siamese.engine import tile_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window
    from geosim.raster.writer import Layout
    from geosim.scanning import Block
    from geosim.scorer import BlockScores, Scorer
    from geosim.siamese.weights import LoadedWeights

PREVIEW_SIDE = 1400
"""Longest side in pixels of the pictures for the report."""

_PREVIEW_LAYERS = 7
_CHANNELS_AT_ONCE = 32
_PREVIEW_LEVELS = 255
"""Previews are kept as whole numbers: small, and exact in any order."""

BlockSums = dict[str, "NDArray[Any]"]
"""What a block adds, by name; empty where nothing is valid in it."""


class Pixels(Protocol):
    """Takes the pixels of blocks: a working raster, or what sends them to one."""

    @property
    def layout(self) -> Layout:
        """Bands and type."""

    def write(self, values: NDArray[Any], window: Window, band: int) -> None:
        """Take (height, width) values of one band, counted from 1."""


@dataclass(kw_only=True)
class Gatherer:
    """Sums that grow block by block."""

    scorer: Scorer
    scores: Pixels
    layers: Pixels
    tiles: CellSums
    """Per tile: valid pixels, sum of SSIM."""
    preview: CellSums
    """Per preview pixel: valid pixels, red, green, blue of date 1, of date 2, each
    pixel as 0..255."""
    embeddings: TileEmbeddings | None
    histogram: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(HISTOGRAM_BINS, np.int64)
    )
    """Counts of scores, shape (4096,)."""

    @classmethod
    def of(
        cls,
        grid: Grid,
        tile_size: int,
        scorer: Scorer,
        scores: Pixels,
        layers: Pixels,
    ) -> Gatherer:
        """Start with nothing seen.

        Args:
            grid: the scene's grid.
            tile_size: side of a scoring tile.
            scorer: the method.
            scores: takes the 16-bit scores, one band.
            layers: takes the method's bands and `ssim`; its first band is left alone.
        """
        size = grid.width, grid.height
        cell = preview_cell(grid)
        weights = scorer.weights
        return cls(
            scorer=scorer,
            scores=scores,
            layers=layers,
            tiles=CellSums(*size, tile_size, 2),
            preview=CellSums(*size, cell, _PREVIEW_LAYERS, np.uint32),
            embeddings=TileEmbeddings(grid, tile_size, weights) if weights else None,
        )

    def write(self, block: Block, found: BlockScores) -> BlockSums:
        """Smooth and write the pixels of a block and find what it adds."""
        window, inner = block.window, block.inner
        valid = block.valid[inner]
        score = self.scorer.smoothed(found, block.before, block.after, block.valid)
        levels = self.scorer.scale.levels(score[inner], valid)
        self.scores.write(levels, window, 1)
        similarity = _ssim_inside(block)
        layers = {name: part[inner] for name, part in found.bands.items()}
        layers["ssim"] = (1.0 - similarity) / 2.0
        for name, values in layers.items():
            band = self.layers.layout.bands.index(name) + 1
            self.layers.write(unit_levels(values, valid), window, band)
        place = window.row_off, window.col_off
        counts = score_histogram(levels)
        bins = np.flatnonzero(counts)
        sums: BlockSums = {
            "bins": bins.astype(np.uint16),
            "counts": counts[bins],
            "tiles": self.tiles.part(
                *place, (valid, np.where(valid, similarity, np.float32(0.0)))
            ),
            "preview": self._preview(block, valid),
        }
        if self.embeddings is not None and found.features is not None:
            powers, share = self.embeddings.part(block, found.features)
            sums |= {"powers": powers, "share": share}
        return sums

    def add(self, window: Window, sums: BlockSums) -> None:
        """Add what `write` found for a block; block by block in their order."""
        if not sums:
            return
        place = window.row_off, window.col_off
        self.histogram[sums["bins"]] += sums["counts"]
        self.tiles.add_part(*place, sums["tiles"])
        self.preview.add_part(*place, sums["preview"])
        if self.embeddings is not None and "powers" in sums:
            self.embeddings.add_part(window, sums["powers"], sums["share"])

    def _preview(self, block: Block, valid: NDArray[np.bool_]) -> NDArray[Any]:
        """What a block adds to the preview, in the smallest type that holds it."""
        place = block.window.row_off, block.window.col_off
        whole = bool(valid.all())
        seen = (
            date[band][block.inner] if whole else date[band][block.inner] * valid
            for date in (block.before, block.after)
            for band in rgb_bands(len(date))
        )
        sums = self.preview.part(*place, chain([valid], seen), np.float32)
        sums[1:] *= _PREVIEW_LEVELS
        largest = _PREVIEW_LEVELS * self.preview.cell**2
        levels: NDArray[Any] = np.rint(sums).astype(np.min_scalar_type(largest))
        return levels

    def write_nothing(self, window: Window) -> BlockSums:
        """Write a block without data; it adds nothing."""
        shape = window.height, window.width
        self.scores.write(np.full(shape, SCORE_NODATA, np.uint16), window, 1)
        empty = np.full(shape, UNIT_NODATA, np.uint8)
        # the first band, the probability, is written later anyway
        for band in range(2, len(self.layers.layout.bands) + 1):
            self.layers.write(empty, window, band)
        return {}


def preview_cell(grid: Grid) -> int:
    """Pixels of the grid per pixel of the report's pictures, each way."""
    return max(1, -(-max(grid.width, grid.height) // PREVIEW_SIDE))


def sums_bytes(grid: Grid, tile_size: int) -> int:
    """What all blocks' sums take on the disk, about; they are kept for `--resume`."""
    cell = preview_cell(grid)
    pixels = (grid.width // cell + 1) * (grid.height // cell + 1)
    number = np.min_scalar_type(_PREVIEW_LEVELS * cell**2).itemsize
    tiles = (grid.width // tile_size + 1) * (grid.height // tile_size + 1)
    embedding = 2 * 512 * np.dtype(np.float32).itemsize
    # a cell or a tile that lies in several blocks counts several times
    return int(1.2 * pixels * _PREVIEW_LAYERS * number + 1.6 * tiles * embedding)


def rgb_bands(count: int) -> list[int]:
    """The three bands that stand for red, green and blue."""
    return [0, count // 2, count - 1] if count < 3 else [0, 1, 2]  # noqa: PLR2004


def _ssim_inside(block: Block) -> NDArray[np.float32]:
    """SSIM of a block without its margin, which is wider than SSIM's window."""
    needed = block.window.grown(ssim.REACH)
    part = (slice(None), *needed.slices_in(block.outer))
    inside = block.window.slices_in(needed)
    similarity: NDArray[np.float32]
    similarity = ssim.ssim_map(block.before[part], block.after[part])[inside]
    return similarity


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
            features: (2, 512, outer height / 16, outer width / 16).

        Returns:
            (2, 512, tile rows, tile columns) float32 sums of powers, and the weights
            of the tiles.
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
