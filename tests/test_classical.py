"""CVA by hand; IR-MAD by its defining properties and a slow second implementation."""

import numpy as np
import pytest
from scipy import linalg
from scipy.stats import chi2

from geosim.change.classical import cva_magnitude, fit_irmad
from geosim.errors import NoDataError


def test_cva_by_hand():
    before = np.array([[[0.0, 0.5], [0.2, 1.0]], [[0.0, 0.5], [0.2, 0.0]]], np.float32)
    after = np.array([[[0.0, 0.8], [0.2, 0.0]], [[1.0, 0.9], [0.2, 1.0]]], np.float32)
    wanted = [[np.sqrt(0.5), np.sqrt((0.09 + 0.16) / 2)], [0.0, 1.0]]
    found = cva_magnitude(before, after)
    assert found == pytest.approx(np.array(wanted), abs=1e-6)
    assert found.dtype == np.float32
    assert (cva_magnitude(after, before) == found).all()


def unchanged(bands, n, seed=1):
    """Two Gaussian dates of one scene, linearly mixed, with noise."""
    rng = np.random.default_rng(seed)
    before = rng.standard_normal((bands, n))
    mixing = rng.standard_normal((bands, bands)) + 2 * np.eye(bands)
    after = mixing @ before + 0.5 * rng.standard_normal((bands, n))
    return before.astype(np.float32), after.astype(np.float32)


def statistic(model, before, after):
    return model.chi(before[:, None], after[:, None])[0].astype(float) ** 2


def slow_irmad(before, after, *, rounds):
    """IR-MAD written down from the papers, one generalised eigenproblem a round.

    All canonical variates of [x, y] solve S_off v = rho S_diag v, with the blocks of
    the joint covariance off and on the diagonal.
    """
    p = len(before)
    both = np.concatenate([before, after]).astype(float)
    weights = np.ones(both.shape[1])
    for _ in range(rounds):
        covariance = np.cov(both, aweights=weights, ddof=0)
        mean = np.average(both, axis=1, weights=weights)
        diagonal = linalg.block_diag(covariance[:p, :p], covariance[p:, p:])
        rho, vectors = linalg.eigh(covariance - diagonal, diagonal)
        variates = np.zeros(both.shape[1])
        for k in range(p, 2 * p):
            a, b = vectors[:p, k], vectors[p:, k]
            u = a @ (both[:p] - mean[:p, None])
            v = b @ (both[p:] - mean[p:, None])
            u /= np.sqrt(a @ covariance[:p, :p] @ a)
            v /= np.sqrt(b @ covariance[p:, p:] @ b)
            variates += (u - v) ** 2 / (2 * (1 - rho[k]))
        weights = chi2.sf(variates, p)
    return rho[p:], variates


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_against_a_slow_implementation(bands):
    before, after = unchanged(bands, 3000)
    after[:, :200] = np.random.default_rng(2).standard_normal((bands, 200)) * 5
    model = fit_irmad(before, after)
    rho, variates = slow_irmad(before, after, rounds=model.iterations)
    assert model.correlations == pytest.approx(rho, abs=1e-4)
    found = statistic(model, before, after)
    # the same up to the one factor that makes the typical pixel unchanged
    scale = chi2.median(bands) / np.median(variates)
    assert found == pytest.approx(scale * variates, rel=0.01, abs=0.02)


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_without_change_the_statistic_is_chi_squared(bands):
    before, after = unchanged(bands, 20_000)
    found = statistic(fit_irmad(before, after), before, after)
    assert found.mean() == pytest.approx(bands, rel=0.05)
    for share in (0.25, 0.5, 0.95):
        wanted = chi2.ppf(share, bands)
        assert np.quantile(found, share) == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("side", ["before", "after"])
def test_affine_changes_of_either_date_do_not_matter(side):
    before, after = unchanged(3, 4000)
    after[:, :300] += 4
    plain = statistic(fit_irmad(before, after), before, after)
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((3, 3)) + 2 * np.eye(3)
    offset = np.array([[5.0], [-2.0], [1.0]])
    if side == "before":
        before = (mixing @ before + offset).astype(np.float32)
    else:
        after = (mixing @ after + offset).astype(np.float32)
    mixed = statistic(fit_irmad(before, after), before, after)
    assert mixed == pytest.approx(plain, rel=0.01, abs=0.01)


@pytest.mark.parametrize("bands", [1, 3])
def test_planted_changes_get_the_largest_values(bands):
    before, after = unchanged(bands, 5000)
    after[:, :100] += 30
    found = statistic(fit_irmad(before, after), before, after)
    assert found[:100].min() > found[100:].max()


def test_many_changes_do_not_hide_themselves():
    before, after = unchanged(3, 5000)
    after[:, :1000] = np.random.default_rng(4).standard_normal((3, 1000)) * 4
    found = statistic(fit_irmad(before, after), before, after)
    changed = found > chi2.ppf(0.999, 3)
    assert changed[:1000].mean() > 0.8
    assert changed[1000:].mean() < 0.05


def test_correlations_are_rising_and_variates_standardised():
    before, after = unchanged(4, 5000)
    model = fit_irmad(before, after)
    assert (np.diff(model.correlations) >= 0).all()
    assert model.correlations.min() >= 0
    assert model.correlations.max() <= 1
    assert 1 < model.iterations <= 50


@pytest.mark.parametrize("case", ["constant", "repeated", "both constant", "equal"])
def test_bands_that_say_nothing(case):
    before, after = unchanged(3, 1000)
    if case == "constant":
        before[1] = 0.5
    elif case == "repeated":
        before[1] = before[0]
        after[1] = after[0]
    elif case == "both constant":
        before[:], after[:] = 0.5, 0.25
    else:
        after = before.copy()
    found = statistic(fit_irmad(before, after), before, after)
    assert np.isfinite(found).all()


def test_images_keep_their_shape():
    before, after = unchanged(2, 200)
    model = fit_irmad(before, after)
    image = model.chi(before.reshape(2, 10, 20), after.reshape(2, 10, 20))
    assert image.shape == (10, 20)
    assert image.dtype == np.float32
    assert (image.ravel() == model.chi(before[:, None], after[:, None])[0]).all()


def test_too_few_pixels():
    before, after = unchanged(3, 6)
    with pytest.raises(NoDataError, match="more than 6 valid pixels for 3 bands"):
        fit_irmad(before, after)
    fit_irmad(*unchanged(3, 7))
