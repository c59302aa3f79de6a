"""Measures of agreement: tables worked by hand, scikit-learn, counting one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist
from skimage.measure import label
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    confusion_matrix,
    jaccard_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
)

from geosim.assessment import agreement
from geosim.assessment.measuring import Answer, gather, measure
from geosim.change.accuracy import level_counts
from geosim.change.scores import SCORE_LEVELS

# 3 x 3 pixels: truth, decision, score
TRUTH = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
DECIDED = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
SCORE = np.array([[9, 3, 1], [8, 7, 2], [1, 0, 0]], np.uint16)
CONFUSION = np.array([[5, 1], [1, 2]])


@st.composite
def decisions(draw):
    size = draw(st.integers(2, 80))
    truth = draw(arrays.arrays(np.bool_, size))
    decided = draw(arrays.arrays(np.bool_, size))
    truth[:2] = decided[:2] = True, False
    return truth, decided


masks = arrays.arrays(
    np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()
)


def answer(decided=DECIDED, score=SCORE, probability=None):
    valid = np.ones(decided.shape, bool)
    return Answer(levels=score, decided=decided, valid=valid, probability=probability)


def figures(**how):
    scene = gather({"one": answer(**how)}, TRUTH, np.ones((3, 3), bool), tolerance=0)
    row = measure([scene], "one", samples=100)
    return {name: figure.value for name, figure in row.figures.items()}


def test_three_by_three_by_hand():
    found = figures()
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["iou"] == pytest.approx(2 / 4)
    # agreed 7/9; by chance (3*3 + 6*6)/81 = 5/9
    assert found["kappa"] == pytest.approx((7 / 9 - 5 / 9) / (1 - 5 / 9))
    # from the top: changed, changed, not, changed, then five that did not
    assert found["ap"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    # of 3 x 6 pairs one is the wrong way round: 3 below 7
    assert found["roc_area"] == pytest.approx(17 / 18)
    # one object each, 2 of 4 pixels in common: half is enough
    assert found["object_recall"] == 1.0
    assert found["object_precision"] == 1.0
    # the corner of the truth has no neighbour outside; one pixel of 2 and of 3 meets
    assert found["boundary_f1"] == pytest.approx(2 * (1 / 2 * 1 / 3) / (1 / 2 + 1 / 3))
    assert found["flagged"] == pytest.approx(3 / 9)


def test_calibration_of_three_by_three_by_hand():
    # 0.5 said of four pixels of which three changed, 0 of five of which none did
    chance = np.where(SCORE > 2, 127, 0).astype(np.uint8)
    assert figures(probability=chance)["calibration_error"] == pytest.approx(
        4 / 9 * 0.25
    )
    assert np.isnan(figures()["calibration_error"])


def test_nothing_flagged_and_nothing_changed():
    none = np.array([[9, 0], [0, 0]])
    assert np.isnan(agreement.precision(none))
    assert np.isnan(agreement.recall(none))
    assert np.isnan(agreement.iou(none))
    assert np.isnan(agreement.kappa(none))
    assert agreement.recall(np.array([[5, 0], [4, 0]])) == 0.0
    assert agreement.harmonic(np.array(0.0), np.array(0.0)) == 0.0
    none = np.array(np.nan)
    assert agreement.harmonic(none, np.array(0.0)) == 0.0  # nothing was found
    assert np.isnan(agreement.harmonic(np.array(0.0), none))  # or is to be found
    assert np.isnan(agreement.harmonic(none, none))


@given(decisions())
def test_decisions_agree_with_scikit_learn(case):
    truth, decided = case
    counts = level_counts(decided.astype(np.uint8), truth, 2)
    assert counts.tolist() == confusion_matrix(truth, decided).tolist()
    assert agreement.precision(counts) == pytest.approx(precision_score(truth, decided))
    assert agreement.recall(counts) == pytest.approx(recall_score(truth, decided))
    assert agreement.iou(counts) == pytest.approx(jaccard_score(truth, decided))
    assert agreement.kappa(counts) == pytest.approx(cohen_kappa_score(truth, decided))


@settings(max_examples=40)
@given(decisions(), st.integers(0, 1000))
def test_scores_agree_with_scikit_learn(case, seed):
    truth, _ = case
    levels = np.random.default_rng(seed).integers(0, 255, truth.shape).astype(np.uint8)
    decided = (levels >= 127)[None]
    scene = gather(
        {
            "one": Answer(
                levels=levels.astype(np.uint16)[None],
                decided=decided,
                valid=np.ones_like(decided),
                probability=levels[None],
            )
        },
        truth[None],
        np.ones_like(decided),
    )
    found = measure([scene], "one", samples=100).figures
    assert found["ap"].value == pytest.approx(average_precision_score(truth, levels))
    assert found["roc_area"].value == pytest.approx(roc_auc_score(truth, levels))
    chance = levels / 254
    observed, predicted = calibration_curve(truth, chance, n_bins=10)
    held = np.histogram(chance, np.linspace(0, 1 + 1e-9, 11))[0]
    on_edge = np.isclose(chance * 10, np.round(chance * 10)).any()
    if not on_edge:  # scikit-learn puts what lies on an edge into the lower bin
        error = (held[held > 0] * abs(observed - predicted)).sum() / len(truth)
        assert found["calibration_error"].value == pytest.approx(error)


@given(decisions(), st.integers(0, 1000))
def test_curves_agree_with_scikit_learn(case, seed):
    truth, _ = case
    levels = np.random.default_rng(seed).integers(0, 6, truth.shape).astype(np.uint8)
    counts = level_counts(levels, truth, 6)
    recall, precision = agreement.precision_recall_curve(counts)
    wanted = precision_recall_curve(truth, levels)
    ours = set(zip(recall.round(9), precision.round(9), strict=True))
    theirs = set(zip(wanted[1].round(9), wanted[0].round(9), strict=True))
    assert theirs - {(0.0, 1.0)} <= ours
    false, true = agreement.roc_curve(counts)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(roc_auc_score(truth, levels))


def test_objects_by_hand():
    truth = np.zeros((6, 12), bool)
    found = np.zeros_like(truth)
    truth[1:3, 1:3] = found[1:3, 1:3] = True  # the same
    truth[1:3, 5:9] = found[1:3, 5:7] = True  # half of it: 4 of 8
    truth[4:6, 0:4] = found[4:6, 3:9] = True  # 2 of 18
    flags = agreement.object_flags(truth, found)
    assert np.argwhere(flags == agreement.MET).tolist() == [[1, 1], [1, 5]]
    assert np.argwhere(flags == agreement.MISSED).tolist() == [[4, 0]]
    assert not agreement.object_flags(np.zeros_like(truth), found).any()


@given(masks, st.integers(0, 1000))
def test_objects_as_counted_one_by_one(truth, seed):
    found = np.random.default_rng(seed).random(truth.shape) < 0.5
    own, other = label(truth, connectivity=1), label(found, connectivity=1)
    met = 0
    for number in range(1, own.max() + 1):
        one = own == number
        overlaps = [
            (one & (other == k)).sum() / (one | (other == k)).sum()
            for k in range(1, other.max() + 1)
        ]
        met += max(overlaps, default=0) >= 0.5
    flags = agreement.object_flags(truth, found)
    assert (flags == agreement.MET).sum() == met
    assert (flags > 0).sum() == own.max()


def test_boundary_by_hand():
    truth = np.zeros((9, 9), bool)
    truth[2:6, 2:6] = True
    moved = np.roll(truth, 2, axis=1)
    counted = np.ones_like(truth)
    # 12 boundary pixels; moved by two columns
    assert (agreement.boundary_flags(truth, moved, counted, 1.0) > 0).sum() == 12
    exact = agreement.boundary_flags(truth, moved, counted, 0.0)
    near = agreement.boundary_flags(truth, moved, counted, 2.0)
    # two in the upper row and two in the lower one
    assert (exact == agreement.MET).sum() == 4
    assert (near == agreement.MISSED).sum() == 0


def test_edge_of_the_picture_is_no_boundary():
    truth = np.ones((4, 4), bool)
    counted = np.ones_like(truth)
    assert not agreement.boundary_flags(truth, truth, counted, 1.0).any()
    # nor is what nobody labelled
    counted[:, 2:] = False
    assert not agreement.boundary_flags(truth, truth, counted, 1.0).any()


@given(masks, st.integers(0, 1000), st.sampled_from([0.0, 1.0, 1.5, 3.0]))
def test_boundaries_as_measured_one_by_one(truth, seed, tolerance):
    other = np.random.default_rng(seed).random(truth.shape) < 0.5

    def edge(mask):
        padded = np.pad(mask, 1, mode="edge")
        sides = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2]]
        return np.argwhere(mask & ~np.all([*sides, padded[1:-1, 2:]], axis=0))

    flags = agreement.boundary_flags(
        truth, other, np.ones_like(truth), tolerance=tolerance
    )
    own, others = edge(truth), edge(other)
    assert np.argwhere(flags > 0).tolist() == own.tolist()
    met = 0
    if len(own) and len(others):
        met = (cdist(own, others).min(axis=1) <= tolerance).sum()
    assert (flags == agreement.MET).sum() == met


def test_scenes_are_pooled_by_pixels():
    counted = np.ones((3, 3), bool)
    scenes = [
        gather({"one": answer()}, TRUTH, counted),
        gather({"one": answer(decided=~TRUTH)}, TRUTH, counted),
    ]
    found = measure(scenes, "one", samples=100).figures
    assert found["precision"].value == pytest.approx(2 / 9)
    assert found["recall"].value == pytest.approx(2 / 6)
    assert found["object_recall"].value == pytest.approx(1 / 2)
    assert found["recall"].low <= found["recall"].value <= found["recall"].high


@pytest.mark.parametrize("objects", [20, 200, 4000])
def test_intervals_hold_their_values_where_change_is_rare(objects):
    rng = np.random.default_rng(0)
    truth = np.zeros((700, 700), bool)
    for row, col in rng.integers(0, 695, (objects, 2)):
        truth[row : row + 4, col : col + 5] = True
    score = np.clip(rng.normal(0.2, 0.05, truth.shape) + 0.25 * truth, 0, 1)
    told = Answer(
        levels=np.rint(score * SCORE_LEVELS).astype(np.uint16),
        decided=score > 0.4,
        valid=np.ones_like(truth),
        probability=None,
    )
    scene = gather({"one": told}, truth, np.ones_like(truth))
    figures = measure([scene], "one", samples=200).figures
    for name in ("ap", "best_f1", "f1_ratio", "roc_area"):
        one = figures[name]
        assert one.low - 1e-3 <= one.value <= one.high + 1e-3, name
        assert one.high - one.low < 0.3, name


@pytest.mark.parametrize("right", [True, False])
def test_a_decision_may_be_better_or_worse_than_any_threshold(right):
    """The ratio to the best threshold may lie above 1, never below 0."""
    rng = np.random.default_rng(0)
    truth = rng.random((256, 256)) < 0.05
    score = np.clip(rng.normal(0.3, 0.1, truth.shape) + 0.1 * truth, 0, 1)
    wrong = rng.random(truth.shape) < 0.001
    told = Answer(
        levels=np.rint(score * SCORE_LEVELS).astype(np.uint16),
        decided=truth ^ wrong if right else wrong & ~truth,
        valid=np.ones_like(truth),
        probability=None,
    )
    scene = gather({"one": told}, truth, np.ones_like(truth))
    ratio = measure([scene], "one", samples=100).figures["f1_ratio"]
    assert ratio.low <= ratio.value <= ratio.high
    assert (ratio.low > 1) if right else (ratio.low >= 0)
