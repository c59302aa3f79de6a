"""Find labelled pairs below a folder, in the forms in which such sets come."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import shapely
from rasterio.features import rasterize

from geosim.assessing.placing import lies_on, nearest_on
from geosim.errors import LabelError
from geosim.raster.grid import Grid, pixel_offset
from geosim.raster.polygons import polygons_on
from geosim.raster.source import one_line_errors, open_raster
from geosim.raster.transparency import alpha_band
from geosim.training.labels import (
    FOLDERS,
    NUMBERED,
    SUFFIXES,
    UNLABELLED,
    answered_in,
    has_classes,
    read_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


VECTORS = (".fgb", ".geojson", ".gpkg", ".json", ".parquet", ".shp")
"""Files of polygons that may be labels: inside changed, outside not."""

_PAIR_NAMES = (("t1", "t2"), ("before", "after"))
_LABEL_NAMES = ("label", "gt", "truth")


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """Two dates and what changed between them."""

    name: str
    """Of the scene within its set."""
    before: Path
    """Date 1."""
    after: Path
    """Date 2."""
    label: Path
    """A raster on date 1's pixels or with a CRS, or polygons."""


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Scenes that are measured together."""

    name: str
    """Where it lies below the folder that was given."""
    pairs: tuple[LabelledFiles, ...]
    """Its scenes."""


def find_labelled(data: Path) -> list[LabelledSet]:
    """All sets below a folder, by name.

    A set is a folder with `A/`, `B/` and `label/` and files of the same names, or a
    folder of folders with `t1`, `t2` (or `before`, `after`) and `label` (or `gt`,
    `truth`), or one such folder.

    Raises:
        LabelError: there is none, or a pair lacks a file.
    """
    found = []
    if data.is_dir():
        for name, children, _ in os.walk(data):
            children.sort()
            folder = Path(name)
            if pairs := _pairs_in(folder):
                children.clear()
                found.append(LabelledSet(name=_name(data, folder), pairs=tuple(pairs)))
    if not found:
        raise LabelError(
            f"labelled pairs are wanted: a folder with {', '.join(FOLDERS)}, or with "
            f"t1, t2 and label; found none in '{data}'; a finished result wants "
            "--labels FILE"
        )
    return found


def _name(data: Path, folder: Path) -> str:
    return "/".join(folder.relative_to(data).parts) or data.resolve().name


def _pairs_in(folder: Path) -> list[LabelledFiles]:
    """The pairs of a folder, [] where it has none of the forms."""
    if all((folder / part).is_dir() for part in FOLDERS):
        return list(_of_three(folder))
    if alone := _one_pair(folder):
        return [alone]
    inside = sorted(part for part in folder.iterdir() if part.is_dir())
    return [pair for part in inside if (pair := _one_pair(part))]


def _of_three(folder: Path) -> Iterator[LabelledFiles]:
    files = [
        {path.stem: path for path in sorted((folder / part).iterdir()) if kind(path)}
        for part in FOLDERS
    ]
    for name in sorted(set().union(*files)):
        for part, listed in zip(FOLDERS, files, strict=True):
            if name not in listed:
                raise LabelError(
                    f"'{folder / part}' has no file for '{name}'; each pair wants one "
                    "file of the same name in A, B and label"
                )
        before, after, label = (listed[name] for listed in files)
        yield LabelledFiles(name=name, before=before, after=after, label=label)


def kind(path: Path) -> str:
    """What a file is: "raster", "polygons", or "" for any other."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return "raster"
    return "polygons" if suffix in VECTORS else ""


def _one_pair(folder: Path) -> LabelledFiles | None:
    """The pair that a folder holds under the usual names."""
    there = {path.stem.lower(): path for path in folder.iterdir() if kind(path)}
    label = next((there[name] for name in _LABEL_NAMES if name in there), None)
    for first, second in _PAIR_NAMES:
        if first in there and second in there and label is not None:
            return LabelledFiles(
                name=folder.name,
                before=there[first],
                after=there[second],
                label=label,
            )
    return None


