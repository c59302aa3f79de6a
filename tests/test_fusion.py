"""The fused score in torch, by hand and against other implementations."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from scipy.ndimage import gaussian_filter, gaussian_filter1d  # noqa: E402

from geosim.change.scores import smooth as smooth_block  # noqa: E402
from geosim.change.scores import smooth_along_edges  # noqa: E402
from geosim.siamese.architecture import TERMS  # noqa: E402
from geosim.siamese.fusion import colour_distance, fuse, smooth, spread  # noqa: E402
from geosim.siamese.smoothing import guide_radius, smoothing_sigma  # noqa: E402


def test_fuse_by_hand():
    distances = {"relu1_2": 0.1, "relu2_2": 0.3, "spread": 0.0, "colour": 0.7}
    given = {name: torch.full((1, 2, 2), value) for name, value in distances.items()}
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    # 1 + d / 0.1 is 2, 4, 1, 8
    wanted = (0.4 * 1 + 0.3 * 2 + 0.2 * 0 + 0.1 * 3) * math.log(2)
    assert fuse(given, weights)[0, 1, 1].item() == pytest.approx(wanted, rel=1e-5)
    del given["colour"]
    assert fuse(given, weights)[0, 0, 0].item() == pytest.approx(math.log(2), rel=1e-5)
    assert set(distances) == set(TERMS)


def test_colour_distance_by_hand():
    before = torch.zeros(1, 3, 1, 2)
    after = before.clone()
    after[0, :, 0, 1] = torch.tensor([0.2, 0.4, 0.4])
    assert colour_distance(before, after)[0, 0].tolist() == pytest.approx([0, 0.6])
    grey = colour_distance(before[:, :1], torch.full((1, 1, 1, 2), 0.5))
    assert grey[0, 0, 0].item() == pytest.approx(0.5 * math.sqrt(3))


def test_spread_is_scipys_gaussian():
    rng = np.random.default_rng(0)
    cells = rng.random((1, 3, 20, 24)).astype(np.float32)
    wanted = cells
    for axis in (2, 3):
        wanted = gaussian_filter1d(wanted, 2, axis=axis, mode="constant", radius=5)
    found = spread(torch.from_numpy(cells)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metres", [None, 0.1, 30.0])
def test_smoothing_is_that_of_the_main_job(metres):
    rng = np.random.default_rng(0)
    score, *guides = rng.random((3, 64, 50)).astype(np.float32)
    valid = rng.random((64, 50)) > 0.2
    wanted = smooth_along_edges(
        smooth_block(score, valid, smoothing_sigma(metres)),
        (guides[0], guides[1]),
        valid,
        radius=guide_radius(metres),
        epsilon=0.01,
    )
    guide = torch.from_numpy(np.stack(guides))[None]
    found = smooth(
        torch.from_numpy(score)[None],
        guide,
        torch.from_numpy(valid)[None],
        metres=metres,
    )[0].numpy()
    np.testing.assert_allclose(found[valid], wanted[valid], atol=1e-5)


def test_flat_guides_leave_two_means():
    rng = np.random.default_rng(1)
    score = rng.random((40, 40)).astype(np.float32)
    flat = np.full((40, 40), 0.5, np.float32)
    everywhere = np.ones((40, 40), bool)
    found = smooth_along_edges(score, (flat, flat), everywhere, radius=2, epsilon=0.01)
    window = np.lib.stride_tricks.sliding_window_view
    once = window(score, (5, 5)).mean(axis=(2, 3))
    twice = window(once, (5, 5)).mean(axis=(2, 3))
    np.testing.assert_allclose(found[4:-4, 4:-4], twice, rtol=1e-4)


def test_an_edge_of_the_guide_is_kept_and_one_of_the_score_alone_is_not():
    score = np.zeros((40, 40), np.float32)
    score[:, 20:] = 1
    flat = np.full((40, 40), 0.5, np.float32)
    everywhere = np.ones((40, 40), bool)
    along = smooth_along_edges(score, (score, flat), everywhere, radius=4, epsilon=0.01)
    without = smooth_along_edges(
        score, (flat, flat), everywhere, radius=4, epsilon=0.01
    )
    assert along[20, 20] - along[20, 19] > 0.85
    assert without[20, 20] - without[20, 19] < 0.2


def test_windows_are_fitted_by_ridge_regression():
    rng = np.random.default_rng(4)
    score, first, second = rng.random((3, 9, 9))
    guides = (first.astype(np.float32), second.astype(np.float32))
    everywhere = np.ones((9, 9), bool)
    epsilon = 0.02
    found = smooth_along_edges(
        score.astype(np.float32), guides, everywhere, radius=2, epsilon=epsilon
    )
    fits = []
    for row in range(2, 7):
        for column in range(2, 7):
            box = np.s_[row - 2 : row + 3, column - 2 : column + 3]
            values = np.stack([first[box].ravel(), second[box].ravel()])
            centred = values - values.mean(axis=1, keepdims=True)
            wanted = score[box].ravel() - score[box].mean()
            normal = centred @ centred.T / 25 + epsilon * np.eye(2)
            slopes = np.linalg.solve(normal, centred @ wanted / 25)
            fits.append((*slopes, score[box].mean() - slopes @ values.mean(axis=1)))
    mean = np.mean(fits, axis=0)
    wanted = mean[0] * first[4, 4] + mean[1] * second[4, 4] + mean[2]
    assert found[4, 4] == pytest.approx(wanted, abs=1e-5)


def test_smoothing_keeps_a_constant():
    guide = torch.rand(1, 2, 33, 40)
    flat = smooth(torch.full((1, 33, 40), 3.5), guide)
    torch.testing.assert_close(flat, torch.full((1, 33, 40), 3.5), atol=1e-4, rtol=1e-4)
    rng = np.random.default_rng(0)
    image = rng.random((64, 50)).astype(np.float32)
    everywhere = np.ones((64, 50), bool)
    ones = gaussian_filter(np.ones_like(image), 4, mode="constant")
    wanted = gaussian_filter(image, 4, mode="constant") / ones
    np.testing.assert_allclose(smooth_block(image, everywhere, 4.0), wanted, rtol=1e-5)
