"""Scenes of a series: from names, folders, CSV files and STAC ItemCollections."""

import json

import numpy as np
import pytest
from rasters import write

from geosim import DatedScene, read_scenes
from geosim.errors import OptionError, RasterReadError, SceneListError

PICTURE = np.ones((3, 8, 8), np.uint8)


def dates_of(scenes):
    return [(scene.path.rsplit("/", 1)[-1], scene.date) for scene in scenes]


def test_rasters_are_sorted_by_the_dates_in_their_names():
    scenes = read_scenes(["x/LS20010525.tif", "x/1990.tif", "x/b_1995-03.tif"])
    assert dates_of(scenes) == [
        ("1990.tif", "1990"),
        ("b_1995-03.tif", "1995-03"),
        ("LS20010525.tif", "2001-05-25"),
    ]  # fmt: skip


def test_a_folder_gives_its_rasters_with_dates(tmp_path):
    for name in ("1990.tif", "2000.tif", "truth.tif"):
        write(tmp_path / name, PICTURE)
    (tmp_path / "1995.txt").write_text("no raster")
    assert dates_of(read_scenes(tmp_path)) == [
        ("1990.tif", "1990"),
        ("2000.tif", "2000"),
    ]


def test_a_tag_dates_a_scene_without_a_date_in_its_name(tmp_path):
    import rasterio

    path = write(tmp_path / "first.tif", PICTURE)
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_DATETIME="1988:03:04 10:00:00")
    assert read_scenes([path, "y/2000.tif"])[0].date == "1988-03-04"


def test_dates_given_come_first():
    scenes = read_scenes(["b.tif", "a.tif"], ["2001", "1999-05"])
    assert dates_of(scenes) == [("a.tif", "1999-05"), ("b.tif", "2001")]


def test_csv_with_masks_relative_to_the_file(tmp_path):
    path = tmp_path / "scenes.csv"
    path.write_text("Path;Date;Mask\na.tif;2001;clouds.tif\ns3://b/c.tif;1999-05-06;\n")
    first, second = read_scenes(path)
    assert (first.path, first.date, first.mask) == ("s3://b/c.tif", "1999-05-06", None)
    assert second.path == str(tmp_path / "a.tif")
    assert second.mask == str(tmp_path / "clouds.tif")


def item(number, moment, **assets):
    return {"type": "Feature", "id": f"i{number}", "properties": {"datetime": moment},
            "assets": assets}  # fmt: skip


def test_stac_item_collection(tmp_path):
    tiff = "image/tiff; application=geotiff"
    items = [
        item(1, "2005-06-07T10:00:00Z",
             A={"href": "./a.tif", "type": None, "roles": None},
             B={"href": "./b.tif", "type": None, "roles": ["data"]},
             thumbnail={"href": "t.png", "type": "image/png", "roles": ["thumbnail"]}),
        item(2, "1999-01-02T00:00:00Z", only={"href": "https://x/a.tif", "type": tiff}),
    ]  # fmt: skip
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    first, second = read_scenes(path)
    assert (first.path, first.date) == ("https://x/a.tif", "1999-01-02")
    assert (second.path, second.date) == (str(tmp_path / "b.tif"), "2005-06-07")


@pytest.mark.parametrize(
    ("scenes", "dates", "error", "words"),
    [
        (["1990.tif"], None, SceneListError, "at least two scenes; found 1"),
        (["1990.tif", "x/1990.tif"], None, SceneListError, "are both of 1990"),
        (["1990.tif", "2000.tif"], ["1990"], OptionError, "wants 2 dates"),
        (["1990.tif", "2000.tif"], ["1990", "soon"], OptionError, "found '1990,soon'"),
    ],
)
def test_refusals_say_what_to_do(scenes, dates, error, words):
    with pytest.raises(error, match=words):
        read_scenes(scenes, dates)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "name,date\nx.tif,1990\n", "row 1: wants a header"),
        ("a.csv", "path,date\nx.tif,199\n", "row 2: wants a raster and a date"),
        ("a.json", "{}", "must be a STAC ItemCollection"),
        ("a.json", json.dumps({"features": [item(1, "2000")]}), "found none"),
        ("a.json", json.dumps({"features": [{"assets": None}]}), "must be a STAC"),
        (
            "a.json",
            json.dumps({"features": [item(1, None, data={"href": "a.tif"})]}),
            "must be a STAC",
        ),
        (
            "a.json",
            json.dumps({"features": [item(1, 2000, data={"href": "a.tif"})]}),
            "must be a STAC",
        ),
        (
            "a.json",
            json.dumps({"features": [item(1, "soon", data={"href": "a.tif"})]}),
            "wants a date like",
        ),
        (
            "a.json",
            json.dumps({"features": [item(1, "2000", data={"href": None})]}),
            "must be a STAC",
        ),
    ],
)
def test_lists_that_are_not_in_order(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SceneListError, match=words):
        read_scenes(path)


def test_a_scene_that_is_not_there_is_told_as_that(tmp_path):
    with pytest.raises(RasterReadError, match="no such file"):
        read_scenes([tmp_path / "nowhere", tmp_path / "2000.tif"])
    undated = write(tmp_path / "first.tif", PICTURE)
    with pytest.raises(SceneListError, match="wants a date in its name"):
        read_scenes([undated, tmp_path / "2000.tif"])


def test_scenes_may_be_given_whole():
    scenes = [
        DatedScene(path="b.tif", date="2001"),
        DatedScene(path="a.tif", date="1999"),
    ]
    assert [scene.path for scene in read_scenes(scenes)] == ["a.tif", "b.tif"]
