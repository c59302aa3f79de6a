"""How a raster is cut into blocks: as the memory allows, with little margin.

A block is computed with a margin of real pixels on which its result depends. Beyond the
raster's edge there are none, and a few mirrored ones do as well as many. So that the
engine sees blocks of one shape only, a block at the edge holds as many pixels more of
the raster as it needs fewer of the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.raster.grid import Window
from geosim.siamese.architecture import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.scoring.scorer import Scorer

_LARGEST = 8192
_LARGEST_CLASSICAL = 1024
"""Longest side of a block that memory is spent on: with the network a larger block
saves margin, without it a larger one is no faster."""

_BESIDE_NS = 180.0
"""Time in which one thread does for a pixel all that goes on beside the network. While
the first block is read and the last one written the network has nothing to do."""

_TOUCH_NS = 2.5
"""Time that the system takes to give out a byte, once in a run of the command, which
keeps it (`heap`); measured in a virtual machine whose host has to find the page first.
Where the machine is a real one it is a tenth, and the network waits for a few more
margins in return for half of the memory."""

_TOUCHED = 1e9
"""Bytes of a block that are not counted: the sample has had some of them already, and
a small raster is not cut for what is left."""

_SMALLEST = 4 * STRIDE


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """One side of a raster, cut; all in pixels, all but `total` multiples of STRIDE."""

    total: int
    side: int
    """Of a block that touches no edge."""
    margin: int
    edge_margin: int

    @property
    def count(self) -> int:
        return max(1, math.ceil((self.total - 2 * self._more) / self.side))

    @property
    def outer(self) -> int:
        """Of a block with its margins."""
        if self.count == 1:
            return _aligned(self.total) + 2 * self.edge_margin
        return self.side + 2 * self.margin

    @cached_property
    def starts(self) -> list[int]:
        return [0, *(self._more + self.side * k for k in range(1, self.count))]

    def outer_start(self, start: int) -> int:
        """Where a block with its margins begins; all lie within the edges' margins."""
        last = _aligned(self.total) + self.edge_margin - self.outer
        return min(max(start - self.margin, -self.edge_margin), last)

    @property
    def _more(self) -> int:
        """Pixels that a block at the edge holds more than others."""
        return max(0, self.margin - self.edge_margin)


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of a raster, all of one shape with their margins."""

    columns: _Cut
    rows: _Cut

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of a block that touches no edge, without its margin."""
        return self.columns.side, self.rows.side

    @property
    def count(self) -> int:
        """How many there are."""
        return self.columns.count * self.rows.count

    @property
    def outer_shape(self) -> tuple[int, int]:
        """Height and width of each with its margins, multiples of 16."""
        return self.rows.outer, self.columns.outer

    def windows(self) -> Iterator[Window]:
        """Blocks without their margins, row by row; each pixel is in one of them."""
        for top, bottom in _spans(self.rows):
            for left, right in _spans(self.columns):
                yield Window(left, top, right - left, bottom - top)

    def outer(self, window: Window) -> Window:
        """One of `windows` with its margins; may stick out of the grid."""
        height, width = self.outer_shape
        col = self.columns.outer_start(window.col_off)
        row = self.rows.outer_start(window.row_off)
        return Window(col, row, width, height)


def _spans(cut: _Cut) -> Iterator[tuple[int, int]]:
    """First pixel of each block, and the first behind it."""
    yield from zip(cut.starts, [*cut.starts[1:], cut.total], strict=True)


def _aligned(pixels: int) -> int:
    """Up to a multiple of STRIDE."""
    return math.ceil(pixels / STRIDE) * STRIDE


def cut_grid(grid: Grid, scorer: Scorer, sides: tuple[int, int]) -> Blocks:
    """The blocks of a grid whose size is known.

    Args:
        grid: the scene's grid.
        scorer: the method; its margins are multiples of 16.
        sides: width and height of a block that touches no edge, multiples of 16.
    """
    columns, rows = (
        _Cut(
            total=total,
            side=side,
            margin=scorer.margin,
            edge_margin=scorer.edge_margin,
        )
        for total, side in zip((grid.width, grid.height), sides, strict=True)
    )
    return Blocks(columns=columns, rows=rows)


def plan_blocks(grid: Grid, scorer: Scorer, options: ChangeOptions) -> Blocks:
    """Blocks that cut a grid into parts about equal.

    Of all that fit into the memory those that take the least time: few pixels together,
    margins included, but not so few blocks that threads wait for the first and the
    last, nor so large that the system takes long to find the memory.

    Args:
        grid: the scene's grid.
        scorer: the method.
        options: memory, or the side of a block; threads.

    Raises:
        OptionError: the memory does not suffice for a block of 64 px.
    """
    most = _LARGEST if scorer.weights else _LARGEST_CLASSICAL
    room = math.inf
    if options.block_size is None:
        room = _room(scorer, options)
    columns, rows = (
        _cuts(total, scorer, options.block_size, most)
        for total in (grid.width, grid.height)
    )
    network_ns = scorer.network_ns / options.thread_count
    best = None
    for column in columns:
        for row in rows:
            outer, count = column.outer * row.outer, column.count * row.count
            if outer > room:
                continue
            # without a network only the number of pixels counts
            time = outer * count * (network_ns or 1.0)
            if network_ns:
                touched = max(0.0, outer * scorer.bytes_per_pixel - _TOUCHED)
                time += outer * _BESIDE_NS + touched * _TOUCH_NS
            # of two that take as long, the one of fewer blocks
            found = time, count, column.side, row.side
            best = min(best or found, found)
    assert best is not None  # noqa: S101 - the smallest fits
    return cut_grid(grid, scorer, best[2:])


def _cuts(total: int, scorer: Scorer, side: int | None, most: int) -> list[_Cut]:
    """Even cuts of one side: of all sizes up to `most`, or of one near that given."""
    margins = {"margin": scorer.margin, "edge_margin": scorer.edge_margin}
    whole = _Cut(total=total, side=_aligned(total), **margins)
    if side is not None:
        count = _Cut(total=total, side=side, **margins).count
        return [whole if count == 1 else _even(whole, count)]
    found = {whole.outer: whole} if total <= most else {}
    for count in range(2, max(2, math.ceil(total / _SMALLEST)) + 1):
        cut = _even(whole, count)
        if cut.count > 1 and cut.side <= most:
            found[cut.outer] = cut
    return list(found.values())


def _even(whole: _Cut, count: int) -> _Cut:
    """So many blocks, alike with their margins; fewer where they would be tiny."""
    shared = whole.total - 2 * max(0, whole.margin - whole.edge_margin)
    return _Cut(
        total=whole.total,
        side=max(_aligned(math.ceil(shared / count)), STRIDE),
        margin=whole.margin,
        edge_margin=whole.edge_margin,
    )


def _room(scorer: Scorer, options: ChangeOptions) -> float:
    """Pixels of a block with its margin that fit into the memory."""
    room = (options.megabytes - scorer.base_megabytes) * 1e6 / scorer.bytes_per_pixel
    least = (_SMALLEST + 2 * scorer.margin) ** 2
    if room < least:
        needed = scorer.base_megabytes + least * scorer.bytes_per_pixel / 1e6
        raise OptionError(
            f"--memory {options.megabytes} is too little for this method; give at "
            f"least {math.ceil(needed)}"
        )
    return room
