"""Many pairs on Dask: processes really started, workers really killed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import geopandas as gpd
import numpy as np
import psutil
import pytest
import rasterio
from processes import run_code, wait_for, workers_of
from rasters import drawn_pair, listing, read, texture, write, write_pair

from geosim import ChangeOptions, ClusterOptions, ImagePair, detect_change
from geosim.batch import detect_changes
from geosim.batching.cluster import local_workers, need
from geosim.errors import (
    ClusterError,
    MissingDependencyError,
    OptionError,
    OutputError,
    PairListError,
    ResultExistsError,
    WeightsError,
)
from geosim.raster.staging import work_folder, work_path
from geosim.scoring.journal import finished_blocks, remove_unfinished

CVA = ("--method", "cva")
RASTERS = ("change.tif", "difference.tif", "tiles.tif")


def start(root, *arguments, folder, **how):
    """Start `python cli.py batch ...`."""
    return subprocess.Popen(
        [sys.executable, str(root / "cli.py"), "batch", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def call(root, *arguments, folder):
    """Run it to its end: exit code, stdout, stderr."""
    with start(root, *arguments, folder=folder) as process:
        stdout, stderr = process.communicate(timeout=240)
    return process.returncode, stdout, stderr


def sites(folder, count, side=None):
    """Write pairs of the same file names in folders, and the list of them."""
    dates = drawn_pair()
    if side is not None:
        ground = np.tile(texture(3, 500, 500), (1, side // 500, side // 500))
        dates = (ground * 255).astype("uint8"), (ground[:, ::-1] * 255).astype("uint8")
    lines = ["before,after,dates"]
    for number in range(count):
        site = folder / f"site{number}"
        site.mkdir()
        write_pair(site, *(np.roll(date, 40 * number, axis=1) for date in dates))
        lines.append(f"site{number}/1990.tif,site{number}/2020.tif,1990/202{number}")
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(folder):
    """The summary."""
    with (folder / "summary.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def hidden(folder):
    """Staging folders and the like."""
    return [path for path in folder.rglob(".*") if path.is_dir()]


def in_work(process, folder):
    """A worker that holds the lock of a working folder under `folder`."""
    locks = {str(path / "lock") for path in hidden(folder)}
    for worker in workers_of(process):
        with suppress(psutil.Error):  # it may just have ended
            if locks & {file.path for file in worker.open_files()}:
                return worker
    return None


# --- from the list to the summary


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A batch of three good pairs and one that is missing, and what it told."""
    folder = tmp_path_factory.mktemp("batch")
    pairs = sites(folder, 3)
    with pairs.open("a", encoding="utf-8") as file:
        file.write("site0/1990.tif,missing.tif,\n")
    told = call(root, pairs, *CVA, "--workers", 2, "-v", folder=folder)
    return folder, told


def test_a_missing_raster_costs_the_others_nothing(finished):
    folder, (code, stdout, stderr) = finished
    assert code == 1, stderr
    table = dict(line.split(None, 1) for line in stdout.splitlines())
    assert (table["pairs"], table["done"], table["failed"]) == ("4", "3", "1")
    assert table["summary"] == "batch_pairs/summary.csv"
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: row 5: ")
    assert "missing.tif' as a raster: no such file" in errors[0]
    assert "tried 3 times" in errors[0]
    assert "Traceback" not in stderr
    assert hidden(folder) == []


def test_results_are_those_of_single_runs(finished, tmp_path):
    folder, _ = finished
    for number in range(3):
        site = folder / f"site{number}"
        options = ChangeOptions(method="cva", date_after=f"202{number}")
        alone = detect_change(
            site / "1990.tif", site / "2020.tif", tmp_path / f"{number}", options
        )
        result = folder / "batch_pairs" / f"change_site{number}_1990_2020"
        for name in RASTERS:
            assert np.array_equal(
                read(result / name), read(alone.folder / name), equal_nan=True
            )


