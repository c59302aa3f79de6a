"""From scores to 8-bit levels of probability, and from these to what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_LEVELS,
    SCORE_NODATA,
    UNIT_LEVELS,
    UNIT_NODATA,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.change.threshold import Threshold
    from geosim.deciding.seasons import Seasons
    from geosim.raster.grid import Window


@dataclass(frozen=True, kw_only=True)
class LevelMaps:
    """From scores to 8-bit levels of probability."""

    levels: NDArray[np.uint8]
    """(65536,) of each score."""
    chances: NDArray[np.float32]
    """(65536,) the same, 0..1."""
    threshold: Threshold
    seasons: Seasons | None

    def read(
        self, window: Window, scores: NDArray[np.uint16]
    ) -> tuple[NDArray[np.uint8], int]:
        """Levels of a strip; how many of its pixels season kept from changing."""
        levels = self.levels[scores]
        if self.seasons is None:
            return levels, 0
        left = self.seasons.taken_out(window, self.chances[scores])
        calmer = np.rint(left * UNIT_LEVELS).astype(np.uint8)
        calmer[levels == UNIT_NODATA] = UNIT_NODATA
        changed = changed_where(levels, self.threshold)
        return calmer, int((changed & ~changed_where(calmer, self.threshold)).sum())


def level_maps(
    probability: NDArray[np.float64], threshold: Threshold, seasons: Seasons | None
) -> LevelMaps:
    """The tables, of the probability (65535,) by score."""
    if threshold.split is not None:
        probability = _parted(probability, threshold.level, threshold.split)
    return LevelMaps(
        levels=_probability_levels(probability),
        chances=np.append(probability, 0.0).astype(np.float32),
        threshold=threshold,
        seasons=seasons,
    )


def _parted(
    probability: NDArray[np.float64], level: int, split: int
) -> NDArray[np.float64]:
    """Probabilities whose 8-bit levels reach a level where the scores reach a bin."""
    scores = np.arange(len(probability))
    above = scores * HISTOGRAM_BINS // (SCORE_LEVELS + 1) >= split
    reached, missed = level / UNIT_LEVELS, (level - 0.51) / UNIT_LEVELS
    parted: NDArray[np.float64] = np.where(
        above, np.maximum(probability, reached), np.minimum(probability, missed)
    )
    return parted


def changed_where(levels: NDArray[np.uint8], threshold: Threshold) -> NDArray[np.bool_]:
    """True where the probability reaches the threshold."""
    changed: NDArray[np.bool_] = (levels >= threshold.level) & (levels != UNIT_NODATA)
    return changed


def _probability_levels(probability: NDArray[np.float64]) -> NDArray[np.uint8]:
    """8-bit probability of each 16-bit score level, shape (65536,)."""
    levels = np.full(SCORE_NODATA + 1, UNIT_NODATA, np.uint8)
    levels[: SCORE_LEVELS + 1] = np.rint(probability * UNIT_LEVELS)
    return levels
