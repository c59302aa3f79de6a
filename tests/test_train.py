"""`geosim train` from a folder to a model that `geosim change` takes."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from processes import call
from rasters import listing
from test_labels import put

from geosim import ChangeOptions, TrainOptions, detect_change
from geosim.errors import LabelError, OptionError, ResultExistsError
from geosim.publish.card import model_card
from geosim.siamese.weights import load_weights

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.train import RANGE_CROPS, train_model  # noqa: E402


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return put(put(folder, "one"), "two")


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """A model of one step and one more; its progress, its lines."""
    seen, said = [], []
    result = train_model(
        pairs,
        tmp_path_factory.mktemp("model") / "mine.safetensors",
        TrainOptions(steps=1, threads=2),
        progress=lambda *what: seen.append(what),
        say=said.append,
    )
    return result, seen, said


def test_three_files_are_written_and_no_other(trained):
    result, _, _ = trained
    names = sorted(path.name for path in result.weights.parent.iterdir())
    assert names == ["mine.md", "mine.png", "mine.safetensors"]


def test_weights_carry_their_threshold_and_their_story(trained):
    result, _, _ = trained
    loaded = load_weights(result.weights)
    assert loaded.threshold == pytest.approx(result.record.threshold)
    assert 0 < loaded.threshold < 1
    assert loaded.record.sha256 == result.record.sha256
    assert loaded.record.trained_on == "labelled pairs: one, two"
    assert loaded.record.licence.startswith("CC-BY-4.0")


def test_card_tells_what_the_record_holds(trained):
    result, _, _ = trained
    card = result.card.read_text()
    record = result.record
    for text in (record.sha256, "geosim-vgg16-1", "| learned from | one, two |"):
        assert text in card
    assert f"| threshold (`--threshold auto`) | {record.threshold:.3f} |" in card
    assert "![Curves](mine.png)" in card
    assert record.changed_percent == pytest.approx(100 * 50 * 60 / (200 * 240))


def test_a_model_no_better_than_a_guess_is_told(trained):
    record = trained[0].record
    assert 0 < record.chance < 1
    good = dataclasses.replace(record, average_precision=0.5, chance=0.06)
    assert good.doubt is None
    assert "hardly finds" not in model_card(good, weights="w", curves="c")
    bad = dataclasses.replace(record, average_precision=0.11, chance=0.06)
    assert "held out is 0.110, that of a guess 0.060; look whether labels" in bad.doubt
    assert f"**{bad.doubt}**" in model_card(bad, weights="w", curves="c")
    assert "| 0.110 (a guess 0.060) |" in model_card(bad, weights="w", curves="c")


def test_curves_are_a_picture(trained):
    picture = np.array(Image.open(trained[0].curves))
    assert picture.ndim == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


def test_progress_and_looks_are_told(trained):
    _, seen, said = trained
    assert [stage for stage, *_ in seen if stage == "reading"] == ["reading"] * 3
    assert ("training", 1.0, 1) in seen
    assert ("refitting", 1.0, 1) in seen
    assert ("measuring", RANGE_CROPS, RANGE_CROPS) in seen
    assert len(said) == 1
    assert said[0].startswith("step 1: loss ")


def test_change_takes_the_model(trained, pairs, tmp_path):
    model = trained[0].weights
    options = ChangeOptions(weights=str(model))
    files = (pairs / part / "one.png" for part in "AB")
    result = detect_change(*files, tmp_path / "out", options)
    assert result.record.threshold.value == pytest.approx(trained[0].record.threshold)
    assert result.record.weights.name == "mine"
    assert "OpenVINO int8" in result.record.engine


def test_an_earlier_model_is_not_replaced_unasked(trained, pairs):
    model = trained[0].weights
    before = listing(model.parent)
    with pytest.raises(ResultExistsError, match="replace it with --overwrite"):
        train_model(pairs, model, TrainOptions(steps=1))
    assert listing(model.parent) == before


def test_leftovers_are_not_lost_unasked(pairs, tmp_path):
    (tmp_path / "mine.checkpoint").write_bytes(b"left")
    with pytest.raises(ResultExistsError, match="go on with --resume or begin anew"):
        train_model(pairs, tmp_path / "mine.safetensors", TrainOptions(steps=1))
    assert (tmp_path / "mine.checkpoint").read_bytes() == b"left"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: 'nowhere' wants the folders A (date 1), B (date 2)"),
        (["pairs", "-o", "m.pt"], "error: -o wants a file that ends with .safetensors"),
        (["pairs", "--resume"], "error: --resume wants the checkpoint"),
        (["pairs", "--steps", 0], "error: --steps wants at least 1; found 0"),
        (["pairs", "--validation", 1.5], "error: --validation wants a share between"),
        (["pairs", "--validation", "no"], "error: 'no' wants the folders A"),
        (["pairs", "--weights", "no"], "error: weights no cannot be read"),
    ],
)
def test_refused_in_one_line(commands, pairs, tmp_path, arguments, message):
    (tmp_path / "pairs").symlink_to(pairs)
    before = listing(tmp_path)
    code, stdout, stderr = commands(tmp_path, "train", *arguments)
    assert code == 1
    assert stderr.startswith(message)
    assert stderr.count("\n") == 1
    assert stdout == ""
    assert listing(tmp_path) == before


def test_without_torch_the_remedy_is_named(root, pairs, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    code = "import sys; sys.path.insert(0, '.'); from geosim.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(pairs)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert done.returncode == 1
    assert "pip install 'geosim[torch]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.5])
def test_shares_that_leave_nothing_are_refused(bad):
    with pytest.raises(OptionError, match="--validation wants a share"):
        TrainOptions(validation=bad)


def test_folder_of_its_own_for_validation_without_change_is_refused(pairs, tmp_path):
    other = put(tmp_path / "other", label=np.zeros((1, 200, 240), np.uint8))
    options = TrainOptions(steps=1, validation=str(other))
    with pytest.raises(LabelError, match="has a changed pixel"):
        train_model(pairs, tmp_path / "m.safetensors", options)


@pytest.mark.slow
def test_json_and_resume_by_the_command_line(pairs, tmp_path):
    done = call("train", pairs, "--steps", 2, "--json", "--no-refit", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["steps"] == 2
    assert record["refitted"] is False
    assert record["weights"] == "model.safetensors"
    assert record["options"]["refit"] is False


def test_kept_checkpoint_gives_the_blend_anew(pairs, tmp_path, monkeypatch):
    """Another score: the same parameters, another blend, and no step is made."""
    model = tmp_path / "mine.safetensors"
    options = TrainOptions(steps=1, threads=2, keep_checkpoint=True)
    train_model(pairs, model, options)
    first = load_weights(model).arrays
    assert (tmp_path / "mine.checkpoint").exists()
    weights = ((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0))
    monkeypatch.setattr("geosim.siamese.network.FIXED_TERM_WEIGHTS", weights)
    monkeypatch.delattr("geosim.siamese.supervised.Trainer.step")
    again = dataclasses.replace(options, resume=True, overwrite=True)
    train_model(pairs, model, again)
    second = load_weights(model).arrays
    other = {name for name in first if not np.array_equal(first[name], second[name])}
    assert "decoder.blend" in other <= {"decoder.blend", "decoder.threshold"}


def test_other_labels_or_another_share_do_not_go_on(pairs, tmp_path):
    """What was learned from must not become what it is judged by."""
    model = tmp_path / "mine.safetensors"
    options = TrainOptions(steps=1, threads=2, keep_checkpoint=True)
    own = tmp_path / "pairs"
    shutil.copytree(pairs, own)
    train_model(own, model, options)
    again = dataclasses.replace(options, resume=True, overwrite=True, steps=2)
    with pytest.raises(OptionError, match="labels or contents"):
        train_model(own, model, dataclasses.replace(again, validation=0.4))
    path = own / "label" / "one.png"
    labels = np.asarray(Image.open(path)).copy()
    rows, cols = np.nonzero(labels)
    labels[rows.min(), cols.min() :] = 0
    Image.fromarray(labels).save(path)
    with pytest.raises(OptionError, match="labels or contents"):
        train_model(own, model, again)
