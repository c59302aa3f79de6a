"""Sums over sliding windows: against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, uniform_filter

from geosim.change import windows
from geosim.change.windows import box_sum, parts_of, strips_of, surrounded, weighted_sum


def image(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width)).astype(np.float32)


def whole(values):
    return tuple(slice(0, length) for length in values.shape)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 40))
def test_box_against_scipy(radius, height, width):
    values = image(height, width)
    padded = surrounded(values, whole(values), radius)
    size = 2 * radius + 1
    wanted = uniform_filter(values.astype(float), size, mode="constant") * size**2
    assert box_sum(padded, radius) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_box_of_ones_by_hand():
    assert box_sum(np.ones((9, 8), np.float32), 3).tolist() == [[49, 49]] * 3


@given(st.integers(0, 9))
def test_weights_against_scipy(radius):
    kernel = image(1, radius + 1, seed=1)[0]
    values = image(30, 25)
    wanted = values.astype(float)
    both = np.concatenate([kernel[:0:-1], kernel])
    for axis in (0, 1):
        wanted = correlate1d(wanted, both, axis, mode="constant")
    padded = surrounded(values, whole(values), radius)
    assert weighted_sum(padded, kernel) == pytest.approx(wanted, rel=1e-5)


@given(st.integers(0, 50), st.integers(0, 300_000))
def test_strips_cover_every_row_once(height, width):
    rows = [row for part in strips_of((height, width)) for row in range(height)[part]]
    assert rows == list(range(height))


@given(st.integers(0, 900), st.integers(0, 1500))
def test_parts_cover_every_pixel_once(height, width):
    covered = np.zeros((height, width), np.uint8)
    for part in parts_of(covered.shape):
        covered[part] += 1
    assert (covered == 1).all()


def test_surroundings_are_the_image_or_0():
    values = image(6, 7)
    found = surrounded(values, (slice(2, 5), slice(1, 3)), 3)
    around = np.pad(values, 3)
    assert np.array_equal(found, around[2:11, 1:9])


def test_parts_change_nothing(monkeypatch):
    from geosim.change.scores import smooth, smooth_along_edges
    from geosim.change.ssim import ssim_map

    one, two, score = image(70, 50), image(70, 50, 1), image(70, 50, 2)
    valid = image(70, 50, 3) > 0.2

    def found():
        yield smooth(score, valid, 2.0)
        yield smooth_along_edges(score, (one, two), valid, radius=3, epsilon=0.01)
        yield ssim_map(one[None], two[None])

    wanted = list(found())
    monkeypatch.setattr(windows, "PART_SIDES", (20, 30))
    assert len(list(parts_of((70, 50)))) == 8
    for again, before in zip(found(), wanted, strict=True):
        assert np.array_equal(again, before)
