"""Rasters out: working rasters and COGs; the only writer of pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling

from geosim.raster.environment import cache_for
from geosim.raster.source import plain_images_welcome
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window

COG_BLOCK = 512
"""Side of a COG's internal tiles."""

COG_CACHE = 128_000_000
"""Bytes of GDAL's block cache while a COG is written, where its rows are long."""

_GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a raster holds, apart from its pixels."""

    dtype: str
    """Data type of all bands."""
    nodata: float
    """Value of pixels without data."""
    bands: tuple[str, ...]
    """Description of each band."""
    scale: float = 1.0
    """Factor from stored to real values, the same for all bands."""
    overviews: str = "average"
    """Resampling of the overviews: "average" for values, "mode" for classes."""
    colours: Mapping[int, tuple[int, int, int, int]] | None = None
    """RGBA of each class."""
    tags: Mapping[str, str] | None = None
    """Metadata tags of the file."""


class WorkRaster:
    """A raster in the working folder, written and read by windows.

    A plain file, band after band and row after row, with its room on the disk taken
    before the first pixel: whenever the process ends, what was written can be read, and
    a disk that is too small shows at the start.
    """

    def __init__(self, path: Path, grid: Grid, layout: Layout) -> None:
        """Open it, or make it where it is missing or of another size.

        Raises:
            OutputError: it cannot be made.
        """
        self.path, self.layout = path, layout
        self._grid, self._dtype = grid, np.dtype(layout.dtype).newbyteorder("<")
        size = len(layout.bands) * grid.width * grid.height * self._dtype.itemsize
        with writing(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if os.fstat(self._file).st_size != size:
                os.ftruncate(self._file, 0)
                _take_room(self._file, size)

    def write(self, values: NDArray[Any], window: Window, band: int) -> None:
        """Write (height, width) values of one band, counted from 1."""
        values = np.ascontiguousarray(values, self._dtype)
        with writing(self.path):
            if window.width == self._grid.width:
                _write_all(self._file, _bytes(values), self._place(window, band))
                return
            size = values[0].nbytes
            data = _bytes(values)
            for number, place in enumerate(self._rows(window, band)):
                _write_all(self._file, data[number * size : (number + 1) * size], place)

    def read(self, window: Window, band: int) -> NDArray[Any]:
        """Read (height, width) values of one band, counted from 1."""
        values = np.empty((window.height, window.width), self._dtype)
        with writing(self.path):
            if window.width == self._grid.width:
                _read_all(self._file, values, self._place(window, band))
            else:
                for row, place in zip(values, self._rows(window, band), strict=True):
                    _read_all(self._file, row, place)
        return values

    def _place(self, window: Window, band: int) -> int:
        """Byte at which a window of a band begins."""
        row = (band - 1) * self._grid.height + window.row_off
        return (row * self._grid.width + window.col_off) * self._dtype.itemsize

    def _rows(self, window: Window, band: int) -> range:
        """Byte at which each row of a window begins."""
        first, step = self._place(window, band), self._grid.width * self._dtype.itemsize
        return range(first, first + window.height * step, step)

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        with writing(self.path):
            os.fsync(self._file)

    def close(self) -> None:
        """Close it; it can be closed twice."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def to_cog(
        self,
        path: Path,
        creation_options: Mapping[str, str],
        most_cache: int = COG_CACHE,
    ) -> None:
        """Write it as a cloud-optimised GeoTIFF.

        Args:
            path: of the file.
            creation_options: of GDAL's COG driver.
            most_cache: bytes of GDAL's cache that may be taken for it.

        Raises:
            OutputError: the disk is full or a creation option is refused.
        """
        kind = self.layout.dtype
        options = {
            "COMPRESS": "DEFLATE",
            "PREDICTOR": "FLOATING_POINT" if kind.startswith("float") else "STANDARD",
            "BLOCKSIZE": str(COG_BLOCK),
            "BIGTIFF": "IF_SAFER",
            "OVERVIEW_RESAMPLING": self.layout.overviews.upper(),
            "RESAMPLING": self.layout.overviews.upper(),
        } | {key.upper(): value for key, value in creation_options.items()}
        if options["COMPRESS"].upper() == "DEFLATE":
            # quicker than the usual level, hardly larger for maps of the network
            options.setdefault("LEVEL", "1")
        header, block = self.path.with_suffix(".vrt"), int(options["BLOCKSIZE"])
        with (
            writing(path),
            plain_images_welcome(),
            cache_for(min(self._cache(block), most_cache)),
        ):
            header.write_bytes(ET.tostring(self._header()))
            self._build_overviews(header, block)
            rasterio.shutil.copy(header, path, driver="COG", **options)
            _read_through(path)

    def _cache(self, block: int) -> int:
        """Of GDAL's: blocks are cut from rows, which are read once where these fit."""
        rows = len(self.layout.bands) * block * self._grid.width * self._dtype.itemsize
        return rows * 3 // 2

    def _build_overviews(self, header: Path, block: int) -> None:
        """Make overviews beside the header, until one fits into a block of a COG.

        The COG driver would make them itself, but compressed: ten times slower.
        """
        header.with_name(header.name + ".ovr").unlink(missing_ok=True)
        width, height, factors = self._grid.width, self._grid.height, [1]
        while max(width, height) > block:
            width, height = -(-width // 2), -(-height // 2)
            factors.append(2 * factors[-1])
        how = {
            "COMPRESS_OVERVIEW": "NONE",
            "INTERLEAVE_OVERVIEW": "BAND",
            "BIGTIFF_OVERVIEW": "IF_SAFER",
            "GDAL_TIFF_OVR_BLOCKSIZE": str(COG_BLOCK),
        }
        if factors[1:]:
            with rasterio.Env(**how), rasterio.open(header, "r+") as dataset:
                method = Resampling[self.layout.overviews]
                dataset.build_overviews(factors[1:], method)

    def _header(self) -> ET.Element:
        """What the pixels are, as a VRT that GDAL reads them through."""
        grid, layout, size = self._grid, self.layout, self._dtype.itemsize
        root = ET.Element(
            "VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height)
        )
        if grid.crs is not None:
            ET.SubElement(root, "SRS").text = grid.crs.to_wkt()
        place = ET.SubElement(root, "GeoTransform")
        place.text = ",".join(map(repr, map(float, grid.transform.to_gdal())))
        metadata = ET.SubElement(root, "Metadata")
        for key, value in {"AREA_OR_POINT": "Area", **(layout.tags or {})}.items():
            ET.SubElement(metadata, "MDI", key=key).text = value
        for number, name in enumerate(layout.bands):
            band = ET.SubElement(
                root,
                "VRTRasterBand",
                dataType=_GDAL_TYPES[layout.dtype],
                band=str(number + 1),
                subClass="VRTRawRasterBand",
            )
            # the COG driver may wrap this in a VRT that lies nowhere
            file = ET.SubElement(band, "SourceFilename", relativeToVRT="0")
            file.text = str(self.path.absolute())
            about = {
                "Description": name,
                "NoDataValue": repr(float(layout.nodata)),
                "ColorInterp": _colour_role(layout, number),
                "Scale": repr(layout.scale),
                "Offset": "0.0",
                "ImageOffset": str(number * grid.width * grid.height * size),
                "PixelOffset": str(size),
                "LineOffset": str(grid.width * size),
                "ByteOrder": "LSB",
            }
            if layout.scale == 1.0:
                del about["Scale"], about["Offset"]
            for key, text in about.items():
                ET.SubElement(band, key).text = text
            if layout.colours:
                band.append(_colour_table(layout.colours))
        return root


def _colour_role(layout: Layout, number: int) -> str:
    """GDAL's colour interpretation of a band."""
    if layout.colours:
        return "Palette"
    return "Undefined" if number else "Gray"


def _colour_table(colours: Mapping[int, tuple[int, int, int, int]]) -> ET.Element:
    """RGBA of every value up to the largest that has one."""
    table, parts = ET.Element("ColorTable"), ("c1", "c2", "c3", "c4")
    for value in range(max(colours) + 1):
        levels = map(str, colours.get(value, (0, 0, 0, 255)))
        ET.SubElement(table, "Entry", dict(zip(parts, levels, strict=True)))
    return table


def _take_room(file: int, size: int) -> None:
    """Make a file `size` bytes long that has its room on the disk."""
    allocate = getattr(os, "posix_fallocate", None)  # not on every system
    if allocate is not None and size:
        allocate(file, 0, size)
    else:
        os.ftruncate(file, size)


def _bytes(values: NDArray[Any]) -> memoryview:
    """The bytes of contiguous values."""
    return values.reshape(-1).view(np.uint8).data


def _write_all(file: int, data: memoryview, place: int) -> None:
    """Write bytes at a place of a file."""
    while data:
        done = os.pwrite(file, data, place)
        data, place = data[done:], place + done


def _read_all(file: int, values: NDArray[Any], place: int) -> None:
    """Fill contiguous values from a byte on."""
    rest = _bytes(values)
    while rest:
        done = os.preadv(file, [rest], place)
        if not done:
            raise OSError("the file ends too early")
        rest, place = rest[done:], place + done


def _read_through(path: Path) -> None:
    """Read every block once: a write that failed late shows here, not at the user's."""
    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)
