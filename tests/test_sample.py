"""Samples of a map and what their answers say: real files, from drawing to areas."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rasters import UTM, drawn_pair, write
from scipy.ndimage import distance_transform_cdt
from typer.testing import CliRunner

from geosim import ChangeOptions, assess_sample, detect_change, draw_sample
from geosim.assessing.answers import _other_answers
from geosim.assessing.options import AssessOptions, SampleOptions
from geosim.assessing.strata import StrataMap
from geosim.cli import app
from geosim.commands.assess import _expected
from geosim.errors import (
    OptionError,
    OutputError,
    RasterReadError,
    SampleError,
)

HEIGHT, WIDTH = 60, 90
NO_CHIPS = SampleOptions(n=40, chips=False)


def decision():
    """A map with three patches of change and a corner without data."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[10:22, 10:30] = 1
    values[30:38, 50:70] = 1
    values[50:54, 5:9] = 1
    values[:6, 80:] = 255
    return values


def folder_of(path, values=None, transform=None, classes=None, crs=UTM):
    """A folder with the parts of a result that a sample needs."""
    path.mkdir(parents=True, exist_ok=True)
    values = decision() if values is None else values
    transform = transform or Affine(10, 0, 500_000, 0, -10, 5_400_000)
    write(path / "change.tif", values[None], crs=crs, transform=transform, nodata=255)
    if classes:
        boxes = [shapely.box(*bounds) for bounds in classes.values()]
        outlines = shapely.transform(
            np.array(boxes), lambda xy: np.column_stack(transform @ xy.T)
        )
        frame = gpd.GeoDataFrame({"class": list(classes)}, geometry=outlines, crs=crs)
        pyogrio.write_dataframe(frame, path / "changes.gpkg", layer="changes")
    return path


CLASSES = {"forest_loss": (10, 10, 30, 22), "water_gain": (50, 30, 70, 38)}
"""Class and (left, top, right, bottom) in pixels; the third patch has no polygon."""


def answer(path, truth):
    """Write answers: `truth` gives one by row and column of the map."""
    frame = pyogrio.read_dataframe(path, layer="samples")
    frame["reference"] = [
        truth(row, col) for row, col in zip(frame["row"], frame["col"], strict=True)
    ]
    pyogrio.write_dataframe(frame, path, layer="samples", driver="GPKG")


def as_mapped(row, col):
    return "changed" if decision()[row, col] == 1 else "no_change"


def edited(path, statement):
    """Change the points; GDAL's triggers want functions that SQLite alone lacks."""
    with closing(sqlite3.connect(path)) as base, base:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in base.execute(triggers).fetchall():
            base.execute(f"DROP TRIGGER {name}")
        base.execute(statement)


@pytest.fixture
def sample(tmp_path):
    drawn = draw_sample(folder_of(tmp_path / "res"), None, NO_CHIPS)
    answer(drawn.path, as_mapped)
    return drawn


# --- the draw


def test_points_lie_in_the_middle_of_pixels_of_their_stratum(tmp_path):
    result = folder_of(tmp_path / "res")
    drawn = draw_sample(result, tmp_path / "out" / "points.gpkg", NO_CHIPS)
    frame = gpd.read_file(drawn.path, layer="samples")
    assert list(frame["id"]) == list(range(1, 41))
    assert frame["reference"].isna().all()
    assert frame.crs.to_epsg() == 32633
    with rasterio.open(result / "change.tif") as file:
        points = list(zip(frame.geometry.x, frame.geometry.y, strict=True))
        values = [int(one[0]) for one in file.sample(points)]
        rows, cols = rasterio.transform.rowcol(
            file.transform, *zip(*points, strict=True)
        )
    assert [("no_change", "changed")[one] for one in values] == list(frame["stratum"])
    assert (list(rows), list(cols)) == (list(frame["row"]), list(frame["col"]))
    assert {(x - 5) % 10 for x, _ in points} == {0.0}
    assert not frame.duplicated(["row", "col"]).any()


