"""Bad input, bad places, interruptions: one line, the right exit code, no trace.

All through the real command line in a process of its own.
"""

import errno
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from processes import ROOT, run_code
from rasters import crop, drawn_pair, listing, read, write, write_pair

from geosim.machine.disk import cause_of

CVA = ("--method", "cva")
MISSING = "no such file; check the path"


def start(root, folder, *arguments):
    """Begin `python cli.py change ...` in `folder`."""
    environment = dict(os.environ)
    environment.pop("PYTHONWARNINGS", None)
    return subprocess.Popen(
        [sys.executable, str(root / "cli.py"), "change", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process):
    """Exit code, stdout, stderr."""
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout, stderr


def assert_refused(done, wanted, code=1):
    """One line on stderr that holds `wanted`, nothing on stdout."""
    found, stdout, stderr = done
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("error: ")
    assert wanted in stderr
    assert stdout == ""
    assert found == code


@pytest.fixture
def refuse(commands, tmp_path):
    """Run on inputs in `tmp_path`, which must be refused and leave no trace."""

    def run(wanted, *arguments, **how):
        before = listing(tmp_path)
        done = commands(tmp_path, "change", *arguments, **how)
        assert_refused(done, wanted)
        assert listing(tmp_path) == before

    return run


@pytest.fixture
def pair(tmp_path):
    return [path.name for path in write_pair(tmp_path, *drawn_pair())]


# --- inputs


def test_missing_file(refuse, pair):
    refuse(f"cannot open 'nowhere.tif' as a raster: {MISSING}", "nowhere.tif", pair[1])


def test_a_name_that_moves_the_terminal(refuse, pair):
    wanted = f"cannot open '?[2Jgone .tif' as a raster: {MISSING}"
    refuse(wanted, pair[0], "\x1b[2Jgone\n.tif", "-o", "out")


def test_as_a_fresh_process(root, tmp_path, pair):
    """As all the others, with nothing imported before."""
    before = listing(tmp_path)
    done = outcome(start(root, tmp_path, "nowhere.tif", pair[1]))
    assert_refused(done, f"cannot open 'nowhere.tif' as a raster: {MISSING}")
    assert listing(tmp_path) == before


def test_missing_second_file(refuse, pair):
    refuse(f"cannot open 'nowhere.tif' as a raster: {MISSING}", pair[0], "nowhere.tif")


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("tiled", [False, True])
def test_truncated_tiff(refuse, tmp_path, pair, share, tiled):
    path = tmp_path / "cut.tif"
    before, _ = drawn_pair()
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64} if tiled else {}
    write(path, before, compress="deflate", **layout)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refuse("'cut.tif'", "cut.tif", pair[1], *CVA)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"II*\0", b"\x89PNG\r\n\x1a\n"])
def test_not_a_raster(refuse, tmp_path, pair, content):
    (tmp_path / "text.tif").write_bytes(content)
    refuse("cannot open 'text.tif' as a raster: ", "text.tif", pair[1])


def test_a_folder(refuse, tmp_path, pair):
    (tmp_path / "folder").mkdir()
    refuse("cannot open 'folder' as a raster: ", "folder", pair[1])


@pytest.mark.parametrize("side", [0, 1])
def test_no_crs_on_one_side(refuse, tmp_path, pair, side):
    write(tmp_path / "nocrs.tif", drawn_pair()[0], crs=None)
    pair[side] = "nocrs.tif"
    lacking = ("before", "after")[side]
    refuse(f"{lacking} has none; assign it with", *pair)


def test_no_overlap(refuse, tmp_path, pair):
    far = Affine(1, 0, 700_000, 0, -1, 5_400_000)
    write(tmp_path / "far.tif", drawn_pair()[0], transform=far)
    covered = "before covers (500000, 5399800, 500240, 5400000) in EPSG:32633"
    refuse(f"the two rasters must overlap: {covered}", pair[0], "far.tif")


