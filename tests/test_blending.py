"""Log odds and score joined by what held-out places say."""

import numpy as np
import pytest

from geosim.siamese.blending import (
    RATIOS,
    SHARES,
    Answers,
    Blend,
    blended,
    fit_blend,
    place_weights,
)


def logistic(values):
    return 1 / (1 + np.exp(-values))


def place(odds, score, changed):
    return Answers(
        odds=np.asarray(odds, np.float32),
        score=np.asarray(score, np.float32),
        changed=np.asarray(changed, bool),
    )


def drawn(rng, size, *, odds=0.0, score=0.0, share=0.1):
    """A place whose odds and score tell change by so many standard deviations."""
    changed = rng.random(size) < share
    return place(
        rng.normal(odds * changed, 1),
        np.abs(rng.normal(1 + score * changed, 0.3)),
        changed,
    )


def f1(chance, changed, threshold):
    found = chance >= threshold
    return 2 * (found & changed).sum() / (found.sum() + changed.sum())


def test_blended_by_hand():
    weights = np.array([0.5, 2.0, -3.0], np.float32)
    odds, score = np.array([[0.0, 2.0]]), np.array([[1.5, 2.0]])
    found = blended(odds.astype(np.float32), score.astype(np.float32), weights)
    np.testing.assert_allclose(found, [[0.5, logistic(2.0)]], atol=1e-6)
    assert found.dtype == np.float32
    large = np.array([1e4, -1e4], np.float32)
    np.testing.assert_array_equal(blended(large, 0 * large, weights), [1, 0])


def test_odds_alone_are_calibrated():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 100_000).astype(np.float32)
    changed = rng.random(odds.size) < logistic(0.5 * odds - 2)
    found = fit_blend([place(odds, 0 * odds, changed)])
    # the score is 0: whatever its weight, it adds nothing
    assert (found.weights[0], found.weights[2]) == pytest.approx((0.5, -2), abs=0.06)


def test_each_is_heeded_where_it_alone_tells():
    rng = np.random.default_rng(1)
    places = [drawn(rng, 20_000, odds=3), drawn(rng, 20_000, score=1.5)]
    blend = fit_blend(places)
    assert min(blend.weights[:2]) > 0
    pooled = [np.concatenate([getattr(p, n) for p in places]) for n in vars(places[0])]
    alone = fit_blend([place(pooled[0], 0 * pooled[1], pooled[2])])
    assert blend.average_precision > alone.average_precision + 0.1


def test_of_ratios_as_good_the_largest_is_taken():
    rng = np.random.default_rng(5)
    same = drawn(rng, 20_000, score=2)
    ordered = place(same.score - 1, same.score, same.changed)
    weights = fit_blend([ordered]).weights
    assert weights[1] / weights[0] == pytest.approx(max(RATIOS))


def test_a_large_place_where_only_the_odds_tell_does_not_drown_three_small_ones():
    rng = np.random.default_rng(2)
    places = [drawn(rng, 200_000, odds=2, share=0.3)]
    places += [drawn(rng, 2_000, score=2) for _ in range(3)]
    joined = [np.concatenate([getattr(p, n) for p in places]) for n in vars(places[0])]
    apart, pooled = fit_blend(places).weights, fit_blend([place(*joined)]).weights
    assert apart[1] / apart[0] > 1.5 * pooled[1] / pooled[0]


def f1_at(chance, changed, threshold, share):
    """F1 if that share of the pixels had changed, from both rates."""
    hits, alarms = (float((chance[changed == k] >= threshold).mean()) for k in (1, 0))
    return 2 * share * hits / (share * hits + (1 - share) * alarms + share)


def test_threshold_has_the_best_mean_f1():
    rng = np.random.default_rng(3)
    places = [drawn(rng, 5_000, odds=2, share=s) for s in (0.02, 0.1, 0.4)]
    blend = fit_blend(places)
    weights = np.array(blend.weights, np.float32)
    chances = [blended(p.odds, p.score, weights) for p in places]

    def mean(threshold):
        pairs = zip(chances, places, strict=True)
        each = [
            np.mean([f1_at(c, p.changed, threshold, s) for s in SHARES])
            for c, p in pairs
        ]
        return place_weights([int(p.changed.sum()) for p in places]) @ each

    best = max(mean(threshold) for threshold in np.linspace(0.02, 0.98, 200))
    assert mean(blend.threshold) == pytest.approx(best, abs=0.01)
    pooled = np.concatenate(chances), np.concatenate([p.changed for p in places])
    assert blend.f1 == pytest.approx(f1(*pooled, blend.threshold), abs=0.01)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ([70], [1]),
        ([50, 50, 50], [1 / 3] * 3),
        ([0, 300], [0, 1]),
        # median 300: 1/4, 1/2 and 3/4
        ([100, 300, 900], [1 / 6, 1 / 3, 1 / 2]),
    ],
)
def test_weights_of_places_by_hand(changed, wanted):
    assert place_weights(changed) == pytest.approx(wanted)


def test_a_place_with_hardly_a_changed_pixel_does_not_move_the_threshold():
    rng = np.random.default_rng(7)
    places = [drawn(rng, 20_000, odds=3) for _ in range(4)]
    # eight pixels that were labelled and look like nothing
    blank = drawn(rng, 20_000, share=0.0)
    blank.changed[:8] = True
    without, with_it = fit_blend(places), fit_blend([*places, blank])
    assert with_it.f1 > 0.97 * without.f1
    assert with_it.threshold > 0.8 * without.threshold


def test_what_is_flagged_does_not_hang_on_how_much_changed():
    """Nine times the unchanged pixels of the same sort: rarer, not told otherwise."""
    rng = np.random.default_rng(6)
    few = drawn(rng, 20_000, odds=1, score=0.2, share=0.3)
    times = np.where(few.changed, 1, 9)
    rare = place(
        *(np.repeat(getattr(few, name), times) for name in ("odds", "score", "changed"))
    )
    blends = [fit_blend([one]) for one in (few, rare)]
    weights = [np.array(blend.weights, np.float32) for blend in blends]
    first, second = (
        blended(few.odds, few.score, w) >= blend.threshold
        for w, blend in zip(weights, blends, strict=True)
    )
    assert (first != second).mean() < 0.005
    # the probability knows that change is rarer
    chance = [blended(few.odds, few.score, w).mean() for w in weights]
    assert chance[1] < 0.6 * chance[0]


def test_without_change_the_odds_stay_as_they_are():
    nothing = place([1.0, -1.0], [0.0, 2.0], [False, False])
    assert fit_blend([nothing]) == Blend()
    assert fit_blend([place([], [], [])]) == Blend()


def test_places_without_change_still_calibrate():
    """False alarms of a place where nothing changed lower the probability."""
    rng = np.random.default_rng(4)
    telling = drawn(rng, 5_000, odds=3)
    calm = place(rng.normal(3, 1, 5_000), np.ones(5_000), np.zeros(5_000))
    alone, both = fit_blend([telling]), fit_blend([telling, calm])
    at = (np.full(1, 3, np.float32), np.ones(1, np.float32))
    chances = [blended(*at, np.array(b.weights, np.float32)) for b in (alone, both)]
    assert chances[1] < chances[0] - 0.2
