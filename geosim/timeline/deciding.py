"""Where and when a pixel changed, by all dates of a series together; block by block.

Each comparison of two dates finds where something changed, but smooths: edges are blunt
and a change near a date can be seen in two intervals. Around what they found, each
pixel's own values on all dates say in which interval its state changed and, at half of
the change's height, where it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.raster.gaps import without_gaps
from geosim.siamese.smoothing import smoothing_spread
from geosim.themes.classes import COVERS
from geosim.themes.cover import COVER_REACH
from geosim.timeline.classes import UNKNOWN, state_means
from geosim.timeline.edges import MARGIN, at_least_half, small_holes, within
from geosim.timeline.steps import fit_steps, lasting, previous_valid, returned
from geosim.windows import box_sum, filtered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window
    from geosim.timeline.calibration import Calibration
    from geosim.timeline.classes import Covering
    from geosim.timeline.pairs import PairMaps
    from geosim.timeline.stack import Stack

RETURNS = 0x80
"""Added to a class's code where the change is taken back later."""

_HIGH = 4.0
"""Squared height, over the price of a state, of a step that needs no further date:
twice as high as what the noise would pass."""
_FURTHER = 2
"""Reach around what is likely, in reaches around what is sure."""


@dataclass(frozen=True, kw_only=True)
class BlockDecision:
    """What was decided of a block, each (t - 1, height, width), by the later date."""

    codes: NDArray[np.uint8]
    """Code of the change that came by a date (see `geosim.timeline.classes`), 0 for
    none; `RETURNS` is added where it is taken back later."""
    sure: NDArray[np.uint8]
    """How sure the class is, 0..254."""
    since: NDArray[np.uint8]
    """Number, from 1, of the last valid date before; 0 where either has no data."""
    last: NDArray[np.uint8]
    """(height, width) number, from 0, of the last valid date; 0 where none is."""
    covers: NDArray[np.uint8]
    """(t, height, width) number of the cover on each date, from 1; 0 not known."""


