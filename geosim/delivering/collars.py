"""Notes on areas at the edge that look like no data and are not declared as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.collar import is_fill, plain_edges
from geosim.raster.grid import Window
from geosim.raster.nodata import nodata_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.delivering.delivery import Found

_LEAST_SHARE = 0.01
"""Of the compared area; what is smaller is left to who looks at the map."""

_LOOKS, _FIRST_LOOKS = 64, 8
"""Places of an area that are read; after the first few it is clear enough."""

_MOST_ALIKE, _FIRST_ALIKE = 0.7, 0.5
"""Share of these places, and of the first few, that hold the one value. JPEG spoils the
rim of what a program filled in."""


@dataclass(frozen=True, kw_only=True)
class _Collar:
    share: float
    value: float


def notes_on_collars(found: Found) -> tuple[str, ...]:
    """What fills the edge of either date with one value, and how to leave it out."""
    sums = found.scan.preview.sums
    before, after = (
        _collar(found, sums[0], sums[first : first + 3], date)
        for date, first in enumerate((1, 4))
    )
    if before and after and before.value == after.value:
        share = max(before.share, after.share)
        return (_note("both dates", share, before.value, [before.value]),)
    notes = []
    values = [one.value if one else None for one in (before, after)]
    for name, one in (("before", before), ("after", after)):
        if one is not None:
            notes.append(_note(name, one.share, one.value, values))
    return tuple(notes)


def _note(where: str, share: float, value: float, values: list[float | None]) -> str:
    return (
        f"{100 * share:.0f} % of the area hold nothing but {value:g} in {where}, from "
        "the edge on, and were compared like any other place; if that is no data, "
        f"--nodata={nodata_text(values)} leaves it out."
    )


def _collar(
    found: Found,
    counts: NDArray[np.integer],
    sums: NDArray[np.integer],
    date: int,
) -> _Collar | None:
    """The first area of one value; the previews tell where, the file what."""
    dtype = (found.scene.before, found.scene.after)[date].dtype
    for area in plain_edges(counts, sums, _LEAST_SHARE):
        value, alike = _one_value(found, area, date)
        if alike >= _MOST_ALIKE and is_fill(value, dtype):
            share = alike * float(counts[area].sum() / counts.sum())
            return _Collar(share=share, value=value)
    return None


def _one_value(found: Found, area: NDArray[np.bool_], date: int) -> tuple[float, float]:
    """The value of all bands in most places of an area, and the share of these."""
    cell = found.scan.preview.cell
    rows, cols = np.nonzero(area)
    mixed = np.random.default_rng(0).permutation(len(rows))[:_LOOKS]
    values: list[float | None] = []
    for number in mixed:
        values.append(
            _value_in(found, int(rows[number]), int(cols[number]), cell, date)
        )
        if len(values) == _FIRST_LOOKS and _most_frequent(values)[1] < _FIRST_ALIKE:
            break
    return _most_frequent(values)


def _value_in(found: Found, row: int, col: int, cell: int, date: int) -> float | None:
    """The only value of a cell; None where it has several."""
    pair = found.scene.read(Window(col * cell, row * cell, cell, cell))
    pixels = (pair.before, pair.after)[date][:, pair.valid]
    if not pixels.size or np.ptp(pixels) > 0:
        return None
    return float(pixels.flat[0])


def _most_frequent(values: list[float | None]) -> tuple[float, float]:
    """The most frequent value and its share; of what is None, none."""
    known = [value for value in values if value is not None]
    if not known:
        return 0.0, 0.0
    each, count = np.unique(known, return_counts=True)
    often = int(count.argmax())
    return float(each[often]), float(count[often] / len(values))
