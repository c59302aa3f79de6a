"""Smoothing with nodata, levels on disk, histograms that add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_LEVELS,
    SCORE_NODATA,
    UNIT_NODATA,
    ScoreScale,
    score_histogram,
    smooth,
    smoothing_reach,
    unit_levels,
)


def noise(seed, shape=(40, 50)):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_smoothing_is_gaussian_in_the_interior():
    score = noise(1)
    found = smooth(score, np.ones(score.shape, bool), 2.0)
    reach = smoothing_reach(2.0)
    inner = np.s_[reach:-reach, reach:-reach]
    wanted = ndimage.gaussian_filter(score.astype(float), 2.0)
    assert found[inner] == pytest.approx(wanted[inner], abs=1e-5)
    assert found.dtype == np.float32


def test_smoothing_by_hand():
    # the mean of the valid pixels, each weighed by exp(-d^2 / 2 sigma^2)
    score = np.array([[1.0, 100.0, 3.0, 5.0]], np.float32)
    valid = np.array([[True, False, True, True]])
    weight = np.exp(-np.array([0.0, 4.0, 9.0]) / 2)
    wanted = (weight * [1, 3, 5]).sum() / weight.sum()
    assert smooth(score, valid, 1.0)[0, 0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("sigma", [0.7, 1.5, 4.0])
def test_a_constant_stays_constant_beside_nodata(sigma):
    valid = noise(2) > 0.6
    score = np.where(valid, 0.37, 50.0).astype(np.float32)
    found = smooth(score, valid, sigma)
    assert found[valid] == pytest.approx(0.37, abs=1e-5)
    assert np.isfinite(found).all()


def test_without_sigma_nothing_happens():
    score = noise(3)
    assert (smooth(score, score > 0.5, 0.0) == score).all()


def test_what_is_far_does_not_matter():
    score = noise(4)
    valid = np.ones(score.shape, bool)
    reach = smoothing_reach(1.5)
    cut = smooth(score[:, 20 - reach : 30 + reach], valid[:, : 10 + 2 * reach], 1.5)
    whole = smooth(score, valid, 1.5)
    assert cut[:, reach:-reach] == pytest.approx(whole[:, 20:30], abs=1e-6)


# levels


def test_unit_levels_by_hand():
    values = np.array([0.0, 0.5, 1.0, -1.0, 2.0, 0.3, 1 / 254], np.float32)
    valid = np.array([True, True, True, True, True, False, True])
    found = unit_levels(values, valid)
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 127, 254, 0, 254, 255, 1]


def test_unit_levels_come_back():
    levels = np.arange(256, dtype=np.uint8)
    values = levels / np.float32(254)
    assert (unit_levels(values, levels != UNIT_NODATA) == levels).all()


@given(st.floats(0, 1, width=32))
def test_values_are_held_to_half_a_level(value):
    held = unit_levels(np.array([value], np.float32), np.array([True]))[0] / 254
    assert abs(held - value) <= 0.5 / 254 + 1e-6


@pytest.mark.parametrize("largest", [1.0, 2.75, 100.0])
def test_score_levels_come_back(largest):
    scale = ScoreScale(largest=largest)
    values = scale.values()
    assert values.shape == (SCORE_LEVELS + 1,)
    found = scale.levels(values.astype(np.float32), np.ones(values.shape, bool))
    assert (np.abs(found.astype(int) - np.arange(SCORE_LEVELS + 1)) <= 0).all()


def test_score_levels_by_hand():
    scale = ScoreScale(largest=2.0)
    score = np.array([0.0, 1.0, 2.0, 5.0, -1.0, 1.0], np.float32)
    valid = np.array([True] * 5 + [False])
    assert scale.levels(score, valid).tolist() == [
        0,
        32767,
        65534,
        65534,
        0,
        SCORE_NODATA,
    ]


# histograms


def test_histogram_by_hand():
    levels = np.array([[0, 15, 16, 65534, SCORE_NODATA]], np.uint16)
    counts = score_histogram(levels)
    assert counts.shape == (HISTOGRAM_BINS,)
    assert counts.sum() == 4
    # 65,535 levels in 4,096 bins: the first bins hold 16 levels each
    assert counts[[0, 1, -1]].tolist() == [2, 1, 1]


def test_bins_are_even():
    counts = score_histogram(np.arange(SCORE_NODATA, dtype=np.uint16))
    assert counts.min() == 15
    assert counts.max() == 16


def test_bin_centres_are_the_mean_of_their_scores():
    scale = ScoreScale(largest=3.0)
    levels = np.arange(SCORE_NODATA, dtype=np.uint16)
    place = levels.astype(int) * HISTOGRAM_BINS // SCORE_NODATA
    means = np.bincount(place, scale.values()) / np.bincount(place)
    assert scale.bin_centres() == pytest.approx(means, abs=2 * 3.0 / SCORE_LEVELS)


@given(st.integers(1, 40), st.integers(0, 100))
def test_histograms_of_blocks_add_up(size, seed):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 65536, (37, 23)).astype(np.uint16)
    total = np.zeros(HISTOGRAM_BINS, np.int64)
    for row in range(0, 37, size):
        for col in range(0, 23, size):
            total += score_histogram(levels[row : row + size, col : col + size])
    assert (total == score_histogram(levels)).all()
