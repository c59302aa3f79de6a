"""GDAL as a run wants it: a block cache as large as we say, threads of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import rasterio
from rasterio.env import get_gdal_config, set_gdal_config

from geosim.machine.process_wide import Restored

if TYPE_CHECKING:
    from collections.abc import Iterator

GDAL_CACHE = 16_000_000
"""Bytes of GDAL's block cache at least, see `cache_for`."""

_read_size = partial(get_gdal_config, "GDAL_CACHEMAX")
_write_size = partial(set_gdal_config, "GDAL_CACHEMAX")  # bytes, not megabytes
_BEFORE = Restored(_read_size, _write_size)


class _Wanted:
    """What all that is under way wants together, in bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0

    def add(self, size: int) -> None:
        with self._lock:
            self._total += size
            _write_size(max(GDAL_CACHE, self._total))


_WANTED = _Wanted()


@contextmanager
def cache_for(size: int) -> Iterator[None]:
    """GDAL's block cache for so much meanwhile, beside what others want.

    It is the whole process's, and as an option of `rasterio.Env` each one that ends
    would set it anew: it is set by itself. What it was at first comes back at the end
    of the last of all that overlap.

    Args:
        size: bytes of blocks, as they are in memory, that will be read again soon.
    """
    with _BEFORE.afterwards():
        _WANTED.add(size)
        try:
            yield
        finally:
            _WANTED.add(-size)


@contextmanager
def gdal_environment(threads: int = 1) -> Iterator[None]:
    """GDAL's cache and threads for a run.

    Args:
        threads: for reading and compressing.
    """
    with rasterio.Env(GDAL_NUM_THREADS=threads), cache_for(0):
        yield
