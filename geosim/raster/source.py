"""One raster file: open it, say what it is, tell its complaints in one line."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import (
    NodataShadowWarning,
    NotGeoreferencedWarning,
    RasterioError,
)
from rasterio.io import MemoryFile

from geosim.errors import GridMismatchError, NoDataError, OptionError, RasterReadError
from geosim.machine.process_wide import silence
from geosim.raster.bands import choose_bands
from geosim.raster.grid import Grid
from geosim.raster.nodata import check_nodata
from geosim.raster.png import png_is_whole
from geosim.raster.transparency import alpha_band, has_shades
from geosim.themes.roles import (
    band_roles,
    is_sensor,
    known_roles,
    knows,
    names_roles,
    role_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAIN_CRS = "EPSG:3857"
"""Stands in for the missing CRS of plain images, which GDAL's warper insists on."""

_MISSING = "None"
"""How GDAL's programs say that a band has no nodata value."""

_PICTURE = Affine.scale(1.0, -1.0)
"""Geotransform of plain images, rows downwards as QGIS draws them: without it polygons
and rasters would lie mirrored to each other."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a raster file says of itself."""

    path: str
    """As the user gave it; anything that GDAL opens."""
    driver: str
    """GDAL's name of the format."""
    grid: Grid
    """The file's own grid."""
    dtype: str
    """Data type of the chosen bands."""
    nodata: float | None
    """Declared nodata value, or what is given in its place."""
    bands: tuple[int, ...]
    """Numbers (from 1) of the bands that are compared."""
    band_names: tuple[str, ...]
    """Their descriptions, or their numbers as text."""
    tags: dict[str, str]
    """The file's metadata tags."""
    roles: dict[str, int] = field(default_factory=dict)
    """Band numbers by role (`geosim.themes.roles`), as far as they are known."""
    scaling: tuple[tuple[float, float], ...] = ()
    """Scale and offset of each band, in the order of the numbers."""


@contextmanager
def plain_images_welcome() -> Iterator[None]:
    """No warning for rasters without a geotransform: a run's notes tell of them.

    Nor for a nodata value beside an alpha band: both are heeded (`nodata_apart`).

    Filters belong to the process: while a run works these are silent in all threads.
    """
    with (
        silence(NotGeoreferencedWarning),
        silence(NodataShadowWarning),
        silence(message="'crs' was not provided"),
    ):
        yield


def open_raster(path: str) -> Any:  # noqa: ANN401 - rasterio has no types
    """Open a raster for reading."""
    try:
        with plain_images_welcome():
            dataset = rasterio.open(path)
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="replace")
        raise RasterReadError(
            f"cannot open '{shown}' as a raster: its name is not in UTF-8; rename it"
        ) from error
    except (RasterioError, OSError) as error:
        raise RasterReadError(
            f"cannot open '{path}' as a raster: {_cause(error, path)}"
        ) from error
    if dataset.driver == "PNG" and not png_is_whole(path):
        dataset.close()
        raise RasterReadError(
            f"cannot open '{path}' as a raster: it is cut short; is the file complete?"
        )
    if dataset.count == 0:
        dataset.close()
        raise NoDataError(
            f"'{path}' has no bands of its own; name one of its subdatasets "
            "('gdalinfo' lists them)"
        )
    return dataset


