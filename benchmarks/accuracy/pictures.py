"""A sheet per scene: before, after, probability, decision and truth side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geosim.change.scores import UNIT_LEVELS, UNIT_NODATA
from geosim.publish.pictures import ramp_colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.accuracy.methods import View
    from geosim.assessment.measuring import Answer

    RGB = NDArray[np.uint8]

PANEL = 400
"""Longest side of a panel in pixels."""

_GAP = 6
_CAPTION = 24
_RIGHT = (255, 255, 255)
_WRONG = (230, 97, 1)
_MISSED = (33, 140, 220)
_SAME = (20, 20, 24)
_UNKNOWN = (110, 110, 110)


def sheet(
    seen: View,
    answer: Answer,
    changed: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    side: int = PANEL,
) -> Image.Image:
    """Draw the five panels.

    White is change that was found, orange a false alarm (in the decision), blue a
    change that was missed (in the truth), grey not labelled or without data.

    Args:
        seen: both dates, normalised.
        answer: the method's; with a probability.
        changed: (height, width), the truth.
        labelled: (height, width), where it is known.
        side: longest side of a panel in pixels.
    """
    known = answer.valid & labelled
    found = answer.decided
    panels = {
        "before": photo(seen.before),
        "after": photo(seen.after),
        "probability": _probability(answer),
        "decision": _classes(found & known, changed, _WRONG, known),
        "truth": _classes(changed & known, found, _MISSED, known),
    }
    height, width = known.shape
    size = (
        max(1, round(side * width / max(height, width))),
        max(1, round(side * height / max(height, width))),
    )
    pictures = [Image.fromarray(panel).resize(size) for panel in panels.values()]
    return _joined(pictures, list(panels))


def photo(image: NDArray[np.float32]) -> RGB:
    """Three bands of 0..1 (bands, height, width) as a picture."""
    bands = image[:3] if len(image) > 2 else image[[0, 0, 0]]
    return np.moveaxis(np.rint(bands * 255), 0, -1).astype(np.uint8)


def _probability(answer: Answer) -> RGB:
    levels = answer.probability
    if levels is None:
        raise ValueError("a picture needs a method with a probability")
    nodata = levels == UNIT_NODATA
    colour = ramp_colours(np.where(nodata, 0, levels) / UNIT_LEVELS)
    alpha = colour[..., 3:] / 255
    mixed = 255 * (1 - alpha) + colour[..., :3] * alpha
    picture: RGB = np.rint(mixed).astype(np.uint8)
    picture[nodata] = _UNKNOWN
    return picture


def _classes(
    shown: NDArray[np.bool_],
    other: NDArray[np.bool_],
    alone: tuple[int, int, int],
    known: NDArray[np.bool_],
) -> RGB:
    """A mask, white where the other one agrees."""
    picture = np.full((*shown.shape, 3), _SAME, np.uint8)
    picture[shown & other] = _RIGHT
    picture[shown & ~other] = alone
    picture[~known] = _UNKNOWN
    return picture


def _joined(pictures: list[Image.Image], captions: list[str]) -> Image.Image:
    width, height = pictures[0].size
    total = len(pictures) * (width + _GAP) - _GAP
    joined = Image.new("RGB", (total, height + _CAPTION), "white")
    draw = ImageDraw.Draw(joined)
    font = ImageFont.load_default(14)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = number * (width + _GAP)
        joined.paste(picture, (left, _CAPTION))
        draw.text((left + 2, 4), caption, fill="black", font=font)
    return joined
