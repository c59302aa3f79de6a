"""What `geosim models` tells of weights, against the files themselves."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geosim.cli import app
from geosim.errors import WeightsError
from geosim.image_options import CompareOptions
from geosim.images.names import MODEL_NAMES
from geosim.known_models import known_models, known_weights, weights_of_file
from geosim.options import ChangeOptions
from geosim.siamese.shipped import WEIGHTS
from geosim.train_options import TrainOptions


def call(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def test_checksums_are_those_of_the_files():
    found = {one.name: one for one in known_weights()}
    assert set(found) == {*WEIGHTS, "imagenet"}
    for name in WEIGHTS:
        content = Path(found[name].file).read_bytes()
        assert found[name].sha256 == hashlib.sha256(content).hexdigest()
        assert found[name].licence == "CC-BY-4.0"
        assert found[name].here
        assert "Oxford" in found[name].source


def test_defaults_are_those_of_the_options():
    default_of = {
        command: one.name for one in known_weights() for command in one.default_of
    }
    assert default_of["change"] == ChangeOptions().weights
    assert default_of["train"] == TrainOptions().weights
    assert CompareOptions().weights is None  # then the model's own
    assert [one.name for one in known_models()] == list(MODEL_NAMES)


def test_the_command_tells_all_or_a_file(tmp_path):
    told = call()
    assert told.exit_code == 0
    for text in ("geosim-small-1", "licence", "sha256", "default of", "mobilenet_v2"):
        assert text in told.stdout
    rows = json.loads(call("--json").stdout)
    assert [one["name"] for one in rows["models"]] == list(MODEL_NAMES)
    assert rows["weights"][0]["name"] == ChangeOptions().weights
    mine = tmp_path / "mine.safetensors"
    shutil.copy(known_weights()[0].file, mine)
    own = json.loads(call("--weights", mine, "--json").stdout)
    assert own["models"] == []
    assert own["weights"][0]["name"] == str(mine)
    assert own["weights"][0]["sha256"] == known_weights()[0].sha256
    assert call("-q").stdout == ""


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        weights_of_file(tmp_path / "text.safetensors")
    refused = call("--weights", tmp_path / "text.safetensors")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
