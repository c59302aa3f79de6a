"""Methods and results against labels: forms of folders, figures, files, refusals."""

import csv
import json
import shutil

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.features import shapes
from rasters import CHANGED, NORTH_UP, UTM, drawn_pair, write
from shapely.geometry import shape
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    jaccard_score,
    roc_auc_score,
)
from typer.testing import CliRunner

from geosim import ChangeOptions, EvaluateOptions, detect_change, evaluate_methods
from geosim.assessing.labelled_sets import find_labelled, read_truth
from geosim.assessing.own_maps import own_answer
from geosim.cli import app
from geosim.errors import LabelError, OptionError
from geosim.raster.grid import Grid
from geosim.raster.scene import open_scene

SHAPE = (200, 240)
FAST = ChangeOptions(method="cva", threads=1)
QUICK = EvaluateOptions(methods=("cva",), samples=100)


def label(high=1):
    values = np.zeros(SHAPE, np.uint8)
    values[CHANGED] = high
    return values


def three_folders(path, high=255, names=("one",)):
    """A/ B/ label/ with pairs of the same contents."""
    before, after = drawn_pair()
    for part, values in (("A", before), ("B", after), ("label", label(high)[None])):
        (path / part).mkdir(parents=True)
        for name in names:
            write(path / part / f"{name}.png", values, crs=None, driver="PNG")
    return path


def scene(path, label_name="label.tif", values=None):
    """A folder with t1.tif, t2.tif and a label."""
    path.mkdir(parents=True)
    before, after = drawn_pair()
    write(path / "t1.tif", before)
    write(path / "t2.tif", after)
    if label_name:
        write(path / label_name, (label() if values is None else values)[None])
    return path


def polygons(values, transform=NORTH_UP):
    found = [shape(one) for one, value in shapes(values, transform=transform) if value]
    return gpd.GeoDataFrame(geometry=found, crs=UTM)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """CVA and a map of one's own on one pair."""
    folder = tmp_path_factory.mktemp("evaluated")
    data = three_folders(folder / "data")
    own = np.random.default_rng(5).random(SHAPE).astype(np.float32) * 0.6
    own[CHANGED] += 0.3
    (folder / "own").mkdir()
    write(folder / "own" / "one.tif", own[None], crs=None)
    how = EvaluateOptions(
        methods=("cva",), maps=(("mine", str(folder / "own")),), samples=200
    )
    return evaluate_methods(data, folder / "out", how, change=FAST), own


def test_own_map_as_scikit_learn_measures_it(evaluated):
    found, own = evaluated
    figures = found.sets[0].pooled["mine"].figures
    truth, decided = label().astype(bool).ravel(), own.ravel() >= 0.5
    score = np.rint(own.ravel().astype(np.float64) * 65534)
    wanted = {
        "f1": f1_score(truth, decided),
        "iou": jaccard_score(truth, decided),
        "kappa": cohen_kappa_score(truth, decided),
        "ap": average_precision_score(truth, score),
        "roc_area": roc_auc_score(truth, score),
    }
    for name, value in wanted.items():
        assert figures[name].value == pytest.approx(value), name
        assert figures[name].low <= value <= figures[name].high


def test_method_as_its_result_says(evaluated, tmp_path):
    found, _ = evaluated

    data = three_folders(tmp_path / "data")
    result = detect_change(
        data / "A" / "one.png", data / "B" / "one.png", tmp_path / "res", FAST
    )
    decided = result.read("change")["change"].ravel() == 1
    figures = found.sets[0].pooled["cva"].figures
    truth = label().astype(bool).ravel()
    assert figures["f1"].value == pytest.approx(f1_score(truth, decided))
    # the same against labels, as a finished result
    write(tmp_path / "truth.tif", label()[None], crs=None)
    how = EvaluateOptions(labels=str(tmp_path / "truth.tif"), samples=100)
    again = evaluate_methods(result.folder, tmp_path / "out", how)
    same = again.sets[0].pooled["result"].figures
    assert same["f1"].value == figures["f1"].value
    assert same["calibration_error"].value == figures["calibration_error"].value
    # and as results of somebody's own
    (tmp_path / "theirs").mkdir()
    shutil.copytree(result.folder, tmp_path / "theirs" / "one")
    how = EvaluateOptions(
        methods=(), maps=(("theirs", str(tmp_path / "theirs")),), samples=100
    )
    third = evaluate_methods(data, tmp_path / "out3", how)
    assert third.sets[0].pooled["theirs"].figures["f1"].value == figures["f1"].value


