"""What `detect_change` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.windows import Window as RasterioWindow

from geosim.errors import OptionError
from geosim.publish.formats import FORMAT_FILES
from geosim.raster.source import plain_images_welcome

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geosim.publish.record import RunRecord

_RASTERS = ("tiles", "difference", "change")

RECORD = "run.json"
"""The STAC Item, which tells of the other files."""

FILES = (
    "tiles.tif",
    "difference.tif",
    "change.tif",
    "changes.gpkg",
    "tiles.qml",
    "difference.qml",
    "change.qml",
    "report.html",
    RECORD,
)
"""Names of the files that every result has."""

EXTRA_FILES: dict[str, str] = {
    name: path for name, path in FORMAT_FILES.items() if path not in FILES
} | {"pdf": "report.pdf"}
"""Names of the files that a result has where they were asked for, by their form."""


@dataclass(frozen=True, kw_only=True)
class ChangeResult:
    """A finished run: its record and its files, read when they are asked for."""

    folder: Path
    """Where the files are."""
    record: RunRecord
    """Inputs, grid, threshold, areas, timings."""

    @property
    def paths(self) -> dict[str, Path]:
        """The files of the result by name without suffix (`change`, `report`, ...).

        Files that were asked for are named by their form (`geojson`, `pdf`, ...). The
        `.qml` styles stand beside their rasters and are left out.
        """
        shown = [name for name in FILES if not name.endswith(".qml")]
        paths = {name.split(".")[0]: self.folder / name for name in shown}
        extra = {form: self.folder / name for form, name in EXTRA_FILES.items()}
        return paths | {form: path for form, path in extra.items() if path.is_file()}

    @property
    def changes(self) -> gpd.GeoDataFrame:
        """The change polygons, largest first; one row each."""
        return self._layer("changes")

    @property
    def tiles(self) -> gpd.GeoDataFrame:
        """The tiles with their scores."""
        return self._layer("tiles")

    def _layer(self, name: str) -> gpd.GeoDataFrame:
        import geopandas as gpd  # slow to import, and a result may be asked for none

        return gpd.read_file(self.paths["changes"], layer=name)

    def read(
        self, name: str, window: tuple[int, int, int, int] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Read a raster of the result.

        Args:
            name: "tiles", "difference" or "change".
            window: (col_off, row_off, width, height) in its pixels; None: all of it.

        Returns:
            Band name to (height, width) float32, scaled to real values, NaN = nodata.

        Raises:
            OptionError: another name, or a window that leaves the raster.
        """
        if name not in _RASTERS:
            raise OptionError(
                f"a result has the rasters {', '.join(_RASTERS)}; found '{name}'"
            )
        with plain_images_welcome(), rasterio.open(self.paths[name]) as dataset:
            place = RasterioWindow(*(window or (0, 0, dataset.width, dataset.height)))
            inside = RasterioWindow(0, 0, dataset.width, dataset.height)
            if (
                place.col_off < 0
                or place.row_off < 0
                or (
                    place.col_off + place.width > inside.width
                    or place.row_off + place.height > inside.height
                )
            ):
                raise OptionError(
                    f"the window {window} must lie within {dataset.width} x "
                    f"{dataset.height} px"
                )
            stored = dataset.read(window=place, masked=True)
            values = stored.astype(np.float32) * np.float32(dataset.scales[0])
            return dict(zip(dataset.descriptions, values.filled(np.nan), strict=True))
