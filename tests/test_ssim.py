"""SSIM: worked by hand, against the formula and against scikit-image."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from geosim.change.ssim import REACH, WINDOW, ssim_map


def noise(seed, shape=(3, 30, 40)):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_equal_images_are_1():
    image = noise(1)
    assert ssim_map(image, image) == pytest.approx(1.0, abs=1e-6)


def test_two_flat_images_by_hand():
    # no variance: only (2 a b + c) / (a^2 + b^2 + c) with c = 0.01^2 is left
    one, two = np.full((2, 1, 9, 9), 0.2, np.float32)
    two += np.float32(0.6)
    wanted = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    assert ssim_map(one, two) == pytest.approx(wanted, abs=3e-5)


def test_against_the_formula():
    one, two = noise(2), noise(3)
    a, b = one.mean(axis=0, dtype=float), two.mean(axis=0, dtype=float)
    found = ssim_map(one, two)
    for row, col in ((3, 3), (10, 20), (26, 36)):
        part = np.s_[row - 3 : row + 4, col - 3 : col + 4]
        x, y = a[part].ravel(), b[part].ravel()
        (vx, c), (_, vy) = np.cov(x, y)
        mx, my = x.mean(), y.mean()
        wanted = (2 * mx * my + 1e-4) * (2 * c + 9e-4)
        wanted /= (mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)
        assert found[row, col] == pytest.approx(wanted, abs=1e-4)


def test_against_scikit_image():
    one, two = noise(4), noise(5)
    dates = (date.mean(axis=0, dtype=np.float64) for date in (one, two))
    _, wanted = structural_similarity(*dates, data_range=1.0, full=True)
    found = ssim_map(one, two)
    assert found == pytest.approx(wanted, abs=5e-6)
    assert found.dtype == np.float32
    assert found.shape == (30, 40)


def test_opposites_stay_within_the_range():
    one = (np.indices((1, 20, 20)).sum(axis=0) % 2).astype(np.float32)
    found = ssim_map(one, 1 - one)
    assert found.min() >= -1
    assert found.max() < -0.9


def test_reach():
    assert WINDOW == 7
    one, two = noise(6), noise(7)
    near = two.copy()
    near[:, 15, 20] += 0.5
    moved = np.argwhere(ssim_map(one, two) != ssim_map(one, near))
    assert np.abs(moved - (15, 20)).max() == REACH == 3
