"""Where a scene is sampled: windows spread over it, or over what has data of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geosim.raster.grid import Window, sample_windows, strips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.raster.scene import Pair, Scene

_SIDE = 256
"""Side of a sample window in pixels: large enough for phase correlation."""

_COUNT = 24
"""Sample windows: 1.6 million pixels, spread evenly."""

_FEWEST = 200_000
"""Valid pixels that windows over the whole scene must hold; else those with data are
sought, since a corner of one window is no sample."""

_MOST = 4 * _COUNT
"""Windows that are taken where each holds few valid pixels."""

_ACROSS = 16 * _SIDE
"""Columns that are read at a time to find data, of as many rows as a window has."""


def valid_pairs(scene: Scene) -> list[Pair]:
    """Sample windows of a scene that hold anything valid; empty where nothing is.

    They are spread over the whole scene, as read. Where these hold fewer than 200,000
    valid pixels and are not the whole scene, four times as many are; where these do
    too, the scene is read through once, and windows are spread over what has data, each
    cut to it.

    Raises:
        RasterReadError: a file is damaged.
    """
    for count in (_COUNT, _MOST):
        windows = sample_windows(scene.grid, _SIDE, count)
        found = list(read_valid(scene, windows))
        held = sum(int(pair.valid.sum()) for pair in found)
        whole = sum(window.width * window.height for window in windows)
        if held >= _FEWEST or whole >= scene.grid.width * scene.grid.height:
            return found
    counts = _valid_counts(scene)
    cells = [
        Window(int(col) * _SIDE, int(row) * _SIDE, _SIDE, _SIDE)
        for row, col in spread_cells(counts, _FEWEST, _COUNT, _MOST)
    ]
    return [_trimmed(pair) for pair in read_valid(scene, cells)]


def read_valid(scene: Scene, windows: list[Window]) -> Iterator[Pair]:
    """Read windows; those without any valid pixel are left out."""
    for window in windows:
        pair = scene.read_around(window, window)
        if pair is not None:
            yield pair


def _valid_counts(scene: Scene) -> NDArray[np.int64]:
    """(rows, cols) valid pixels of each cell of 256 px of the scene."""
    grid = scene.grid
    counts = np.zeros((-(-grid.height // _SIDE), -(-grid.width // _SIDE)), np.int64)
    for strip in strips(grid, _SIDE):
        for start in range(0, grid.width, _ACROSS):
            part = Window(start, strip.row_off, _ACROSS, strip.height)
            part = part.clipped(grid.width, grid.height)
            for pair in read_valid(scene, [part]):
                per_column = pair.valid.sum(axis=0)
                sums = np.add.reduceat(per_column, range(0, part.width, _SIDE))
                first = start // _SIDE
                counts[strip.row_off // _SIDE, first : first + len(sums)] = sums
    return counts


def spread_cells(
    counts: NDArray[np.int64], wanted: int, fewest: int, most: int
) -> list[tuple[int, int]]:
    """Cells spread evenly over what is counted in them.

    A systematic sample with chances by size (Madow 1949, Annals of Mathematical
    Statistics 20), along a curve on which neighbours stay close (Morton 1966), so that
    it is spread in both directions.

    Args:
        counts: (rows, cols) of each cell.
        wanted: sum of the counts of the cells that are chosen; so many are taken.
        fewest: cells that are taken anyway, where as many have a count.
        most: cells that are not exceeded.

    Returns:
        (row, column) of each, in row order.
    """
    rows, cols = np.nonzero(counts)
    order = np.argsort(_along_curve(rows, cols), kind="stable")
    rows, cols = rows[order], cols[order]
    held = counts[rows, cols]
    sums, number = np.cumsum(held), fewest
    while True:
        if number >= len(rows):
            chosen = np.arange(min(len(rows), most))
        else:
            places = (np.arange(number) + 0.5) * sums[-1] / number
            chosen = np.unique(np.searchsorted(sums, places, side="right"))
        if number >= most or len(chosen) == len(rows) or held[chosen].sum() >= wanted:
            return sorted(
                zip(rows[chosen].tolist(), cols[chosen].tolist(), strict=True)
            )
        number = min(2 * number, most)


def _along_curve(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.int64]:
    """Morton's key of cells: the bits of row and column by turns."""
    keys = np.zeros(len(rows), np.int64)
    for bit in range(24):
        keys |= ((cols >> bit) & 1) << (2 * bit)
        keys |= ((rows >> bit) & 1) << (2 * bit + 1)
    return keys


def _trimmed(pair: Pair) -> Pair:
    """The pair cut to the rows and columns that hold anything valid."""
    rows, cols = (np.flatnonzero(pair.valid.any(axis=axis)) for axis in (1, 0))
    part = (
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(cols[0]), int(cols[-1]) + 1),
    )
    window = Window(
        pair.window.col_off + part[1].start,
        pair.window.row_off + part[0].start,
        part[1].stop - part[1].start,
        part[0].stop - part[0].start,
    )
    return replace(
        pair,
        before=pair.before[:, *part].copy(),
        after=pair.after[:, *part].copy(),
        valid=pair.valid[part].copy(),
        window=window,
    )
