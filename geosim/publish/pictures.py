"""Pictures of the report: arrays in, data URIs out."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geosim.publish import styles

RGB = NDArray[np.uint8]

PHOTO_BYTES = 600_000
MAP_BYTES = 380_000
"""Three pictures of these sizes stay below 3 MB as text."""
QUALITIES = (85, 75, 65, 50, 35)
THUMBNAIL = 160
"""Side of a thumbnail in pixels."""
_THUMBNAIL_MARGIN = 0.35
_THUMBNAIL_SMALLEST = 24
_GREY_WEIGHTS = (0.2126, 0.7152, 0.0722)
_NO_DATA_GREY = 200
_CASING: styles.RGBA = (255, 255, 255, 170)


@dataclass(frozen=True, kw_only=True)
class ReportPictures:
    """Previews of one size, at most about 1400 px on the long side."""

    before: RGB
    """`(height, width, 3)`, as it should look."""
    after: RGB
    """`(height, width, 3)`, as it should look."""
    probability: NDArray[np.float32]
    """`(height, width)`, 0..1, NaN without data."""
    decision: NDArray[np.uint8]
    """`(height, width)`, 0 same, 1 changed, 255 no data."""


def photo_uri(image: RGB, limit: int = PHOTO_BYTES) -> str:
    """A picture as JPEG, in the best quality that stays within the limit."""
    data = b""
    for quality in QUALITIES:
        data = _encoded(Image.fromarray(image), "JPEG", quality=quality, optimize=True)
        if len(data) <= limit:
            break
    return _uri("image/jpeg", data)


def probability_uri(pictures: ReportPictures) -> str:
    """The probability in its colours over a pale grey `after`."""
    grey = pictures.after @ np.array(_GREY_WEIGHTS, np.float32)
    paper = (130 + grey * (110 / 255))[..., None]
    known = np.isfinite(pictures.probability)
    colour = ramp_colours(np.where(known, pictures.probability, 0))
    alpha = colour[..., 3:] / 255
    mixed = paper * (1 - alpha) + colour[..., :3] * alpha
    mixed = np.where(known[..., None], mixed, _NO_DATA_GREY)
    return photo_uri(mixed.round().astype(np.uint8), MAP_BYTES)


def ramp_colours(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Red, green, blue, alpha 0..255 of probabilities, as QGIS shows them."""
    values = [stop.value for stop in styles.PROBABILITY_RAMP]
    colours = np.array([stop.colour for stop in styles.PROBABILITY_RAMP], float)
    channels = [np.interp(probability, values, colours[:, i]) for i in range(4)]
    return np.stack(channels, axis=-1).astype(np.float32)


def fill_uri(decision: NDArray[np.uint8]) -> str:
    """What changed as a PNG of one colour, transparent elsewhere."""
    return _paletted((decision == styles.CHANGED).astype(np.uint8))


def outline_uri(decision: NDArray[np.uint8]) -> str:
    """The outline of what changed, with a light casing, as a transparent PNG."""
    changed = decision == styles.CHANGED
    line = _grown(changed) & ~changed
    casing = _grown(line | changed) & ~line & ~changed
    levels = np.zeros(decision.shape, np.uint8)
    levels[casing] = 2
    levels[line | (changed & _grown(~changed))] = 1
    return _paletted(levels)


def thumbnail_uris(pictures: ReportPictures, box: Sequence[float]) -> tuple[str, str]:
    """Before and after around a place, the outline of the change drawn in.

    Args:
        pictures: The previews.
        box: `(col_off, row_off, width, height)` of the place, as parts of the
            previews' width and height.
    """
    rows, cols = _surroundings(pictures.decision.shape, box)
    changed = pictures.decision[rows, cols] == styles.CHANGED
    size = (THUMBNAIL, THUMBNAIL)
    mask = np.asarray(Image.fromarray(changed).resize(size, Image.Resampling.NEAREST))
    edge = _grown(mask) & ~mask
    before, after = (
        _thumbnail(image[rows, cols], edge)
        for image in (pictures.before, pictures.after)
    )
    return before, after


def _thumbnail(image: RGB, edge: NDArray[np.bool_]) -> str:
    resized = Image.fromarray(image).resize(edge.shape, Image.Resampling.BICUBIC)
    pixels = np.array(resized)
    pixels[edge] = styles.CHANGE_COLOUR[:3]
    return photo_uri(pixels)


def _surroundings(shape: tuple[int, ...], box: Sequence[float]) -> tuple[slice, slice]:
    """A square around the box with a margin, moved inside the picture."""
    height, width = shape[:2]
    col, row, box_width, box_height = np.multiply(box, [width, height] * 2)
    side = (1 + 2 * _THUMBNAIL_MARGIN) * max(box_width, box_height)
    side = round(min(max(side, _THUMBNAIL_SMALLEST), height, width))
    left = round(min(max(col + (box_width - side) / 2, 0), width - side))
    top = round(min(max(row + (box_height - side) / 2, 0), height - side))
    return slice(top, top + side), slice(left, left + side)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its neighbours above, below, left and right."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _paletted(levels: NDArray[np.uint8]) -> str:
    """0 transparent, 1 the colour of change, 2 the casing."""
    colours = (styles.TRANSPARENT, styles.CHANGE_COLOUR, _CASING)
    image = Image.fromarray(levels)
    image.putpalette([channel for colour in colours for channel in colour[:3]])
    alpha = bytes(colour[3] for colour in colours)
    return _uri("image/png", _encoded(image, "PNG", transparency=alpha, optimize=True))


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _uri(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
