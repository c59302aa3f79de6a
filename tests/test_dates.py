"""Dates from names and tags."""

import json

import pytest
from rasters import drawn_pair, write

from geosim import ChangeOptions, detect_change
from geosim.dates import image_date


@pytest.mark.parametrize(
    ("path", "date"),
    [
        ("1990.tif", "1990"),
        ("scenes/LS20010525.tif", "2001-05-25"),
        ("S2A_MSIL2A_20200714T101031_N0214.tif", "2020-07-14"),
        ("2020-07-14.tif", "2020-07-14"),
        ("2020_07_14.tif", "2020-07-14"),
        ("2020.07.14.tif", "2020-07-14"),
        ("city_2020-07.tif", "2020-07"),
        ("/vsicurl/https://host/2011/joplin_2010.tif", "2010"),
        ("/vsizip/2019.zip/before.tif", None),
        ("2011/before.tif", None),
        # no day 32, no month 13
        ("20201332.tif", None),
        ("2020-13.tif", "2020"),
        ("2020-07-32.tif", "2020-07"),
        # no 30 February
        ("scene_20190230.tif", None),
        ("2019-02-30.tif", "2019-02"),
        ("2019-02-29.tif", "2019-02"),
        ("2020-02-29.tif", "2020-02-29"),
        ("20190230_20190301.tif", "2019-03-01"),
        # mixed separators are no day
        ("2020-07_14.tif", "2020-07"),
        # longer numbers are no dates
        ("tile_120200714.tif", None),
        ("tile_202007145.tif", None),
        ("img_2200.tif", None),
        # old maps and photographs: at the start of a name
        ("1850.tif", "1850"),
        ("1887_survey.tif", "1887"),
        ("1887-05.tif", "1887-05"),
        ("1887-05-14 balloon.tif", "1887-05-14"),
        ("1887-02-30.tif", "1887"),
        ("1887-1990.tif", "1990"),
        ("1600x1200.tif", None),
        ("1600_1200.tif", None),
        ("1600px.tif", None),
        ("1600 dpi.tif", None),
        ("1492.tif", None),
        ("IMG_1789.tif", None),
        ("sheet_1850.tif", None),
        # years to come are sizes or codes
        ("tile_2048.tif", None),
        ("tile_2048_1990.tif", "1990"),
        ("epsg_2056_2019-07-14.tif", "2019-07-14"),
        # nor are sizes
        ("1990_10m.tif", "1990"),
        ("s2-2020-10m-rgb.tif", "2020"),
        ("dem_2000m.tif", None),
        ("dem_2000m_2011.tif", "2011"),
        ("city_2020-07_map.tif", "2020-07"),
        ("city_2020-07mosaic.tif", "2020-07"),
        ("before.tif", None),
        ("", None),
    ],
)
def test_names(path, date):
    assert image_date(path, {}) == date


@pytest.mark.parametrize(
    ("tags", "date"),
    [
        ({}, None),
        ({"TIFFTAG_DATETIME": "1990:07:14 10:00:00"}, "1990-07-14"),
        ({"ACQUISITION_DATE": "2001-02-03T04:05:06Z"}, "2001-02-03"),
        ({"DATE_ACQUIRED": "2001-02-03"}, "2001-02-03"),
        ({"acquisition_date": "20010203"}, "2001-02-03"),
        ({"ACQUISITION_DATE": "unknown", "DATE_ACQUIRED": "1999-01-02"}, "1999-01-02"),
        (
            {"TIFFTAG_DATETIME": "2021:01:01 00:00:00", "ACQUISITION_DATE": "1999"},
            "1999",
        ),
        ({"TIFFTAG_DATETIME": "2019:02:30 10:00:00"}, "2019-02"),
        ({"TIFFTAG_DATETIME": "0000:00:00 00:00:00"}, None),
        (
            {"acquisition_date": "20010230", "TIFFTAG_DATETIME": "2001:03:04 00:00:00"},
            "2001-03-04",
        ),
        ({"AREA_OR_POINT": "Area"}, None),
    ],
)
def test_tags(tags, date):
    assert image_date("before.tif", tags) == date


def test_the_name_goes_before_the_tags():
    assert image_date("1990.tif", {"ACQUISITION_DATE": "2001-02-03"}) == "1990"


def test_a_run_with_a_day_that_there_is_not_comes_to_its_end(tmp_path):
    names = "tile_20190230.tif", "tile_20200115.tif"
    pair = [
        write(tmp_path / name, values)
        for name, values in zip(names, drawn_pair(), strict=True)
    ]
    result = detect_change(*pair, tmp_path / "out", ChangeOptions(method="cva"))
    assert (result.record.before.date, result.record.after.date) == (None, "2020-01-15")
    item = json.loads((result.folder / "run.json").read_text())
    assert "start_datetime" not in item["properties"]  # one date alone is no period