def test_all_nodata(refuse, tmp_path, pair):
    write(tmp_path / "empty.tif", np.zeros((3, 200, 240), "uint8"), nodata=0)
    refuse("no pixel has data on both dates", pair[0], "empty.tif")


def test_colours_that_one_file_names_alone(refuse, tmp_path):
    for path in write_pair(tmp_path, *drawn_pair(bands=4)):
        with rasterio.open(path, "r+") as file:
            file.colorinterp = [rasterio.enums.ColorInterp.undefined] * 4
            if path.stem == "1990":
                file.descriptions = ("blue", "green", "red", "nir")
    told = "'1990.tif' names its colours (red=3,green=2,blue=1), '2020.tif' names none"
    refuse(told, "1990.tif", "2020.tif")
    refuse(told, "2020.tif", "1990.tif")


def test_bands_that_show_something_else_by_their_names(refuse, tmp_path):
    names = ("blue", "green", "red", "nir"), ("coastal", "blue", "green", "red")
    for path, told in zip(
        write_pair(tmp_path, *drawn_pair(bands=4)), names, strict=True
    ):
        with rasterio.open(path, "r+") as file:
            file.colorinterp = [rasterio.enums.ColorInterp.undefined] * 4
            file.descriptions = told
    what = "band 2 of '1990.tif' is green, band 2 of '2020.tif' is blue"
    refuse(what, "1990.tif", "2020.tif", "--bands", "1,2,3")


@pytest.mark.parametrize("name", ["change.tif", "tiles.tif"])
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_an_input_with_a_name_of_the_result(refuse, tmp_path, pair, name, more):
    (tmp_path / pair[1]).rename(tmp_path / name)
    refuse(f"'{name}' is an input and has the name of", pair[0], name, "-o", ".", *more)
    mask = ["--mask-after", name, "-o", ".", *more]
    refuse(f"'{name}' is an input and has the name of", pair[0], pair[0], *mask)


def test_nodata_by_band(refuse, tmp_path, pair):
    with rasterio.open(tmp_path / pair[1]) as dataset:
        rasterio.shutil.copy(dataset, tmp_path / "stack.vrt", driver="VRT")
    text = (tmp_path / "stack.vrt").read_text()
    parts = text.split("<ColorInterp>")
    values = ["", "<NoDataValue>0</NoDataValue>", "<NoDataValue>7</NoDataValue>"]
    several = parts[0] + "".join(
        f"{value}<ColorInterp>{part}"
        for value, part in zip(values, parts[1:], strict=True)
    )
    (tmp_path / "stack.vrt").write_text(several)
    refuse("declares None, 0, 7; bring them to one", pair[0], "stack.vrt")
    refuse('-srcnodata "None 0 7" -dstnodata 0 IN OUT', pair[0], "stack.vrt")


def test_nothing_but_nan(refuse, tmp_path):
    values = np.full((1, 64, 64), np.nan, "float32")
    write(tmp_path / "nan.tif", values)
    refuse("no pixel has data on both dates", "nan.tif", "nan.tif", *CVA)


def test_zero_bands(refuse, tmp_path, pair):
    values = drawn_pair()[0]
    for table in ("one", "two"):
        more = {"append_subdataset": "yes"} if table == "two" else {}
        write(tmp_path / "box.gpkg", values, driver="GPKG", raster_table=table, **more)
    refuse("'box.gpkg' has no bands of its own", "box.gpkg", pair[1])


def test_one_pixel(refuse, tmp_path):
    write(tmp_path / "one.tif", np.ones((3, 1, 1), "uint8"))
    refuse("must be at least 32 x 32 px; it is 1 x 1 px", "one.tif", "one.tif")


def test_tile_larger_than_the_raster(refuse, pair):
    refuse(
        "--tile-size 1024 is larger than the common area of 240 x 200 px",
        *pair,
        "--tile-size",
        1024,
    )


