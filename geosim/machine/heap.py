"""Memory that one block leaves is kept for the next one.

The C library takes every large array from the system and hands it back at once, and the
system clears each page before it gives it out again: of a run over many blocks that is
a thirtieth of the processor time, more in a virtual machine.
"""

import ctypes
import os

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Numbers of glibc's parameters (malloc.h)."""

_STEP = 64 << 20
"""Bytes by which the heap grows."""


def keep_memory() -> None:
    """From now on this process reuses the memory of its arrays; to be called early.

    Nothing is handed back before the process ends: for a process with one task.
    Where the C library is not glibc all stays as it is.
    """
    if not _is_glibc():
        return
    set_parameter = ctypes.CDLL(None).mallopt
    for parameter, value in (
        (_ARENA_MAX, 1),  # one heap for all threads, which pass blocks on
        (_MMAP_MAX, 0),
        (_TRIM_THRESHOLD, -1),
        (_TOP_PAD, _STEP),
    ):
        set_parameter(parameter, value)


def _is_glibc() -> bool:
    """True where the C library has these parameters."""
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):  # not on every system
        return False
    return bool(version) and "glibc" in str(version)
