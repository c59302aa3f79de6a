"""Sums over square cells of a grid, gathered from windows: tiles and previews.

Windows may cut cells; what each window adds is summed, so the result does not depend
on how the grid was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class CellSums:
    """Running sums of layers over cells of `cell` x `cell` pixels."""

    def __init__(
        self,
        width: int,
        height: int,
        cell: int,
        layers: int,
        dtype: type[np.generic] = np.float64,
    ) -> None:
        """Start at zero for a grid of width x height pixels."""
        self.cell = cell
        self.sums = np.zeros((layers, -(-height // cell), -(-width // cell)), dtype)
        """(layers, cell rows, cell columns)."""

    def add(
        self, row_off: int, col_off: int, layers: Iterable[NDArray[np.generic]]
    ) -> None:
        """Add a window's values, see `part`."""
        self.add_part(row_off, col_off, self.part(row_off, col_off, layers))

    def part(
        self,
        row_off: int,
        col_off: int,
        layers: Iterable[NDArray[np.generic]],
        kind: type[np.generic] = np.float64,
    ) -> NDArray[Any]:
        """What a window adds to the cells that it touches.

        Args:
            row_off: the window's first row on the grid.
            col_off: the window's first column.
            layers: each (height, width), all of one shape; any number type.

            kind: type that the sums of a window are taken in.

        Returns:
            (layers, cell rows touched, cell columns touched) of that type.
        """
        if self.cell == 1:
            return np.stack([values.astype(kind) for values in layers])
        sums = []
        for values in layers:
            row_starts = _starts(row_off, values.shape[0], self.cell)
            col_starts = _starts(col_off, values.shape[1], self.cell)
            # rows first: whole rows are added at once, and few are left
            rows = sums_from(values, row_starts, axis=0, kind=kind)
            sums.append(np.add.reduceat(rows, col_starts, axis=1))
        return np.stack(sums)

    def add_part(self, row_off: int, col_off: int, part: NDArray[Any]) -> None:
        """Add what `part` found for a window that begins there."""
        first_row, first_col = row_off // self.cell, col_off // self.cell
        _, rows, cols = part.shape
        place = (slice(first_row, first_row + rows), slice(first_col, first_col + cols))
        self.sums[:, *place] += part


def sums_from(
    values: NDArray[Any],
    starts: NDArray[np.int64],
    axis: int,
    kind: type[np.generic] | None = None,
) -> NDArray[Any]:
    """Sums from each start to the next: `np.add.reduceat`, faster where these are few.

    Args:
        values: any array of numbers.
        starts: rising places on the axis, the first one 0.
        axis: which axis; not the last one, or it is no faster.
        kind: type of the sums; None: that of the values.
    """
    parts = np.split(values, starts[1:], axis=axis)
    return np.stack([part.sum(axis=axis, dtype=kind) for part in parts], axis=axis)


def _starts(offset: int, length: int, cell: int) -> NDArray[np.int64]:
    """Where cells start within a window."""
    first = offset // cell
    edges = np.arange(first, (offset + length - 1) // cell + 1) * cell - offset
    return np.maximum(edges, 0)


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
