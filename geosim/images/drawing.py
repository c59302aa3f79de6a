"""Pictures of a comparison: heatmap, overlay, a sheet of all. Arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geosim.images.lettering import lettered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.images.lettering import Font

    FloatArray = NDArray[np.float32]
    RGB = NDArray[np.uint8]

HEAT: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.0, (36, 52, 140)),
    (0.2, (69, 117, 180)),
    (0.4, (171, 217, 233)),
    (0.55, (254, 224, 90)),
    (0.75, (244, 109, 40)),
    (1.0, (178, 10, 30)),
)
"""Colours of a difference: blue the same, yellow and red different; they differ in
brightness from yellow on, for readers who cannot tell red from green."""

_NOTHING = (150, 150, 150)
"""Where only one picture shows anything."""

_OPACITY = 0.75
"""Of the largest difference over the picture."""

_PANEL = 440
"""Longest side of a picture on the sheet."""

_SPACE, _TITLE, _FOOT = 16, 26, 58
_INK, _PAPER, _FAINT = (30, 30, 30), (255, 255, 255), (90, 90, 90)


def heatmap(difference: FloatArray) -> RGB:
    """Colours of a difference.

    Args:
        difference: (height, width), 0 same .. 1 different; NaN is grey.

    Returns:
        (height, width, 3) uint8.
    """
    known = np.isfinite(difference)
    values = np.where(known, difference, 0)
    stops = [value for value, _ in HEAT]
    bands = [
        np.interp(values, stops, [colour[band] for _, colour in HEAT])
        for band in range(3)
    ]
    coloured = np.where(known[..., None], np.stack(bands, axis=-1), _NOTHING)
    return np.asarray(np.round(coloured), np.uint8)


def overlay(picture: FloatArray, difference: FloatArray) -> RGB:
    """What differs in its colours over a pale grey picture.

    Args:
        picture: (3, height, width) float32 in 0..1.
        difference: as for `heatmap`.

    Returns:
        (height, width, 3) uint8.
    """
    known = np.isfinite(difference)
    amount = np.where(known, difference, 0)
    opacity = np.clip((amount - 0.2) / 0.4, 0, 1)[..., None] * _OPACITY
    grey = picture.mean(axis=0)[..., None]
    paper = np.where(known[..., None], 70 + 185 * grey, 120 + 90 * grey)
    mixed = paper * (1 - opacity) + heatmap(difference) * opacity
    return np.asarray(np.round(mixed), np.uint8)


def levels(values: FloatArray) -> NDArray[np.uint8]:
    """A level as grey values: 255 is 1 and more, 0 also where nothing is known."""
    return np.round(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)


def sheet(panels: Sequence[tuple[str, RGB]], foot: Sequence[str]) -> RGB:
    """Pictures side by side, three in a row, with their titles and a legend.

    Args:
        panels: title and (height, width, 3) uint8 of each, all of one size.
        foot: lines below.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = panels[0][1].shape[:2]
    scale = _PANEL / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    # narrow pictures still leave their titles room
    cell = max(size[0], _PANEL // 2)
    columns = min(3, len(panels))
    count = -(-len(panels) // columns)
    row = size[1] + _TITLE + _SPACE
    whole = (
        columns * (cell + _SPACE) + _SPACE,
        count * row + _SPACE + _FOOT + 18 * len(foot),
    )
    image = Image.new("RGB", whole, _PAPER)
    draw = ImageDraw.Draw(image)
    for place, (title, picture) in enumerate(panels):
        left = _SPACE + (place % columns) * (cell + _SPACE)
        top = _SPACE // 2 + (place // columns) * row
        font, shown = lettered(title, 15)
        draw.text((left, top + 4), _cut(shown, font, cell), fill=_INK, font=font)
        small = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
        image.paste(small, (left, top + _TITLE))
    bottom = count * row + _SPACE // 2
    _legend(image, (_SPACE, bottom))
    for line, text in enumerate(foot):
        at = (_SPACE, bottom + _FOOT - 8 + 18 * line)
        font, shown = lettered(text, 15)
        draw.text(at, _cut(shown, font, whole[0] - 2 * _SPACE), fill=_FAINT, font=font)
    return np.asarray(image)


def _cut(text: str, font: Font, width: int) -> str:
    """A text that fits, its middle left out where it is too long."""
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and font.getlength(_without_middle(text, kept)) > width:  # noqa: PLR2004
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def _legend(image: Image.Image, at: tuple[int, int]) -> None:
    """The scale of the colours, with its words."""
    width, height = min(260, image.width - 2 * _SPACE), 14
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    image.paste(Image.fromarray(heatmap(ramp)), at)
    draw, (font, end) = ImageDraw.Draw(image), lettered("1 different", 13)
    left, below = at[0], at[1] + height + 2
    draw.text((left, below), "0 same", fill=_INK, font=font)
    where = (left + width - font.getlength(end), below)
    draw.text(where, end, fill=_INK, font=font)
