"""Pairs of dates that the shipped weights learn from: their light."""

import numpy as np
import pytest

from scripts.open_imagery import prepare_pair


def pair_of(before, after, **options):
    return prepare_pair(before, after, source="made", metres=1.0, **options)


def test_date_2_takes_the_light_of_date_1():
    rng = np.random.default_rng(0)
    before = rng.integers(20, 220, (3, 40, 50), dtype=np.uint8)
    darker = (before // 2 + 3).astype(np.uint8)
    pair = pair_of(before, darker)
    np.testing.assert_allclose(pair.before, before / 255.0, atol=1e-6)
    assert np.abs(pair.after - pair.before).max() < 2.5 / 255
    assert pair.two_dates


def test_what_changed_does_not_lead_the_matching():
    # a quarter became bright; what stayed must stay alike, as in `geosim change`
    rng = np.random.default_rng(1)
    before = rng.integers(20, 120, (3, 60, 60), dtype=np.uint8)
    after = before.copy()
    after[:, :, :15] = rng.integers(180, 240, (3, 60, 15), dtype=np.uint8)
    pair = pair_of(before, after)
    assert np.abs(pair.after - pair.before)[:, :, 15:].max() < 3 / 255
    assert (pair.after - pair.before)[:, :, :15].mean() > 0.4


def test_deep_images_are_scaled_by_date_1_and_what_is_not_valid_does_not_count():
    rng = np.random.default_rng(0)
    before = rng.integers(1000, 3000, (3, 40, 50), dtype=np.uint16)
    after = before + 500
    valid = np.ones((40, 50), bool)
    valid[:5] = False
    after[:, :5] = 65535
    pair = pair_of(before, after, valid=valid)
    assert np.percentile(pair.before[:, valid], 1) == pytest.approx(0.125, abs=0.01)
    assert np.percentile(pair.before[:, valid], 99) == pytest.approx(0.875, abs=0.01)
    np.testing.assert_allclose(pair.after[:, valid], pair.before[:, valid], atol=0.01)
    np.testing.assert_array_equal(pair.after[:, ~valid], pair.before[:, ~valid])