def test_pixels_are_squares_around_the_points(sample):
    points = gpd.read_file(sample.path, layer="samples").set_index("id")
    squares = gpd.read_file(sample.path, layer="pixels").set_index("id")
    assert np.allclose(squares.area, 100.0)
    assert squares.centroid.geom_equals_exact(points.geometry, 1e-6).all()


def test_design_tells_sizes_and_numbers(sample):
    values = decision()
    rows = {one["stratum"]: one for one in sample.to_dict()["strata"]}
    assert rows["changed"]["pixels"] == (values == 1).sum()
    assert rows["no_change"]["pixels"] == (values == 0).sum()
    assert rows["changed"]["samples"] + rows["no_change"]["samples"] == 40
    # 10 m pixels in UTM, a little less on the ellipsoid than on the map
    assert rows["changed"]["area_m2"] == pytest.approx(
        (values == 1).sum() * 100, rel=2e-3
    )
    table = pyogrio.read_dataframe(sample.path, layer="strata")
    assert table["share"].sum() == pytest.approx(1.0)


def test_same_seed_same_sample(tmp_path):
    result = folder_of(tmp_path / "res")
    drawn = [
        gpd.read_file(
            draw_sample(result, tmp_path / f"{n}.gpkg", how).path, layer="samples"
        )
        for n, how in enumerate(
            (NO_CHIPS, NO_CHIPS, SampleOptions(n=40, chips=False, seed=1))
        )
    ]
    assert drawn[0].geometry.equals(drawn[1].geometry)
    assert not drawn[0].geometry.equals(drawn[2].geometry)


def test_strips_do_not_change_the_strata(tmp_path, monkeypatch):
    result = folder_of(tmp_path / "res", classes=CLASSES)
    found = StrataMap(result, "class", 3)
    whole = np.concatenate([part for _, part in found.strips()])
    monkeypatch.setattr("geosim.assessing.strata._STRIP_PIXELS", 5 * WIDTH)
    parts = [part for _, part in found.strips()]
    assert [len(part) for part in parts] == [5] * 12
    assert np.array_equal(np.concatenate(parts), whole)


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_buffer_is_what_lies_near(seed, reach):
    from geosim.assessing.strata import _grown

    mask = np.random.default_rng(seed).random((12, 15)) < 0.05
    grown = _grown(mask, reach)
    if mask.any():
        distance = distance_transform_cdt(~mask, metric="chessboard")
        assert np.array_equal(grown, distance <= reach)
    else:
        assert not grown.any()


def test_classes_are_strata_and_what_has_none_is_changed(tmp_path):
    result = folder_of(tmp_path / "res", classes=CLASSES)
    how = SampleOptions(n=60, strata="class", chips=False)
    drawn = draw_sample(result, None, how)
    rows = {one["stratum"]: one["pixels"] for one in drawn.to_dict()["strata"]}
    assert rows == {
        "no_change": (decision() == 0).sum(),
        "forest_loss": 240,
        "water_gain": 160,
        "changed": 16,
    }
    assert {"forest_gain", "no_change"} <= set(drawn.design.answers)
    names = {1: "forest_loss", 0: "no_change"}
    answer(drawn.path, lambda row, col: names[int(decision()[row, col] == 1)])
    found = assess_sample(drawn.path, tmp_path / "as").to_dict()
    # whatever the class, what changed changed
    changed = (decision() == 1).sum() * 100
    assert found["changed_area"]["value"] == pytest.approx(changed, rel=2e-3)
    assert found["changed_area"]["standard_error"] == 0.0
    gone = next(one for one in found["classes"] if one["class"] == "water_gain")
    assert gone["users_accuracy"]["value"] == 0.0
    assert gone["producers_accuracy"]["value"] is None


