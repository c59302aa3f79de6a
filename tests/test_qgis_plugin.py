"""The QGIS plugin: its parts without QGIS, and the whole in the real QGIS."""

import ast
import configparser
import hashlib
import inspect
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import typing
import zipfile
from pathlib import Path

import psutil
import pytest
import rasterio
import typer
from affine import Affine
from geosim_processing import locating, running, spec
from geosim_processing.commands import CHANGE, COMMANDS, COMPARE, SERIES
from geosim_processing.helptext import help_text
from processes import wait_for
from rasterio.windows import Window

import geosim
from geosim.cli import app

PLUGIN = "geosim_processing"
PYTHON = "/usr/bin/python3"
# Debian's script passes an option that it does not know
QGIS_PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process") or ""
SCRIPT = Path(__file__).with_name("qgis_plugin_run.py")
ROOT = Path(__file__).parents[1]


# --- command lines


def test_a_command_line_has_only_what_differs_from_the_defaults():
    values = {one.name: one.default for one in CHANGE.parameters}
    values |= {"BEFORE": "a.tif", "AFTER": "-b.tif", "OUTPUT": "/r"}
    assert spec.arguments(CHANGE, values) == [
        *("change", "--out", "/r", "--", "a.tif", "-b.tif")
    ]


def test_every_kind_of_parameter_becomes_options():
    values = {
        "BEFORE": "GPKG:/x y.gpkg:first",
        "AFTER": "/vsizip/b.zip/b.tif",
        "METHOD": "cva",
        "THREADS": 2,
        "RESOLUTION": 0.1,
        "BOUNDS": (1, -2.5, 3, 4),
        "CREATION_OPTIONS": ("LEVEL=9", "COMPRESS=ZSTD"),
        "GRID_LAYER": "third.tif",
        "COREGISTER": True,
        "OVERWRITE": False,
        "EXTRA": "--verbose --date-before '1990'",
        "LOAD": True,
        "OUTPUT": "r",
    }
    options = "change --method cva --coregister --grid third.tif --resolution 0.1"
    assert spec.arguments(CHANGE, values) == [
        *options.split(),
        *("--bounds", "1.0", "-2.5", "3.0", "4.0"),
        *("--threads", "2", "--co", "LEVEL=9", "--co", "COMPRESS=ZSTD"),
        *("--out", "r", "--verbose", "--date-before", "1990", "--"),
        *("GPKG:/x y.gpkg:first", "/vsizip/b.zip/b.tif"),
    ]


def test_several_scenes_are_arguments():
    values = {"SCENES": ("a.tif", "b.tif", "c.tif"), "OUTPUT": "r"}
    assert spec.arguments(SERIES, values)[-4:] == ["--", "a.tif", "b.tif", "c.tif"]


def test_a_command_without_its_input_is_refused():
    with pytest.raises(ValueError, match=r"give Scenes or .* list .* or .* folder"):
        spec.arguments(SERIES, {"OUTPUT": "r"})


def test_creation_options_may_be_joined_as_gdals_dialog_does():
    assert spec.split_items("COMPRESS=ZSTD|LEVEL=9") == ["COMPRESS=ZSTD", "LEVEL=9"]
    assert spec.split_items(" A=1, B=2 C=3") == ["A=1", "B=2", "C=3"]


def options_of_geosim(name):
    """Choices and defaults of a command's options by their flags; None: no command."""
    found = {one.callback.__name__: one.callback for one in app.registered_commands}
    if name not in found:
        return None
    options = {}
    for one in inspect.signature(found[name], eval_str=True).parameters.values():
        kind, said = typing.get_args(one.annotation)[:2]
        flags = [text for text in said.param_decls or () if text.startswith("--")]
        if isinstance(said, typer.models.OptionInfo):
            flag = flags[0] if flags else f"--{one.name.replace('_', '-')}"
            options[flag] = (choices_in(kind), one.default)
    return options


def choices_in(kind):
    """Texts of a Literal, also inside of `| None` and lists."""
    if typing.get_origin(kind) is typing.Literal:
        return set(typing.get_args(kind))
    return set().union(*(choices_in(one) for one in typing.get_args(kind)))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_flags_choices_and_defaults_are_those_of_the_command_line(command):
    options = options_of_geosim(command.name)
    if options is None:
        pytest.skip(f"this geosim has no command {command.name}")
    for one in command.parameters:
        if not one.flag:
            continue
        assert one.flag in options, one.flag
        choices, default = options[one.flag]
        if one.kind in ("choice", "choices") and choices:
            left_out = {"all"} if command is COMPARE else set()
            assert set(one.choices) == choices - left_out, one.flag
        if one.default is not None:
            assert one.default == default, one.flag


