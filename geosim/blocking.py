"""How large blocks are: as the memory allows, with as little margin as it allows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.raster.grid import even_size
from geosim.siamese.architecture import STRIDE

if TYPE_CHECKING:
    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.scorer import Scorer

_LARGEST = 8192
_LARGEST_CLASSICAL = 1024
"""Longest side of a block that memory is spent on: with the network a larger block
saves margin, without it a larger one is no faster."""

_BESIDE = 0.07
"""Processor time of all that goes on beside the network, as a part of the network's.
One thread does it, for one block while the network is in the next: while the first
block is read and the last one written the network has nothing to do."""

_SMALLEST = 4 * STRIDE


def block_sides(grid: Grid, scorer: Scorer, options: ChangeOptions) -> tuple[int, int]:
    """Width and height of the blocks that cut a grid into equal parts.

    Of all that fit into the memory those that take the least time: few pixels together,
    margins included, but not so few blocks that threads wait for the first and the
    last.

    Args:
        grid: the scene's grid.
        scorer: the method.
        options: memory, or the side of a block; threads.

    Raises:
        OptionError: the memory does not suffice for a block of 64 px.
    """
    if options.block_size is not None:
        longest = [options.block_size]
        room = math.inf
    else:
        room = _room(scorer, options)
        most = _LARGEST if scorer.weights else _LARGEST_CLASSICAL
        most = min(most, int(room / (_SMALLEST + 2 * scorer.margin)))
        longest = list(range(_SMALLEST, most + 1, STRIDE))
    widths, heights = (
        sorted({even_size(side, part, STRIDE) for part in longest})
        for side in (grid.width, grid.height)
    )
    alone = _BESIDE * options.thread_count if scorer.weights else 0.0
    best = None
    for width in widths:
        for height in heights:
            outer = (width + 2 * scorer.margin) * (height + 2 * scorer.margin)
            if outer > room:
                break
            count = math.ceil(grid.width / width) * math.ceil(grid.height / height)
            # of two that have as many, the one of fewer blocks
            found = (count + alone) * outer, count, width, height
            best = min(best or found, found)
    assert best is not None  # noqa: S101 - the smallest fits
    return best[2:]


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
