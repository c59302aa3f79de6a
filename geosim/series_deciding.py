"""Where and when a pixel changed, by all dates of a series together; block by block.

Each comparison of two dates finds where something changed, but smooths: edges are blunt
and a change near a date can be seen in two intervals. Around what they found, each
pixel's own values on all dates say in which interval its state changed and, at half of
the change's height, where it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from geosim.raster.grid import Grid, Window, blocks, sample_windows
from geosim.siamese.architecture import smoothing_sigma
from geosim.themes.classes import CHANGED_CLASS, CLASSES
from geosim.timeline.calibration import Calibration, fit_calibration
from geosim.timeline.edges import MARGIN, at_least_half, within
from geosim.timeline.steps import fit_steps, previous_valid, returned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from geosim.raster.writer import WorkRaster
    from geosim.series_pairs import PairMaps
    from geosim.series_stack import Stack

RETURNS = 0x80
"""Added to a class's code where the change is taken back later."""

CODES = {slug: number for number, slug in enumerate(CLASSES, start=1)}
"""Code of each class in the working raster; 0 is no change."""

Classify = "Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.uint8]]"

_SAMPLE_SIDE, _SAMPLES = 256, 16
_ENOUGH = 1000
"""Pixels that a calibration needs."""
_CLASS_SIGMA = 1.5
"""Surroundings in pixels that settle a pixel's class."""
_BYTES = 60
"""Measured bytes per date, band and pixel of a block."""


@dataclass(frozen=True, kw_only=True)
class Decider:
    """What decides a block."""

    stack: Stack
    maps: Mapping[tuple[int, int], PairMaps]
    calibration: Calibration
    classify: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.uint8]]
    reach: float
    """Pixels around what a comparison found in which a change may lie."""
    together: bool

    def block(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Codes and previous dates of a block, each (t - 1, height, width).

        Returns:
            The class's code of the change that came by each date but the first, 0 for
            none; the number, from 1, of the last valid date before it, 0 where either is
            without data.
        """
        grid = self.stack.grid
        margin = MARGIN + math.ceil(self.reach) if self.together else 0
        outer = window.grown(margin).clipped(grid.width, grid.height)
        inside = (slice(None), *window.slices_in(outer))
        values, valid = self.stack.read(outer)
        before = previous_valid(valid)
        since = np.where(valid, before + 1, 0)[1:].astype(np.uint8)
        candidates = self._candidates(outer, before, valid)
        codes = np.zeros(candidates.shape, np.uint8)
        if candidates.any():
            self._decide(codes, values, valid, candidates)
        return codes[1:][inside], since[inside]

    def _candidates(
        self, window: Window, before: NDArray[np.int16], valid: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(t, height, width), True where a comparison saw a change that ends there."""
        found = np.zeros(valid.shape, np.bool_)
        for (first, last), maps in self.maps.items():
            here = valid[last] & (before[last] == first)
            if here.any():
                changed = maps.changed(window)
                near = within(changed, self.reach) if self.together else changed
                found[last] |= near & here
        return found

    def _decide(
        self,
        codes: NDArray[np.uint8],
        values: NDArray[np.float32],
        valid: NDArray[np.bool_],
        candidates: NDArray[np.bool_],
    ) -> None:
        """Fill in the codes of a block."""
        some = candidates.any(axis=0)
        pixels = self.calibration.apply(values[:, :, some])
        starts, states = candidates[:, some], pixels
        if self.together:
            steps = fit_steps(
                pixels, valid[:, some], candidates[:, some], self.calibration.price
            )
            starts, states = steps.starts, steps.states
            starts = self._halved(starts, states, some)
        back = returned(states, pixels, valid[:, some], starts)
        for date in range(1, len(codes)):
            begun = starts[date]
            if not begun.any():
                continue
            old, new = states[date - 1], states[date]
            if not self.together:
                old = _last_valid(states, valid[:, some], date)
            kinds = np.zeros(begun.shape, np.uint8)
            kinds[begun] = self.classify(
                self.calibration.to_values(old[:, begun]),
                self.calibration.to_values(new[:, begun]),
            )
            codes[date][some] = kinds
            settle(codes[date])
            codes[date][some] += back[date].astype(np.uint8) * np.uint8(RETURNS)

    @staticmethod
    def _halved(
        starts: NDArray[np.bool_],
        states: NDArray[np.float32],
        some: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """The starts that are at least half as high as those around."""
        kept = np.zeros(starts.shape, np.bool_)
        bands = states.shape[1]
        for date in range(1, len(starts)):
            if not starts[date].any():
                continue
            change = np.zeros((bands, *some.shape), np.float32)
            change[:, some] = (states[date] - states[date - 1]) * starts[date]
            begun = np.zeros(some.shape, np.bool_)
            begun[some] = starts[date]
            kept[date] = at_least_half(change, begun)[some]
        return kept


def _last_valid(
    states: NDArray[np.float32], valid: NDArray[np.bool_], date: int
) -> NDArray[np.float32]:
    """(bands, n) of the last valid date before one."""
    before = np.maximum(previous_valid(valid)[date], 0)
    return states[before, :, np.arange(states.shape[2])].T


def settle(codes: NDArray[np.uint8]) -> None:
    """Give each changed pixel the class that prevails around it, in place."""
    kinds = [code for code in np.unique(codes) if code]
    if len(kinds) < 2:  # noqa: PLR2004 - nothing to settle
        return
    share = np.stack(
        [gaussian_filter((codes == code).astype(np.float32), _CLASS_SIGMA)
         for code in kinds]
    )  # fmt: skip
    prevailing = np.array(kinds, np.uint8)[share.argmax(axis=0)]
    codes[codes > 0] = prevailing[codes > 0]


def unclassified(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Codes of changes whose class cannot be told, (n,)."""
    del before
    return np.full(after.shape[1], CODES[CHANGED_CLASS], np.uint8)


def reach_of(grid: Grid) -> float:
    """How far from what a comparison found a change may lie: what smoothing can hide."""
    return 3.0 * smoothing_sigma(grid.ground_resolution())


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


def block_side(memory: int, layers: int) -> int:
    """Side in pixels of a block of so many layers, margins included in the memory."""
    side = math.sqrt(memory * 1e6 / 4 / (_BYTES * layers))
    return int(min(max(side, 128), 1024)) // 16 * 16


def decide_all(
    decider: Decider,
    codes: WorkRaster,
    since: WorkRaster,
    side: int,
    tick: Callable[[float], None],
) -> None:
    """Decide every block and write it."""
    for window in blocks(decider.stack.grid, side):
        kinds, before = decider.block(window)
        for band, (kind, one) in enumerate(zip(kinds, before, strict=True), start=1):
            codes.write(kind, window, band)
            since.write(one, window, band)
        tick(window.width * window.height)
