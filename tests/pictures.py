"""Pictures for tests, drawn from a seed; one that claims what it has not."""

import struct
import zlib

import numpy as np
from scipy.ndimage import gaussian_filter


def textured(seed=0, height=96, width=128):
    """(3, height, width) float32 in 0..1 with structure at several sizes."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((3, height, width))
    for sigma in (2, 6, 20):
        noise = gaussian_filter(rng.normal(size=(3, height, width)), (0, sigma, sigma))
        picture += noise / noise.std()
    picture -= picture.min()
    return (picture / picture.max()).astype(np.float32)


def as_uint8(picture):
    """(height, width, 3) uint8 of (3, height, width) in 0..1."""
    return np.round(np.moveaxis(picture, 0, -1) * 255).astype(np.uint8)


def png_that_claims(width, height):
    """A PNG whose head tells of pixels that it does not hold."""

    def chunk(kind, data):
        whole = kind + data
        return (
            struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [
        chunk(b"IHDR", head),
        chunk(b"IDAT", zlib.compress(bytes(9))),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