def test_series_are_sampled_by_the_year_of_the_first_change(tmp_path):
    years = np.where(decision() == 1, 2005, 0).astype(np.uint16)
    years[decision() == 255] = 65535
    folder = tmp_path / "series"
    folder.mkdir()
    write(folder / "first_change.tif", years[None], nodata=65535)
    drawn = draw_sample(folder, None, NO_CHIPS)
    rows = {one["stratum"]: one["pixels"] for one in drawn.to_dict()["strata"]}
    assert rows == {
        "no_change": (decision() == 0).sum(),
        "changed": (decision() == 1).sum(),
    }


def test_of_a_series_a_place_has_the_class_of_its_latest_change(tmp_path):
    """A large clearing, and a small pond that came in it later."""
    boxes = {"forest_loss": (10, 10, 30, 22), "water_gain": (12, 12, 16, 16)}
    folder = folder_of(tmp_path / "series", classes=boxes)
    (folder / "change.tif").unlink()
    years = np.where(decision() == 1, 2005, 0).astype(np.uint16)
    write(
        folder / "first_change.tif",
        years[None],
        transform=Affine(10, 0, 500_000, 0, -10, 5_400_000),
        nodata=65535,
    )
    pond = {}
    for dates in (["2000", "2005"], ["2005", "2000"]):
        frame = pyogrio.read_dataframe(folder / "changes.gpkg", layer="changes")
        frame["date_to"] = dates
        pyogrio.write_dataframe(frame, folder / "changes.gpkg", layer="changes")
        drawn = draw_sample(
            folder,
            tmp_path / f"{dates[0]}.gpkg",
            SampleOptions(n=30, strata="class", chips=False),
        )
        rows = {one["stratum"]: one["pixels"] for one in drawn.to_dict()["strata"]}
        pond[dates[1]] = rows["forest_loss"], rows.get("water_gain", 0)
    assert pond == {"2005": (240 - 16, 16), "2000": (240, 0)}


def test_degrees_weigh_pixels_by_their_area(tmp_path):
    # from the equator to 60 degrees north, where a pixel has half the area
    values = np.zeros((60, 20), np.uint8)
    values[:30] = 1
    result = folder_of(
        tmp_path / "res", values, Affine(1, 0, 0, 0, -1, 60), crs="EPSG:4326"
    )
    design = draw_sample(result, None, NO_CHIPS).design
    share = design.areas[1] / sum(design.areas)
    # spherical: (sin 60 - sin 30) / sin 60
    assert share == pytest.approx((np.sqrt(3) / 2 - 0.5) / (np.sqrt(3) / 2), abs=2e-3)


def test_wide_projections_weigh_pixels_along_their_rows_too(tmp_path):
    """Degrees of which a row runs from 65 to 5 degrees north."""
    values = np.zeros((50, 150), np.uint8)
    values[:, 100:] = 1
    result = folder_of(
        tmp_path / "res", values, Affine(0, -0.4, 25, -0.4, 0, 65), crs="EPSG:4326"
    )
    how = SampleOptions(n=400, chips=False)
    found = draw_sample(result, None, how)
    frame = pyogrio.read_dataframe(found.path, layer="samples")
    assert (values[frame["row"], frame["col"]] == frame["stratum"].eq("changed")).all()
    share = found.design.areas[1] / sum(found.design.areas)
    sines = np.sin(np.radians([65, 25, 5]))
    wanted = (sines[1] - sines[2]) / (sines[0] - sines[2])  # spherical
    assert share == pytest.approx(wanted, abs=2e-3)
    # in the rest, 65 to 25 degrees: where half of its area lies
    north = frame["col"][frame["stratum"].eq("no_change")]
    middle = (65 - np.degrees(np.arcsin((sines[0] + sines[1]) / 2))) / 0.4
    assert (north < middle).mean() == pytest.approx(
        0.5, abs=2 * 0.5 / len(north) ** 0.5
    )


