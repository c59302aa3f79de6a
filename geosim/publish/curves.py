"""Training curves as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT, _SPACE = 900, 260, 56
_INK, _FAINT = (40, 40, 40), (225, 225, 225)
_COLOURS = ((31, 119, 180), (214, 96, 28), (44, 130, 60))
_DOT = 4
"""Radius of a line that has a single place."""

_FEW_STEPS = 20
"""Of fewer the axis is marked between steps."""

Line = tuple[str, "Sequence[float]", "Sequence[float]"]
"""Name, places on the x axis, values."""


def curves_png(
    panels: Sequence[tuple[str, Sequence[Line]]], steps: int, mark: int | None
) -> bytes:
    """Panels below each other over one axis of steps.

    Args:
        panels: Title and lines of each panel; values that are not finite are left out.
        steps: Right end of the axis.
        mark: Step that is marked by an upright line.

    Returns:
        A PNG file's bytes.
    """
    size = (_WIDTH, len(panels) * (_HEIGHT + _SPACE) + _SPACE // 2)
    image = Image.new("RGB", size, "white")
    for place, (title, lines) in enumerate(panels):
        top = place * (_HEIGHT + _SPACE) + _SPACE // 2
        _panel(ImageDraw.Draw(image), top, title, lines, max(steps, 1), mark)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _panel(
    draw: ImageDraw.ImageDraw,
    top: int,
    title: str,
    lines: Sequence[Line],
    steps: int,
    mark: int | None,
) -> None:
    left, right, bottom = _SPACE, _WIDTH - 16, top + _HEIGHT
    font = ImageFont.load_default(13)
    values = np.array([value for _, _, found in lines for value in found], float)
    finite = values[np.isfinite(values)]
    highest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0

    def at(step: float, value: float) -> tuple[float, float]:
        x = left + (right - left) * step / steps
        return x, bottom - (bottom - top - 20) * value / highest

    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = at(0, part * highest)[1]
        draw.line([(left, y), (right, y)], fill=_FAINT)
        draw.text((4, y - 8), f"{part * highest:.3g}", fill=_INK, font=font)
        x = at(part * steps, 0)[0]
        step = round(part * steps, 2 if steps < _FEW_STEPS else None)
        draw.text((x - 8, bottom + 4), f"{step:g}", fill=_INK, font=font)
    draw.text((left, top - 8), title, fill=_INK, font=font)
    draw.text((right - 40, bottom + 20), "steps", fill=_INK, font=font)
    if mark is not None:
        draw.line([at(mark, 0), at(mark, highest)], fill=_INK, width=1)
    offset = left + 220
    for colour, (name, where, found) in zip(_COLOURS, lines, strict=False):
        pairs = zip(where, found, strict=True)
        points = [at(x, y) for x, y in pairs if np.isfinite(y)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2)
        elif points:
            (x, y) = points[0]
            draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=colour)
        draw.text((offset, top - 8), name, fill=colour, font=font)
        offset += 30 + int(font.getlength(name))


def running_mean(values: Sequence[float], width: int = 20) -> list[float]:
    """Mean of each value and up to `width - 1` before it."""
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, float))])
    ends = np.arange(1, len(total))
    starts = np.maximum(ends - width, 0)
    return list((total[ends] - total[starts]) / (ends - starts))
