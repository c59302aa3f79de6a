"""Texts on pictures: the letters of other languages, names that are no single line."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from geosim.images import lettering
from geosim.images.lettering import lettered


def drawn(text):
    """A text as it is drawn, without the empty edges."""
    font, shown = lettered(text, 20)
    picture = Image.new("L", (400, 40))
    ImageDraw.Draw(picture).text((4, 4), shown, fill=255, font=font)
    return np.asarray(picture.crop(picture.getbbox())), shown


def test_english_takes_pillows_own_font_whatever_the_system_has(monkeypatch):
    monkeypatch.setattr(lettering, "_system_font", lambda *_: pytest.fail("asked"))
    assert drawn("1990.tif (0.97)")[1] == "1990.tif (0.97)"


@pytest.mark.parametrize("text", ["Äcker bei Gößweinstein", "Île-de-Bréhat", "Łódź"])
def test_no_letter_is_an_empty_box(text):
    """Each letter is drawn otherwise than one that no font has."""
    font, shown = lettered(text, 20)
    box = bytes(font.getmask("\U0010fffd"))
    assert all(bytes(font.getmask(letter)) != box for letter in shown if letter != " ")


def test_without_a_font_for_them_accents_are_left_off(monkeypatch):
    monkeypatch.setattr(lettering, "_system_font", lambda *_: None)
    shown = lettered("Gößweinstein, Łódź, Île", 12)[1]
    assert shown == "Gossweinstein, Lodz, Ile"
    assert lettered("日本.png", 12)[1] == "??.png"


def test_a_name_of_two_lines_is_one():
    assert lettered("new\nline\t.png", 12)[1] == "new line .png"
