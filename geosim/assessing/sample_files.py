"""A sample's GeoPackage: written for the analyst, read back for the assessment."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from geosim.errors import OutputError, RasterReadError
from geosim.publish.geopackage import write_geopackage
from geosim.publish.sample_style import pixels_style, samples_style
from geosim.raster.grid import at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.assessing.strata import Stratum
    from geosim.raster.grid import Grid

HIDDEN = ("stratum", "map_class", "row", "col")
"""Columns that a form in QGIS does not show."""


@dataclass(frozen=True, kw_only=True)
class SampleDesign:
    """What an assessment has to know of a sample."""

    strata: tuple[Stratum, ...]
    """Parts of the map that were sampled on their own."""
    pixels: tuple[int, ...]
    """Pixels of each stratum."""
    areas: tuple[float, ...]
    """Square metres on the ellipsoid; without a CRS pixels."""
    samples: tuple[int, ...]
    """Samples drawn of each stratum."""
    answers: tuple[str, ...]
    """Classes that may be answered, those of the map first."""
    transform: tuple[float, float, float, float, float, float]
    """`a, b, c, d, e, f` of the map's geotransform."""
    has_crs: bool
    """False: areas are in pixels."""
    source: Mapping[str, Any]
    """Where the sample comes from: result, version, options, seed."""


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Drawn pixels, in the order in which they are numbered."""

    stratum: NDArray[np.int64]
    """(n,), number of the stratum."""
    row: NDArray[np.int64]
    """(n,)."""
    col: NDArray[np.int64]
    """(n,)."""


def label_of(name: str) -> str:
    """A class or stratum in words."""
    return name.replace("_", " ")


def write_sample(
    path: Path,
    design: SampleDesign,
    positions: Positions,
    grid: Grid,
    columns: Mapping[str, Any],
    *,
    created: datetime,
) -> None:
    """Write the GeoPackage: layers `samples` and `pixels`, tables `strata`, `design`.

    Args:
        path: file to write.
        design: of the sample.
        positions: the drawn pixels.
        grid: of the map.
        columns: further columns of `samples`, a value or one for each sample.
        created: the moment written into the file.

    Raises:
        OutputError: it cannot be written.
    """
    row, col = positions.row.astype(np.float64), positions.col.astype(np.float64)
    x, y = at(grid.transform, col + 0.5, row + 0.5)
    number = np.arange(1, len(x) + 1)
    strata = [design.strata[one] for one in positions.stratum]
    empty = pd.Series([None] * len(x), dtype="object")
    values = {
        "id": number,
        "reference": empty,
        "comment": empty,
        **columns,
        "stratum": [one.name for one in strata],
        "map_class": [one.map_class for one in strata],
        "row": positions.row,
        "col": positions.col,
    }
    samples = gpd.GeoDataFrame(
        values, geometry=list(shapely.points(x, y)), crs=grid.crs
    )
    corners = [
        np.column_stack(at(grid.transform, col + right, row + down))
        for right, down in ((0, 0), (0, 1), (1, 1), (1, 0))
    ]
    squares = shapely.polygons(np.stack(corners, axis=1))
    pixels = gpd.GeoDataFrame({"id": number}, geometry=list(squares), crs=grid.crs)
    style = samples_style({one: label_of(one) for one in design.answers}, HIDDEN)
    write_geopackage(
        path,
        {
            "samples": samples,
            "pixels": pixels,
            "strata": strata_table(design),
            "design": pd.DataFrame({"key": ["design"], "value": [_to_json(design)]}),
        },
        {"samples": style, "pixels": pixels_style()},
        created=created,
    )


def strata_table(design: SampleDesign) -> pd.DataFrame:
    """The strata as a table for people."""
    areas = np.array(design.areas)
    return pd.DataFrame(
        {
            "stratum": [one.name for one in design.strata],
            "map_class": [one.map_class for one in design.strata],
            "pixels": design.pixels,
            "area_m2" if design.has_crs else "area_px": areas,
            "share": areas / areas.sum(),
            "samples": design.samples,
        }
    )


def _to_json(design: SampleDesign) -> str:
    strata = [vars(one) for one in design.strata]
    return json.dumps(vars(design) | {"strata": strata, "source": dict(design.source)})


def read_design(path: Path) -> SampleDesign:
    """The design of a sample's file.

    Raises:
        RasterReadError: there is no such file, or it holds no sample.
    """
    from geosim.assessing.strata import Stratum

    if not path.is_file():
        raise RasterReadError(
            f"cannot open '{path}': no such file; a GeoPackage of geosim sample is "
            "wanted"
        )
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as base:
            row = base.execute(
                "SELECT value FROM design WHERE key = 'design'"
            ).fetchone()
        values = json.loads(row[0])
        values["strata"] = tuple(Stratum(**one) for one in values["strata"])
        lists = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
        return SampleDesign(**(values | lists))
    except (sqlite3.Error, TypeError, ValueError, KeyError) as error:
        raise RasterReadError(
            f"'{path}' is no sample that geosim sample wrote: its table 'design' is "
            "missing or damaged; give that file, edited in QGIS as it is"
        ) from error


def read_samples(path: Path) -> gpd.GeoDataFrame:
    """The layer `samples` of a sample's file.

    Raises:
        RasterReadError: it is missing, or lacks a column.
    """
    wanted = ("id", "reference", *HIDDEN)
    try:
        frame = pyogrio.read_dataframe(path, layer="samples")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise RasterReadError(
            f"'{path}' must hold a layer 'samples'; {error}; give the file that geosim "
            "sample wrote"
        ) from error
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise RasterReadError(
            f"the layer 'samples' of '{path}' wants the columns {', '.join(wanted)}; "
            f"{missing[0]} is missing"
        )
    return frame


def answered(path: Path) -> int:
    """How many samples of a file have an answer; 0 where it is no sample."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as base:
            row = base.execute(
                "SELECT count(*) FROM samples WHERE trim(reference) <> ''"
            ).fetchone()
        return int(row[0])
    except sqlite3.Error:
        return 0


def check_free(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse a place that holds a sample; with answers even where it may be replaced.

    Raises:
        OutputError: it does, or it is a folder.
    """
    if path.suffix.lower() != ".gpkg":
        raise OutputError(f"-o wants a file that ends in .gpkg; found '{path}'")
    if path.is_dir():
        raise OutputError(f"'{path}' must be a file, but is a folder; choose with -o")
    if path.exists() and (count := answered(path)):
        raise OutputError(
            f"'{path}' holds {count} answers already and is never replaced; choose "
            "another file with -o, or move it away"
        )
    there = [one for one in (path, *others) if one.exists()]
    if there and not overwrite:
        raise OutputError(
            f"'{there[0]}' exists already; replace it with --overwrite or choose "
            "another file with -o"
        )
