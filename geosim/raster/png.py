"""PNG files that were cut short."""

from __future__ import annotations

from pathlib import Path

_END = b"IEND"
"""Type of the last chunk (ISO/IEC 15948)."""

_TAIL = 65_536
"""Bytes in which it is looked for: some programs add their own behind it."""


def png_is_whole(path: str) -> bool:
    """Whether a PNG has its last chunk; True for what is no file on this machine.

    GDAL gives anything for the rows that are missing, and does not complain.

    Args:
        path: anything that GDAL opens.
    """
    try:
        with Path(path).open("rb") as file:
            file.seek(max(Path(path).stat().st_size - _TAIL, 0))
            return _END in file.read()
    except (OSError, ValueError):
        return True
