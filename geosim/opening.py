"""A pair opened as the options of a run want it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from geosim.raster.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.options import ChangeOptions
    from geosim.raster.scene import Scene


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
    with open_scene(
        before,
        after,
        bands=options.bands,
        reference=options.grid,
        resolution=options.resolution,
        bounds=options.bounds,
        masks=options.masks,
        nodata=options.nodata_values,
        hold=hold,
    ) as scene:
        yield scene
