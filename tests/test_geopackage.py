"""changes.gpkg: layers, styles and refusals."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from shapely import MultiPolygon, box

from geosim.errors import OutputError
from geosim.publish.geopackage import write_geopackage

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def polygons(*shapes, crs="EPSG:32633"):
    columns = {
        "id": np.arange(1, len(shapes) + 1, dtype=np.int64),
        "area_m2": np.full(len(shapes), 2.5),
        "class": pd.Series(["changed"] * len(shapes), dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def rows(path, query):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_layers_come_back_as_they_were(tmp_path):
    path = tmp_path / "changes.gpkg"
    frame = polygons(box(0, 0, 1, 2), box(5, 5, 7, 7))
    write_geopackage(path, {"changes": frame, "tiles": frame[:1]}, {}, created=CREATED)
    back = pyogrio.read_dataframe(path, layer="changes")
    assert back.crs == "EPSG:32633"
    assert list(back["id"]) == [1, 2]
    assert list(back["class"]) == ["changed", "changed"]
    assert list(back.geometry.area) == [2, 4]
    assert len(pyogrio.read_dataframe(path, layer="tiles")) == 1


def test_an_empty_layer_keeps_columns_and_geometry_type(tmp_path):
    path = tmp_path / "changes.gpkg"
    write_geopackage(path, {"changes": polygons()}, {}, created=CREATED)
    info = pyogrio.read_info(path, layer="changes")
    assert list(info["fields"]) == ["id", "area_m2", "class"]
    assert list(info["dtypes"])[:2] == ["int64", "float64"]
    assert info["geometry_type"] == "Polygon"
    assert info["features"] == 0
    assert info["crs"] == "EPSG:32633"


def test_one_multipolygon_makes_the_layer_multi(tmp_path):
    path = tmp_path / "changes.gpkg"
    several = MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)])
    frame = polygons(box(5, 5, 6, 6), several)
    write_geopackage(path, {"changes": frame}, {}, created=CREATED)
    back = pyogrio.read_dataframe(path, layer="changes")
    assert list(back.geometry.geom_type) == ["MultiPolygon", "MultiPolygon"]


def test_without_a_crs_there_is_none_and_no_warning(tmp_path):
    path = tmp_path / "changes.gpkg"
    frame = polygons(box(0, -2, 1, 0), crs=None)
    write_geopackage(path, {"changes": frame}, {}, created=CREATED)
    assert pyogrio.read_dataframe(path, layer="changes").crs is None


def test_styles_lie_where_qgis_looks(tmp_path):
    path = tmp_path / "changes.gpkg"
    layers = {"changes": polygons(box(0, 0, 1, 1)), "tiles": polygons()}
    styles = {"changes": "<qgis>'\"ä</qgis>", "other": "<qgis/>"}
    write_geopackage(path, layers, styles, created=CREATED)
    found = rows(
        path,
        "SELECT f_table_catalog, f_table_schema, f_table_name, f_geometry_column,"
        " styleQML, useAsDefault, update_time FROM layer_styles",
    )
    qml = "<qgis>'\"ä</qgis>"
    assert found == [("", "", "changes", "geom", qml, 1, "2024-05-06T07:08:09.000Z")]
    registered = rows(path, "SELECT table_name, data_type FROM gpkg_contents")
    assert ("layer_styles", "attributes") in registered
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_same_input_gives_the_same_bytes(tmp_path):
    layers = {"changes": polygons(box(0, 0, 1, 1)), "tiles": polygons()}
    for name in ("one.gpkg", "two.gpkg"):
        write_geopackage(
            tmp_path / name, layers, {"changes": "<qgis/>"}, created=CREATED
        )
    one, two = ((tmp_path / n).read_bytes() for n in ("one.gpkg", "two.gpkg"))
    assert one == two


def test_an_older_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "changes.gpkg"
    old = {"changes": polygons(box(0, 0, 1, 1)), "old": polygons()}
    write_geopackage(path, old, {}, created=CREATED)
    write_geopackage(path, {"changes": polygons()}, {}, created=CREATED)
    assert [n for n, _ in pyogrio.list_layers(path)] == ["changes", "layer_styles"]
    assert len(pyogrio.read_dataframe(path, layer="changes")) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["changes.gpkg"]


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path):
    path = tmp_path / "absent" / "changes.gpkg"
    with pytest.raises(OutputError, match=r"cannot write .*changes\.gpkg") as caught:
        write_geopackage(path, {"changes": polygons()}, {}, created=CREATED)
    assert "\n" not in str(caught.value)
