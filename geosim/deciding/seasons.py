"""What only the season changed, taken out of the probability in the second pass.

Both dates are read once more, in cells, where something may have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosim.raster.grid import Window
from geosim.siamese.smoothing import smoothing_spread
from geosim.themes.cover import NEEDED
from geosim.themes.season import (
    CALM,
    SEASON_METRES,
    SEASON_REACH,
    rim_reach,
    season_share,
    without_season,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.raster.scene import Scene
    from geosim.scoring.scorer import Scorer
    from geosim.themes.tones import Tones

_CELL = 2048
"""Columns that are read at a time, of a strip's rows."""


@dataclass(frozen=True, kw_only=True)
class Seasons:
    """What tells season from change in a scene."""

    scene: Scene
    tones: tuple[Tones, Tones]
    sigma: float
    """Standard deviation in pixels of the Gaussian that stands for the score's
    smoothing."""

    def taken_out(
        self, window: Window, probability: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Probability of change that is not season.

        Args:
            window: a strip.
            probability: (rows, width) 0..1; 0 where not valid.
        """
        found = probability.copy()
        for start in range(0, window.width, _CELL):
            cols = slice(start, min(start + _CELL, window.width))
            if (probability[:, cols] > CALM).any():
                part = Window(
                    window.col_off + start,
                    window.row_off,
                    cols.stop - start,
                    window.height,
                )
                found[:, cols] = without_season(probability[:, cols], self._share(part))
        return found

    def _share(self, part: Window) -> NDArray[np.float32]:
        """(height, width) of a cell: how surely it is season."""
        grid, roles = self.scene.grid, self.scene.roles
        reach = SEASON_REACH + rim_reach(self.sigma)
        outer = part.grown(reach).clipped(grid.width, grid.height)
        *dates, known = self.scene.read_roles(outer, reach)
        before, after = (
            dict(zip(roles, tones.apply(values), strict=True))
            for values, tones in zip(dates, self.tones, strict=True)
        )
        share = season_share(before, after, self.tones, self.sigma)
        # what stands in a gap of the infrared tells no season
        share *= known
        return share[part.slices_in(outer)]


def fit_seasons(
    scene: Scene,
    scorer: Scorer,
    options: ChangeOptions,
    tones: tuple[Tones, Tones] | None,
) -> Seasons | None:
    """What tells season in a scene; None where nothing does, or where it is kept.

    Args:
        scene: the open pair.
        scorer: methods without a network are references and stay as they are published;
            weights trained on labels know themselves what counts.
        options: `season`.
        tones: how numbers become reflectances; None where that is not known.
    """
    metres = scene.grid.ground_resolution()
    least, most = SEASON_METRES
    told = tones is not None and set(scene.roles) >= NEEDED
    sized = metres is not None and least <= metres <= most
    if options.season == "keep" or not (scorer.untaught and told and sized):
        return None
    assert tones is not None  # noqa: S101 - as `told` says
    return Seasons(scene=scene, tones=tones, sigma=smoothing_spread(metres))