def test_files(evaluated):
    found, _ = evaluated
    names = sorted(path.name for path in found.folder.iterdir())
    assert names == [
        "curves_data.png",
        "evaluation.csv",
        "evaluation.html",
        "evaluation.json",
    ]
    assert json.loads(found.paths["record"].read_text()) == found.to_dict()
    with found.paths["table"].open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene"], row["method"]) for row in rows] == [
        ("all", "cva"),
        ("all", "mine"),
        ("one", "cva"),
        ("one", "mine"),
    ]
    pooled = found.sets[0].pooled["mine"].figures["ap"].value
    assert float(rows[1]["ap"]) == pytest.approx(pooled, rel=1e-5)
    page = found.paths["page"].read_text()
    assert "http://" not in page
    assert "<script" not in page
    steps = found.to_dict()["sets"][0]["reliability"]["mine"]
    assert sum(one["pixels"] for one in steps) == SHAPE[0] * SHAPE[1]


def test_sets_whose_names_look_alike_have_curves_of_their_own(tmp_path):
    data = tmp_path / "data"
    for name in ("a/b", "a_b", "a b", "a_b_2"):
        three_folders(data / name)
    found = evaluate_methods(data, tmp_path / "out", QUICK, change=FAST)
    names = [one["curves"] for one in found.to_dict()["sets"]]
    assert len(set(names)) == 4
    assert "curves_a_b.png" in names
    there = {path.name for path in found.folder.glob("curves_*.png")}
    assert there == set(names)


def test_a_second_run_wants_overwrite(evaluated, tmp_path):
    found, _ = evaluated
    data = found.folder.parent / "data"
    run = CliRunner()
    given = ["evaluate", str(data), "-o", str(found.folder), "--method", "cva"]
    refused = run.invoke(app, given)
    assert refused.exit_code == 1
    assert "--overwrite" in refused.stderr
    given[3] = str(tmp_path / "out")
    for more in ([], ["--overwrite"]):
        told = run.invoke(app, [*given, "--threads", "1", "--bootstrap", "100", *more])
        assert told.exit_code == 0, told.stderr
    assert "1 scene, 48,000 px" in told.stdout


# --- the forms in which labels come


def test_forms_of_folders(tmp_path):
    three_folders(tmp_path / "all" / "pictures", names=("one", "two"))
    scene(tmp_path / "all" / "scenes" / "north", "gt.tif")
    scene(tmp_path / "all" / "scenes" / "south")
    scene(tmp_path / "all" / "no_label", None)
    found = find_labelled(tmp_path / "all")
    assert [(one.name, [pair.name for pair in one.pairs]) for one in found] == [
        ("pictures", ["one", "two"]),
        ("scenes", ["north", "south"]),
    ]
    alone = find_labelled(tmp_path / "all" / "scenes" / "south")
    assert [(one.name, len(one.pairs)) for one in alone] == [("south", 1)]


@pytest.mark.parametrize(
    ("values", "answered"),
    [
        (label(1), 48_000),
        (label(255), 48_000),
        (np.where(label() == 1, 3, 0).astype(np.uint8), 48_000),
        (np.where(np.arange(240) < 40, 255, label()).astype(np.uint8), 40_000),
    ],
    ids=["0 and 1", "0 and 255", "classes", "partly"],
)
def test_values_of_labels(tmp_path, values, answered):
    folder = scene(tmp_path / "one", values=values)
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        changed, labelled = read_truth(folder / "label.tif", opened.grid)
    assert labelled.sum() == answered
    assert np.array_equal(changed, label().astype(bool) & labelled)


