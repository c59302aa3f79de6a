"""Models by name: what each makes of a picture, and of two.

Every model looks at a picture in one of a few working sizes, all of about the same
area, so that resolution does not tell pictures apart; the shape is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geosim.errors import OptionError
from geosim.images.names import MODEL_NAMES
from geosim.images.pixels import resized
from geosim.images.structure import (
    SMALLEST_SIDE,
    structure_differences,
    structure_vectors,
)
from geosim.siamese.architecture import STRIDE
from geosim.siamese.shipped import VGG16_WEIGHTS
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

WORKING_SIDE = 256
"""Side of the square whose area the working sizes have."""

_STEP = 32
"""Sides of working sizes are multiples of this, so that few shapes occur."""

_LONGEST = 1024
"""Longer pictures are squeezed along their long side."""

_BATCH = 16
"""Pictures that run together."""


@dataclass(frozen=True, kw_only=True)
class LevelMaps:
    """How two pictures of one frame differ, per pixel; 0 same, larger different."""

    low: FloatArray
    """(height, width): edges, texture, colour."""
    mid: FloatArray
    """(height, width): parts, patterns."""
    high: FloatArray
    """(height, width): content."""


class ImageModel(Protocol):
    """A model, ready to use."""

    name: str
    """One of `MODEL_NAMES`."""
    weights_sha256: str | None
    """SHA-256 of its weights file; None where a model has no weights."""
    fingerprint: str
    """Of what its numbers depend on: two models of one fingerprint say the same."""

    def embed(self, images: Sequence[FloatArray]) -> FloatArray:
        """Embed pictures.

        Args:
            images: each (3, height, width) float32 in 0..1, of any size.

        Returns:
            (n, d) float32, unit vectors in the order of the pictures.
        """

    def describe(
        self, images: Sequence[FloatArray], *, scale: float = 1.0
    ) -> FloatArray:
        """Describe pictures so that they are found again.

        As `embed`; `siamese` has a longer vector for it, the others have one for both.

        Args:
            images: as in `embed`.
            scale: of the working size; another scale tells of finer or coarser things.
        """

    def differences(self, first: FloatArray, second: FloatArray) -> LevelMaps:
        """Compare two pictures of one frame, pixel by pixel.

        Args:
            first: (3, height, width) float32 in 0..1, each side at least 32.
            second: as `first`, same size.
        """


def open_model(
    name: str = "siamese",
    weights: str | Path | None = None,
    threads: int | None = None,
) -> ImageModel:
    """Open a model by its name.

    Args:
        name: `siamese` is geosim's network on OpenVINO, `ssim` structural similarity
            without any weights; the others are ImageNet networks of torchvision.
        weights: of `siamese` a name or a path of geosim's, of the others a state dict
            (.pth, .safetensors); None: geosim-vgg16-1, and for the others
            torchvision's download.
        threads: None: all cores.

    Raises:
        OptionError: no such model, or weights for `ssim`.
        WeightsError: the weights cannot be had, or are another network's.
        MissingDependencyError: torch or torchvision is needed and not installed.
    """
    if name == "siamese":
        return _Siamese(weights, threads)
    if name == "ssim":
        if weights is not None:
            raise OptionError("--weights: ssim has none; leave the option out")
        return _Structure()
    if name in MODEL_NAMES:
        return _Torchvision(name, weights, threads)
    raise OptionError(f"--model wants one of {', '.join(MODEL_NAMES)}; found '{name}'")


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) in which a model looks at a picture of this size.

    About the area of `WORKING_SIDE` squared, sides multiples of 32, from 64 to 1024.
    """
    ratio = math.sqrt(width / height)

    def near(side: float) -> int:
        return int(min(max(_STEP * round(side / _STEP), 2 * _STEP), _LONGEST))

    return near(WORKING_SIDE * ratio), near(WORKING_SIDE / ratio)


