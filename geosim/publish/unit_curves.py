"""Curves in the unit square as a picture: several panels beside each other."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDE, _LEFT, _TOP, _BOTTOM, _GAP = 340, 58, 34, 50, 26
_SCALE = 2
"""Drawn this much larger and reduced: smooth lines."""

_INK, _FAINT, _SOFT = (31, 37, 34), (222, 222, 216), (120, 128, 124)
COLOURS = (
    (216, 27, 96),
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (86, 180, 233),
    (117, 80, 160),
    (90, 90, 90),
)
"""Of the curves in their order, told apart by those who cannot tell red from green."""


@dataclass(frozen=True)
class Curve:
    """A line through points of the unit square."""

    name: str
    """What the legend calls it."""
    across: Sequence[float]
    """0..1, from left to right."""
    up: Sequence[float]
    """0..1, from the bottom."""
    dots: bool = False
    """True: its points are marked."""


Panel = tuple[str, str, "Sequence[Curve]", bool]
"""Title, name of the axis across, curves, whether to draw the diagonal."""


def curves_png(panels: Sequence[Panel]) -> bytes:
    """Draw the panels beside each other and a legend below.

    Args:
        panels: each of its own; curves of one name have one colour.

    Returns:
        A PNG file's bytes.
    """
    names = list(dict.fromkeys(c.name for panel in panels for c in panel[2]))
    colours = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(names)}
    step = _LEFT + _SIDE + _GAP
    size = (len(panels) * step, _TOP + _SIDE + _BOTTOM + 30)
    image = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), "white")
    draw = ImageDraw.Draw(image)
    for number, panel in enumerate(panels):
        _panel(draw, number * step + _LEFT, panel, colours)
    font, x = _font(15), _LEFT * _SCALE
    y = (_TOP + _SIDE + _BOTTOM) * _SCALE
    for name, colour in colours.items():
        middle = y + 10 * _SCALE
        draw.line(
            [(x, middle), (x + 24 * _SCALE, middle)], fill=colour, width=3 * _SCALE
        )
        draw.text((x + 30 * _SCALE, y), name, fill=_INK, font=font)
        x += 30 * _SCALE + int(font.getlength(name)) + 24 * _SCALE
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)


def _panel(
    draw: ImageDraw.ImageDraw,
    left: int,
    panel: Panel,
    colours: dict[str, tuple[int, int, int]],
) -> None:
    title, across, curves, diagonal = panel

    def at(x: float, y: float) -> tuple[float, float]:
        return (left + _SIDE * x) * _SCALE, (_TOP + _SIDE * (1 - y)) * _SCALE

    small = _font(12)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw.line([at(part, 0), at(part, 1)], fill=_FAINT, width=_SCALE)
        draw.line([at(0, part), at(1, part)], fill=_FAINT, width=_SCALE)
        text = f"{part:g}"
        x, y = at(part, 0)
        draw.text((x, y + 6 * _SCALE), text, fill=_SOFT, font=small, anchor="mt")
        x, y = at(0, part)
        draw.text((x - 6 * _SCALE, y), text, fill=_SOFT, font=small, anchor="rm")
    if diagonal:
        draw.line([at(0, 0), at(1, 1)], fill=_SOFT, width=_SCALE)
    x, y = at(0, 1)
    draw.text((x, y - 8 * _SCALE), title, fill=_INK, font=_font(16), anchor="ls")
    x, y = at(0.5, 0)
    draw.text((x, y + 26 * _SCALE), across, fill=_SOFT, font=small, anchor="mt")
    for curve in curves:
        points = [at(*one) for one in zip(curve.across, curve.up, strict=True)]
        colour = colours[curve.name]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2 * _SCALE, joint="curve")
        for x, y in points if curve.dots else []:
            r = 4 * _SCALE
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
