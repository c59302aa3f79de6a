"""The strata of a finished result, read by strips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import shapely
from rasterio.features import rasterize
from rasterio.windows import Window as RasterioWindow
from scipy.ndimage import maximum_filter1d

from geosim.assessing.options import (
    BUFFER,
    CHANGE_CLASSES,
    CHANGED,
    StrataOf,
)
from geosim.assessment.drawing import NO_STRATUM, run_counts
from geosim.errors import NoDataError, OptionError, OutputError
from geosim.raster.grid import Grid, Window, strips
from geosim.raster.source import one_line_errors, open_raster
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_STRIP_PIXELS = 4_000_000
"""Pixels that are looked at together, whatever the raster's size."""

_STRIP_ROWS = 512

_RUNS = 32
"""Parts of a row whose pixels count as equally large, where the row's are not."""

RASTERS = {"change.tif": 255, "first_change.tif": 65535}
"""Map of a result and its value without data: of `geosim change`, of `geosim series`.
0 is no change, anything else change."""


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A part of the map that is sampled on its own."""

    name: str
    """Such as `changed`, `forest_loss`, `buffer`."""
    map_class: str
    """What the map says there: the name of a class."""


class StrataMap:
    """Strata of a result's map, by windows; memory does not grow with the raster."""

    def __init__(self, folder: Path, strata: StrataOf, buffer: int) -> None:
        """Find the map and, where the strata are classes, its polygons.

        Raises:
            OutputError: the folder holds no result.
            OptionError: the result has no classes.
        """
        self.path = map_of(folder)
        self._buffer, self._nodata = buffer, RASTERS[self.path.name]
        with open_raster(str(self.path)) as dataset:
            self.grid = Grid.of(dataset)
        classes: list[str] = [CHANGED]
        self._shapes: NDArray[Any] = np.empty(0, object)
        if strata == "class":
            self._shapes, names = _classed_polygons(folder / "changes.gpkg")
            found = set(names) | {CHANGED}
            classes = [name for name in CHANGE_CLASSES if name in found]
            classes += sorted(found - set(classes))
            self._codes = np.array([classes.index(name) + 1 for name in names])
            self._bounds = shapely.bounds(self._shapes)
        self._plain = classes.index(CHANGED) + 1
        parts = [Stratum(name=NO_CHANGE, map_class=NO_CHANGE)]
        parts += [Stratum(name=name, map_class=name) for name in classes]
        if buffer:
            parts.append(Stratum(name=BUFFER, map_class=NO_CHANGE))
        self.strata = tuple(parts)
        """All strata that there may be; their places are the numbers that are read."""

    def strips(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Full-width windows from the top, with (rows, width) numbers of strata.

        255 is none.
        """
        rows = max(1, min(_STRIP_ROWS, _STRIP_PIXELS // self.grid.width))
        with open_raster(str(self.path)) as dataset:
            for window in strips(self.grid, rows):
                yield window, self._read(dataset, window)

    @cached_property
    def run(self) -> int:
        """Pixels of a row that count as equally large: all, where they are."""
        width = self.grid.width
        return width if self.grid.pixel_areas.even else -(-width // _RUNS)

    @cached_property
    def runs(self) -> int:
        """Runs of a row."""
        return -(-self.grid.width // self.run)

    def run_areas(self) -> NDArray[np.float64]:
        """Area of a pixel in the middle of each run, (height * runs,), as counted."""
        middles = np.arange(self.runs) * self.run + self.run // 2
        cols = np.minimum(middles, self.grid.width - 1)
        return self.grid.pixel_areas.at(np.arange(self.grid.height), cols).ravel()

    def run_counts(self) -> NDArray[np.int64]:
        """Pixels of each stratum in each run, (strata, height * runs).

        Raises:
            NoDataError: the map has no pixel with data.
        """
        count = len(self.strata)
        counts = [run_counts(values, count, self.run) for _, values in self.strips()]
        found = np.concatenate(counts, axis=1)
        if not found.any():
            raise NoDataError(f"'{self.path}' has no pixel with data")
        return found

    def _read(self, dataset: Any, window: Window) -> NDArray[np.uint8]:  # noqa: ANN401
        outer = window.grown(self._buffer).clipped(self.grid.width, self.grid.height)
        place = RasterioWindow(outer.col_off, outer.row_off, outer.width, outer.height)
        with one_line_errors(str(self.path)):
            values = dataset.read(1, window=place)
        changed = (values != 0) & (values != self._nodata)
        inside = window.slices_in(outer)
        found = np.where(changed, self._plain, 0).astype(np.uint8)[inside]
        if len(self._shapes):
            burnt = self._burnt(window)
            found = np.where(changed[inside] & (burnt > 0), burnt, found)
        if self._buffer:
            near = _grown(changed, self._buffer)[inside]
            found[near & ~changed[inside]] = len(self.strata) - 1
        found[values[inside] == self._nodata] = NO_STRATUM
        return found

    def _burnt(self, window: Window) -> NDArray[np.uint8]:
        """Class of the polygon that holds each pixel's centre, 0 where none does.

        Of a series that of its latest change.
        """
        part = self.grid.cut(window)
        left, bottom, right, top = part.bounds
        west, south, east, north = self._bounds.T
        near = (west <= right) & (east >= left) & (south <= top) & (north >= bottom)
        shape = (window.height, window.width)
        if not near.any():
            return np.zeros(shape, np.uint8)
        # the first polygon is drawn last
        pairs = zip(self._shapes[near][::-1], self._codes[near][::-1], strict=True)
        burnt: NDArray[np.uint8] = rasterize(
            pairs, out_shape=shape, transform=part.transform, dtype="uint8"
        )
        return burnt


def map_of(folder: Path) -> Path:
    """The map of a result.

    Raises:
        OutputError: there is none.
    """
    for name in RASTERS:
        if (folder / name).is_file():
            return folder / name
    raise OutputError(
        f"'{folder}' holds no result: {' or '.join(RASTERS)} is wanted; give the "
        "folder that geosim change or geosim series wrote"
    )


def _classed_polygons(path: Path) -> tuple[NDArray[Any], list[str]]:
    """Polygons and their classes, the latest changes first."""
    try:
        frame = pyogrio.read_dataframe(path, layer="changes")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise OutputError(f"cannot read the polygons of '{path}': {error}") from error
    if "date_to" in frame:  # of a series, whose polygons lie on each other
        order = frame["date_to"].astype(str).sort_values(ascending=False, kind="stable")
        frame = frame.loc[order.index]
    names = [str(name) for name in frame["class"]]
    if not set(names) - {CHANGED}:
        raise OptionError(
            f"--strata class wants classes of change; '{path.name}' has none; run "
            "geosim change with --theme, or take --strata change"
        )
    return frame.geometry.to_numpy(), names


def _grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The mask and all pixels within `reach` rows and columns of it."""
    size = 2 * reach + 1
    levels = mask.astype(np.uint8)
    for axis in (0, 1):
        levels = maximum_filter1d(levels, size, axis=axis, mode="constant")
    return np.asarray(levels > 0)