def embed_by_shape(
    images: Sequence[FloatArray],
    run: Callable[[FloatArray], FloatArray],
    scale: float = 1.0,
) -> FloatArray:
    """Bring pictures into their working sizes and run those of one shape together.

    Args:
        images: each (3, height, width) float32 in 0..1.
        run: embeds a batch (n, 3, height, width).
        scale: of the working sizes.

    Returns:
        (n, d) in the order of the pictures.
    """
    by_shape: dict[tuple[int, int], list[int]] = {}
    for index, image in enumerate(images):
        width, height = working_size(image.shape[2], image.shape[1])
        size = (_scaled(width, scale), _scaled(height, scale))
        by_shape.setdefault(size, []).append(index)
    found: dict[int, FloatArray] = {}
    for size, members in by_shape.items():
        for some in _chunks(members):
            batch = np.stack([resized(images[index], *size) for index in some])
            found |= dict(zip(some, run(batch), strict=True))
    if not found:
        return np.empty((0, 0), np.float32)
    return np.stack([found[index] for index in range(len(images))])


def _scaled(side: int, scale: float) -> int:
    """A side times a scale, a multiple of the network's stride again."""
    return max(STRIDE * round(side * scale / STRIDE), 2 * _STEP)


def _chunks(members: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(members), _BATCH):
        yield members[start : start + _BATCH]


class _Siamese:
    """geosim's own network."""

    name = "siamese"

    def __init__(self, weights: str | Path | None, threads: int | None) -> None:
        from geosim.siamese.embedding import Embedder, embedding_fingerprint
        from geosim.siamese.engine import open_engine

        loaded = load_weights(weights or VGG16_WEIGHTS)
        self.weights_sha256: str | None = loaded.record.sha256
        self.fingerprint = embedding_fingerprint(loaded)
        self._embedder = Embedder(loaded, threads)
        self._engine = open_engine(loaded, threads=threads)

    def embed(self, images: Sequence[FloatArray]) -> FloatArray:
        return embed_by_shape(images, self._embedder.embed)

    def describe(
        self, images: Sequence[FloatArray], *, scale: float = 1.0
    ) -> FloatArray:
        return embed_by_shape(images, self._embedder.describe, scale)

    def differences(self, first: FloatArray, second: FloatArray) -> LevelMaps:
        height, width = first.shape[1:]
        below = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
        pair = [np.pad(image, below, mode="edge") for image in (first, second)]
        found = self._engine.differences(pair[0], pair[1])
        parts = (found.low, found.mid, found.high)
        low, mid, high = (np.clip(p[:height, :width], 0, 1) for p in parts)
        return LevelMaps(low=low, mid=mid, high=high)


class _Structure:
    """Structural similarity, which has no weights."""

    name = "ssim"
    weights_sha256: str | None = None
    fingerprint = "ssim"

    def embed(self, images: Sequence[FloatArray]) -> FloatArray:
        return structure_vectors(images)

    def describe(
        self, images: Sequence[FloatArray], *, scale: float = 1.0
    ) -> FloatArray:
        del scale  # its cells cover the whole picture
        return self.embed(images)

    def differences(self, first: FloatArray, second: FloatArray) -> LevelMaps:
        low, mid, high = structure_differences(first, second)
        return LevelMaps(low=low, mid=mid, high=high)


class _Torchvision:
    """An ImageNet network."""

    def __init__(
        self, name: str, weights: str | Path | None, threads: int | None
    ) -> None:
        from geosim.siamese.backbones import Backbone

        self.name = name
        self._backbone = Backbone(name, weights, threads)
        self.weights_sha256: str | None = self._backbone.weights_sha256
        self.fingerprint = f"{name} {self.weights_sha256}"

    def embed(self, images: Sequence[FloatArray]) -> FloatArray:
        return embed_by_shape(images, self._backbone.embed)

    def describe(
        self, images: Sequence[FloatArray], *, scale: float = 1.0
    ) -> FloatArray:
        return embed_by_shape(images, self._backbone.embed, scale)

    def differences(self, first: FloatArray, second: FloatArray) -> LevelMaps:
        low, mid, high = self._backbone.distances(np.stack([first, second]))
        return LevelMaps(low=low, mid=mid, high=high)


__all__ = [
    "MODEL_NAMES",
    "SMALLEST_SIDE",
    "ImageModel",
    "LevelMaps",
    "open_model",
    "working_size",
]
