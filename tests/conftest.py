"""Fixtures and settings that all tests share."""

import os
import signal
from pathlib import Path

import pytest
import rasterio
from affine import Affine
from browsers import CHROMIUM
from commands import Commands
from hypothesis import HealthCheck, settings
from rasterio.windows import Window

from geosim import detect_change

ROOT = Path(__file__).parents[1]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# threads of torch sleep while they wait: where others compute too, those that spin
# take twice the time
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# a shell starts what it puts in the background deaf to Ctrl-C; children inherit it
signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = {
    *("test_train_pairs.py", "test_train.py", "test_series.py", "test_real.py"),
    *("test_decoder.py", "test_image_models.py", "test_bench_command.py"),
    *("test_qgis_processing.py", "test_qgis.py", "test_batch.py", "test_estimating.py"),
    *("test_invariance.py", "test_compare.py", "test_change.py", "test_sample.py"),
}
"""Files of few tests that take long: begun first, so that no process is left alone."""


def pytest_collection_modifyitems(items):
    """Put the long files first."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n` the tests of a file stay in one process: they share what they made."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":  # what `-n` alone means
        return None
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def root():
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def commands():
    """Runs `geosim` in processes of their own: `commands.Commands`."""
    made = Commands()
    yield made
    made.close()


@pytest.fixture(scope="session")
def real_data():
    """Folder of real rasters, which are not part of the project."""
    named = os.environ.get("GEOSIM_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real rasters in {folder}; set GEOSIM_TEST_DATA")
    return folder.resolve()


@pytest.fixture(scope="session")
def sample_pair():
    """Both dates of the sample data."""
    return ROOT / "sample_data" / "1990.tif", ROOT / "sample_data" / "2020.tif"


@pytest.fixture(scope="session")
def small_pair(sample_pair, tmp_path_factory):
    """A corner of the sample data, for what takes several runs."""
    folder = tmp_path_factory.mktemp("small")
    paths = []
    for path in sample_pair:
        with rasterio.open(path) as whole:
            # both dates show this place
            left, top = whole.transform.c, whole.transform.f
            window = Window((461300 - left) * 2, (top - 5412550) * 2, 300, 300)
            part = whole.read(window=window)
            profile = {
                "driver": "GTiff",
                "count": part.shape[0],
                "height": part.shape[1],
                "width": part.shape[2],
                "dtype": part.dtype,
                "crs": whole.crs,
                "transform": Affine(0.5, 0, 461300, 0, -0.5, 5412550),
            }
        with rasterio.open(folder / path.name, "w", **profile) as out:
            out.write(part)
        paths.append(folder / path.name)
    return tuple(paths)


@pytest.fixture(scope="session")
def sample_result(sample_pair, tmp_path_factory):
    """The network's result on the whole sample pair; read it, leave it as it is."""
    return detect_change(*sample_pair, tmp_path_factory.mktemp("sample") / "result")


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium; of a module, for while it runs no event loop can begin."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
