"""Land cover and classes of change: tables and arrays with answers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from geosim.errors import OptionError
from geosim.themes import CLASSES, COVERS, THEMES
from geosim.themes.classes import class_of
from geosim.themes.colour import colour_cover
from geosim.themes.cover import (
    ORDER,
    channels_with_banks,
    soft,
    spectral_cover,
    texture,
    with_banks,
)
from geosim.themes.indices import INDICES, spectral_index
from geosim.themes.parts import split, window_side
from geosim.themes.roles import SENSORS, band_roles, known_roles, per_date, role_of
from geosim.themes.tones import fit_display, fit_tones
from geosim.themes.transitions import class_confidence

GREY = ["gray"] + ["undefined"] * 20


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("forest", "bare", "forest_loss"),
        ("forest", "vegetation", "forest_loss"),
        ("vegetation", "forest", "forest_gain"),
        ("vegetation", "built_up", "built_up_gain"),
        ("forest", "built_up", "built_up_gain"),
        ("built_up", "vegetation", "built_up_loss"),
        ("forest", "water", "water_gain"),
        ("water", "built_up", "water_loss"),
        ("snow_ice", "water", "snow_ice_loss"),
        ("bare", "snow_ice", "snow_ice_gain"),
        ("vegetation", "bare", "bare_or_mining"),
        ("bare", "vegetation", "other"),
        ("water", "water", "other"),
    ],
)
def test_class_of_two_covers(before, after, found):
    assert class_of(before, after) == found


@pytest.mark.parametrize(
    ("theme", "before", "after", "found"),
    [
        ("deforestation", "forest", "built_up", "forest_loss"),
        ("deforestation", "forest", "water", "forest_loss"),
        ("urban", "water", "built_up", "built_up_gain"),
        ("water", "snow_ice", "water", "water_gain"),
        ("ice", "water", "snow_ice", "snow_ice_gain"),
    ],
)
def test_a_theme_names_the_change_by_its_own_cover(theme, before, after, found):
    assert class_of(before, after, THEMES[theme]) == found


def test_tables_agree_with_each_other():
    assert set(THEMES["any"].classes) == set(CLASSES)
    for theme in THEMES.values():
        assert set(theme.classes) <= set(CLASSES)
    covers = {kind.cover for kind in CLASSES.values()} - {None}
    assert covers <= set(COVERS)
    colours = [kind.colour for kind in CLASSES.values()]
    assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ("description", "role"),
    [
        ("B04 red", "red"),
        ("b08_10m", "nir"),
        ("B8A", None),
        ("vis-green", "green"),
        ("NIR", "nir"),
        ("nir08", "nir"),
        ("Near-Infrared", "nir"),
        ("swir16", "swir1"),
        ("SWIR 2", "swir2"),
        ("swir22", "swir2"),
        ("red edge", None),
        ("rededge", None),
        ("reddish", None),
        ("B4", None),
        ("", None),
    ],
)
def test_role_of_a_description(description, role):
    assert role_of(description) == role


@pytest.mark.parametrize(
    ("wanted", "count", "roles"),
    [
        ("naip", 4, {"red": 1, "green": 2, "blue": 3, "nir": 4}),
        ("Landsat-TM", 7, {"red": 3, "green": 2, "blue": 1, "nir": 4, "swir1": 5}
         | {"swir2": 7}),
        ("landsat-oli", 7, {"red": 4, "green": 3, "blue": 2, "nir": 5, "swir1": 6}
         | {"swir2": 7}),
        ("sentinel-2", 13, {"red": 4, "green": 3, "blue": 2, "nir": 8, "swir1": 12}
         | {"swir2": 13}),
        ("nir = 2, red=3", 4, {"nir": 2, "red": 3}),
        (None, 4, {}),
    ],
)  # fmt: skip
def test_roles_that_a_user_gives(wanted, count, roles):
    assert band_roles(wanted, GREY[:count], [""] * count) == roles


def test_roles_of_a_file_that_names_its_bands():
    names = ["B02 blue", "B03 green", "B04 red", "B08 nir"]
    found = band_roles(None, GREY[:4], names)
    assert found == {"red": 3, "green": 2, "blue": 1, "nir": 4}
    # what the file's colour interpretation says goes before
    kinds = ["red", "green", "blue", "undefined"]
    assert band_roles(None, kinds, ["", "", "", "nir"])["red"] == 1


def test_what_is_written_goes_before_what_names_tell():
    names = ["B02 blue", "B03 green", "B04 red", "B08 nir"]
    found = known_roles("red=3,green=2", GREY[:4], names)
    assert list(found.items()) == [("red", 3), ("green", 2), ("blue", 1), ("nir", 4)]
    # a band has one role: the fourth is no infrared any more
    assert known_roles("red=4", GREY[:4], names) == {"red": 4, "green": 2, "blue": 1}
    assert known_roles("1,2", GREY[:4], names) == band_roles(None, GREY[:4], names)


def test_alpha_is_no_band_of_a_sensor():
    kinds = ["alpha", "gray", "undefined", "undefined", "undefined"]
    assert band_roles("naip", kinds, [""] * 5)["red"] == 2


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("naip", "3 or 4 bands; found 6"),
        ("purple=1", "the roles red, green"),
        ("red=9", "numbers from 1 to 6; found 'red=9'"),
        ("red=1,red=2", "'red' twice"),
        ("red=one", "found 'red=one'"),
    ],
)
def test_roles_that_cannot_be(wanted, said):
    with pytest.raises(OptionError, match=said):
        band_roles(wanted, GREY[:6], [""] * 6)


def test_two_sensors_one_for_each_date():
    assert per_date("landsat-tm:landsat-oli") == ("landsat-tm", "landsat-oli")
    assert per_date("red=1:red=3") == ("red=1", "red=3")
    assert per_date("a:b") == ("a:b", "a:b")
    assert per_date(None) == (None, None)
    roles = [set(bands) for files in SENSORS.values() for bands in files.values()]
    assert all({"red", "green", "blue"} <= found for found in roles)


def test_indices_by_hand():
    bands = {"nir": [0.4, 0.05], "red": [0.1, 0.05], "green": [0.1, 0.15]}
    bands = {role: np.float32(values) for role, values in bands.items()}
    bands["swir1"] = np.float32([0.2, 0.0])
    assert spectral_index("ndvi", bands) == pytest.approx([0.6, 0.0])
    assert spectral_index("ndwi", bands) == pytest.approx([-0.6, 0.5])
    assert spectral_index("mndwi", bands) == pytest.approx([-1 / 3, 1.0])
    assert spectral_index("ndbi", bands) == pytest.approx([-1 / 3, -1.0])
    assert spectral_index("ndsi", bands) == pytest.approx([-1 / 3, 1.0])
    nothing = dict.fromkeys(bands, np.zeros(1, np.float32))
    assert all(spectral_index(name, nothing) == 0 for name in INDICES)


def test_soft_step():
    assert soft(np.float32([0.3, 0.4, 0.2]), 0.3, 0.1) == pytest.approx(
        [0.5, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))]
    )


@pytest.mark.parametrize(
    ("spectrum", "rough", "cover"),
    [
        # green, red, nir, swir1: typical reflectances
        ((0.05, 0.03, 0.35, 0.15), 0.05, "forest"),
        ((0.10, 0.07, 0.45, 0.25), 0.03, "vegetation"),
        ((0.08, 0.05, 0.03, 0.01), 0.01, "water"),
        ((0.11, 0.13, 0.08, 0.01), 0.02, "water"),  # turbid
        ((0.80, 0.80, 0.70, 0.10), 0.02, "snow_ice"),
        ((0.14, 0.22, 0.30, 0.36), 0.02, "bare"),
        ((0.12, 0.13, 0.17, 0.19), 0.15, "built_up"),
    ],
)
def test_cover_of_typical_spectra(spectrum, rough, cover):
    roles = ("green", "red", "nir", "swir1")
    values = [np.full((2, 2), value, np.float32) for value in spectrum]
    bands = dict(zip(roles, values, strict=True))
    found = spectral_cover(bands, np.full((2, 2), rough, np.float32))
    assert found.sum(axis=0) == pytest.approx(1.0, abs=1e-5)
    assert ORDER[found[:, 0, 0].argmax()] == cover
    if cover != "snow_ice":  # without short-wave infrared snow is hardly told
        del bands["swir1"]
        found = spectral_cover(bands, np.full((2, 2), rough, np.float32))
        assert ORDER[found[:, 0, 0].argmax()] == cover


def test_texture_is_none_at_the_edge_of_smooth_fields():
    fields = np.full((40, 40), 0.2, np.float32)
    fields[:, 20:] = 0.6
    assert texture(fields).max() < 0.01
    board = 0.2 + 0.4 * (np.indices((40, 40)).sum(axis=0) % 2).astype(np.float32)
    assert texture(board)[10:30, 10:30].min() > 0.4


def test_ground_beside_moved_water_is_a_bank():
    built, bare, water = (ORDER.index(s) for s in ("built_up", "bare", "water"))
    before = np.zeros((7, 60, 60), np.float32)
    before[built] = 1.0
    after = before.copy()
    after[:, :, :20] = 0.0
    after[water, :, :20] = 1.0
    banks = with_banks(before.copy(), after)[0]
    assert banks[bare, 30, 22] > 0.9
    assert banks[built, 30, 50] > 0.9
    assert banks.sum(axis=0) == pytest.approx(1.0, abs=1e-5)
    given = before.copy(), after.copy()
    found = [np.stack(list(one)) for one in channels_with_banks(*given)]
    assert np.array_equal(given, (before, after))
    for one, wanted in zip(found, with_banks(*given), strict=True):
        assert one == pytest.approx(wanted, abs=1e-6)


def test_reflectances_are_left_alone():
    sample = np.float32([[0.05, 0.1], [0.3, 0.45]])
    tones = fit_tones(sample, ("red", "nir"), dtype="float32", scaling={})
    assert tones.kind == "reflectance"
    assert np.array_equal(tones.apply(sample), sample)
    tones = fit_tones(sample * 1e4, ("red", "nir"), dtype="uint16", scaling={})
    assert tones.apply(sample * 1e4) == pytest.approx(sample)


def test_declared_and_landsat_scaling():
    stored = np.float32([[8000.0, 9000.0], [16000.0, 20000.0]])
    wanted = stored * 2.75e-5 - 0.2
    declared = dict.fromkeys(("red", "nir"), (2.75e-5, -0.2))
    for how in ({"scaling": declared}, {"scaling": {}, "sensor": "landsat-oli"}):
        tones = fit_tones(stored, ("red", "nir"), dtype="uint16", **how)
        assert tones.apply(stored) == pytest.approx(wanted, abs=1e-4)


def test_digital_numbers_are_scaled_by_the_brightest_infrared():
    sample = np.float32([np.full(100, 60), np.full(100, 200)])
    tones = fit_tones(sample, ("red", "nir"), dtype="uint8", scaling={})
    assert tones.kind == "digital numbers"
    assert tones.apply(sample)[:, 0] == pytest.approx([0.12, 0.40])


def test_raw_landsat_loses_what_the_air_adds():
    red = np.float32([50.0] * 500 + [60.0] * 500)
    nir = np.float32([10.0] * 500 + [90.0] * 500)
    tones = fit_tones(
        np.stack([red, nir]), ("red", "nir"), dtype="uint8", scaling={},
        sensor="landsat-tm",
    )  # fmt: skip
    found = tones.apply(np.float32([[50.0, 60.0], [10.0, 90.0]]))
    # 0.40 at 80 above the darkest; red has 0.67 / 0.85 of the gain; 0.01 is left
    assert found == pytest.approx(
        np.array([[0.01, 0.01 + 0.4 * 10 * 0.67 / (80 * 0.85)], [0.01, 0.41]]), abs=1e-4
    )


def test_display_of_16_bit_pictures():
    sample = np.linspace(100, 1100, 1001, dtype=np.float32)[None]
    tones = fit_display(sample, "uint16")
    assert tones.apply(np.float32([[110.0, 1090.0]])) == pytest.approx(
        np.array([[0.0, 1.0]]), abs=1e-6
    )


def patch(red, green, blue, spread=0.0):
    """A patch of one colour with grain."""
    grain = np.random.default_rng(5).normal(1.0, spread, (40, 40))
    return {
        role: (value * grain).astype(np.float32)
        for role, value in (("red", red), ("green", green), ("blue", blue))
    }


@pytest.mark.parametrize(
    ("bands", "cover"),
    [
        (patch(0.20, 0.30, 0.18, 0.25), "forest"),
        (patch(0.45, 0.60, 0.38, 0.02), "vegetation"),
        (patch(0.27, 0.33, 0.36, 0.01), "water"),
        (patch(0.70, 0.62, 0.50, 0.03), "bare"),
        (patch(0.55, 0.55, 0.55, 0.30), "built_up"),
        (patch(0.99, 0.99, 0.99, 0.0), "snow_ice"),
    ],
)
def test_cover_from_colour(bands, cover):
    found = colour_cover(bands, metres=0.5)
    assert found.sum(axis=0) == pytest.approx(1.0, abs=1e-5)
    assert ORDER[found[:, 20, 20].argmax()] == cover


def test_a_class_is_as_sure_as_all_its_pairs_of_covers():
    covers = list(COVERS)
    before, after = np.zeros((2, len(covers), 1, 4), np.float32)
    forest, plants, water = (covers.index(c) for c in ("forest", "vegetation", "water"))
    before[forest] = before[plants] = 0.5
    after[water] = 0.8
    after[plants] = 0.2
    pair = np.array([[forest, plants, plants, plants]]) * len(covers)
    pair += np.array([[water, plants, water, water]])
    changed = np.array([[True, True, False, True]])
    sure = class_confidence(before, after, pair, changed, "any")
    # whatever it was, water came: 0.5 * 0.8 twice; plants stayed: 0.5 * 0.2
    assert sure == pytest.approx([0.8, 0.1, 0.8])


def test_window_of_the_majority_follows_the_pixel():
    assert [window_side(m) for m in (None, 30.0, 1.0, 0.5, 0.1)] == [5, 5, 13, 25, 41]


def test_an_object_of_two_classes_is_cut():
    mask = np.zeros((20, 30), bool)
    mask[5:15, 3:27] = True
    classes = np.where(np.arange(30) < 15, 4, 2) * np.ones((20, 1), int)
    parts, of_part = split(classes, np.ones(mask.shape), mask, 50, 5, np.ones(11))
    assert of_part.tolist() == [2, 4]
    assert np.array_equal(parts == 2, mask & (np.arange(30) < 15))
    assert np.array_equal(parts == 1, mask & (np.arange(30) >= 15))


def test_small_parts_go_to_their_neighbour():
    mask = np.ones((20, 20), bool)
    classes = np.full((20, 20), 1)
    classes[:6, :6] = 3
    parts, of_part = split(classes, np.ones(mask.shape), mask, 50, 5, np.ones(11))
    assert of_part.tolist() == [1]
    assert (parts == 1).all()


@pytest.mark.parametrize(
    ("how_sure", "found"),
    # a square of 64 px loses its corners to the majority: 60 px, 54 or 48 expected
    [(0.9, [1, 3]), (0.8, [1])],
)
def test_a_small_part_has_to_be_sure(how_sure, found):
    classes, sure = np.full((30, 30), 1), np.full((30, 30), 0.3)
    classes[10:18, 10:18], sure[10:18, 10:18] = 3, how_sure
    mask = np.ones((30, 30), bool)
    _, of_part = split(classes, sure, mask, 50, 3, np.ones(11))
    assert of_part.tolist() == found


def test_a_large_part_may_be_less_sure():
    classes, sure = np.full((30, 30), 1), np.full((30, 30), 0.3)
    classes[10:22, 10:22], sure[10:22, 10:22] = 3, 0.36  # 140 * 0.36 = 50.4
    mask = np.ones((30, 30), bool)
    parts, of_part = split(classes, sure, mask, 50, 3, np.ones(11))
    assert of_part.tolist() == [1, 3]
    assert (parts == 2).sum() == 144 - 4


def test_the_whole_has_the_class_that_is_expected_on_most_of_it():
    mask = np.ones((5, 10), bool)
    classes = np.where(np.arange(10) < 6, 1, 3) * np.ones((5, 1), int)
    sure = np.where(classes == 1, 0.3, 0.9)  # 30 px and 20 px: 9 and 18 expected
    parts, of_part = split(classes, sure, mask, 100, 5, np.ones(11))
    assert (parts == 1).all()
    assert of_part.tolist() == [3]


def test_an_object_of_small_parts_alone_stays_whole():
    mask = np.ones((5, 10), bool)
    classes = np.where(np.arange(10) < 6, 1, 3) * np.ones((5, 1), int)
    parts, of_part = split(classes, np.ones(mask.shape), mask, 100, 5, np.ones(11))
    assert (parts == 1).all()
    assert of_part.tolist() == [1]


@given(st.integers(0, 2**32 - 1))
def test_parts_are_the_object(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((24, 24)) < 0.8
    mask[3, 3] = True
    classes = np.kron(rng.integers(0, 4, (6, 6)), np.ones((4, 4), int))
    parts, of_part = split(classes, np.ones(mask.shape), mask, 8, 5, np.ones(11))
    assert np.array_equal(parts > 0, mask)
    assert set(np.unique(parts[mask])) == set(range(1, len(of_part) + 1))


@given(st.integers(0, 2**32 - 1))
def test_no_part_is_smaller_than_the_smallest(seed):
    rng = np.random.default_rng(seed)
    pieces, _ = label(rng.random((20, 20)) < 0.8)
    mask = pieces == np.bincount(pieces[pieces > 0]).argmax()
    classes = np.kron(rng.integers(0, 3, (5, 5)), np.ones((4, 4), int))
    parts, of_part = split(classes, np.ones(mask.shape), mask, 10, 3, np.ones(3))
    np.testing.assert_array_equal(parts > 0, mask)
    pixels = np.bincount(parts.ravel())[1:]
    assert len(pixels) == len(of_part)
    assert len(pixels) == 1 or pixels.min() >= 10
    for number in range(1, len(pixels) + 1):
        assert label(parts == number)[1] == 1
