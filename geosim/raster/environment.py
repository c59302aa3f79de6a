"""GDAL as a run wants it: little memory for its cache, threads of its own."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import rasterio
from rasterio.env import get_gdal_config, set_gdal_config

from geosim.process_wide import Restored

if TYPE_CHECKING:
    from collections.abc import Iterator

GDAL_CACHE = 16_000_000
"""Bytes of GDAL's block cache: blocks are read once, a large one only costs memory.
`rasterio.Env` takes the number as bytes, where GDAL's own option means megabytes."""

_CACHE = Restored(
    partial(get_gdal_config, "GDAL_CACHEMAX"),
    partial(set_gdal_config, "GDAL_CACHEMAX"),
)


@contextmanager
def gdal_environment(threads: int = 1) -> Iterator[None]:
    """GDAL's cache and threads for a run.

    The cache is the whole process's, and `rasterio.Env` leaves it as it made it: what
    it was comes back here, at the end of the last of the runs that overlap.

    Args:
        threads: for reading and compressing.
    """
    with (
        rasterio.Env(),
        _CACHE.afterwards(),
        rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS=threads),
    ):
        yield
