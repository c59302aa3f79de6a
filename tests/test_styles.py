"""The styles name the right colours and are well-formed."""

import xml.etree.ElementTree as ET

import pytest

from geosim.publish import styles
from geosim.themes import CLASSES

ALL = {**styles.RASTER_STYLES, **styles.LAYER_STYLES}


@pytest.mark.parametrize("name", ALL)
def test_every_style_is_a_qgis_document(name):
    root = ET.fromstring(ALL[name]())  # noqa: S314
    assert root.tag == "qgis"
    assert root.find(".//rasterrenderer") is not None or (
        root.find(".//renderer-v2") is not None
    )


def test_every_raster_and_layer_of_a_result_has_a_style():
    assert set(styles.RASTER_STYLES) == {"difference.tif", "change.tif", "tiles.tif"}
    assert set(styles.LAYER_STYLES) == {"changes", "tiles"}


def test_change_raster_shows_only_what_changed():
    root = ET.fromstring(styles.change_style())  # noqa: S314
    entries = {e.get("value"): e for e in root.iter("paletteEntry")}
    assert set(entries) == {"0", "1"}
    assert entries["0"].get("alpha") == "0"
    assert (entries["1"].get("color"), entries["1"].get("alpha")) == ("#d81b60", "255")


def test_colour_table_and_style_agree():
    red, green, blue, _ = styles.CHANGE_COLOUR_TABLE[1]
    assert f"#{red:02x}{green:02x}{blue:02x}" in styles.change_style()
    assert styles.CHANGE_COLOUR_TABLE[0][3] == 0
    assert styles.CHANGE_COLOUR_TABLE[255][3] == 0


@pytest.mark.parametrize("name", ["difference.tif", "tiles.tif"])
def test_ramps_span_zero_to_one_on_band_1(name):
    root = ET.fromstring(styles.RASTER_STYLES[name]())  # noqa: S314
    values = [float(item.get("value")) for item in root.iter("item")]
    assert (values[0], values[-1]) == (0, 1)
    assert values == sorted(values)
    assert root.find(".//rasterrenderer").get("band") == "1"


def test_low_probability_is_transparent_and_high_is_opaque():
    root = ET.fromstring(styles.difference_style())  # noqa: S314
    alphas = [int(item.get("alpha")) for item in root.iter("item")]
    assert alphas[0] == 0
    assert alphas[1] == 0  # up to 0.1
    assert alphas[-1] == 255
    assert alphas == sorted(alphas)


def test_darkness_alone_orders_the_probability():
    # Whoever cannot tell the hues apart still sees darker = surer.
    luma = [
        0.2126 * s.colour[0] + 0.7152 * s.colour[1] + 0.0722 * s.colour[2]
        for s in styles.PROBABILITY_RAMP
    ]
    assert luma == sorted(luma, reverse=True)


def test_every_class_has_its_category_and_colour():
    root = ET.fromstring(styles.changes_layer_style())  # noqa: S314
    assert root.find("renderer-v2").get("attr") == "class"
    symbols = {
        symbol.get("name"): symbol.find(".//prop[@k='outline_color']").get("v")
        for symbol in root.iter("symbol")
    }
    drawn = {c.get("value"): symbols[c.get("symbol")] for c in root.iter("category")}
    wanted = {s: ",".join(map(str, kind.colour)) for s, kind in CLASSES.items()}
    assert drawn == wanted | {"": wanted["changed"]}
