"""What the first pass leaves of a block: its pixels in working rasters, its sums.

What a block adds is found first and added then, so that it can be kept in between: a
run that goes on from another one's blocks adds the same numbers in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geosim.change import ssim
from geosim.change.cells import CellSums
from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_NODATA,
    UNIT_NODATA,
    score_histogram,
    unit_levels,
)
from geosim.machine.overlapping import together
from geosim.scoring.tile_embeddings import TileEmbeddings
from geosim.siamese.architecture import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window
    from geosim.raster.writer import Layout
    from geosim.scoring.scanning import Block
    from geosim.scoring.scorer import BlockScores, Scorer

PREVIEW_SIDE = 1400
"""Longest side in pixels of the pictures for the report, but of strips."""

_STRIP_SIDE, _LONGEST_SIDE = 400, 16_000
"""Of a strip: its width as far as there is no more to keep than of a square, and its
length at most, which is what browsers and JPEG take."""

_PREVIEW_LAYERS = 7
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

    def write(self, block: Block, found: BlockScores, threads: int = 1) -> BlockSums:
        """Smooth and write the pixels of a block and find what it adds."""
        steps = (self._write_score, self._write_ssim, self._write_bands)
        sums: BlockSums = {}
        for part in together([partial(step, block, found) for step in steps], threads):
            sums |= part
        return sums

    def _write_score(self, block: Block, found: BlockScores) -> BlockSums:
        """The smoothed score."""
        dates = block.before, block.after
        score = self.scorer.smoothed(found, *dates, block.valid, block.inner)
        levels = self.scorer.scale.levels(score, block.valid[block.inner])
        self.scores.write(levels, block.window, 1)
        counts = score_histogram(levels)
        bins = np.flatnonzero(counts)
        return {"bins": bins.astype(np.uint16), "counts": counts[bins]}

    def _write_ssim(self, block: Block, found: BlockScores) -> BlockSums:
        """SSIM, which needs nothing of the method."""
        del found
        valid, similarity = block.valid[block.inner], _ssim_inside(block)
        self._write_layer("ssim", (1.0 - similarity) / 2.0, block)
        values = valid, np.where(valid, similarity, np.float32(0.0))
        window = block.window
        return {"tiles": self.tiles.part(window.row_off, window.col_off, values)}

    def _write_bands(self, block: Block, found: BlockScores) -> BlockSums:
        """The method's bands, pictures, embeddings."""
        for name, values in found.bands.items():
            self._write_layer(name, values[block.inner], block)
        sums: BlockSums = {"preview": self._preview(block)}
        if self.embeddings is not None and found.features is not None:
            powers, share = self.embeddings.part(block, found.features)
            sums |= {"powers": powers, "share": share}
        return sums

    def _write_layer(
        self, name: str, values: NDArray[np.float32], block: Block
    ) -> None:
        """One band of the block without its margin, 0..1."""
        band = self.layers.layout.bands.index(name) + 1
        levels = unit_levels(values, block.valid[block.inner])
        self.layers.write(levels, block.window, band)

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

    def _preview(self, block: Block) -> NDArray[Any]:
        """What a block adds to the preview, in the smallest type that holds it."""
        valid = block.valid[block.inner]
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
    short, long = sorted((grid.width, grid.height))
    area = math.sqrt(short * long) / PREVIEW_SIDE
    strip = max(short / _STRIP_SIDE, area, long / _LONGEST_SIDE)
    return max(1, math.ceil(min(long / PREVIEW_SIDE, strip)))


def sums_bytes(grid: Grid, tile_size: int) -> int:
    """What all blocks' sums take on the disk at most, about.

    They are kept for `--resume`. Embeddings are those of the whole VGG16.
    """
    cell = preview_cell(grid)
    pixels = (grid.width // cell + 1) * (grid.height // cell + 1)
    number = np.min_scalar_type(_PREVIEW_LEVELS * cell**2).itemsize
    tiles = (grid.width // tile_size + 1) * (grid.height // tile_size + 1)
    embedding = 2 * CHANNELS[-1] * np.dtype(np.float32).itemsize
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