def test_other_number_of_bands(refuse, tmp_path, pair):
    write(tmp_path / "two.tif", drawn_pair(bands=2)[0])
    refuse("both dates need the same bands", pair[0], "two.tif")


def test_option_values(refuse, pair):
    refuse("--block-size wants a multiple of 16", *pair, "--block-size", 100)
    refuse("--threshold wants", *pair, "--threshold", "high")
    refuse("--bands wants numbers from 1 to 3", *pair, "--bands", "7")
    refuse("--memory wants at least 500 MB", *pair, "--memory", 10)


def test_creation_options(refuse, pair):
    """GDAL ignores most of these; one ends the process, one leaves the grid."""
    refuse("--co wants KEY=VALUE; found 'COMPRESS'", *pair, "--co", "COMPRESS")
    refuse("--co COMPRESS wants NONE, LZW, ", *pair, "--co", "COMPRESS=WRONG")
    refuse("--co COMPRESS wants NONE, LZW, ", *pair, "--co", "compress=jpeg")
    refuse("--co BLOCKSIZE wants 128, 256, ", *pair, "--co", "BLOCKSIZE=abc")
    refuse("--co wants one of BIGTIFF, ", *pair, "--co", "TARGET_SRS=EPSG:3857")


def test_weights_that_are_none(refuse, tmp_path, pair):
    (tmp_path / "my.safetensors").write_bytes(b"nothing of the kind")
    refuse("my.safetensors", *pair, "--weights", "my.safetensors")


# --- the output folder


def test_output_below_a_file(refuse, tmp_path, pair):
    (tmp_path / "file").write_text("mine")
    refuse("cannot write into", *pair, *CVA, "-o", "file/out")


def test_output_is_a_file(refuse, tmp_path, pair):
    (tmp_path / "file").write_text("mine")
    refuse("'file' must be a folder, but is a file", *pair, *CVA, "-o", "file")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")  # noqa: PTH112
def test_output_that_cannot_be_written(refuse, pair):
    refuse("cannot write into '/proc", *pair, *CVA, "-o", "/proc/geosim")


def test_existing_result(commands, refuse, tmp_path, pair):
    code, _, stderr = commands(tmp_path, "change", *pair, *CVA, "-o", "out")
    assert (code, stderr) == (0, stderr)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    refuse("'out' holds a result already", *pair, *CVA, "-o", "out")
    old = listing(tmp_path / "out")
    rerun = (*pair, *CVA, "-o", "out", "--threshold", "0.9", "--overwrite")
    code, _, stderr = commands(tmp_path, "change", *rerun)
    assert code == 0, stderr
    new = listing(tmp_path / "out")
    assert set(new) == set(old)
    assert new["notes.txt"] == b"mine"
    assert new["run.json"] != old["run.json"]
    assert (read(tmp_path / "out" / "change.tif") == 1).any()


def test_a_refused_rerun_leaves_the_old_result(commands, refuse, tmp_path, pair):
    code, *_ = commands(tmp_path, "change", *pair, *CVA, "-o", "out")
    assert code == 0
    rerun = (*pair, *CVA, "-o", "out", "--overwrite")
    refuse("cannot write '", *rerun, limit=60_000)


# --- a full disk


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MB of its own."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount):
        pytest.skip("no mount command")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def fill(folder, leave=0):
    """Leave so many bytes on the disk."""
    room = shutil.disk_usage(folder).free - leave
    with (folder / "fill").open("wb", buffering=0) as file:
        try:
            while room > 0:
                room -= file.write(b"x" * min(room, 1 << 16))
        except OSError:
            return


def test_disk_too_small_is_refused_before_any_work(root, sample_pair, small_disk):
    fill(small_disk, leave=10_000_000)
    began = time.monotonic()
    done = outcome(start(root, small_disk, *sample_pair, "-o", "out"))
    assert time.monotonic() - began < 10
    assert_refused(done, "the result and its working files need up to 40 MB, but")
    assert set(listing(small_disk)) == {"fill"}