def test_target_error_decides_how_many(tmp_path):
    result = folder_of(tmp_path / "res")
    expected = (("changed", 0.8), ("no_change", 0.9))
    how = SampleOptions(
        target_se=0.03, expected=expected, chips=False, allocation="neyman"
    )
    design = draw_sample(result, None, how).design
    share = design.pixels[1] / sum(design.pixels)
    spread = share * 0.4 + (1 - share) * 0.3
    least = 0.03**2 + (share * 0.16 + (1 - share) * 0.09) / sum(design.pixels)
    assert sum(design.samples) == int(np.ceil(spread**2 / least))


# --- chips


def test_chips_show_the_place_on_both_dates(sample_result, tmp_path):
    path = tmp_path / "points.gpkg"
    drawn = draw_sample(sample_result.folder, path, SampleOptions(n=8))
    frame = gpd.read_file(drawn.path, layer="samples")
    assert drawn.chips == tmp_path / "points_chips"
    names = sorted(path.name for path in drawn.chips.iterdir())
    assert names == [f"{n:04}.png" for n in range(1, 9)]
    assert list(frame["chip"]) == [f"points_chips/{n:04}.png" for n in range(1, 9)]
    assert (set(frame["before"]), set(frame["after"])) == ({"1990"}, {"2020"})
    with rasterio.open(sample_result.record.before.path) as file:
        date = file.read().astype(float).mean(axis=0)
        first = frame.iloc[0]
        col, row = (
            int(v) for v in ~file.transform @ (first.geometry.x, first.geometry.y)
        )
    real = date[row - 24 : row + 24, col - 24 : col + 24]
    assert real.shape == (48, 48)
    with Image.open(drawn.chips / "0001.png") as picture:
        close = np.asarray(picture.convert("RGB"), float)[20:260, :240].mean(axis=2)
    # each pixel as 5 x 5, the outer ones free of the mark
    shown = close.reshape(48, 5, 48, 5).mean(axis=(1, 3))
    ring = np.ones((48, 48), bool)
    ring[14:34, 14:34] = False
    assert np.corrcoef(shown[ring], real[ring])[0, 1] > 0.98


def test_chips_of_a_result_within_bounds(tmp_path):
    before, after = drawn_pair()
    pair = [
        write(tmp_path / name, values)
        for name, values in (("a.tif", before), ("b.tif", after))
    ]
    left, top = 500_000 + 50, 5_400_000 - 40  # 50 columns and 40 rows from the corner
    options = ChangeOptions(
        method="cva", threads=1, bounds=(left, top - 140, left + 150, top)
    )
    result = detect_change(*pair, tmp_path / "res", options)
    drawn = draw_sample(result.folder, None, SampleOptions(n=12))
    frame = pyogrio.read_dataframe(drawn.path, layer="samples")
    places = zip(frame["chip"], frame["row"] + 40, frame["col"] + 50, strict=True)
    compared = 0
    for name, row, col in places:
        real = before[:, row - 24 : row + 24, col - 24 : col + 24].astype(float).mean(0)
        if real.shape != (48, 48) or not (64 < row < 156 and 74 < col < 176):
            continue
        with Image.open(drawn.path.parent / name) as picture:
            close = np.asarray(picture.convert("RGB"), float)[20:260, :240].mean(axis=2)
        shown = close.reshape(48, 5, 48, 5).mean(axis=(1, 3))
        ring = np.ones((48, 48), bool)
        ring[14:34, 14:34] = False
        assert np.corrcoef(shown[ring], real[ring])[0, 1] > 0.98
        compared += 1
    assert compared


