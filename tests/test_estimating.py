"""Accuracy and area from samples: published examples, formulas, simulated maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosim.assessment.allocation import (
    allocate,
    expected_se,
    least_size,
    rare_least,
    sample_size,
)
from geosim.assessment.drawing import columns_of, draw, run_counts
from geosim.assessment.estimating import NORMAL_95, estimate, tally

Z = NORMAL_95
PRINTED = 0.0051
"""Figures that are printed with two digits."""

# Olofsson et al. 2014, table 8: samples, rows as mapped, columns in truth;
# deforestation, forest gain, stable forest, stable non-forest; pixels of 30 m
TABLE_8 = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS_8 = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES = 0.09

# The examples 1 and 2 of Olofsson et al. 2013 as the documentation of the R package
# mapaccuracy has them (github.com/hagc/mapaccuracy, man/olofsson.Rd)
EXAMPLE_1 = np.array([[97, 0, 3], [3, 279, 18], [2, 1, 97]])
SIZES_1 = np.array([22_353, 1_122_543, 610_228])
EXAMPLE_2 = np.array([[127, 66, 54], [2, 322, 17], [0, 15, 540]])
SIZES_2 = np.array([0.007, 0.295, 0.698])

# The numerical example of Stehman 2014, in the same package's man/stehman2014.Rd:
# strata A, B, C, D; map class and truth of ten samples of each
STRATA = np.repeat(np.arange(4), 10)
MAPPED = np.array([0] * 7 + [1] * 3 + [0] + [1] * 11 + [2] * 6 + [1, 1] + [3] * 10)
TRUTH = np.array(
    [
        *(0, 0, 0, 0, 0, 2, 1, 0, 1, 2),
        *(0, 1, 1, 1, 1, 1, 0, 0, 1, 1),
        *(2, 2, 2, 2, 2, 3, 3, 1, 1, 0),
        *(3, 3, 3, 3, 3, 3, 3, 2, 2, 1),
    ]
)
POPULATION = np.array([40_000, 30_000, 20_000, 10_000])


def of_matrix(matrix):
    """An error matrix of samples whose strata are the map's classes, as counts."""
    count = len(matrix)
    counts = np.zeros((count, count, count), int)
    counts[np.arange(count), np.arange(count)] = matrix
    return counts


def by_the_paper(matrix, sizes):
    """Equations 1 to 11 of Olofsson et al. 2014, one by one."""
    n, q = np.array(matrix, float), len(matrix)
    w = np.array(sizes, float) / np.sum(sizes)
    rows = n.sum(axis=1)
    p = np.array([[w[i] * n[i, j] / rows[i] for j in range(q)] for i in range(q)])
    overall = sum(p[j, j] for j in range(q))
    users = [p[i, i] / p[i].sum() for i in range(q)]
    producers = [p[j, j] / p[:, j].sum() for j in range(q)]
    overall_v = sum(
        w[i] ** 2 * users[i] * (1 - users[i]) / (rows[i] - 1) for i in range(q)
    )
    users_v = [users[i] * (1 - users[i]) / (rows[i] - 1) for i in range(q)]
    producers_v, areas_v = [], []
    for j in range(q):
        size = sum(sizes[i] / rows[i] * n[i, j] for i in range(q))
        first = sizes[j] ** 2 * (1 - producers[j]) ** 2 * users_v[j]
        others = sum(
            sizes[i] ** 2 * n[i, j] / rows[i] * (1 - n[i, j] / rows[i]) / (rows[i] - 1)
            for i in range(q)
            if i != j
        )
        producers_v.append((first + producers[j] ** 2 * others) / size**2)
        areas_v.append(
            sum((w[i] * p[i, j] - p[i, j] ** 2) / (rows[i] - 1) for i in range(q))
        )
    return {
        "matrix": p,
        "overall": overall,
        "overall_se": np.sqrt(overall_v),
        "users": users,
        "users_se": np.sqrt(users_v),
        "producers": producers,
        "producers_se": np.sqrt(producers_v),
        "areas": p.sum(axis=0),
        "areas_se": np.sqrt(areas_v),
    }


