"""Drawn pictures that have nothing in common, to calibrate a model with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from geosim.images.pixels import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

_SIDE = 256
_SEED = 20


def reference_pictures() -> list[FloatArray]:
    """Twelve pictures (3, 256, 256) float32 in 0..1, each of its own kind.

    Clouds, grain, stripes, boards, boxes, discs, rings and a slope, in colours drawn
    from a fixed seed: always the same ones.
    """
    rng = np.random.default_rng(_SEED)
    rows, cols = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    drawn = [
        _clouds(rng, 24.0),
        _stripes(rng, rows, cols, 22.0),
        _boxes(rng, 14, 70),
        _clouds(rng, 1.2),
        _discs(rng, rows, cols, 9, 46),
        _board(rows, cols, 16),
        _clouds(rng, 6.0),
        _boxes(rng, 160, 18),
        np.hypot(rows - 90, cols - 160) % 26 < 13,  # noqa: PLR2004 - rings
        _discs(rng, rows, cols, 150, 9),
        _stripes(rng, rows, cols, 5.0),
        (rows + 2 * cols) / (3 * _SIDE),
    ]
    return [_coloured(rng, np.asarray(pattern, np.float32)) for pattern in drawn]


def treated(picture: FloatArray) -> FloatArray:
    """A picture halved, a little darker and grainy, as copies of it are."""
    height, width = picture.shape[1:]
    small = resized(picture, width // 2, height // 2)
    rng = np.random.default_rng(_SEED)
    grain = rng.normal(0, 0.01, picture.shape)
    dark = 0.87 * resized(small, width, height) + grain
    return np.clip(dark, 0, 1).astype(np.float32)


def _coloured(rng: np.random.Generator, pattern: FloatArray) -> FloatArray:
    """A pattern in 0..1 between two colours, with a little grain."""
    dark, light = rng.uniform(0, 0.45, (3, 1, 1)), rng.uniform(0.5, 1, (3, 1, 1))
    grain = rng.normal(0, 0.015, pattern.shape)
    whole = dark + (light - dark) * pattern + grain
    return np.clip(whole, 0, 1).astype(np.float32)


def _clouds(rng: np.random.Generator, size: float) -> FloatArray:
    noise = gaussian_filter(rng.normal(size=(_SIDE, _SIDE)), size, mode="wrap")
    scaled = 0.5 + 0.25 * noise / noise.std()
    return np.asarray(np.clip(scaled, 0, 1), np.float32)


def _stripes(
    rng: np.random.Generator, rows: FloatArray, cols: FloatArray, period: float
) -> FloatArray:
    angle = rng.uniform(0, np.pi)
    along = rows * np.sin(angle) + cols * np.cos(angle)
    return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * along / period), np.float32)


def _board(rows: FloatArray, cols: FloatArray, side: int) -> FloatArray:
    return np.asarray((rows // side + cols // side) % 2, np.float32)


def _boxes(rng: np.random.Generator, count: int, largest: int) -> FloatArray:
    pattern = np.full((_SIDE, _SIDE), 0.5, np.float32)
    for _ in range(count):
        row, col = rng.integers(0, _SIDE - 8, 2)
        height, width = rng.integers(largest // 3, largest, 2)
        pattern[row : row + height, col : col + width] = rng.uniform()
    return pattern


def _discs(
    rng: np.random.Generator,
    rows: FloatArray,
    cols: FloatArray,
    count: int,
    largest: int,
) -> FloatArray:
    pattern = np.full((_SIDE, _SIDE), 0.3, np.float32)
    for _ in range(count):
        row, col = rng.uniform(0, _SIDE, 2)
        radius = rng.uniform(largest / 3, largest)
        pattern[np.hypot(rows - row, cols - col) < radius] = rng.uniform()
    return pattern