def test_chips_heed_a_nodata_value_that_was_given(tmp_path):
    """Without it what stands there makes all else dark."""
    ground, grey = drawn_pair(), []
    for value, options in ((None, {}), (255, {"nodata": "255"})):
        folder = tmp_path / str(value)
        folder.mkdir()
        dates = [np.minimum(date // 8, 254) for date in ground]
        for date in dates:
            date[:, :, :100] = value or 0
        declared = {"nodata": 0} if value is None else {}
        pair = [
            write(folder / name, date, **declared)
            for name, date in zip(("a.tif", "b.tif"), dates, strict=True)
        ]
        how = ChangeOptions(method="cva", threads=1, **options)
        found = detect_change(*pair, folder / "res", how)
        drawn = draw_sample(found.folder, folder / "p.gpkg", SampleOptions(n=6))
        frame = pyogrio.read_dataframe(drawn.path, layer="samples")
        name = frame[frame["col"] > 160]["chip"].iloc[0]
        with Image.open(drawn.path.parent / name) as picture:
            close = np.asarray(picture.convert("L"), float)[20:260, :240]
        grey.append(np.median(close))
    assert grey[1] == pytest.approx(grey[0], abs=25)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_pictures_without_coordinates(tmp_path):
    before, after = drawn_pair()
    pair = [
        write(tmp_path / name, values, crs=None, driver="PNG")
        for name, values in (("a.png", before), ("b.png", after))
    ]
    options = ChangeOptions(method="cva", threads=1)
    result = detect_change(*pair, tmp_path / "res", options)
    drawn = draw_sample(result.folder, None, SampleOptions(n=12))
    assert drawn.chips is not None
    decided = result.read("change")["change"]
    answer(drawn.path, lambda row, col: "changed" if decided[row, col] else "no_change")
    found = assess_sample(drawn.path, tmp_path / "as").to_dict()
    assert found["unit"] == "px"
    assert found["classes"][0]["area"]["value"] == pytest.approx((decided == 1).sum())
    frame = gpd.read_file(drawn.path, layer="samples")
    assert frame.crs is None
    # downwards, as QGIS draws pictures
    assert np.allclose(frame.geometry.y, -(frame["row"] + 0.5))


def test_without_inputs_there_is_a_sample_and_a_note(tmp_path):
    drawn = draw_sample(folder_of(tmp_path / "res"), None, SampleOptions(n=20))
    assert drawn.chips is None
    assert any("no chips" in note for note in drawn.notes)
    names = sorted(path.name for path in drawn.path.parent.iterdir())
    assert names == ["change.tif", "samples.gpkg"]


# --- what the answers say


def test_a_map_that_is_right(sample, tmp_path):
    found = assess_sample(sample.path, tmp_path / "as")
    values = found.to_dict()
    assert values["overall_accuracy"]["value"] == pytest.approx(1.0)
    changed = values["classes"][0]
    assert changed["class"] == "changed"
    assert changed["area"]["value"] == pytest.approx(changed["mapped_area"])
    assert changed["area"]["standard_error"] == 0.0
    assert json.loads(found.paths["record"].read_text()) == values


def test_areas_by_hand(sample, tmp_path):
    # of each stratum every fourth answer says the opposite of the map
    frame = pyogrio.read_dataframe(sample.path, layer="samples")
    counts = {}
    for stratum, rows in frame.groupby("stratum"):
        other = "changed" if stratum == "no_change" else "no_change"
        frame.loc[rows.index[::4], "reference"] = other
        counts[stratum] = (len(rows), len(rows.index[::4]))
    pyogrio.write_dataframe(frame, sample.path, layer="samples", driver="GPKG")
    found = assess_sample(sample.path, tmp_path / "as")
    areas = dict(
        zip(
            [one.name for one in sample.design.strata], sample.design.areas, strict=True
        )
    )
    n_same, wrong_same = counts["no_change"]
    n_changed, wrong_changed = counts["changed"]
    p, q = wrong_same / n_same, 1 - wrong_changed / n_changed
    by_hand = areas["no_change"] * p + areas["changed"] * q
    error = np.sqrt(
        areas["no_change"] ** 2 * p * (1 - p) / (n_same - 1)
        + areas["changed"] ** 2 * q * (1 - q) / (n_changed - 1)
    )
    area = found.to_dict()["classes"][0]["area"]
    assert area["value"] == pytest.approx(by_hand)
    assert area["standard_error"] == pytest.approx(error)
    with found.paths["table"].open() as file:
        row = next(csv.DictReader(file))
    assert float(row["area_ha"]) == pytest.approx(by_hand / 1e4, rel=1e-6)
    assert float(row["users_accuracy"]) == pytest.approx(q, rel=1e-6)
    page = found.paths["page"].read_text()
    assert "http://" not in page
    assert "<script" not in page


def test_buffer_takes_the_general_estimator(tmp_path):
    how = SampleOptions(n=80, buffer=2, chips=False)
    drawn = draw_sample(folder_of(tmp_path / "res"), None, how)
    assert {one.name: one.map_class for one in drawn.design.strata} == {
        "no_change": "no_change",
        "changed": "changed",
        "buffer": "no_change",
    }
    answer(drawn.path, as_mapped)
    found = assess_sample(drawn.path, tmp_path / "as")
    assert found.corrected
    assert found.classes == ("changed", "no_change")
    assert found.to_dict()["estimator"] == "Stehman 2014"
    mapped = found.to_dict()["classes"][0]["mapped_area"]
    assert mapped == pytest.approx((decision() == 1).sum() * 100, rel=2e-3)


def test_answers_may_be_labels_in_any_case(sample, tmp_path):
    edited(
        sample.path,
        "UPDATE samples SET reference = ' No Change ' WHERE reference = 'no_change'",
    )
    found = assess_sample(sample.path, tmp_path / "as")
    assert found.to_dict()["overall_accuracy"]["value"] == pytest.approx(1.0)


def test_answers_of_another_file(sample, tmp_path):
    # as AcATaMa saves them: ID and Label, in an order of its own
    frame = pyogrio.read_dataframe(sample.path, layer="samples")
    edited(sample.path, "UPDATE samples SET reference = NULL")
    other = gpd.GeoDataFrame(
        {"ID": frame["id"], "Label": frame["reference"].str.replace("_", " ")},
        geometry=frame.geometry,
        crs=frame.crs,
    )[::-1]
    pyogrio.write_dataframe(other, tmp_path / "acatama.gpkg")
    how = AssessOptions(answers=str(tmp_path / "acatama.gpkg"))
    found = assess_sample(sample.path, tmp_path / "as", how)
    assert found.to_dict()["overall_accuracy"]["value"] == pytest.approx(1.0)


def test_many_answers_of_another_file_are_read_at_once(tmp_path):
    lines = [f"{number},forest" for number in range(1, 60_001)]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["id,label", *lines]), encoding="utf-8")
    begun = time.process_time()
    found = _other_answers(path, [*range(60_001, 0, -1)])
    assert found == ["", *["forest"] * 60_000]
    assert time.process_time() - begun < 10  # each against each took minutes


