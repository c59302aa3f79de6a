"""What a method says of a pair, as levels that can be measured against labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.assessment.measuring import Answer
from geosim.change.scores import UNIT_LEVELS, UNIT_NODATA
from geosim.raster.grid import Window
from geosim.scoring.methods import METHODS
from geosim.scoring.opening import open_pair
from geosim.scoring.sampling import take_sample
from geosim.scoring.scanning import read_block
from geosim.scoring.scorer import block_score
from geosim.siamese.architecture import STRIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.result import ChangeResult


def answer_of(result: ChangeResult) -> Answer:
    """A finished result: its probability as the score, and its decision."""
    chance = unit_of(result.read("difference")["change"])
    return Answer(
        levels=chance.astype(np.uint16),
        decided=result.read("change")["change"] == 1,
        valid=chance != UNIT_NODATA,
        probability=chance,
    )


def score_levels(before: str, after: str, options: ChangeOptions) -> NDArray[np.uint16]:
    """The score that a run only keeps until it has decided, in 16 bits.

    The probability has 8 bits and tells fewer pixels apart.

    Args:
        before: name of date 1.
        after: name of date 2.
        options: of the run, whose method needs no network.

    Returns:
        (height, width) of the common grid; 65535 where not valid.
    """
    with open_pair(before, after, options) as scene:
        sample = take_sample(scene, options)
        resolution = scene.grid.ground_resolution()
        scorer = METHODS[options.method](sample, options, resolution)
        whole = Window(0, 0, scene.grid.width, scene.grid.height)
        outer = whole.grown(scorer.margin, STRIDE)
        block = read_block(scene, sample.radiometry, whole, outer)
        score = block_score(scorer, block.before, block.after, block.valid)
        return scorer.scale.levels(score[block.inner], block.valid[block.inner])


def unit_of(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values 0..1, NaN where not valid, as the 8-bit levels they were read from."""
    levels = np.rint(np.nan_to_num(values) * UNIT_LEVELS).astype(np.uint8)
    levels[np.isnan(values)] = UNIT_NODATA
    return levels