def test_summary(finished):
    folder, _ = finished
    home = folder / "batch_pairs"
    found = rows(home)
    assert [row["status"] for row in found] == ["done"] * 3 + ["failed"]
    assert [row["row"] for row in found] == ["2", "3", "4", "5"]
    assert [row["date_after"] for row in found] == ["2020", "2021", "2022", ""]
    assert [row["date_before"] for row in found] == ["1990"] * 4  # by the name
    for row in found[:3]:
        item = json.loads((home / row["folder"] / "run.json").read_text())
        areas = item["properties"]["geosim:areas"]
        assert float(row["changed_ha"]) == pytest.approx(areas["changed_ha"])
        assert float(row["changed_percent"]) == pytest.approx(areas["changed_percent"])
        assert int(row["polygons"]) == item["properties"]["geosim:polygons"]
        assert float(row["threshold"]) == 0.25
        shift = item["properties"]["geosim:shift"]
        assert float(row["shift_rows"]) == pytest.approx(shift["rows"])
        assert row["error"] == ""
        assert row["notes"] == " ".join(item["properties"]["geosim:notes"])
        assert "colour and texture alone" in row["notes"]
    assert found[3]["notes"] == ""
    assert "no such file" in found[3]["error"]
    assert found[3]["polygons"] == ""


def test_summary_with_footprints(finished):
    home = finished[0] / "batch_pairs"
    table = gpd.read_parquet(home / "summary.parquet")
    assert table.crs.to_epsg() == 4326
    assert list(table["status"]) == [row["status"] for row in rows(home)]
    with rasterio.open(home / table["folder"][0] / "change.tif") as raster:
        bounds = rasterio.warp.transform_bounds(raster.crs, 4326, *raster.bounds)
    assert table.geometry[0].bounds == pytest.approx(bounds, abs=1e-6)
    assert table.geometry[3] is None
    assert list(table["notes"].fillna("")) == [row["notes"] for row in rows(home)]


def test_resume_makes_what_is_missing_or_other(root, finished):
    folder, _ = finished
    home = folder / "batch_pairs"
    before = {path.name: listing(path) for path in home.iterdir() if path.is_dir()}
    (home / "change_site1_1990_2020" / "change.tif").unlink()
    pairs = folder / "pairs.csv"
    pairs.write_text(
        pairs.read_text().replace("1990/2022", "1991/2022").rsplit("site0", 1)[0]
    )
    code, stdout, stderr = call(
        root, pairs, *CVA, "--workers", 1, "--resume", "--json", folder=folder
    )
    assert code == 0, stderr
    told = json.loads(stdout)
    assert [one["status"] for one in told] == ["skipped", "done", "done"]
    assert [row["status"] for row in rows(home)] == ["skipped", "done", "done"]
    assert listing(home / "change_site0_1990_2020") == before["change_site0_1990_2020"]
    assert told[2]["record"]["before"]["date"] == "1991"
    # with nothing left to do no worker is started
    code, stdout, stderr = call(root, pairs, *CVA, "--resume", folder=folder)
    assert code == 0, stderr
    table = dict(line.split(None, 1) for line in stdout.splitlines())
    assert (table["skipped"], table["done"]) == ("3", "0")


# --- refused before any work begins


