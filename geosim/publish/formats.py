"""Polygons in other vector formats: GeoParquet, FlatGeobuf, GeoJSON, any OGR target."""

from __future__ import annotations

import os
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pyproj.exceptions import CRSError

from geosim.errors import MissingDependencyError, OutputError, ResultExistsError
from geosim.machine.disk import cause_of
from geosim.machine.process_wide import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import geopandas as gpd
    from pyproj import CRS

Format = Literal["gpkg", "geoparquet", "flatgeobuf", "geojson"]
"""A vector format by name; the GeoPackage is always written."""

FORMAT_FILES: dict[Format, str] = {
    "gpkg": "changes.gpkg",
    "geoparquet": "changes.parquet",
    "flatgeobuf": "changes.fgb",
    "geojson": "changes.geojson",
}
"""File of each format in a result's folder."""

GEOPARQUET_VERSION = "1.1.0"
"""The first with a column of bounding boxes, by which readers skip row groups."""


def check_formats(formats: Sequence[Format], crs: CRS | None) -> None:
    """Refuse what cannot be written, before any work.

    Args:
        formats: what is wanted.
        crs: coordinate reference system of the result; None: plain pictures.

    Raises:
        MissingDependencyError: GeoParquet without pyarrow.
        OutputError: GeoJSON of plain pictures; a CRS that a GeoPackage, which is always
            written, cannot hold.
    """
    if crs is not None and crs.to_epsg() is None:
        try:
            crs.to_wkt("WKT1_GDAL")  # by which pyogrio tells one without a code
        except CRSError as error:
            raise OutputError(
                "a GeoPackage cannot hold the coordinate reference system "
                f"'{crs.name}' ({crs.type_name}); bring the rasters into another one "
                "with 'gdalwarp -t_srs EPSG:CODE', or name a raster that has one with "
                "--grid"
            ) from error
    if "geoparquet" in formats and find_spec("pyarrow") is None:
        raise MissingDependencyError(
            "pyarrow is needed for --format geoparquet and is not installed; install "
            "it with: pip install 'geosim[geoparquet]'"
        )
    if "geojson" in formats and crs is None:
        raise OutputError(
            "GeoJSON wants longitude and latitude, and the pair has no coordinate "
            "reference system; choose another --format"
        )


def write_formats(
    folder: Path, frame: gpd.GeoDataFrame, formats: Sequence[Format]
) -> None:
    """Write the polygons in each format but the GeoPackage, which is written apart.

    Args:
        folder: takes the files of `FORMAT_FILES`.
        frame: the polygons with their attributes.
        formats: what is wanted; one named twice is written once.

    Raises:
        OutputError: a file cannot be written.
    """
    for name in dict.fromkeys(formats):
        if name != "gpkg":
            path = folder / FORMAT_FILES[name]
            try:
                _WRITERS[name](path, frame)
            except (OSError, RuntimeError, ValueError) as error:
                path.unlink(missing_ok=True)
                cause = cause_of(error, folder)
                raise OutputError(f"cannot write '{path.name}': {cause}") from error


def _write_geoparquet(path: Path, frame: gpd.GeoDataFrame) -> None:
    # texts have that type also where there are none
    texts = [name for name, kind in frame.dtypes.items() if str(kind) == "object"]
    frame.astype(dict.fromkeys(texts, "string")).to_parquet(
        path,
        index=False,
        compression="zstd",
        schema_version=GEOPARQUET_VERSION,
        write_covering_bbox=True,
    )


def _write_flatgeobuf(path: Path, frame: gpd.GeoDataFrame) -> None:
    write_layer(frame, path, driver="FlatGeobuf", layer=path.stem)


def _write_geojson(
    path: Path | BytesIO, frame: gpd.GeoDataFrame, decimals: int = 7
) -> None:
    """RFC 7946: longitude and latitude of WGS 84, 7 decimals, right-handed rings.

    Its writer also cuts polygons at the antimeridian, and keeps those around a pole
    whole where it carries them to WGS 84 itself.
    """
    import pyogrio

    pyogrio.write_dataframe(
        frame,
        path,
        driver="GeoJSON",
        geometry_type="Unknown" if len(frame) else "Polygon",
        layer_options={
            "RFC7946": "YES",
            "COORDINATE_PRECISION": str(decimals),
            "WRITE_NAME": "NO",
        },
    )


