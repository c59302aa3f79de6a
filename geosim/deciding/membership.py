"""Where an object lies, told from the probability once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.deciding.probabilities import changed_where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.change.objects import Objects
    from geosim.change.threshold import Threshold
    from geosim.raster.grid import Window
    from geosim.raster.writer import WorkRaster


class Membership:
    """Tells where an object is, by rows that are kept until others are asked for."""

    def __init__(
        self,
        strips: Sequence[Window],
        layers: WorkRaster,
        objects: Objects,
        threshold: Threshold,
    ) -> None:
        """Nothing is read yet.

        Args:
            strips: in which the objects were found, from the top.
            layers: holds the probability levels in its first band.
            objects: the objects.
            threshold: where probability became change.
        """
        self._strips, self._layers = strips, layers
        self._objects, self._threshold = objects, threshold
        self._held: tuple[int, int, int] | None = None
        self._rows = np.zeros((0, 0), np.bool_)

    def of(self, number: int, window: Window) -> NDArray[np.bool_]:
        """(height, width), True in the object of a number, from 1."""
        asked = number, window.row_off, window.row_end
        if asked != self._held:
            self._rows, self._held = self._read(number, window), asked
        return self._rows[:, window.col_off : window.col_end]

    def _read(self, number: int, window: Window) -> NDArray[np.bool_]:
        """The window's rows, from side to side."""
        found = np.zeros((window.height, self._strips[0].width), np.bool_)
        for place, strip in enumerate(self._strips):
            first = max(strip.row_off, window.row_off)
            end = min(strip.row_end, window.row_end)
            if first >= end:
                continue
            changed = changed_where(self._layers.read(strip, 1), self._threshold)
            own = self._objects.numbers(place, changed) == number
            rows = slice(first - window.row_off, end - window.row_off)
            found[rows] = own[first - strip.row_off : end - strip.row_off]
        return found