@pytest.mark.parametrize(
    ("values", "nodata", "answered"),
    [
        (label(255).astype(np.int16), -1, 48_000 - 200),
        (label(255), 127, 48_000 - 200),
        (label(), 0, 48_000),
        (label().astype(np.float32), np.nan, 48_000 - 200),
    ],
    ids=["0 and 255 of 16 bit", "0 and 255", "0 is an answer", "numbers with NaN"],
)
@pytest.mark.parametrize("place", ["on its pixels", "on finer ones"])
def test_nodata_of_labels(tmp_path, values, nodata, answered, place):
    folder = scene(tmp_path / "one", None)
    values = values.copy()
    if nodata != 0:
        values[:, 239] = nodata
    drawn, transform = values, NORTH_UP
    if place == "on finer ones":
        drawn = values.repeat(2, axis=0).repeat(2, axis=1)
        transform = NORTH_UP @ Affine.scale(0.5)
    write(folder / "truth.tif", drawn[None], transform=transform, nodata=nodata)
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        changed, labelled = read_truth(folder / "truth.tif", opened.grid)
    assert labelled.sum() == answered
    assert np.array_equal(changed, label().astype(bool) & labelled)


def test_no_answer_beside_classes_is_none_where_nothing_changed(tmp_path):
    three = np.where(label() == 1, 3, 0).astype(np.uint8)
    calm = np.where(np.arange(240) < 96, 255, np.zeros_like(three)).astype(np.uint8)
    scene(tmp_path / "set" / "some", values=three)
    scene(tmp_path / "set" / "none", values=calm)
    found = evaluate_methods(tmp_path / "set", tmp_path / "out", QUICK).sets[0]
    assert found.scenes["none"]["cva"].changed == 0.0
    assert found.scenes["none"]["cva"].pixels == 200 * 144


def test_polygons_are_labels(tmp_path):
    folder = scene(tmp_path / "one", None)
    frame = polygons(label()).to_crs(4326)
    pyogrio.write_dataframe(frame, folder / "label.geojson")
    found = find_labelled(folder)[0].pairs[0]
    with open_scene(str(found.before), str(found.after)) as opened:
        changed, labelled = read_truth(found.label, opened.grid)
    assert labelled.all()
    assert np.array_equal(changed, label().astype(bool))


def test_polygons_that_lie_elsewhere_are_refused(tmp_path):
    """Nothing would have changed; a file without polygons says just that."""
    folder = scene(tmp_path / "one", None)
    far = gpd.GeoDataFrame(geometry=[shapely.box(10, 10, 11, 11)], crs=4326)
    pyogrio.write_dataframe(far, folder / "label.geojson")
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        grid = opened.grid
    with pytest.raises(LabelError, match=r"no polygon of '.*' lies where the images"):
        read_truth(folder / "label.geojson", grid)
    around = shapely.box(*far.to_crs(grid.crs).total_bounds).union(
        shapely.box(*grid.bounds)
    )
    corners = gpd.GeoDataFrame(
        geometry=[
            shapely.Point(x, y).buffer(1) for x, y in around.envelope.exterior.coords
        ],
        crs=grid.crs,
    )
    pyogrio.write_dataframe(corners, folder / "wide.gpkg")
    changed, _ = read_truth(folder / "wide.gpkg", grid)
    assert not changed[10:-10, 10:-10].any()


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_a_picture_is_no_label(tmp_path, bands):
    folder = scene(tmp_path / "one", None)
    values = np.random.default_rng(0).integers(0, 200, (bands, 200, 240))
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        grid = opened.grid
    shape = (grid.height, grid.width)
    values = values[:, : shape[0], : shape[1]].astype(np.uint8)
    write(folder / "truth.tif", values, photometric="minisblack")
    with pytest.raises(LabelError, match=f"has {bands} that differ"):
        read_truth(folder / "truth.tif", grid)
    same = np.repeat(label()[None], bands, axis=0)
    write(folder / "truth.tif", same, photometric="minisblack")
    assert np.array_equal(read_truth(folder / "truth.tif", grid)[0], label() > 0)


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_a_label_of_any_number_of_bands_that_lies_elsewhere(tmp_path, bands):
    folder = scene(tmp_path / "one", None)
    same = np.repeat(label()[None], bands, axis=0)
    write(folder / "truth.tif", same, photometric="minisblack", crs="EPSG:32632")
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        grid = opened.grid
    with pytest.raises(LabelError, match="does not lie where the images are"):
        read_truth(folder / "truth.tif", grid)