# --- what is refused, and how


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (",changed", "'answers.csv' has none in the column 'ID'"),
        ("x7,changed\n,changed", "'answers.csv' has '', 'x7' in the column 'ID'"),
        ("1.5,changed", "'answers.csv' has '1.5' in"),
        ("999,changed", "has 999 as well"),
        ("1,changed\n1.0,no_change", "1 more than once"),
        ("1,3", "found '3'"),
    ],
    ids=["empty", "letters", "broken", "not drawn", "doubled", "numbers"],
)
def test_answers_of_another_file_that_cannot_be(sample, tmp_path, rows, says):
    path = tmp_path / "answers.csv"
    path.write_text(f"ID,Label\n{rows}\n", encoding="utf-8")
    command = ["assess", str(sample.path), "--answers", str(path)]
    run = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "as")])
    assert run.exit_code == 1
    assert len(run.stderr.strip().splitlines()) == 1
    assert says in run.stderr


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE samples SET reference = NULL WHERE id < 4", "3 of 40 samples have no"),
        ("UPDATE samples SET reference = '' WHERE id = 7", "1 of 40 samples have no"),
        ("UPDATE samples SET reference = 'forst' WHERE id = 3", "found 'forst'"),
        ("DELETE FROM samples WHERE id IN (5, 6)", "2 of 40 samples were deleted"),
        ("UPDATE samples SET id = 2 WHERE id = 3", "2 more than once"),
        ("UPDATE samples SET id = NULL WHERE id = 3", "has none in the column 'id'"),
        ("UPDATE samples SET row = NULL WHERE id = 3", "3 was moved off it"),
        ("UPDATE samples SET stratum = 'x' WHERE id = 1", "found x"),
        (
            "UPDATE samples SET stratum = 'changed'",
            "samples of 'changed' were drawn; found",
        ),
    ],
    ids=[
        "unanswered",
        "empty",
        "unknown",
        "deleted",
        "doubled",
        "no id",
        "no row",
        "stratum",
        "another stratum",
    ],
)
def test_answers_that_are_not_in_order(sample, tmp_path, statement, says):
    edited(sample.path, statement)
    with pytest.raises(SampleError, match=says):
        assess_sample(sample.path, tmp_path / "as")
    assert not (tmp_path / "as").exists()


