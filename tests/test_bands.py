"""Which bands are compared: a table of files as they come."""

import pytest

from geosim.errors import OptionError
from geosim.raster.bands import choose_bands
from geosim.themes.roles import band_roles

RGB = ["red", "green", "blue"]
GREY = ["gray", "undefined", "undefined", "undefined"]
SENTINEL = [
    "B01 coastal aerosol",
    "B02 blue",
    "B03 green",
    "B04 red",
    "B05 red edge",
    "B08 near infrared",
]


def undefined(count):
    return ["gray"] + ["undefined"] * (count - 1)


@pytest.mark.parametrize(
    ("interpretations", "descriptions", "found"),
    [
        (RGB, ["", "", ""], (1, 2, 3)),
        (["blue", "green", "red"], ["", "", ""], (3, 2, 1)),
        (["blue", "green", "red", "undefined"], [""] * 4, (3, 2, 1)),
        ([*RGB, "alpha"], [""] * 4, (1, 2, 3)),
        (["alpha", *RGB], [""] * 4, (2, 3, 4)),
        (["gray"], [""], (1,)),
        (["gray", "alpha"], ["", ""], (1,)),
        (["gray", "undefined"], ["", ""], (1, 2)),
        (["alpha", *undefined(4)], [""] * 5, (2, 3, 4)),
        (undefined(13), [""] * 13, (1, 2, 3)),
        (undefined(6), SENTINEL, (4, 3, 2)),
        (undefined(3), ["B02", "B03", "B04"], (3, 2, 1)),
        (undefined(3), ["b02_10m", "b03_10m", "b04_10m"], (3, 2, 1)),
        (undefined(4), ["NIR", "Red", "Green", "Blue"], (2, 3, 4)),
        (undefined(4), ["Red Edge", "Red", "Green", "Blue"], (2, 3, 4)),
        # without a red of its own the first three are taken
        (undefined(4), ["nir", "red edge", "green", "blue"], (1, 2, 3)),
        # Landsat's B4 is near infrared on one satellite and red on another
        (undefined(4), ["B1", "B2", "B3", "B4"], (1, 2, 3)),
        # what the file's interpretation says goes before its descriptions
        (RGB, ["blue", "green", "red"], (1, 2, 3)),
        # interpretation names only two of three
        (["red", "green", "undefined"], ["blue", "green", "red"], (3, 2, 1)),
    ],
)
def test_default(interpretations, descriptions, found):
    assert choose_bands(None, interpretations, descriptions) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("4,3,2", (4, 3, 2)),
        (" 4 , 3,2 ", (4, 3, 2)),
        ("6", (6,)),
        ("1,1,1", (1, 1, 1)),
        ("B04,B03,B02", (4, 3, 2)),
        ("b08", (6,)),
        ("B04 red", (4,)),
        ("red,green,blue", (4, 3, 2)),
        ("red edge", (5,)),
        ("B05,6", (5, 6)),
        ("all", (1, 2, 3, 4, 5, 6)),
        (" ALL ", (1, 2, 3, 4, 5, 6)),
    ],
)
def test_wanted(wanted, found):
    assert choose_bands(wanted, undefined(6), SENTINEL) == found


def test_a_colours_own_band_goes_before_one_that_only_mentions_it():
    names = ["red edge", "red", "green", "blue"]
    assert choose_bands("red", undefined(4), names) == (2,)


def test_all_leaves_alpha_out():
    assert choose_bands("all", [*RGB, "alpha", "undefined"], [""] * 5) == (1, 2, 3, 5)


@pytest.mark.parametrize(
    "wanted", ["7", "0", "-1", "2.5", "swir", "", "1,", ",", "1,,2", "²"]
)
def test_bands_that_are_not_there(wanted):
    with pytest.raises(OptionError, match="--bands wants numbers from 1 to 6") as found:
        choose_bands(wanted, undefined(6), [*SENTINEL[:5], ""])
    assert "B02 blue" in str(found.value)


def test_without_names_only_numbers_are_offered():
    with pytest.raises(OptionError) as found:
        choose_bands("red", undefined(3), ["", "", ""])
    assert str(found.value) == (
        "--bands wants numbers from 1 to 3, roles such as 'red=3,nir=4' or a sensor; "
        "found 'red'"
    )


def test_a_file_of_alpha_alone_has_nothing_to_compare():
    with pytest.raises(OptionError, match="alpha"):
        choose_bands(None, ["alpha"], [""])


def test_a_sensor_whose_order_is_not_that_of_the_names():
    names = ["red", "green", "blue", "nir"]
    with pytest.raises(OptionError, match=r"takes band 3 for red.*band 1 \('red'\)"):
        band_roles("sentinel-2", ["undefined"] * 4, names)
    named = ["B02", "B03", "B04", "B08"]
    for descriptions in (named, [""] * 4):
        found = band_roles("sentinel-2", ["undefined"] * 4, descriptions)
        assert found == {"blue": 1, "green": 2, "red": 3, "nir": 4}
