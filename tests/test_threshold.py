"""Thresholds: synthetic scores, scikit-image, brute force and hand values."""

import numpy as np
import pytest
from scipy.stats import norm
from skimage.filters import threshold_otsu

from geosim.change.scores import (
    HISTOGRAM_BINS,
    SCORE_LEVELS,
    UNIT_LEVELS,
    ScoreScale,
)
from geosim.change.threshold import (
    Threshold,
    choose_threshold,
    histogram_quantiles,
    logistic_probability,
    mixture_probability,
)
from geosim.deciding.probabilities import changed_where, level_maps
from geosim.raster.grid import Window

CENTRES = ScoreScale(largest=1.0).bin_centres()
RISING = (np.arange(HISTOGRAM_BINS) + 0.5) / HISTOGRAM_BINS


def histogram(scores):
    return np.histogram(scores, HISTOGRAM_BINS, (0.0, 1.0))[0]


def two_classes(seed=1, share=0.1, n=50_000):
    """Scores whose logarithm is a mixture of two Gaussians; True where changed."""
    rng = np.random.default_rng(seed)
    changed = rng.random(n) < share
    logs = np.where(changed, rng.normal(-0.9, 0.2, n), rng.normal(-3.2, 0.5, n))
    return np.exp(logs), changed


# quantiles and the logistic curve


def test_quantiles_to_half_a_bin():
    scores = np.random.default_rng(2).random(20_000)
    at = (0.0, 0.1, 0.5, 0.98, 1.0)
    found = histogram_quantiles(histogram(scores), CENTRES, at)
    wanted = np.quantile(scores, at, method="inverted_cdf")
    assert found[1:] == pytest.approx(wanted[1:], abs=0.5 / HISTOGRAM_BINS + 1e-9)


def test_quantiles_of_nothing_do_not_crash():
    found = histogram_quantiles(np.zeros(HISTOGRAM_BINS, int), CENTRES, (0.5,))
    assert np.isfinite(found).all()


def test_logistic_by_hand():
    score = np.array([0.0, 1.0, 2.0, -1e9, 1e9])
    found = logistic_probability(score, slope=2.0, middle=1.0)
    wanted = [1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-2)), 0.0, 1.0]
    assert found == pytest.approx(np.array(wanted))


# the mixture


def test_mixture_separates_and_is_calibrated():
    scores, changed = two_classes()
    posterior = mixture_probability(histogram(scores), CENTRES)
    order = np.argsort(scores)
    probability = np.empty_like(scores)
    probability[order] = posterior(scores[order])
    assert ((probability > 0.5) == changed).mean() > 0.99
    assert probability.sum() == pytest.approx(changed.sum(), rel=0.1)


def test_mixture_finds_where_both_are_as_likely():
    scores, _ = two_classes()
    posterior = mixture_probability(histogram(scores), CENTRES)
    x = np.linspace(-2.5, -1.0, 2000)
    upper = 0.1 * norm.pdf(x, -0.9, 0.2)
    lower = 0.9 * norm.pdf(x, -3.2, 0.5)
    wanted = np.exp(x[np.argmax(upper > lower)])
    values = np.linspace(0, 1, 5001)
    found = values[np.argmax(posterior(values) >= 0.5)]
    assert found == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0])
def test_one_class_has_hardly_any_change(spread):
    logs = np.random.default_rng(4).normal(-3.0, spread, 100_000)
    scores = np.sort(np.exp(logs))
    posterior = mixture_probability(histogram(scores), CENTRES)
    assert (posterior(scores) > 0.2).mean() < 0.01


def test_equal_images_have_no_change():
    posterior = mixture_probability(histogram(np.zeros(1000)), CENTRES)
    assert posterior(np.zeros(1))[0] < 0.01


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 1.0])
def test_mixture_is_a_rising_probability(share):
    scores, _ = two_classes(share=share)
    posterior = mixture_probability(histogram(scores), CENTRES)
    found = posterior(ScoreScale(largest=1.0).values())
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found) >= 0).all()


def hand_histogram(**at):
    counts = np.zeros(HISTOGRAM_BINS, np.int64)
    for place, count in at.items():
        counts[int(place[1:])] = count
    return counts


