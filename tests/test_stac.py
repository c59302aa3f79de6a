"""run.json: answers worked by hand, validated without a network."""

import json
import math
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
from publish_records import make_grid, make_input, make_record, validate
from pyproj import CRS
from pystac.validation.local_validator import get_local_schema_cache

from geosim.errors import OptionError
from geosim.publish.footprint import footprint
from geosim.publish.record import AreaRecord, plain, rfc3339
from geosim.publish.stac import AssetRecord, change_item, date_period, read_asset

RASTERS = (
    AssetRecord(
        name="tiles.tif", size=10, sha256="ab" * 32, bands=("similarity",), pixels=256
    ),
    AssetRecord(
        name="difference.tif", size=20, sha256="cd" * 32, bands=("change", "ssim")
    ),
    AssetRecord(name="change.tif", size=30, sha256="ef" * 32, bands=("change",)),
)


def test_item_is_valid_and_survives_json_and_pystac():
    item = change_item(make_record(), RASTERS)
    validate(item)
    again = json.loads(json.dumps(item, allow_nan=False))
    assert again == item
    assert pystac.Item.from_dict(again).to_dict()["properties"] == item["properties"]
    assert item["stac_version"] == "1.1.0"


# What the extensions that an Item names allow under their prefix, in the versions that
# it names, as their specifications say.
TEXT, NUMBER = str, (int, float)
EXTENSION_FIELDS = {
    "proj": {
        "code": (TEXT, type(None)),
        "wkt2": (TEXT, type(None)),
        "bbox": list,
        "shape": list,
        "transform": list,
    },
    "processing": {
        "lineage": TEXT,
        "software": dict,
        "version": TEXT,
        "datetime": TEXT,
    },
    "file": {"size": int, "checksum": TEXT},
    "raster": {
        "sampling": TEXT,
        "spatial_resolution": NUMBER,
        "scale": NUMBER,
        "offset": NUMBER,
    },
    "classification": {"classes": list},
    "sci": {"publications": list},
}
NAMES = {"proj": "projection", "sci": "scientific"}