def read_truth(
    label: Path, grid: Grid, before: Grid | None = None, *, ones: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What changed, and where the label has an answer, on a grid.

    Args:
        label: raster or polygons.
        grid: whose pixels are wanted.
        before: date 1's own pixels, on which a label without georeference lies; None:
            those of `grid`.
        ones: as `geosim.training.labels.read_values`.

    Returns:
        (changed, labelled), each (height, width).

    Raises:
        LabelError: it cannot be read, or lies elsewhere.
    """
    if kind(label) == "polygons":
        return _burnt(label, grid), np.ones((grid.height, grid.width), np.bool_)
    source = before or grid
    with open_raster(str(label)) as dataset:
        _check_one_band(dataset, label)
        own = Grid.of(dataset)
        offset = pixel_offset(source, grid)
        if lies_on(own, source) and offset is not None:
            with one_line_errors(str(label)):
                values = dataset.read(1)
            # of the whole label: what 255 means depends on the other numbers in it
            changed, labelled = _meaning(values, dataset.nodata, label, ones=ones)
            col, row = offset
            part = slice(row, row + grid.height), slice(col, col + grid.width)
            return changed[part], labelled[part]
        if own.crs is None or grid.crs is None:
            raise LabelError(
                f"the label '{label}' is {own.width} x {own.height} px, date 1 is "
                f"{source.width} x {source.height} px; draw it on date 1's pixels or "
                "give it a CRS"
            )
        what = f"the label '{label}'"
        values, seen = nearest_on(dataset, grid, what, zero_is_data=True)
        with one_line_errors(str(label)):
            whole = dataset.read(1)
        ones = ones or bool((whole == 1).any()) or has_classes(whole, dataset.nodata)
        changed, labelled = _meaning(values, dataset.nodata, label, seen, ones=ones)
        return changed, labelled & seen


def _check_one_band(dataset: Any, label: Path) -> None:  # noqa: ANN401
    """Refuse a picture in place of a label; a label may be saved as grey in colours.

    Raises:
        LabelError: its bands differ.
    """
    alpha = alpha_band(dataset)
    bands = [number for number in range(1, dataset.count + 1) if number != alpha]
    with one_line_errors(str(label)):
        for number in bands[1:]:
            if not np.array_equal(dataset.read(number), dataset.read(bands[0])):
                raise LabelError(
                    f"a label of one band is wanted; '{label}' has {len(bands)} that "
                    "differ; write the one that says what changed into a file of its "
                    "own ('gdal_translate -b 1')"
                )


def _meaning(
    values: NDArray[np.generic],
    nodata: float | None,
    label: Path,
    seen: NDArray[np.bool_] | None = None,
    *,
    ones: bool = False,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """0 and 1, 0 and 255, or classes of change with 255 for no answer."""
    labelled = answered_in(values, nodata)
    held = labelled if seen is None else labelled & seen
    kinds = set(np.unique(values[held]).tolist())
    if kinds <= {0, 1, UNLABELLED}:
        known = values if seen is None else np.where(seen, values, 0)
        return read_values(known, nodata, ones=ones)
    if (
        not np.issubdtype(values.dtype, np.integer)
        or label.suffix.lower() not in NUMBERED
    ):
        return read_values(values, nodata)
    labelled &= values != UNLABELLED
    return np.asarray(values != 0) & labelled, labelled


def _burnt(label: Path, grid: Grid) -> NDArray[np.bool_]:
    """Pixels whose centre lies in a polygon."""
    try:
        frame = pyogrio.read_dataframe(label)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise LabelError(f"cannot read the polygons of '{label}': {error}") from error
    if (frame.crs is None) != (grid.crs is None):
        raise LabelError(
            f"polygons and images both want a CRS, or neither; '{label}' has "
            f"{'none' if frame.crs is None else 'one'}"
        )
    shape = (grid.height, grid.width)
    areas = polygons_on(np.asarray(frame.geometry), frame.crs, grid)
    if len(frame) and not _meets(areas, grid):
        raise LabelError(f"no polygon of '{label}' lies where the images are")
    if not len(areas):
        return np.zeros(shape, np.bool_)
    burnt = rasterize(areas, out_shape=shape, transform=grid.transform, dtype="uint8")
    return np.asarray(burnt > 0)


def _meets(areas: NDArray[np.object_], grid: Grid) -> bool:
    """Whether the box around all polygons, in the grid's CRS, meets the grid's."""
    if not len(areas):
        return False
    west, south, east, north = shapely.total_bounds(areas)
    left, bottom, right, top = grid.bounds
    return bool(west <= right and east >= left and south <= top and north >= bottom)
