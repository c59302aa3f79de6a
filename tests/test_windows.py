"""Sums over sliding windows: against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import (
    correlate1d,
    gaussian_filter,
    minimum_filter,
    uniform_filter,
)

from geosim import windows
from geosim.windows import (
    box_minimum,
    box_sum,
    filtered,
    gaussian_kernel,
    grown,
    inside,
    narrow,
    parts_of,
    strips_of,
    surrounded,
    weighted_sum,
    whole,
    wide_box_sum,
    wide_middle,
)


def image(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width)).astype(np.float32)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 40))
def test_box_against_scipy(radius, height, width):
    values = image(height, width)
    padded = surrounded(values, whole(values.shape), radius)
    size = 2 * radius + 1
    wanted = uniform_filter(values.astype(float), size, mode="constant") * size**2
    assert box_sum(padded, radius) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_box_of_ones_by_hand():
    assert box_sum(np.ones((9, 8), np.float32), 3).tolist() == [[49, 49]] * 3


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_filters_of_images_against_scipy(height, width, whole_image):
    """In parts, mirrored at the edges; parts where nothing is wanted are left out."""
    values = image(height, width)
    wanted = image(height, width, seed=1) > 0.999
    kernel = gaussian_kernel(5.0, 20)
    oracles = (
        (2, lambda part: box_sum(part, 2), uniform_filter(values, 5) * 25),
        (20, lambda part: weighted_sum(part, kernel), gaussian_filter(values, 5.0)),
    )
    for reach, sums, oracle in oracles:
        found = filtered(values, reach, sums, None if whole_image else wanted)
        where = np.ones_like(wanted) if whole_image else wanted
        assert found[where] == pytest.approx(oracle[where], rel=1e-5, abs=1e-5)


@given(st.integers(0, 9), st.integers(1, 150), st.integers(1, 300))
def test_minima_against_scipy(radius, height, width):
    values = image(height, width)
    found = filtered(values, radius, lambda part: box_minimum(part, radius))
    assert (found == minimum_filter(values, 2 * radius + 1)).all()


def test_parts_where_nothing_is_wanted_stay_empty():
    values, wanted = np.ones((300, 600), np.float32), np.zeros((300, 600), np.bool_)
    wanted[10, 10] = True
    found = filtered(values, 1, lambda part: box_sum(part, 1), wanted)
    assert found[10, 10] == 9
    assert found[-1, -1] == 0


@given(st.integers(0, 9), st.integers(1, 30), st.integers(1, 30))
def test_wide_sums_and_their_middles(radius, height, width):
    size = 2 * radius
    every = image(2 * (height + size), width + size + 3)
    values = every[::2, 1:-2]  # of which no row follows the other
    wide = wide_box_sum(values, radius)
    assert wide.shape == (height, width + size)
    assert wide.dtype == np.float32
    assert np.isfinite(wide).all()
    assert (narrow(wide, radius) == box_sum(values.copy(), radius)).all()
    middle = wide_middle(values.copy(), radius)
    inner = values[radius : radius + height, radius : radius + width]
    assert middle.shape == wide.shape
    assert (narrow(middle, radius) == inner).all()


@given(st.integers(0, 9))
def test_weights_against_scipy(radius):
    kernel = image(1, radius + 1, seed=1)[0]
    values = image(30, 25)
    wanted = values.astype(float)
    both = np.concatenate([kernel[:0:-1], kernel])
    for axis in (0, 1):
        wanted = correlate1d(wanted, both, axis, mode="constant")
    padded = surrounded(values, whole(values.shape), radius)
    assert weighted_sum(padded, kernel) == pytest.approx(wanted, rel=1e-5)


@given(st.integers(0, 50), st.integers(0, 300_000))
def test_strips_cover_every_row_once(height, width):
    rows = [row for part in strips_of((height, width)) for row in range(height)[part]]
    assert rows == list(range(height))


lengths = st.tuples(st.integers(0, 900), st.integers(0, 50), st.integers(0, 50))


@given(lengths, lengths)
def test_parts_cover_every_pixel_once(rows, cols):
    # before, within and behind the part that is covered
    within = tuple(slice(before, before + length) for length, before, _ in (rows, cols))
    covered = np.zeros((sum(rows), sum(cols)), np.uint8)
    for part in parts_of(within):
        covered[part] += 1
    assert (covered[within] == 1).all()
    assert covered.sum() == covered[within].size


def test_a_part_grows_as_far_as_the_image_goes():
    part = slice(2, 5), slice(10, 20)
    outer = grown(part, 3, (7, 100))
    assert outer == (slice(0, 7), slice(7, 23))
    assert inside(part, outer) == (slice(2, 5), slice(3, 13))
    assert whole((7, 100)) == (slice(0, 7), slice(0, 100))


def test_a_part_that_is_wanted_alone_is_that_of_the_whole():
    from geosim.change.scores import smooth, smooth_along_edges

    score, one, two = (image(70, 50, seed) for seed in range(3))
    valid = image(70, 50, 3) > 0.1
    part = slice(20, 40), slice(5, 45)
    how = {"radius": 3, "epsilon": 0.01}
    for function, args in (
        (smooth, (score, valid, 2.0)),
        (smooth_along_edges, (score, (one, two), valid)),
    ):
        more = how if function is smooth_along_edges else {}
        alone = function(*args, where=part, **more)
        assert np.array_equal(alone[part], function(*args, **more)[part])


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
    assert len(list(parts_of(whole((70, 50))))) == 8
    for again, before in zip(found(), wanted, strict=True):
        assert np.array_equal(again, before)