def test_a_class_that_no_answer_names_is_warned_of(sample, tmp_path):
    edited(sample.path, "UPDATE samples SET reference = 'no change'")
    found = assess_sample(sample.path, tmp_path / "as")
    assert any("'changed'" in note and "too narrow" in note for note in found.notes)


def test_samples_in_another_coordinate_system(sample, tmp_path):
    frame = pyogrio.read_dataframe(sample.path, layer="samples").to_crs(4326)
    pyogrio.write_dataframe(frame, sample.path, layer="samples", driver="GPKG")
    with pytest.raises(SampleError, match="another coordinate reference system"):
        assess_sample(sample.path, tmp_path / "as")


def test_moved_points(sample, tmp_path):
    frame = pyogrio.read_dataframe(sample.path, layer="samples")
    moved = frame.geometry.copy()
    moved.iloc[[3, 8]] = moved.iloc[[3, 8]].translate(xoff=12.0)
    pyogrio.write_dataframe(
        frame.set_geometry(moved), sample.path, layer="samples", driver="GPKG"
    )
    with pytest.raises(SampleError, match=r"4, 9 were moved off it, by up to 1 px"):
        assess_sample(sample.path, tmp_path / "as")
    # within its pixel a point may lie anywhere
    frame = frame.set_geometry(frame.geometry.translate(xoff=3.0))
    pyogrio.write_dataframe(frame, sample.path, layer="samples", driver="GPKG")
    assess_sample(sample.path, tmp_path / "as")


def test_partial_answers_are_left_out(sample, tmp_path):
    edited(sample.path, "UPDATE samples SET reference = NULL WHERE id <= 5")
    found = assess_sample(sample.path, tmp_path / "as", AssessOptions(partial=True))
    assert found.counts.sum() == 35
    assert "5 of 40 samples have no answer" in found.notes[0]
    edited(sample.path, "UPDATE samples SET reference = NULL WHERE stratum = 'changed'")
    with pytest.raises(SampleError, match="'changed' has 0"):
        assess_sample(sample.path, tmp_path / "as2", AssessOptions(partial=True))


