"""Structural similarity (Wang et al. 2004) as a model of pictures.

As a difference it is taken at three scales, as in multi-scale SSIM (Wang, Simoncelli &
Bovik 2003); as an embedding it is the structure term over a whole picture: the cosine
of two such vectors is the correlation of the pictures' brightness, coarsely sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.change.ssim import WINDOW, ssim_map
from geosim.images.pixels import resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

GREY = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in brightness (ITU-R BT.709)."""

SMALLEST_SIDE = 32
"""Pictures are compared pixel by pixel from this side on."""

_CELLS = 16
"""Cells along each side of a picture in its vector."""

_SCALES = (1, 4, 16)
"""Pixels per sample of low, mid and high."""


def brightness(image: FloatArray) -> FloatArray:
    """(1, height, width) of a picture (3, height, width)."""
    weights = np.array(GREY, np.float32)
    grey: FloatArray = np.tensordot(weights, image, axes=1)[None]
    return grey


def structure_vectors(images: Sequence[FloatArray]) -> FloatArray:
    """Unit vectors (n, 256): brightness of 16 x 16 cells less its mean."""
    if not images:
        return np.empty((0, _CELLS * _CELLS), np.float32)
    cells = np.stack(
        [resized(brightness(image), _CELLS, _CELLS).ravel() for image in images]
    )
    centred = cells - cells.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # a picture of one colour has no structure: every such picture is like the other
    flat = lengths < 1e-4  # noqa: PLR2004
    even = np.full_like(centred, 1.0 / _CELLS)
    vectors: FloatArray = np.where(flat, even, centred / np.maximum(lengths, 1e-12))
    return vectors.astype(np.float32)


def structure_differences(
    first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(1 - SSIM) / 2 of the brightness at three scales, each (height, width), 0..1."""
    height, width = first.shape[1:]
    pair = [brightness(image) for image in (first, second)]
    maps = []
    for scale in _SCALES:
        sides = [max(side // scale, WINDOW) for side in (width, height)]
        small = [resized(grey, *sides) for grey in pair]
        similar = ssim_map(small[0], small[1])
        difference = ((1 - similar) / 2).astype(np.float32)
        maps.append(resized(difference[None], width, height)[0])
    return maps[0], maps[1], maps[2]
