"""How models rank, as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIZE, _LEFT, _TOP, _BOTTOM, _PANEL = (1180, 430), 60, 60, 370, 460
_SPACE = 110
_INK, _FAINT = (40, 40, 40), (225, 225, 225)
_COLOURS = (
    (31, 119, 180),
    (214, 96, 28),
    (44, 130, 60),
    (148, 103, 189),
    (140, 86, 75),
    (90, 90, 90),
)


def ranking_chart(
    depths: Sequence[int],
    precision: Mapping[str, Sequence[float]],
    recall: Mapping[str, Sequence[float]],
    legend: Mapping[str, str],
) -> bytes:
    """Precision and recall among the first k, a line for each model, as PNG.

    Args:
        depths: the lengths k.
        precision: by model, 0..1 at each k.
        recall: likewise.
        legend: what to write for each model.
    """
    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    panels = (("precision", precision), ("recall", recall))
    for place, (title, lines) in enumerate(panels):
        _panel(draw, _LEFT + place * (_PANEL + _SPACE), title, depths, lines)
    font = ImageFont.load_default(13)
    across = _LEFT
    for name, colour in zip(precision, _colours(len(precision)), strict=True):
        draw.line([(across, 20), (across + 24, 20)], fill=colour, width=3)
        draw.text((across + 30, 12), legend[name], fill=_INK, font=font)
        across += 60 + int(font.getlength(legend[name]))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _colours(count: int) -> list[tuple[int, int, int]]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]


def _panel(
    draw: ImageDraw.ImageDraw,
    left: int,
    title: str,
    depths: Sequence[int],
    lines: Mapping[str, Sequence[float]],
) -> None:
    font = ImageFont.load_default(13)

    def at(place: int, value: float) -> tuple[float, float]:
        x = left + _PANEL * place / max(len(depths) - 1, 1)
        return x, _BOTTOM - (_BOTTOM - _TOP) * value

    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = at(0, part)[1]
        draw.line([(left, y), (left + _PANEL, y)], fill=_FAINT)
        draw.text((left - 38, y - 8), f"{part:.2f}", fill=_INK, font=font)
    for place, depth in enumerate(depths):
        draw.text((at(place, 0)[0] - 8, _BOTTOM + 6), str(depth), fill=_INK, font=font)
    draw.text(
        (left, _BOTTOM + 28),
        f"{title} among the first k pictures",
        fill=_INK,
        font=font,
    )
    for colour, values in zip(_colours(len(lines)), lines.values(), strict=True):
        points = [at(place, value) for place, value in enumerate(values)]
        draw.line(points, fill=colour, width=3)
        for x, y in points:
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