def test_answers_are_never_replaced(sample):
    folder = sample.path.parent
    with pytest.raises(OutputError, match="40 answers already and is never replaced"):
        draw_sample(folder, None, SampleOptions(n=40, chips=False, overwrite=True))
    edited(sample.path, "UPDATE samples SET reference = NULL")
    with pytest.raises(OutputError, match="--overwrite"):
        draw_sample(folder, None, NO_CHIPS)
    draw_sample(folder, None, SampleOptions(n=30, chips=False, overwrite=True))
    assert len(gpd.read_file(sample.path, layer="samples")) == 30


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n": 1}, "--n wants at least 4"),
        ({"strata": "colour"}, "--strata wants one of change, class"),
        ({"target_se": 1.5}, "--target-se"),
        ({"expected": (("changed", 1.2),)}, "--expect wants an accuracy"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(OptionError, match=says):
        SampleOptions(**options)


def test_folders_that_are_no_result(tmp_path):
    with pytest.raises(OutputError, match="holds no result"):
        draw_sample(tmp_path, None, NO_CHIPS)
    result = folder_of(tmp_path / "res", classes={"changed": (10, 10, 30, 22)})
    with pytest.raises(OptionError, match="has none; run geosim change with --theme"):
        draw_sample(result, None, SampleOptions(strata="class", chips=False))
    how = SampleOptions(expected=(("forest", 0.5),), chips=False)
    with pytest.raises(OptionError, match="--expect wants one of no_change, changed"):
        draw_sample(result, None, how)
    with pytest.raises(OutputError, match=r"ends in \.gpkg"):
        draw_sample(result, tmp_path / "points.shp", NO_CHIPS)
    with pytest.raises(RasterReadError, match="no such file"):
        assess_sample(tmp_path / "none.gpkg", tmp_path / "as")
    with pytest.raises(RasterReadError, match="is no sample"):
        assess_sample(result / "changes.gpkg", tmp_path / "as")
    assert sorted(path.name for path in result.iterdir()) == [
        "change.tif",
        "changes.gpkg",
    ]


def test_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "res")
    run = CliRunner()
    told = run.invoke(app, ["sample", "res", "--n", "40", "--no-chips", "--json"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["n"] == 40
    told = run.invoke(app, ["assess", "res/samples.gpkg"])
    assert told.exit_code == 1
    assert "40 of 40 samples have no answer" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    answer(Path("res/samples.gpkg"), as_mapped)
    told = run.invoke(app, ["assess", "res/samples.gpkg"])
    assert told.exit_code == 0
    assert "overall 1.000" in told.stdout
    assert sorted(path.name for path in Path("assessment_samples").iterdir()) == [
        "assessment.csv",
        "assessment.html",
        "assessment.json",
    ]
    told = run.invoke(app, ["assess", "res/samples.gpkg"])
    assert told.exit_code == 1
    assert "--overwrite" in told.stderr


def test_expectations_are_read_or_refused():
    assert _expected("changed=0.8") == ("changed", 0.8)
    with pytest.raises(OptionError, match=r"such as changed=0\.7; found 'changed'"):
        _expected("changed")


# --- QGIS


@pytest.mark.qgis
def test_qgis_asks_for_answers_from_a_list(sample_result, tmp_path):
    if not shutil.which("qgis_process"):
        pytest.skip("no QGIS here")
    drawn = draw_sample(sample_result.folder, tmp_path / "s.gpkg", SampleOptions(n=8))
    asked = subprocess.run(
        [
            "/usr/bin/python3",
            str(Path(__file__).with_name("qgis_sample.py")),
            str(drawn.path),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "QT_QPA_PLATFORM": "offscreen"},
    )
    told = json.loads(asked.stdout)
    assert (told["valid"], told["styled"], told["committed"]) == (True, True, True)
    assert told["widgets"]["reference"] == "ValueMap"
    assert told["widgets"]["chip"] == "ExternalResource"
    assert told["widgets"]["map_class"] == "Hidden"
    assert told["list"] == [{"changed": "changed"}, {"no change": "no_change"}]
    assert told["chip_root"] == str(tmp_path)
    # what QGIS wrote is read back
    frame = pyogrio.read_dataframe(drawn.path, layer="samples")
    assert list(frame["reference"].dropna()) == ["changed"]