def by_stehman(strata, mapped, truth, sizes):
    """Stehman 2014, equations 3, 25, 27 and 28, sample by sample."""
    total, h_all = sizes.sum(), range(len(sizes))

    def ratio(y, x):
        ys = [y[strata == h] for h in h_all]
        xs = [x[strata == h] for h in h_all]
        above = sum(sizes[h] * ys[h].mean() for h in h_all)
        below = sum(sizes[h] * xs[h].mean() for h in h_all)
        r, v = above / below, 0.0
        for h in h_all:
            n = len(ys[h])
            cov = np.cov(ys[h], xs[h])
            spread = cov[0, 0] + r**2 * cov[1, 1] - 2 * r * cov[0, 1]
            v += sizes[h] ** 2 * (1 - n / sizes[h]) * spread / n
        return r, np.sqrt(v) / below

    one = np.ones(len(strata))
    hit = (mapped == truth).astype(float)
    found = {"overall": ratio(hit, one)}
    for k in range(4):
        is_map, is_true = (mapped == k).astype(float), (truth == k).astype(float)
        found[f"area {k}"] = ratio(is_true, one)
        found[f"user {k}"] = ratio(is_map * is_true, is_map)
        found[f"producer {k}"] = ratio(is_map * is_true, is_true)
    assert total == 100_000
    return found


@pytest.mark.parametrize(
    ("matrix", "sizes"),
    [(TABLE_8, PIXELS_8), (EXAMPLE_1, SIZES_1), (EXAMPLE_2, SIZES_2)],
    ids=["2014 table 8", "2013 example 1", "2013 example 2"],
)
def test_equals_the_equations_of_the_paper(matrix, sizes):
    found = estimate(of_matrix(matrix), sizes)
    for name, wanted in by_the_paper(matrix, sizes).items():
        np.testing.assert_allclose(getattr(found, name), wanted, atol=1e-12)


def test_deforestation_example_as_printed():
    # Olofsson et al. 2014, page 54
    found = estimate(of_matrix(TABLE_8), PIXELS_8)
    np.testing.assert_allclose(found.users, [0.88, 0.73, 0.93, 0.96], atol=PRINTED)
    margin = Z * found.users_se
    np.testing.assert_allclose(margin, [0.07, 0.10, 0.04, 0.02], atol=PRINTED)
    np.testing.assert_allclose(found.producers, [0.75, 0.85, 0.93, 0.96], atol=PRINTED)
    # those of forest gain and stable non-forest are printed as 0.23 and 0.01, which
    # equation 7 of the paper itself does not give
    margin = Z * found.producers_se[[0, 2]]
    np.testing.assert_allclose(margin, [0.21, 0.03], atol=PRINTED)
    assert found.overall == pytest.approx(0.95, abs=PRINTED)
    assert found.overall_se * Z == pytest.approx(0.02, abs=PRINTED)
    hectares = PIXELS_8.sum() * HECTARES
    np.testing.assert_allclose(
        found.areas * hectares, [21_158, 11_686, 285_770, 581_386], atol=0.5
    )
    np.testing.assert_allclose(
        found.areas_se * 1.96 * hectares, [6_158, 3_756, 15_510, 16_282], atol=0.5
    )


def test_example_of_2013_by_hand():
    # area of class 1: 0.012736 * 0.97 + 0.639580 * 3/300 + 0.347684 * 2/100
    found = estimate(of_matrix(EXAMPLE_1), SIZES_1)
    assert found.areas[0] * SIZES_1.sum() == pytest.approx(
        22_353 * 0.97 + 1_122_543 * 0.01 + 610_228 * 0.02, abs=1e-6
    )
    assert found.users[0] == pytest.approx(0.97, abs=1e-12)
    assert found.producers[0] == pytest.approx(21_682.41 / 45_112.40, abs=1e-6)


