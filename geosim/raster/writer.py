"""Rasters out: a staging folder, working rasters, COGs; the only writer.

Everything is written into a hidden folder beside the output folder and moved when it
is complete, so that nothing half-written ever stands under a final name.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geosim.errors import OutputError, ResultExistsError
from geosim.raster.source import plain_images_welcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.raster.grid import Grid, Window

COG_BLOCK = 512
"""Side of a COG's internal tiles."""

_STAGING_MARK = ".partial-"


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


def check_folder(folder: Path, known: Sequence[str], *, overwrite: bool) -> None:
    """Refuse an output folder that cannot take the result.

    Args:
        folder: where the result shall be.
        known: names of the files of a result.
        overwrite: True where an earlier result may be replaced.

    Raises:
        ResultExistsError: it holds a result.
        OutputError: it is no folder, or its parent cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"'{folder}' must be a folder, but is a file; choose with -o")
    found = [name for name in known if (folder / name).exists()]
    if found and not overwrite:
        raise ResultExistsError(
            f"'{folder}' holds a result already ({found[0]}); replace it with "
            "--overwrite or choose another folder with -o"
        )


def check_parent(folder: Path) -> None:
    """Refuse a folder that is not there and cannot be made.

    Raises:
        OutputError: what is above it is a file, or cannot be written.
    """
    whole = folder.absolute()
    nearest = next(path for path in (whole, *whole.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(
            f"cannot write into '{nearest}'; choose another folder with -o"
        )


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder`, removed at the end whatever happens.

    Raises:
        OutputError: it cannot be made.
    """
    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        name = tempfile.mkdtemp(prefix=f".{folder.name}{_STAGING_MARK}", dir=parent)
    except OSError as error:
        raise OutputError(
            f"cannot write into '{parent}': {error.strerror}; choose another folder "
            "with -o"
        ) from error
    staging = Path(name)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def leftovers(folder: Path) -> list[Path]:
    """Staging folders beside `folder` of runs that were killed, or that still run."""
    parent = folder.absolute().parent
    return sorted(parent.glob(f".{glob.escape(folder.name)}{_STAGING_MARK}*"))


def check_space(staging: Path, needed: int) -> None:
    """Refuse before any work where the disk is too small.

    Raises:
        OutputError: less than `needed` bytes are free.
    """
    free = shutil.disk_usage(staging).free
    if free < needed:
        raise OutputError(
            f"the result and its working files need up to {needed / 1e6:,.0f} MB, but "
            f"'{staging.parent}' has {free / 1e6:,.0f} MB free; make room or choose "
            "another folder with -o"
        )


def publish_folder(staging: Path, folder: Path) -> None:
    """Move a complete result to its final name.

    A new folder appears at once. In an existing one each file is replaced at once and
    files that are not part of a result stay untouched.
    """
    try:
        if not folder.exists():
            staging.chmod(0o777 & ~_umask())
            staging.rename(folder)
            return
        for path in sorted(staging.iterdir()):
            path.replace(folder / path.name)
    except OSError as error:
        raise OutputError(f"cannot write '{folder}': {error.strerror}") from error


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into one line that says why."""
    try:
        yield
    except (RasterioError, OSError) as error:
        if isinstance(error, OutputError):
            raise
        cause = str(error.__cause__ or error).splitlines()[0]
        if shutil.disk_usage(path.parent).free < 1_000_000:  # noqa: PLR2004 - one MB
            cause = "no space left on the disk; make room or choose another folder"
        raise OutputError(f"cannot write '{path.name}': {cause}") from error


class WorkRaster:
    """An uncompressed raster in the staging folder, written and read by windows."""

    def __init__(self, path: Path, grid: Grid, layout: Layout) -> None:
        """Create it.

        Raises:
            OutputError: it cannot be created.
        """
        self.path = path
        self.layout = layout
        options: dict[str, Any] = {
            "driver": "GTiff",
            "width": grid.width,
            "height": grid.height,
            "count": len(layout.bands),
            "dtype": layout.dtype,
            "nodata": layout.nodata,
            "transform": grid.transform,
            "interleave": "band",
            "bigtiff": "if_safer",
        }
        if grid.crs is not None:
            options["crs"] = CRS.from_wkt(grid.crs.to_wkt())
        if grid.width >= COG_BLOCK and grid.height >= COG_BLOCK:
            options |= {"tiled": True, "blockxsize": COG_BLOCK, "blockysize": COG_BLOCK}
        with writing(path), plain_images_welcome():
            self._dataset = rasterio.open(path, "w+", **options)
        self._describe()

    def _describe(self) -> None:
        """Band descriptions, scale, colours and tags."""
        layout, dataset = self.layout, self._dataset
        dataset.descriptions = layout.bands
        dataset.colorinterp = [ColorInterp.gray] + [ColorInterp.undefined] * (
            len(layout.bands) - 1
        )
        if layout.scale != 1.0:
            dataset.scales = [layout.scale] * len(layout.bands)
            dataset.offsets = [0.0] * len(layout.bands)
        if layout.colours:
            dataset.write_colormap(1, dict(layout.colours))
        dataset.update_tags(AREA_OR_POINT="Area", **(layout.tags or {}))

    def write(self, values: NDArray[Any], window: Window, band: int) -> None:
        """Write (height, width) values of one band, counted from 1."""
        place = RasterioWindow(
            window.col_off, window.row_off, window.width, window.height
        )
        with writing(self.path):
            self._dataset.write(values, band, window=place)

    def read(self, window: Window, band: int) -> NDArray[Any]:
        """Read (height, width) values of one band, counted from 1."""
        place = RasterioWindow(
            window.col_off, window.row_off, window.width, window.height
        )
        with writing(self.path):
            values: NDArray[Any] = self._dataset.read(band, window=place)
        return values

    def close(self) -> None:
        """Flush and close."""
        with writing(self.path):
            self._dataset.close()

    def to_cog(self, path: Path, creation_options: Mapping[str, str]) -> None:
        """Close it, write it as a cloud-optimised GeoTIFF, remove it.

        Raises:
            OutputError: the disk is full or a creation option is refused.
        """
        self.close()
        kind = self.layout.dtype
        options = {
            "COMPRESS": "DEFLATE",
            "PREDICTOR": "FLOATING_POINT" if kind.startswith("float") else "STANDARD",
            "BLOCKSIZE": str(COG_BLOCK),
            "BIGTIFF": "IF_SAFER",
            "OVERVIEW_RESAMPLING": self.layout.overviews.upper(),
            "RESAMPLING": self.layout.overviews.upper(),
        } | {key.upper(): value for key, value in creation_options.items()}
        with writing(path), plain_images_welcome():
            rasterio.shutil.copy(self.path, path, driver="COG", **options)
            _read_through(path)
        self.path.unlink()


def _read_through(path: Path) -> None:
    """Read every block once: a write that failed late shows here, not at the user's."""
    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            dataset.read(window=window)
