"""What is fitted on a sample of all dates, before the first block is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.raster.grid import sample_windows
from geosim.timeline.calibration import Calibration, fit_calibration
from geosim.timeline.edges import within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.timeline.pairs import PairMaps
    from geosim.timeline.stack import Stack

_SAMPLE_SIDE, _SAMPLES = 256, 16
_ENOUGH = 1000
"""Pixels that a calibration needs."""


def calibrate(
    stack: Stack, maps: Mapping[tuple[int, int], PairMaps], reach: float
) -> Calibration | None:
    """Fit the light of the dates on a sample of what did not change.

    None where too little is valid on all dates.
    """
    stable: list[NDArray[np.float32]] = []
    whole: list[NDArray[np.float32]] = []
    for window in sample_windows(stack.grid, _SAMPLE_SIDE, _SAMPLES):
        values, valid = stack.read(window)
        seen = valid.all(axis=0)
        changed = np.zeros(seen.shape, np.bool_)
        for one in maps.values():
            changed |= one.changed(window)
        whole.append(values[:, :, seen])
        stable.append(values[:, :, seen & ~within(changed, reach)])
    for found in (stable, whole):
        values = np.concatenate(found, axis=2)
        if values.shape[2] >= _ENOUGH:
            return fit_calibration(values)
    return None


def samples_of(stack: Stack) -> list[NDArray[np.float32]]:
    """(roles, n) file values of each date from all over the scene."""
    found: list[list[NDArray[np.float32]]] = [[] for _ in stack.sources]
    for window in sample_windows(stack.grid, _SAMPLE_SIDE, _SAMPLES):
        values, valid = stack.read(window)
        for date, pieces in enumerate(found):
            pieces.append(stack.role_bands(values[date], date)[:, valid[date]])
    return [np.concatenate(pieces, axis=1) for pieces in found]
