"""Pictures of the report: arrays in, data URIs out."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geosim.publish import styles
from geosim.themes.classes import RGBA

RGB = NDArray[np.uint8]

PHOTO_BYTES = 900_000
MAP_BYTES = 600_000
CHIP_BYTES = 60_000
"""Two photos, two maps and a dozen pairs of chips stay below 6 MB as text."""
QUALITIES = (85, 75, 65, 50, 35, 20)
CHIP = 240
"""Side of a chip in pixels."""
CHIP_SMALLEST = 24
"""Side in pixels of the grid that a chip shows at least."""
_CHIP_MARGIN = 0.35
_LARGE = 700
"""Pixels from which on outlines are broader: the picture will be shown smaller."""
_COARSE = Image.Resampling.NEAREST
_GREY_WEIGHTS = (0.2126, 0.7152, 0.0722)
NO_DATA_GREY = 200
_CASING: RGBA = (255, 255, 255, 170)


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
    classes: NDArray[np.uint8] | None = None
    """`(height, width)`, 0 same, n: the nth of `colours`; None: `decision` has all."""
    colours: tuple[tuple[int, int, int], ...] = (styles.CHANGE_COLOUR[:3],)
    """Red, green, blue of each class."""

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """`(height, width)`: number of the class of what changed, 0 elsewhere."""
        if self.classes is not None:
            return self.classes
        changed: NDArray[np.uint8] = (self.decision == styles.CHANGED).astype(np.uint8)
        return changed


@dataclass(frozen=True, kw_only=True)
class ReportImages:
    """The report's pictures as data URIs."""

    before: str
    after: str
    probability: str
    changes: str
    """What changed, in the colours of its classes, over a grey `after`."""
    outline: str
    fill: str
    chips: Mapping[int, tuple[str, str]]
    """Number of a change to its place on both dates."""


def photo_uri(image: RGB, limit: int = PHOTO_BYTES, *, drawn: bool = False) -> str:
    """A picture as JPEG, in the best quality that stays within the limit.

    Args:
        image: `(height, width, 3)`.
        limit: bytes.
        drawn: True: colours stay sharp, as a drawing wants them.
    """
    data = b""
    how = {"subsampling": 0} if drawn else {}
    for quality in QUALITIES:
        picture = Image.fromarray(image)
        data = _encoded(picture, "JPEG", quality=quality, **how)
        if len(data) <= limit:
            break
    return data_uri("image/jpeg", data)


def probability_uri(pictures: ReportPictures) -> str:
    """The probability in its colours over a pale grey `after`."""
    paper = _paper(pictures)
    known = np.isfinite(pictures.probability)
    colour = ramp_colours(np.where(known, pictures.probability, 0))
    alpha = colour[..., 3:] / 255
    mixed = paper * (1 - alpha) + colour[..., :3] * alpha
    mixed = np.where(known[..., None], mixed, NO_DATA_GREY)
    return photo_uri(mixed.round().astype(np.uint8), MAP_BYTES, drawn=True)


def change_map_uri(pictures: ReportPictures) -> str:
    """What changed in the colours of its classes, over a pale grey `after`."""
    table = np.array([(0, 0, 0), *pictures.colours], np.float32)
    kinds = pictures.kinds
    mixed = np.where(kinds[..., None] > 0, table[kinds], _paper(pictures))
    mixed[pictures.decision == styles.NODATA] = NO_DATA_GREY
    return photo_uri(mixed.round().astype(np.uint8), MAP_BYTES, drawn=True)


def _paper(pictures: ReportPictures) -> NDArray[np.float32]:
    """A pale grey `after`, (height, width, 1)."""
    grey = pictures.after @ np.array(_GREY_WEIGHTS, np.float32)
    paper: NDArray[np.float32] = (130 + grey * np.float32(110 / 255))[..., None]
    return paper


