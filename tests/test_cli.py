"""The command line: fast help, quiet and talkative runs, usage, progress bar."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise

import pytest
import typer
from processes import call, run_code
from rasters import drawn_pair, write_pair
from typer.testing import CliRunner

import geosim
from geosim import ChangeOptions
from geosim.cli import app
from geosim.options import DEFAULT_TILE

CVA = ("--method", "cva")
HEAVY = (
    *("torch", "openvino", "rasterio", "geopandas", "scipy", "skimage"),
    *("dask", "distributed", "pyarrow"),
)


@pytest.fixture
def pair(tmp_path):
    return [path.name for path in write_pair(tmp_path, *drawn_pair())]


# --- help


@pytest.mark.parametrize("arguments", [["--help"], ["change", "--help"], ["--version"]])
def test_help_answers_at_once(arguments):
    """Processor time: what the clock tells hangs on what else the machine does."""
    seconds = []
    for _ in range(5):
        began = _of_children()
        done = call(*arguments)
        seconds.append(_of_children() - began)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        if min(seconds) < 0.7:
            break
    assert min(seconds) < 0.7


def _of_children():
    used = os.times()
    return used.children_user + used.children_system


def test_help_fills_the_lines_of_a_terminal():
    names = [command.callback.__name__ for command in app.registered_commands]
    assert {"change", "series", "evaluate"} <= set(names)
    for name in names:
        found = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"})
        lines = [line.strip() for line in found.output.splitlines()]
        frame = next(at for at, line in enumerate(lines) if line.startswith("╭"))
        for line, following in pairwise(lines[3:frame]):
            if line and following:  # neither ends a paragraph
                assert len(f"{line} {following.split()[0]}") > 78, (name, line)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['geosim', 'change', '--help']\n"
        "from geosim.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = run_code(code)
    assert "--tile-size" in done.stdout
    loaded = done.stderr.split()
    assert "geosim" in loaded
    assert set(HEAVY).isdisjoint(loaded)


def test_version():
    done = call("--version")
    assert done.stdout == f"geosim {geosim.__version__}\n"


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "geosim", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"geosim {geosim.__version__}\n"


def test_other_commands_take_the_options_of_change():
    commands = typer.main.get_command(app).commands
    names = {
        name: {parameter.name for parameter in command.params}
        for name, command in commands.items()
    }
    inner = {"creation_options", "worker_memory"}
    shared = {field.name for field in fields(ChangeOptions)} - inner
    assert shared | {"co"} <= names["change"] & names["batch"]
    assert names["batch"] - names["change"] == {"pairs", "retries"}
    assert {"method", "device", "memory"} <= names["bench"] & names["change"]
    assert "bounds" not in names["bench"]
    (threads,) = (p for p in commands["batch"].params if p.name == "threads")
    assert set(threads.opts) == {"--threads-per-worker", "--threads"}


def test_no_command_shows_the_help():
    done = CliRunner().invoke(app, [])
    assert "change" in done.output


def test_defaults_of_the_command_are_those_of_the_options():
    command = typer.main.get_command(app).commands["change"]
    given = {parameter.name: parameter.default for parameter in command.params}
    defaults = ChangeOptions()
    for field in fields(ChangeOptions):
        wanted = getattr(defaults, field.name)
        if field.name == "creation_options":
            assert not given["co"]
        elif field.name == "formats":
            assert (given["formats"], wanted) == (None, ("gpkg",))
        elif field.name == "worker_memory":
            assert wanted is None  # set by the library alone
        elif field.name == "threads":
            assert (given["threads"], wanted) == ("all", None)
        elif field.name == "min_area":
            assert given["min_area"] == str(wanted)
        else:
            assert given[field.name] == wanted, field.name


def test_help_tells_the_defaults(root):
    environment = os.environ | {"COLUMNS": "200", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, str(root / "cli.py"), "change", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    text = " ".join(done.stdout.split())
    defaults = ChangeOptions()
    memory = f"half of the machine's memory: {defaults.megabytes:,} MB"
    shown = (defaults.method, DEFAULT_TILE, defaults.min_area, memory)
    for value in (*shown, defaults.weights, "change_BEFORE_AFTER"):
        assert re.search(rf"\[default: \(?{re.escape(str(value))}\)?\]", text), value
    assert " ." not in text.replace(" ..", "")


# --- usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["change"],
        ["change", "one.tif"],
        ["change", "one.tif", "two.tif", "--wrong"],
        ["change", "one.tif", "two.tif", "--method", "magic"],
        ["change", "one.tif", "two.tif", "--memory", "much"],
        ["chnage", "one.tif", "two.tif"],
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage: " in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--model=ssim", "--out=o"])
def test_models_without_a_comparison_takes_nothing(option):
    done = CliRunner().invoke(app, ["models", option])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "give --compare" in done.stderr


# --- what a run tells


def test_results_on_stdout(commands, tmp_path, pair):
    code, stdout, stderr = commands(tmp_path, "change", *pair, *CVA, "-o", "out")
    assert code == 0, stderr
    told = dict(line.split(None, 1) for line in stdout.splitlines())
    assert re.fullmatch(r"[\d.]+ ha \([\d.]+ %\)", told["changed"])
    assert int(told["polygons"]) >= 1
    assert re.fullmatch(r"0\.\d{3} \(auto\)", told["threshold"])
    assert told["report"] == "out/report.html"
    assert (tmp_path / told["change"]).is_file()
    assert all(line.startswith("note: ") for line in stderr.splitlines())


def test_quiet_prints_nothing(commands, tmp_path, pair):
    code, stdout, stderr = commands(tmp_path, "change", *pair, *CVA, "-q")
    assert (code, stdout, stderr) == (0, "", "")
    assert (tmp_path / "change_1990_2020" / "change.tif").is_file()


def test_quiet_still_tells_errors(commands, tmp_path, pair):
    code, _, stderr = commands(tmp_path, "change", pair[0], "nowhere.tif", "-q")
    assert code == 1
    assert stderr.startswith("error: ")


def test_verbose_tells_decisions(commands, tmp_path, pair):
    code, _, stderr = commands(tmp_path, "change", *pair, *CVA, "-v")
    assert code == 0
    assert "before: 1990.tif: bands 1, 2, 3, read as it is" in stderr
    assert "engine: " in stderr
    for stage in ("sampling", "scoring", "deciding"):
        assert re.search(rf"^{stage}: [\d.]+ s$", stderr, re.MULTILINE)


def test_json_alone_on_stdout(commands, tmp_path, pair):
    _, stdout, _ = commands(tmp_path, "change", *pair, *CVA, "--json")
    told = json.loads(stdout)
    assert told["folder"] == "change_1990_2020"
    assert told["options"]["method"] == "cva"


def test_debug_shows_the_traceback(commands, tmp_path, pair):
    code, _, stderr = commands(tmp_path, "change", pair[0], "nowhere.tif", "--debug")
    assert code == 1
    assert "Traceback (most recent call last)" in stderr
    assert "RasterReadError" in stderr


def on_terminal(command, folder):
    """Run on a pseudo-terminal; exit code, stdout, what the terminal showed."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            try:
                piece = os.read(master, 65536) if ready else b""
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        stdout, _ = process.communicate(timeout=60)
    return process.returncode, stdout, shown.decode()


def test_progress_bar_on_a_terminal(root, tmp_path, pair):
    small = ("--tile-size", "32", "--block-size", "16")
    command = [sys.executable, str(root / "cli.py"), "change", *pair, *CVA, *small]
    code, stdout, shown = on_terminal(command, tmp_path)
    assert code == 0, shown
    for stage in ("sampling", "scoring", "deciding", "writing"):
        assert stage in shown
    assert re.search(r"\d+\.\d\d tiles/s", shown)
    assert "%" in shown
    assert stdout.startswith("changed ")
