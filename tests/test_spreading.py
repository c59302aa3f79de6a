"""One pair on several workers: the same bytes as on one machine."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import wait_for, workers_of
from rasters import NORTH_UP, read, texture, write_pair

from geosim import ChangeOptions, ClusterOptions, detect_change
from geosim.errors import GeosimError, RasterReadError
from geosim.scoring.spreading import with_whole_names

HOW = ("--method", "irmad", "--block-size", "128", "--workers", "2")
RASTERS = ("change.tif", "difference.tif", "tiles.tif")


def ground(folder, side=700, moved=0):
    """A pair with changes, nodata in a corner; date 2 may lie elsewhere by pixels."""
    before = (texture(3, side, side) * 200 + 20).astype("uint8")
    after = np.roll(before, moved, axis=2) // 2 + 60
    after[:, 200:300, 350:500] = texture(3, 100, 150, seed=4) * 255
    before[:, :260, :260] = 0
    return write_pair(folder, before, after, nodata=0, transform=NORTH_UP)


def same_files(one, other):
    """Whether the rasters of two results hold the same values."""
    return all(
        np.array_equal(
            read(one.folder / name), read(other.folder / name), equal_nan=True
        )
        for name in RASTERS
    )


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        (ChangeOptions(method="irmad", block_size=128, threads=1), 0),
        pytest.param(
            ChangeOptions(method="ssim", block_size=256, threads=1, coregister=True),
            2,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ChangeOptions(block_size=256, threads=1), 0, marks=pytest.mark.slow
        ),
    ],
)
def test_same_result(tmp_path, options, moved):
    pair = ground(tmp_path, moved=moved)
    alone = detect_change(*pair, tmp_path / "alone", options)
    spread = detect_change(
        *pair, tmp_path / "spread", options, cluster=ClusterOptions(workers=2)
    )
    assert same_files(alone, spread)
    assert spread.record.polygons == alone.record.polygons > 0
    assert spread.record.threshold == alone.record.threshold
    assert spread.changes.geometry.equals(alone.changes.geometry)


def start(root, pair, folder, *arguments):
    """Start `geosim change` on two workers."""
    return subprocess.Popen(
        [
            sys.executable,
            str(root / "cli.py"),
            "change",
            *map(str, pair),
            *HOW,
            "-o",
            str(folder),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_blocks(folder, least):
    """Wait until so many bytes of blocks are there."""
    path = folder.parent / f".{folder.name}.partial" / "blocks"
    wait_for(lambda: path.exists() and path.stat().st_size > least)


@pytest.mark.slow
def test_a_lost_worker_and_an_interruption(root, tmp_path):
    pair = ground(tmp_path, side=3000)
    options = ChangeOptions(method="irmad", block_size=128)
    alone = detect_change(*pair, tmp_path / "alone", options)
    folder = tmp_path / "spread"
    with start(root, pair, folder) as process:
        wait_for_blocks(folder, 10_000)
        workers_of(process)[0].send_signal(signal.SIGKILL)
        wait_for_blocks(folder, 200_000)
        workers = workers_of(process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "blocks are kept" in stderr
    assert not any(worker.is_running() for worker in workers)
    with start(root, pair, folder, "--resume") as process:
        time.sleep(1)
        _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    again = detect_change(*pair, tmp_path / "again", options)
    for name in RASTERS:
        assert np.array_equal(
            read(folder / name), read(again.folder / name), equal_nan=True
        )
    assert same_files(alone, again)


@pytest.mark.slow
def test_a_raster_that_goes_away(tmp_path):
    pair = ground(tmp_path, side=1500)
    options = ChangeOptions(method="cva", block_size=64)
    began = []

    def progress(stage, done, total):
        del total
        if stage == "scoring" and done > 0 and not began:
            began.append(done)
            # the directory at its start stays: without it libtiff itself aborts
            os.truncate(pair[1], pair[1].stat().st_size // 2)

    with pytest.raises(GeosimError) as refusal:
        detect_change(
            *pair,
            tmp_path / "out",
            options,
            cluster=ClusterOptions(workers=1, retries=0),
            progress=progress,
        )
    assert isinstance(refusal.value, RasterReadError)
    assert not (tmp_path / "out").exists()
    shutil.rmtree(tmp_path / ".out.partial", ignore_errors=True)


def test_whose_grid_is_no_file_here(tmp_path, monkeypatch):
    """A date's name is none, whatever lies in the folder one is in."""
    monkeypatch.chdir(tmp_path)
    for name in ("before", "after", "third.tif"):
        (tmp_path / name).touch()
    for grid, told in (("before", "before"), ("after", "after")):
        assert with_whole_names(ChangeOptions(grid=grid)).grid == told
    third = with_whole_names(ChangeOptions(grid="third.tif"))
    assert third.grid == str(tmp_path / "third.tif")