def test_label_on_another_grid(tmp_path):
    folder = scene(tmp_path / "one", None)
    # twice as coarse, and only the western half
    coarse = label()[::2, ::2][:, :60]
    write(
        folder / "truth.tif",
        coarse[None],
        transform=NORTH_UP @ Affine.scale(2),
    )
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        changed, labelled = read_truth(folder / "truth.tif", opened.grid)
    assert labelled[:, :120].all()
    assert not labelled[:, 120:].any()
    assert np.array_equal(changed[:, :120], label().astype(bool)[:, :120])


@pytest.mark.parametrize("scale", [1, 2], ids=["on its pixels", "on finer ones"])
def test_what_255_means_is_told_of_the_whole_label(tmp_path, scale):
    """No answer beside 0 and 1, also in a part that holds no 1."""
    folder = scene(tmp_path / "one", None)
    values = np.where(np.arange(240) >= 200, 255, label()).astype(np.uint8)
    finer = values.repeat(scale, axis=0).repeat(scale, axis=1)
    transform = NORTH_UP @ Affine.scale(1 / scale)
    write(folder / "truth.tif", finer[None], transform=transform)
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        whole = opened.grid
    east = Grid(
        crs=whole.crs,
        transform=whole.transform @ Affine.translation(150, 0),
        width=90,
        height=whole.height,
    )
    changed, labelled = read_truth(folder / "truth.tif", east, whole)
    assert not changed.any()
    assert labelled[:, :50].all()
    assert not labelled[:, 50:].any()


def test_options_of_the_run_hold_for_its_score_too(tmp_path):
    """A collar of 0 left out by hand, or because the files say so."""
    before, after = drawn_pair()
    before, after = np.maximum(before, 1), np.maximum(after, 1)
    before[:, :, :60] = after[:, :, 30:50] = 0
    found = []
    for name, nodata in (("told", None), ("known", 0)):
        folder = tmp_path / name / "one"
        folder.mkdir(parents=True)
        write(folder / "t1.tif", before, nodata=nodata)
        write(folder / "t2.tif", after, nodata=nodata)
        write(folder / "label.tif", label()[None])
        made = evaluate_methods(
            tmp_path / name,
            tmp_path / f"{name}_out",
            QUICK,
            change=ChangeOptions(nodata="0" if nodata is None else None, threads=1),
        )
        found.append(made.sets[0].pooled["cva"])
    assert found[0].figures["ap"] == found[1].figures["ap"]
    assert found[0].pixels == found[1].pixels == 200 * 180


def test_the_same_numbers_in_another_crs_are_another_place(tmp_path):
    folder = scene(tmp_path / "one", None)
    write(folder / "truth.tif", label()[None], crs="EPSG:32632")
    with open_scene(str(folder / "t1.tif"), str(folder / "t2.tif")) as opened:
        grid = opened.grid
    with pytest.raises(LabelError, match=r"truth.tif' does not lie where the images"):
        read_truth(folder / "truth.tif", grid)
    (folder / "truth.tif").rename(folder / "one.tif")
    with pytest.raises(LabelError, match=r"one.tif' does not lie where the images"):
        own_answer(folder, "one", grid, 0.5)


# --- what is refused


def test_labels_that_are_not_in_order(tmp_path):
    with pytest.raises(LabelError, match="found none in"):
        evaluate_methods(tmp_path, tmp_path / "out", QUICK)
    data = three_folders(tmp_path / "data")
    (data / "label" / "one.png").rename(data / "label" / "two.png")
    with pytest.raises(LabelError, match="has no file for 'one'"):
        evaluate_methods(data, tmp_path / "out", QUICK)
    small = scene(tmp_path / "small", None)
    write(small / "label.tif", label()[None, :100], crs=None)
    with pytest.raises(LabelError, match=r"pair 'small'.*240 x 100 px"):
        evaluate_methods(small, tmp_path / "out", QUICK, change=FAST)
    assert not (tmp_path / "out").exists()