def test_strata_that_are_not_classes_as_printed():
    # Stehman 2014, pages 4932 to 4936
    counts = tally(STRATA, MAPPED, TRUTH, strata_count=4, classes=4)
    found = estimate(counts, POPULATION, POPULATION)
    assert found.areas[[0, 2]] == pytest.approx([0.35, 0.20], abs=1e-12)
    assert found.overall == pytest.approx(0.63, abs=1e-12)
    assert found.users[1] == pytest.approx(0.574, abs=5e-4)
    assert found.producers[1] == pytest.approx(0.794, abs=5e-4)
    assert found.matrix[1, 2] == pytest.approx(0.08, abs=1e-12)
    assert found.areas_se[[0, 2]] == pytest.approx([0.082, 0.064], abs=5e-4)
    assert found.overall_se == pytest.approx(0.085, abs=5e-4)
    assert found.users_se[1] == pytest.approx(0.125, abs=5e-4)
    assert found.producers_se[1] == pytest.approx(0.117, abs=5e-4)


def test_strata_that_are_not_classes_as_r_prints_it():
    # the same example by aa_stratified of the R package mapac, without finite
    # population correction
    counts = tally(STRATA, MAPPED, TRUTH, strata_count=4, classes=4)
    found = estimate(counts, POPULATION)
    printed = {
        "users": [0.7419355, 0.5744681, 0.5000000, 0.7000000],
        "users_se": [0.1645627, 0.1248023, 0.2151657, 0.1527525],
        "producers": [0.6571429, 0.7941176, 0.3000000, 0.6363636],
        "producers_se": [0.1477318, 0.1165671, 0.1504438, 0.1623242],
    }
    for name, wanted in printed.items():
        np.testing.assert_allclose(getattr(found, name), wanted, atol=6e-8)
    cells = found.matrix * POPULATION.sum()
    assert cells[0] == pytest.approx([23_000, 4_000, 4_000, 0])
    assert cells[1] == pytest.approx([12_000, 27_000, 8_000, 0])


def test_strata_that_are_not_classes_sample_by_sample():
    counts = tally(STRATA, MAPPED, TRUTH, strata_count=4, classes=4)
    found = estimate(counts, POPULATION, POPULATION)
    for name, (value, error) in by_stehman(STRATA, MAPPED, TRUTH, POPULATION).items():
        kind, _, number = name.partition(" ")
        field = {"area": "areas", "user": "users", "producer": "producers"}
        place = int(number) if number else ...
        which = field.get(kind, "overall")
        assert getattr(found, which)[place] == pytest.approx(value, abs=1e-12)
        errors = getattr(found, f"{which}_se")
        assert errors[place] == pytest.approx(error, abs=1e-12)


def test_many_samples_at_once_are_as_one_by_one():
    both = np.stack([of_matrix(TABLE_8), 2 * of_matrix(TABLE_8)])
    together = estimate(both, PIXELS_8)
    for number in range(2):
        alone = estimate(both[number], PIXELS_8)
        for name, value in vars(alone).items():
            np.testing.assert_allclose(getattr(together, name)[number], value)


def test_class_that_no_map_pixel_has():
    counts = np.zeros((1, 2, 2), int)
    counts[0, 0] = [8, 2]
    found = estimate(counts, np.array([100.0]))
    assert found.areas == pytest.approx([0.8, 0.2])
    assert np.isnan(found.users[1])
    assert found.producers[1] == 0.0


def test_too_few_answers():
    counts = of_matrix([[5, 1], [0, 1]])
    with pytest.raises(ValueError, match="two answers"):
        estimate(counts, np.array([10, 10]))


@given(st.integers(0, 10_000))
def test_matrix_adds_up(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (3, 4, 4))
    counts[:, 0, 0] += 2
    sizes = rng.uniform(0.1, 5, 3)
    found = estimate(counts, sizes)
    assert found.matrix.sum() == pytest.approx(1.0)
    assert found.overall == pytest.approx(np.trace(found.matrix))
    np.testing.assert_allclose(found.areas, found.matrix.sum(axis=0))
    # a class and all others together have one error
    rest = np.stack([counts[..., 1:].sum(-1), counts[..., 0]], axis=-1)
    two = np.stack([rest[:, 1:].sum(1), rest[:, 0]], axis=1)
    assert estimate(two, sizes).areas_se[1] == pytest.approx(found.areas_se[0])


# --- how many, and where


def test_sample_size_of_the_paper():
    shares = np.array([0.02, 0.015, 0.32, 0.645])
    expected = np.array([0.70, 0.60, 0.90, 0.95])
    assert least_size(shares, expected, 0.01, 10_000_000) == 641


