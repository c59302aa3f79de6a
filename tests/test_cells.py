"""Sums over cells, however the grid is cut."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosim.change.cells import CellSums, mean_where_any

sides = st.integers(1, 30)


def brute_force(values, cell):
    layers, height, width = values.shape
    sums = np.zeros((layers, math.ceil(height / cell), math.ceil(width / cell)))
    for row in range(height):
        for col in range(width):
            sums[:, row // cell, col // cell] += values[:, row, col]
    return sums


@given(sides, sides, st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_any_cut_gives_the_same_sums(width, height, cell, block_rows, block_cols):
    rng = np.random.default_rng(width * height)
    values = rng.integers(-9, 9, (2, height, width))
    cells = CellSums(width, height, cell, 2)
    for row in range(0, height, block_rows):
        for col in range(0, width, block_cols):
            part = values[:, row : row + block_rows, col : col + block_cols]
            cells.add(row, col, part)
    assert (cells.sums == brute_force(values, cell)).all()


@pytest.mark.parametrize("dtype", [bool, "uint8", "int32", "float32"])
def test_small_types_do_not_overflow(dtype):
    cells = CellSums(40, 40, 40, 1)
    cells.add(0, 0, np.full((1, 40, 40), 200).astype(dtype))
    assert cells.sums.item() == (1600 if dtype is bool else 320_000)


def test_float_sums_hardly_depend_on_the_cut():
    values = np.random.default_rng(1).random((1, 64, 64)).astype(np.float32)
    whole, cut = CellSums(64, 64, 20, 1), CellSums(64, 64, 20, 1)
    whole.add(0, 0, values)
    for row in range(64):
        cut.add(row, 0, values[:, row : row + 1])
    assert cut.sums == pytest.approx(whole.sums, rel=1e-12)


def test_mean_where_any():
    found = mean_where_any(np.array([[6.0, 0.0]]), np.array([[4.0, 0.0]]))
    assert found.dtype == np.float32
    assert found[0, 0] == 1.5
    assert np.isnan(found[0, 1])
