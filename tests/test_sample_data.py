"""The sample data: what the generator promises and what the committed files hold."""

import importlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

FOLDER = Path(__file__).parents[1] / "sample_data"
NAMES = ("1990.tif", "2020.tif", "truth.tif")
NODATA = 255


def make(out: Path, seed: int) -> Path:
    command = [sys.executable, str(FOLDER / "generate.py"), "--size", "256"]
    subprocess.run([*command, "--seed", str(seed), "--out", str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make(tmp_path_factory.mktemp("small"), seed=7)


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("camera")


def test_same_seed_gives_the_same_files(small, tmp_path):
    again = make(tmp_path, seed=7)
    for name in NAMES:
        assert (again / name).read_bytes() == (small / name).read_bytes()


def test_small_pictures_cover_the_same_ground(small):
    for name in NAMES:
        with rasterio.open(small / name) as made, rasterio.open(FOLDER / name) as kept:
            assert made.crs == kept.crs
            assert made.count == kept.count
            assert made.transform.a == pytest.approx(600 / 256)
            assert made.bounds == pytest.approx(kept.bounds, abs=12.25 * 600 / 256)


def test_small_truth_has_all_classes(small):
    with rasterio.open(small / "truth.tif") as file:
        assert set(np.unique(file.read(1))) == {*range(7), NODATA}


def test_shift_has_the_sign_of_the_convention(camera):
    noise = np.random.default_rng(1).standard_normal((3, 680, 680))
    ground = 0.2 + 0.5 * gaussian_filter(noise, (0, 3, 3))
    grid = camera.Grid(0, 0, 256, 256, 2.0)
    still = replace(camera.CAMERAS[2020], noise=0.0, falloff=0.0, shift=(0.0, 0.0))
    moved = replace(still, shift=(camera.SHIFT_ROWS, camera.SHIFT_COLS))
    before, after = (
        camera.expose(ground, 1.0, grid, one, np.random.default_rng(2)).mean(axis=0)
        for one in (still, moved)
    )
    back, _, _ = phase_cross_correlation(
        before, after, upsample_factor=50, normalization=None
    )
    assert -back == pytest.approx([camera.SHIFT_ROWS, camera.SHIFT_COLS], abs=0.05)


def test_committed_files_are_small():
    assert sum((FOLDER / name).stat().st_size for name in NAMES) < 4e6


@pytest.mark.parametrize(
    ("name", "width", "height", "year"),
    [("1990.tif", 1200, 1200, "1990"), ("2020.tif", 1194, 1190, "2020")],
)
def test_committed_pictures(name, width, height, year):
    with rasterio.open(FOLDER / name) as file:
        assert (file.width, file.height) == (width, height)
        assert file.crs.to_epsg() == 32633
        assert file.dtypes == ("uint8",) * 3
        assert file.res == (0.5, 0.5)
        wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert file.colorinterp == wanted
        assert file.tags()["TIFFTAG_DATETIME"].startswith(f"{year}:")


def test_committed_nodata_is_invalid():
    with rasterio.open(FOLDER / "1990.tif") as file:
        assert file.dataset_mask().all()
    with rasterio.open(FOLDER / "2020.tif") as file:
        valid = file.dataset_mask() > 0
        corner = valid[-1, 0]
        picture = file.read()
    assert not corner
    assert int((~valid).sum()) == 5734
    assert picture[:, valid].mean() > 60
    assert picture[:, ~valid].mean() < 5


def test_committed_truth_says_what_the_readme_says():
    with rasterio.open(FOLDER / "truth.tif") as file:
        truth, names = file.read(1), file.tags(1)
        assert file.nodata == NODATA
        with rasterio.open(FOLDER / "1990.tif") as before:
            assert (file.transform, file.shape) == (before.transform, before.shape)
    counted = truth[truth != NODATA]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{counted.size:,}".replace(",", " ") in readme
    rows = re.findall(r"\| (\d) \| ([a-z ]+) \| ([\d.]+) \| ([\d.]+) \|", readme)
    assert [int(code) for code, *_ in rows] == list(range(1, 7))
    for code, name, share, hectares in rows:
        pixels = int((counted == int(code)).sum())
        assert names[f"CLASS_{code}"] == name
        assert float(share) == pytest.approx(100 * pixels / counted.size, abs=0.006)
        assert float(hectares) == pytest.approx(pixels * 0.25 / 1e4, abs=0.006)
    assert 0.06 < (counted > 0).mean() < 0.13


def test_truth_leaves_out_what_2020_does_not_show():
    with rasterio.open(FOLDER / "truth.tif") as file:
        truth, place = file.read(1), file.transform
    with rasterio.open(FOLDER / "2020.tif") as after:
        seen = after.dataset_mask() > 0
        rows, cols = np.nonzero(truth != NODATA)
        x, y = place.c + (cols + 0.5) * place.a, place.f + (rows + 0.5) * place.e
        at_col = ((x - after.transform.c) / after.transform.a).astype(int)
        at_row = ((y - after.transform.f) / after.transform.e).astype(int)
    assert seen[at_row, at_col].mean() > 0.9999
