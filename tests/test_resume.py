"""An interrupted run goes on from its finished blocks and ends in the same bytes.

All through the real command line in a process of its own.
"""

import contextlib
import dataclasses
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from geopandas.testing import assert_geodataframe_equal
from rasters import crop, drawn_pair, write, write_pair

from geosim import ChangeOptions, detect_change
from geosim.errors import OptionError, OutputError, RasterReadError, ResultExistsError
from geosim.raster.staging import WorkFolder, work_folder
from geosim.scoring.journal import Journal, finished_records

CVA = ("--method", "cva", "--block-size", "16", "--tile-size", "64")
"""About 180 blocks of `drawn_pair`."""


def start(root, folder, *arguments):
    """Begin `python cli.py change ...` in `folder`."""
    return subprocess.Popen(
        [sys.executable, str(root / "cli.py"), "change", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"TZ": "UTC"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def stopping(process):
    """Leave no process behind that does not end."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def finish(process):
    """Wait; it must end well."""
    with stopping(process):
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return stdout


def blocks_done(folder):
    return finished_records(folder / ".out.partial" / "blocks")[0]


def kill_when(process, folder, blocks, delay=0.0):
    """SIGKILL once so many blocks are finished, and a little later; is it dead?"""
    while process.poll() is None and blocks_done(folder) < blocks:
        time.sleep(0.002)
    time.sleep(delay)
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive


def without_times(value):
    """A record without what says when it was made, or checks files that do."""
    if isinstance(value, dict):
        said = ("created", "updated", "timings", "datetime", "checksum", "size")
        return {
            key: without_times(part)
            for key, part in value.items()
            if not any(word in key.lower() for word in said)
        }
    return [without_times(part) for part in value] if isinstance(value, list) else value


def assert_same(found, wanted):
    """Two results are of one content, rasters and styles to the last byte."""
    names = sorted(path.name for path in wanted.iterdir())
    assert sorted(path.name for path in found.iterdir()) == names
    for name in names:
        if name.endswith((".tif", ".qml")):
            assert (found / name).read_bytes() == (wanted / name).read_bytes(), name
    for layer in ("changes", "tiles"):
        tables = [
            gpd.read_file(f / "changes.gpkg", layer=layer) for f in (found, wanted)
        ]
        assert_geodataframe_equal(*tables)
    records = [json.loads((f / "run.json").read_text()) for f in (found, wanted)]
    assert without_times(records[0]) == without_times(records[1])
    moment = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?|[\d.]+ s\b")
    pages = [(f / "report.html").read_text() for f in (found, wanted)]
    assert moment.sub("", pages[0]) == moment.sub("", pages[1])


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A pair with nodata; some of its blocks are empty."""
    before, after = drawn_pair()
    before[:, :70, :90] = after[:, 150:, 200:] = 0
    return write_pair(tmp_path_factory.mktemp("pair"), before, after, nodata=0)


@pytest.fixture(scope="module")
def whole(root, pair, tmp_path_factory):
    """A run that nothing interrupted, and the seconds it took."""
    folder = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    finish(start(root, folder, *pair, *CVA, "-o", "out"))
    return folder / "out", time.monotonic() - began


# --- killed


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_killed_while_scoring(root, pair, whole, tmp_path, share):
    blocks = int(share * 195)
    process = start(root, tmp_path, *pair, *CVA, "-o", "out")
    assert kill_when(process, tmp_path, blocks, random.Random(blocks).random() / 100)
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]
    assert blocks <= blocks_done(tmp_path)
    finish(start(root, tmp_path, *pair, *CVA, "-o", "out", "--resume"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert_same(tmp_path / "out", whole[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment(root, pair, whole, tmp_path, seed):
    """From the start of the process to its end, and again while it resumes."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 2))):
        process = start(root, tmp_path, *pair, *CVA, "-o", "out", "--resume")
        try:
            process.communicate(timeout=chance.uniform(0.1, whole[1]))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    if not (tmp_path / "out").exists():
        finish(start(root, tmp_path, *pair, *CVA, "-o", "out", "--resume"))
    assert_same(tmp_path / "out", whole[0])


@pytest.mark.slow
def test_killed_with_the_network(root, sample_pair, tmp_path):
    """Blocks that are cut by tiles; the embeddings of a row of tiles are half done."""
    pair = [
        crop(path, tmp_path / path.name, (100, 300, 330, 300)) for path in sample_pair
    ]
    how = ("--block-size", "32", "--tile-size", "100")  # 12 blocks
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    finish(start(root, folders[0], *pair, *how, "-o", "out"))
    for blocks in (1, 4, 8):
        process = start(root, folders[1], *pair, *how, "-o", "out", "--resume")
        assert kill_when(process, folders[1], blocks, 0.1)
    finish(start(root, folders[1], *pair, *how, "-o", "out", "--resume"))
    assert_same(folders[1] / "out", folders[0] / "out")


# --- interrupted, refused


@pytest.fixture
def interrupted(root, pair, tmp_path):
    """A folder with what a run left after Ctrl-C; stderr of that run."""
    process = start(root, tmp_path, *pair, *CVA, "-o", "out")
    while blocks_done(tmp_path) < 20:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    with stopping(process):
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    return tmp_path, stderr


def test_ctrl_c_keeps_the_blocks_and_tells(root, pair, whole, interrupted):
    folder, stderr = interrupted
    done = blocks_done(folder)
    assert stderr == (
        f"interrupted: {done} of 195 blocks are kept in '.out.partial'; go on with "
        "--resume\n"
    )
    assert [path.name for path in folder.iterdir()] == [".out.partial"]
    # what was there is not done again, and all of it is looked at before
    finish(start(root, folder, *pair, *CVA, "-o", "out", "--resume", "--threads", "1"))
    assert (folder / "out" / "run.json").exists()
    for name in ("difference.tif", "change.tif"):
        files = [np.array(_pixels(f / name)) for f in (folder / "out", whole[0])]
        assert np.array_equal(*files)


def _pixels(path):
    import rasterio

    with rasterio.open(path) as file:
        return file.read()


def test_what_is_left_is_refused_used_or_thrown_away(pair, interrupted):
    folder, _ = interrupted
    done = blocks_done(folder)
    how = {"method": "cva", "block_size": 16, "tile_size": 64}
    with pytest.raises(ResultExistsError, match=f"holds {done} finished blocks"):
        detect_change(*pair, folder / "out", ChangeOptions(**how))
    assert blocks_done(folder) == done
    others = [
        ({"method": "ssim"}, r"--method \(was cva, is ssim\)"),
        ({"block_size": 32}, r"--block-size \(was 16, is 32\)"),
        ({"bands": "1"}, r"--bands \(was not given, is 1\)"),
        ({"threshold": 0.5}, r"--threshold \(was auto, is 0.5\)"),
    ]
    for other, wanted in others:
        options = ChangeOptions(**how | other, resume=True)
        with pytest.raises(OptionError, match=wanted) as caught:
            detect_change(*pair, folder / "out", options)
        assert "\n" not in str(caught.value)
    assert blocks_done(folder) == done
    result = detect_change(
        *pair, folder / "out", ChangeOptions(**how | {"method": "ssim"}, overwrite=True)
    )
    assert result.record.method == "ssim"
    assert [path.name for path in folder.iterdir()] == ["out"]


def test_a_run_that_goes_on_and_is_stopped_at_once_tells_what_is_kept(
    pair, interrupted
):
    folder, _ = interrupted
    done = blocks_done(folder)
    how = ChangeOptions(method="cva", block_size=16, tile_size=64, resume=True)

    def stop(stage, _, __):
        if stage == "sampling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        detect_change(*pair, folder / "out", how, progress=stop)
    told = f"{done} blocks are kept in '.out.partial'; go on with --resume"
    assert caught.value.__notes__ == [told]
    assert blocks_done(folder) == done


def test_a_result_that_another_run_made_meanwhile_stays(pair, tmp_path, monkeypatch):
    from geosim import pipeline

    def slow(*_):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "run.json").write_text("another run's")
        return 64

    monkeypatch.setattr(pipeline, "choose_tile_size", slow)
    with pytest.raises(ResultExistsError, match="holds a result already"):
        detect_change(*pair, tmp_path / "out", ChangeOptions(method="cva"))
    assert (tmp_path / "out" / "run.json").read_text() == "another run's"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("left", [None, "", "[1]"])
def test_blocks_of_no_known_run_are_not_used(pair, interrupted, left):
    """A power cut may leave the blocks and not the words on whose they are."""
    folder, _ = interrupted
    key = folder / ".out.partial" / "key.json"
    key.unlink()
    if left is not None:
        key.write_text(left)
    how = {"method": "cva", "block_size": 16, "tile_size": 64}
    options = ChangeOptions(**how, normalize="none", resume=True)
    found = detect_change(*pair, folder / "out", options)
    wanted = detect_change(*pair, folder / "new", options)
    assert found.record.areas == wanted.record.areas
    difference = [_pixels(one.folder / "difference.tif") for one in (found, wanted)]
    assert np.array_equal(*difference)


def test_other_inputs_are_refused(interrupted, pair):
    folder, _ = interrupted
    done = blocks_done(folder)
    how = ChangeOptions(method="cva", block_size=16, tile_size=64, resume=True)
    content = pair[1].read_bytes()
    times = pair[1].stat()
    before, after = drawn_pair()
    before[:, :70, :90] = after[:, 150:, 200:] = 0
    after[:, 100, 100] += 1
    try:
        os.utime(pair[1], (1, 1))
        with pytest.raises(OptionError, match=r"the file '.*2020.tif'"):
            detect_change(*pair, folder / "out", how)
        write(pair[1], after, nodata=0)
        os.utime(pair[1], ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(OptionError, match="the pixels of the sample"):
            detect_change(*pair, folder / "out", how)
    finally:
        pair[1].write_bytes(content)
        os.utime(pair[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert blocks_done(folder) == done
    detect_change(*pair, folder / "out", how)


@pytest.mark.parametrize("how", ["replaced", "rewritten", "mask"])
def test_inputs_that_change_meanwhile_have_no_result(pair, tmp_path, how):
    """Else the record would tell the checksum of a file that was not compared."""
    names = [Path(shutil.copy(path, tmp_path)) for path in pair]
    size = drawn_pair()[0].shape[1:]
    mask = write(tmp_path / "mask.tif", np.zeros((1, *size), np.uint8))
    chosen = mask if how == "mask" else names[1]

    def replace(stage, done, total):
        if stage != "scoring" or done < total:
            return
        if how == "rewritten":
            chosen.write_bytes(chosen.read_bytes())
        else:
            Path(shutil.copy(names[0], tmp_path / "new")).replace(chosen)

    options = ChangeOptions(method="cva", mask_after=str(mask))
    with pytest.raises(RasterReadError, match=r"file '.*tif' was changed or replaced"):
        detect_change(*names, tmp_path / "out", options, progress=replace)
    assert not list(tmp_path.glob("*out*"))


def test_nothing_to_resume_simply_runs(pair, tmp_path):
    options = ChangeOptions(method="cva", resume=True)
    result = detect_change(*pair, tmp_path / "out", options)
    assert result.record.polygons
    with pytest.raises(ResultExistsError, match="holds a result already"):
        detect_change(*pair, tmp_path / "out", options)


def test_the_blocks_stay_those_of_the_interrupted_run(sample_pair, tmp_path):
    """Also where less memory is found, or more, or threads are other ones."""
    few = ChangeOptions(method="cva", worker_memory=500, threads=1)
    whole = detect_change(*sample_pair, tmp_path / "whole", few)

    def stop(stage, done, total):
        if stage == "scoring" and 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect_change(*sample_pair, tmp_path / "out", few, progress=stop)
    key = tmp_path / ".out.partial" / "key.json"
    planned = json.loads(key.read_text())["sizes"]
    more = ChangeOptions(method="cva", worker_memory=16_000, threads=2)
    result = detect_change(
        *sample_pair, tmp_path / "out", dataclasses.replace(more, resume=True)
    )
    assert max(planned["block columns"], planned["block rows"]) < 1000
    for name in ("difference.tif", "change.tif"):
        files = [np.array(_pixels(one.folder / name)) for one in (result, whole)]
        assert np.array_equal(*files), name


def test_two_runs_into_one_folder(pair, tmp_path):
    with (
        work_folder(tmp_path / "out"),
        pytest.raises(OutputError, match="another run is writing"),
    ):
        detect_change(*pair, tmp_path / "out", ChangeOptions(method="cva"))


def test_a_disk_that_fills_while_writing(pair, tmp_path, monkeypatch):
    """What was scored is kept: someone makes room and goes on."""
    from geosim.delivering import recording

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    how = {"method": "cva", "block_size": 16, "tile_size": 64}
    with monkeypatch.context() as patched:
        patched.setattr(recording, "read_asset", full)
        with pytest.raises(OSError, match="No space") as caught:
            detect_change(*pair, tmp_path / "out", ChangeOptions(**how))
    kept = "195 of 195 blocks are kept in '.out.partial'; go on with --resume"
    assert caught.value.__notes__ == [kept]
    detect_change(*pair, tmp_path / "out", ChangeOptions(**how, resume=True))
    assert (tmp_path / "out" / "difference.tif").exists()


# --- the journal


class Raster:
    """Counts how often it was flushed."""

    synced = 0

    def sync(self):
        self.synced += 1


def filled(work, count=5):
    """A journal with so many entries, all of them finished."""
    journal = Journal(work, [Raster()], 10)
    for number in range(count):
        journal.add({"a": np.arange(number), "b": np.float32([number])})
    journal.close()
    return journal


def test_journal_gives_back_what_was_added(tmp_path):
    work = WorkFolder(path=tmp_path)
    filled(work)
    journal = Journal(work, [Raster()], 10)
    assert journal.finished == 5
    held = list(journal.entries())
    assert [part["b"].tolist() for part in held] == [[n] for n in range(5)]
    assert [len(part["a"]) for part in held] == list(range(5))
    assert held[0]["b"].dtype == np.float32
    assert (work.keep, work.note[:12]) == (True, "5 of 10 bloc")


@pytest.mark.parametrize("cut", [1, 5, 12, 40, 300])
def test_a_journal_that_is_cut_or_damaged_ends_at_a_mark(tmp_path, cut):
    work = WorkFolder(path=tmp_path)
    filled(work)
    path = tmp_path / "blocks"
    content = path.read_bytes()
    for damaged in (
        content[:-cut],
        content[:-cut] + b"x" + content[len(content) - cut + 1 :],
    ):
        path.write_bytes(damaged)
        journal = Journal(work, [Raster()], 10)
        finished = journal.finished
        assert finished < 5
        journal.add({"b": np.float32([finished])})
        journal.close()
        again = Journal(work, [Raster()], 10)
        assert [int(part["b"][0]) for part in again.entries()] == list(
            range(finished + 1)
        )
        again.close()


def test_pixels_are_on_the_disk_before_a_block_counts(tmp_path):
    raster = Raster()
    journal = Journal(WorkFolder(path=tmp_path), [raster], 3)
    journal.add({})
    assert (journal.finished, raster.synced) == (1, 1)
    journal._due = time.monotonic() + 100
    journal.add({})
    assert (journal.finished, raster.synced) == (1, 1)
    assert finished_records(tmp_path / "blocks")[0] == 1
    journal.close()
    assert finished_records(tmp_path / "blocks")[0] == 2