def fields(value):
    """Every name and value below an Item."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner)


def test_extensions_are_named_and_used_as_their_specifications_say():
    checksum = {"size": 5, "sha256": "ab" * 32}
    record = make_record(before=make_input("a.tif", **checksum))
    vector = AssetRecord(name="changes.geojson", size=1, sha256="ab" * 32)
    item = change_item(record, (*RASTERS, vector))
    used = set()
    for name, value in fields(item):
        prefix, colon, field = name.partition(":")
        if not colon or prefix in ("geosim", "https"):
            continue
        used.add(NAMES.get(prefix, prefix))
        assert isinstance(value, EXTENSION_FIELDS[prefix][field]), name
    named = [re.search(r"io/([a-z]+)/v", url)[1] for url in item["stac_extensions"]]
    assert sorted(used) == sorted(named)
    properties = item["properties"]
    assert len(properties["proj:bbox"]) == 4
    assert len(properties["proj:transform"]) == 6
    assert all(isinstance(n, int) for n in properties["proj:shape"])
    assert all(isinstance(v, str) for v in properties["processing:software"].values())
    for publication in properties["sci:publications"]:
        assert set(publication) == {"doi", "citation"}
        assert re.fullmatch(r"10\.[0-9a-zA-Z]{4,}/\S+", publication["doi"])
    for name, value in fields(item):
        if name == "file:checksum":
            assert re.fullmatch("1220[0-9a-f]{64}", value)
        if name == "raster:sampling":
            assert value in ("area", "point")
    for one in item["assets"]["change.tif"]["classification:classes"]:
        assert isinstance(one["value"], int)
        assert re.fullmatch("[0-9A-Za-z_-]+", one["name"])
        assert re.fullmatch("[0-9A-F]{6}", one.get("color_hint", "000000"))


def test_against_the_schemas_of_the_extensions():
    """With a folder of those schemas, which are not part of the project."""
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    named = os.environ.get("GEOSIM_STAC_SCHEMAS")
    if not named:
        pytest.skip("no schemas of STAC extensions; set GEOSIM_STAC_SCHEMAS")
    loaded = [json.loads(path.read_text()) for path in Path(named).rglob("*.json")]
    schemas = {one["$id"].rstrip("#"): one for one in loaded if "$id" in one}
    known = get_local_schema_cache() | schemas
    registry = referencing.Registry().with_resources(
        [(k, referencing.Resource.from_contents(v)) for k, v in known.items()]
    )
    item = change_item(make_record(), RASTERS)
    found = [url for url in item["stac_extensions"] if url in schemas]
    assert found, f"none of {item['stac_extensions']} in {named}"
    for url in found:
        jsonschema.Draft7Validator(schemas[url], registry=registry).validate(item)


def test_inputs_are_told_with_size_and_checksum():
    checksum = {"size": 5, "sha256": "ab" * 32}
    record = make_record(before=make_input("a.tif", **checksum))
    before, after = change_item(record, ())["links"]
    assert before["file:size"] == 5
    assert before["file:checksum"] == "1220" + "ab" * 32
    assert "file:size" not in after


def test_both_dates_give_the_whole_period():
    properties = change_item(make_record(), ())["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "1990-01-01T00:00:00Z"
    assert properties["end_datetime"] == "2020-07-31T23:59:59Z"


def test_dates_given_in_reverse_still_make_a_period():
    record = make_record(
        before=make_input("b.tif", date="2020"), after=make_input("a.tif", date="1990")
    )
    properties = change_item(record, ())["properties"]
    assert properties["start_datetime"] == "1990-01-01T00:00:00Z"
    assert properties["end_datetime"] == "2020-12-31T23:59:59Z"


def test_an_unknown_date_leaves_the_time_of_the_run():
    record = make_record(before=make_input("b.tif", date=None))
    item = change_item(record, ())
    validate(item)
    assert item["properties"]["datetime"] == "2024-05-06T07:08:09Z"
    assert "start_datetime" not in item["properties"]


def test_pictures_without_a_crs_have_no_place():
    grid = make_grid(wkt=None, crs=None, resolution_m=None)
    item = change_item(make_record(grid=grid), RASTERS)
    validate(item)
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    band = item["assets"]["change.tif"]["bands"][0]
    assert "raster:spatial_resolution" not in band


def test_a_crs_without_a_code_is_told_as_wkt():
    properties = change_item(make_record(grid=make_grid(crs=None)), ())["properties"]
    assert properties["proj:code"] is None
    assert properties["proj:wkt2"].startswith("PROJCRS[")


def test_a_name_with_a_colon_is_no_code():
    named = make_grid(crs="Plant grid: hall 3")
    properties = change_item(make_record(grid=named), ())["properties"]
    assert properties["proj:code"] is None
    assert "proj:wkt2" in properties
    coded = make_grid(crs="IAU_2015:30110")
    properties = change_item(make_record(grid=coded), ())["properties"]
    assert properties["proj:code"] == "IAU_2015:30110"


def test_assets_say_what_their_values_mean():
    assets = change_item(make_record(), RASTERS)["assets"]
    band = assets["difference.tif"]["bands"][1]
    assert (band["name"], band["data_type"], band["nodata"]) == ("ssim", "uint8", 255)
    assert band["raster:scale"] == 1 / 254
    assert band["raster:spatial_resolution"] == 10
    assert assets["tiles.tif"]["bands"][0]["nodata"] == "nan"
    assert assets["tiles.tif"]["bands"][0]["raster:spatial_resolution"] == 2560
    # 300 x 200 px in tiles of 256 px: 2 columns, 1 row, the same corner.
    assert assets["tiles.tif"]["proj:shape"] == [1, 2]
    assert assets["tiles.tif"]["proj:transform"] == [2560, 0, 500000, 0, -2560, 5000000]
    assert "proj:shape" not in assets["change.tif"]
    assert assets["change.tif"]["roles"] == ["data"]
    assert assets["change.tif"]["type"] == pystac.MediaType.COG
    classes = assets["change.tif"]["classification:classes"]
    assert [c["value"] for c in classes] == [0, 1, 255]
    assert [c["name"] for c in classes] == ["same", "changed", "no_data"]


def test_checksum_is_a_multihash(tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(b"abc")
    asset = read_asset(path)
    entry = change_item(make_record(), (asset,))["assets"]["report.html"]
    assert entry["file:size"] == 3
    assert entry["file:checksum"] == (
        "1220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert (entry["roles"], entry["type"]) == (["overview"], "text/html")


def test_links_lead_from_the_folder_to_the_inputs():
    record = make_record(
        before=make_input("data/a b.tif"),
        after=make_input("/vsicurl/https://example.org/x.tif?k=1"),
    )
    links = change_item(record, (), folder=Path("out/run"))["links"]
    assert [link["rel"] for link in links] == ["derived_from", "derived_from"]
    assert links[0]["href"] == "../../data/a%20b.tif"
    assert links[1]["href"] == "https://example.org/x.tif?k=1"
    assert links[0]["title"] == "before: data/a b.tif"


def test_own_fields_hold_the_record():
    properties = change_item(make_record(), ())["properties"]
    assert properties["geosim:threshold"]["value"] == 0.42
    assert properties["geosim:areas"]["changed_ha"] == 9.6
    assert properties["geosim:areas"]["changed_percent"] == 4
    assert properties["geosim:before"]["path"] == "1990.tif"
    assert properties["processing:software"]["geosim"] == "1.2.3"


def test_id_is_the_folder_name_without_odd_characters():
    assert change_item(make_record(name="change_a b/c"), ())["id"] == "change_a_b_c"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2020", "2020-01-01T00:00:00Z", "2020-12-31T23:59:59Z"),
        ("2020-02", "2020-02-01T00:00:00Z", "2020-02-29T23:59:59Z"),
        ("2019-12", "2019-12-01T00:00:00Z", "2019-12-31T23:59:59Z"),
        ("2020-07-14", "2020-07-14T00:00:00Z", "2020-07-14T23:59:59Z"),
        ("2020-07-14T12:00:00+02:00", "2020-07-14T10:00:00Z", "2020-07-14T10:00:00Z"),
        ("2020-07-14T12:00:00", "2020-07-14T12:00:00Z", "2020-07-14T12:00:00Z"),
        # what `is_date` takes, to the last day that there is
        ("9999", "9999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_date_period(text, start, end):
    assert tuple(map(rfc3339, date_period(text))) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2020-13", "2020-00", "20", "0000", "14.7.2020"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(OptionError, match="ISO 8601"):
        date_period(text)


def test_footprint_of_a_utm_grid():
    # The west edge lies on the central meridian 15 E, the corner on 5,000 km north.
    place = footprint(make_grid())
    west, south, east, north = place.bbox
    assert west == 15
    assert 15 < east < 15.05
    assert 45.1 < south < north < 45.2
    assert place.geometry["type"] == "Polygon"


def test_footprint_of_a_rotated_grid():
    # Degrees, rotated by 90: columns run north, rows run east.
    grid = make_grid(
        wkt=CRS(4326).to_wkt(),
        crs="EPSG:4326",
        transform=(0, 0.1, 20, 0.1, 0, 40),
        width=30,
        height=20,
    )
    assert footprint(grid).bbox == (20, 40, 22, 43)
    assert grid.bounds == pytest.approx((20, 40, 22, 43))


def test_footprint_across_the_antimeridian_is_cut_in_two():
    grid = make_grid(
        wkt=CRS(4326).to_wkt(),
        crs="EPSG:4326",
        transform=(0.1, 0, 175, 0, -0.1, 10),
        width=100,
        height=50,
    )
    place = footprint(grid)
    assert place.geometry["type"] == "MultiPolygon"
    assert place.bbox == (175, 5, -175, 10)
    lons = [x for part in place.geometry["coordinates"] for x, _ in part[0]]
    assert (min(lons), max(lons)) == (-180, 180)


@pytest.mark.parametrize("west", [-180.0, -180.25, 0.0])
def test_footprint_of_the_whole_globe_is_as_wide(west):
    grid = make_grid(
        wkt=CRS(4326).to_wkt(),
        crs="EPSG:4326",
        transform=(0.5, 0, west, 0, -0.5, 80),
        width=720,
        height=280,
    )
    assert footprint(grid).bbox == (-180, -60, 180, 80)


def test_rows_that_are_centred_on_the_poles_end_there():
    grid = make_grid(
        wkt=CRS(4326).to_wkt(),
        crs="EPSG:4326",
        transform=(1, 0, -0.5, 0, -1, 90.5),
        width=360,
        height=181,
    )
    assert footprint(grid).bbox == (-180, -90, 180, 90)


def test_footprint_around_a_pole_reaches_it():
    grid = make_grid(
        wkt=CRS(3413).to_wkt(),
        crs="EPSG:3413",
        transform=(10000, 0, -1e6, 0, -10000, 1e6),
        width=200,
        height=200,
    )
    place = footprint(grid)
    assert (place.bbox[0], place.bbox[2], place.bbox[3]) == (-180, 180, 90)
    assert 76 < place.bbox[1] < 78


def test_edges_are_densified():
    # A wide Lambert grid: its straight top edge bulges north between the corners.
    grid = make_grid(
        wkt=CRS(3035).to_wkt(),
        crs="EPSG:3035",
        transform=(10000, 0, 2500000, 0, -10000, 4000000),
        width=400,
        height=200,
    )
    place = footprint(grid)
    ring = place.geometry["coordinates"][0]
    assert len(ring) == 81
    assert place.bbox[3] > max(
        lat for lon, lat in ring if lon in (place.bbox[0], place.bbox[2])
    )


def test_plain_values_know_no_nan():
    values = {
        "a": math.nan,
        "b": np.float32(0.5),
        "c": (np.int64(3), math.inf),
        4: Path("x/y"),
    }
    assert plain(values) == {"a": None, "b": 0.5, "c": [3, None], "4": "x/y"}
    assert plain(datetime(2020, 1, 2, tzinfo=UTC)) == "2020-01-02T00:00:00Z"


def test_percent_is_of_the_area_and_of_pixels_without_one():
    areas = AreaRecord(valid_px=100, changed_px=10, valid_m2=200.0, changed_m2=10.0)
    assert areas.changed_percent == 5
    areas = AreaRecord(valid_px=100, changed_px=10, valid_m2=None, changed_m2=None)
    assert (areas.changed_percent, areas.changed_ha) == (10, None)