def test_bad_list(commands, tmp_path):
    (tmp_path / "pairs.csv").write_text("before,after\na.tif,b.tif\nc.tif,\n")
    code, stdout, stderr = commands(tmp_path, "batch", "pairs.csv")
    assert (code, stdout) == (1, "")
    assert stderr == (
        "error: 'pairs.csv' row 3: the column 'after' is empty; give a raster\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def pair(before, after, out=None):
    return ImagePair(before=str(before), after=str(after), out=out)


def test_two_pairs_in_one_folder(tmp_path):
    twice = [pair("a.tif", "b.tif", tmp_path / "x"), pair("c", "d", tmp_path / "x")]
    with pytest.raises(PairListError, match="folder of its own"):
        detect_changes(twice, tmp_path / "out")
    with pytest.raises(PairListError, match="folder of its own"):
        detect_changes([pair("a/1.tif", "a/2.tif")] * 2, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_is_there(tmp_path):
    home = tmp_path / "out"
    place = home / "change_1990_2020"
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    before, after = write_pair(tmp_path, *drawn_pair())
    with pytest.raises(ResultExistsError, match="--resume or replace all"):
        detect_changes([pair(before, after)], home)
    assert sorted(path.name for path in home.iterdir()) == ["change_1990_2020"]


@pytest.mark.parametrize("other", ["w", "./sub/../w", "link/w"])
def test_one_folder_under_two_names(tmp_path, other):
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    before, after = write_pair(tmp_path, *drawn_pair())
    named = [str(tmp_path / "w"), f"{tmp_path}/{other}"]
    with pytest.raises(PairListError, match="folder of its own"):
        detect_changes([pair(before, after, out) for out in named], tmp_path / "out")


def test_what_another_run_works_on_is_no_leftover(tmp_path):
    out = tmp_path / "out"
    with work_folder(out) as work:
        (work.path / "pairs.work").write_bytes(b"its pixels")
        remove_unfinished(out)
        assert (work.path / "pairs.work").exists()
        work.keep = True
    work_path(out).mkdir(exist_ok=True)
    remove_unfinished(out)
    assert not work_path(out).exists()


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    options = ChangeOptions(method="cva", resume=True, overwrite=True)
    before, after = write_pair(tmp_path, *drawn_pair())
    with pytest.raises(OptionError, match="give one of them"):
        detect_changes([pair(before, after)], tmp_path / "out", options)


def test_a_folder_that_cannot_be_made(tmp_path):
    file = write(tmp_path / "file.tif", drawn_pair()[0])
    options = ChangeOptions(method="cva")
    with pytest.raises(OutputError, match=r"file\.tif'; choose another folder"):
        detect_changes([pair("a", "b")], file / "out", options)


def test_no_pairs(tmp_path):
    with pytest.raises(PairListError, match="at least one"):
        detect_changes([], tmp_path / "out")


def test_weights_that_are_not_there(tmp_path):
    options = ChangeOptions(weights="nowhere.safetensors")
    with pytest.raises(WeightsError):
        detect_changes([pair("a", "b")], tmp_path / "out", options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"retries": -1}, {"workers": 2, "scheduler": "tcp://a:1"}],
)
def test_options_of_a_cluster(wrong):
    with pytest.raises(OptionError):
        ClusterOptions(**wrong)


def test_no_scheduler_there(tmp_path, monkeypatch):
    monkeypatch.setattr("geosim.batching.cluster.CONNECT_S", 1.0)
    cluster = ClusterOptions(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match="no Dask scheduler answers"):
        detect_changes([pair("a", "b")], tmp_path / "out", None, cluster)


def test_workers_of_this_machine():
    cores = len(os.sched_getaffinity(0))
    alone, small = ClusterOptions(), ChangeOptions(memory=500)
    assert local_workers(alone, small, 1) == (1, cores)
    assert local_workers(alone, ChangeOptions(memory=10**9), 1000) == (1, cores)
    workers, threads = local_workers(alone, small, 1000)
    assert workers * threads <= cores
    whole = ChangeOptions(memory=500, threads=cores)
    assert local_workers(alone, whole, 1000) == (1, cores)
    assert local_workers(ClusterOptions(workers=2 * cores), small, 9) == (2 * cores, 1)


def test_change_does_not_import_dask(tmp_path):
    before, after = write_pair(tmp_path, *drawn_pair())
    code = (
        "import sys\n"
        "from geosim import ChangeOptions, detect_change\n"
        "detect_change(*sys.argv[1:], ChangeOptions(method='cva'))\n"
        "print({name.split('.')[0] for name in sys.modules})"
    )
    done = run_code(code, before, after, tmp_path / "out")
    assert "'geosim'" in done.stdout
    assert not {"'dask'", "'distributed'", "'pyarrow.parquet'"} & set(
        done.stdout.strip("{}\n").split(", ")
    )


# --- workers lost, work interrupted


