"""Calibrated similarity, difference maps and their colours, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import textured

from geosim.images import drawing
from geosim.images.alignment import align
from geosim.images.comparison import at_one_resolution, compare_pixels, relit, score
from geosim.images.models import LevelMaps, open_model
from geosim.images.reference import reference_pictures, treated
from geosim.images.similarity import (
    CALIBRATIONS,
    Calibration,
    calibration_of,
    difference_map,
    measure,
    similarity,
)
from geosim.siamese.embedding import embedding_fingerprint
from geosim.siamese.shipped import WEIGHTS
from geosim.siamese.weights import load_weights

EVEN = Calibration(unrelated=0.2, same=0.8, levels=(0.5, 0.5, 0.5))


def test_the_curve_goes_through_its_points():
    assert similarity(1.0, EVEN) == 1.0
    top = 1 / (1 + np.exp(-np.log(19) / 0.3 * 0.5))
    assert similarity(0.8, EVEN) == pytest.approx(0.95 / top)
    assert similarity(0.5, EVEN) == pytest.approx(0.5 / top)
    assert similarity(0.2, EVEN) == pytest.approx(0.05 / top)
    assert similarity(-1.0, EVEN) < 1e-5


@given(
    st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.9, 0.99), st.floats(-0.9, 0.999)
)
def test_more_alike_is_never_less_similar(one, two, unrelated, same):
    calibration = Calibration(unrelated=unrelated, same=same, levels=(1, 1, 1))
    low, high = sorted([similarity(x, calibration) for x in sorted([one, two])])
    assert 0 <= low <= high <= 1
    assert similarity(min(one, two), calibration) == low


def test_known_weights_have_their_calibration():
    shipped = {embedding_fingerprint(load_weights(name)) for name in WEIGHTS}
    assert shipped | {"ssim"} == set(CALIBRATIONS)
    assert open_model("siamese", threads=2).fingerprint in CALIBRATIONS
    for calibration in CALIBRATIONS.values():
        assert -1 < calibration.unrelated < calibration.same < 1
        assert min(calibration.levels) > 0.1


def test_reference_pictures_are_always_the_same_and_all_different():
    pictures = reference_pictures()
    again = reference_pictures()
    assert len(pictures) == 12
    for one, other in zip(pictures, again, strict=True):
        assert one.shape == (3, 256, 256)
        assert one.dtype == np.float32
        assert 0 <= one.min() < one.max() <= 1
        assert np.array_equal(one, other)
    assert treated(pictures[0]).shape == pictures[0].shape


def test_unknown_weights_are_measured():
    model = open_model("ssim")
    found = measure(model)
    assert -0.5 < found.unrelated < 0.6
    assert 0.7 < found.same <= 1
    model.fingerprint = "of nobody"
    assert calibration_of(model) == found


def test_only_what_all_levels_see_is_a_difference():
    zero, one = np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)
    assert np.all(difference_map(LevelMaps(low=one, mid=one, high=zero), EVEN) == 0)
    assert np.all(difference_map(LevelMaps(low=one, mid=one, high=one), EVEN) == 1)
    eighth = LevelMaps(low=one / 16, mid=one / 16, high=one / 16)
    assert difference_map(eighth, EVEN) == pytest.approx(0.125, abs=1e-5)


def test_light_is_taken_over_but_no_more_than_light():
    valid = np.ones((96, 128), bool)
    picture = 0.25 + 0.5 * textured(1)
    darker = (0.8 * picture + 0.05).astype(np.float32)
    assert np.allclose(relit(darker, picture, valid), picture, atol=1e-5)
    black, white = np.zeros_like(picture), np.ones_like(picture)
    assert relit(black, white, valid).max() == pytest.approx(0.2)


def test_a_copy_at_half_the_size_is_as_coarse_as_it():
    fine = textured(2, 200, 240)
    rng = np.random.default_rng(0)
    fine = np.clip(fine + rng.normal(0, 0.1, fine.shape), 0, 1).astype(np.float32)
    pair = align(fine, np.ascontiguousarray(fine[:, ::2, ::2]), "resize")
    coarse = at_one_resolution(pair)
    assert coarse.first.shape == fine.shape
    assert np.diff(coarse.first).std() < 0.6 * np.diff(fine).std()
    same = align(fine, fine, "resize")
    assert at_one_resolution(same) is same


def test_scores_of_the_same_and_of_others():
    model = open_model("siamese", threads=2)
    known = calibration_of(model)
    first, other = textured(3, 128, 128), textured(4, 128, 128)[::-1]
    same = score(model, known, align(first, first, "none"))
    assert same.similarity == pytest.approx(1, abs=1e-4)
    assert (same.cosine, same.ssim) == pytest.approx((1, 1), abs=1e-5)
    assert same.euclidean == pytest.approx(0, abs=2e-3)
    found = score(model, known, align(first, other.copy(), "none"))
    assert found.euclidean == pytest.approx(np.sqrt(2 - 2 * found.cosine), abs=1e-4)
    assert found.similarity < same.similarity
    assert found.ssim < 0.9


def test_what_only_one_picture_shows_is_not_compared():
    model = open_model("ssim")
    first = textured(5, 240, 300)
    pair = align(first, first[:, 40:200, 60:260], "register")
    found = compare_pixels(model, calibration_of(model), pair)
    assert np.array_equal(np.isnan(found.combined), ~pair.valid)
    assert np.nanmax(found.combined) < 0.3
    assert drawing.heatmap(found.combined)[0, 0].tolist() == [150, 150, 150]


def test_blue_is_the_same_and_red_is_different():
    values = np.array([[0, 0.55, 1, np.nan]], np.float32)
    blue, yellow, red, grey = drawing.heatmap(values)[0].astype(int)
    assert blue[2] > 100 > blue[0]
    assert min(yellow[:2]) > 200 > yellow[2] + 80
    assert red[0] > 150 > max(red[1:]) + 100
    assert len(set(grey)) == 1


def test_overlay_is_grey_where_nothing_differs():
    picture = textured(6)
    difference = np.zeros((96, 128), np.float32)
    difference[20:40, 30:60] = 1
    found = drawing.overlay(picture, difference).astype(int)
    assert np.ptp(found[60:], axis=-1).max() == 0
    assert (found[25:35, 35:55, 0] - found[25:35, 35:55, 2]).min() > 60


def test_sheet_has_room_for_all():
    panels = [
        (
            f"a picture with quite a long name, number {i}" * 3,
            drawing.heatmap(np.full((40, 20), i / 4, np.float32)),
        )
        for i in range(5)
    ]
    found = drawing.sheet(panels, ["one line", "another"])
    assert found.shape[2] == 3
    assert found.shape[0] > 2 * 440
    for colour in (drawing.HEAT[0][1], drawing.HEAT[-1][1]):
        assert (found == colour).all(axis=-1).sum() > 1000