def ramp_colours(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Red, green, blue, alpha 0..255 of probabilities, as QGIS shows them."""
    values = [stop.value for stop in styles.PROBABILITY_RAMP]
    colours = np.array([stop.colour for stop in styles.PROBABILITY_RAMP], float)
    channels = [np.interp(probability, values, colours[:, i]) for i in range(4)]
    return np.stack(channels, axis=-1).astype(np.float32)


def fill_uri(pictures: ReportPictures) -> str:
    """What changed as a PNG in the colours of its classes, transparent elsewhere."""
    return _paletted(pictures.kinds, pictures.colours)


def outline_uri(pictures: ReportPictures) -> str:
    """The outline of what changed, with a light casing, as a transparent PNG."""
    kinds = pictures.kinds
    changed = kinds > 0
    wide = kinds
    for _ in range(1 if max(kinds.shape) < _LARGE else 2):
        wide = _spread(wide)
    line = (wide > 0) & ~changed
    casing = _grown(line | changed) & ~line & ~changed
    levels = np.zeros(kinds.shape, np.uint8)
    levels[casing] = len(pictures.colours) + 1
    levels[line] = wide[line]
    inner = changed & _grown(~changed)
    levels[inner] = kinds[inner]
    return _paletted(levels, pictures.colours)


def _spread(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each pixel's own class or the largest number beside it."""
    wide = kinds.copy()
    np.maximum(wide[1:], kinds[:-1], out=wide[1:])
    np.maximum(wide[:-1], kinds[1:], out=wide[:-1])
    np.maximum(wide[:, 1:], kinds[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], kinds[:, 1:], out=wide[:, :-1])
    return wide


def report_images(
    pictures: ReportPictures, chips: Mapping[int, tuple[str, str]]
) -> ReportImages:
    """All pictures of a report, encoded.

    Args:
        pictures: the previews.
        chips: number of a change to the pictures of its place.
    """
    return ReportImages(
        before=photo_uri(pictures.before),
        after=photo_uri(pictures.after),
        probability=probability_uri(pictures),
        changes=change_map_uri(pictures),
        outline=outline_uri(pictures),
        fill=fill_uri(pictures),
        chips=chips,
    )


def chip_uris(
    before: RGB,
    after: RGB,
    changed: NDArray[np.bool_],
) -> tuple[str, str]:
    """Both dates of a square place, the outline of the change drawn in.

    In one bright colour for all classes, with a casing: some of theirs are those of
    fields and roofs.

    Args:
        before: `(side, side, 3)`.
        after: `(side, side, 3)`.
        changed: `(side, side)`, True inside the change.
    """
    size = (CHIP, CHIP)
    mask = np.asarray(Image.fromarray(changed).resize(size, Image.Resampling.NEAREST))
    edge = _grown(_grown(mask)) & ~mask
    casing = _grown(edge | mask) & ~edge & ~mask
    uris = []
    for image in (before, after):
        smooth = Image.Resampling.BICUBIC if len(image) > CHIP else _COARSE
        pixels = np.array(Image.fromarray(image).resize(size, smooth))
        pixels[edge] = styles.CHANGE_COLOUR[:3]
        pixels[casing] = _CASING[:3]
        uris.append(photo_uri(pixels, CHIP_BYTES, drawn=True))
    return uris[0], uris[1]


def surroundings(
    box: Sequence[float],
    width: int,
    height: int,
    smallest: int = CHIP_SMALLEST,
    margin: float = _CHIP_MARGIN,
) -> tuple[int, int, int]:
    """A square around a place with a margin, moved inside the picture.

    Args:
        box: `(col_off, row_off, width, height)` of the place in pixels.
        width: of the picture.
        height: of the picture.
        smallest: side of the square at least, as far as there is room.
        margin: on each side, in parts of the place's longer one.

    Returns:
        `(col_off, row_off, side)`.
    """
    left, top, wide, high = box
    side = (1 + 2 * margin) * max(wide, high)
    side = round(min(max(side, smallest), height, width))
    left = round(min(max(left + (wide - side) / 2, 0), width - side))
    top = round(min(max(top + (high - side) / 2, 0), height - side))
    return left, top, side


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its neighbours above, below, left and right."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _paletted(
    levels: NDArray[np.uint8], classes: Sequence[tuple[int, int, int]]
) -> str:
    """0 transparent, then the classes' colours, then the casing."""
    opaque = [(*colour, 255) for colour in classes]
    return paletted_uri(levels, (styles.TRANSPARENT, *opaque, _CASING))


def paletted_uri(levels: NDArray[np.uint8], colours: Sequence[RGBA]) -> str:
    """A PNG of levels, `(height, width)`, the nth of which has the nth colour."""
    image = Image.fromarray(levels)
    image.putpalette([channel for colour in colours for channel in colour[:3]])
    alpha = bytes(colour[3] for colour in colours)
    return data_uri(
        "image/png", _encoded(image, "PNG", transparency=alpha, optimize=True)
    )


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def data_uri(media: str, data: bytes) -> str:
    """A file as an address that holds it, such as `data:image/png;base64,...`."""
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
