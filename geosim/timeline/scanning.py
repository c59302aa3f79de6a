"""All blocks of a series decided and written, as many at a time as have room."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING

from geosim.machine.overlapping import ahead
from geosim.raster.grid import Window, blocks
from geosim.timeline.covers import CoverSums

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from geosim.raster.writer import WorkRaster
    from geosim.timeline.covers import Covered
    from geosim.timeline.deciding import BlockDecision, Decider

_ROOMY = 512
"""Side in pixels of the smallest block for which a thread of its own is taken."""
_BYTES = 60
"""Bytes per date, band and pixel of a block, about."""


def threads_within(memory: int, layers: int, threads: int) -> int:
    """How many threads may decide a block each: smaller ones would be margin mostly.

    Args:
        memory: MB, see `block_side`.
        layers: bands times dates.
        threads: at most.
    """
    room = memory * 1e6 / 4 // (_BYTES * layers * _ROOMY**2)
    return int(min(max(room, 1), threads))


def block_side(memory: int, layers: int, threads: int) -> int:
    """Side in pixels of a block of so many layers, margins included in the memory.

    Args:
        memory: MB for all blocks that are worked on.
        layers: bands times dates.
        threads: each works on a block.
    """
    side = math.sqrt(memory * 1e6 / 4 / threads / (_BYTES * layers))
    return int(min(max(side, 128), 1024)) // 16 * 16


def decide_all(
    decider: Decider,
    rasters: Mapping[str, WorkRaster],
    side: int,
    threads: int,
    tick: Callable[[float], None],
) -> Covered:
    """Decide every block and write it into "codes", "sure", "since" and "last".

    Args:
        decider: decides a block.
        rasters: take what it says.
        side: of a block.
        threads: decide as many blocks at a time.
        tick: called with the number of pixels done.

    Returns:
        Area of each land cover, m2; pixels without a CRS.
    """
    grid = decider.stack.grid
    sums = CoverSums(len(decider.stack.sources))

    def decided(window: Window) -> tuple[Window, BlockDecision]:
        return window, decider.block(window)

    aside = threads if threads > 1 else 0
    windows = blocks(grid, side)
    with closing(ahead(decided, windows, depth=threads, threads=aside)) as found:
        for window, block in found:
            for name, layers in (
                ("codes", block.codes), ("sure", block.sure), ("since", block.since)
            ):  # fmt: skip
                for band, layer in enumerate(layers, start=1):
                    rasters[name].write(layer, window, band)
            rasters["last"].write(block.last, window, 1)
            sums.add(block.covers, block.since, grid.pixel_areas.within(window))
            tick(window.width * window.height)
    return sums.covered()
