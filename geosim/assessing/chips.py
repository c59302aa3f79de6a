"""Small pictures of a sample's place on all dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geosim.images.lettering import lettered
from geosim.raster.grid import Window, sample_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

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


Stretch = tuple[float, float]
"""File values that become black and white."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One date around a pixel."""

    picture: RGB
    """(240, 240, 3)."""
    pixels: int
    """How many of them show something."""


def fit_stretches(scene: Scene) -> tuple[Stretch, Stretch]:
    """One stretch for all bands of each date, from windows spread over the scene."""
    pairs = [scene.read(window) for window in sample_windows(scene.grid, 256, 16)]
    found = []
    for date in ("before", "after"):
        values = np.concatenate([getattr(p, date)[:3, p.valid].ravel() for p in pairs])
        black, white = np.percentile(values, _STRETCH) if values.size else (0.0, 1.0)
        found.append((float(black), float(max(white, black + 1e-6))))
    return found[0], found[1]


def chip(views: Sequence[RGB], captions: Sequence[str]) -> Image.Image:
    """Draw the dates side by side, close above and wide below.

    Args:
        views: each date around the pixel, as `views_of` gives it.
        captions: what the dates are called.
    """
    step = _PANEL + _GAP
    size = (len(views) * step - _GAP, 2 * step - _GAP + _CAPTION)
    picture = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(picture)
    inner = slice((WIDE - CLOSE) // 2, (WIDE + CLOSE) // 2)
    for place, (caption, view) in enumerate(zip(captions, views, strict=True)):
        font, shown = lettered(caption, 13)
        draw.text((place * step + 2, 3), shown, fill=(40, 40, 40), font=font)
        for number, (part, side) in enumerate(
            ((view[inner, inner], CLOSE), (view, WIDE))
        ):
            panel = Image.fromarray(part).resize(
                (_PANEL, _PANEL), Image.Resampling.NEAREST
            )
            _mark(panel, side)
            picture.paste(panel, (place * step, _CAPTION + number * step))
    return picture


def views_of(
    scene: Scene, row: int, col: int, stretches: tuple[Stretch, Stretch]
) -> list[View]:
    """Both dates around a pixel; grey outside and where either has no data.

    Args:
        scene: both dates.
        row: of the pixel on the scene's grid; may lie outside.
        col: as `row`.
        stretches: of both dates.
    """
    window = Window(col - WIDE // 2, row - WIDE // 2, WIDE, WIDE)
    pair = scene.read(window)
    views = []
    for values, (low, high) in zip((pair.before, pair.after), stretches, strict=True):
        levels = np.clip((values[:3] - low) / (high - low), 0.0, 1.0) * 255
        bands = levels if len(levels) == 3 else levels[[0, 0, 0]]  # noqa: PLR2004 - RGB
        shown = np.rint(np.nan_to_num(np.moveaxis(bands, 0, -1))).astype(np.uint8)
        shown[~pair.valid] = _OUTSIDE
        view = np.full((WIDE, WIDE, 3), _OUTSIDE, np.uint8)
        view[pair.window.slices_in(window)] = shown
        views.append(View(picture=view, pixels=int(pair.valid.sum())))
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
    for colour, width in ((_CASING, 4), (_MARK, 2)):
        for arm in arms:
            draw.line(arm, fill=colour, width=width)
    if scale > 1:
        draw.rectangle((start - 2, start - 2, end + 2, end + 2), outline=_CASING)
        draw.rectangle((start - 1, start - 1, end + 1, end + 1), outline=_MARK)
