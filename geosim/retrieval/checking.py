"""Geometric check: does a picture show the very same thing as the query?

Near duplicates among look-alikes (one wood among woods) are told apart by features that
one homography explains, see `geosim.images.alignment`.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geosim.errors import GeosimError
from geosim.images.alignment import find_homography
from geosim.images.pixels import resized
from geosim.raster.source import plain_images_welcome
from geosim.retrieval import tiles
from geosim.retrieval.indexing import read_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geosim.retrieval.finding import Hit
    from geosim.retrieval.records import Entry

_SIDE = 256
"""Longest side of the pictures that are checked, in pixels."""

_FEWEST = 20
"""Features that agree, from which it is the same thing; others reach a dozen."""


def same_first(
    query: NDArray[np.float32],
    hits: Sequence[Hit],
    read: Callable[[Hit], NDArray[np.float32]],
) -> list[Hit]:
    """Put the first picture that shows the same thing in front.

    Args:
        query: (3, height, width) in 0..1.
        hits: ranked; they are checked in this order until one is the same.
        read: the pixels of one, as `query`.

    Returns:
        The hits with new ranks; `matches` set where they were checked.
    """
    order = list(hits)
    small = _reduced(query)
    for place, hit in enumerate(order):
        found = find_homography(small, _reduced(read(hit)))
        agreeing = found[2] if found else 0
        order[place] = replace(hit, matches=agreeing)
        if agreeing >= _FEWEST:
            order.insert(0, order.pop(place))
            break
    return [replace(hit, rank=rank) for rank, hit in enumerate(order, start=1)]


def pixels_of(entry: Entry, thumbnail: bytes) -> NDArray[np.float32]:
    """A picture of an index, from its file; its thumbnail where that is gone."""
    try:
        if entry.source.kind == "folder":
            return read_one(entry.source, entry.name, entry.stamp).pixels
        if entry.window is not None:
            with plain_images_welcome(), tiles.open_tiles(entry.path) as reader:
                found = reader.read(entry.window, at_most=_SIDE)
            if found is not None:
                return found
    except (GeosimError, OSError, ValueError):
        pass  # moved or changed since: the thumbnail is what was indexed
    with Image.open(io.BytesIO(thumbnail)) as opened:
        values = np.asarray(opened.convert("RGB"), np.float32) / np.float32(255)
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def _reduced(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = pixels.shape[1:]
    step = min(_SIDE / max(height, width), 1.0)
    return resized(pixels, max(round(width * step), 1), max(round(height * step), 1))
