"""Sums over square cells of a grid, gathered from windows: tiles and previews.

Windows may cut cells; what each window adds is summed, so the result does not depend
on how the grid was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class CellSums:
    """Running sums of layers over cells of `cell` x `cell` pixels."""

    def __init__(self, width: int, height: int, cell: int, layers: int) -> None:
        """Start at zero for a grid of width x height pixels."""
        self.cell = cell
        self.sums = np.zeros((layers, -(-height // cell), -(-width // cell)))
        """(layers, cell rows, cell columns) float64."""

    def add(
        self, row_off: int, col_off: int, layers: Iterable[NDArray[np.generic]]
    ) -> None:
        """Add a window's values, layer by layer: one at a time is in memory as float64.

        Args:
            row_off: the window's first row on the grid.
            col_off: the window's first column.
            layers: each (height, width), all of one shape; any number type.
        """
        for total, values in zip(self.sums, layers, strict=True):
            row_starts, first_row = _starts(row_off, values.shape[0], self.cell)
            col_starts, first_col = _starts(col_off, values.shape[1], self.cell)
            sums = np.add.reduceat(values, col_starts, axis=1, dtype=np.float64)
            sums = np.add.reduceat(sums, row_starts, axis=0)
            rows = slice(first_row, first_row + sums.shape[0])
            cols = slice(first_col, first_col + sums.shape[1])
            total[rows, cols] += sums


def _starts(offset: int, length: int, cell: int) -> tuple[NDArray[np.int64], int]:
    """Where cells start within a window, and the index of the first cell."""
    first = offset // cell
    edges = np.arange(first, (offset + length - 1) // cell + 1) * cell - offset
    return np.maximum(edges, 0), first


def mean_where_any(
    sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float32]:
    """`sums / counts` as float32, NaN where nothing was counted.

    Args:
        sums: (..., height, width).
        counts: (height, width).
    """
    mean = np.full(sums.shape, np.nan, np.float32)
    np.divide(sums, counts, out=mean, where=counts > 0, casting="same_kind")
    return mean
