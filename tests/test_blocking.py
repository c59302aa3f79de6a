"""Sizes of blocks: within the memory, with little margin."""

import math
from types import SimpleNamespace

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from geosim import ChangeOptions
from geosim.blocking import block_sides
from geosim.errors import OptionError
from geosim.raster.grid import Grid


def grid(width, height):
    return Grid(crs=None, transform=Affine.identity(), width=width, height=height)


def scorer(*, network=True, margin=112, per_pixel=400, base=600):
    return SimpleNamespace(
        margin=margin,
        bytes_per_pixel=per_pixel,
        base_megabytes=base,
        weights=network or None,
    )


def outer(sides, margin=112):
    return (sides[0] + 2 * margin) * (sides[1] + 2 * margin)


@given(st.integers(32, 40_000), st.integers(32, 40_000), st.integers(700, 9000))
def test_blocks_fit_into_the_memory(width, height, memory):
    sides = block_sides(grid(width, height), scorer(), ChangeOptions(memory=memory))
    assert all(side % 16 == 0 for side in sides)
    assert outer(sides) * 400 <= (memory - 600) * 1e6


def test_few_pixels_of_margin_by_hand():
    # 3,200 MB are 8.0 million pixels: a block of 2,000 x 2,672 has 6.4, one of 2,672 x
    # 2,672 has 8.4; halves of the width and fifths of the height are 7.7 million each,
    # which makes ten blocks of 77 million pixels together, as many as twelve of 6.4
    options = ChangeOptions(memory=3800, threads=1)
    sides = block_sides(grid(8000, 8000), scorer(), options)
    blocks = [math.ceil(8000 / side) for side in sides]
    assert math.prod(blocks) * outer(sides) < 77.3e6


def test_more_memory_never_makes_smaller_blocks():
    sizes = [
        outer(
            block_sides(grid(8000, 8000), scorer(), ChangeOptions(memory=mb, threads=2))
        )
        for mb in (700, 1000, 2000, 4000, 8000)
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_a_side_that_is_given():
    options = ChangeOptions(block_size=512)
    assert block_sides(grid(2000, 500), scorer(), options) == (512, 512)
    assert block_sides(grid(2000, 300), scorer(), options) == (512, 304)


def test_memory_that_brings_no_speed_is_not_taken():
    options = ChangeOptions(memory=64_000)
    assert max(block_sides(grid(9000, 9000), scorer(network=False), options)) <= 1024
    assert max(block_sides(grid(30_000, 30_000), scorer(), options)) <= 8192


def test_threads_do_not_wait_for_a_single_block():
    # 12 GB hold 4,000 x 4,000 px at once; with 16 threads the network takes little
    # longer than what one thread does beside it
    size, memory = grid(4000, 4000), 12_000
    counts = []
    for threads in (1, 16):
        options = ChangeOptions(memory=memory, threads=threads)
        wide, high = block_sides(size, scorer(), options)
        counts.append(math.ceil(4000 / wide) * math.ceil(4000 / high))
    assert counts[0] <= 2 < counts[1]


def test_too_little_memory():
    # (64 + 2 * 112) ** 2 px of 400 bytes are 33.2 MB
    with pytest.raises(OptionError, match="at least 634"):
        block_sides(grid(800, 800), scorer(), ChangeOptions(memory=620))
