"""Homographies that are known are found; what has none is left alone."""

import numpy as np
import pytest
from pictures import textured
from skimage.transform import ProjectiveTransform, SimilarityTransform, warp

from geosim.errors import OptionError
from geosim.images.alignment import align, find_homography, laid_over

FIRST = textured(11, 240, 300)


def similarity(degrees, scale, shape):
    """From the first picture's (x, y) to a second's that shows it whole."""
    x, y = (FIRST.shape[2] - 1) / 2, (FIRST.shape[1] - 1) / 2
    centre = SimilarityTransform(translation=(-x, -y))
    turn = SimilarityTransform(rotation=np.deg2rad(degrees), scale=scale)
    back = SimilarityTransform(translation=((shape[1] - 1) / 2, (shape[0] - 1) / 2))
    return (centre + turn + back).params


def seen_by(matrix, shape):
    """The first picture as a second that `matrix` leads to."""
    inverse = ProjectiveTransform(np.linalg.inv(matrix))
    bands = [warp(b, inverse, output_shape=shape, order=3, mode="edge") for b in FIRST]
    return np.clip(np.stack(bands), 0, 1).astype(np.float32)


def corners_off(found, wanted):
    """Largest distance in pixels between two homographies at the first's corners."""
    height, width = FIRST.shape[1:]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], float)
    places = [ProjectiveTransform(matrix)(corners) for matrix in (found, wanted)]
    return np.linalg.norm(places[0] - places[1], axis=1).max()


@pytest.mark.parametrize(
    ("degrees", "scale", "shape"),
    [(7, 1.2, (340, 400)), (-25, 0.7, (260, 280)), (90, 1.0, (300, 240))],
)
def test_a_turned_and_scaled_picture_is_laid_over(degrees, scale, shape):
    matrix = similarity(degrees, scale, shape)
    second = seen_by(matrix, shape)
    found = align(FIRST, second, "register")
    done = found.alignment
    assert done.done == "register"
    assert corners_off(np.array(done.homography), matrix) < 1
    assert done.rotation == pytest.approx(degrees, abs=0.3)
    assert done.scale == pytest.approx(scale, rel=0.01)
    assert done.overlap > 0.97
    assert found.second.shape == FIRST.shape
    difference = np.abs(found.second - FIRST)[:, found.valid]
    assert np.median(difference) < 0.02


def test_a_perspective_is_found():
    matrix = np.array([[1.05, 0.08, 10], [-0.04, 0.98, 14], [2e-4, -1e-4, 1]])
    found = find_homography(FIRST, seen_by(matrix, (260, 330)))
    assert found is not None
    assert corners_off(found[0], matrix) < 1
    assert found[2] <= found[1]


def test_a_crop_shows_a_part():
    second = FIRST[:, 40:200, 60:260]
    found = align(FIRST, second, "register")
    assert found.alignment.overlap == pytest.approx(160 * 200 / 240 / 300, abs=0.02)
    assert found.valid[120, 150]
    assert not found.valid[:38].any()
    # where the second shows nothing, nothing differs
    assert np.array_equal(found.second[:, :38], FIRST[:, :38])
    assert np.abs(found.second - FIRST)[:, 60:180, 80:240].max() < 0.02


def test_laid_over_by_a_whole_shift_is_a_copy():
    shift = np.array([[1, 0, 3], [0, 1, 5], [0, 0, 1]], float)
    moved, valid = laid_over(FIRST, shift, (20, 30))
    assert np.allclose(moved, FIRST[:, 5:25, 3:33], atol=1e-5)
    assert valid.all()
    assert not laid_over(FIRST, shift, (236, 300))[1][:, 298].any()


@pytest.mark.parametrize(
    "second",
    [textured(99, 240, 300), np.full((3, 50, 70), 0.4, np.float32), FIRST[:, :9, :9]],
)
def test_without_anything_in_common_it_is_resized(second):
    found = align(FIRST, second, "register")
    assert found.alignment.done == ("none" if second.shape == FIRST.shape else "resize")
    assert found.alignment.said.startswith("no common features to register by; ")
    assert found.second.shape == FIRST.shape
    assert found.valid.all()


def test_resize_and_none():
    half = FIRST[:, ::2, ::2]
    found = align(FIRST, half, "resize")
    assert found.alignment.said == "second resized from 150 x 120 to 300 x 240"
    assert found.second.shape == FIRST.shape
    same = align(FIRST, FIRST.copy(), "none")
    assert same.alignment.said == "as they are"
    assert np.array_equal(same.second, FIRST)
    with pytest.raises(OptionError, match="300 x 240 and 150 x 120; use --align"):
        align(FIRST, half, "none")
