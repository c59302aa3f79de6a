"""Polygons in a real PostGIS: the same come back, and no password is told."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from postgis_server import PASSWORD, QUOTED, missing, postgis_server
from processes import call
from rasters import drawn_pair, listing, write_pair
from shapely import MultiPolygon, Polygon, box

from geosim.delivering.exporting import check_target, export_changes
from geosim.delivering.finished import open_result
from geosim.errors import OutputError, ResultExistsError
from geosim.publish.formats import shown_dsn
from geosim.publish.postgis import shown_connection

psycopg = pytest.importorskip("psycopg", reason="pip install 'geosim[postgis]'")
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="module")
def server():
    """Connection to the server, without a database."""
    with postgis_server() as address:
        whole = f"{address} password={QUOTED}"
        with psycopg.connect(f"{whole} dbname=postgres", autocommit=True) as root:
            root.execute("CREATE DATABASE maps")
            root.execute("CREATE DATABASE bare")
        with psycopg.connect(f"{whole} dbname=maps", autocommit=True) as maps:
            maps.execute("CREATE EXTENSION postgis")
            maps.execute("CREATE SCHEMA monitoring")
        yield whole


@pytest.fixture
def dsn(server):
    return f"PG:{server} dbname=maps"


def rows(dsn, query):
    with psycopg.connect(dsn.removeprefix("PG:")) as connection:
        return connection.execute(query).fetchall()


def polygons(*shapes, crs="EPSG:32633"):
    count = len(shapes)
    columns = {
        "id": np.arange(1, count + 1),
        "area_m2": np.linspace(2.5, 9, count),
        "class": pd.Series(["forest_loss"] * count, dtype=object),
        "class_probability": np.full(count, np.nan),
        "date_before": pd.Series([None] * count, dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def with_hole():
    return Polygon(
        box(0, 0, 9, 9).exterior.coords, [box(2, 2, 4, 4).exterior.coords[::-1]]
    )


def test_the_same_polygons_come_back(dsn):
    frame = polygons(with_hole(), box(20, 20, 30, 30))
    export_changes(frame, dsn, "same")
    found = rows(
        dsn,
        "SELECT id, area_m2, class, class_probability, date_before, ST_SRID(geom),"
        " ST_AsBinary(geom) FROM same ORDER BY id",
    )
    assert [row[:6] for row in found] == [
        (1, 2.5, "forest_loss", None, None, 32633),
        (2, 9.0, "forest_loss", None, None, 32633),
    ]
    back = shapely.from_wkb([bytes(row[6]) for row in found])
    assert all(shapely.equals_exact(back, list(frame.geometry)))
    indexes = rows(dsn, "SELECT indexdef FROM pg_indexes WHERE tablename = 'same'")
    assert any("USING gist (geom)" in definition for (definition,) in indexes)
    assert any("(id)" in definition for (definition,) in indexes)


def test_multipolygons_schemas_and_odd_names(dsn):
    many = MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)])
    export_changes(polygons(many, box(5, 5, 6, 6)), dsn, 'monitoring.odd "name"; x')
    kinds = rows(dsn, 'SELECT GeometryType(geom) FROM monitoring."odd ""name""; x"')
    assert kinds == [("MULTIPOLYGON",)] * 2


def test_no_polygons_make_an_empty_table(dsn):
    export_changes(polygons(), dsn, "nothing")
    assert rows(dsn, "SELECT count(*) FROM nothing") == [(0,)]


def test_a_crs_without_a_number_becomes_longitude_and_latitude(dsn):
    crs = "+proj=laea +lat_0=50 +lon_0=10 +ellps=WGS84 +units=m"
    export_changes(polygons(box(0, 0, 10, 10), crs=crs), dsn, "laea")
    ((srid, x, y),) = rows(
        dsn, "SELECT ST_SRID(geom), ST_XMin(geom), ST_YMin(geom) FROM laea"
    )
    assert srid == 4326
    assert (x, y) == pytest.approx((10, 50), abs=1e-6)


def test_without_a_crs_there_is_none(dsn):
    export_changes(polygons(box(0, 0, 1, 1), crs=None), dsn, "pixels")
    assert rows(dsn, "SELECT ST_SRID(geom) FROM pixels") == [(0,)]


def test_a_table_that_is_there_is_replaced_only_on_demand(dsn):
    export_changes(polygons(box(0, 0, 1, 1)), dsn, "twice")
    with pytest.raises(ResultExistsError, match="has a table 'twice' already"):
        export_changes(polygons(), dsn, "twice")
    assert rows(dsn, "SELECT count(*) FROM twice") == [(1,)]
    export_changes(polygons(), dsn, "twice", overwrite=True)
    assert rows(dsn, "SELECT count(*) FROM twice") == [(0,)]


def test_what_fails_halfway_leaves_the_old_table(dsn):
    export_changes(polygons(box(0, 0, 1, 1)), dsn, "halfway")
    bad = polygons(box(0, 0, 1, 1), box(0, 0, 1, 1))
    bad.loc[1, "class"] = "a\0b"  # PostgreSQL's text holds no such byte
    with pytest.raises(OutputError, match="cannot be used"):
        export_changes(bad, dsn, "halfway", overwrite=True)
    assert rows(dsn, "SELECT count(*) FROM halfway") == [(1,)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("dbname=maps", "dbname=bare"), "has no PostGIS"),
        (("dbname=maps", "dbname=nowhere"), 'database "nowhere" does not exist'),
        ((QUOTED, "wrong"), "password authentication failed"),
        (("host=127.0.0.1", "host=127.0.0.1 nonsense='"), "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_password(dsn, change, said):
    with pytest.raises(OutputError, match=said) as caught:
        check_target(dsn.replace(*change), "t")
    chain = [str(caught.value), repr(caught.value.__cause__)]
    assert not any(PASSWORD in text or "s3cr" in text for text in chain)


def test_a_schema_that_is_not_there(dsn):
    with pytest.raises(OutputError, match="no such schema"):
        check_target(dsn, "nowhere.changes")


def test_the_command_writes_the_table_and_keeps_the_secret(tmp_path, dsn):
    pair = write_pair(tmp_path, *drawn_pair())
    command = ["change", *pair, "--method", "cva"]
    command += ["-o", tmp_path / "out", "--ogr", dsn, "--ogr-layer", "run"]
    done = call(*command)
    assert done.returncode == 0, done.stderr
    changes = open_result(tmp_path / "out").changes
    assert len(changes) > 0
    found = rows(dsn, "SELECT id, area_m2, ST_AsBinary(geom) FROM run ORDER BY id")
    assert [row[0] for row in found] == list(changes["id"])
    assert [row[1] for row in found] == list(changes["area_m2"])
    back = shapely.from_wkb([bytes(row[2]) for row in found])
    assert all(shapely.equals_exact(back, list(changes.geometry)))
    told = done.stdout + done.stderr
    for name, content in listing(tmp_path).items():
        assert b"s3cr" not in content, name
    assert "s3cr" not in told
    # again, without --overwrite of the table: refused before any work
    again = [*command[:-5], tmp_path / "two", *command[-4:]]
    done = call(*again)
    assert done.returncode == 1
    assert "has a table 'run' already" in done.stderr
    assert not (tmp_path / "two").exists()


def test_an_unreachable_database_is_told_before_the_work(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair())
    dsn = "PG:host=127.0.0.1 port=1 dbname=maps password=hush"
    before = listing(tmp_path)
    done = call("change", *pair, "-o", "out", "--ogr", dsn, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the database 'PG:host=127.0.0.1 port=1 dbname=maps'" in done.stderr
    assert "hush" not in done.stderr
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        (
            "PG:host=h user=u password='a b' dbname=x port=5",
            "PG:host=h dbname=x port=5",
        ),
        ("postgresql://u:p@h:5432/db?password=x", "PG:h:5432/db"),
        ("PG:postgresql://h/db", "PG:h/db"),
    ],
)
def test_what_is_told_of_a_database(dsn, shown):
    assert shown_connection(dsn) == shown


def test_what_is_told_of_another_target():
    assert shown_dsn("MYSQL:db,user=u,password=p") == "MYSQL:..."
    assert shown_dsn("changes.sqlite") == "changes.sqlite"
