"""A font that has the letters of a text: Pillow's own has those of English alone."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_OTHERS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
"""Files of fonts that a system may have, the first that has all letters is taken."""

_NO_LETTER = "\U0010fffd"
"""Stands for what a font draws where it lacks a letter."""

_FOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u2013": "-", "—": "-"}
)


def lettered(text: str, size: int) -> tuple[Font, str]:
    """A font for a text and the text as it is drawn, on one line.

    Pillow's own font, so that a picture is the same everywhere, or the system's first
    that has what this one lacks. Where none has, accents are left off and any other
    letter is a question mark.

    Args:
        text: to draw.
        size: of the font in pixels.
    """
    line = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    own = ImageFont.load_default(size)
    if line.isascii() or _has(own, line):
        return own, line
    for name in _OTHERS:
        font = _system_font(name, size)
        if font is not None and _has(font, line):
            return font, line
    return own, _folded(own, line)


@lru_cache
def _system_font(name: str, size: int) -> Font | None:
    """A font of the system by its file's name; None: there is none."""
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _has(font: Font, text: str) -> bool:
    """Whether a font has all letters of a text."""
    try:
        missing = bytes(font.getmask(_NO_LETTER))
        return all(bytes(font.getmask(c)) != missing for c in set(text) - {" "})
    except UnicodeEncodeError:  # Pillow without FreeType has Latin letters alone
        return text.isascii()


def _folded(font: Font, text: str) -> str:
    """A text in the letters that a font has."""
    plain = unicodedata.normalize("NFKD", text.translate(_FOLDED))
    letters = [c for c in plain if not unicodedata.combining(c)]
    return "".join(c if c.isascii() or _has(font, c) else "?" for c in letters)