def test_the_help_tells_of_every_parameter_with_a_remark():
    text = help_text(CHANGE)
    for one in CHANGE.parameters:
        assert not one.help or one.label in text
    assert "change.tif" in text


# --- progress and refusals


def test_progress_lines_become_percent_of_the_whole():
    for line, whole in (
        ("sampling 0/1", 0),
        ("scoring 0/25", 5),
        ("scoring 12.5/25", 45),
        ("scoring 1e+06/2e+06", 45),
        ("scoring 0/0", 5),
        ("writing 4/4", 100),
        ("something else 3/4", 75),
    ):
        step = running.step(f"progress: {line}")
        assert spec.percent(CHANGE, step.stage, step.share) == pytest.approx(whole)
    for line in ("note: progress", "progress: scoring", "scoring 1/2", ""):
        assert running.step(line) is None


@pytest.mark.parametrize(
    ("code", "errors", "told"),
    [
        (1, ["note: n", "error: they do not overlap"], "they do not overlap"),
        (2, ["│ No such command 'change'.  │", "╰──╯"], "has no command 'change'"),
        (2, ["│ No such option: --theme │"], "does not know --theme"),
        (-9, [], "memory ran out"),
        (3, [], "code 3: no word"),
        (1, ["  File x, line 1", "TypeError: f()", "kept"], "by TypeError: f()"),
    ],
)
def test_a_failure_is_told_in_one_line(code, errors, told):
    ended = running.Ended(code=code, cancelled=False, errors=tuple(errors))
    line = running.refusal(ended, "change")
    assert told in line
    assert "\n" not in line


def test_the_line_is_found_in_what_geosim_really_says(tmp_path):
    for arguments, told in (
        (["nonsense"], "has no command 'nonsense'"),
        (["change", "--theme-of-old", "1", "--", "a", "b"], "know --theme-of-old"),
        (["change", "--", "a.tif", "b.tif"], "a.tif"),
    ):
        program = [sys.executable, str(ROOT / "cli.py")]
        ended = running.run(
            [*program, *arguments],
            locating.clean_environment(os.environ, sys.executable),
            told=lambda *_: None,
            progressed=lambda _: None,
            cancelled=lambda: False,
        )
        assert ended.code in (1, 2)
        assert told in running.refusal(ended, arguments[0])
    assert list(tmp_path.iterdir()) == []


# --- processes

DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
print("progress: scoring 1/2", file=sys.stderr, flush=True)
time.sleep(60)
"""


def test_a_process_deaf_to_ctrl_c_is_ended_with_all_it_started(monkeypatch):
    monkeypatch.setattr(running, "INTERRUPT_S", 0.2)
    lines, asked = [], threading.Event()
    ended = running.run(
        [sys.executable, "-c", DEAF],
        os.environ,
        told=lambda line, _: lines.append(line),
        progressed=lambda _: asked.set(),
        cancelled=asked.is_set,
    )
    assert ended.cancelled
    assert ended.code == -signal.SIGTERM
    child = int(lines[0].split()[1])
    wait_for(lambda: gone(child), 10)


def gone(number):
    """True for a process that has ended, waited for or not."""
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_error_of_the_caller_ends_the_process_too():
    pids = []

    def told(line, _):
        pids.append(int(line))
        raise RuntimeError

    code = "import os,time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(RuntimeError):
        running.run(
            [sys.executable, "-c", code],
            os.environ,
            told=told,
            progressed=lambda _: None,
            cancelled=lambda: False,
        )
    assert gone(pids[0])


def test_lines_tell_the_progress(small_pair, tmp_path):
    command = [sys.executable, str(ROOT / "cli.py"), "--progress", "lines", "change"]
    done = subprocess.run(
        [*command, *small_pair, "--method", "cva", "-o", tmp_path / "r"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("progress")]
    steps = [running.step(line) for line in lines]
    assert list(dict.fromkeys(one.stage for one in steps)) == list(dict(CHANGE.stages))
    percents = [spec.percent(CHANGE, one.stage, one.share) for one in steps]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_a_run_that_nobody_listens_to_any_more_ends(sample_pair, tmp_path):
    command = [sys.executable, str(ROOT / "cli.py"), "--progress", "lines", "change"]
    process = subprocess.Popen(
        [*command, *sample_pair, "--method", "cva", "-o", tmp_path / "r"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stderr.readline() == b"progress: sampling 0/1\n"
    process.stderr.close()
    process.wait(60)
    assert process.returncode != 0
    assert not (tmp_path / "r").exists()


# --- where the command is


def program(path):
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_setting_comes_before_the_variable_and_that_before_the_path(tmp_path):
    one, two, three = (program(tmp_path / f"{n}/bin/geosim") for n in "123")
    environment = {"GEOSIM_COMMAND": two, "PATH": str(tmp_path / "3/bin")}
    assert locating.find_command(one, environment) == [one]
    assert locating.find_command(" ", environment) == [two]
    del environment["GEOSIM_COMMAND"]
    assert locating.find_command("", environment) == [three]


def test_an_environment_and_a_program_with_arguments_are_understood(tmp_path):
    inside = program(tmp_path / "my venv/bin/geosim")
    assert locating.find_command(str(tmp_path / "my venv"), {}) == [inside]
    assert locating.find_command(str(tmp_path / "my venv/bin"), {}) == [inside]
    spawn = program(tmp_path / "bin/flatpak-spawn")
    found = locating.find_command(
        "flatpak-spawn --host geosim", {"PATH": str(tmp_path / "bin")}
    )
    assert found == [spawn, "--host", "geosim"]


def test_a_missing_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(locating, "_PLACES", ())
    with pytest.raises(locating.CommandNotFoundError, match="pip install geosim"):
        locating.find_command("", {"PATH": str(tmp_path)})
    with pytest.raises(locating.CommandNotFoundError, match=r"/no/geosim.*setting"):
        locating.find_command("/no/geosim", {})
    with pytest.raises(locating.CommandNotFoundError, match="variable GEOSIM_COMMAND"):
        locating.find_command("", {"GEOSIM_COMMAND": str(tmp_path)})


def test_the_environment_is_the_users_without_what_is_of_qgis():
    given = {
        "PYTHONHOME": "/Applications/QGIS.app/Contents/Frameworks",
        "PYTHONPATH": "/usr/share/qgis/python",
        "GDAL_DATA": "x",
        "PROJ_LIB": "x",
        "Proj_Data": "x",
        "LD_LIBRARY_PATH": "/usr/lib/grass82/lib:/opt/cuda/lib",
        "DYLD_LIBRARY_PATH": "/Applications/QGIS.app/lib",
        "AWS_PROFILE": "mine",
        "PATH": "/usr/bin",
    }
    kept = locating.clean_environment(given, "/env/bin/geosim")
    assert kept["PATH"] == "/env/bin:/usr/bin"
    assert kept["LD_LIBRARY_PATH"] == "/opt/cuda/lib"
    assert kept["AWS_PROFILE"] == "mine"
    assert kept["GEOSIM_PROGRESS"] == "lines"
    gone_too = {"PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "PROJ_LIB", "Proj_Data"}
    assert not (gone_too | {"DYLD_LIBRARY_PATH"}) & set(kept)


# --- the package


def packed(tmp_path, name="plugin.zip"):
    script = ROOT / "scripts" / "pack_qgis_plugin.py"
    path = tmp_path / name
    subprocess.run([sys.executable, script, "-o", path], check=True)
    return path


def test_the_zip_is_whole_and_the_same_every_time(tmp_path):
    first, second = packed(tmp_path, "a.zip"), packed(tmp_path, "b.zip")
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
    assert sums[0] == sums[1]
    with zipfile.ZipFile(first) as held:
        names = held.namelist()
        text = held.read(f"{PLUGIN}/metadata.txt").decode()
    assert {name.split("/")[0] for name in names} == {PLUGIN}
    wanted = ("LICENSE", "icon.svg", "__init__.py", "help/index.html")
    assert {f"{PLUGIN}/{name}" for name in wanted} <= set(names)
    metadata = configparser.ConfigParser()
    metadata.read_string(text)
    general = metadata["general"]
    assert general["version"] == geosim.__version__
    assert general["hasProcessingProvider"] == "yes"
    assert f"{PLUGIN}/{general['icon']}" in names


def test_the_code_is_for_the_python_of_the_oldest_qgis():
    for path in (ROOT / "qgis_plugin" / PLUGIN).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, path.name, feature_version=(3, 9))
        modules = {
            name.split(".")[0] for node in ast.walk(tree) for name in imported(node)
        }
        own = {PLUGIN, "qgis", "processing"}
        assert modules <= own | set(sys.stdlib_module_names), path.name


def imported(node):
    """Modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) else []


def test_the_help_page_has_a_place_for_every_algorithm():
    page = (ROOT / "qgis_plugin" / PLUGIN / "help" / "index.html").read_text()
    for command in COMMANDS:
        assert f'id="{command.name}"' in page
        assert command.title in page


# --- in the real QGIS


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


@pytest.fixture(scope="module")
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


def command_script(folder):
    """The command geosim of this checkout."""
    path = folder / "bin" / "geosim"
    program(path)
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
