"""The QGIS plugin without QGIS: command lines, progress, processes, the package."""

import ast
import configparser
import hashlib
import inspect
import os
import signal
import subprocess
import sys
import threading
import typing
import zipfile
from pathlib import Path

import psutil
import pytest
import typer
from geosim_processing import locating, running, spec
from geosim_processing.commands import CHANGE, COMMANDS, COMPARE, SERIES
from geosim_processing.helptext import help_text
from processes import wait_for
from qgis_package import PLUGIN, executable, packed

import geosim
from geosim.cli import app

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


def test_the_setting_comes_before_the_variable_and_that_before_the_path(tmp_path):
    one, two, three = (executable(tmp_path / f"{n}/bin/geosim") for n in "123")
    environment = {"GEOSIM_COMMAND": two, "PATH": str(tmp_path / "3/bin")}
    assert locating.find_command(one, environment) == [one]
    assert locating.find_command(" ", environment) == [two]
    del environment["GEOSIM_COMMAND"]
    assert locating.find_command("", environment) == [three]


def test_an_environment_and_a_program_with_arguments_are_understood(tmp_path):
    inside = executable(tmp_path / "my venv/bin/geosim")
    assert locating.find_command(str(tmp_path / "my venv"), {}) == [inside]
    assert locating.find_command(str(tmp_path / "my venv/bin"), {}) == [inside]
    spawn = executable(tmp_path / "bin/flatpak-spawn")
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