@pytest.mark.parametrize(
    "stage",
    ["difference.work", pytest.param("result/change.tif", marks=pytest.mark.slow)],
)
def test_disk_that_fills_up(root, small_disk, sample_pair, stage):
    """Someone else takes the room while geosim works."""
    arguments = (*sample_pair, *CVA, "-o", "out", "--block-size", 256)
    process = start(root, small_disk, *arguments)

    def watch():
        while process.poll() is None:
            if any(small_disk.glob(f".out.partial/{stage}")):
                fill(small_disk)
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = outcome(process)
    watcher.join()
    assert_refused(done, "cannot write '")
    assert "no space left on the disk" in done[2] or "disk is full" in done[2]
    left = set(listing(small_disk))
    if "blocks are kept" in done[2]:  # some were finished before the disk was full
        assert ".out.partial/blocks" in left
        left = {name for name in left if not name.startswith(".out.partial/")}
    assert left == {"fill"}


@pytest.mark.parametrize("kilobytes", [4, 90, 110])
def test_files_that_may_not_grow(refuse, pair, kilobytes):
    """The limit is met in the first pass and in the GeoPackage."""
    refuse("cannot write '", *pair, *CVA, limit=1024 * kilobytes)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trouble(root, tmp_path, closed):
    pair = write_pair(tmp_path, *drawn_pair())
    command = [sys.executable, root / "cli.py", "change", *pair, *CVA, "-o", "out"]
    line = f"{shlex.join(map(str, command))} {closed}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith("changed ") is (">&-" not in closed.split())
    assert "<html" in (tmp_path / "out/report.html").read_text()[:200]
    change = read(tmp_path / "out/change.tif", 1)
    assert (change == 1).any()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_told_in_one_line(root):
    command = [sys.executable, root / "cli.py", "models"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, check=False, text=True
        )
    assert done.returncode == 1
    assert done.stderr == (
        "error: no space left on the disk, or where the output goes; make room\n"
    )


def test_a_full_disk_is_told_whatever_a_library_says(tmp_path, monkeypatch):
    told = "no space left on the disk; make room or choose another folder"
    full = OSError(errno.ENOSPC, "No space left on device")
    assert cause_of(full, tmp_path) == told
    other = sqlite3.OperationalError("no such table: gpkg_contents\nand more")
    assert cause_of(other, tmp_path) == "no such table: gpkg_contents"
    denied = PermissionError(errno.EACCES, "Permission denied", "x")
    assert cause_of(denied, tmp_path) == "Permission denied"
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert cause_of(other, tmp_path) == told


# --- interruption


def interrupt(root, folder, pair, number, again):
    """Send a signal once or more before the first block is done.

    Returns:
        Exit code, stderr, seconds to the end.
    """
    process = start(root, folder, *pair, "-o", "out")
    deadline = time.monotonic() + 60
    while not any(folder.glob(".out.partial/lock")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(number)
    for _ in range(again):
        time.sleep(0.1)
        process.send_signal(number)
    code, stdout, stderr = outcome(process)
    assert stdout == ""
    return code, stderr, time.monotonic() - began


def heeds(process, number):
    """Whether a process has set a handler of its own for a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
    return bool(caught >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0, 0.1, 0.3])
def test_interrupted_while_modules_load(root, tmp_path, number, seconds):
    process = start(root, tmp_path, "missing.tif", "missing.tif", "-o", "out")
    deadline = time.monotonic() + 60
    while not heeds(process, signal.SIGTERM):  # Python itself heeds only SIGINT
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(seconds)
    process.send_signal(number)
    code, stdout, stderr = outcome(process)
    if "no such file" not in stderr:  # it came to its end before
        assert (code, stdout) == (130, "")
        assert stderr == "interrupted: nothing was written\n"
    assert seconds or code == 130
    assert list(tmp_path.iterdir()) == []


def test_what_a_loading_module_makes_of_an_interruption():
    """Pybind11 makes an ImportError of it."""
    code = """
import signal
from geosim.commands.refusing import refusing
with refusing(debug=False):
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
    )
    assert "interrupted: nothing was written\n" in done.stderr
    assert "Exit: 130" in done.stderr.splitlines()[-1] or done.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_modules_that_load(tmp_path, number):
    """In between they may hold the lock that all threads need to import."""
    module = f"import signal\nsignal.raise_signal({number:d})\nloaded = True\n"
    (tmp_path / "slow.py").write_text(module)
    code = f"""
import signal, sys, time
from geosim.commands.refusing import refusing
sys.path.insert(0, {str(tmp_path)!r})
before = signal.getsignal(signal.SIGALRM)
try:
    with refusing(debug=True):
        import slow
        loaded = slow.loaded
        time.sleep(10)
except KeyboardInterrupt:
    after = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    print(loaded, after == (before, (0.0, 0.0)))
"""
    began = time.monotonic()
    done = run_code(code)
    assert done.stdout == "True True\n", done.stderr
    assert time.monotonic() - began < 10


