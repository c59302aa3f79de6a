"""A picture as geosim's models see it, and how large one may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a picture may be; checked before it is decoded."""

    file_bytes: int = 500_000_000
    """Largest file."""
    pixels: int = 80_000_000
    """Most pixels, width times height; Pillow's own limit lies at 89 million."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as geosim's models see it."""

    pixels: FloatArray
    """(3, height, width) float32, red, green, blue in 0..1 (sRGB)."""
    name: str
    """Where it comes from: a path, or what the caller called it."""
    original_size: tuple[int, int]
    """(width, height) before any reduction, turned upright."""
    notes: tuple[str, ...] = ()
    """What was done on the way: turned by EXIF, composed over white, and the like."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of `pixels`."""
        return self.pixels.shape[2], self.pixels.shape[1]
