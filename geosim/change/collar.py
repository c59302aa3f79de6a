"""Areas of one colour at the edge of a picture: what a scanner or a warp fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LEAST_OF_EDGE = 0.03
"""Share of the edge that a colour has, or it fills no area that matters."""

_ALIKE = 1.0
"""Levels of 255 that means of one value may differ by: each is a rounded sum."""

_FLOAT_FILLS = (0.0, -9999.0, -32768.0, -32767.0)
"""What programs fill in where numbers have no end of their own."""


def plain_edges(
    counts: NDArray[np.integer], sums: NDArray[np.integer], least: float
) -> Iterator[NDArray[np.bool_]]:
    """Cells of one colour that lie together at the edge, the most frequent first.

    Args:
        counts: (height, width) valid pixels of each cell.
        sums: (bands, height, width) of their values as 0..255.
        least: share of all valid pixels that such an area has at least.

    Yields:
        (height, width), True where a cell is of that area. Beside what has no data is
        at the edge too.
    """
    known = counts > 0
    inner = ndimage.binary_erosion(known)
    rows, cols = np.nonzero(known & ~inner)
    if not len(rows):
        return
    means = sums[:, rows, cols] / counts[rows, cols]
    colours, found = np.unique(np.rint(means), axis=1, return_counts=True)
    for place in np.argsort(found)[::-1]:
        if found[place] < _LEAST_OF_EDGE * len(rows):
            return
        alike = known.copy()
        for band, level in zip(sums, colours[:, place], strict=True):
            alike &= np.abs(band - level * counts) <= _ALIKE * counts
        area = _at_edge(alike, known)
        if counts[area].sum() >= least * counts.sum():
            yield area


def _at_edge(alike: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells that reach the edge through others of them, or through no data."""
    labels, _ = ndimage.label(alike | ~known)
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    touching = np.unique(np.concatenate(sides))
    reached: NDArray[np.bool_] = np.isin(labels, touching[touching > 0]) & alike
    return reached


def is_fill(value: float, dtype: str) -> bool:
    """Whether a value is one that stands for no data: 0 or an end of its type."""
    kind = np.dtype(dtype)
    if kind.kind in "ui":
        limits = np.iinfo(kind)
        ends = {0.0, float(limits.min), float(limits.max)}
        return value in (ends | set(_FLOAT_FILLS) if kind.kind == "i" else ends)
    return value in _FLOAT_FILLS or abs(value) >= float(np.finfo(np.float32).max)
