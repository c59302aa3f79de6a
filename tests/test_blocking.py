"""Blocks: each pixel once, within the memory, with little margin, all of one shape."""

from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from geosim import ChangeOptions
from geosim.errors import OptionError
from geosim.raster.grid import Grid, Window
from geosim.scoring.blocking import cut_grid, plan_blocks

lengths = st.integers(1, 40_000)
sixteens = st.integers(1, 12).map(lambda count: 16 * count)


def grid(width, height):
    return Grid(crs=None, transform=Affine.identity(), width=width, height=height)


def scorer(*, network_ns=2600, margin=112, edge_margin=16, per_pixel=400, base=600):
    return SimpleNamespace(
        margin=margin,
        edge_margin=edge_margin,
        bytes_per_pixel=per_pixel,
        network_ns=network_ns,
        base_megabytes=base,
        weights="some" if network_ns else None,
    )


def computed(blocks):
    """Pixels that are computed together."""
    return blocks.count * np.prod(blocks.outer_shape)


@given(lengths, lengths, st.integers(700, 9000))
def test_blocks_fit_into_the_memory(width, height, memory):
    options = ChangeOptions(memory=memory)
    blocks = plan_blocks(grid(width, height), scorer(), options)
    assert all(side % 16 == 0 for side in (*blocks.sides, *blocks.outer_shape))
    assert np.prod(blocks.outer_shape) * 400 <= (memory - 600) * 1e6
    # and they are found again by the size that is kept of them
    assert cut_grid(grid(width, height), scorer(), blocks.sides) == blocks


@given(st.integers(1, 900), st.integers(1, 900), sixteens, sixteens, sixteens)
def test_blocks_cover_each_pixel_once_and_have_their_margins(
    width, height, wide, high, margin
):
    size, edge = grid(width, height), 16
    method = scorer(margin=margin, edge_margin=edge)
    blocks = cut_grid(size, method, (wide, high))
    seen = np.zeros((height, width), int)
    windows = list(blocks.windows())
    assert len(windows) == blocks.count
    assert windows == sorted(windows, key=lambda one: (one.row_off, one.col_off))
    # where the raster ends for the network, wherever it is cut
    end = [-(-total // 16) * 16 + edge for total in (width, height)]
    for window in windows:
        seen[window.slices_in(size.window)] += 1
        outer = blocks.outer(window)
        assert (outer.height, outer.width) == blocks.outer_shape
        assert outer.col_off % 16 == outer.row_off % 16 == 0
        whole = window.grown(margin)
        for first, needed, last, wanted, most in (
            (outer.col_off, whole.col_off, outer.col_end, whole.col_end, end[0]),
            (outer.row_off, whole.row_off, outer.row_end, whole.row_end, end[1]),
        ):
            assert -edge <= first <= max(needed, -edge)
            assert min(wanted, most) <= last <= most
    assert (seen == 1).all()


def test_blocks_at_the_edges_by_hand():
    # blocks of 512 + 2 * 128 px; those at the edges want 128 px on one side only and
    # 16 on the other: 624 px of the raster; the last one ends 16 px beyond it
    blocks = cut_grid(grid(1700, 300), scorer(margin=128), (512, 304))
    assert list(blocks.windows()) == [
        Window(0, 0, 624, 300),
        Window(624, 0, 512, 300),
        Window(1136, 0, 564, 300),
    ]
    assert blocks.outer_shape == (304 + 32, 768)
    assert [blocks.outer(window) for window in blocks.windows()] == [
        Window(-16, -16, 768, 336),
        Window(496, -16, 768, 336),
        Window(1712 + 16 - 768, -16, 768, 336),
    ]


@pytest.mark.parametrize(
    ("side", "most"), [(512, 1.13), (1024, 1.07), (2000, 1.16), (8000, 1.16)]
)
def test_little_is_computed_twice(side, most):
    # 8,000 px: 12 blocks; the margins of 2 and 3 cuts are 448 and 672 px in all. 2,000
    # px: 2 blocks, which take 1.5 GB in place of 2.3
    options = ChangeOptions(memory=4000, threads=2)
    blocks = plan_blocks(grid(side, side), scorer(), options)
    assert computed(blocks) <= most * side**2


def test_more_memory_never_means_more_work():
    work = [
        computed(plan_blocks(grid(8000, 8000), scorer(), ChangeOptions(memory=mb)))
        for mb in (700, 1000, 2000, 4000, 8000)
    ]
    assert work == sorted(work, reverse=True)
    assert len(set(work[:4])) == 4


@pytest.mark.parametrize(("network_ns", "per_pixel"), [(2600, 450), (870, 350)])
def test_memory_is_not_taken_for_a_few_margins(network_ns, per_pixel):
    # blocks of 4,128 x 4,128 px would fit, and be no quicker: the system takes seconds
    # to find the memory
    method = scorer(network_ns=network_ns, per_pixel=per_pixel)
    options = ChangeOptions(memory=12_000, threads=2)
    blocks = plan_blocks(grid(8000, 8000), method, options)
    assert np.prod(blocks.outer_shape) * per_pixel < 3e9
    assert computed(blocks) < 1.2 * 8000**2


def test_what_is_beside_the_network_counts_more_where_that_is_quick():
    counts = [
        plan_blocks(
            grid(8000, 8000),
            scorer(network_ns=network_ns),
            ChangeOptions(memory=12_000, threads=2),
        ).count
        for network_ns in (10_000, 2600, 870)
    ]
    assert counts[0] < counts[1] < counts[2]


def test_a_side_that_is_given():
    # 2,000 px without the 96 that the first and the last hold more: four of 452
    options = ChangeOptions(block_size=512)
    assert plan_blocks(grid(2000, 500), scorer(), options).sides == (464, 512)
    assert plan_blocks(grid(2000, 300), scorer(), options).sides == (464, 304)


def test_memory_that_brings_no_speed_is_not_taken():
    options = ChangeOptions(memory=64_000)
    blocks = plan_blocks(grid(9000, 9000), scorer(network_ns=0), options)
    assert max(blocks.sides) <= 1024
    assert max(plan_blocks(grid(30_000, 30_000), scorer(), options).sides) <= 8192


def test_threads_do_not_wait_for_a_single_block():
    # 12 GB hold 4,000 x 4,000 px at once; with 16 threads the network takes little
    # longer than what one thread does beside it
    counts = [
        plan_blocks(
            grid(4000, 4000), scorer(), ChangeOptions(memory=12_000, threads=threads)
        ).count
        for threads in (1, 16)
    ]
    assert counts[0] <= 4 < counts[1]


def test_too_little_memory():
    # (64 + 2 * 112) ** 2 px of 400 bytes are 33.2 MB
    with pytest.raises(OptionError, match="at least 634"):
        plan_blocks(grid(800, 800), scorer(), ChangeOptions(memory=620))
