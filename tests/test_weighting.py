"""Weights of the score's terms: what tells little in a scene counts little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosim.siamese.architecture import TERM_WEIGHTS, TERMS
from geosim.siamese.weighting import (
    DAMPED_TERMS,
    DAMPING,
    SATURATION,
    TERM_CONTRAST,
    log_distance,
    scene_weights,
)

CALM = dict.fromkeys(DAMPED_TERMS, 0.0)
LOW, COLOUR = TERMS.index("relu1_2"), TERMS.index("colour")
medians = st.floats(0.0, SATURATION)


def test_log_distance():
    assert log_distance([0.0, 0.1, 1.0, -1e-7]) == pytest.approx(
        [0.0, np.log(2.0), np.log(11.0), 0.0]
    )


def test_calm_scene_keeps_the_row():
    found = scene_weights(TERM_WEIGHTS[0], CALM)
    assert found.dtype == np.float32
    assert found / found.sum() == pytest.approx(np.array(TERM_WEIGHTS[0]), abs=1e-6)


def test_half_a_range_leaves_a_64th():
    noisy = CALM | {"relu1_2": SATURATION / 2}
    found, calm = (scene_weights((0.4, 0.2, 0.2, 0.2), m) for m in (noisy, CALM))
    assert found[LOW] / found[1] == pytest.approx(2 / 2 ** DAMPING[0])
    assert calm[LOW] / calm[1] == pytest.approx(2)
    assert found[COLOUR] / found[1] == pytest.approx(1)


def test_coarse_pixels_keep_their_weights():
    noisy = dict.fromkeys(DAMPED_TERMS, SATURATION / 2)
    found = scene_weights(TERM_WEIGHTS[1], noisy, row=1)
    assert found / found.sum() == pytest.approx(np.array(TERM_WEIGHTS[1]), abs=1e-6)


def test_saturated_terms_do_not_count():
    found = scene_weights(TERM_WEIGHTS[0], dict.fromkeys(DAMPED_TERMS, SATURATION * 2))
    assert found[[LOW, COLOUR]].tolist() == [0.0, 0.0]
    assert (found[1:3] > 0).all()


@pytest.mark.parametrize(("bands", "factor"), [(1, 1), (3, 1), (4, 64 / 27), (6, 8)])
def test_bands_beyond_the_network_are_in_the_colour(bands, factor):
    found = scene_weights((0.25, 0.25, 0.25, 0.25), CALM, bands=bands)
    assert found[COLOUR] / found[LOW] == pytest.approx(factor)


@given(medians, medians)
def test_any_scene_has_the_same_contrast(low, colour):
    found = scene_weights(TERM_WEIGHTS[0], {"relu1_2": low, "colour": colour})
    typical = np.array(TERM_CONTRAST) / np.mean(TERM_CONTRAST)
    assert found @ typical == pytest.approx(1.0, abs=1e-5)
    assert (found >= 0).all()
