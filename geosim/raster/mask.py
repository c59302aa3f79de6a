"""Masks of one date: what is cloud, shadow or otherwise not to be compared.

A raster or a file of polygons, brought to the grid by windows; rasters by the nearest
pixel, since their values are codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import shapely
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geosim.errors import GridMismatchError, OptionError, RasterReadError
from geosim.raster.longitudes import crs_for_warping
from geosim.raster.polygons import polygons_on
from geosim.raster.source import PLAIN_CRS, one_line_errors, open_raster
from geosim.raster.transparency import alpha_band

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window
    from geosim.raster.mask_files import MaskKind

_QA_MASKED = 0b11111
"""QA_PIXEL: fill, dilated cloud, cirrus, cloud, cloud shadow; snow and water stay."""

_SCL_MASKED = (0, 1, 3, 8, 9, 10)
"""SCL: no data, defective, cloud shadow, cloud (medium, high), cirrus."""

_VECTORS = frozenset(
    {".geojson", ".json", ".gpkg", ".shp", ".fgb", ".kml", ".gml", ".parquet"}
)
"""Suffixes of files that are read as polygons."""


class Mask(Protocol):
    """A mask on a grid."""

    def read(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) of a window of the grid, True where masked."""


@dataclass(frozen=True, kw_only=True)
class _Raster:
    """A raster on the grid."""

    path: str
    reader: Any
    band: int
    alpha: int
    masked: Callable[[NDArray[Any]], NDArray[np.bool_]]
    outside: bool
    """Whether what the file does not cover is masked."""

    def read(self, window: Window) -> NDArray[np.bool_]:
        place = RasterioWindow(
            window.col_off, window.row_off, window.width, window.height
        )
        with one_line_errors(self.path):
            codes = self.reader.read(self.band, window=place)
            covered = self.reader.read(self.alpha, window=place) > 0
        return np.where(covered, self.masked(codes), self.outside)


@dataclass(frozen=True, kw_only=True)
class _Polygons:
    """Polygons in the grid's pixels, (col, row)."""

    tree: shapely.STRtree

    def read(self, window: Window) -> NDArray[np.bool_]:
        shape = window.height, window.width
        here = shapely.box(
            window.col_off, window.row_off, window.col_end, window.row_end
        )
        found = self.tree.geometries[self.tree.query(here)]
        if not len(found):
            return np.zeros(shape, np.bool_)
        origin = np.array([window.col_off, window.row_off])
        moved = shapely.transform(found, lambda xy: xy - origin)
        burnt: NDArray[np.bool_] = rasterize(list(moved), shape).astype(np.bool_)
        return burnt


def open_mask(path: str, kind: MaskKind, grid: Grid, stack: ExitStack) -> Mask:
    """Open a mask on a grid.

    Args:
        path: a raster that GDAL opens, or a file of polygons.
        kind: what a raster's numbers mean.
        grid: where it is read.
        stack: closes what is opened.

    Raises:
        RasterReadError: it cannot be read.
        GridMismatchError: only one of mask and grid has a CRS.
        OptionError: a kind that does not go with polygons.
    """
    if PurePath(path).suffix.lower() in _VECTORS:
        if kind not in ("auto", "binary"):
            raise OptionError(
                f"--mask-kind {kind} is for rasters; '{path}' holds polygons; leave it "
                "out"
            )
        return _open_polygons(path, grid)
    dataset = stack.enter_context(open_raster(path))
    _check_crs(path, grid, known=dataset.crs is not None)
    meaning, band = _meaning(path, dataset, kind)
    plain, alpha = grid.crs is None, alpha_band(dataset)
    reader = WarpedVRT(
        dataset,
        src_crs=PLAIN_CRS if plain else crs_for_warping(dataset, grid),
        src_transform=_picture(dataset, grid) if plain else None,
        crs=PLAIN_CRS if plain else grid.crs.to_wkt(),  # type: ignore[union-attr]
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=Resampling.nearest,
        add_alpha=alpha is None,
    )
    stack.enter_context(reader)
    return _Raster(
        path=path,
        reader=reader,
        band=band,
        alpha=alpha or reader.count,
        masked=_MASKED[meaning],
        outside=meaning != "binary",
    )


def _picture(dataset: Any, grid: Grid) -> Any:  # noqa: ANN401 - rasterio has no types
    """Where a plain picture's pixels lie: on those that are compared."""
    return grid.transform if dataset.transform.is_identity else dataset.transform


def _check_crs(path: str, grid: Grid, *, known: bool) -> None:
    if known != (grid.crs is not None):
        raise GridMismatchError(
            f"the mask '{path}' {'has a' if known else 'has no'} coordinate reference "
            f"system, the images have {'none' if known else 'one'}; give both or none"
        )


def _meaning(path: str, dataset: Any, kind: MaskKind) -> tuple[str, int]:  # noqa: ANN401
    """What the numbers mean, and the band that holds them."""
    names = [text or "" for text in dataset.descriptions]
    words = {
        "qa_pixel": re.compile(r"qa[_ ]?pixel", re.IGNORECASE),
        "scl": re.compile(r"(?<![a-z])scl(?![a-z])", re.IGNORECASE),
    }
    for meaning, word in words.items():
        if kind not in ("auto", meaning):
            continue
        bands = [n for n, name in enumerate(names, start=1) if word.search(name)]
        told = [PurePath(path).name, *map(str, dataset.tags().values())]
        if kind == meaning or bands or any(word.search(text) for text in told):
            return meaning, bands[0] if bands else 1
    return "binary", 1


def _qa_pixel(codes: NDArray[Any]) -> NDArray[np.bool_]:
    masked: NDArray[np.bool_] = (codes.astype(np.int64) & _QA_MASKED) != 0
    return masked


def _scl(codes: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isin(codes, _SCL_MASKED)


def _binary(codes: NDArray[Any]) -> NDArray[np.bool_]:
    masked: NDArray[np.bool_] = codes != 0
    return masked


_MASKED: dict[str, Callable[[NDArray[Any]], NDArray[np.bool_]]] = {
    "binary": _binary,
    "qa_pixel": _qa_pixel,
    "scl": _scl,
}


def _open_polygons(path: str, grid: Grid) -> _Polygons:
    """Read polygons and carry them to the grid's pixels."""
    import pyogrio  # slow to import, seldom needed
    from pyogrio.errors import DataSourceError

    try:
        names = [str(name) for name, kind in pyogrio.list_layers(path) if kind]
        frame = pyogrio.read_dataframe(
            path, columns=[], layer=names[0] if names else None
        )
    except (DataSourceError, OSError, ValueError) as error:
        cause = str(error).splitlines()[0]
        raise RasterReadError(
            f"cannot read the mask '{path}' as polygons: {cause}"
        ) from error
    if len(names) > 1:
        raise OptionError(
            f"a mask wants one layer of polygons; '{path}' holds {', '.join(names)}; "
            f"take one of them out with 'ogr2ogr mask.gpkg {path} LAYER'"
        )
    _check_crs(path, grid, known=frame.crs is not None)
    a, b, c, d, e, f = (~grid.transform)[:6]
    pixels = shapely.transform(
        polygons_on(np.asarray(frame.geometry), frame.crs, grid),
        lambda xy: xy @ np.array([[a, d], [b, e]]) + np.array([c, f]),
    )
    return _Polygons(tree=shapely.STRtree(pixels))
