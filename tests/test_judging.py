"""Histograms of log odds: average precision, best threshold, calibration."""

import numpy as np
import pytest

from geosim.siamese.judging import (
    at_share,
    calibration,
    judge,
    odds_histogram,
    rates,
)


def test_by_hand():
    odds = np.array([3.0, 2.0, 1.0, -4.0], np.float32)
    changed = np.array([True, False, True, False])
    found = judge(odds_histogram(odds, changed))
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.f1 == pytest.approx(0.8)
    assert 1 - 0.02 < found.threshold <= 1


def test_counts_of_parts_add_up_and_extremes_are_kept():
    odds = np.array([-1e3, -2.0, 5.0, 1e3], np.float32)
    changed = np.array([False, True, False, True])
    whole = odds_histogram(odds, changed)
    parts = odds_histogram(odds[:2], changed[:2]) + odds_histogram(
        odds[2:], changed[2:]
    )
    np.testing.assert_array_equal(whole, parts)
    assert whole.sum(axis=1).tolist() == [2, 2]
    assert whole[0, 0] == whole[1, -1] == 1


def test_threshold_cuts_as_counted():
    rng = np.random.default_rng(0)
    changed = rng.random(20_000) < 0.1
    odds = (rng.normal(-3, 1.5, 20_000) + 3 * changed).astype(np.float32)
    found = judge(odds_histogram(odds, changed))
    decided = odds >= found.threshold
    f1 = 2 * (decided & changed).sum() / (decided.sum() + changed.sum())
    assert f1 == pytest.approx(found.f1, abs=1e-6)
    others = [
        2 * ((odds >= t) & changed).sum() / ((odds >= t).sum() + changed.sum())
        for t in np.linspace(-4, 2, 100)
    ]
    assert max(others) <= found.f1 + 1e-9


def test_nothing_changed_is_no_error():
    found = judge(odds_histogram(np.zeros(5, np.float32), np.zeros(5, bool)))
    assert (found.average_precision, found.f1) == (0, 0)


def test_calibration_gives_back_the_true_slope_and_offset():
    rng = np.random.default_rng(1)
    odds = rng.normal(-1, 3, 200_000).astype(np.float32)
    chance = 1 / (1 + np.exp(-(0.6 * odds - 1.5)))
    slope, offset = calibration(odds_histogram(odds, rng.random(odds.size) < chance))
    assert slope == pytest.approx(0.6, abs=0.02)
    assert offset == pytest.approx(-1.5, abs=0.03)


def test_what_cannot_be_calibrated_stays():
    odds = np.linspace(-3, 3, 50, dtype=np.float32)
    assert calibration(odds_histogram(odds, np.zeros(50, bool))) == (1, 0)
    assert calibration(odds_histogram(odds, odds < 0)) == (1, 0)


def test_another_share_by_hand():
    counts = np.array([[6, 2], [1, 3]])
    np.testing.assert_allclose(at_share(counts, 0.5), [[4.5, 1.5], [1.5, 4.5]])
    np.testing.assert_allclose(at_share(counts, 1 / 3), counts)
    np.testing.assert_allclose(at_share(counts, 0.1), [[8.1, 2.7], [0.3, 0.9]])


def test_another_share_keeps_recall_and_moves_precision():
    counts = odds_histogram(
        np.array([3.0, 2.0, 1.0, -4.0], np.float32), np.array([1, 0, 1, 0]) > 0
    )
    rare, common = (rates(at_share(counts, share)) for share in (0.1, 0.5))
    np.testing.assert_allclose(rare[1], common[1])
    # all that is flagged down to the last change: both changes, half of the others
    last = int(np.argmax(common[1] == 1))
    assert common[0][last] == pytest.approx(0.5 / (0.5 + 0.5 * 0.5))
    assert rare[0][last] == pytest.approx(0.1 / (0.1 + 0.9 * 0.5))


def test_another_share_of_what_never_changed_is_nothing():
    shifted = at_share(np.array([[3, 1], [0, 0]]), 0.25)
    np.testing.assert_allclose(shifted, [[2.25, 0.75], [0, 0]])