def test_an_interruption_waits_for_no_module_for_ever(tmp_path):
    module = """
import signal, time
signal.raise_signal(signal.SIGTERM)
began = time.monotonic()
while time.monotonic() - began < 20:
    time.sleep(0.01)
"""
    (tmp_path / "stuck.py").write_text(module)
    code = f"""
import sys
import geosim.commands.refusing
geosim.commands.refusing._UNDISTURBED = 0.5
sys.path.insert(0, {str(tmp_path)!r})
try:
    with geosim.commands.refusing.refusing(debug=True):
        import stuck
except KeyboardInterrupt:
    print("left")
"""
    began = time.monotonic()
    done = run_code(code)
    assert done.stdout == "left\n", done.stderr
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_after_the_result_is_there_says_so(tmp_path, number):
    """One while it is moved waits; then the result is whole and the rest removed."""
    code = f"""
import os, signal, time
from pathlib import Path
import typer
from geosim.raster import staging
from geosim.commands.refusing import refusing
os.chdir({str(tmp_path)!r})
Path("out").mkdir()
replace = Path.replace
def slow(path, target):
    signal.raise_signal({number:d})
    return replace(path, target)
Path.replace = slow
try:
    with refusing(debug=False), staging.work_folder(Path("out")) as work:
        made = work.new_result()
        for name in ("a.tif", "b.tif", "run.json"):
            (made / name).write_text(name)
        staging.publish_folder(made, Path("out"), "run.json")
        work.published = "the result in 'out' is complete"
        time.sleep(10)
except typer.Exit as error:
    print(error.exit_code)
"""
    began = time.monotonic()
    done = run_code(code)
    assert done.stdout == "130\n"
    assert done.stderr == "interrupted: the result in 'out' is complete\n"
    assert time.monotonic() - began < 10
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("a.tif", "b.tif", "run.json")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_interruption_waits_for_the_first():
    code = """
import signal, time
from geosim.commands.refusing import refusing
now, heeded = 100.0, []
time.monotonic = lambda: now
def send(number):
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        heeded.append(number)  # and so swallowed
with refusing(debug=False):
    send(1)
    send(2)
    now += 6
    send(3)
print(heeded)
"""
    assert run_code(code).stdout == "[1, 3]\n"


@pytest.mark.parametrize(("number", "again"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_interrupted_before_the_first_block(root, tmp_path, sample_pair, number, again):
    pair = [
        crop(path, tmp_path / path.name, (100, 300, 640, 640)) for path in sample_pair
    ]
    before = listing(tmp_path)
    code, stderr, seconds = interrupt(root, tmp_path, pair, number, again)
    assert stderr == "interrupted: nothing was written\n"
    assert code == 130
    assert listing(tmp_path) == before
    assert seconds < 10


def test_a_layer_of_nothing(refuse, pair):
    refuse("--ogr-layer x names the layer that --ogr writes", *pair, "--ogr-layer", "x")
