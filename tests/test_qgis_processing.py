"""The QGIS plugin in the real QGIS: algorithms, models, batch, cancel."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from geosim_processing.commands import CHANGE, COMMANDS
from processes import wait_for
from qgis_package import PLUGIN, executable, packed

PYTHON = "/usr/bin/python3"
# Debian's script passes an option that it does not know
QGIS_PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process") or ""
SCRIPT = Path(__file__).with_name("qgis_plugin_run.py")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def qgis(tmp_path_factory):
    """A fresh profile with the plugin installed from its zip; its environment."""
    home = tmp_path_factory.mktemp("profile")
    environment = {
        "PATH": "/usr/bin:/bin",  # QGIS takes the first python there for its own
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "QT_QPA_PLATFORM": "offscreen",
        "LC_ALL": "C.UTF-8",
        "GDAL_PAM_ENABLED": "NO",  # no files beside the sample data
        # what QGIS on other systems sets for itself would break another Python
        "GDAL_DATA": "/usr/share/gdal",
        "PROJ_LIB": "/usr/share/proj",
    }
    asked = subprocess.run(
        [PYTHON, "-c", "import qgis.core"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if asked.returncode or not QGIS_PROCESS:
        pytest.skip(f"no QGIS: {asked.stderr.strip().rpartition(chr(10))[2]}")
    plugins = home / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    plugins.mkdir(parents=True)
    with zipfile.ZipFile(packed(home)) as held:
        held.extractall(plugins)
    environment["GEOSIM_COMMAND"] = command_script(home)
    told = process(environment, "plugins", "enable", PLUGIN)
    assert "Enabled" in told
    return environment


def command_script(folder):
    """The command geosim of this checkout."""
    path = folder / "bin" / "geosim"
    executable(path)
    line = f"PYTHONPATH='{ROOT}' exec '{sys.executable}' '{ROOT}/cli.py' \"$@\""
    path.write_text(f"#!/bin/sh\n{line}\n")
    return str(path)


def process(environment, *arguments, code=0):
    """What `qgis_process` says."""
    done = subprocess.run(
        [QGIS_PROCESS, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def job(environment, folder, **content):
    """What the job's function of `qgis_plugin_run.py` tells."""
    path = folder / "job.json"
    path.write_text(json.dumps(content, default=str))
    home = Path(environment["HOME"])
    plugins = home / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    done = subprocess.run(
        [PYTHON, str(SCRIPT), str(plugins), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows_of(path, layer):
    """All that a layer holds, geometries included."""
    with sqlite3.connect(path) as file:
        return file.execute(f'select * from "{layer}"').fetchall()  # noqa: S608


def by_hand(environment, *arguments):
    """The command line, as a user types it."""
    command = environment["GEOSIM_COMMAND"]
    subprocess.run([command, *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.qgis
def test_qgis_process_lists_the_algorithms(qgis):
    told = process(qgis, "list")
    for command in COMMANDS:
        assert f"geosim:{command.name}\t{command.title}" in told
    told = process(qgis, "help", "geosim:change")
    for one in CHANGE.parameters:
        assert f"{one.name}: {one.label}" in told


@pytest.mark.qgis
def test_change_gives_what_the_command_line_gives(qgis, small_pair, tmp_path):
    before, after = small_pair
    told = process(
        *(qgis, "run", "geosim:change", "--", f"BEFORE={before}", f"AFTER={after}"),
        *("METHOD=cva", "MIN_AREA=100px", f"OUTPUT={tmp_path / 'q'}"),
    )
    assert "20...30" in told  # the progress
    by_hand(
        *(qgis, "change", before, after, "--method", "cva"),
        *("--min-area", "100px", "-o", tmp_path / "c"),
    )
    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert sorted(path.name for path in (tmp_path / "q").iterdir()) == names
    for name in ("change.tif", "difference.tif", "tiles.tif", "change.qml"):
        one, two = (tmp_path / folder / name for folder in "qc")
        assert one.read_bytes() == two.read_bytes(), name
    for layer in ("changes", "tiles", "layer_styles"):
        one, two = (rows_of(tmp_path / n / "changes.gpkg", layer) for n in "qc")
        assert layer == "layer_styles" or one == two
        assert len(one) == len(two) > 0
    assert f"CHANGES:\t{tmp_path}/q/changes.gpkg|layername=changes" in told
    count = len(rows_of(tmp_path / "q" / "changes.gpkg", "changes"))
    assert f"POLYGONS:\t{count}" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "q"]


@pytest.mark.slow
@pytest.mark.qgis
def test_compare_gives_what_the_command_line_gives(qgis, small_pair, tmp_path):
    first, second = small_pair
    told = process(
        *(qgis, "run", "geosim:compare", "--", f"FIRST={first}", f"SECOND={second}"),
        *("MODEL=ssim", "SIDE=256", f"OUTPUT={tmp_path / 'q'}"),
    )
    small = ("--model", "ssim", "--side", "256")
    by_hand(qgis, "compare", first, second, *small, "-o", tmp_path / "c")
    for name in ("heatmap.png", "overlay.png", "sheet.png"):
        one, two = (tmp_path / folder / name for folder in "qc")
        assert one.read_bytes() == two.read_bytes(), name
    record = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert f"SIMILARITY:\t{record['similarity']:g}" in told


@pytest.mark.qgis
def test_results_come_onto_the_map_styled(qgis, small_pair, tmp_path):
    before, after = small_pair
    told = job(
        *(qgis, tmp_path),
        do="load",
        algorithm="geosim:change",
        layers=[after],
        parameters={
            "BEFORE": before,
            "AFTER": after,
            "METHOD": "cva",
            "OUTPUT": "TEMPORARY_OUTPUT",
        },
    )
    found = [
        (one["layer"], one["group"], one["shown"], one["renderer"])
        for one in told["legend"]
    ]
    group = "geosim: change"
    assert found == [
        ("Changes", group, True, "categorizedSymbol"),
        ("Change", group, False, "paletted"),
        ("Difference", group, False, "singlebandpseudocolor"),
        ("Similarity of tiles", group, False, "singlebandpseudocolor"),
        ("2020", "", True, "multibandcolor"),
    ]
    assert all(one["valid"] for one in told["legend"])
    assert told["results"]["CHANGED_HA"] > 0


@pytest.mark.qgis
@pytest.mark.parametrize("resume", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_cancel_ends_the_process_and_leaves_nothing(
    qgis, sample_pair, tmp_path, resume
):
    before, after = sample_pair
    out = tmp_path / "out" / "r"
    told = job(
        *(qgis, tmp_path),
        do="plain",
        algorithm="geosim:change",
        percent=8,
        parameters={
            "BEFORE": before,
            "AFTER": after,
            "BLOCK_SIZE": 128,
            "RESUME": resume,
            "OUTPUT": out,
        },
    )
    assert told["results"] == {}
    assert told["took"] < 30
    assert 8 <= told["steps"][-1] < 85
    assert running_geosim(out) == []
    left = [path.name for path in out.parent.iterdir()]
    assert left == ([".r.partial"] if resume else [])


def running_geosim(out):
    """Processes that work for an output folder."""
    return [
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if str(out) in (one.info["cmdline"] or [])
    ]


@pytest.mark.slow
@pytest.mark.qgis
def test_a_killed_qgis_leaves_no_process(qgis, sample_pair, tmp_path):
    before, after = sample_pair
    out = tmp_path / "r"
    started = subprocess.Popen(
        [
            *(QGIS_PROCESS, "run", "geosim:change", "--", f"BEFORE={before}"),
            *(f"AFTER={after}", "BLOCK_SIZE=128", f"OUTPUT={out}"),
        ],
        env=qgis,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: running_geosim(out))
    time.sleep(1)
    started.kill()
    started.wait()
    wait_for(lambda: not running_geosim(out))
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.qgis
def test_a_model_with_the_algorithm_is_saved_read_and_run(qgis, small_pair, tmp_path):
    before, after = small_pair
    told = job(
        *(qgis, tmp_path),
        do="model",
        file=tmp_path / "sites.model3",
        parameters={
            "BEFORE": before,
            "AFTER": after,
            "change:folder": tmp_path / "r",
            "points:sites": "TEMPORARY_OUTPUT",
        },
    )
    count = len(rows_of(tmp_path / "r" / "changes.gpkg", "changes"))
    assert told["sites"] == count > 0
    assert "area_ha" in told["fields"]
    said = process(
        *(qgis, "run", tmp_path / "sites.model3", "--", f"BEFORE={before}"),
        *(f"AFTER={after}", f"change:folder={tmp_path / 'r2'}"),
        f"points:sites={tmp_path / 'sites.gpkg'}",
    )
    assert "sites.gpkg" in said
    assert len(rows_of(tmp_path / "sites.gpkg", "sites")) == count


@pytest.mark.slow
@pytest.mark.qgis
def test_rows_of_a_batch_run_one_after_another(qgis, small_pair, tmp_path):
    before, after = small_pair
    rows = [
        {
            "BEFORE": before,
            "AFTER": second,
            "METHOD": "cva",
            "LOAD": False,
            "OUTPUT": tmp_path / name,
        }
        for name, second in (
            ("one", after),
            ("bad", tmp_path / "no.tif"),
            ("two", after),
        )
    ]
    told = job(qgis, tmp_path, do="batch", algorithm="geosim:change", rows=rows)
    one, bad, two = told
    assert one["results"]["POLYGONS"] == two["results"]["POLYGONS"] > 0
    assert "no.tif" in bad["error"]
    assert "REPORT" not in one["results"]  # on which the dialog of QGIS 3.22 fails
    assert not (tmp_path / "bad").exists()


@pytest.mark.slow
@pytest.mark.qgis
def test_a_series_gives_what_the_command_line_gives(qgis, tmp_path):
    scenes = [ROOT / "sample_data" / "series" / f"{y}.tif" for y in (1990, 2005, 2020)]
    parameters = {"SCENES": scenes, "METHOD": "cva", "OUTPUT": tmp_path / "q"}
    told = job(
        *(qgis, tmp_path),
        do="load",
        algorithm="geosim:series",
        layers=scenes[-1:],
        parameters=parameters,
    )
    rasters = ("first_change.tif", "last_change.tif", "count.tif")
    files = [one["file"] for one in told["legend"]]
    assert files == ["changes.gpkg", *rasters, "2020.tif"]
    by_hand(qgis, "series", *scenes, "--method", "cva", "-o", tmp_path / "c")
    for name in (*rasters, "areas.csv"):
        one, two = (tmp_path / folder / name for folder in "qc")
        assert one.read_bytes() == two.read_bytes(), name
    one, two = (rows_of(tmp_path / n / "changes.gpkg", "changes") for n in "qc")
    assert one == two
    assert len(one) > 0


@pytest.mark.slow
@pytest.mark.qgis
def test_a_sample_is_drawn_answered_and_assessed(qgis, small_pair, tmp_path):
    by_hand(qgis, "change", *small_pair, "--method", "cva", "-o", tmp_path / "r")
    told = job(
        *(qgis, tmp_path),
        do="load",
        algorithm="geosim:sample",
        parameters={
            "RESULT": tmp_path / "r",
            "N": 40,
            "OUTPUT": tmp_path / "sample.gpkg",
        },
    )
    assert [one["file"] for one in told["legend"]] == ["sample.gpkg"]
    whole = f"{tmp_path / 'sample.gpkg'}|layername=samples"
    assess = {
        "algorithm": "geosim:assess",
        "parameters": {"SAMPLES": whole, "OUTPUT": tmp_path / "a"},
    }
    told = job(qgis, tmp_path, do="plain", **assess)
    assert "40 of 40 samples have no answer" in told["error"]
    answered = job(qgis, tmp_path, do="answer", source=whole)
    assert answered == {"answered": 40}
    told = job(qgis, tmp_path, do="plain", **assess)
    assert told["results"]["OVERALL_ACCURACY"] == 1
    assert Path(told["results"]["REPORT"]).stat().st_size > 1000


@pytest.mark.qgis
def test_a_missing_command_is_told_with_what_to_do(qgis, sample_pair, tmp_path):
    missing = {**qgis, "GEOSIM_COMMAND": "/no/such/geosim"}
    before, after = sample_pair
    parameters = {"BEFORE": before, "AFTER": after, "OUTPUT": tmp_path / "r"}
    told = job(
        *(missing, tmp_path),
        do="plain",
        algorithm="geosim:change",
        parameters=parameters,
    )
    assert not told["can"]
    for text in (told["why"], told["error"]):
        assert "/no/such/geosim" in text
        assert "give the path of the command geosim" in text
    said = process(
        *(missing, "run", "geosim:change", "--", f"BEFORE={before}"),
        *(f"AFTER={after}", f"OUTPUT={tmp_path / 'r'}"),
        code=1,
    )
    assert "give the path of the command geosim" in said


@pytest.mark.slow
@pytest.mark.qgis
def test_layers_extents_and_services_are_understood(qgis, sample_pair, tmp_path):
    before, after = sample_pair
    told = job(
        *(qgis, tmp_path),
        do="plain",
        algorithm="geosim:change",
        named={"BEFORE": before, "AFTER": after},
        extent=["BOUNDS", [461300, 5412300, 461500, 5412500], "EPSG:32633"],
        parameters={"METHOD": "cva", "OUTPUT": tmp_path / "r"},
    )
    assert "--bounds 461300.0 5412300.0 461500.0 5412500.0" in told["told"][0]
    run = json.loads((tmp_path / "r" / "run.json").read_text())
    assert run["properties"]["proj:shape"] == [400, 400]
    url = "type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png"
    told = job(
        *(qgis, tmp_path),
        do="plain",
        algorithm="geosim:change",
        named={"BEFORE": url},
        provider="wms",
        parameters={"AFTER": after, "OUTPUT": tmp_path / "s"},
    )
    assert "comes from QGIS's provider 'wms'" in told["error"]
