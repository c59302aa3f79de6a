"""Radiometry: against scikit-image and answers worked by hand."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from rasters import crop
from skimage.exposure import match_histograms

from geosim import ChangeOptions, detect_change
from geosim.change.scores import UNIT_LEVELS
from geosim.raster.matching import _counted
from geosim.raster.radiometry import fit

SHOWN = (300, 300, 320, 320)
"""Columns and rows of a part of the sample data in which something changed."""


def apply_flat(model, before, after, valid=None):
    """Apply to (bands, n) samples."""
    shape = (1, before.shape[1])
    valid = np.ones(shape, bool) if valid is None else valid[None]
    one, two = model.apply(before[:, None], after[:, None], valid)
    return one[:, 0], two[:, 0]


def bytes_sample(seed, n=40_000):
    rng = np.random.default_rng(seed)
    before = np.clip(rng.normal((90, 120, 60), (30, 20, 25), (n, 3)), 0, 255)
    after = np.clip(0.7 * before + 40 + rng.normal(0, 4, (n, 3)), 0, 255)
    return before.round().T.astype(np.float32), after.round().T.astype(np.float32)


def test_bytes_match_as_scikit_image_does():
    before, after = bytes_sample(1)
    _, matched = apply_flat(fit(before, after, dtype="uint8"), before, after)
    wanted = match_histograms(after, before, channel_axis=0)
    off = np.abs(matched * 255 - wanted)
    # they share a level's pixels at its middle, scikit-image at its end
    assert off.mean() < 0.75
    assert np.quantile(off, 0.999) < 3


@pytest.mark.parametrize(
    "values",
    [
        [3, 0, 255, 3, 7, 3],
        [-200, 9000, -200, 32767],
        [5, 5],
        [0.5, 2, 0.5, 1],  # not whole
        [1e8, 1, 1e8],  # too large to be counted
    ],
)
def test_counts_are_those_of_sorting(values):
    values = np.array(values, np.float32)
    found = _counted(values)
    for one, two in zip(found, np.unique(values, return_counts=True), strict=True):
        assert one.dtype == two.dtype
        assert one.tolist() == two.tolist()


def test_few_floats_match_as_scikit_image_does():
    rng = np.random.default_rng(2)
    before = np.sort(rng.gamma(2, 100, (2, 990))).astype(np.float32)
    after = np.sort(5 * rng.gamma(2, 100, (2, 990)) + 7).astype(np.float32)
    model = fit(before, after, dtype="float32")
    _, matched = apply_flat(model, before, after)
    wanted = match_histograms(after, before, channel_axis=0)
    scaled = np.clip(
        (wanted - model.low[:, None]) / (model.high - model.low)[:, None], 0, 1
    )
    assert matched == pytest.approx(scaled, abs=1e-5)


def test_many_floats_match_as_scikit_image_does():
    rng = np.random.default_rng(3)
    before = np.sort(rng.gamma(2, 100, (1, 20_000))).astype(np.float32)
    after = np.sqrt(before) + np.float32(3)
    model = fit(before, after, dtype="uint16")
    _, matched = apply_flat(model, before, after)
    wanted = match_histograms(after, before, channel_axis=0)
    scaled = np.clip((wanted - model.low) / (model.high - model.low), 0, 1)
    assert matched == pytest.approx(scaled, abs=0.01)
    assert np.abs(matched - scaled).mean() < 0.0005


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_any_rising_curve_is_undone(dtype):
    before, _ = bytes_sample(4)
    after = (before**0.8 * 2 + 5).astype(np.float32)
    one, two = apply_flat(fit(before, after, dtype=dtype), before, after)
    assert two == pytest.approx(one, abs=0.006)


def test_matching_is_per_band():
    before = np.array([[0, 100, 200], [10, 20, 30]], np.float32)
    after = np.array([[1, 2, 3], [30, 20, 10]], np.float32)
    model = fit(before, after, dtype="uint8")
    _, two = apply_flat(model, before, after)
    matched = model.low[:, None] + two * (model.high - model.low)[:, None]
    # what lies outside of the range is cut off: percentiles 1 and 99 are 2 and 198
    wanted = np.array([[2, 100, 198], [30, 20, 10]])
    assert matched[0] == pytest.approx(wanted[0], abs=2.01)
    assert matched[1] == pytest.approx(wanted[1], abs=1e-3)


def test_changed_pixels_stay_changed():
    before, after = bytes_sample(5)
    after[:, :400] = 255 - after[:, :400]
    one, two = apply_flat(fit(before, after, dtype="uint8"), before, after)
    difference = np.abs(one - two).mean(axis=0)
    assert difference[:400].mean() > 5 * difference[400:].mean()


def test_linear_by_hand():
    # quartiles 25, 50, 75 become 50, 100, 150: a gain of 2 and an offset of 0
    after = np.arange(0, 101, dtype=np.float32)[None]
    before = after * 2
    model = fit(before, after, dtype="uint8", how="linear")
    _, two = apply_flat(model, before, after)
    assert two == pytest.approx(before / 255, abs=1e-6)


def test_linear_is_not_led_by_few_changes():
    before, after = bytes_sample(6)
    undone = apply_flat(fit(before, after, dtype="uint8", how="linear"), before, after)
    after[:, :400] = 255
    spoilt = apply_flat(fit(before, after, dtype="uint8", how="linear"), before, after)
    assert undone[1][:, 400:] == pytest.approx(spoilt[1][:, 400:], abs=0.02)


def test_none_leaves_date_2():
    before, after = bytes_sample(7)
    one, two = apply_flat(fit(before, after, dtype="uint8", how="none"), before, after)
    assert one == pytest.approx(before / 255)
    assert two == pytest.approx(after / 255)


def test_bytes_keep_their_range():
    before = np.array([[20, 110, 220]], np.float32)
    one, _ = apply_flat(fit(before, before, dtype="uint8"), before, before)
    assert one == pytest.approx(before / 255)


def test_bytes_that_take_a_small_part_of_their_range_are_stretched():
    # percentiles 1 and 99 of 40..100 are 40.6 and 99.4
    before = np.arange(40, 101, dtype=np.float32)[None]
    model = fit(before, before, dtype="uint8")
    assert model.low == pytest.approx([40.6], abs=1e-4)
    assert model.high == pytest.approx([99.4], abs=1e-4)


def spread(widths):
    """Evenly spread values from 0, of which 98 % take so many levels."""
    return np.linspace(0, np.array(widths) / 0.98, 201, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("widths", "kept"),
    [
        ((50, 50, 50, 250), False),  # the infrared says nothing: the mean would be 100
        ((50, 50, 50, 250, 250, 250, 250), False),  # nor where there is more of it
        ((250, 60, 60), False),  # one wide band of three: the mean would be 123
        ((85, 85), False),
        ((250, 115, 60), True),
        ((115, 115, 30), True),  # one narrow band of three: the mean would be 87
        ((115, 115, 30, 30, 30), True),
        ((115,), True),
    ],
)
def test_two_of_the_first_three_bands_tell_whether_bytes_are_stretched(widths, kept):
    before = spread(widths)
    model = fit(before, before, dtype="uint8")
    shown = model.high - model.low
    assert shown == pytest.approx([255] * len(widths) if kept else widths, abs=2.01)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_picture_of_more_bits_keeps_its_colours(dtype):
    # percentiles 1 and 99 of 40..100 are 40.6 and 99.4, the other bands' lie between:
    # a width of 58.8 that is 3/4 of the range of 78.4
    rows = [np.linspace(low, 140 - low, 101) for low in (40, 50, 60)]
    before = np.array(rows, np.float32)
    model = fit(before, before, dtype=dtype)
    assert model.low == pytest.approx([30.8] * 3, abs=1e-3)
    assert model.high == pytest.approx([109.2] * 3, abs=1e-3)
    grey, _ = apply_flat(model, np.full((3, 1), 70.0), np.full((3, 1), 70.0))
    assert grey == pytest.approx(np.full((3, 1), 0.5), abs=1e-5)


def test_a_band_of_another_unit_is_seen_in_a_picture_too():
    rows = np.linspace(0, 1, 101)
    before = np.array([2000 * rows, 3000 * rows + 500, 10 * rows + 400], np.float32)
    model = fit(before, before, dtype="float32")
    shown, _ = apply_flat(model, before, before)
    assert np.ptp(shown, axis=1)[2] == pytest.approx(0.25, abs=0.01)
    assert shown[2].min() > 0
    assert shown[2].max() < 1


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_a_range_that_narrows_is_stretched_by_and_by(bands):
    """No step at any width; the ends are a picture's and a sensor's counts."""
    widths = np.linspace(130, 70, 601)
    ranges = []
    for width in widths:
        before = 20 + spread([width] * bands)
        model = fit(before, before, dtype="uint8")
        ranges.append([model.low, model.high])
    ranges = np.array(ranges)
    # a tenth of a level less: at most 1.2 levels of either end, 0.8 % of the width
    steps = np.abs(np.diff(ranges, axis=0))
    assert steps.max() < 1.2
    assert (steps[:, 1].min(axis=1)[200:400] > 0).all()
    kept, stretched = widths > 112, widths < 88
    assert (ranges[kept, 0] == 0).all()
    assert (ranges[kept, 1] == 255).all()
    shown = (ranges[:, 1] - ranges[:, 0])[stretched]
    wanted = np.broadcast_to(widths[stretched, None], shown.shape)
    assert shown == pytest.approx(wanted, abs=1e-3)


def test_bytes_that_show_hardly_anything_stay_calm():
    before = np.array([[70, 70, 70, 74, 74, 74]], np.float32)
    model = fit(before, before, dtype="uint8")
    assert model.low == pytest.approx([72 - 16], abs=0.1)
    assert model.high == pytest.approx([72 + 16], abs=0.1)


@pytest.mark.slow
def test_the_map_of_a_scene_that_fills_less_and_less_changes_by_and_by(
    sample_pair, tmp_path
):
    """The same place with 116 levels, 114 and so on to 84: no step between two maps."""
    kept = [crop(path, tmp_path / path.name, SHOWN) for path in sample_pair]
    filled = np.median(np.subtract(*np.percentile(read_all(kept[0]), (99, 1), (1, 2))))
    maps = []
    for levels in range(116, 83, -2):
        pair = [narrowed(path, levels / filled) for path in kept]
        result = detect_change(*pair, tmp_path / str(levels), ChangeOptions(threads=1))
        maps.append(read_all(result.paths["difference"])[0] / UNIT_LEVELS)
    steps = [float(np.abs(two[1] - two[0]).mean()) for two in pairwise(maps)]
    assert max(steps) < 0.012
    assert np.abs(maps[0] - maps[-1]).mean() > 2 * max(steps)


def read_all(path):
    with rasterio.open(path) as file:
        return file.read()


def narrowed(path, share):
    """A copy of the file whose values take a share of the levels that they took."""
    target = path.with_name(f"{path.stem}_{share:.4f}.tif")
    shutil.copy(path, target)
    with rasterio.open(target, "r+") as file:
        file.write(np.rint(40 + share * file.read()).astype("uint8"))
    return target


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_large_change_is_not_matched_away(dtype):
    before, after = bytes_sample(10)
    stayed = after.copy()
    after[:, :6000] = np.array([[220], [40], [200]], np.float32)
    spoilt = fit(before, after, dtype=dtype)
    one, two = apply_flat(spoilt, before, after)
    _, wanted = apply_flat(fit(before, stayed, dtype=dtype), before, stayed)
    assert np.abs(two - wanted)[:, 6000:].mean() < 0.01
    # date 2 is 0.7 x + 40: (220 - 40) / 0.7 = 257, 0, (200 - 40) / 0.7 = 229
    low, high = spoilt.low[:, None], spoilt.high[:, None]
    shown = np.clip((np.array([[257], [0], [229]]) - low) / (high - low), 0, 1)
    assert two[:, :6000] == pytest.approx(shown.repeat(6000, axis=1), abs=0.1)
    assert np.abs(one - two)[:, :6000].mean() > 5 * np.abs(one - two)[:, 6000:].mean()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("how", ["histogram", "linear"])
def test_beyond_the_sample_the_curve_goes_on(dtype, how):
    """Date 2 is 2 x + 20; of what the sample does not hold, too."""
    before = np.random.default_rng(3).integers(60, 90, (3, 5000)).astype(np.float32)
    model = fit(before, 2 * before + 20, dtype=dtype, how=how, whole=dtype != "float32")
    outside = np.array([[[0.0, 40.0, 58.0, 91.0, 100.0, 117.0]]] * 3, np.float32)
    one, two = model.apply(outside, 2 * outside + 20, np.ones((1, 6), bool))
    assert two == pytest.approx(one, abs=0.01)


def test_a_date_beside_itself_stays_the_same_beyond_the_sample():
    before = np.random.default_rng(4).integers(0, 200, (1, 5000)).astype(np.float32)
    model = fit(before, before, dtype="uint8", whole=True)
    levels = np.arange(256, dtype=np.float32)[None, None]
    assert np.array_equal(*model.apply(levels, levels, np.ones((1, 256), bool)))


@pytest.mark.parametrize("how", ["histogram", "linear"])
def test_the_unit_does_not_matter(how):
    """Radiances in W and in nW: the same numbers but for rounding."""
    before, after = (one / 255 for one in bytes_sample(5))
    large, small = (
        apply_flat(
            fit(before * unit, after * unit, dtype="float32", how=how),
            before * unit,
            after * unit,
        )
        for unit in (np.float32(1.0), np.float32(1e-9))
    )
    assert np.array(large) == pytest.approx(np.array(small), abs=1e-3)


def test_other_types_are_stretched_between_percentiles():
    before = np.linspace(1000, 3000, 1001, dtype=np.float32)[None]
    model = fit(before, before, dtype="uint16")
    assert model.low == pytest.approx([1020])
    assert model.high == pytest.approx([2980])
    one, two = apply_flat(model, before, before)
    assert one[0, [0, 500, -1]] == pytest.approx([0, 0.5, 1], abs=1e-5)
    assert one == pytest.approx(two, abs=1e-3)


def test_what_has_no_data_holds_the_scenes_mean_on_both_dates():
    before, after = bytes_sample(8)
    model = fit(before, after, dtype="uint8")
    mean = (before / 255).mean(axis=1, dtype=float)
    assert model.mean == pytest.approx(mean, abs=1e-6)
    before[:, 3], after[:, 4], before[:, 5] = np.nan, -9999, np.inf
    valid = np.ones(before.shape[1], bool)
    valid[3:6] = False
    one, two = apply_flat(model, before, after, valid)
    for band in range(3):
        assert (one[band, 3:6] == model.mean[band]).all()
        assert (two[band, 3:6] == model.mean[band]).all()
    assert np.isfinite(one).all()
    assert np.isfinite(two).all()


@pytest.mark.parametrize("how", ["histogram", "linear", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "mixed"])
@pytest.mark.parametrize("constant", ["before", "after", "both"])
def test_constant_bands(how, dtype, constant):
    rng = np.random.default_rng(9)
    before, after = rng.uniform(0, 255, (2, 1, 500)).astype(np.float32)
    if constant != "after":
        before[:] = 70
    if constant != "before":
        after[:] = 90
    one, two = apply_flat(fit(before, after, dtype=dtype, how=how), before, after)
    for date in (one, two):
        assert date.dtype == np.float32
        assert np.isfinite(date).all()
        assert date.min() >= 0
        assert date.max() <= 1
    if constant == "both" and how != "none":
        assert (one == two).all()


def test_one_pixel():
    one = np.array([[5.0]], np.float32)
    for how in ("histogram", "linear", "none"):
        found = apply_flat(fit(one, 2 * one, dtype="float32", how=how), one, 2 * one)
        assert np.isfinite(found).all()


def test_inputs_stay_untouched():
    before, after = bytes_sample(10)
    copies = before.copy(), after.copy()
    model = fit(before, after, dtype="uint8")
    apply_flat(model, before, after, np.zeros(before.shape[1], bool))
    assert (before == copies[0]).all()
    assert (after == copies[1]).all()


@pytest.mark.parametrize("how", ["histogram", "linear", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_looking_up_gives_the_same_numbers(dtype, how):
    rng = np.random.default_rng(4)
    low = -300 if dtype == "int16" else 0
    before = rng.integers(low, 200, (3, 40, 50)).astype(np.float32)
    after = rng.integers(low, 255, (3, 40, 50)).astype(np.float32)
    valid = rng.random((40, 50)) < 0.9
    sample = before[:, valid], after[:, valid]
    found, wanted = (
        fit(*sample, dtype=dtype, how=how, whole=whole).apply(before, after, valid)
        for whole in (True, False)
    )
    assert np.array_equal(found[0], wanted[0])
    assert np.array_equal(found[1], wanted[1])
