"""Shift between the dates: known shifts, a second implementation, the sample."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from geosim.options import ChangeOptions
from geosim.raster.coregister import estimate_shift
from geosim.raster.scene import open_scene
from geosim.scoring.sampling import take_sample

SAMPLES = Path(__file__).parent.parent / "sample_data"


def texture(seed, side=448, sigma=1.5):
    """Noise without waves shorter than a few pixels."""
    noise = np.random.default_rng(seed).standard_normal((side, side))
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return (0.5 + 0.15 * smooth / smooth.std()).astype(np.float32)


def shifted(image, d_row, d_col):
    """The content moved down and right, exactly (it repeats at the edges)."""
    spectrum = ndimage.fourier_shift(np.fft.fft2(image), (d_row, d_col))
    return np.fft.ifft2(spectrum).real.astype(np.float32)


def inner(*images, edge=32):
    """The middle of the images, where nothing wraps around, all valid."""
    cut = [image[edge:-edge, edge:-edge] for image in images]
    return (*cut, np.ones(cut[0].shape, bool))


@pytest.mark.parametrize(
    ("d_row", "d_col"),
    [(0.0, 0.0), (0.4, -0.3), (-0.75, 0.5), (3.2, 1.9), (-6.1, -0.05), (1.0, 7.5)],
)
def test_known_shifts(d_row, d_col):
    before = texture(1)
    found = estimate_shift([inner(before, shifted(before, d_row, d_col))])
    assert found.d_row == pytest.approx(d_row, abs=0.1)
    assert found.d_col == pytest.approx(d_col, abs=0.1)
    assert found.windows == 9
    assert found.reliable
    assert found.error < 0.1


@pytest.mark.parametrize(("d_row", "d_col"), [(12.0, -9.0), (-8.6, 0.3), (2.0, 11.0)])
def test_a_shift_beyond_what_is_looked_for_is_not_corrected(d_row, d_col):
    """All windows agree on the end of the search, which is not where the peak is."""
    before = texture(1)
    found = estimate_shift([inner(before, shifted(before, d_row, d_col))])
    assert found.at_the_end
    assert not found.reliable


def test_a_shift_that_is_as_large_as_is_told_is_reliable():
    before = texture(1)
    found = estimate_shift([inner(before, shifted(before, 7.9, 0.0))])
    assert found.d_row == pytest.approx(7.9, abs=0.1)
    assert found.reliable


@pytest.mark.parametrize("flat", [0, 1])
def test_a_date_of_one_value_shows_no_shift(flat):
    dates = [texture(1), texture(1)]
    dates[flat] = np.full_like(dates[flat], 0.3)
    assert estimate_shift([inner(*dates)]) is None


def test_noise_light_and_change_do_not_mislead():
    before = texture(2)
    rng = np.random.default_rng(3)
    after = 0.7 * shifted(before, 1.3, -2.4) + 0.2
    after += rng.normal(0, 0.05, after.shape).astype(np.float32)
    after[100:220, 60:200] = texture(4)[:120, :140]
    found = estimate_shift([inner(before, after.astype(np.float32))])
    assert found.d_row == pytest.approx(1.3, abs=0.1)
    assert found.d_col == pytest.approx(-2.4, abs=0.1)
    assert found.reliable


def test_against_scikit_image():
    before = texture(5, side=192)
    after = shifted(before, 2.3, -1.6)
    window = inner(before, after)
    found = estimate_shift([window])
    # theirs is the shift that takes `after` back
    back, _, _ = phase_cross_correlation(
        window[0], window[1], upsample_factor=20, normalization=None
    )
    assert found.d_row == pytest.approx(-back[0], abs=0.1)
    assert found.d_col == pytest.approx(-back[1], abs=0.1)
    # one window says nothing of its own error
    assert found.windows == 1
    assert found.error == np.inf
    assert not found.reliable


def test_windows_add_up():
    windows = []
    for seed in range(10, 14):
        image = texture(seed, side=192)
        windows.append(inner(image, shifted(image, -0.6, 0.9)))
    found = estimate_shift(windows)
    assert found.windows == 4
    assert found.d_row == pytest.approx(-0.6, abs=0.1)
    assert found.d_col == pytest.approx(0.9, abs=0.1)


def test_unrelated_images_are_seldom_reliable():
    reliable = []
    for seed in range(8):
        pair = texture(100 + seed), texture(200 + seed)
        reliable.append(estimate_shift([inner(*pair)]).reliable)
    assert sum(reliable) <= 1


def test_nodata_is_left_out():
    before = texture(6)
    window = inner(before, shifted(before, 0.5, 0.5))
    valid = window[2].copy()
    valid[:130] = False
    assert estimate_shift([(*window[:2], valid)]).windows == 6
    assert estimate_shift([(*window[:2], np.zeros_like(valid))]) is None


def test_nothing_to_measure():
    assert estimate_shift([]) is None
    small = np.zeros((127, 500), np.float32)
    assert estimate_shift([(small, small, np.ones(small.shape, bool))]) is None


def test_a_scene_without_texture_shows_no_shift():
    flat = np.full((256, 256), 0.5, np.float32)
    assert estimate_shift([(flat, flat, np.ones(flat.shape, bool))]) is None


@pytest.fixture(scope="module")
def sample():
    with open_scene(str(SAMPLES / "1990.tif"), str(SAMPLES / "2020.tif")) as scene:
        return take_sample(scene, ChangeOptions(threads=1))


def test_the_sample_scenes(sample):
    assert sample.shift.d_row == pytest.approx(0.4, abs=0.15)
    assert sample.shift.d_col == pytest.approx(-0.3, abs=0.15)
    assert sample.shift.reliable
    assert not sample.corrected


def test_the_correction_has_the_right_sign():
    options = ChangeOptions(threads=1, coregister=True)
    with open_scene(str(SAMPLES / "1990.tif"), str(SAMPLES / "2020.tif")) as scene:
        assert take_sample(scene, options).corrected
        again = take_sample(scene, ChangeOptions(threads=1))
    assert again.shift.d_row == pytest.approx(0.0, abs=0.15)
    assert again.shift.d_col == pytest.approx(0.0, abs=0.15)