def test_a_killed_worker_loses_no_pair(root, tmp_path):
    pairs = sites(tmp_path, 2, side=1000)
    with start(root, pairs, *CVA, "--workers", 2, "--json", folder=tmp_path) as process:
        wait_for(lambda: in_work(process, tmp_path)).send_signal(signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    told = json.loads(stdout)
    assert [one["status"] for one in told] == ["done"] * 2
    assert sorted(one["attempts"] for one in told) == [1, 2]
    assert hidden(tmp_path) == []


@pytest.mark.slow
def test_a_pair_that_always_kills_its_worker_is_given_up(root, tmp_path):
    pairs = sites(tmp_path, 1, side=3000)
    with start(
        root, pairs, *CVA, "--workers", 1, "--retries", 1, folder=tmp_path
    ) as process:
        for _ in range(2):
            worker = wait_for(lambda: in_work(process, tmp_path))
            worker.send_signal(signal.SIGKILL)
            worker.wait(60)
        _, stderr = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "its worker was lost while it ran" in stderr
    assert "tried 2 times" in stderr
    assert [row["status"] for row in rows(tmp_path / "batch_pairs")] == ["failed"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(root, tmp_path, number):
    sites(tmp_path, 2, side=3000)
    site = tmp_path / "tiny"
    site.mkdir()
    write_pair(site, *drawn_pair())
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "before,after\ntiny/1990.tif,tiny/2020.tif\nsite0/1990.tif,site0/2020.tif\n"
        "site1/1990.tif,site1/2020.tif\n"
    )
    home = tmp_path / "batch_pairs"
    # as a terminal does: the signal goes to all processes of the group
    with start(
        root, pairs, *CVA, "--workers", 1, folder=tmp_path, start_new_session=True
    ) as process:
        wait_for((home / "change_tiny_1990_2020" / "run.json").exists)
        wait_for(lambda: hidden(tmp_path))
        workers = workers_of(process)
        os.killpg(process.pid, number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (stdout, stderr) == (
        "",
        "interrupted: finished pairs are kept; --resume goes on with the others\n",
    )
    shown = [path.name for path in home.iterdir() if path not in hidden(home)]
    assert shown == ["change_tiny_1990_2020"]
    # what was begun is there only where --resume finds blocks in it
    for path in hidden(home):
        assert finished_blocks(home / path.name[1:].removesuffix(".partial"))
    assert not any(worker.is_running() for worker in workers)
    shutil.rmtree(tmp_path / "site1")
    pairs.write_text("\n".join(pairs.read_text().splitlines()[:3]))
    code, stdout, stderr = call(root, pairs, *CVA, "--resume", folder=tmp_path)
    assert code == 0, stderr
    assert "skipped     1" in stdout


@contextmanager
def running_scheduler(folder, workers):
    """A scheduler with workers of two threads: (its process, its address)."""
    address = folder / "scheduler.json"
    common = [sys.executable, "-m", "dask"]
    where = ["--scheduler-file", str(address)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [*common, "scheduler", "--no-dashboard", "--port", "0", *where], **quiet
    ) as chief:
        wait_for(address.exists)
        with subprocess.Popen(
            [*common, "worker", "--nworkers", str(workers), "--nthreads", "2", *where],
            cwd=folder,
            **quiet,
        ) as crew:
            yield chief, wait_for(lambda: json.loads(address.read_text())["address"])
            crew.terminate()
        chief.terminate()


@pytest.mark.slow
def test_a_scheduler_that_runs_already(root, tmp_path):
    pairs = sites(tmp_path, 3)
    with running_scheduler(tmp_path, workers=2) as (_, address):
        code, stdout, stderr = call(
            root, pairs, *CVA, "--scheduler", address, "--json", folder=tmp_path
        )
    assert code == 0, stderr
    told = json.loads(stdout)
    assert [one["status"] for one in told] == ["done"] * 3
    assert [Path(one["folder"]).is_dir() for one in told] == [True] * 3
    assert {one["record"]["options"]["threads"] for one in told} == {2}


def test_the_extra_is_missing():
    with pytest.raises(MissingDependencyError, match=r"pip install 'geosim\[batch\]'"):
        need("geosim_no_such_module")


@pytest.mark.slow
def test_a_scheduler_that_goes_away(root, tmp_path):
    sites(tmp_path, 2, side=2000)
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from geosim import ChangeOptions, ClusterOptions, detect_changes\n"
        "from geosim.batching import tasks\n"
        "tasks.PATIENCE_S = 3.0\n"
        "found = detect_changes('pairs.csv', 'out', ChangeOptions(method='cva'),\n"
        "    ClusterOptions(scheduler=sys.argv[1]))\n"
        "print(*(one.error for one in found), sep='\\n')\n"
    )
    with running_scheduler(tmp_path, workers=1) as (chief, address):
        command = [sys.executable, str(script), address]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as process:
            wait_for(lambda: hidden(tmp_path))
            chief.kill()
            stdout, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert stdout.count("no worker is left") == 2


@pytest.mark.slow
def test_a_script_without_a_guard(root, tmp_path):
    pairs = sites(tmp_path, 2)
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from geosim import ChangeOptions, ClusterOptions, detect_changes\n"
        "print('once')\n"
        f"found = detect_changes({str(pairs)!r}, 'out', ChangeOptions(method='cva'),\n"
        "    ClusterOptions(workers=2))\n"
        "print(*(one.status for one in found))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "once\ndone done\n"), done.stderr
