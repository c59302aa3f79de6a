"""The accuracy bench on small folders of each form that it reads."""

import json
import shutil

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasters import CHANGED, NORTH_UP, drawn_pair, write
from sklearn.metrics import average_precision_score, f1_score

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.measure import FIGURES, gather, measure
from benchmarks.accuracy.methods import METHODS, OTB, Answer, Case, lacking, view
from benchmarks.accuracy.sets import find_sets, read_truth


@pytest.fixture
def data(tmp_path):
    """One set of each form: pictures, two scenes with label.tif, gt.tif, no change."""
    before, after = drawn_pair()
    truth = np.zeros((1, *before.shape[1:]), np.uint8)
    truth[:, *CHANGED] = 1
    folder = tmp_path / "data"
    pictures = {"A": before, "B": after, "label": truth * 255}
    for name, values in pictures.items():
        path = folder / "pictures" / "test" / name / "one.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.squeeze(np.moveaxis(values, 0, -1))).save(path)
        # what lies beside `test` is for training
        shutil.copytree(path.parent, folder / "pictures" / "train" / name)
    truth[:, :30] = 255
    six = [np.concatenate([date, date[::-1]]) for date in (before, after)]
    scenes = {"towns/a": "label", "towns/b": "label", "six": "gt"}
    for name, label in scenes.items():
        place = folder / name
        place.mkdir(parents=True)
        dates = six if name == "six" else (before, after)
        write(place / "t1.tif", dates[0])
        write(place / "t2.tif", dates[1])
        write(place / f"{label}.tif", truth)
    for date in ("t1", "t2"):
        place = folder / "my_no_change" / date
        place.mkdir(parents=True)
        write(place / "same.tif", before)
    return folder


def test_sets_that_are_found(data):
    found = {one.name: [pair.name for pair in one.pairs] for one in find_sets(data)}
    assert found == {
        "my_no_change": ["same"],
        "pictures": ["one"],
        "six": ["six"],
        "towns": ["a", "b"],
    }
    assert [one.name for one in find_sets(data) if one.no_change] == ["my_no_change"]


def test_published_parts_of_known_sets(tmp_path):
    for city in ("rio", "milano", "elsewhere"):
        (tmp_path / "oscd" / city).mkdir(parents=True)
        for name in ("t1.tif", "t2.tif", "label.tif"):
            (tmp_path / "oscd" / city / name).touch()
    for name in ("A", "B", "label"):
        (tmp_path / "sztaki" / name).mkdir(parents=True)
        (tmp_path / "sztaki" / name / "szada_1.png").touch()
    found = {one.name: one for one in find_sets(tmp_path)}
    assert list(found) == ["oscd, 3 cities", "oscd, 2 cities", "szada_1"]
    assert found["szada_1"].pairs[0].crop == (0, 0, 784, 448)


def test_label_says_where_nobody_looked(data):
    pair = next(one for one in find_sets(data) if one.name == "six").pairs[0]
    changed, labelled = read_truth(pair, (200, 240))
    assert not labelled[:30].any()
    assert labelled[30:].all()
    assert changed.sum() == 50 * 60


def test_bench_writes_table_figures_and_maps(data, tmp_path, capsys):
    table, figures = tmp_path / "table.md", tmp_path / "table.json"
    maps = tmp_path / "maps"
    arguments = [data, "--methods", "default,imagenet", "--sets", "pictures,my_no"]
    arguments += ["--markdown", table, "--json", figures, "--maps", maps]
    assert main(list(map(str, arguments))) == 0
    found = json.loads(figures.read_text())
    assert found["lacking"] == {"imagenet": "no weights given (--imagenet FILE)"}
    assert list(found["sets"]) == ["my_no_change", "pictures"]
    row = found["sets"]["pictures"]["pooled"]["default"]
    assert set(FIGURES) < set(row)
    assert row["best_f1"]["value"] > 0.5
    for figure in ("ap", "roc_area", "best_f1", "flagged"):
        assert row[figure]["low"] <= row[figure]["value"] <= row[figure]["high"]
    same = found["sets"]["my_no_change"]["pooled"]["default"]
    assert same["flagged"]["value"] == 0
    assert same["ap"]["value"] is None
    assert table.read_text() in capsys.readouterr().out
    assert "| pictures | 6.2 | default | " in table.read_text()
    pictures = sorted(path.name for path in maps.iterdir())
    assert pictures == ["my_no_change_same.png", "pictures_one.png"]


