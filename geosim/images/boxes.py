"""What the first bytes of a picture say: files that are made of boxes.

A box is a length, a type of four letters, and what it holds: JPEG 2000 (ISO/IEC
15444-1, annex I), HEIC and AVIF (ISO/IEC 14496-12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 1 << 16
"""How much of a file is looked at: its header comes first and is small."""

_HEAD = 8
"""Bytes of a box's length and type."""

_OPACITY = (1, 2)
"""Types of a channel: opacity, and opacity that colours were multiplied by."""


def brands(start: bytes) -> set[bytes]:
    """What a file of the kind of HEIC and AVIF says it is; empty for others."""
    if start[4:8] != b"ftyp":
        return set()
    box = start[: int.from_bytes(start[:4], "big")]
    return {box[8:12], *(box[place : place + 4] for place in range(16, len(box), 4))}


def has_opacity(start: bytes) -> bool:
    """Whether a JPEG 2000 file says that one of its channels is opacity.

    Pillow takes any fourth band for it; an orthophoto has near infrared there. Which
    channel is what is said by `cdef` in the header box `jp2h`.

    Args:
        start: the first HEADER_BYTES of it.

    Returns:
        False also of a bare codestream, which cannot say so.
    """
    for kind, header in _boxes(start):
        if kind != b"jp2h":
            continue
        for part, channels in _boxes(header):
            if part == b"cdef":
                # after their number: number, type and association of each, two bytes
                types = (
                    channels[place : place + 2] for place in range(4, len(channels), 6)
                )
                return any(int.from_bytes(one, "big") in _OPACITY for one in types)
    return False


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box, as far as there are whole ones."""
    place = 0
    while place + _HEAD <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        if not _HEAD <= length <= len(content) - place:  # 0 and 1 stand for long ones
            return
        first = place + _HEAD
        yield content[place + 4 : first], content[first : place + length]
        place += length
