"""Output folders on another disk than what lies beside them: mounted ones and links."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change, detect_series, open_result
from geosim.errors import OutputError, ResultExistsError
from geosim.raster.staging import work_folder, work_path
from geosim.scoring.journal import finished_blocks

CVA = {"method": "cva", "block_size": 64, "tile_size": 64}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), *drawn_pair())


@pytest.fixture
def linked(tmp_path):
    """A link to a folder on another disk, as `out`."""
    memory = Path("/dev/shm")  # noqa: S108 - a disk, not a name for a file
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second disk")
    with tempfile.TemporaryDirectory(dir=memory) as place:
        link = tmp_path / "out"
        link.symlink_to(place)
        yield link


@pytest.fixture
def mounted(tmp_path):
    """A folder of the same disk that is mounted as `out`, as into a container."""
    source, folder = tmp_path / "elsewhere", tmp_path / "out"
    source.mkdir()
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount):
        pytest.skip("no mount command")
    command = [mount, "--bind", str(source), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


@pytest.fixture(params=["linked", "mounted"])
def out(request):
    return request.getfixturevalue(request.param)


def interrupt(stage, done, total):
    if stage == "scoring" and 2 * done > total:
        raise KeyboardInterrupt


def test_a_result_comes_onto_another_disk(pair, out):
    (out / "foreign.txt").write_text("mine")
    beside = set(out.parent.iterdir())
    result = detect_change(*pair, out, ChangeOptions(**CVA))
    assert (
        open_result(out).record.to_dict()["areas"] == result.record.to_dict()["areas"]
    )
    detect_change(*pair, out, ChangeOptions(**CVA, overwrite=True))
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == set()
    assert (out / "foreign.txt").read_text() == "mine"
    assert set(out.parent.iterdir()) == beside


def test_an_interrupted_run_goes_on_on_another_disk(pair, out):
    with pytest.raises(KeyboardInterrupt) as caught:
        detect_change(*pair, out, ChangeOptions(**CVA), progress=interrupt)
    assert f"kept in '{out}/.partial'; go on with --resume" in caught.value.__notes__[0]
    assert [path.name for path in out.iterdir()] == [".partial"]
    finished = finished_blocks(out)
    assert finished
    with pytest.raises(ResultExistsError, match=f"'{out}/.partial' holds {finished}"):
        detect_change(*pair, out, ChangeOptions(**CVA))
    detect_change(*pair, out, ChangeOptions(**CVA, resume=True))
    assert open_result(out).record.polygons
    assert not work_path(out).exists()


def test_a_series_comes_onto_another_disk(pair, out):
    options = ChangeOptions(method="cva", threshold=0.5)
    detect_series(pair, out, options)
    run = out / "pairs" / "1990_2020" / "run.json"
    made = run.stat().st_mtime_ns
    options = ChangeOptions(method="cva", threshold=0.5, resume=True)
    result = detect_series(pair, out, options)
    assert run.stat().st_mtime_ns == made
    assert all(path.exists() for path in result.paths.values())
    assert not work_path(out).exists()


def test_a_link_on_one_disk_has_its_working_folder_beside(pair, tmp_path):
    (tmp_path / "place").mkdir()
    link = tmp_path / "out"
    link.symlink_to("place")
    with work_folder(link) as work:
        assert work.path == tmp_path / ".out.partial"
        assert work.told == ".out.partial"
    detect_change(*pair, link, ChangeOptions(**CVA))
    assert link.is_symlink()
    assert open_result(tmp_path / "place").record.polygons


@pytest.mark.parametrize("name", [".", "..", "x/..", "../here", "../here/."])
def test_the_folder_one_is_in_has_a_working_folder_of_its_own(
    pair, tmp_path, monkeypatch, name
):
    from geosim_processing.running import partial_of

    for each in ("here/below", "here/x", "beside"):
        (tmp_path / each).mkdir(parents=True)
    inside = tmp_path / "here" / ("below" if name == ".." else "")
    monkeypatch.chdir(inside)
    wanted = tmp_path / ".here.partial"
    assert work_path(Path(name)) == wanted
    assert partial_of(name) == wanted
    assert work_path(tmp_path / "beside" / ".." / "here") == wanted
    if name == ".":
        result = detect_change(*pair, name, ChangeOptions(**CVA))
        assert (tmp_path / "here" / "run.json").is_file()
        assert result.record.polygons


def test_a_link_that_leads_nowhere_is_refused_before_any_work(pair, tmp_path):
    link = tmp_path / "out"
    link.symlink_to("not mounted")

    def never(*_):
        raise AssertionError

    with pytest.raises(OutputError, match="is a link to 'not mounted', which is not"):
        detect_change(*pair, link, ChangeOptions(**CVA), progress=never)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_plugin_knows_where_the_work_is_done(out):
    from geosim_processing.running import partial_of

    for folder in (out, out / "new", out.parent / "new"):
        assert partial_of(str(folder)) == work_path(folder)


@pytest.mark.parametrize("name", ["report.pdf", "changes.geojson"])
def test_files_of_ones_own_are_not_taken_for_an_earlier_result(pair, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(ResultExistsError, match=name):
        detect_change(*pair, out, ChangeOptions(**CVA))
    # the same words allow to replace files of these names, but only where one is made
    detect_change(*pair, out, ChangeOptions(**CVA, overwrite=True))
    assert (out / name).read_text() == "mine"
    # now it lies beside a result, as if that had been asked for it
    detect_change(*pair, out, ChangeOptions(**CVA, overwrite=True))
    assert not (out / name).exists()


def test_what_others_keep_of_a_file_goes_with_it(pair, tmp_path):
    """A journal that is still open would be played into the new GeoPackage."""
    out = tmp_path / "out"
    detect_change(*pair, out, ChangeOptions(**CVA))
    with closing(sqlite3.connect(out / "changes.gpkg")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE mine (a)")
        database.execute("INSERT INTO mine VALUES (zeroblob(20000))")
        database.commit()
        assert (out / "changes.gpkg-wal").exists()
        (out / "change.tif.aux.xml").write_text("<PAMDataset/>")
        swapped = detect_change(
            *reversed(pair), out, ChangeOptions(**CVA, overwrite=True)
        )
    with closing(sqlite3.connect(out / "changes.gpkg")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(swapped.changes) == swapped.record.polygons
    assert not (out / "change.tif.aux.xml").exists()


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x7fb/c"])
def test_names_with_control_characters(pair, tmp_path, name):
    with pytest.raises(OutputError, match="choose another with -o") as caught:
        detect_change(*pair, tmp_path / name, ChangeOptions(**CVA))
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_names_that_no_disk_takes(pair, tmp_path):
    with pytest.raises(OutputError, match=r"'aaa.*' cannot be the name of a folder"):
        detect_change(*pair, tmp_path / ("a" * 256), ChangeOptions(**CVA))


RACE = """
import os, sys, time
from pathlib import Path
from geosim.errors import OutputError
from geosim.raster.staging import work_folder

ends, held = time.time() + 3, 0
while time.time() < ends:
    try:
        with work_folder(Path("out")) as work:
            work.keep = held % 3 == 0
            mine = os.open(work.path / "mine", os.O_CREAT | os.O_EXCL)
            os.close(mine)
            held += 1
            (work.path / "mine").unlink()
    except OutputError as error:
        assert "another run is writing" in str(error) or "other runs" in str(error)
print(held)
"""


def test_one_run_at_a_time_has_the_working_folder(tmp_path):
    """Also while others make and remove it."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RACE], cwd=tmp_path, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    held = [int(run.communicate(timeout=60)[0] or 0) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert min(held) > 0
