"""A pair opened as the options of a run want it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from geosim.raster.environment import GDAL_CACHE, cache_for
from geosim.raster.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.options import ChangeOptions
    from geosim.raster.scene import Scene

_CACHE_FROM, _CACHE_SHARE = 2000, 8
"""Of the MB beyond the first so many, one part in so many may hold blocks of the files.
Kept blocks lie between what is computed and take more room than they have bytes."""


@contextmanager
def open_pair(
    before: str, after: str, options: ChangeOptions, *, hold: bool = False
) -> Iterator[Scene]:
    """Open two rasters with the grid, bands, masks and nodata values of a run.

    Args:
        before: date 1, a path or any name that GDAL opens.
        after: date 2.
        options: of the run.
        hold: as `geosim.raster.scene.open_scene`, whose errors it raises.
    """
    with (
        open_scene(
            before,
            after,
            bands=options.bands,
            reference=options.grid,
            resolution=options.resolution,
            bounds=options.bounds,
            masks=options.masks,
            nodata=options.nodata_values,
            hold=hold,
        ) as scene,
        cache_for(cache_within(options, scene.cache_bytes)),
    ):
        yield scene


def cache_within(options: ChangeOptions, wanted: int) -> int:
    """As much of what GDAL's cache should hold as a run's memory allows, bytes.

    Beside what is wanted there is room for what GDAL notes of each block.
    """
    room = max(options.megabytes - _CACHE_FROM, 0) * 1_000_000 // _CACHE_SHARE
    return min(wanted + GDAL_CACHE, room)
