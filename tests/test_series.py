"""`geosim series`: against the truth of the sample series, and with scenes missing."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from PIL import Image
from publish_records import validate
from rasterio.warp import transform_bounds
from rio_cogeo.cogeo import cog_validate
from typer.testing import CliRunner

from benchmarks.series import measure
from geosim import (
    ChangeOptions,
    SeriesOptions,
    detect_change,
    detect_series,
    draw_sample,
)
from geosim.assessing.options import SampleOptions
from geosim.cli import app
from geosim.delivering.printing import find_chromium
from geosim.errors import (
    MissingDependencyError,
    NoDataError,
    OptionError,
    OutputError,
    ResultExistsError,
)
from geosim.raster.grid import Grid, Window
from geosim.timeline.calibration import no_calibration
from geosim.timeline.deciding import Decider
from geosim.timeline.result import SERIES_FILES
from geosim.timeline.scanning import threads_within
from geosim.timeline.scenes import read_scenes
from geosim.timeline.stack import open_stack

YEARS = (1990, 1995, 2000, 2005, 2010, 2015, 2020)


@pytest.fixture(scope="module")
def samples(root):
    return root / "sample_data" / "series"


@pytest.fixture(scope="module")
def result(samples, tmp_path_factory):
    """The whole sample series with default options; read it, leave it as it is."""
    return detect_series(samples, tmp_path_factory.mktemp("series") / "out")


def test_areas_and_years_of_the_sample_series(result, samples):
    found = measure(result, samples)
    for year, name, truth, said in found["rows"]:
        assert truth > 0, f"{name} in {year}: {said} ha and none in truth"
        assert said == pytest.approx(truth, rel=0.05), f"{name} in {year}"
    assert found["years_right"] >= 0.95
    assert found["false"] <= 0.02


def test_pairs_alone_see_the_years_and_blunt_edges(result, samples, tmp_path):
    folder = tmp_path / "pairs_alone"
    shutil.copytree(result.folder, folder)
    alone = detect_series(
        samples,
        folder,
        ChangeOptions(resume=True),
        series=SeriesOptions(decide="pairs"),
    )
    found = measure(alone, samples)
    assert found["years_right"] >= 0.95
    # the infrared fills its eight bits on each date, the visible bands on none
    assert min(said / truth for _, _, truth, said in found["rows"]) > 0.8


def test_what_is_cleared_and_regrows_returns(result):
    changes = result.changes
    loss = changes[(changes["class"] == "forest_loss") & (changes.year == 1995)]
    assert sorted(loss.persistent.tolist()) == [False, True]
    gain = changes[changes["class"] == "forest_gain"].iloc[0]
    assert (gain.date_from, gain.date_to, gain.year) == ("2005", "2010", 2010)
    returning = loss[loss.persistent == False].geometry.iloc[0]  # noqa: E712
    assert returning.intersection(gain.geometry).area > 0.9 * returning.area
    last = changes[changes.year == 2020]
    assert last.persistent.isna().all()  # no later date could tell


def test_rasters_are_cogs_that_agree_with_each_other(result):
    layers = {}
    for name in ("first_change", "last_change", "count"):
        assert cog_validate(result.paths[name], quiet=True)[0]
        with rasterio.open(result.paths[name]) as file:
            layers[name] = file.read(1)
            assert file.crs.to_epsg() == 32718
    first, last, count = layers["first_change"], layers["last_change"], layers["count"]
    assert set(np.unique(first)) == {0, *YEARS[1:]}
    assert ((first > 0) == (count > 0)).all()
    assert (last >= first).all()
    assert ((last > first) == (count > 1)).all()


def test_polygons_and_table_tell_the_same_areas(result):
    table, changes = result.areas, result.changes
    parts = table[~((table.date_from == 1990) & (table.date_to == 2020))]
    for _, row in parts.iterrows():
        some = changes[
            (changes["class"] == row["class"]) & (changes.year == row.date_to)
        ]
        assert some.area_ha.sum() == pytest.approx(row.area_ha, rel=1e-4)
    assert (changes.class_probability > 0.3).all()
    assert set(changes.from_class) <= {
        "forest",
        "vegetation",
        "water",
        "bare",
        "built_up",
    }


def test_all_files_are_there_and_the_report_needs_nothing_else(result):
    for name in SERIES_FILES:
        assert (result.folder / name).stat().st_size > 100
    page = result.paths["report"].read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert page.count('class="date') == len(YEARS)
    assert result.paths["report"].stat().st_size < 10_000_000
    names = {path.name for path in result.paths["pairs"].iterdir()}
    assert names == {f"{a}_{a + 5}" for a in YEARS[:-1]}


@pytest.fixture
def few(samples, tmp_path):
    """Four dates of a corner with the forest, to be spoilt."""
    folder = tmp_path / "few"
    folder.mkdir()
    for year in (1990, 1995, 2000, 2005):
        with rasterio.open(samples / f"{year}.tif") as file:
            values, profile = file.read(window=((0, 160), (150, 310))), file.profile
            names = file.descriptions
        profile.update(width=160, height=160, photometric="RGB", alpha="NO", nodata=0)
        profile["transform"] = profile["transform"] @ Affine.translation(150, 0)
        with rasterio.open(folder / f"{year}.tif", "w", **profile) as file:
            file.write(values)
            file.descriptions = names
    return folder


FAST = ChangeOptions(method="cva", threshold=0.5)


def respoil(path, **how):
    """Write a raster again with another transform or other pixels."""
    with rasterio.open(path) as file:
        values, profile, names = file.read(), file.profile, file.descriptions
    change = how.pop("change", lambda pixels: pixels)
    profile.update(photometric="RGB", alpha="NO", **how)
    with rasterio.open(path, "w", **profile) as file:
        file.write(change(values))
        file.descriptions = names


def clearing(result, year):
    changes = result.changes
    some = changes[(changes.year == year) & (changes["class"] == "forest_loss")]
    return float(some.area_ha.sum())


def test_a_gap_is_bridged_and_dated_to_the_longer_interval(few, tmp_path):
    whole = detect_series(few, tmp_path / "whole", FAST)

    def blank(values):
        values[:, :, 60:110] = 0
        return values

    respoil(few / "2000.tif", change=blank)
    bridged = detect_series(few, tmp_path / "bridged", FAST)
    longer = bridged.changes[bridged.changes.date_from == "1995"]
    longer = longer[longer.date_to == "2005"]
    assert longer.area_ha.sum() > 5
    both = clearing(whole, 2000) + clearing(whole, 2005)
    assert clearing(bridged, 2000) + clearing(bridged, 2005) == pytest.approx(
        both, rel=0.05
    )
    assert bridged.record["intervals"][-1]["bridged_px"] == 50 * 160 or any(
        one["bridged_px"] == 50 * 160 for one in bridged.record["intervals"]
    )


def test_chips_of_a_series_show_each_date_once(few, tmp_path):
    def blank(values):
        values[:, :, 60:110] = 0
        return values

    respoil(few / "2000.tif", change=blank)
    found = detect_series(few, tmp_path / "out", FAST)
    assert any(one["bridged_px"] for one in found.record["intervals"])
    drawn = draw_sample(found.folder, None, SampleOptions(n=12))
    frame = pyogrio.read_dataframe(drawn.path, layer="samples")
    assert (set(frame["before"]), set(frame["after"])) == ({"1990"}, {"2005"})
    inside = frame[(frame["col"] > 65) & (frame["col"] < 105)]
    assert len(inside)
    for name in inside["chip"]:
        with Image.open(drawn.path.parent / name) as picture:
            assert picture.size[0] == 4 * 246 - 6
            # a row of the close view above the cross-hair: 2000 alone is without data
            levels = np.asarray(picture.convert("L"), int)
        panels = [levels[40:60, 246 * n + 100 : 246 * n + 140] for n in range(4)]
        assert [bool((one == 200).all()) for one in panels] == [
            False, False, True, False,
        ]  # fmt: skip


def test_dates_that_share_no_pixel_are_no_series(few, tmp_path):
    def half(year):
        def blank(values):
            values[:, :, :80] *= year == 1995
            values[:, :, 80:] *= year == 1990
            return values

        return blank

    for year in (1990, 1995):
        respoil(few / f"{year}.tif", change=half(year))
        (few / f"{year + 10}.tif").unlink()
    with pytest.raises(NoDataError, match="found none; 1990 and 1995 were not"):
        detect_series(few, tmp_path / "out", FAST)
    assert not list(tmp_path.glob("*out*"))


def test_dates_on_other_grids(few, tmp_path):
    whole = detect_series(few, tmp_path / "whole", FAST)
    with rasterio.open(few / "1995.tif") as file:
        moved = file.transform @ Affine.translation(3, 5)

    def cut(values):
        return values[:, 5:, 3:]

    respoil(few / "1995.tif", change=cut, transform=moved, width=157, height=155)
    other = detect_series(few, tmp_path / "other", FAST)
    with rasterio.open(other.paths["count"]) as file:
        assert file.shape == (160, 160)
    assert clearing(other, 2005) == pytest.approx(clearing(whole, 2005), rel=0.03)
    common = SeriesOptions(extent="common")
    small = detect_series(few, tmp_path / "small", FAST, series=common)
    with rasterio.open(small.paths["count"]) as file:
        assert file.shape == (155, 157)


def test_chips_of_dates_on_other_grids(few, tmp_path):
    with rasterio.open(few / "1995.tif") as file:
        moved = file.transform @ Affine.translation(30, 40)

    def cut(values):
        return values[:, 40:, 30:]

    respoil(few / "1995.tif", change=cut, transform=moved, width=130, height=120)
    found = detect_series(few, tmp_path / "out", FAST)
    drawn = draw_sample(found.folder, None, SampleOptions(n=30))
    frame = pyogrio.read_dataframe(drawn.path, layer="samples")
    inside = frame[frame["row"].between(66, 134) & frame["col"].between(56, 134)]
    assert len(inside)
    ring = np.ones((48, 48), bool)
    ring[14:34, 14:34] = False
    for number, date in enumerate((1990, 1995, 2005)):
        with rasterio.open(few / f"{date}.tif") as file:
            values = file.read([1, 2, 3]).astype(float).mean(axis=0)
        above, left = (40, 30) if date == 1995 else (0, 0)
        for _, one in inside.iterrows():
            row, col = one["row"] - above, one["col"] - left
            real = values[row - 24 : row + 24, col - 24 : col + 24]
            with Image.open(drawn.path.parent / one["chip"]) as picture:
                close = np.asarray(picture.convert("RGB"), float).mean(axis=2)
            first = 246 * (3 if date == 2005 else number)
            shown = close[20:260, first : first + 240]
            shown = shown.reshape(48, 5, 48, 5).mean(axis=(1, 3))
            assert np.corrcoef(shown[ring], real[ring])[0, 1] > 0.95


def test_what_fills_a_gap_does_not_depend_on_the_block(few):
    """Beside edges that are nearly level the nearest pixel of a row lies far away."""

    def cut(pixels):
        row, col = np.indices(pixels.shape[1:])
        pixels[:, (row + 17) % 60 > 40 + 0.05 * col] = 0
        return pixels

    respoil(few / "1995.tif", change=cut)
    with rasterio.open(few / "1990.tif") as file:
        grid = Grid.of(file)
    with open_stack(read_scenes(few), grid, None) as stack:
        decider = Decider(
            stack=stack,
            maps={},
            calibration=no_calibration(4, len(stack.bands)),
            covering=None,
            reach=0.0,
            together=False,
        )
        whole = decider.values(grid.window)
        for window in (Window(40, 90, 30, 50), Window(100, 30, 50, 50)):
            for part, of_all in zip(decider.values(window), whole, strict=True):
                assert (part == of_all[..., *window.slices_in(grid.window)]).all()
    gaps = ~whole[1][1]
    assert (whole[0][1][:, gaps] > 0).any()  # filled
    assert (whole[0][1][:, gaps] == 0).any()  # too far from what is valid


def test_answer_does_not_depend_on_blocks_and_threads(few, tmp_path, monkeypatch):
    one = detect_series(few, tmp_path / "one", replace(FAST, threads=1))
    monkeypatch.setattr("geosim.series.block_side", lambda *_: 48)
    many = detect_series(few, tmp_path / "many", replace(FAST, threads=3))
    for name in ("first_change", "last_change", "count"):
        with rasterio.open(one.paths[name]) as a, rasterio.open(many.paths[name]) as b:
            assert (a.read() == b.read()).all()
    assert one.areas.equals(many.areas)
    for date, covers in one.record["covers_m2"].items():
        assert many.record["covers_m2"][date] == pytest.approx(covers, rel=1e-12)


@pytest.mark.parametrize(
    ("memory", "layers", "wanted"), [(12_000, 18, 8), (4000, 18, 3), (1000, 360, 1)]
)
def test_threads_share_the_memory(memory, layers, wanted):
    # a quarter of the memory, 60 bytes per layer and pixel of 512 x 512
    assert threads_within(memory, layers, 8) == wanted


def test_a_scene_that_cannot_be_read_is_left_out_and_told(few, tmp_path):
    path = few / "2000.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (few / "1992.tif").write_bytes(b"no raster")
    run = CliRunner().invoke(
        app, ["series", str(few), "-o", str(tmp_path / "out"), "--method", "cva"]
    )
    assert run.exit_code == 1
    assert "the scene of 1992 was left out" in run.stderr
    assert "the scene of 2000 was left out" in run.stderr
    record = json.loads((tmp_path / "out" / "series.json").read_text())
    assert [scene["date"] for scene in record["scenes"]] == ["1990", "1995", "2005"]


def test_resume_keeps_comparisons_and_adds_a_date(few, tmp_path):
    last = few / "2005.tif"
    kept = last.rename(tmp_path / "2005.tif")
    out = tmp_path / "out"
    first = detect_series(few, out, FAST)
    made = {p: p.stat().st_mtime_ns for p in (out / "pairs").glob("*/run.json")}
    with pytest.raises(ResultExistsError):
        detect_series(few, out, FAST)
    shutil.copy(kept, last)
    resumed = ChangeOptions(method="cva", threshold=0.5, resume=True)
    again = detect_series(few, out, resumed)
    for path, moment in made.items():
        assert path.stat().st_mtime_ns == moment
    assert len(again.record["intervals"]) == len(first.record["intervals"]) + 1
    assert not list(tmp_path.glob(".*.partial"))


def test_the_item_tells_of_scenes_files_and_comparisons(result):
    item = json.loads(result.paths["item"].read_text())
    validate(item)
    assert item["id"] == result.folder.name
    properties = item["properties"]
    assert properties["start_datetime"] == "1990-01-01T00:00:00Z"
    assert properties["end_datetime"] == "2020-12-31T23:59:59Z"
    with rasterio.open(result.paths["count"]) as file:
        assert properties["proj:code"] == str(file.crs)
        assert properties["proj:shape"] == [file.height, file.width]
        assert properties["proj:transform"] == list(file.transform)[:6]
        left, bottom, right, top = transform_bounds(file.crs, "OGC:CRS84", *file.bounds)
    assert item["bbox"] == pytest.approx([left, bottom, right, top], abs=1e-4)
    named = {name for name in SERIES_FILES if name != "item.json"}
    assert set(item["assets"]) == named
    for name, asset in item["assets"].items():
        content = (result.folder / name).read_bytes()
        assert asset["file:size"] == len(content)
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    assert item["assets"]["last_change.tif"]["bands"][0]["nodata"] == 65535
    linked = [(one["rel"], result.folder / one["href"]) for one in item["links"]]
    assert [rel for rel, _ in linked].count("derived_from") == len(YEARS)
    assert [rel for rel, _ in linked].count("related") == len(YEARS) - 1
    assert all(path.is_file() for _, path in linked)


def test_polygons_in_other_formats(few, tmp_path):
    out = tmp_path / "out"
    wanted = replace(FAST, formats=("geojson", "flatgeobuf"))
    result = detect_series(few, out, wanted)
    own = result.changes
    assert len(own)
    assert set(result.paths) >= {"geojson", "flatgeobuf"}
    same = gpd.read_file(result.paths["flatgeobuf"])  # its index has its own order
    same = same.sort_values("id", ignore_index=True)
    assert same.id.tolist() == own.id.tolist()
    assert same.geometry.geom_equals(own.geometry).all()
    lonlat = gpd.read_file(result.paths["geojson"])
    assert lonlat.crs == "EPSG:4326"
    assert lonlat.date_to.astype(str).tolist() == own.date_to.astype(str).tolist()
    assert lonlat.to_crs(own.crs).area.to_numpy() == pytest.approx(own.area, rel=1e-4)
    assert not list((out / "pairs").glob("*/changes.geojson"))
    # of an earlier result, and not wanted any more
    again = detect_series(few, out, replace(FAST, resume=True))
    assert "geojson" not in again.paths
    assert not list(out.glob("changes.fgb"))


def test_the_report_of_a_series_is_printed_but_not_made_anew(result, tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for name in SERIES_FILES:
        shutil.copy(result.folder / name, folder)
    for more in ([], ["--title", "Another"], ["--pdf", "--author", "Somebody"]):
        done = CliRunner().invoke(app, ["report", str(folder), *more])
        assert done.exit_code == 1
        assert "can only be printed: give --pdf alone" in done.stderr
    try:
        find_chromium()
    except MissingDependencyError:
        pytest.skip("no Chromium to print with")
    done = CliRunner().invoke(app, ["report", str(folder), "--pdf"])
    assert done.exit_code == 0, done.stderr
    assert (folder / "report.pdf").read_bytes()[:5] == b"%PDF-"
    item = json.loads((folder / "item.json").read_text())
    size = (folder / "report.pdf").stat().st_size
    assert item["assets"]["report.pdf"]["file:size"] == size


def test_the_command_writes_polygons_elsewhere(commands, few, tmp_path):
    some = ["series", few, "--method", "cva", "--threshold", "0.5"]
    code, _, stderr = commands(tmp_path, *some, "--ogr", "all.gpkg", "-o", "out")
    assert code == 0, stderr
    own = gpd.read_file(tmp_path / "out" / "changes.gpkg", layer="changes")
    there = gpd.read_file(tmp_path / "all.gpkg", layer="changes")
    assert len(own)
    assert there.drop(columns="geometry").equals(own.drop(columns="geometry"))
    code, _, stderr = commands(tmp_path, *some, "--ogr", "all.gpkg", "-o", "two")
    assert code == 1
    assert "has a layer 'changes' already" in stderr
    assert not (tmp_path / "two").exists()
    code, _, stderr = commands(tmp_path, *some, "--ogr-layer", "x", "-o", "two")
    assert code == 1
    assert "give --ogr too" in stderr


@pytest.mark.parametrize("written", [True, False])
def test_comparisons_outlive_a_result_that_cannot_be_delivered(
    few, tmp_path, monkeypatch, written
):
    """A file that cannot be replaced, and a record that cannot be written."""
    out = tmp_path / "out"
    (out / "first_change.tif" / "in the way").mkdir(parents=True)

    def full(*_):
        raise OutputError("cannot write 'series.json': no space left")

    with monkeypatch.context() as patch:
        if not written:
            patch.setattr("geosim.timeline.delivery.write_record", full)
        with pytest.raises(OutputError, match="cannot write"):
            detect_series(few, out, replace(FAST, overwrite=True))
    shutil.rmtree(out / "first_change.tif")
    made = {p.parent.name: p.stat() for p in tmp_path.rglob("pairs/*/run.json")}
    assert made
    detect_series(few, out, replace(FAST, resume=True))
    after = {p.parent.name: p.stat() for p in (out / "pairs").glob("*/run.json")}
    for name, before in made.items():
        assert after[name].st_mtime_ns == before.st_mtime_ns
    assert not list(tmp_path.glob(".*.partial"))


def test_rasters_of_a_folder_without_a_date_are_told(few, tmp_path):
    for name in ("mask.tif", "truth.tif"):
        shutil.copy(few / "1990.tif", few / name)
    found = detect_series(few, tmp_path / "out", FAST)
    assert len(found.record["scenes"]) == 4
    assert found.record["notes"][0] == (
        f"Rasters of '{few}' without a date in their names or tags are none of the "
        "series: mask.tif, truth.tif."
    )


def test_initial_areas_and_theme(few, tmp_path):
    options = ChangeOptions(method="cva", threshold=0.5, theme="deforestation")
    known = SeriesOptions(initial=(("forest", 200.0),))
    result = detect_series(few, tmp_path / "out", options, series=known)
    assert set(result.changes["class"]) <= {"forest_loss", "forest_gain"}
    row = result.areas.iloc[0]
    assert row.base == "forest at 1990"
    assert row.percent_per_year == pytest.approx(100 * row.area_ha / 200 / 5, rel=1e-4)
    assert not any("--initial" in note for note in result.record["notes"])
    little = SeriesOptions(initial=(("forest", 0.5),))
    again = replace(options, overwrite=True)
    result = detect_series(few, tmp_path / "out", again, series=little)
    (note,) = (note for note in result.record["notes"] if "--initial" in note)
    assert note.startswith("More forest was lost by ")
    assert " after --initial forest=0.5; " in note


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_a_crs_areas_are_pixels(few, tmp_path):
    for year in (1990, 1995):
        respoil(few / f"{year}.tif", crs=None, transform=Affine.identity())
    pair = [few / "1990.tif", few / "1995.tif"]
    record = detect_series(pair, tmp_path / "out", FAST).record
    assert "covers_m2" not in record
    for one in record["covers_px"].values():
        assert 0.9 * 160 * 160 < sum(one.values()) <= 160 * 160
    known = SeriesOptions(initial=(("forest", 200.0),))
    with pytest.raises(OptionError, match="--initial wants hectares, and so"):
        detect_series(pair, tmp_path / "other", FAST, series=known)
    assert not (tmp_path / "other").exists()


def test_nodata_of_all_scenes_and_a_crs_without_a_code(few, tmp_path):
    local = "+proj=tmerc +lon_0=11.3 +ellps=bessel +units=m +type=crs"
    for year in (1990, 1995, 2000):
        respoil(few / f"{year}.tif", crs=local, nodata=None)

    def collar(pixels):
        pixels[:, :, :30] = 255
        return pixels

    respoil(few / "1995.tif", change=collar)
    scenes = [few / f"{year}.tif" for year in (1990, 1995, 2000)]
    record = detect_series(scenes, tmp_path / "out", FAST).record
    assert record["grid"]["crs"] == "unknown"
    assert "Bessel" in record["grid"]["wkt"]
    assert [one["valid_fraction"] for one in record["scenes"]] == [1, 1, 1]
    told = [note for note in record["notes"] if "nothing but 255" in note]
    assert told[0].startswith("1990 to 1995: 19 % of the area")
    assert told[1].startswith("1995 to 2000: 19 % of the area")
    of_pair = told[0].removeprefix("1990 to 1995: ")
    assert of_pair in record["intervals"][0]["notes"]

    known = ChangeOptions(method="cva", threshold=0.5, nodata=255)
    record = detect_series(scenes, tmp_path / "other", known).record
    shares = [one["valid_fraction"] for one in record["scenes"]]
    assert shares == [1, pytest.approx(1 - 30 / 160, abs=0.001), 1]
    assert not any("nothing but" in note for note in record["notes"])
    for wrong in ("0:255", ":0"):
        with pytest.raises(OptionError, match="one value for all scenes"):
            detect_series(scenes, tmp_path / "no", ChangeOptions(nodata=wrong))


def test_options_that_cannot_be_used():
    with pytest.raises(OptionError, match="--initial wants one of forest, "):
        SeriesOptions(initial=(("forst", 1.0),))
    with pytest.raises(OptionError, match="'forest' twice"):
        SeriesOptions(initial=(("forest", 1.0), ("forest", 2.0)))
    with pytest.raises(OptionError, match="hectares above 0"):
        SeriesOptions(initial=(("forest", float("inf")),))
    with pytest.raises(OptionError, match="--decide wants one of"):
        SeriesOptions(decide="never")
    with pytest.raises(OptionError, match="hectares above 0"):
        SeriesOptions(initial=(("forest", 0.0),))
    run = CliRunner().invoke(app, ["series", "1990.tif", "--initial", "forest"])
    assert run.exit_code == 1
    assert "--initial wants a land cover and hectares" in run.stderr


def test_classes_of_two_dates_are_those_of_a_comparison(root, tmp_path):
    """On pixels of half a metre too, where a window of a few of them is no house."""
    pair = [root / "sample_data" / name for name in ("1990.tif", "2020.tif")]
    found = detect_series(pair, tmp_path / "series").changes
    wanted = detect_change(*pair, tmp_path / "change").changes
    assert len(found) == pytest.approx(len(wanted), abs=5)
    areas = [one.groupby("class")["area_ha"].sum() for one in (found, wanted)]
    for name, area in areas[1].items():
        assert areas[0][name] == pytest.approx(area, rel=0.1, abs=0.08), name
