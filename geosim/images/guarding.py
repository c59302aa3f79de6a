"""What pictures that may come from a stranger are refused for, each in one line."""

from __future__ import annotations

import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geosim.errors import PictureReadError
from geosim.machine.process_wide import silence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.images.picture import Limits

BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, RuntimeError),
    *(LookupError, ArithmeticError, AttributeError, AssertionError, struct.error),
)
"""What decoders raise at bytes that are not what they should be, each in its way."""

OPENING = threading.Lock()
"""Held while what belongs to the whole process is changed: filters and decoders."""


@contextmanager
def quietly() -> Iterator[None]:
    """No warnings of decoders: geosim says itself what is too large or damaged."""
    with OPENING, silence():
        yield


def check_pixels(size: tuple[int, int], name: str, limits: Limits) -> None:
    """Refuse a picture with too many pixels.

    Args:
        size: (width, height) in pixels.
        name: of the picture.
        limits: how large it may be.

    Raises:
        PictureReadError: it is larger.
    """
    if size[0] * size[1] > limits.pixels:
        raise too_large(name, size, limits)


def too_large(
    name: str, size: tuple[int, int] | None, limits: Limits
) -> PictureReadError:
    """The error for too many pixels; `size` is (width, height), None: not known."""
    has = f"has {size[0]:,} x {size[1]:,} pixels" if size else "has too many pixels"
    return PictureReadError(
        f"'{name}' {has}, at most {limits.pixels / 1e6:,.0f} million are read; give a "
        "smaller picture"
    )


def damaged(name: str, error: Exception) -> PictureReadError:
    """The error for a picture that a decoder stumbled over."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return PictureReadError(
        f"'{name}' is damaged or cut short ({reason}); give a whole file"
    )
