"""Areas of land covers as classified: on each date, and where dates are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.themes.classes import COVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Covered:
    """Areas by land cover, m2; pixels without a CRS."""

    dates: list[dict[str, float]]
    """Of all that a date shows, by date."""
    pairs: dict[tuple[int, int], dict[str, float]]
    """On the first of two dates (numbers from 0), of what is compared between them."""
    first: dict[str, float]
    """Of all that is compared at all, on the first date that shows it."""


class CoverSums:
    """Adds them up block by block."""

    def __init__(self, dates: int) -> None:
        self._count = len(COVERS) + 1
        self._dates = np.zeros((dates, self._count))
        # by the later date and, from 1, the date before
        self._pairs = np.zeros((dates, dates + 1, self._count))
        self._first = np.zeros(self._count)

    def add(
        self,
        covers: NDArray[np.uint8],
        since: NDArray[np.uint8],
        areas: NDArray[np.float64],
    ) -> None:
        """Add a block.

        Args:
            covers: (t, height, width) number of the cover on each date, from 1; 0 not
                known.
            since: (t - 1, height, width) number, from 1, of the last valid date before
                each but the first; 0 where either has no data.
            areas: of its pixels, to be broadcast to (height, width).
        """
        weight = np.broadcast_to(areas, covers.shape[1:])
        for date, numbers in enumerate(covers):
            self._dates[date] += self._summed(numbers, weight, 1)[0]
        seen = np.zeros(covers.shape[1:], np.bool_)
        for date, before in enumerate(since, start=1):
            place = np.maximum(before, 1).astype(np.intp)[None] - 1
            then = np.take_along_axis(covers, place, axis=0)[0]
            keys = before.astype(np.intp) * self._count + then
            self._pairs[date] += self._summed(keys, weight, len(covers) + 1)
            new = (before > 0) & ~seen
            self._first += self._summed(then[new], weight[new], 1)[0]
            seen |= new

    def _summed(
        self, keys: NDArray[np.integer], weight: NDArray[np.float64], rows: int
    ) -> NDArray[np.float64]:
        """(rows, covers) sums of the weights by key."""
        size = rows * self._count
        sums: NDArray[np.float64] = np.bincount(
            keys.ravel(), weight.ravel(), size
        ).astype(np.float64)
        return sums.reshape(rows, self._count)

    def covered(self) -> Covered:
        """All that was added."""
        return Covered(
            dates=[_named(one) for one in self._dates],
            pairs={
                (before, after): _named(self._pairs[after, before + 1])
                for after in range(len(self._pairs))
                for before in range(after)
                if self._pairs[after, before + 1].any()
            },
            first=_named(self._first),
        )


def _named(sums: NDArray[np.float64]) -> dict[str, float]:
    """Sums by cover, without what is not known."""
    return dict(zip(COVERS, sums[1:].tolist(), strict=True))