def test_maps_that_are_not_in_order(tmp_path):
    data = three_folders(tmp_path / "data")
    own = tmp_path / "own"
    own.mkdir()
    how = EvaluateOptions(methods=(), maps=(("mine", str(own)),), samples=100)
    with pytest.raises(LabelError, match="wants a map of 'one'"):
        evaluate_methods(data, tmp_path / "out", how)
    write(own / "one.tif", np.full((1, *SHAPE), 3.0, np.float32), crs=None)
    with pytest.raises(LabelError, match=r"wants probabilities 0..1.*found 3 to 3"):
        evaluate_methods(data, tmp_path / "out", how)
    write(own / "one.tif", label()[None, :9], crs=None)
    with pytest.raises(LabelError, match="240 x 9 px"):
        evaluate_methods(data, tmp_path / "out", how)


def test_eight_bit_maps_are_read_by_their_scale(tmp_path):
    data = three_folders(tmp_path / "data")
    found = []
    for number, (values, scale) in enumerate(
        ((label(1), 1), (label(255), 1), (label(254), 1 / 254))
    ):
        own = tmp_path / f"own{number}"
        own.mkdir()
        path = write(own / "one.tif", values[None], crs=None)
        with rasterio.open(path, "r+") as file:
            file.scales = (scale,)
        how = EvaluateOptions(methods=(), maps=(("m", str(own)),), samples=100)
        out = evaluate_methods(data, tmp_path / f"out{number}", how)
        found.append(out.sets[0].pooled["m"].figures["f1"].value)
    assert found == [1.0, 1.0, 1.0]


def test_eight_bit_maps_of_a_folder_have_one_scale(tmp_path):
    """The levels of a calm scene are as those of the others."""
    levels = {"one": label(250), "two": np.minimum(label(), 1)}
    own = tmp_path / "own"
    own.mkdir()
    for name, values in levels.items():
        scene(tmp_path / "data" / name, values=label())
        write(own / f"{name}.tif", values[None], crs=None)
    how = EvaluateOptions(methods=(), maps=(("m", str(own)),), samples=100)
    found = evaluate_methods(tmp_path / "data", tmp_path / "out", how).sets[0].scenes
    assert found["one"]["m"].figures["f1"].value == 1.0
    assert found["two"]["m"].figures["flagged"].value == 0.0


@pytest.mark.parametrize("cut", [{"resolution": 2.0}, {"grid": "elsewhere.tif"}])
def test_results_on_other_pixels_are_refused(tmp_path, cut):
    folder = scene(tmp_path / "data" / "one", values=label())
    if "grid" in cut:
        cut = {"grid": str(tmp_path / cut["grid"])}
        moved = NORTH_UP @ Affine.translation(-40.5, 0.5)
        write(cut["grid"], drawn_pair()[0], transform=moved)
    files = folder / "t1.tif", folder / "t2.tif"
    options = ChangeOptions(method="cva", threads=1, **cut)
    detect_change(*files, tmp_path / "maps" / "one", options)
    how = EvaluateOptions(methods=(), maps=(("m", str(tmp_path / "maps")),))
    with pytest.raises(LabelError, match="not those of the pair, 240 x 200 px"):
        evaluate_methods(tmp_path / "data", tmp_path / "out", how)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"methods": ("mad",)}, "found 'mad'"),
        ({"methods": ()}, "--method or --maps"),
        ({"maps": (("siamese", "x"),)}, "a name of its own"),
        ({"maps_threshold": 0.0}, "--maps-threshold"),
        ({"tolerance": -1.0}, "--tolerance"),
        ({"samples": 5}, "--bootstrap"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(OptionError, match=says):
        EvaluateOptions(**options)
