"""Lists of pairs: what a CSV file may say and how it is refused."""

import pytest

from geosim import read_pair_list
from geosim.batching.pairs import located
from geosim.errors import GeosimError, PairListError


def listed(folder, text, encoding="utf-8"):
    """Read a list of this text."""
    path = folder / "pairs.csv"
    path.write_bytes(text.encode(encoding))
    return read_pair_list(path)


def test_paths_start_at_the_folder_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (pair,) = listed(tmp_path, "before,after,out\na.tif,/else/b.tif,result\n")
    assert (pair.before, pair.after) == (str(tmp_path / "a.tif"), "/else/b.tif")
    assert pair.out == tmp_path / "result"
    assert (pair.date_before, pair.date_after, pair.row) == (None, None, 2)


@pytest.mark.parametrize(
    "name",
    [
        "/vsicurl/https://host/a.tif",
        "s3://bucket/a.tif",
        "https://host/a.tif",
        'NETCDF:"a.nc":red',
        "GTIFF_DIR:2:a.tif",
    ],
)
def test_names_that_gdal_opens_stay(tmp_path, name):
    assert located(name, tmp_path) == name


def test_a_path_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert located("~/a.tif", tmp_path) == "/home/me/a.tif"


def test_an_output_folder_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "pairs.csv"
    path.write_text("before,after,out\na.tif,b.tif,~/found\n")
    assert read_pair_list(path)[0].out == tmp_path / "home" / "found"


def test_a_relative_path_with_a_colon_further_on(tmp_path):
    assert located("12:30/a.tif", tmp_path) == str(tmp_path / "12:30/a.tif")


@pytest.mark.parametrize(
    ("header", "cells", "dates"),
    [
        ("date_before,date_after", "1990,2020-07-14", ("1990", "2020-07-14")),
        ("before date,After-Date", "1990,2020", ("1990", "2020")),
        ("date_before,date_after", ",2020", (None, "2020")),
        ("dates", "1990-05/2020-09", ("1990-05", "2020-09")),
        ("dates", "1990..2020", ("1990", "2020")),
        ("dates", '"1990, 2020"', ("1990", "2020")),
        ("dates", "/2020", (None, "2020")),
        ("dates", "1990 2020", ("1990", "2020")),
        ("dates,date_before,date_after", ",,", (None, None)),
    ],
)
def test_dates(tmp_path, header, cells, dates):
    (pair,) = listed(tmp_path, f"before,after,{header}\na.tif,b.tif,{cells}\n")
    assert (pair.date_before, pair.date_after) == dates


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("before;after\na.tif;b.tif\n", "utf-8"),
        ("before\tafter\r\na.tif\tb.tif\r\n", "utf-8"),
        ("before,after\r\na.tif,b.tif\r\n", "utf-8-sig"),
        ("site,After , BEFORE\nx,b.tif,a.tif\n", "utf-8"),
        ("before,after\n\na.tif, b.tif,,\n,,\n", "utf-8"),
        ('before,after\n"a.tif","b.tif"', "utf-8"),
    ],
)
def test_what_spreadsheets_write(tmp_path, text, encoding):
    (pair,) = listed(tmp_path, text, encoding)
    assert pair.before == str(tmp_path / "a.tif")
    assert pair.after == str(tmp_path / "b.tif")


def test_rows_are_counted_as_a_spreadsheet_does(tmp_path):
    pairs = listed(tmp_path, "before,after\n\na,b\n\nc,d\n")
    assert [pair.row for pair in pairs] == [3, 5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: wants a header with the columns 'before' and 'after'"),
        ("first,second\na,b\n", "row 1: wants a header"),
        ("a.tif,b.tif\n", "row 1: wants a header"),
        ("before,after,before\na,b,c\n", "row 1: the column 'before' is there twice"),
        ("before,after\n", "holds no pair"),
        ("before,after\na,b\nc,\n", "row 3: the column 'after' is empty"),
        ("before,after\na,b\nc\n", "row 3: the column 'after' is empty"),
        ("before,after\na,b,c\n", "row 2: wants 2 cells as in the header; found 3"),
        ("before,after,date_after\na,b,14.07.2020\n", "row 2: wants dates like 2020"),
        ("before,after,date_after\na,b,2020-13\n", "found ', 2020-13'"),
        ("before,after,dates\na,b,2020\n", "row 2: wants dates like 2020"),
        ("before,after,dates\na,b,1/2/3\n", "found '1/2/3'"),
        ("before,after,dates,date_after\na,b,1990/2020,2020\n", "row 2: has both"),
    ],
)
def test_refused_with_the_row(tmp_path, text, said):
    with pytest.raises(PairListError) as refusal:
        listed(tmp_path, text)
    assert said in str(refusal.value)
    assert "pairs.csv" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(PairListError, match="No such file"):
        read_pair_list(tmp_path / "pairs.csv")
    with pytest.raises(PairListError, match="not UTF-8"):
        listed(tmp_path, "before,after\nä,ö\n", "latin-1")
    assert issubclass(PairListError, GeosimError)
