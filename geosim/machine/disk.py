"""Why a file could not be written, in a few words."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FULL = 10_000_000
"""Free bytes below which a disk is taken to be full, whatever a library says."""


def cause_of(error: BaseException, folder: Path) -> str:
    """The reason of a failed write.

    Args:
        error: what the library raised.
        folder: where it was to be written.
    """
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or (folder.is_dir() and shutil.disk_usage(folder).free < _FULL):
        return "no space left on the disk; make room or choose another folder"
    own = isinstance(error, OSError) and error.strerror
    text = own or str(error.__cause__ or error) or type(error).__name__
    return text.splitlines()[0]
