"""Sums over square cells of a grid, gathered from windows: tiles and previews.

Windows may cut cells; what each window adds is summed, so the result does not depend
on how the grid was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CellSums:
    """Running sums of layers over cells of `cell` x `cell` pixels."""

    def __init__(self, width: int, height: int, cell: int, layers: int) -> None:
        """Start at zero for a grid of width x height pixels."""
        self.cell = cell
        self.sums = np.zeros((layers, -(-height // cell), -(-width // cell)))
        """(layers, cell rows, cell columns) float64."""

    def add(self, row_off: int, col_off: int, values: NDArray[np.generic]) -> None:
        """Add a window's values.

        Args:
            row_off: the window's first row on the grid.
            col_off: the window's first column.
            values: (layers, height, width); any number type.
        """
        row_starts, first_row = _starts(row_off, values.shape[1], self.cell)
        col_starts, first_col = _starts(col_off, values.shape[2], self.cell)
        wide = values.astype(np.float64, copy=False)
        sums = np.add.reduceat(wide, col_starts, axis=2)
        sums = np.add.reduceat(sums, row_starts, axis=1)
        rows = slice(first_row, first_row + sums.shape[1])
        cols = slice(first_col, first_col + sums.shape[2])
        self.sums[:, rows, cols] += sums


def _starts(offset: int, length: int, cell: int) -> tuple[NDArray[np.int64], int]:
    """Where cells start within a window, and the index of the first cell."""
    first = offset // cell
    edges = np.arange(first, (offset + length - 1) // cell + 1) * cell - offset
    return np.maximum(edges, 0), first


def mean_where_any(
    sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float32]:
    """`sums / counts` as float32, NaN where nothing was counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: NDArray[np.float32] = np.where(counts > 0, sums / counts, np.nan).astype(
            np.float32
        )
    return mean
