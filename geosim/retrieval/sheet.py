"""Thumbnails and contact sheets: pictures in, bytes of a file out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geosim.images.lettering import lettered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.images.lettering import Font

THUMBNAIL = 160
"""Longest side of a thumbnail in pixels."""

_QUALITY = 82
_PAD, _LINE, _COLUMNS = 10, 15, 6
_NO_PICTURE = (200, 200, 200)
_PAPER, _INK, _FAINT, _ACCENT = "white", (30, 30, 30), (110, 110, 110), (0, 90, 160)


@dataclass(frozen=True, kw_only=True)
class Card:
    """One picture of a sheet."""

    jpeg: bytes
    """The thumbnail."""
    head: str
    """First line below it, such as rank and score."""
    title: str
    """Second line, such as the file's name; shortened as needed."""
    marked: bool = False
    """True: framed, as the query is."""


def thumbnail(pixels: NDArray[np.float32]) -> bytes:
    """A small JPEG of a picture (3, height, width) in 0..1."""
    scaled = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(np.moveaxis(scaled, 0, -1)))
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def sheet(title: str, rows: Sequence[Sequence[Card]]) -> bytes:
    """A contact sheet as PNG.

    Args:
        title: its first line.
        rows: pictures that belong together; a row that is too long goes on below.

    Returns:
        A PNG file's bytes.
    """
    lines = [part for row in rows for part in _broken(row)]
    columns = max((len(line) for line, _ in lines), default=1)
    cell = (THUMBNAIL + _PAD, THUMBNAIL + 2 * _LINE + _PAD)
    head = _PAD * 2 + _LINE
    gaps = sum(_PAD for _, last in lines if last)
    size = (
        max(columns * cell[0] + _PAD, 480),
        head + len(lines) * cell[1] + gaps + _PAD,
    )
    image = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(image)
    font, shown = lettered(title, 14)
    draw.text((_PAD, _PAD), shown, fill=_INK, font=font)
    top = head
    for line, last in lines:
        for column, card in enumerate(line):
            _place(image, draw, card, (_PAD + column * cell[0], top))
        top += cell[1]
        if last:
            draw.line([(_PAD, top), (size[0] - _PAD, top)], fill=(220, 220, 220))
            top += _PAD
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _broken(row: Sequence[Card]) -> list[tuple[Sequence[Card], bool]]:
    """A row in parts that fit, and whether it ends with them."""
    starts = range(0, len(row), _COLUMNS)
    return [(row[at : at + _COLUMNS], at + _COLUMNS >= len(row)) for at in starts]


def _place(
    image: Image.Image, draw: ImageDraw.ImageDraw, card: Card, corner: tuple[int, int]
) -> None:
    try:
        with Image.open(io.BytesIO(card.jpeg)) as opened:
            small = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # of a damaged index
        small = Image.new("RGB", (THUMBNAIL, THUMBNAIL), _NO_PICTURE)
    left = corner[0] + (THUMBNAIL - small.width) // 2
    top = corner[1] + (THUMBNAIL - small.height) // 2
    image.paste(small, (left, top))
    if card.marked:
        box = [left - 3, top - 3, left + small.width + 2, top + small.height + 2]
        draw.rectangle(box, outline=_ACCENT, width=3)
    under = corner[1] + THUMBNAIL + 2
    font, head = lettered(card.head, 12)
    draw.text((corner[0], under), head, fill=_INK, font=font)
    font, title = lettered(card.title, 12)
    short = _shortened(title, font)
    draw.text((corner[0], under + _LINE), short, fill=_FAINT, font=font)


def _shortened(text: str, font: Font) -> str:
    """Its end where it is too long: file names differ there."""
    if font.getlength(text) <= THUMBNAIL:
        return text
    while text and font.getlength("..." + text) > THUMBNAIL:
        text = text[1:]
    return "..." + text
