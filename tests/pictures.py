"""Pictures for tests, drawn from a seed; some that are spoilt."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin
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


def orientation_and_resolution(orientation):
    """EXIF with the number of an orientation, 1 to 8, and 72 dots per inch."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x011A] = 72.0
    return exif


def resolution_as_text(jpeg):
    """A JPEG's bytes with the resolution of its EXIF typed as text: no number."""
    number, text = b"\x01\x1a\x00\x05", b"\x01\x1a\x00\x02"
    assert jpeg.count(number) == 1
    return jpeg.replace(number, text)


def avif_of_noughts(picture):
    """An AVIF's bytes whose head is whole and whose pixels are all gone."""
    stream = io.BytesIO()
    picture.save(stream, "AVIF")
    whole = stream.getvalue()
    start = whole.index(b"mdat") + 4
    return whole[:start] + bytes(len(whole) - start)


def tiff_of_16_bits(values, orientation):
    """A TIFF's bytes: (height, width, 3) uint16, stored as an orientation tells."""
    height, width, bands = values.shape
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    entries = {256: width, 257: height, 258: (16,) * bands, 259: 1, 262: 2}
    entries |= {273: 0, 274: orientation, 277: bands, 278: height, 279: values.nbytes}
    for tag, value in entries.items():
        tags[tag] = value
    # Pillow adds to the pixels' offset, 273, where the tags end
    return b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + values.tobytes()
