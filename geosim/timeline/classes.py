"""What a change of a series is: land cover of the states before and after it.

Covers are soft memberships of each date; those of a state are their mean over all dates
that it lasted, so that one season or one haze decides less than in a comparison of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.deciding.classifying import CONFIDENCE_LEVELS
from geosim.themes import colour
from geosim.themes.classes import CHANGED_CLASS, CLASSES, COVERS
from geosim.themes.cover import channels_with_banks
from geosim.themes.land_cover import is_spectral, land_cover
from geosim.themes.roles import is_sensor
from geosim.themes.tones import Tones, fit_display, fit_tones
from geosim.themes.transitions import pair_classes
from geosim.windows import box_sum, filtered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.timeline.stack import Stack

_COUNT = len(COVERS)
UNKNOWN = _COUNT**2 + 1
"""Code of a change whose class cannot be told; others are 1 + 7 times the number of the
cover before + that of the cover after."""
_AROUND = 2
"""Pixels on each side of the surroundings that a pixel's covers are averaged over."""
_STAYED_WEIGHT = 0.5
"""Weight of pairs of equal covers: the state did change."""


@dataclass(frozen=True, kw_only=True)
class Covering:
    """How values become land covers."""

    tones: tuple[Tones, ...]
    """Of each date."""
    roles: tuple[str, ...]
    of_pair: NDArray[np.intp]
    """(49,) place in `CLASSES` of each pair of covers."""

    metres: float | None
    """Size of a pixel on the ground."""

    def covers(self, values: NDArray[np.float32], date: int) -> NDArray[np.float32]:
        """Memberships (7, height, width) of a date's role bands, file values."""
        return land_cover(values, self.roles, self.tones[date], self.metres)

    def codes(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        begun: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Code and confidence (0..254) of each change, (n,) in the order of `begun`.

        Args:
            before: (7, height, width) memberships of the states before.
            after: of the states after; where nothing changed, as `before`.
            begun: (height, width), True where something changed.
        """
        share = np.maximum(_around(begun, begun), np.float32(1e-6))
        old, new = (
            np.stack([_around(one * begun, begun) for one in covers]) / share
            for covers in channels_with_banks(before, after)
        )
        pairs = (old[:, None] * new[None]).reshape(_COUNT**2, -1)
        member = self.of_pair[:, None] == np.arange(len(CLASSES))
        weight = member.T.astype(np.float32) @ pairs
        ranked = weight.copy()
        ranked[list(CLASSES).index("other")] *= _STAYED_WEIGHT
        best = ranked.argmax(axis=0)
        pair = np.where(member[:, best], pairs, -1.0).argmax(axis=0)
        sure = weight[best, np.arange(len(best))]
        trust = 1.0 if is_spectral(self.roles) else colour.TRUST
        levels = np.rint(np.clip(sure * trust, 0, 1) * CONFIDENCE_LEVELS)
        return (pair + 1).astype(np.uint8), levels.astype(np.uint8)


def _around(values: NDArray[Any], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Sum over the surroundings of each wanted pixel, (n,)."""
    sums = filtered(values, _AROUND, lambda part: box_sum(part, _AROUND), wanted)
    return sums[wanted]


def fit_covering(
    stack: Stack, samples: Sequence[NDArray[np.float32]], options: ChangeOptions
) -> Covering | None:
    """How values become land covers; None where the bands do not tell.

    Args:
        stack: the scenes.
        samples: (roles, n) file values of each date.
        options: whose `bands` may name a sensor and whose `theme` orders classes.
    """
    known, wanted = set(stack.roles), options.bands
    spectral = is_spectral(stack.roles)
    if not (spectral or known >= colour.NEEDED) or not all(s.size for s in samples):
        return None
    sensor = wanted.strip().lower() if wanted and is_sensor(wanted) else None
    tones = tuple(
        fit_tones(
            sample, stack.roles, dtype=source.dtype, scaling=scaling, sensor=sensor
        )
        if spectral
        else fit_display(sample, source.dtype)
        for sample, source, scaling in zip(
            samples, stack.sources, stack.scalings, strict=True
        )
    )
    return Covering(
        tones=tones,
        roles=stack.roles,
        of_pair=pair_classes(options.theme),
        metres=stack.grid.ground_resolution(),
    )


def slugs_of_codes(theme: str) -> list[str]:
    """Class of each code, code 0 first ("")."""
    names = list(CLASSES)
    return ["", *(names[place] for place in pair_classes(theme)), CHANGED_CLASS]


def covers_of_code(code: int) -> tuple[str | None, str | None]:
    """Land covers before and after; None where they are not known."""
    if code == UNKNOWN:
        return None, None
    before, after = divmod(code - 1, _COUNT)
    names = list(COVERS)
    return names[before], names[after]


def state_means(
    covers: NDArray[np.float32],
    valid: NDArray[np.bool_],
    starts: NDArray[np.bool_],
    date: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Memberships (7, n) of the states before and after a date.

    Args:
        covers: (t, 7, n) of each date.
        valid: (t, n).
        starts: (t, n), True where a state begins.
        date: number of the date by which the change came.
    """
    state = np.cumsum(starts, axis=0)
    means = []
    for place in (date - 1, date):
        weight = (valid & (state == state[place])).astype(np.float32)
        total = np.einsum("tcn,tn->cn", covers, weight)
        means.append(total / np.maximum(weight.sum(axis=0), 1e-6))
    return means[0].astype(np.float32), means[1].astype(np.float32)
