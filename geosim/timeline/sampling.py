"""What is fitted on a sample of all dates, before the first block is decided."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geosim.raster.grid import blocks, sample_windows
from geosim.timeline.calibration import Calibration, fit_calibration
from geosim.timeline.edges import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from geosim.raster.grid import Window
    from geosim.timeline.pairs import PairMaps
    from geosim.timeline.stack import Stack

    _Values = NDArray[np.float32]

_SAMPLE_SIDE = 256
_SAMPLES = 16, 64, 256
"""Windows that are looked at; more where the first ones show too little."""

_WANTED = 20_000
"""Pixels that are looked for in more windows: a corner of one is no sample."""

_ENOUGH = 1000
"""Pixels that a calibration needs at least."""

_BYTES = 48
"""Memory of a fit for each date, band and pixel, what is collected for it included."""

_ROOM = 100e6
"""Bytes of a fit: little beside any `--memory`, on which no answer is to depend."""


def calibrate(
    stack: Stack, maps: Mapping[tuple[int, int], PairMaps], reach: float
) -> Calibration | None:
    """Fit the light of the dates on a sample of what did not change.

    None where too little is valid on all dates.

    Args:
        stack: all dates.
        maps: what the comparisons of two dates each found.
        reach: pixels around what changed that do not count as unchanged.
    """

    def take(known: Mapping[tuple[int, int], PairMaps], count: int) -> _Values:
        windows = _unchanged(stack, known, reach, count)
        pieces = [values[:, :, counted] for values, counted in windows]
        return np.concatenate(pieces, axis=2)

    for known in (maps, {}):
        found = _with_enough(partial(take, known))
        if found.shape[2] >= _ENOUGH:
            return fit_calibration(found)
    return None


def _with_enough(take: Callable[[int], _Values]) -> _Values:
    """What is taken, (..., n), from as few windows as show enough; else from most."""
    for count in _SAMPLES:
        found = take(count)
        if found.shape[-1] >= _WANTED:
            break
    return found


def _unchanged(
    stack: Stack, maps: Mapping[tuple[int, int], PairMaps], reach: float, count: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """(t, bands, height, width) of windows and (height, width), which pixels count."""
    windows = sample_windows(stack.grid, _SAMPLE_SIDE, count)
    most = _most(len(stack.sources) * len(stack.bands), len(windows))
    for window in windows:
        values, valid = stack.read(window)
        seen = valid.all(axis=0)
        changed = np.zeros(seen.shape, np.bool_)
        for one in maps.values():
            changed |= one.changed(window)
        yield values, thinned(seen & ~within(changed, reach), most)


def _most(layers: int, windows: int) -> int:
    """Pixels of a window that a sample of so many layers takes at most."""
    return max(int(_ROOM / (_BYTES * layers * windows)), _ENOUGH)


def thinned(mask: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """At most so many pixels of a mask, spread evenly over its rows."""
    there = np.flatnonzero(mask)
    if len(there) <= most:
        return mask
    kept = np.zeros(mask.size, np.bool_)
    kept[there[np.linspace(0, len(there) - 1, most).astype(np.intp)]] = True
    return kept.reshape(mask.shape)


def samples_of(stack: Stack) -> list[NDArray[np.float32]]:
    """(roles, n) file values of each date from all over the scene."""
    return [_sample_of(stack, date) for date in range(len(stack.sources))]


def _sample_of(stack: Stack, date: int) -> _Values:
    """(roles, n) file values of one date; where it shows any, of some at least."""

    def valid_in(window: Window, most: int) -> _Values:
        values, valid = stack.read_date(date, window)
        return stack.role_bands(values, date)[:, thinned(valid, most)]

    def take(count: int) -> _Values:
        windows = sample_windows(stack.grid, _SAMPLE_SIDE, count)
        most = _most(len(stack.sources) * len(stack.bands), len(windows))
        return np.concatenate([valid_in(window, most) for window in windows], axis=1)

    found = _with_enough(take)
    if found.shape[1]:
        return found
    everywhere = (valid_in(one, _WANTED) for one in blocks(stack.grid, _SAMPLE_SIDE))
    return next((values for values in everywhere if values.size), found)
