"""What a reader of a result should know, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.change.scores import UNIT_LEVELS

if TYPE_CHECKING:
    from geosim.delivery import Found


def notes_on(found: Found) -> tuple[str, ...]:
    """What a reader should know, one sentence each."""
    notes = []
    grid, shift = found.scene.grid, found.sample.shift
    if grid.crs is None:
        notes.append(
            "The images have no coordinate reference system: areas are in pixels."
        )
    decision = found.decision
    if decision.changed_px == 0 and found.options.threshold == "auto":
        largest = float(np.flatnonzero(decision.histogram).max()) / UNIT_LEVELS
        notes.append(
            f"Nothing was decided to have changed: the probability is at most "
            f"{largest:.2f}, the threshold {decision.threshold.value:.2f}; a number or "
            "otsu as --threshold shows the most different places all the same."
        )
    if shift is None:
        notes.append("The shift between the dates could not be measured.")
    elif not shift.reliable:
        notes.append(
            "The shift between the dates is uncertain: sample windows do not agree."
        )
    elif not found.sample.corrected and max(abs(shift.d_row), abs(shift.d_col)) > 1:
        notes.append(
            "The dates lie more than a pixel apart; --coregister takes the shift out."
        )
    if found.options.coregister and not found.sample.corrected:
        notes.append("The shift was not corrected, because it is not certain.")
    return tuple(notes)
