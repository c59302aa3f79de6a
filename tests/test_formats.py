"""GeoParquet, FlatGeobuf, GeoJSON: the same polygons and attributes read back."""

import json
import re
from contextlib import nullcontext

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import CRS
from rasters import drawn_pair, listing, write_pair
from shapely import MultiPolygon, Polygon, box

from geosim import ChangeOptions, detect_change, open_result
from geosim.delivering.exporting import export_changes
from geosim.errors import MissingDependencyError, OutputError, ResultExistsError
from geosim.publish import formats, postgis
from geosim.publish.formats import FORMAT_FILES, check_formats, write_formats

ALL = ("gpkg", "geoparquet", "flatgeobuf", "geojson")
CVA = ChangeOptions(method="cva", formats=ALL)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A run with every format, on a rotated grid."""
    folder = tmp_path_factory.mktemp("formats")
    turned = Affine(1, 0, 500_000, 0, -1, 5_400_000) @ Affine.rotation(20)
    pair = write_pair(folder, *drawn_pair(), transform=turned)
    return detect_change(*pair, folder / "out", CVA)


def read(result, name):
    path = result.folder / FORMAT_FILES[name]
    frame = gpd.read_parquet(path) if name == "geoparquet" else gpd.read_file(path)
    return frame.drop(columns="bbox", errors="ignore").sort_values(
        "id", ignore_index=True
    )


@pytest.mark.parametrize("name", ["geoparquet", "flatgeobuf"])
def test_the_same_as_in_the_geopackage(result, name):
    wanted, found = result.changes, read(result, name)
    assert found.crs == wanted.crs
    assert list(found.columns) == list(wanted.columns)
    assert len(found) > 0
    assert all(shapely.equals_exact(found.geometry, wanted.geometry))
    for column in wanted.columns.drop("geometry"):
        same = found[column].eq(wanted[column])
        assert (same | (found[column].isna() & wanted[column].isna())).all(), column


def test_geojson_is_as_rfc_7946_wants_it(result):
    path = result.folder / "changes.geojson"
    text = json.loads(path.read_text())
    assert text["type"] == "FeatureCollection"
    assert "crs" not in text
    wanted = result.changes.to_crs(4326)
    found = read(result, "geojson")
    assert found.crs == "EPSG:4326"
    assert shapely.hausdorff_distance(found.geometry, wanted.geometry).max() < 1e-7
    for column in wanted.columns.drop("geometry"):
        same = found[column].eq(wanted[column])
        assert (same | (found[column].isna() & wanted[column].isna())).all(), column
    for feature in text["features"]:
        outer, *holes = feature["geometry"]["coordinates"]
        assert shapely.LinearRing(outer).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
        assert all(round(x, 7) == x for point in outer for x in point)


def test_geojson_of_a_hole_and_across_the_antimeridian(tmp_path):
    hole = Polygon(
        box(0, 0, 1, 1).exterior.coords[::-1], [box(0.2, 0.2, 0.4, 0.4).exterior.coords]
    )
    over = box(500_000, 1_000, 900_000, 2_000)  # UTM zone 60: its east end is beyond
    frame = gpd.GeoDataFrame({"id": [1]}, geometry=[hole], crs=4326)
    write_formats(tmp_path, frame, ["geojson"])
    (feature,) = json.loads((tmp_path / "changes.geojson").read_text())["features"]
    outer, inner = feature["geometry"]["coordinates"]
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(inner).is_ccw
    frame = gpd.GeoDataFrame({"id": [1]}, geometry=[over], crs=32660)
    write_formats(tmp_path, frame, ["geojson"])
    (feature,) = json.loads((tmp_path / "changes.geojson").read_text())["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    parts = [ring for (ring,) in feature["geometry"]["coordinates"]]
    assert all(max(abs(x) for x, _ in ring) <= 180 for ring in parts)
    assert all(np.ptp([x for x, _ in ring]) < 5 for ring in parts)


LAEA_FIJI = CRS("+proj=laea +lon_0=180 +lat_0=-16 +datum=WGS84 +units=m")
"""No EPSG code: a database takes it in degrees."""


def over_fiji():
    shapes = [box(-50_000, 0, 50_000, 9_000), box(90_000, 0, 91_000, 2_000)]
    return gpd.GeoDataFrame({"id": [7, 8]}, geometry=shapes, crs=LAEA_FIJI)


@pytest.mark.parametrize("way", ["kml", "geojsonl", "postgis"])
def test_degrees_across_the_antimeridian(tmp_path, way, monkeypatch):
    frame = over_fiji()
    if way == "postgis":
        given = {}
        monkeypatch.setattr(postgis, "_connected", lambda _: nullcontext())
        monkeypatch.setattr(postgis, "_check", lambda *_, **__: None)
        monkeypatch.setattr(postgis, "_create", lambda *_: None)
        monkeypatch.setattr(postgis, "_copy", lambda *told: given.update(told=told))
        postgis.write_postgis("PG:", "t", frame, overwrite=True)
        *_, found, srid = given["told"]
        assert srid == 4326
        assert found["id"].tolist() == [7, 8]
    else:
        export_changes(frame, str(tmp_path / f"x.{way}"))
        found = gpd.read_file(tmp_path / f"x.{way}")
    assert found.crs == "EPSG:4326"
    parts = [shapely.get_parts(shape) for shape in found.geometry]
    assert [len(some) for some in parts] == [2, 1]
    for part in [one for some in parts for one in some]:
        west, _, east, _ = part.bounds
        assert east - west < 0.5
    areas = found.to_crs(LAEA_FIJI).area
    assert areas.to_numpy() == pytest.approx(frame.area.to_numpy(), rel=1e-4)


@pytest.mark.parametrize("crs", [3413, 3031])
def test_geojson_around_a_pole(tmp_path, crs):
    shapes = [box(-600, -500, 600, 700), box(-90_000, -40_000, -80_000, 40_000)]
    frame = gpd.GeoDataFrame({"id": [1, 2]}, geometry=shapes, crs=crs)
    write_formats(tmp_path, frame, ["geojson"])
    found = gpd.read_file(tmp_path / "changes.geojson")
    pole = 90.0 if crs == 3413 else -90.0
    assert found.geometry.is_valid.all()
    reached = found.geometry[0].bounds
    assert (reached[0], reached[2]) == (-180.0, 180.0)
    assert pole in (reached[1], reached[3])
    again = found.to_crs(crs).geometry.area
    assert again.to_numpy() == pytest.approx(frame.area.to_numpy(), rel=1e-3)


def test_geoparquet_has_a_column_of_boxes(result):
    parquet = pytest.importorskip("pyarrow.parquet")
    file = parquet.ParquetFile(result.folder / "changes.parquet")
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert column["encoding"] == "WKB"
    boxes = file.read().column("bbox").to_pylist()
    bounds = result.changes.geometry.bounds
    assert [one["xmin"] for one in boxes] == pytest.approx(list(bounds["minx"]))


def test_run_json_tells_of_every_file(result):
    item = json.loads((result.folder / "run.json").read_text())
    for name in FORMAT_FILES.values():
        size = (result.folder / name).stat().st_size
        assert item["assets"][name]["file:size"] == size
        assert item["assets"][name]["roles"] == ["data"]
    assert item["properties"]["geosim:options"]["formats"] == list(ALL)
    assert open_result(result.folder).paths["geojson"].is_file()


@pytest.mark.parametrize("name", ALL[1:])
def test_no_polygons_and_columns_without_values(tmp_path, name):
    frame = gpd.GeoDataFrame(
        {
            "id": np.array([1], np.int64),
            "share": [np.nan],
            "class": pd.Series([None], dtype=object),
        },
        geometry=[box(0, 0, 1, 1)],
        crs=32633,
    )
    for rows in (frame, frame[:0]):
        write_formats(tmp_path, rows, [name])
        path = tmp_path / FORMAT_FILES[name]
        found = gpd.read_parquet(path) if name == "geoparquet" else gpd.read_file(path)
        assert len(found) == len(rows)
        if name == "geoparquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            kinds = parquet.read_schema(path)
            assert str(kinds.field("class").type) in ("string", "large_string")
        assert found.geometry.name == "geometry"


def test_multipolygons_beside_polygons(tmp_path):
    many = MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)])
    frame = gpd.GeoDataFrame({"id": [1, 2]}, geometry=[many, box(5, 5, 6, 6)], crs=3857)
    write_formats(tmp_path, frame, ALL)
    back = gpd.read_file(tmp_path / "changes.fgb").sort_values("id")
    assert [shape.area for shape in back.geometry] == [2, 1]
    assert gpd.read_parquet(tmp_path / "changes.parquet").geometry.area.tolist() == [
        2,
        1,
    ]


def test_a_format_that_is_not_wanted_any_more_is_removed(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair())
    out = tmp_path / "out"
    detect_change(*pair, out, ChangeOptions(method="cva", formats=("geojson",)))
    (out / "mine.txt").write_text("mine")
    assert (out / "changes.geojson").is_file()
    again = ChangeOptions(method="cva", formats=("flatgeobuf",), overwrite=True)
    detect_change(*pair, out, again)
    assert not (out / "changes.geojson").exists()
    assert (out / "changes.fgb").is_file()
    assert (out / "mine.txt").read_text() == "mine"


# --- what cannot be written


def test_pictures_without_a_crs_are_refused_before_any_work(commands, tmp_path):
    write_pair(tmp_path, *drawn_pair(), crs=None)
    before = listing(tmp_path)
    how = ("--format", "geojson")
    code, _, stderr = commands(tmp_path, "change", "1990.tif", "2020.tif", *how)
    assert code == 1
    assert stderr.startswith("error: GeoJSON wants longitude and latitude")
    assert stderr.count("\n") == 1
    assert listing(tmp_path) == before


def test_another_format_is_refused(commands, tmp_path):
    how = ("--format", "shapefile")
    _, _, stderr = commands(tmp_path, "change", "a.tif", "b.tif", *how)
    wanted = "error: --format wants one of gpkg, geoparquet, flatgeobuf, geojson; found"
    assert stderr.startswith(wanted)


def test_geoparquet_without_pyarrow(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"geosim\[geoparquet\]"):
        check_formats(["geoparquet"], CRS(4326))
    check_formats(["flatgeobuf"], CRS(4326))


def test_a_crs_that_no_geopackage_holds_is_refused_before_any_work():
    rotated = CRS(
        "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 "
        "+ellps=sphere"
    )
    with pytest.raises(
        OutputError, match=r"Derived Geographic 2D CRS.*gdalwarp -t_srs"
    ):
        check_formats(["gpkg"], rotated)
    for code in (4326, 4979, 32633, 3035, "EPSG:5514", "ESRI:54030"):
        check_formats(["gpkg"], CRS(code))


def test_a_full_folder_is_told_in_one_line(tmp_path):
    frame = gpd.GeoDataFrame({"id": [1]}, geometry=[box(0, 0, 1, 1)], crs=4326)
    for name in ALL[1:]:
        with pytest.raises(OutputError, match="cannot write 'changes") as caught:
            write_formats(tmp_path / "absent", frame, [name])
        assert len(str(caught.value).splitlines()) == 1


# --- other OGR targets


def test_a_layer_of_another_file(tmp_path, result):
    target = str(tmp_path / "all.sqlite")
    export_changes(result.changes, target)
    export_changes(result.changes, target, "second")
    assert {name for name, _ in pyogrio.list_layers(target)} == {"changes", "second"}
    found = gpd.read_file(target, layer="changes")
    assert list(found["area_m2"]) == list(result.changes["area_m2"])
    with pytest.raises(ResultExistsError, match="has a layer 'changes' already"):
        export_changes(result.changes, target)
    export_changes(result.changes[:1], target, overwrite=True)
    assert len(gpd.read_file(target, layer="changes")) == 1
    assert len(gpd.read_file(target, layer="second")) == len(result.changes)


@pytest.mark.parametrize("suffix", [".geojson", ".fgb", ".shp", ".gml"])
def test_a_file_of_one_layer_is_not_replaced_unasked(tmp_path, result, suffix):
    changes = result.changes[["id", "geometry"]]  # names that a shapefile can have
    target = str(tmp_path / f"my fields{suffix}")
    export_changes(changes, target, "fields")
    before = listing(tmp_path)
    with pytest.raises(ResultExistsError, match="holds one layer and exists already"):
        export_changes(changes[:1], target, "changes")
    assert listing(tmp_path) == before
    export_changes(changes[:1], target, overwrite=True)
    assert len(gpd.read_file(target)) == 1


def test_a_shapefile_has_names_that_can_be_told_apart(tmp_path, result):
    target = str(tmp_path / "changes.shp")
    export_changes(result.changes, target)
    found = gpd.read_file(target)
    assert found["prob_mean"].to_numpy() == pytest.approx(
        result.changes["probability_mean"].to_numpy()
    )
    assert list(found["date_aft"]) == list(result.changes["date_after"])
    assert len(found.columns) == len(result.changes.columns)


def test_what_fails_leaves_nothing_half_written(tmp_path, result):
    target = tmp_path / "changes.gpx"  # of points and lines alone
    with pytest.raises(OutputError, match="cannot write"):
        export_changes(result.changes, str(target))
    assert not target.exists()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere/all.gpkg", "wants a folder that can be written"),
        ("MYSQL:db,user=u,password=hush", r"found 'MYSQL:\.\.\.'"),
        ("changes.xyz", "whose suffix tells a format"),
        ("changes.csv", "'changes.csv' holds tables alone"),
    ],
)
def test_targets_that_cannot_be(commands, tmp_path, target, said):
    pair = write_pair(tmp_path, *drawn_pair())
    before = listing(tmp_path)
    code, _, stderr = commands(tmp_path, "change", *pair, "--ogr", target)
    assert code == 1
    assert re.search(said, stderr)
    assert "hush" not in stderr
    assert listing(tmp_path) == before
