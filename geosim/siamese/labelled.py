"""Labelled pairs for training: what they are and which are held out.

Pure functions of arrays; reading files is done by whoever calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WHOLE_FROM = 12
"""From this number of pairs on whole pairs are held out."""


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """Two dates of one place and what changed between them."""

    name: str
    """What its files are called."""
    before: NDArray[np.float16]
    """(3, H, W) in 0..1: date 1, as the main job feeds it to the network."""
    after: NDArray[np.float16]
    """(3, H, W): date 2, matched to date 1."""
    changed: NDArray[np.bool_]
    """(H, W): True where the label says changed."""
    valid: NDArray[np.bool_]
    """(H, W): True where both dates have data and the label an answer."""
    metres: float | None = None
    """Size of a pixel on the ground; None where unknown."""
    places: NDArray[np.int64] = field(init=False, repr=False)
    """Positions of the changed valid pixels in the flattened image."""

    def __post_init__(self) -> None:
        """Find the changed pixels once."""
        found = np.flatnonzero(self.changed & self.valid)
        object.__setattr__(self, "places", found)


def hold_out(
    pairs: Sequence[LabelledPair], fraction: float
) -> tuple[list[LabelledPair], list[LabelledPair]]:
    """Split pairs into places to learn from and places to stop by.

    Of few pairs each gives one of its four ends, so that both parts know every scene: a
    threshold found on one scene alone says little about the others. Of 12 or more whole
    pairs are held out, evenly spread over the order of how much changed.

    Args:
        pairs: All pairs.
        fraction: Share to hold out, 0..1; at least one pair is, and one is not.

    Returns:
        (to learn from, held out).
    """
    if len(pairs) < WHOLE_FROM:
        parts = [_cut_in_two(pair, fraction) for pair in pairs]
        return [first for first, _ in parts], [second for _, second in parts]
    count = min(max(round(fraction * len(pairs)), 1), len(pairs) - 1)
    order = sorted(pairs, key=lambda pair: (pair.changed.mean(), pair.name))
    step = len(pairs) / count
    chosen = {order[int((place + 0.5) * step)].name for place in range(count)}
    return (
        [pair for pair in pairs if pair.name not in chosen],
        [pair for pair in pairs if pair.name in chosen],
    )


def _cut_in_two(
    pair: LabelledPair, fraction: float
) -> tuple[LabelledPair, LabelledPair]:
    """Cut off the end of a pair that holds about its share of area and of change."""
    best: tuple[float, int, bool, int] | None = None
    for axis, side in enumerate(pair.valid.shape):
        along = pair.changed.sum(axis=1 - axis)
        for at_end in (True, False):
            held = np.cumsum(along[::-1] if at_end else along)
            total = max(int(held[-1]), 1)
            cells = int(np.searchsorted(held, fraction * total)) + 1
            least, most = (
                round(side * fraction / 2),
                round(side * min(2 * fraction, 0.6)),
            )
            cells = min(max(cells, least, 1), most, side - 1)
            missed = abs(held[cells - 1] / total - fraction) + abs(
                cells / side - fraction
            )
            if best is None or missed < best[0]:
                best = (missed, axis, at_end, side - cells if at_end else cells)
    assert best is not None  # noqa: S101 - there are four ends
    _, axis, at_end, at = best
    low, high = slice(None, at), slice(at, None)
    name = (("upper", "lower"), ("left", "right"))[axis][at_end]
    whole = slice(None)
    cut = [(part, whole) if axis == 0 else (whole, part) for part in (low, high)]
    rest, end = cut if at_end else reversed(cut)
    return _part(pair, rest, "rest"), _part(pair, end, f"{name} end")


def _part(pair: LabelledPair, cut: tuple[slice, slice], name: str) -> LabelledPair:
    return LabelledPair(
        name=f"{pair.name} ({name})",
        before=pair.before[:, *cut],
        after=pair.after[:, *cut],
        changed=pair.changed[cut],
        valid=pair.valid[cut],
        metres=pair.metres,
    )
