"""Small pictures of a sample's place on both dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geosim.raster.grid import Window, sample_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.raster.scene import Scene

    RGB = NDArray[np.uint8]

WIDE, CLOSE = 240, 48
"""Pixels of the grid across the two views."""

_PANEL, _GAP, _CAPTION = 240, 6, 20
_PAPER, _OUTSIDE = (255, 255, 255), 200
_MARK, _CASING = (255, 60, 255), (0, 0, 0)
_ARM = 14
"""Length of a cross-hair's arms in pixels of the picture."""

_STRETCH = (1.0, 99.0)
"""Percentiles that become black and white."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What becomes black and white, of each date."""

    low: tuple[float, float]
    """File values that become black: before, after."""
    high: tuple[float, float]
    """File values that become white."""


def fit_stretch(scene: Scene) -> Stretch:
    """One stretch for all bands of a date, from windows spread over the scene."""
    pairs = [scene.read(window) for window in sample_windows(scene.grid, 256, 16)]
    low, high = [], []
    for date in ("before", "after"):
        values = np.concatenate([getattr(p, date)[:3, p.valid].ravel() for p in pairs])
        black, white = np.percentile(values, _STRETCH) if values.size else (0.0, 1.0)
        low.append(float(black))
        high.append(float(max(white, black + 1e-6)))
    return Stretch(low=(low[0], low[1]), high=(high[0], high[1]))


def chip(
    scene: Scene, row: int, col: int, stretch: Stretch, captions: tuple[str, str]
) -> Image.Image:
    """Draw before and after side by side, close above and wide below.

    Args:
        scene: both dates.
        row: of the pixel on the grid.
        col: of the pixel on the grid.
        stretch: of the scene.
        captions: what the dates are called.
    """
    size = (2 * _PANEL + _GAP, 2 * _PANEL + _GAP + _CAPTION)
    picture = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    wide = _views(scene, row, col, stretch)
    for place, (caption, view) in enumerate(zip(captions, wide, strict=True)):
        left = place * (_PANEL + _GAP)
        draw.text((left + 2, 3), caption, fill=(40, 40, 40), font=font)
        inner = (WIDE - CLOSE) // 2
        close = view[inner : inner + CLOSE, inner : inner + CLOSE]
        for number, (part, side) in enumerate(((close, CLOSE), (view, WIDE))):
            scaled = Image.fromarray(part).resize(
                (_PANEL, _PANEL), Image.Resampling.NEAREST
            )
            _mark(scaled, side)
            picture.paste(scaled, (left, _CAPTION + number * (_PANEL + _GAP)))
    return picture


def _views(scene: Scene, row: int, col: int, stretch: Stretch) -> list[RGB]:
    """Both dates around a pixel, (240, 240, 3); grey outside and without data."""
    window = Window(col - WIDE // 2, row - WIDE // 2, WIDE, WIDE)
    pair = scene.read(window)
    inside = pair.window.slices_in(window)
    views = []
    for number, values in enumerate((pair.before, pair.after)):
        low, high = stretch.low[number], stretch.high[number]
        levels = np.clip((values[:3] - low) / (high - low), 0.0, 1.0) * 255
        bands = levels if len(levels) == 3 else levels[[0, 0, 0]]  # noqa: PLR2004 - RGB
        view = np.full((WIDE, WIDE, 3), _OUTSIDE, np.uint8)
        shown = np.rint(np.nan_to_num(np.moveaxis(bands, 0, -1))).astype(np.uint8)
        shown[~pair.valid] = _OUTSIDE
        view[inside] = shown
        views.append(view)
    return views


def _mark(picture: Image.Image, side: int) -> None:
    """Frame the middle pixel, and point at it."""
    scale = _PANEL / side
    start = int((side // 2) * scale)
    end = int((side // 2 + 1) * scale) - 1
    draw = ImageDraw.Draw(picture)
    gap = max(4, round(1.5 * scale))
    middle = (start + end) // 2
    arms = [
        ((middle, start - gap - _ARM), (middle, start - gap)),
        ((middle, end + gap), (middle, end + gap + _ARM)),
        ((start - gap - _ARM, middle), (start - gap, middle)),
        ((end + gap, middle), (end + gap + _ARM, middle)),
    ]
    for colour, width in ((_CASING, 3), (_MARK, 1)):
        for arm in arms:
            draw.line(arm, fill=colour, width=width)
    if scale > 1:
        draw.rectangle((start - 2, start - 2, end + 2, end + 2), outline=_CASING)
        draw.rectangle((start - 1, start - 1, end + 1, end + 1), outline=_MARK)
