"""Pixels of pictures: their types, orders and sizes. Arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]


def resized(pixels: FloatArray, width: int, height: int) -> FloatArray:
    """A picture in another size, by area when smaller, bicubic when larger.

    Args:
        pixels: (bands, H, W) float32.
        width: wanted, in pixels.
        height: wanted.

    Returns:
        (bands, height, width) float32 in 0..1.
    """
    if pixels.shape[1:] == (height, width):
        return pixels
    # Pillow's bicubic filter grows with the step, so that it averages when reducing
    bands = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(band, np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        for band in pixels
    ]
    whole: FloatArray = np.clip(np.stack(bands), 0.0, 1.0).astype(np.float32)
    return whole


def size_within(size: tuple[int, int], at_most: int | None) -> tuple[int, int]:
    """(width, height) with no side longer than `at_most`, the shape kept."""
    if not at_most or max(size) <= at_most:
        return size
    scale = at_most / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def as_bytes(pixels: FloatArray) -> NDArray[np.uint8]:
    """(3, H, W) float32 in 0..1 as (H, W, 3) uint8 for Pillow."""
    scaled = np.clip(pixels, 0, 1) * np.float32(255) + np.float32(0.5)
    rounded: NDArray[np.uint8] = scaled.astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(rounded, 0, -1))


def bands_first(values: NDArray[np.uint8]) -> FloatArray:
    """(H, W, 3) uint8 as (3, H, W) float32 in 0..1."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0), np.float32) / np.float32(
        255
    )


def wide(values: NDArray[np.generic]) -> FloatArray:
    """(H, W) or (3, H, W) of more than 8 bits as (3, H, W) in 0..1."""
    numbers = scaled(values)
    if numbers.ndim == 2:  # noqa: PLR2004
        numbers = np.repeat(numbers[None], 3, axis=0)
    return numbers


def scaled(values: NDArray[np.generic]) -> FloatArray:
    """Values of any type in 0..1; see `read_picture`."""
    if values.dtype == np.bool_:
        return values.astype(np.float32)
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(255)
    exact = np.float32 if values.dtype == np.uint16 else np.float64
    numbers = np.nan_to_num(values.astype(exact), posinf=0.0, neginf=0.0)
    largest = float(numbers.max(initial=0.0))
    if np.issubdtype(values.dtype, np.integer):
        bits = max(int(largest).bit_length(), 8)
        top = float(2**bits - 1)
    elif largest <= 1.0:
        top = 1.0
    elif largest <= 255.0:  # noqa: PLR2004 - bytes kept as floats
        top = 255.0
    else:
        top = float(np.quantile(numbers, 0.999)) or 1.0
    return np.asarray(np.clip(numbers / top, 0, 1), np.float32)