def test_sample_size_of_a_small_map():
    # (0.5 * 0.3 + 0.5 * 0.3)^2 / (0.01 + 0.09 / 100) = 8.257
    half = np.array([0.5, 0.5])
    assert least_size(half, np.array([0.9, 0.9]), 0.1, 100) == 9


@pytest.mark.parametrize("how", ["neyman", "rare", "equal", "proportional"])
@pytest.mark.parametrize("rare", [50_000, 5_000, 300])
def test_a_size_is_enough_for_its_allocation_and_one_less_is_not(how, rare):
    pixels, expected = np.array([1_000_000 - rare, rare]), np.array([0.95, 0.7])
    shares = pixels / pixels.sum()

    def spread(total):
        return allocate(total, pixels, how, expected)

    size = sample_size(shares, expected, 0.01, pixels, spread)
    errors = [
        expected_se(shares, expected, spread(number), pixels)
        for number in (size - 1, size)
    ]
    assert errors[1] <= 0.01 < errors[0]
    least = least_size(shares, expected, 0.01, 1_000_000)
    assert least <= size < (1.03 if how == "neyman" else 2.5) * least


def test_a_standard_error_by_hand():
    found = expected_se(
        np.array([0.6, 0.4]), np.array([0.9, 0.5]), np.array([9, 4]), np.array([90, 16])
    )
    whole, part = 0.36 * 0.09 / 9 * 0.9, 0.16 * 0.25 / 4 * 0.75
    assert found**2 == pytest.approx(whole + part)


def test_allocations_by_hand():
    assert allocate(640, PIXELS_8, "equal").tolist() == [160] * 4
    assert allocate(1000, PIXELS_8, "proportional").tolist() == [20, 15, 320, 645]
    assert allocate(641, PIXELS_8, "rare", least=100).tolist() == [100, 100, 146, 295]
    assert allocate(300, np.array([10_000, 990_000]), "rare").tolist() == [75, 225]
    assert [rare_least(300, 2), rare_least(300, 4), rare_least(900, 2)] == [75, 50, 100]
    # eight strata of 300: 200 for seven of them, the rest goes by size
    assert rare_least(300, 8) == 28
    # 0.2 * 0.4 to 0.8 * 0.3
    spread = allocate(
        100, np.array([2000, 8000]), "neyman", accuracies=np.array([0.8, 0.9])
    )
    assert spread.tolist() == [25, 75]
    # no more than there are
    assert allocate(100, np.array([7, 5000]), "equal").tolist() == [7, 93]


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=6),
    st.integers(2, 400),
    st.sampled_from(["rare", "equal", "proportional", "neyman"]),
)
def test_allocations_add_up(pixels, each, how):
    held = np.array(pixels)
    total = each * len(held)
    found = allocate(total, held, how)
    assert found.sum() == min(total, held.sum())
    assert (found <= held).all()
    assert (found >= np.minimum(held, 2)).all()


def test_rows_and_columns_by_hand():
    strata = np.array([[0, 1, 1, 255], [1, 255, 0, 1]], np.uint8)
    assert run_counts(strata, 2, 4).tolist() == [[1, 1], [2, 2]]
    assert run_counts(strata, 2, 3).tolist() == [[1, 0, 1, 0], [2, 0, 1, 1]]
    assert columns_of(strata[1], 1, np.array([1, 0])).tolist() == [3, 0]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9), st.integers(1, 60))
def test_drawn_pixels_are_there_once(counts, number):
    held = np.array(counts)
    rng = np.random.default_rng(1)
    drawn = draw(held, np.linspace(1, 2, len(held)), number, rng)
    assert len(drawn) == min(number, held.sum())
    assert len(np.unique(drawn, axis=0)) == len(drawn)
    assert (drawn[:, 1] >= 0).all()
    assert (drawn[:, 1] < held[drawn[:, 0]]).all()