ODD = {
    "empty": hand_histogram(),
    "one bin": hand_histogram(b0=1000),
    "one high bin": hand_histogram(b4095=1000),
    "two bins": hand_histogram(b10=1000, b3000=10),
    "uniform": np.full(HISTOGRAM_BINS, 7),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_histograms_give_a_probability(name):
    found = mixture_probability(ODD[name], CENTRES)(ScoreScale(largest=1.0).values())
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


# rules


@pytest.mark.parametrize("rule", ["auto", "otsu", "kapur"])
@pytest.mark.parametrize("name", ODD)
def test_odd_histograms_give_a_threshold(rule, name):
    found = choose_threshold(rule, ODD[name], RISING)
    assert 0 < found.value <= 1
    assert 1 <= found.level <= 255


def test_auto_is_the_methods_own_threshold():
    found = choose_threshold("auto", ODD["uniform"], RISING)
    assert (found.value, found.rule) == (0.25, "auto")
    own = Threshold(value=0.4, rule="auto", reason="by its own measure")
    assert choose_threshold("auto", ODD["uniform"], RISING, automatic=own) is own
    other = choose_threshold("otsu", ODD["uniform"], RISING, automatic=own)
    assert other.rule == "otsu"


def test_a_number_is_taken_as_it_is():
    found = choose_threshold(0.3, ODD["uniform"], RISING)
    assert (found.value, found.rule) == (0.3, "fixed")
    assert "user" in found.reason


def test_otsu_as_scikit_image_on_the_values():
    scores, _ = two_classes(3, share=0.3)
    bins = np.minimum((scores * HISTOGRAM_BINS).astype(int), HISTOGRAM_BINS - 1)
    counts = np.bincount(bins, minlength=HISTOGRAM_BINS)
    found = choose_threshold("otsu", counts, RISING)
    # theirs is the largest value of the lower class
    wanted = threshold_otsu(bins, nbins=np.ptp(bins) + 1)
    assert found.value == RISING[round(float(wanted)) + 1]
    assert found.rule == "otsu"
    assert "Otsu" in found.reason


def test_otsu_against_brute_force():
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.integers(0, 20, 300), rng.integers(50, 90, 200)])
    counts = np.bincount(values, minlength=HISTOGRAM_BINS)
    variance = [
        (values < t).mean() * values[values < t].var()
        + (values >= t).mean() * values[values >= t].var()
        for t in range(1, 90)
    ]
    found = choose_threshold("otsu", counts, RISING)
    split = round(found.value * HISTOGRAM_BINS - 0.5)
    assert variance[split - 1] == pytest.approx(min(variance))


def entropy(share):
    share = share[share > 0] / share.sum()
    return float(-(share * np.log(share)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_kapur_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    counts = np.zeros(HISTOGRAM_BINS, np.int64)
    counts[:60] = rng.poisson(np.linspace(50, 0, 60))
    counts[100:140] = rng.poisson(5, 40)
    sums = {
        split: entropy(counts[:split].astype(float))
        + entropy(counts[split:].astype(float))
        for split in range(1, 140)
        if counts[:split].sum() and counts[split:].sum()
    }
    found = choose_threshold("kapur", counts, RISING)
    split = round(found.value * HISTOGRAM_BINS - 0.5)
    assert sums[split] == pytest.approx(max(sums.values()))
    assert "entropy" in found.reason


# levels


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (0.5, 127),
        (0.5001, 128),
        (127 / 254, 127),
        (128 / 254, 128),
        (1.0, 254),
        (1 / 254, 1),
        (1e-9, 1),
        (0.0, 1),
    ],
)
def test_level(value, level):
    assert Threshold(value=value, rule="fixed", reason="").level == level


@pytest.mark.parametrize("rule", ["otsu", "kapur"])
@pytest.mark.parametrize("top", [1.0, 0.02, 0.0005])
def test_a_rule_that_splits_the_scores_decides_as_it_splits(rule, top):
    """Also of a calm scene, whose probabilities all lie within a level or two."""
    rng = np.random.default_rng(2)
    drawn = np.concatenate([rng.normal(0.2, 0.03, 9000), rng.normal(0.5, 0.05, 1000)])
    scores = np.rint(np.clip(drawn, 0, 1) * SCORE_LEVELS).astype(np.uint16)[None]
    bins = scores.astype(int) * HISTOGRAM_BINS // (SCORE_LEVELS + 1)
    counts = np.bincount(bins.ravel(), minlength=HISTOGRAM_BINS)
    probability = top * np.linspace(0, 1, SCORE_LEVELS + 1) ** 2
    threshold = choose_threshold(
        rule, counts, top * np.linspace(0, 1, HISTOGRAM_BINS) ** 2
    )
    maps = level_maps(probability, threshold, None)
    levels, _ = maps.read(Window(0, 0, scores.shape[1], 1), scores)
    assert np.array_equal(changed_where(levels, threshold), bins >= threshold.split)
    assert 0.05 < changed_where(levels, threshold).mean() < 0.2
    plain = np.rint(probability[scores] * UNIT_LEVELS)
    assert np.abs(levels - plain).max() <= 1
