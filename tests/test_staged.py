"""The network in two graphs says what it says in one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosim.siamese import staged
from geosim.siamese.graph import build_graph, compile_graph, opened
from geosim.siamese.quantization import find_quantization
from geosim.siamese.shipped import WEIGHTS
from geosim.siamese.staged import (
    CELL,
    TILE_MARGIN,
    StagedNetwork,
    compile_stages,
    tiles,
)
from geosim.siamese.weights import load_weights


@given(st.integers(1, 300), st.sampled_from([64, 256, 512]))
def test_tiles_cover_a_side_once_with_their_margins(cells, core):
    length = cells * CELL
    outer, parts = tiles(length, core)
    seen = []
    for begin, taken in parts:
        assert begin % CELL == taken.start % CELL == taken.stop % CELL == 0
        assert 0 <= begin <= length - outer
        seen += range(begin + taken.start, begin + taken.stop)
        assert taken.start >= TILE_MARGIN or begin == 0
        assert outer - taken.stop >= TILE_MARGIN or begin + outer == length
    assert seen == list(range(length))


def test_margin_by_hand():
    # two convolutions at one pixel, two at two pixels: 6; half a cell and one for the
    # enlargement of the distance: 2
    assert TILE_MARGIN == 8


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("size", [(160, 208), (64, 320)])
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_two_graphs_say_what_one_says(monkeypatch, precision, size, name):
    monkeypatch.setattr(staged, "SMALL_TILE", 64)
    weights = load_weights(name)
    ranges = find_quantization(weights) if precision == "int8" else None
    rng = np.random.default_rng(3)
    coarse = rng.random((2, 3, size[0] // 8, size[1] // 8), np.float32)
    pair = coarse.repeat(8, axis=2).repeat(8, axis=3)
    pair = np.clip(pair + 0.1 * rng.random(pair.shape, np.float32), 0, 1)
    row = weights.arrays["head.term_weights"][0]
    model = build_graph(weights.arrays, quantization=ranges, size=size)
    one = opened(compile_graph(model, 2))(*pair, row)
    network = StagedNetwork(compile_stages(weights.arrays, ranges, size, 2))
    for _ in range(2):  # nothing is left over from the first time
        for found, wanted in zip(network(*pair, row), one, strict=True):
            assert found.shape == wanted.shape
            assert found == pytest.approx(wanted, abs=1e-5)


def test_results_outlive_the_next_block():
    weights = load_weights()
    row = weights.arrays["head.term_weights"][0]
    network = StagedNetwork(compile_stages(weights.arrays, None, (32, 48), 1))
    rng = np.random.default_rng(4)
    pair = rng.random((2, 3, 32, 48), np.float32)
    first = network(*pair, row)
    kept = [part.copy() for part in first]
    network(*pair[::-1, :, ::-1].copy(), row)
    for part, before in zip(first, kept, strict=True):
        assert np.array_equal(part, before)
