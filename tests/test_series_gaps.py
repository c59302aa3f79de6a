"""`geosim series` where scenes show little, nothing, or cannot be used."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy import ndimage
from typer.testing import CliRunner

from geosim import ChangeOptions, SeriesOptions, detect_series
from geosim.cli import app
from geosim.errors import NoDataError, ResultExistsError
from geosim.timeline.areas import COLUMNS

FAST = ChangeOptions(method="cva", threshold=0.5, threads=1)
SIDE = 160


def scene(samples, folder, year, cols=(0, SIDE), blank=()):
    """Columns of a corner of a sample scene; what is blank is nodata."""
    with rasterio.open(samples / f"{year}.tif") as file:
        values = np.maximum(file.read(window=((0, SIDE), (150, 150 + SIDE))), 1)
        profile, names = file.profile, file.descriptions
    for first, end in blank:
        values[:, :, first:end] = 0
    values = values[:, :, slice(*cols)]
    size = {"width": values.shape[2], "height": SIDE, "nodata": 0}
    profile.update(**size, photometric="RGB", alpha="NO", tiled=False)
    for key in ("blockxsize", "blockysize"):
        profile.pop(key, None)
    profile["transform"] = profile["transform"] @ Affine.translation(150 + cols[0], 0)
    path = folder / f"{year}.tif"
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        file.descriptions = names
    return path


@pytest.fixture(scope="module")
def samples(root):
    return root / "sample_data" / "series"


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_what_the_next_grid_does_not_hold_is_told_too(samples, tmp_path):
    """The scene that gave the grid cannot be read; those left lie side by side."""
    wide = scene(samples, tmp_path, 1990)
    west = [scene(samples, tmp_path, year, (0, 70)) for year in (1995, 2005)]
    east = scene(samples, tmp_path, 2000, (80, SIDE))
    cut_short(wide)
    found = detect_series([wide, east, *west], tmp_path / "out", FAST).record
    assert [one["date"] for one in found["scenes"]] == ["1995", "2005"]
    assert sorted(one["date"] for one in found["left_out"]) == ["1990", "2000"]
    run = CliRunner().invoke(
        app, ["series", *map(str, (wide, west[0], east)), "-o", str(tmp_path / "none")]
    )
    assert run.exit_code == 1
    assert "wants at least two scenes" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "none").exists()


def test_a_scene_without_any_data_is_left_out(samples, tmp_path):
    paths = [scene(samples, tmp_path, year) for year in (1990, 2005)]
    empty = scene(samples, tmp_path, 2000, blank=[(0, SIDE)])
    found = detect_series([*paths, empty], tmp_path / "out", FAST).record
    assert [one["date"] for one in found["scenes"]] == ["1990", "2005"]
    (left,) = found["left_out"]
    assert left["date"] == "2000"
    assert "no pixel with data" in left["reason"]
    assert found["decision"]["by"] == "all dates together"


def test_a_scene_that_its_mask_takes_out_whole_is_left_out(samples, tmp_path):
    """One date without a pixel must not take the classes from all others."""
    paths = [scene(samples, tmp_path, year) for year in (1990, 2000, 2005)]
    mask = tmp_path / "cloud.tif"
    with rasterio.open(paths[1]) as file:
        profile = file.profile | {"count": 1, "photometric": "MINISBLACK"}
    with rasterio.open(mask, "w", **profile) as file:
        file.write(np.ones((1, SIDE, SIDE), np.uint8))
    (tmp_path / "scenes.csv").write_text(
        f"path,mask\n{paths[0]},\n{paths[1]},{mask}\n{paths[2]},\n"
    )
    found = detect_series(tmp_path / "scenes.csv", tmp_path / "out", FAST)
    (left,) = found.record["left_out"]
    assert left["date"] == "2000"
    assert f"that its mask '{mask}' leaves" in left["reason"]
    plain = detect_series([paths[0], paths[2]], tmp_path / "plain", FAST)
    assert found.areas.equals(plain.areas)
    assert "changed" not in set(found.changes["class"])


def test_rates_across_a_gap_are_of_what_is_compared(samples, tmp_path):
    """West of column 110 three dates, east of it two."""
    years, gap = (1990, 2000, 2020), {2000: [(110, SIDE)]}
    paths = [scene(samples, tmp_path, year, blank=gap.get(year, ())) for year in years]
    low = replace(FAST, threshold=0.2)
    table = detect_series(paths, tmp_path / "out", low).areas
    loss = table[table["class"] == "forest_loss"].set_index("period")
    bridged, whole = loss.loc["bridged"], loss.loc["whole"]
    assert (bridged.date_from, bridged.date_to) == (1990, 2020)
    assert bridged.area_ha > 5
    first = loss[(loss.date_from == 1990) & (loss.date_to == 2000)].iloc[0]
    for row in (first, bridged, whole):
        assert row.base == "forest at 1990, classified"
        assert row.percent_per_year == pytest.approx(
            100 * row.area_ha / row.base_ha / row.years
        )
    # hectares of 10 m: 50 columns of the east, 110 of the west
    assert 20 < bridged.base_ha < SIDE * 50 / 100
    assert first.base_ha + bridged.base_ha == pytest.approx(whole.base_ha)
    parts = table[table.period != "whole"].groupby("class").area_ha.sum()
    totals = table[table.period == "whole"].set_index("class").area_ha
    assert totals.to_dict() == pytest.approx(parts.to_dict())


def test_a_table_of_nothing_has_its_columns(samples, tmp_path):
    paths = [scene(samples, tmp_path, year) for year in (1990, 2005)]
    shutil.copy(paths[0], paths[1])
    found = detect_series(paths, tmp_path / "out", FAST)
    assert len(found.areas) == 0
    assert list(found.areas.columns) == list(COLUMNS)


def test_blocks_of_the_first_comparison_are_kept(samples, tmp_path, monkeypatch):
    paths = [scene(samples, tmp_path, year) for year in (1990, 2005)]

    def interrupted(*inputs):
        folder = inputs[2]
        inner = folder.parent / f".{folder.name}.partial"
        inner.mkdir()
        (inner / "scores.work").write_text("blocks")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("geosim.timeline.pairs.detect_change", interrupted)
        with pytest.raises(KeyboardInterrupt):
            detect_series(paths, tmp_path / "out", FAST)
    (kept,) = (tmp_path / ".out.partial" / "pairs").iterdir()
    assert (kept / "scores.work").exists()
    with pytest.raises(ResultExistsError, match=r"0 finished .* one that was begun"):
        detect_series(paths, tmp_path / "out", FAST)
    found = detect_series(paths, tmp_path / "out", replace(FAST, overwrite=True))
    assert len(found.changes)


def test_too_few_places_that_all_dates_show(samples, tmp_path):
    years = (1990, 1995, 2000, 2005)
    paths = [
        scene(samples, tmp_path, year, blank=[(40 * number, 40 * number + 40)])
        for number, year in enumerate(years)
    ]
    found = detect_series(paths, tmp_path / "out", FAST).record
    assert found["decision"]["by"] == "pairs"
    assert any("each comparison decided alone" in note for note in found["notes"])
    # every pixel was compared at least once
    assert found["areas"]["valid_m2"] == pytest.approx((SIDE * 10) ** 2, rel=0.01)
    with pytest.raises(NoDataError, match=r"--decide together wants places .* pairs"):
        detect_series(
            paths,
            tmp_path / "asked",
            FAST,
            series=SeriesOptions(decide="together"),
        )
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("name", ["mine.txt", "folder/mine.txt"])
def test_what_lies_in_the_folder_of_comparisons_is_not_lost(samples, tmp_path, name):
    paths = [scene(samples, tmp_path, year) for year in (1990, 2005)]
    own = tmp_path / "out" / "pairs" / name
    own.parent.mkdir(parents=True)
    own.write_text("precious")
    options = ChangeOptions(method="cva", threads=1, overwrite=True)
    with pytest.raises(ResultExistsError, match="is no comparison of a series"):
        detect_series(paths, tmp_path / "out", options)
    assert own.read_text() == "precious"
    shutil.rmtree(tmp_path / "out" / "pairs")
    detect_series(paths, tmp_path / "out", options)
    again = detect_series(paths, tmp_path / "out", options)
    (pair,) = (again.folder / "pairs").iterdir()
    assert (pair / "run.json").exists()


def test_a_name_that_is_not_utf_8(samples, tmp_path):
    for year in (1990, 2005):
        scene(samples, tmp_path, year)
    odd = os.fsencode(tmp_path) + b"/mask\xff.tif"
    shutil.copy(tmp_path / "1990.tif", odd)
    found = detect_series(tmp_path, tmp_path / "out", FAST).record
    assert len(found["scenes"]) == 2
    run = CliRunner().invoke(
        app, ["series", str(tmp_path / "1990.tif"), os.fsdecode(odd), "-o", "none"]
    )
    assert run.exit_code == 1
    assert "its name is not in UTF-8; rename it" in run.stderr


def test_what_no_later_date_shows_is_not_told_to_stay(samples, tmp_path):
    years = 1990, 1995, 2000, 2005
    paths = [scene(samples, tmp_path, year) for year in years]
    whole = detect_series(paths, tmp_path / "whole", FAST).changes
    assert whole.persistent[whole.year < 2005].notna().all()
    blank(paths[-1], slice(0, SIDE), slice(0, SIDE))
    blank(paths[-1], slice(0, 1), slice(0, SIDE), value=1)  # hardly any data
    found = detect_series(paths, tmp_path / "out", FAST).changes
    assert found.persistent[found.year == 1995].notna().all()
    assert (found.year == 2000).any()
    assert found.persistent[found.year == 2000].isna().all()


def blank(path, rows, cols, value=0):
    with rasterio.open(path, "r+") as file:
        values = file.read()
        values[:, rows, cols] = value
        file.write(values)


@pytest.mark.parametrize("first", [1995, 1990])
def test_dead_pixels_within_a_change(samples, tmp_path, first):
    """Too few to be compared with the date before their gap; or with any."""
    years = 1990, 1995, 2000, 2005
    paths = [scene(samples, tmp_path, year) for year in years]
    whole = detect_series(paths, tmp_path / "whole", FAST)
    with rasterio.open(whole.paths["first_change"]) as file:
        changed = ndimage.binary_erosion(file.read(1) == 2000, iterations=2)
    row, col = np.argwhere(changed)[len(np.argwhere(changed)) // 2]
    dead = slice(row - 1, row + 1), slice(col - 1, col + 1)
    for year, path in zip(years, paths, strict=True):
        if first <= year < 2000:
            blank(path, *dead)
    found = detect_series(paths, tmp_path / "spoilt", FAST)
    with rasterio.open(found.paths["first_change"]) as file:
        year = file.read(1)
    assert (year[dead] == 0).all()
    pixels = found.changes["area_px"].sum()
    assert pixels == found.record["areas"]["changed_px"] == (year > 0).sum()
    assert abs(pixels - whole.record["areas"]["changed_px"]) <= 4 + 2