def in_degrees(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Polygons in longitude and latitude of WGS 84, cut at the antimeridian.

    Corner by corner (`to_crs`) those that lie across it would go once around the globe.
    """
    if not len(frame) or frame.crs is None:
        return frame if frame.crs is None else frame.to_crs(4326)
    import geopandas as gpd

    held = BytesIO()
    outlines = gpd.GeoDataFrame(geometry=frame.geometry.to_numpy(), crs=frame.crs)
    _write_geojson(held, outlines, _EXACT_DECIMALS)
    found = gpd.read_file(BytesIO(held.getvalue())).geometry
    return frame.set_geometry(found.to_numpy(), crs=4326)


_WRITERS: dict[Format, Callable[[Path, gpd.GeoDataFrame], None]] = {
    "geoparquet": _write_geoparquet,
    "flatgeobuf": _write_flatgeobuf,
    "geojson": _write_geojson,
}


def write_layer(
    frame: gpd.GeoDataFrame, target: str | Path, *, driver: str, layer: str
) -> None:
    """Write polygons as one layer; multipolygons make all of them so."""
    import pyogrio

    if driver == "ESRI Shapefile":
        frame = frame.rename(columns=_SHORT_NAMES)
    if driver in _OF_DEGREES:
        frame = in_degrees(frame)
    has_many = bool((frame.geometry.geom_type == "MultiPolygon").any())
    with silence(message="'crs' was not provided"):
        pyogrio.write_dataframe(
            frame,
            target,
            layer=layer,
            driver=driver,
            geometry_type="MultiPolygon" if has_many else "Polygon",
            promote_to_multi=has_many,
        )


def check_ogr_target(dsn: str, layer: str, *, overwrite: bool) -> None:
    """Refuse an OGR target that cannot take the layer, before any work.

    Args:
        dsn: name of a data source that OGR can write, such as a file.
        layer: name of the layer.
        overwrite: True where a layer of that name may be replaced.

    Raises:
        OutputError: no driver writes it, or its folder is not there.
        ResultExistsError: it has such a layer already, or can have one alone.
    """
    import pyogrio

    driver = ogr_driver(dsn)
    if driver in _TABLES:
        raise OutputError(
            f"--ogr wants a format that holds polygons, such as .gpkg or .geojson; "
            f"'{dsn}' holds tables alone"
        )
    path = Path(dsn)
    parent = path.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(
            f"--ogr wants a folder that can be written; found '{parent}'; make it first"
        )
    if not path.exists() or overwrite:
        return
    if driver not in _OF_SEVERAL:
        raise ResultExistsError(
            f"'{dsn}' holds one layer and exists already; replace it with --overwrite "
            "or choose another --ogr"
        )
    try:
        layers = [name for name, _ in pyogrio.list_layers(path)]
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(
            f"'{dsn}' exists and OGR cannot open it; choose another --ogr"
        ) from error
    if layer in layers:
        raise ResultExistsError(
            f"'{dsn}' has a layer '{layer}' already; replace it with --overwrite or "
            "choose another --ogr-layer"
        )


def ogr_driver(dsn: str) -> str:
    """The driver that writes a data source, by its suffix.

    Raises:
        OutputError: there is none in this GDAL.
    """
    import pyogrio

    try:
        return str(pyogrio.detect_write_driver(dsn))
    except ValueError as error:
        chosen = _PREFERRED.get(Path(dsn).suffix.lower())
        if chosen is not None and "w" in pyogrio.list_drivers().get(chosen, ""):
            return chosen
        raise OutputError(
            f"--ogr wants 'PG:...' or a file whose suffix tells a format that this "
            f"GDAL ({pyogrio.__gdal_version_string__}) writes, such as .gpkg, .gdb, "
            f".sqlite or .shp; found '{shown_dsn(dsn)}'"
        ) from error


_OF_SEVERAL = frozenset({"GPKG", "SQLite", "OpenFileGDB", "FileGDB", "KML", "LIBKML"})
"""Drivers whose files take a further layer; any other replaces the file as a whole."""

_OF_DEGREES = frozenset({"KML", "LIBKML", "GeoJSONSeq"})
"""Drivers of formats that know longitude and latitude alone."""

_EXACT_DECIMALS = 12
"""Of degrees that are read again: a thousandth of a millimetre."""

_TABLES = frozenset({"CSV", "ODS", "XLSX"})
"""Drivers whose files hold no outlines."""

_SHORT_NAMES = {
    "perimeter_m": "perim_m",
    "probability_mean": "prob_mean",
    "probability_max": "prob_max",
    "class_probability": "class_prob",
    "date_before": "date_bef",
    "date_after": "date_aft",
}
"""Columns of shapefiles, of ten letters; what OGR cuts itself ends as `probabil_1`."""

_PREFERRED = {".gdb": "OpenFileGDB", ".kml": "LIBKML"}
"""Of several drivers for one suffix."""


def shown_dsn(dsn: str) -> str:
    """A data source as it may be told: of a connection its kind alone.

    What follows the kind of a connection may hold a password in a form of its own.
    """
    kind, colon, rest = dsn.partition(":")
    connects = bool(colon) and len(kind) > 1 and not Path(dsn).exists()
    return f"{kind}:..." if connects and rest else dsn
