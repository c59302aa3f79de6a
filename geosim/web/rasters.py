"""Uploaded GeoTIFFs: looked at by GDAL's TIFF driver alone, before anything else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from geosim.errors import RasterReadError
from geosim.images.decoding import TIFF_STARTS
from geosim.raster.source import plain_images_welcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.web.limits import WebLimits


_POINTERS = (b"<VRTDataset", b"<GDALTileIndexDataset", b"<GDAL_WMS", b"<WMS")
"""What GDAL looks for in a file's head to take it for a list of other files."""

_HEAD = 65_536

_STRETCH_PERCENT = (1.0, 99.0)
"""Brightness that becomes black and white."""

_COLOURS = 3


def is_tiff(path: Path) -> bool:
    """Whether the first bytes are those of a TIFF."""
    with path.open("rb") as file:
        return file.read(4) in TIFF_STARTS


def check_raster(path: Path, name: str, limits: WebLimits) -> None:
    """Refuse what is no TIFF, points to other files, or is too large.

    Args:
        path: of the upload.
        name: what to call it in messages.
        limits: of pixels and bands.

    Raises:
        RasterReadError: it is refused.
    """
    with _opened(path, name, limits):
        pass


def look_at(path: Path, limits: WebLimits) -> tuple[bool, bool]:
    """Whether a TIFF has a place on the ground, and whether it is a picture.

    One without a place is a picture, and so is one whose numbers are no brightness:
    those of a palette, or those that count from white to black.

    Args:
        path: of the upload.
        limits: of pixels and bands.

    Raises:
        RasterReadError: it is refused or damaged.
    """
    with _opened(path, "image", limits) as dataset:
        placed = dataset.crs is not None
        indexed = ColorInterp.palette in dataset.colorinterp
        return placed, not placed or indexed or _counts_from_white(dataset)


def preview_raster(
    path: Path, side: int, limits: WebLimits
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A small picture of a TIFF: colours of a palette, or numbers stretched.

    Args:
        path: of the upload.
        side: longest side of the picture in pixels.
        limits: of pixels and bands.

    Returns:
        (height, width, 3) uint8, and (width, height) of the raster.

    Raises:
        RasterReadError: it is refused or damaged.
    """
    with _opened(path, "image", limits) as dataset:
        scale = min(1.0, side / max(dataset.width, dataset.height))
        shape = tuple(max(round(n * scale), 1) for n in (dataset.height, dataset.width))
        size = dataset.width, dataset.height
        if dataset.colorinterp[0] is ColorInterp.palette:
            return _palette(dataset)[dataset.read(1, out_shape=shape)], size
        values = dataset.read(
            colour_bands(dataset), out_shape=shape, masked=True, out_dtype="float32"
        )
        shown = stretched([values])[0]
        return 255 - shown if _counts_from_white(dataset) else shown, size


def _counts_from_white(dataset: Any) -> bool:  # noqa: ANN401
    return "MINISWHITE" in dataset.tags(ns="IMAGE_STRUCTURE")


def _palette(dataset: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """Red, green and blue of every number of the first band's type, (n, 3)."""
    colours = np.zeros((np.iinfo(dataset.dtypes[0]).max + 1, 3), np.uint8)
    for number, (red, green, blue, _) in dataset.colormap(1).items():
        colours[number] = red, green, blue
    return colours


def colour_bands(dataset: Any) -> list[int]:  # noqa: ANN401 - rasterio has no types
    """Numbers of three bands to show: red, green, blue, or one grey thrice."""
    kinds = [kind.name for kind in dataset.colorinterp]
    named = [kinds.index(n) + 1 for n in ("red", "green", "blue") if n in kinds]
    if len(named) == _COLOURS:
        return named
    return [1, 2, 3] if dataset.count >= _COLOURS else [1, 1, 1]


def stretched(pictures: list[np.ma.MaskedArray]) -> list[NDArray[np.uint8]]:
    """Pictures of any range as (height, width, 3) uint8, all by one stretch.

    Args:
        pictures: (3, height, width) each, masked where there is no data.
    """
    known = np.concatenate([p.compressed()[:: 1 + p.size // 300_000] for p in pictures])
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, _STRETCH_PERCENT) if known.size else (0.0, 1.0)
    shown = []
    for picture in pictures:
        scaled: Any = (picture.astype(np.float32) - low) / max(high - low, 1e-6)
        levels = np.nan_to_num(np.clip(scaled.filled(np.nan), 0, 1), nan=0.85)
        shown.append(np.moveaxis(np.rint(255 * levels).astype(np.uint8), 0, -1))
    return shown


@contextmanager
def _opened(path: Path, name: str, limits: WebLimits) -> Iterator[Any]:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:4] not in TIFF_STARTS or any(text in head for text in _POINTERS):
        raise RasterReadError(f"'{name}' is no GeoTIFF; two GeoTIFFs are wanted")
    try:
        with plain_images_welcome(), rasterio.open(path, driver="GTiff") as dataset:
            _check_size(dataset, name, limits)
            yield dataset
    except (RasterioError, OSError, ValueError) as error:
        if isinstance(error, RasterReadError):
            raise
        raise RasterReadError(
            f"'{name}' is damaged or cut short; give a whole GeoTIFF"
        ) from error


def _check_size(dataset: Any, name: str, limits: WebLimits) -> None:  # noqa: ANN401
    if dataset.count == 0:
        raise RasterReadError(f"'{name}' has no bands of its own; give a plain GeoTIFF")
    if dataset.width * dataset.height > limits.raster_pixels:
        raise RasterReadError(
            f"'{name}' has {dataset.width:,} x {dataset.height:,} pixels, at most "
            f"{limits.raster_pixels / 1e6:,.0f} million are taken here; cut it, or use "
            "'geosim change' on the command line"
        )
    if dataset.count > limits.raster_bands:
        raise RasterReadError(
            f"'{name}' has {dataset.count} bands, at most {limits.raster_bands} are "
            "taken here; leave some out, or use 'geosim change' on the command line"
        )