def test_scenes_are_pooled_and_unlabelled_pixels_left_out(data, tmp_path, capsys):
    figures = tmp_path / "table.json"
    arguments = ["--methods", "cva", "--sets", "towns,six", "--json", str(figures)]
    assert main([str(data), *arguments]) == 0
    found = json.loads(figures.read_text())["sets"]
    # 30 of 200 rows are not labelled; the two towns are the same
    assert found["six"]["pooled"]["cva"]["pixels"] == 170 * 240
    assert found["towns"]["pooled"]["cva"]["pixels"] == 2 * 170 * 240
    one = found["towns"]["scenes"]["a"]["cva"]["ap"]["value"]
    assert found["towns"]["pooled"]["cva"]["ap"]["value"] == one > 0.5
    assert "Per scene, cva:" in capsys.readouterr().out


def test_measures_are_those_of_the_pooled_pixels():
    rng = np.random.default_rng(2)
    scenes, scores, decisions, truths = [], [], [], []
    for size in ((130, 70), (64, 90)):
        truth = rng.random(size) < 0.1
        score = rng.integers(0, 40_000, size) + 20_000 * truth
        labelled = rng.random(size) < 0.9
        answer = Answer(
            levels=score.astype(np.uint16),
            decided=score > 45_000,
            valid=np.ones(size, bool),
        )
        scenes.append(gather({"any": answer}, truth, labelled))
        scores.append(score[labelled])
        decisions.append(answer.decided[labelled])
        truths.append(truth[labelled])
    score, decided, truth = map(np.concatenate, (scores, decisions, truths))
    row = measure(scenes, "any", samples=50)
    assert row.pixels == truth.size
    assert row.changed == pytest.approx(truth.mean())
    assert row.figures["ap"].value == pytest.approx(
        average_precision_score(truth, score)
    )
    assert row.figures["f1"].value == pytest.approx(f1_score(truth, decided))
    assert row.figures["flagged"].value == pytest.approx(decided.mean())
    assert np.isnan(row.figures["calibration_error"].value)


def test_truth_follows_the_first_date_where_the_grids_differ(tmp_path):
    before, after = drawn_pair()
    first = write(tmp_path / "t1.tif", before)
    moved = NORTH_UP @ Affine.translation(16, 32)
    second = write(tmp_path / "t2.tif", after[:, 32:, 16:], transform=moved)
    case = Case(before=first, after=second, all_bands=False, scratch=tmp_path)
    seen = view(case)
    assert seen.offset == (16, 32)
    np.testing.assert_allclose(seen.before, before[:, 32:, 16:] / 255, atol=1e-6)


@pytest.mark.slow
def test_all_methods_answer(data, tmp_path):
    """But those that need what is not installed, or weights that are not ours."""
    figures = tmp_path / "table.json"
    # `tow` names the two scenes alone
    arguments = [str(data), "--sets", "tow", "--json", str(figures), "--threads", "1"]
    assert main(arguments) == 0
    row = json.loads(figures.read_text())["sets"]["towns"]["pooled"]
    assert list(row) == [name for name in METHODS if not lacking(name, None)]
    assert (shutil.which(OTB) is None) == ("otb_mad" not in row)
    for name in ("default", "low", "relu1_2", "cva"):
        assert row[name]["ap"]["value"] > 0.5, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "found none in"),
        (["data", "--sets", "moon"], "--sets wants parts of my_no_change, pictures"),
        (["data"], "found none (imagenet: no weights given"),
        (["data", "--imagenet", "data/six/t1.tif"], "--imagenet wants a safetensors"),
    ],
)
def test_refusals_take_one_line(data, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(data.parent)
    assert main([*arguments, "--methods", "imagenet"]) == 1
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("error: ")
    assert message in complaint


def test_label_of_another_size_is_refused(data, capsys):
    write(data / "six" / "gt.tif", np.zeros((1, 100, 100), np.uint8))
    assert main([str(data), "--sets", "six", "--methods", "cva"]) == 1
    assert "must have the 240 x 200 px of the first date" in capsys.readouterr().err