def _cause(error: BaseException, path: str) -> str:
    """The reason in a few words."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "No such file" in text or "does not exist" in text:
        return "no such file; check the path"
    if "not recognized as" in text:
        return "not a format that GDAL knows; a GeoTIFF, JPEG or PNG is wanted"
    if "Failed to read directory" in text:
        return "it is cut short or damaged; is the file complete?"
    return text.removeprefix(f"{path}: ")


def grid_of(path: str, dataset: Any) -> Grid:  # noqa: ANN401
    """Where the pixels of an open dataset lie.

    Raises:
        GridMismatchError: it does not say so by a geotransform, but otherwise.
    """
    if dataset.crs is None and dataset.gcps[0] and dataset.transform.is_identity:
        raise GridMismatchError(
            f"'{path}' has ground control points but no geotransform; "
            "run 'gdalwarp' on it first"
        )
    if dataset.crs is None and dataset.rpcs and dataset.transform.is_identity:
        raise GridMismatchError(
            f"'{path}' has rational polynomial coefficients (RPC) but no geotransform; "
            "run 'gdalwarp -rpc' on it first, with '-to RPC_DEM=...' in hills"
        )
    if dataset.crs is not None and dataset.transform.is_identity:
        raise GridMismatchError(
            f"'{path}' has a coordinate reference system but no geotransform that says "
            "where its pixels lie; give it one with 'gdal_edit.py -a_ullr', or run "
            "'gdalwarp' on it where it has control points or RPC"
        )
    grid = Grid.of(dataset)
    if grid.crs is not None and grid.crs.is_geocentric:
        raise GridMismatchError(
            f"'{path}' has a geocentric coordinate reference system "
            f"('{grid.crs.name}'), in which no map is drawn; assign the right one with "
            "'gdal_edit.py -a_srs EPSG:CODE'"
        )
    plain = grid.crs is None and grid.transform.is_identity
    return replace(grid, transform=_PICTURE) if plain else grid


def describe(path: str, dataset: Any, bands: str | None) -> Source:  # noqa: ANN401
    """What an open dataset says of itself.

    Raises:
        GridMismatchError: see `grid_of`.
        OptionError: a band that is not there or cannot be compared.
    """
    grid = grid_of(path, dataset)
    names = [text or "" for text in dataset.descriptions]
    kinds = [kind.name for kind in dataset.colorinterp]
    chosen = choose_bands(bands, kinds, names)
    dtypes = {dataset.dtypes[number - 1] for number in chosen}
    if any(kinds[number - 1] == "palette" for number in chosen):
        raise OptionError(
            f"'{path}' holds numbers of a colour palette, which cannot be compared; "
            "make colours of them with 'gdal_translate -expand rgb'"
        )
    if any(name.startswith("complex") for name in dtypes):
        raise OptionError(
            f"'{path}' holds complex numbers; convert it to amplitude first"
        )
    return Source(
        path=path,
        driver=dataset.driver,
        grid=grid,
        dtype=str(np.result_type(*dtypes)),
        nodata=dataset.nodata,
        bands=chosen,
        band_names=tuple(names[number - 1] or str(number) for number in chosen),
        tags=dict(dataset.tags()),
        roles=known_roles(bands, kinds, names),
        scaling=tuple(zip(dataset.scales, dataset.offsets, strict=True)),
    )


def open_source(
    path: str, bands: str | None, nodata: float | None = None
) -> tuple[Any, Source]:
    """A raster for reading, and what it says of itself.

    Args:
        path: anything that GDAL opens.
        bands: see `geosim.raster.bands.choose_bands`.
        nodata: takes the place of the nodata value that the file declares.

    Raises:
        GeosimError: it cannot be opened or compared.
    """
    dataset = open_raster(path)
    try:
        if _alpha_has_a_role(dataset, bands):
            dataset = _declaring(dataset, no_alpha=True)
        source = describe(path, dataset, bands)
        if nodata is None:
            _check_one_nodata(path, dataset, source.bands)
            return dataset, source
        check_nodata(path, source.dtype, nodata)
        dataset = _declaring(dataset, nodata=nodata)
    except BaseException:
        dataset.close()
        raise
    return dataset, replace(source, nodata=nodata)


def _check_one_nodata(path: str, dataset: Any, bands: Iterable[int]) -> None:  # noqa: ANN401
    """Refuse bands that declare several nodata values, as a VRT of files may.

    Raises:
        NoDataError: as said.
    """
    values = [dataset.nodatavals[number - 1] for number in bands]
    found = [_MISSING if value is None else f"{value:.10g}" for value in values]
    if len(set(found)) == 1:
        return
    known = next(text for text in found if text != _MISSING)
    raise NoDataError(
        f"one nodata value of all bands is wanted; '{path}' declares "
        f"{', '.join(found)}; bring them to one with 'gdalwarp -srcnodata "
        f'"{" ".join(found)}" -dstnodata {known} IN OUT\', or name the one that '
        "counts with --nodata"
    )


def _alpha_has_a_role(dataset: Any, bands: str | None) -> bool:  # noqa: ANN401
    """True where what is marked as alpha is, by its name or by the user, a band.

    GDAL marks the fourth band of four as alpha where whoever wrote the file did not
    say what it is, as of red, green, blue and infrared. Of a sensor's file, which may
    have either beside three bands, the pixels tell.
    """
    number = alpha_band(dataset)
    if number is None:
        return False
    if role_of(dataset.descriptions[number - 1] or "") is not None:
        return True
    if bands is None or not names_roles(bands):
        return False
    if is_sensor(bands):
        with one_line_errors(dataset.name):
            return knows(bands, dataset.count) and has_shades(dataset, number)
    return number in band_roles(bands, [], dataset.descriptions).values()


def _declaring(
    dataset: Any,  # noqa: ANN401
    *,
    nodata: float | None = None,
    no_alpha: bool = False,
) -> Any:  # noqa: ANN401
    """The same pixels by a VRT that tells something else of them; closes the dataset.

    Args:
        dataset: an open raster.
        nodata: of all bands; None: as it is.
        no_alpha: no band is alpha.
    """
    with plain_images_welcome(), MemoryFile(ext=".vrt") as virtual:
        rasterio.shutil.copy(dataset, virtual.name, driver="VRT")
        with rasterio.open(virtual.name, "r+") as edited:
            if nodata is not None:
                edited.nodata = nodata
            if no_alpha:
                edited.colorinterp = [
                    ColorInterp.undefined if kind is ColorInterp.alpha else kind
                    for kind in dataset.colorinterp
                ]
        declared = rasterio.open(virtual.read().decode())
    dataset.close()
    return declared


@contextmanager
def one_line_errors(path: str) -> Iterator[None]:
    """Turn GDAL's complaints into one line."""
    try:
        yield
    except (RasterioError, rasterio.errors.RasterioIOError, OSError) as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise RasterReadError(
            f"cannot read '{path}': {cause}; is the file complete?"
        ) from error
