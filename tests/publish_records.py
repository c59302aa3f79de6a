"""Small records for the tests of `geosim.publish`."""

import dataclasses
from datetime import UTC, datetime

import pytest
from pyproj import CRS
from pystac.validation.local_validator import get_local_schema_cache

from geosim.publish.record import (
    AreaRecord,
    GridRecord,
    InputRecord,
    RunRecord,
    ShiftRecord,
    ThresholdRecord,
    WeightsRecord,
)

TRANSFORM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0)


def make_input(path, **changes):
    record = InputRecord(
        path=path,
        driver="GTiff",
        crs="EPSG:32633",
        width=300,
        height=200,
        bands=("red", "green", "blue"),
        dtype="uint8",
        nodata=None,
        date="1990",
        warped=False,
        placement=f"{path} lies on the grid already.",
    )
    return dataclasses.replace(record, **changes)


def make_grid(**changes):
    record = GridRecord(
        wkt=CRS(32633).to_wkt(),
        crs="EPSG:32633",
        transform=TRANSFORM,
        width=300,
        height=200,
        resolution_m=10.0,
    )
    return dataclasses.replace(record, **changes)


def make_record(**changes):
    """A run on 300 x 200 px of 10 m: 600 ha less a bit, of which 4 % changed."""
    record = RunRecord(
        name="change_1990_2020",
        version="1.2.3",
        created=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        method="siamese",
        engine="OpenVINO int8, 2 threads",
        before=make_input("1990.tif"),
        after=make_input("2020.tif", date="2020-07"),
        grid=make_grid(),
        threshold=ThresholdRecord(
            value=0.42, rule="otsu", reason="Otsu's rule parts the histogram here."
        ),
        areas=AreaRecord(
            valid_px=24000, changed_px=960, valid_m2=2_400_000.0, changed_m2=96_000.0
        ),
        polygons=1,
        options={"tile_size": 256, "min_area": 1000.0},
        weights=WeightsRecord(
            name="default", sha256="12" * 32, licence="Apache-2.0", attribution="Us"
        ),
        shift=ShiftRecord(rows=0.4, cols=-1.2, corrected=True),
        timings={"read": 1.5, "compare": 12.25},
        software={"GDAL": "3.9.3"},
        notes=("Both dates were scaled by one range.",),
    )
    return dataclasses.replace(record, **changes)


def validate(item):
    """Check against pystac's own copy of the core schema; nothing is fetched."""
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    schemas = get_local_schema_cache()
    registry = referencing.Registry().with_resources(
        [(k, referencing.Resource.from_contents(v)) for k, v in schemas.items()]
    )
    core = next(v for k, v in schemas.items() if k.endswith("/item.json"))
    jsonschema.Draft7Validator(core, registry=registry).validate(item)