@dataclass(frozen=True, kw_only=True)
class Decider:
    """What decides a block."""

    stack: Stack
    maps: Mapping[tuple[int, int], PairMaps]
    calibration: Calibration
    covering: Covering | None
    """Tells land covers; None where the bands do not."""
    reach: float
    """Pixels around what a comparison found in which a change may lie."""
    together: bool
    reading: Lock = field(default_factory=Lock, compare=False)
    """Held while files are read, which only one thread at a time may do."""

    def block(self, window: Window) -> BlockDecision:
        """Decide a block."""
        grid = self.stack.grid
        margin = MARGIN + math.ceil(_FURTHER * self.reach)
        outer = window.grown(margin).clipped(grid.width, grid.height)
        rows, cols = window.slices_in(outer)
        values, valid = self.values(outer)
        before = previous_valid(valid)
        since = np.where(valid, before + 1, 0)[1:].astype(np.uint8)
        surely = self._candidates(outer, before, valid)
        candidates = surely
        if self.together:
            candidates = surely | self._candidates(outer, before, valid, likely=True)
        codes = np.zeros(candidates.shape, np.uint8)
        sure = np.zeros(candidates.shape, np.uint8)
        covers = self._covers(values)
        if candidates.any():
            self._decide(codes, sure, values, valid, candidates, surely, covers)
            # a hole that was filled may be one of a date before
            told = self._compared(before, valid)
            codes, sure = codes * told, sure * told
        return BlockDecision(
            codes=codes[1:, rows, cols],
            sure=sure[1:, rows, cols],
            since=since[:, rows, cols],
            last=_last_valid(valid)[rows, cols],
            covers=_cover_numbers(covers, valid)[:, rows, cols],
        )

    def values(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """As `Stack.read`, gaps filled by what lies close by, whatever the window."""
        grid = self.stack.grid
        outer = window.grown(COVER_REACH).clipped(grid.width, grid.height)
        with self.reading:
            values, valid = self.stack.read(outer)
        rows, cols = window.slices_in(outer)
        for one, seen in zip(values, valid, strict=True):
            if not seen.all():
                one[:] = without_gaps(one, seen, COVER_REACH)
        return values[:, :, rows, cols], valid[:, rows, cols]

    def _compared(
        self, before: NDArray[np.int16], valid: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(t, height, width), True where a date was compared with the last one before.

        Few pixels alone, such as specks of a cloud, are not compared.
        """
        found = np.zeros(valid.shape, np.bool_)
        for first, last in self.maps:
            found[last] |= valid[last] & (before[last] == first)
        return found

    def _candidates(
        self,
        window: Window,
        before: NDArray[np.int16],
        valid: NDArray[np.bool_],
        *,
        likely: bool = False,
    ) -> NDArray[np.bool_]:
        """(t, height, width), True where a comparison saw a change that ends there.

        With `likely` also what it holds for half as probable as a change must be.
        """
        found = np.zeros(valid.shape, np.bool_)
        for (first, last), maps in self.maps.items():
            here = valid[last] & (before[last] == first)
            if here.any():
                with self.reading:
                    changed = maps.likely(window) if likely else maps.changed(window)
                reach = self.reach * (_FURTHER if likely else 1)
                near = within(changed, reach) if self.together else changed
                found[last] |= near & here
        return found

    def _decide(
        self,
        codes: NDArray[np.uint8],
        sure: NDArray[np.uint8],
        values: NDArray[np.float32],
        valid: NDArray[np.bool_],
        candidates: NDArray[np.bool_],
        surely: NDArray[np.bool_],
        covers: NDArray[np.float32] | None,
    ) -> None:
        """Fill in the codes of a block."""
        some: NDArray[np.bool_] = np.asarray(candidates.any(axis=0))
        pixels = self.calibration.apply(values[:, :, some])
        seen = valid[:, some]
        begun = starts = candidates[:, some]
        states = pixels
        if self.together:
            steps = fit_steps(pixels, seen, starts, self.calibration.price)
            starts, states = steps.starts, steps.states
            plain = surely[:, some] | self._plain(starts, states, seen)
            begun = starts & plain
        else:
            states = _carried(pixels, seen)
        back = returned(states, pixels, seen, starts)
        for date in range(1, len(codes)):
            if not begun[date].any():
                continue
            mask = _spread(begun[date], some)
            if covers is not None:
                old, new = covers[date].copy(), covers[date].copy()
                old[:, some], new[:, some] = state_means(
                    covers[:, :, some], seen, starts, date
                )
            if self.together:
                kinds = self._kinds(old, new, mask)[0] if covers is not None else None
                change = states[date] - states[date - 1]
                mask = self._halved(_spread(change, some), mask, kinds)
                mask &= valid[date]
            if covers is None:
                codes[date][mask] = UNKNOWN
            else:
                codes[date], sure[date] = self._kinds(old, new, mask)
            returning = _spread(back[date], some) & mask
            codes[date] += returning.astype(np.uint8) * np.uint8(RETURNS)

    def _kinds(
        self,
        old: NDArray[np.float32],
        new: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Codes and confidences, each (height, width), 0 outside the mask."""
        assert self.covering is not None  # noqa: S101 - asked for then only
        kinds, sure = np.zeros(mask.shape, np.uint8), np.zeros(mask.shape, np.uint8)
        kinds[mask], sure[mask] = self.covering.codes(old, new, mask)
        return kinds, sure

    def _halved(
        self,
        change: NDArray[np.float32],
        begun: NDArray[np.bool_],
        kinds: NDArray[np.uint8] | None,
    ) -> NDArray[np.bool_]:
        """What is half as high as the changes of its class around; holes are filled."""
        place = None
        if kinds is not None and self.covering is not None:
            place = self.covering.of_pair[np.maximum(kinds, 1) - 1]
        half = at_least_half(change, begun, place)
        return half | small_holes(half)

    def _plain(
        self,
        starts: NDArray[np.bool_],
        states: NDArray[np.float32],
        seen: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """(t, n), True where a state begins that other dates make sure of.

        One that a further date shows too, or a last one that is high above the noise.
        """
        found = lasting(starts, seen)
        change = ((states[-1] - states[-2]) ** 2).sum(axis=0)
        found[-1] |= starts[-1] & (change >= _HIGH * self.calibration.price)
        return found

    def _covers(self, values: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """(t, 7, height, width) land covers of each date; None where not known."""
        if self.covering is None:
            return None
        found = np.empty((len(values), len(COVERS), *values.shape[2:]), np.float32)
        for date, one in enumerate(values):
            role_bands = self.stack.role_bands(one, date)
            found[date] = self.covering.covers(role_bands, date)
        return found


def _last_valid(valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(height, width) number, from 0, of the last valid date; 0 where none is."""
    found = np.zeros(valid.shape[1:], np.uint8)
    for date, seen in enumerate(valid):
        found[seen] = date
    return found


def _cover_numbers(
    covers: NDArray[np.float32] | None, valid: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """(t, height, width) number of the cover on each date, from 1; 0 not known."""
    found = np.zeros(valid.shape, np.uint8)
    if covers is None:
        return found
    for number, seen, cover in zip(found, valid, covers, strict=True):
        around = [filtered(one, 1, lambda part: box_sum(part, 1)) for one in cover]
        number[seen] = np.stack(around).argmax(axis=0)[seen] + 1
    return found


def _spread(values: Any, some: NDArray[np.bool_]) -> NDArray[Any]:  # noqa: ANN401
    """(..., n) values at their pixels of a block, (..., height, width), 0 elsewhere."""
    whole = np.zeros((*values.shape[:-1], *some.shape), values.dtype)
    whole[..., some] = values
    return whole


def _carried(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(t, bands, n) values in which a date without data shows the one before it."""
    carried = values.copy()
    for date in range(1, len(values)):
        missing = ~valid[date]
        carried[date][:, missing] = carried[date - 1][:, missing]
    return carried


def reach_of(grid: Grid) -> float:
    """How far from what a comparison found a change may lie, in pixels."""
    return 3.0 * smoothing_spread(grid.ground_resolution())
