"""Methods: what their scores are made of."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from geosim.errors import OptionError
from geosim.options import ChangeOptions
from geosim.raster.radiometry import fit
from geosim.sampling import Sample
from geosim.scoring import METHODS, block_size
from geosim.siamese.architecture import DEEP_FROM_METRES, DEEP_GAIN

RNG = np.random.default_rng(8)


def sample(bands=3):
    pixels = RNG.integers(0, 255, (2, bands, 500)).astype(np.float32)
    fitted = fit(pixels[0], pixels[1], dtype="uint8")
    return Sample(
        before=pixels[0],
        after=pixels[1],
        radiometry=fitted,
        shift=None,
        corrected=False,
    )


@pytest.fixture(scope="module")
def pair():
    noise = RNG.random((2, 3, 64, 64))
    return gaussian_filter(noise, (0, 0, 1, 1)).astype(np.float32)


def test_fine_and_unknown_pixels_use_the_sum_alone(pair):
    valid = np.ones((64, 64), bool)
    scores = [
        METHODS["siamese"](sample(), ChangeOptions(), resolution)
        .score(pair[0], pair[1], valid)
        .score
        for resolution in (None, 0.1, DEEP_FROM_METRES - 1)
    ]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] == scores[2]).all()


def test_from_coarse_pixels_on_the_deep_level_can_raise_the_score(pair):
    valid = np.ones((64, 64), bool)
    fine, coarse = (
        METHODS["siamese"](sample(), ChangeOptions(), resolution).score(
            pair[0], pair[1], valid
        )
        for resolution in (None, DEEP_FROM_METRES)
    )
    share = gaussian_filter(np.ones((64, 64)), 5, mode="constant")
    deep = gaussian_filter(fine.bands["high"], 5, mode="constant") / share
    wanted = np.maximum(fine.score, DEEP_GAIN * deep)
    assert coarse.score == pytest.approx(wanted, abs=1e-3)
    assert (coarse.score >= fine.score).all()


def test_two_bands_are_not_for_the_network():
    with pytest.raises(OptionError, match="three bands"):
        METHODS["siamese"](sample(2), ChangeOptions(), None)


def test_more_memory_never_makes_smaller_blocks():
    scorer = METHODS["cva"](sample(), ChangeOptions(), None)
    sizes = [block_size(scorer, ChangeOptions(memory=mb)) for mb in (500, 1000, 9000)]
    assert sizes == sorted(sizes)
    assert all(size % 16 == 0 for size in sizes)
    assert block_size(scorer, ChangeOptions(block_size=512)) == 512
