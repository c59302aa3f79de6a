"""Measures of accuracy against numbers worked by hand and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from geosim.change.accuracy import (
    average_precision,
    best_f1,
    block_counts,
    block_numbers,
    bootstrap_weights,
    expected_calibration_error,
    f1_curve,
    flagged_fraction,
    level_counts,
    percentile_interval,
    reliability_table,
    resample,
    roc_area,
)

LEVELS = 5
HAND = np.array([[4, 2, 0, 1], [0, 1, 1, 2]])
"""From the top: 2 of 3, 3 of 4, 4 of 7, 4 of 11 changed."""


@st.composite
def scored(draw):
    """Levels and a truth that has both kinds."""
    size = draw(st.integers(2, 60))
    levels = draw(arrays.arrays(np.uint8, size, elements=st.integers(0, LEVELS - 1)))
    changed = draw(arrays.arrays(np.bool_, size))
    changed[:2] = True, False
    return levels, changed


def test_level_counts():
    levels = np.array([[0, 2], [2, 1]], np.uint8)
    changed = np.array([[False, True], [False, True]])
    assert level_counts(levels, changed, 3).tolist() == [[1, 0, 1], [0, 1, 1]]


def test_average_precision_by_hand():
    by_hand = (2 * 2 / 3 + 1 * 3 / 4 + 1 * 4 / 7) / 4
    assert average_precision(HAND) == pytest.approx(by_hand)


def test_roc_area_by_hand():
    # of 4 x 7 pairs: the top two beat 6 and tie 1; then 6; then 4 and a tie of 2
    assert roc_area(HAND) == pytest.approx((2 * 6.5 + 6 + 5) / 28)


def test_f1_by_hand():
    assert f1_curve(HAND) == pytest.approx([8 / 15, 8 / 11, 6 / 8, 4 / 7])
    f1, level = best_f1(HAND)
    assert (float(f1), int(level)) == (0.75, 2)


def test_decision_by_hand():
    confusion = np.array([[90, 2], [5, 3]])
    assert f1_curve(confusion)[1] == pytest.approx(6 / 13)
    assert flagged_fraction(confusion) == pytest.approx(0.05)


def test_nothing_changed_has_no_precision():
    nothing = np.array([[3, 2], [0, 0]])
    assert np.isnan(average_precision(nothing))
    assert np.isnan(roc_area(nothing))
    assert np.isnan(best_f1(nothing)[0])
    assert flagged_fraction(nothing) == pytest.approx(0.4)


def test_calibration_by_hand():
    # 0.25 said of 8 pixels of which 1 changed, 0.75 of 4 of which 3 did, 1 of 1 of 0
    counts = np.array([[7, 1, 1], [1, 3, 0]])
    said = np.array([0.25, 0.75, 1.0])
    rows = reliability_table(counts, said, bins=2)
    assert [row.pixels for row in rows] == [8, 5]
    assert rows[0].predicted == 0.25
    assert rows[0].observed == 0.125
    assert rows[1].predicted == pytest.approx(4 / 5)
    assert rows[1].observed == pytest.approx(3 / 5)
    error = expected_calibration_error(counts, said, bins=2)
    assert error == pytest.approx((8 * 0.125 + 5 * 0.2) / 13)


@settings(max_examples=40)
@given(scored())
def test_agrees_with_scikit_learn(case):
    levels, changed = case
    counts = level_counts(levels, changed, LEVELS)
    assert average_precision(counts) == pytest.approx(
        average_precision_score(changed, levels)
    )
    assert roc_area(counts) == pytest.approx(roc_auc_score(changed, levels))
    for level in range(LEVELS):
        assert f1_curve(counts)[level] == pytest.approx(
            f1_score(changed, levels >= level)
        )


@given(scored())
def test_reliability_agrees_with_scikit_learn(case):
    levels, changed = case
    # no probability lies on the edge of a step, where conventions differ
    said = np.array([0.03, 0.12, 0.46, 0.48, 0.97])
    rows = reliability_table(level_counts(levels, changed, LEVELS), said)
    observed, predicted = calibration_curve(changed, said[levels], n_bins=10)
    assert [row.observed for row in rows] == pytest.approx(observed.tolist())
    assert [row.predicted for row in rows] == pytest.approx(predicted.tolist())
    assert sum(row.pixels for row in rows) == levels.size


@given(scored(), st.integers(0, LEVELS))
def test_levels_that_do_not_occur_change_nothing(case, place):
    counts = level_counts(*case, LEVELS)
    wider = np.insert(counts, place, 0, axis=1)
    assert average_precision(wider) == pytest.approx(average_precision(counts))
    assert roc_area(wider) == pytest.approx(roc_area(counts))
    assert best_f1(wider)[0] == pytest.approx(best_f1(counts)[0])


@given(scored())
def test_turned_over_scores_mirror_the_roc_area(case):
    counts = level_counts(*case, LEVELS)
    assert roc_area(counts[:, ::-1]) == pytest.approx(1 - roc_area(counts))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16))
def test_blocks_are_squares_and_add_up(height, width, side):
    rng = np.random.default_rng(0)
    levels = rng.integers(0, LEVELS, (height, width)).astype(np.uint8)
    changed = rng.random((height, width)) < 0.3
    blocks = block_numbers(height, width, side)
    assert len(np.unique(blocks)) == -(-height // side) * -(-width // side)
    assert (blocks[:side, :side] == blocks[0, 0]).all()
    assert np.bincount(blocks.ravel()).max() <= side * side
    counts = block_counts(levels, changed, blocks, LEVELS)
    assert (counts.sum(axis=0) == level_counts(levels, changed, LEVELS)).all()


def test_blocks_without_pixels_are_left_out():
    counts = block_counts(
        np.array([1, 0, 1], np.uint8),
        np.array([True, False, False]),
        np.array([2, 7, 7]),
        2,
    )
    assert counts.tolist() == [[[0, 0], [0, 1]], [[1, 1], [0, 0]]]


def test_many_at_once_are_as_one_by_one():
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 9, (6, 2, LEVELS))
    counts[4, 1] = 0
    said = np.linspace(0, 1, LEVELS)
    for function in (
        average_precision,
        roc_area,
        f1_curve,
        lambda part: best_f1(part)[0],
        lambda part: expected_calibration_error(part, said),
    ):
        alone = np.stack([function(part) for part in counts])
        np.testing.assert_allclose(function(counts), alone)


def test_bootstrap_draws_as_many_blocks_as_there_are():
    weights = bootstrap_weights(7, samples=50, seed=1)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == bootstrap_weights(7, samples=50, seed=1)).all()
    assert (weights != bootstrap_weights(7, samples=50, seed=2)).any()


def test_drawing_each_block_once_gives_the_whole():
    counts = np.random.default_rng(5).integers(0, 9, (4, 2, LEVELS))
    assert (resample(np.ones((1, 4)), counts)[0] == counts.sum(axis=0)).all()


def test_interval_of_independent_blocks_is_that_of_the_mean():
    """Blocks of one pixel: the interval of a share is that of a binomial."""
    flagged = np.random.default_rng(0).random(2500) < 0.2
    confusion = np.zeros((2500, 2, 2), np.int64)
    confusion[np.arange(2500), 0, flagged.astype(int)] = 1
    drawn = flagged_fraction(resample(bootstrap_weights(2500), confusion))
    low, high = percentile_interval(drawn)
    half = 1.96 * np.sqrt(flagged.mean() * (1 - flagged.mean()) / 2500)
    assert low == pytest.approx(flagged.mean() - half, abs=0.002)
    assert high == pytest.approx(flagged.mean() + half, abs=0.002)


def test_interval_leaves_out_what_is_no_number():
    values = np.array([np.nan, *np.linspace(0, 1, 101)])
    assert percentile_interval(values, 0.9) == pytest.approx((0.05, 0.95))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()
