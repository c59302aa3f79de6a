"""States through time, edges, rates: by hand and against brute force."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from scipy.stats import chi2

from geosim.publish.series_chart import Bars, chart_svg
from geosim.themes.classes import COVERS
from geosim.timeline.areas import Change, IntervalAreas, area_rows, in_pixels
from geosim.timeline.calibration import fit_calibration
from geosim.timeline.covers import CoverSums
from geosim.timeline.edges import at_least_half, eroded, small_holes, within
from geosim.timeline.rates import fao_rate, puyravaud_rate, years_between
from geosim.timeline.sampling import thinned
from geosim.timeline.steps import fit_steps, lasting, previous_valid, returned


def cheapest(values, valid, allowed, price):
    """Every set of starts tried: the cost of the best."""
    dates = len(values)
    best = math.inf
    free = [d for d in range(1, dates) if allowed[d] and valid[d]]
    for count in range(len(free) + 1):
        for starts in itertools.combinations(free, count):
            edges = [0, *starts, dates]
            cost = price * count
            for first, end in itertools.pairwise(edges):
                part = values[first:end][valid[first:end]]
                if len(part):
                    cost += ((part - part.mean(axis=0)) ** 2).sum()
            best = min(best, cost)
    return best


@given(st.integers(0, 10_000))
def test_steps_are_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    dates, bands, count = 5, 2, 6
    values = rng.normal(0, 3, (dates, bands, count)).astype(np.float32)
    valid = rng.random((dates, count)) < 0.8
    allowed = rng.random((dates, count)) < 0.8
    found = fit_steps(values, valid, allowed, price=10.0)
    assert not (found.starts & ~(allowed & valid)).any()
    for pixel in range(count):
        one, seen = values[:, :, pixel].astype(float), valid[:, pixel]
        rest = (one - found.states[:, :, pixel])[seen]
        cost = (rest**2).sum() + 10.0 * found.starts[:, pixel].sum()
        assert cost == pytest.approx(
            cheapest(one, seen, allowed[:, pixel], 10.0), abs=1e-2
        )


def test_a_gap_is_bridged():
    values = np.array([0, 0, 99, 9, 9], np.float32).reshape(5, 1, 1)
    valid = np.array([1, 1, 0, 1, 1], bool).reshape(5, 1)
    steps = fit_steps(values, valid, np.ones((5, 1), bool), price=5.0)
    assert steps.starts[:, 0].tolist() == [False, False, False, True, False]
    assert previous_valid(valid)[3, 0] == 1  # dated from the last date before the gap
    assert steps.states[:, 0, 0].tolist() == [0, 0, 0, 9, 9]


def test_previous_valid_by_hand():
    valid = np.array([0, 1, 0, 1, 1], bool)[:, None]
    assert previous_valid(valid)[:, 0].tolist() == [-1, -1, 1, 1, 3]


def states_of(levels):
    """Steps of one pixel with these levels and no noise."""
    values = np.array(levels, np.float32).reshape(-1, 1, 1)
    valid = np.ones((len(levels), 1), bool)
    steps = fit_steps(values, valid, valid, price=0.5)
    back = returned(steps.states, values, valid, steps.starts)
    return steps.starts[:, 0].tolist(), back[:, 0].tolist()


def test_a_change_that_stays_and_one_that_returns():
    assert states_of([0, 8, 8, 8])[1] == [False] * 4
    starts, back = states_of([0, 8, 8, 0])
    assert starts == [False, True, False, True]
    assert back == [False, True, False, False]
    # to a third state, nearer to the second than to the first
    assert states_of([0, 8, 8, 20])[1] == [False] * 4


def test_what_lasts_is_seen_twice_on_both_sides():
    starts = np.zeros((5, 3), bool)
    starts[2, 0] = True  # two dates before, three after
    starts[[2, 3], 1] = True  # an excursion of one date
    starts[4, 2] = True  # the last date alone
    found = lasting(starts, np.ones((5, 3), bool))
    assert found[:, 0].tolist() == [False, False, True, False, False]
    assert not found[:, 1:].any()


def test_calibration_takes_out_gain_and_offset_and_whitens():
    rng = np.random.default_rng(5)
    ground = rng.normal(100, 20, (2, 20_000))
    noise = np.linalg.cholesky([[4.0, 2.0], [2.0, 9.0]])
    dates = [
        gain * (ground + noise @ rng.standard_normal(ground.shape)) + offset
        for gain, offset in ((1.0, 0.0), (1.3, 12.0), (0.8, -5.0), (1.1, 3.0))
    ]
    fitted = fit_calibration(np.stack(dates).astype(np.float32))
    # spreads are of ground and noise, which are alike on all dates
    assert fitted.gain[:, 0] == pytest.approx(
        1 / np.array([1, 1.3, 0.8, 1.1]), rel=0.01
    )
    same = fitted.apply(np.stack(dates).astype(np.float32))
    rest = same - same.mean(axis=0)
    covariance = np.einsum("tin,tjn->ij", rest, rest) / (3 * 20_000)
    assert covariance == pytest.approx(np.eye(2), abs=0.05)
    assert fitted.price == pytest.approx(chi2.ppf(0.999, 2))


@pytest.mark.parametrize("blur", [0.6, 1.0])
def test_half_height_keeps_the_area(blur):
    from scipy.ndimage import gaussian_filter

    fine = np.zeros((480, 480), np.float32)
    fine[123:278, 101:333] = 40.0  # 155 x 232 of a quarter pixel
    seen = gaussian_filter(fine, 4 * blur).reshape(120, 4, 120, 4).mean(axis=(1, 3))
    begun = seen > 4.0  # all that is above the noise: too much
    kept = at_least_half(seen[None], begun)
    truth = 155 * 232 / 16
    assert begun.sum() > 1.06 * truth
    assert kept.sum() == pytest.approx(truth, rel=0.015)


def test_each_class_has_a_height_of_its_own():
    change = np.zeros((1, 40, 40), np.float32)
    change[0, 5:20, 5:35] = 8.0
    change[0, 20:35, 5:35] = -30.0
    begun, kinds = change[0] != 0, np.where(change[0] > 0, 1, 2)
    assert (at_least_half(change, begun, kinds) == begun).all()


@pytest.mark.parametrize("far", [20.0, 400.0, 4000.0])
@pytest.mark.parametrize("profile", [(5.0, 2.0), (10.0, 4.0), (8.0, 3.5), (5.0,)])
def test_a_thin_change_does_not_depend_on_others_in_its_block(profile, far):
    change = np.zeros((3, 160, 200), np.float32)
    change[:, 40:80, 40 : 40 + len(profile)] = profile
    alone = at_least_half(change, change[0] > 0)
    change[:, 100:140, 150:190] = far
    both = at_least_half(change, change[0] > 0)
    assert np.array_equal(both[:90, :110], alone[:90, :110])
    assert alone.sum() == 40  # where it is strongest


@given(
    st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.9, 3.5, 5.0]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_what_is_left_of_a_mask_against_scipy(pixels, height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) > 0.03
    mask[0, 0] = False  # without any pixel outside scipy has no distance
    kept = mask.copy()
    found = eroded(mask, pixels)
    assert (found == (distance_transform_edt(mask) > pixels)).all()
    assert (mask == kept).all()


def test_nothing_is_lost_where_all_is_in_the_mask():
    assert eroded(np.ones((5, 9), np.bool_), 3.5).all()


def test_a_sample_is_thinned_evenly():
    mask = np.zeros((10, 30), bool)
    mask[:, 10:20] = True
    assert thinned(mask, 100) is mask
    found = thinned(mask, 50)
    assert found.sum() == 50
    assert (found <= mask).all()
    assert set(found.sum(axis=1)) <= {4, 5, 6}


def test_small_holes_are_filled_and_large_ones_stay():
    mask = np.ones((30, 30), bool)
    mask[5:8, 5:8] = False  # 9 px
    mask[15:20, 15:20] = False  # 25 px
    mask[0, 0] = False  # at the edge
    holes = small_holes(mask)
    assert holes.sum() == 9
    assert holes[5:8, 5:8].all()


def test_within_is_a_distance():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    rows, cols = np.mgrid[-4:5, -4:5]
    assert (within(mask, 3.0) == (np.hypot(rows, cols) <= 3.0)).all()


def test_rates_by_hand():
    # Puyravaud 2003: a loss of half in ten years
    assert fao_rate(200, 100, 10) == pytest.approx(0.5**0.1 - 1)
    assert puyravaud_rate(200, 100, 10) == pytest.approx(-math.log(2) / 10)
    assert fao_rate(0, 1, 5) is None
    assert puyravaud_rate(10, 0, 5) is None


@given(st.floats(1, 1e6), st.floats(0.1, 2), st.floats(0.5, 40))
def test_both_rates_give_the_last_area_again(first, share, years):
    last = first * share
    q, r = fao_rate(first, last, years), puyravaud_rate(first, last, years)
    assert first * (1 + q) ** years == pytest.approx(last, rel=1e-9)
    assert first * math.exp(r * years) == pytest.approx(last, rel=1e-9)


def test_years_between_dates_of_different_precision():
    assert years_between("1990", "2020") == 30
    assert years_between("1990-07-14", "2020") == 30
    assert years_between("2000-01", "2000-07") == pytest.approx(0.5)
    assert years_between("2019-03-01", "2020-03-01") == pytest.approx(1, abs=0.005)


def test_table_says_what_rates_are_relative_to():
    classes = {
        "forest_loss": Change(cover="forest", direction="loss"),
        "other": Change(cover=None, direction=None),
    }
    intervals = [
        IntervalAreas(
            date_from=str(year),
            date_to=str(year + 10),
            valid=1e7,
            changed={"forest_loss": 1e6, "other": 5e5},
            returning={"forest_loss": 2e5},
            covered={2000: {"forest": 5e6}, 2010: {"forest": 2e6}}[year],
            moved={"forest": -1e6, "bare": 1e6},
        )
        for year in (2000, 2010)
    ]
    given_first = area_rows(intervals, classes, {"forest": 4e6}, {})
    loss = [row for row in given_first if row["class"] == "forest_loss"]
    assert [row["base"] for row in loss] == [
        "forest at 2000", "forest at 2010", "forest at 2000"
    ]  # fmt: skip
    assert [row["base_ha"] for row in loss] == [400, 300, 400]
    assert [row["area_ha"] for row in loss] == [100, 100, 200]
    assert loss[0]["percent_per_year"] == pytest.approx(2.5)
    assert loss[0]["fao_q_percent"] == pytest.approx(100 * (0.75**0.1 - 1))
    assert loss[2]["puyravaud_r_percent"] == pytest.approx(100 * math.log(0.5) / 20)
    assert loss[0]["returning_ha"] == 20
    assert [row["period"] for row in loss] == ["interval", "interval", "whole"]
    by_map = area_rows(intervals, classes, {}, {"forest": 5.5e6})
    bases = [(r["base"], r["base_ha"]) for r in by_map if r["class"] == "forest_loss"]
    assert bases == [
        ("forest at 2000, classified", 500),
        ("forest at 2010, classified", 200),
        ("forest at 2000, classified", 550),
    ]
    assert {r["base"] for r in by_map if r["class"] == "other"} == {"valid area"}


def forest_lost(first, last, area):
    return IntervalAreas(
        date_from=first,
        date_to=last,
        valid=1e7,
        changed={"forest_loss": area},
        returning={},
        moved={"forest": -area, "built_up": area},
    )


def test_a_bridged_interval_starts_from_what_was_there_at_its_beginning():
    loss = {"forest_loss": Change(cover="forest", direction="loss")}
    intervals = [
        forest_lost("1990", "1995", 1e6),
        forest_lost("1995", "2000", 3e6),
        forest_lost("1990", "2000", 5e5),
    ]
    rows = area_rows(intervals, loss, {"forest": 1e7}, {})
    assert [row["base_ha"] for row in rows[:3]] == [1000, 900, 1000]


def test_forest_that_became_water_is_no_forest_later():
    """No class of loss tells of it, the covers before and after do."""
    classes = {
        "forest_loss": Change(cover="forest", direction="loss"),
        "water_gain": Change(cover="water", direction="gain"),
    }
    intervals = [
        IntervalAreas(
            date_from=first,
            date_to=last,
            valid=1e7,
            changed={"forest_loss": 1e5, "water_gain": 2e6},
            returning={},
            moved={"forest": -2.1e6, "water": 2e6, "bare": 1e5},
        )
        for first, last in (("1990", "2000"), ("2000", "2010"))
    ]
    rows = area_rows(intervals, classes, {"forest": 5e6, "water": 1e6}, {})
    bases = {row["base"]: row["base_ha"] for row in rows}
    assert bases == {
        "forest at 1990": 500,
        "water at 1990": 100,
        "forest at 2000": 290,
        "water at 2000": 300,
    }


def test_covers_are_summed_where_dates_are_compared():
    """Three dates of four pixels: forest 1, water 2; the second date has a gap."""
    sums = CoverSums(3)
    covers = np.array([[[1, 1, 2, 1]], [[1, 0, 2, 2]], [[2, 2, 2, 0]]], np.uint8)
    since = np.array([[[1, 0, 1, 1]], [[2, 1, 2, 0]]], np.uint8)
    sums.add(covers, since, np.array([[10.0, 20.0, 30.0, 40.0]]))
    found = sums.covered()
    first, second = list(COVERS)[:2]
    assert [(one[first], one[second]) for one in found.dates] == [
        (70, 30), (10, 70), (0, 60)
    ]  # fmt: skip
    pairs = {pair: (one[first], one[second]) for pair, one in found.pairs.items()}
    assert pairs == {(0, 1): (50, 30), (1, 2): (10, 30), (0, 2): (20, 0)}
    assert (found.first[first], found.first[second]) == (70, 30)


def test_the_whole_time_begins_where_the_first_interval_does():
    """West at first, east on the second date, both on the third."""
    loss = {"forest_loss": Change(cover="forest", direction="loss")}
    intervals = [forest_lost("1995", "2000", 1e6), forest_lost("1990", "2000", 2e6)]
    whole = area_rows(intervals, loss, {}, {}, compared=1.5e7)[-1]
    assert (whole["date_from"], whole["date_to"]) == ("1990", "2000")
    assert (whole["years"], whole["area_ha"], whole["base_ha"]) == (10, 300, 1500)


def test_dates_without_time_between_have_no_rates():
    loss = {"forest_loss": Change(cover="forest", direction="loss")}
    row = area_rows([forest_lost("2020", "2020-07", 1e6)], loss, {}, {})[0]
    assert row["area_ha"] == 100
    assert row["ha_per_year"] is None
    assert row["percent_per_year"] is None


def test_without_a_crs_areas_are_pixels():
    loss = {"forest_loss": Change(cover="forest", direction="loss")}
    row = in_pixels(area_rows([forest_lost("2000", "2010", 500.0)], loss, {}, {})[0])
    assert row["area_px"] == pytest.approx(500)
    assert row["px_per_year"] == pytest.approx(50)
    assert row["base_px"] == pytest.approx(1e7)
    assert "area_ha" not in row


def test_what_came_across_a_gap_is_pale_in_the_chart():
    bars = Bars(
        labels=["1990", "2000"],
        values={"forest_loss": [0.0, 10.0]},
        bridged={"forest_loss": [0.0, 30.0]},
        colours={"forest_loss": (90, 0, 30, 255)},
        names={"forest_loss": "forest loss"},
        below=frozenset({"forest_loss"}),
        unit="ha",
    )
    svg = chart_svg(bars)
    own, pale = (
        float(re.search(rf'height="([0-9.]+)" fill="rgb\({rgb}\)"><title>2', svg)[1])
        for rgb in ("90,0,30", "200,170,180")
    )
    assert pale == pytest.approx(3 * own, rel=0.01)
    assert "30.00 ha, or before" in svg
    assert "across a gap" in svg


def test_a_chart_of_nothing_has_an_axis_to_one():
    bars = Bars(
        labels=["1990", "2000"],
        values={},
        colours={},
        names={},
        below=frozenset(),
        unit="ha",
    )
    svg = chart_svg(bars)
    assert ">0</text>" in svg
    assert ">1</text>" in svg
    assert "e-" not in svg