def test_draw_follows_the_area():
    # rows of 1000 pixels, of which the second has three times the area of the first
    rng = np.random.default_rng(0)
    areas = np.array([1.0, 3.0])
    drawn = [draw(np.array([1000, 1000]), areas, 40, rng) for _ in range(300)]
    share = np.concatenate(drawn)[:, 0].mean()
    assert share == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 12_000))


def test_a_large_share_is_drawn_as_a_small_one():
    """Looking at all pixels gives the chances of drawing one by one."""
    areas, counts = np.array([1.0, 4.0, 9.0]), np.array([4, 3, 3])
    pixels = np.repeat([0, 1, 2], counts)
    rng, drawn, expected = np.random.default_rng(0), np.zeros(3), np.zeros(3)
    times, number = 4000, 5
    for _ in range(times):
        drawn += np.bincount(draw(counts, areas, number, rng)[:, 0], minlength=3)
        left = areas[pixels]
        for _ in range(number):
            one = rng.choice(10, p=left / left.sum())
            expected[pixels[one]] += 1
            left[one] = 0.0
    assert np.allclose(drawn / times, expected / times, atol=0.08)
    assert expected[0] / times < 1.5  # of 4, where all alike would give 2


def test_almost_all_are_drawn_at_once():
    counts = np.full(100, 100)
    found = draw(counts, np.linspace(1, 2, 100), 9_999, np.random.default_rng(0))
    assert len(np.unique(found, axis=0)) == 9_999


def test_a_stratum_of_one_pixel_is_known():
    counts = np.zeros((2, 2, 2), np.int64)
    counts[0] = [[45, 5], [0, 0]]
    counts[1, 1, 1] = 1
    with pytest.raises(ValueError, match="or all it can have"):
        estimate(counts, [99, 1])
    found = estimate(counts, [99, 1], least=np.array([2, 1]))
    assert found.areas[1] == pytest.approx(0.99 * 0.1 + 0.01)
    assert found.areas_se[1] == pytest.approx(0.99 * np.sqrt(0.1 * 0.9 / 49))


# --- does the interval hold the truth as often as it says?

MAPS, SIDE = 1000, 160


def simulated(rng):
    """A truth with patches of change, and a map of it that errs."""
    truth = np.zeros((SIDE, SIDE), bool)
    for _ in range(rng.integers(6, 14)):
        row, col = rng.integers(0, SIDE - 25, 2)
        height, width = rng.integers(8, 25, 2)
        truth[row : row + height, col : col + width] = True
    missed = truth & (rng.random(truth.shape) < rng.uniform(0.1, 0.3))
    false = ~truth & (rng.random(truth.shape) < rng.uniform(0.01, 0.05))
    return truth, (truth & ~missed) | false


def covered(*, buffer=False, samples=400):
    """Share of 1000 simulated maps whose interval holds the true area; mean error."""
    rng = np.random.default_rng(2014)
    held, errors = [], []
    for _ in range(MAPS):
        truth, mapped = simulated(rng)
        strata = mapped.astype(np.uint8)
        if buffer:
            near = np.zeros_like(mapped)
            near[1:] |= mapped[:-1]
            near[:, 1:] |= mapped[:, :-1]
            strata[near & ~mapped] = 2
        count = 3 if buffer else 2
        rows = run_counts(strata, count, SIDE)
        pixels = rows.sum(axis=1)
        numbers = allocate(samples, pixels, "rare")
        counts = np.zeros((count, 2, 2), int)
        for one in range(count):
            drawn = draw(rows[one], np.ones(SIDE), int(numbers[one]), rng)
            cols = [columns_of(strata[r], one, np.array([k]))[0] for r, k in drawn]
            answers = truth[drawn[:, 0], cols].astype(int)
            counts[one, int(one == 1)] = np.bincount(answers, minlength=2)
        found = estimate(counts, pixels, pixels if buffer else None)
        error = found.areas[1] - truth.mean()
        held.append(abs(error) <= Z * found.areas_se[1])
        errors.append(error / truth.mean())
    return np.mean(held), np.mean(errors)


@pytest.mark.parametrize("buffer", [False, True], ids=["classes", "buffer"])
def test_interval_holds_the_truth(buffer):
    share, bias = covered(buffer=buffer)
    assert 0.93 <= share <= 0.97
    assert abs(bias) < 0.02
