"""`geosim bench`: figures that fit together, nothing left behind."""

import json
import tempfile

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from geosim.bench import _record, draw_pair, measure
from geosim.cli import app
from geosim.errors import GeosimError
from geosim.options import ChangeOptions


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Temporary folders lie here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_drawn_pair(tmp_path):
    paths = draw_pair(tmp_path, 700, 2.5)
    with rasterio.open(paths[0]) as before, rasterio.open(paths[1]) as after:
        assert (before.width, before.height, before.count) == (700, 700, 3)
        assert before.res == (2.5, 2.5)
        difference = np.abs(before.read().astype(float) - after.read()).mean(axis=0)
    changed = (difference > 40).mean()
    assert 0.01 < changed < 0.1


@pytest.mark.parametrize(
    ("small", "speed"), [(1.0, (4 - 0.262144) / 3), (3.9, 1.0), (9.0, 1.0)]
)
def test_a_small_pair_that_takes_as_long_gives_no_speed_beyond_all(small, speed):
    run = {"engine": "", "weights": None, "method": "cva", "timings": {"scoring": 1}}
    large = {"seconds": 4.0, "peak": None, "record": run}
    found = _record({"seconds": small}, large, size=2000, resolution=10.0)
    assert found.mpix_per_second == pytest.approx(speed, abs=1e-4)


def test_figures_fit_together(temporary):
    command = ["bench", "--method", "cva", "--size", "1100", "--resolution", "20"]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    more = told["seconds"] - told["cold_start"]
    if more > 0.1 * told["cold_start"]:
        speed = (1100**2 - 512**2) / 1e6 / more
    else:  # other programs held up the small pair
        speed = 1.21 / told["seconds"]
    assert told["mpix_per_second"] == pytest.approx(speed, rel=0.01)
    assert told["km2_per_hour"] == pytest.approx(speed * 400 * 3600, rel=0.01)
    assert told["scoring_mpix_per_second"] == pytest.approx(
        1.21 / told["timings"]["scoring"], rel=0.01
    )
    assert told["peak_memory"] > 100
    assert (told["method"], told["engine"]) == ("cva", "numpy")
    assert told["weights"] is None
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["--size", "512"], "--size wants more than 512 pixels; found 512"),
        (["--resolution", "0"], "--resolution wants metres above 0; found 0"),
        (["--memory", "100"], "--memory wants at least 500 MB"),
        (["--threads", "x"], "--threads wants a number or 'all'"),
    ],
)
def test_refusals(temporary, command, said):
    done = CliRunner().invoke(app, ["bench", *command])
    assert done.exit_code == 1
    assert said in done.stderr
    assert list(temporary.iterdir()) == []


def test_what_the_comparison_refuses(temporary):
    options = ChangeOptions(method="cva", tile_size=100_000)
    with pytest.raises(GeosimError, match="--tile-size 100000 is larger"):
        measure(options, size=600)
    assert list(temporary.iterdir()) == []
