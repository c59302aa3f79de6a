"""Classes of change in a whole run: columns, parts, themes, notes."""

import base64
import io
import json
import re

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from pandas.testing import assert_frame_equal
from PIL import Image
from rasterio.features import rasterize
from rasters import write

from geosim import ChangeOptions, MinArea, detect_change, open_result
from geosim.commands.console import summary
from geosim.deciding import splitting
from geosim.errors import OptionError

SHAPE = 160, 200
SPECTRA = {
    # red, green, blue, nir of 8 bit
    "field": (60, 90, 55, 190),
    "water": (35, 55, 60, 15),
    "bare": (150, 130, 100, 170),
}


def ground(**places):
    """(4, height, width) uint8: field with a little grain, other covers in windows."""
    rng = np.random.default_rng(4)
    image = np.empty((4, *SHAPE))
    image[:] = np.reshape(SPECTRA["field"], (4, 1, 1))
    for cover, windows in places.items():
        for rows, cols in windows:
            image[:, rows, cols] = np.reshape(SPECTRA[cover], (4, 1, 1))
    image *= rng.normal(1.0, 0.02, image.shape)
    return np.clip(np.rint(image), 1, 255).astype(np.uint8)


LAKE = slice(20, 140), slice(30, 80)
BROKEN = slice(20, 140), slice(80, 120)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A river that moved: what was water is bare, what was field is water."""
    folder = tmp_path_factory.mktemp("river")
    before = ground(water=[BROKEN])
    after = ground(water=[LAKE], bare=[BROKEN])
    paths = []
    for year, image in ((1990, before), (2020, after)):
        path = write(folder / f"{year}.tif", image)
        with rasterio.open(path, "r+") as file:
            file.descriptions = ("red", "green", "blue", "nir")
        paths.append(path)
    return paths


def run(pair, folder, **options):
    chosen = {"method": "cva", "min_area": MinArea(value=50, unit="px")} | options
    return detect_change(*pair, folder, ChangeOptions(**chosen))


@pytest.fixture(scope="module")
def result(pair, tmp_path_factory):
    return run(pair, tmp_path_factory.mktemp("result") / "any")


def test_one_object_becomes_one_polygon_for_each_class(result):
    changes = result.changes
    told = changes.set_index("class")
    assert set(told.index) >= {"water_gain", "water_loss"}
    gain, loss = told.loc["water_gain"], told.loc["water_loss"]
    assert (gain["from_class"], gain["to_class"]) == ("vegetation", "water")
    assert (loss["from_class"], loss["to_class"]) == ("water", "bare")
    assert gain["area_px"] == pytest.approx(120 * 50, rel=0.05)
    assert loss["area_px"] == pytest.approx(120 * 40, rel=0.05)
    assert changes["class_probability"].between(0.3, 1.0).all()
    assert changes["area_px"].is_monotonic_decreasing


def test_a_pond_in_a_large_pit_is_a_polygon_of_its_own(tmp_path):
    pond = slice(60, 84), slice(90, 114)  # 7 % of the pit
    after = ground(bare=[(slice(40, 120), slice(50, 150))])
    after[:, *pond] = ground(water=[pond])[:, *pond]
    paths = []
    for year, image in ((1990, ground()), (2020, after)):
        paths.append(write(tmp_path / f"{year}.tif", image))
        with rasterio.open(paths[-1], "r+") as file:
            file.descriptions = ("red", "green", "blue", "nir")
    changes = run(paths, tmp_path / "out").changes
    assert changes["class"].tolist() == ["bare_or_mining", "water_gain"]
    # the window of 12 m in which the most frequent class wins rounds its corners
    assert 0.75 * 24**2 < changes["area_px"][1] <= 24**2


def test_the_parts_together_are_the_change_map(result):
    with rasterio.open(result.paths["change"]) as file:
        changed = file.read(1) == 1
        burnt = rasterize(result.changes.geometry, file.shape, transform=file.transform)
    assert np.array_equal(burnt == 1, changed)
    assert result.changes["area_px"].sum() == changed.sum()
    assert result.record.areas.changed_px == changed.sum()


def test_from_to_table_in_the_record_and_the_report(result):
    rows = result.record.from_to
    assert sum(row["area_px"] for row in rows) == result.record.areas.changed_px
    assert rows[0]["class"] == "water_gain"
    total = sum(row["area_m2"] for row in rows)
    assert total == pytest.approx(result.record.areas.changed_m2)
    again = open_result(result.folder).record.from_to
    assert list(again) == [dict(row) for row in rows]
    page = result.paths["report"].read_text()
    assert "From what (rows) to what (columns)" in page
    assert "water gain" in page


def test_a_theme_keeps_its_classes_and_leaves_the_map(pair, result, tmp_path):
    wet = run(pair, tmp_path / "water", theme="water")
    ice = run(pair, tmp_path / "ice", theme="ice")
    assert set(wet.changes["class"]) == {"water_gain", "water_loss"}
    # ids are those of the whole list
    whole = result.changes.set_index("id")
    assert (
        whole.loc[wet.changes["id"], "class"].to_numpy() == wet.changes["class"]
    ).all()
    assert len(ice.changes) == 0
    assert list(ice.changes.columns) == list(result.changes.columns)
    for other in (wet, ice):
        for name in ("change", "difference"):
            with (
                rasterio.open(other.paths[name]) as a,
                rasterio.open(result.paths[name]) as b,
            ):
                assert np.array_equal(a.read(), b.read())
        assert other.record.areas == result.record.areas
        assert other.record.from_to == result.record.from_to
        assert other.record.polygons == len(other.changes)
    assert any("theme 'water' alone" in note for note in wet.record.notes)
    assert not any("theme" in note for note in result.record.notes)
    assert f"{len(wet.changes)} of the theme 'water'" in summary(wet)
    assert "theme" not in summary(result)


def test_the_page_of_a_theme_shows_nothing_else(tmp_path):
    """Without a place of the theme no outline; with one class not all in its colour."""
    far = slice(20, 140), slice(120, 160)
    paths = []
    for year, image in ((1990, ground()), (2020, ground(water=[LAKE], bare=[far]))):
        paths.append(write(tmp_path / f"{year}.tif", image))
        with rasterio.open(paths[-1], "r+") as file:
            file.descriptions = ("red", "green", "blue", "nir")
    drawn = {}
    for theme in ("any", "water", "ice"):
        found = run(paths, tmp_path / theme, theme=theme)
        page = found.paths["report"].read_text()
        filled = re.search(
            r'id="picture-fill" src="data:image/png;base64,([^"]+)', page
        )
        picture = Image.open(io.BytesIO(base64.b64decode(filled.group(1))))
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
        drawn[theme] = (alpha > 0).sum() / alpha.size * np.prod(SHAPE)
    assert drawn["any"] == pytest.approx(120 * 90, rel=0.05)
    assert drawn["water"] == pytest.approx(120 * 50, rel=0.05)
    assert drawn["ice"] == 0
    assert "No place of the theme 'ice' is as large as the smallest kept." in page
    assert "places of the theme" in page


def test_the_theme_names_the_class(pair, tmp_path):
    water = run(pair, tmp_path / "a", bands="naip", theme="urban")
    assert set(water.changes["class"]) <= {"built_up_gain", "built_up_loss"}


def test_bands_by_role_give_what_names_give(pair, result, tmp_path):
    plain = []
    for path in pair:
        with rasterio.open(path) as file:
            plain.append(write(tmp_path / path.name, file.read()[[3, 0, 1, 2]]))
    told = run(plain, tmp_path / "r", bands="nir=1,red=2,green=3,blue=4")
    assert set(told.changes["class"]) == set(result.changes["class"])
    assert tuple(map(str, told.record.before.bands)) == ("1", "2", "3", "4")


def test_an_infrared_that_the_file_names_counts_beside_what_is_written(
    pair, result, tmp_path
):
    """Colours are compared, as without --bands; the infrared tells the classes."""
    told = run(pair, tmp_path / "r", bands="red=1,green=2,blue=3")
    assert_frame_equal(told.changes, result.changes)
    each = "red=1,green=2,blue=3:red=1,green=2,blue=3"
    apart = run(pair, tmp_path / "s", bands=each)
    assert_frame_equal(apart.changes, result.changes)


def test_without_known_bands_there_is_no_class(pair, tmp_path):
    plain = []
    for path in pair:
        with rasterio.open(path) as file:
            image = file.read()
        plain.append(write(tmp_path / path.name, image, photometric="MINISBLACK"))
    found = run(plain, tmp_path / "r")
    changes = found.changes
    assert set(changes["class"]) == {"changed"}
    assert (
        changes[["from_class", "to_class", "class_probability"]].isna().all(axis=None)
    )
    assert found.record.from_to == ()
    assert any("name them, such as --bands" in note for note in found.record.notes)


@pytest.mark.parametrize("date", [0, 1])
@pytest.mark.parametrize("nothing", [-9999.0, np.nan])
def test_where_the_infrared_has_no_data_no_class_is_told(tmp_path, date, nothing):
    """The lake alone lies in the gap."""
    lake, pit = (slice(20, 140), slice(20, 60)), (slice(20, 140), slice(120, 160))
    paths, notes = [], "no class can be told"
    images = ground(), ground(water=[lake], bare=[pit])
    for number, image in enumerate(images):
        values = image.astype(np.float32)
        if number == date:
            values[3, :, :80] = nothing
        paths.append(write(tmp_path / f"{number}.tif", values, nodata=nothing))
        with rasterio.open(paths[-1], "r+") as file:
            file.descriptions = ("red", "green", "blue", "nir")
    result = run(paths, tmp_path / "out")
    by_class = result.changes.groupby("class").area_px.sum()
    assert by_class["changed"] == pytest.approx(120 * 40, rel=0.02)
    assert by_class["bare_or_mining"] == pytest.approx(120 * 40, rel=0.02)
    unknown = result.changes[result.changes["class"] == "changed"]
    said = unknown[["class_probability", "from_class", "to_class"]]
    assert said.isna().all(axis=None)
    assert any(notes in note for note in result.record.notes)


def test_colour_alone_is_less_sure(pair, result, tmp_path):
    colours = []
    for path in pair:
        with rasterio.open(path) as file:
            colours.append(write(tmp_path / path.name, file.read()[:3]))
    found = run(colours, tmp_path / "r", bands="red=1,green=2,blue=3")
    assert any("less sure" in note for note in found.record.notes)
    assert not any("less sure" in note for note in result.record.notes)
    sure = result.changes.set_index("class").loc["water_gain", "class_probability"]
    colour = found.changes
    assert colour["class_probability"].max() < 0.7
    assert colour["class_probability"].max() < sure


def test_classes_do_not_depend_on_blocks_or_threads(pair, result, tmp_path):
    other = run(pair, tmp_path / "r", block_size=64, threads=1)
    for column in ("class", "from_class", "to_class", "area_px"):
        assert list(other.changes[column]) == list(result.changes[column])
    assert np.allclose(
        other.changes["class_probability"], result.changes["class_probability"]
    )


def test_columns_of_the_layer(result):
    frame = gpd.read_file(result.paths["changes"], layer="changes")
    assert frame["class_probability"].dtype == float
    assert frame["from_class"].map(type).eq(str).all()
    item = json.loads(result.paths["run"].read_text())
    assert item["properties"]["geosim:options"]["theme"] == "any"


def test_each_date_may_have_its_own_bands(pair, result, tmp_path):
    with rasterio.open(pair[1]) as file:
        other = write(tmp_path / "2020.tif", file.read()[[3, 0, 1, 2]])
    bands = "red=1,green=2,blue=3,nir=4:red=2,green=3,blue=4,nir=1"
    found = run([pair[0], other], tmp_path / "r", bands=bands)
    assert list(found.changes["class"]) == list(result.changes["class"])
    with pytest.raises(OptionError, match="the same roles in one order"):
        run([pair[0], other], tmp_path / "s", bands="red=1,green=2:green=3,red=2")


@pytest.mark.parametrize("tile", [32, 48, 100])
def test_a_large_object_is_cut_by_tiles_as_it_is_whole(
    pair, result, tmp_path, monkeypatch, tile
):
    """Parts that tiles cut are joined again; nothing shows where tiles meet."""
    monkeypatch.setattr(splitting, "_TILE", tile)
    monkeypatch.setattr(splitting, "_AROUND", 48)
    monkeypatch.setattr(splitting, "_LARGEST", 0)
    cut = []
    monkeypatch.setattr(splitting, "_merged", counting(splitting._merged, cut))
    changes = run(pair, tmp_path / "tiled").changes
    assert max(cut) > 4
    assert_frame_equal(changes, result.changes, check_exact=False, rtol=1e-9)
    assert all(changes.geometry.geom_equals_exact(result.changes.geometry, 0))


def counting(function, sizes):
    def counted(parts):
        sizes.append(len(parts))
        return function(parts)

    return counted
