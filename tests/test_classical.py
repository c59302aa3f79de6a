"""CVA by hand; IR-MAD by its defining properties and a slow second implementation."""

import numpy as np
import pytest
from scipy import integrate, linalg
from scipy.stats import chi2
from sklearn.cross_decomposition import CCA
from sklearn.metrics import roc_auc_score

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
    the joint covariance off and on the diagonal. Under the weights the variance of
    unchanged variates is too small by E[w W] / (p E[w]), here by numerical integration.
    """
    p = len(before)
    pull = integrate.quad(lambda t: chi2.pdf(t, p) * chi2.sf(t, p) * t, 0, np.inf)[0]
    shrinkage = 1.0
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
            variates += (u - v) ** 2 / (2 * (1 - rho[k]) / shrinkage)
        shrinkage = pull / (p / 2)
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


def test_one_round_is_canonical_correlation_analysis(monkeypatch):
    monkeypatch.setattr("geosim.change.classical._MAX_ITERATIONS", 1)
    before, after = unchanged(3, 2000)
    after[:, :200] += 3
    model = fit_irmad(before, after)
    other = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12)
    u, v = other.fit_transform(before.T.astype(float), after.T.astype(float))
    u, v = u / u.std(axis=0), v / v.std(axis=0)
    rho = (u * v).mean(axis=0)
    assert model.correlations == pytest.approx(rho[::-1], abs=1e-4)
    wanted = ((u - v) ** 2 / (2 * (1 - rho))).sum(axis=1)
    found = statistic(model, before, after)
    wanted *= chi2.median(3) / np.median(wanted)
    assert found == pytest.approx(wanted, rel=0.01, abs=0.01)


@pytest.mark.parametrize("bands", [1, 2, 3, 6])
def test_weights_do_not_shrink_where_nothing_changed(bands, monkeypatch):
    # before the last step, which would hide it
    monkeypatch.setattr("geosim.change.classical._standardised", lambda m, *_: m)
    before, after = unchanged(bands, 20_000)
    model = fit_irmad(before, after)
    variates = (before.T - model.mean_before) @ model.vectors_before
    variates -= (after.T - model.mean_after) @ model.vectors_after
    assert model.iterations > 2
    assert model.variances == pytest.approx(variates.var(axis=0), rel=0.05)
    # a p-value is uniform
    weights = chi2.sf(statistic(model, before, after), bands)
    assert weights.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("bands", [1, 3, 6])
def test_changed_pixels_come_first(bands, share):
    before, after = unchanged(bands, 20_000)
    changed = np.arange(20_000) < share * 20_000
    other = np.random.default_rng(5).standard_normal((bands, changed.sum()))
    spread = after.std(axis=1)[:, None]
    after[:, changed] = after[:, changed] + 3 * spread + spread * other
    found = statistic(fit_irmad(before, after), before, after)
    assert roc_auc_score(changed, found) > 0.95


def coarse_scene(n=40_000, levels=40):
    """Three nearly identical bands of few values, date 2 matched to date 1's histogram.

    Most pixels differ by the rounding alone, in many all bands are the same.
    """
    rng = np.random.default_rng(6)
    changed = np.arange(n) < n // 15
    light = rng.gamma(3.0, 0.1, n)
    later = 0.8 * light + 0.1 + rng.laplace(0, 0.02, n)
    later[changed] += rng.normal(0.3, 0.1, changed.sum())
    dates = [one + rng.normal(0, 0.004, (3, n)) for one in (light, later)]
    before, after = (np.rint(one * levels) / levels for one in dates)
    ranks = np.argsort(np.argsort(after, axis=1, kind="stable"), axis=1, kind="stable")
    matched = np.take_along_axis(np.sort(before, axis=1), ranks, axis=1)
    for band in range(3):  # equal values stay equal
        values, place = np.unique(after[band], return_inverse=True)
        sums = np.bincount(place, matched[band])
        matched[band] = (sums / np.bincount(place))[place]
        assert len(values) < 3 * levels
    return before.astype(np.float32), matched.astype(np.float32), changed


@pytest.mark.parametrize("levels", [8, 20, 40, 150])
def test_few_values_do_not_make_it_collapse(levels):
    before, after, changed = coarse_scene(levels=levels)
    model = fit_irmad(before, after)
    assert 0.5 < model.correlations.max() < 1
    found = statistic(model, before, after)
    assert roc_auc_score(changed, found) > 0.9
    assert np.median(found) == pytest.approx(chi2.median(3), rel=0.01)


def test_an_unchanged_part_that_is_exactly_equal():
    before, _ = unchanged(3, 10_000)
    after = before.copy()
    after[:, :2000] += np.random.default_rng(7).standard_normal((3, 2000))
    found = statistic(fit_irmad(before, after), before, after)
    assert found[:2000].min() > found[2000:].max()


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
