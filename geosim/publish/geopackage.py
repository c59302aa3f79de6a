"""Vector layers and their QGIS styles in one GeoPackage."""

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from geosim.errors import OutputError
from geosim.machine.disk import cause_of
from geosim.machine.process_wide import silence

GEOPACKAGE_VERSION = "1.2"
"""The newest that GDAL 3.6 and older read without a warning."""
GEOMETRY_COLUMN = "geom"

# The table as QGIS itself creates it; it looks up `f_table_schema = ''`.
_STYLE_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256),
    styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
    description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)
"""
_ADD_STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,
    f_geometry_column, styleName, styleQML, styleSLD, useAsDefault,
    description, owner, ui, update_time)
VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '', NULL, ?)
"""
_REGISTER_STYLES = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description,
    last_change, srs_id)
VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?, 0)
"""


def write_geopackage(
    path: Path,
    layers: Mapping[str, gpd.GeoDataFrame | pd.DataFrame],
    styles: Mapping[str, str],
    *,
    created: datetime,
) -> None:
    """Write layers and the styles with which QGIS opens them.

    The file appears under its name when it is complete. The same layers, styles and
    moment give the same content.

    Args:
        path: File to write; one that exists is replaced.
        layers: Layer name to polygons or points, or a plain table. A layer without
            rows keeps its columns, a layer without a CRS has plain coordinates.
        styles: Layer name to QML text; layers without one stay unstyled.
        created: The moment written as time of the last change.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".gpkg-") as folder:
            draft = Path(folder) / path.name
            for name, frame in layers.items():
                _write_layer(draft, name, frame)
            with closing(sqlite3.connect(draft)) as database, database:
                _add_styles(database, {n: styles[n] for n in layers if n in styles})
                _set_last_change(database, _timestamp(created))
            os.replace(draft, path)  # noqa: PTH105
    except (OSError, RuntimeError, ValueError, sqlite3.Error) as error:
        message = f"cannot write '{path.name}': {cause_of(error, path.parent)}"
        raise OutputError(message) from error


def _write_layer(path: Path, name: str, frame: gpd.GeoDataFrame | pd.DataFrame) -> None:
    created = {} if path.exists() else {"VERSION": GEOPACKAGE_VERSION}
    if not isinstance(frame, gpd.GeoDataFrame):
        pyogrio.write_dataframe(
            frame, path, layer=name, driver="GPKG", dataset_options=created
        )
        return
    kinds = set(frame.geometry.geom_type)
    has_many = "MultiPolygon" in kinds
    single = "Point" if kinds == {"Point"} else "Polygon"
    with silence(message="'crs' was not provided"):
        pyogrio.write_dataframe(
            frame,
            path,
            layer=name,
            driver="GPKG",
            geometry_type="MultiPolygon" if has_many else single,
            promote_to_multi=has_many,
            dataset_options=created,
            layer_options={"GEOMETRY_NAME": GEOMETRY_COLUMN},
        )


def _add_styles(database: sqlite3.Connection, styles: Mapping[str, str]) -> None:
    database.execute(_STYLE_TABLE)
    database.execute(_REGISTER_STYLES, ("",))
    database.executemany(
        _ADD_STYLE,
        [
            (name, GEOMETRY_COLUMN, name, qml, f"geosim: {name}", "")
            for name, qml in styles.items()
        ],
    )


def _set_last_change(database: sqlite3.Connection, moment: str) -> None:
    database.execute("UPDATE gpkg_contents SET last_change = ?", (moment,))
    database.execute("UPDATE layer_styles SET update_time = ?", (moment,))


def _timestamp(moment: datetime) -> str:
    """GeoPackage's own form: UTC with milliseconds and Z."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
