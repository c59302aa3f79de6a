"""Finished results, opened again and compared with what is wanted."""

import dataclasses
import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasters import drawn_pair, write, write_pair

from geosim import ChangeOptions, MinArea, detect_change, open_result
from geosim.delivering.finished import _lies_otherwise, _noted_since, same_run
from geosim.errors import OutputError
from geosim.raster.files import files_of
from geosim.raster.staging import publish_folder
from geosim.result import RECORD
from geosim.siamese.weights import load_weights

CVA = ChangeOptions(method="cva")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Inputs and result of a run."""
    folder = tmp_path_factory.mktemp("finished")
    pair = write_pair(folder, *drawn_pair())
    return *map(str, pair), detect_change(*pair, folder / "out", CVA)


def test_the_record_comes_back_as_it_was(run):
    *_, result = run
    again = open_result(result.folder)
    made = dataclasses.replace(result.record, created=again.record.created)
    assert again.record.to_dict() == made.to_dict()
    assert abs(result.record.created - again.record.created).total_seconds() < 1
    assert again.record.grid.transform == result.record.grid.transform
    assert isinstance(again.record.before.bands, tuple)
    assert len(again.changes) == result.record.polygons


def test_the_record_of_the_network_too(sample_result):
    again = open_result(sample_result.folder).record
    assert again.weights == sample_result.record.weights
    assert again.shift == sample_result.record.shift


def test_same(run):
    before, after, result = run
    assert same_run(open_result(result.folder).record, before, after, CVA, None)


@pytest.mark.parametrize("other", [{"threads": 1}, {"memory": 700}, {"block_size": 64}])
def test_how_the_work_is_cut_makes_no_other_result(run, other):
    before, after, result = run
    options = dataclasses.replace(CVA, overwrite=True, **other)
    assert same_run(result.record, before, after, options, None)


@pytest.mark.parametrize(
    "other",
    [
        {"method": "irmad"},
        {"threshold": 0.5},
        {"tile_size": 64},
        {"min_area": MinArea(value=51, unit="px")},
        {"bands": "1,2"},
        {"date_before": "1990-05"},
        {"creation_options": (("COMPRESS", "ZSTD"),)},
        {"bounds": (500_000.0, 5_399_900.0, 500_100.0, 5_400_000.0)},
    ],
)
def test_another_option_makes_another_result(run, other):
    before, after, result = run
    options = dataclasses.replace(CVA, **other)
    assert not same_run(result.record, before, after, options, None)


def test_options_that_come_back_from_json_as_lists(tmp_path, run):
    before, after, _ = run
    options = dataclasses.replace(
        CVA,
        bounds=(500_000.0, 5_399_900.0, 500_100.0, 5_400_000.0),
        creation_options=(("COMPRESS", "ZSTD"),),
        min_area=MinArea(value=2.5, unit="m2"),
    )
    detect_change(before, after, tmp_path / "out", options)
    record = open_result(tmp_path / "out").record
    assert same_run(record, before, after, options, None)


def test_other_inputs(run):
    before, after, result = run
    assert not same_run(result.record, after, before, CVA, None)


def test_an_input_that_was_changed_since(tmp_path):
    before, after = map(str, write_pair(tmp_path, *drawn_pair()))
    record = detect_change(before, after, tmp_path / "out", CVA).record
    assert same_run(record, before, after, CVA, None)
    later = time.time() + 10
    os.utime(after, (later, later))
    assert not same_run(record, before, after, CVA, None)


def replace_by_an_older(path, values, **how):
    """Move another file into its place, with the times of the first."""
    times = path.stat()
    other = write(path.with_name("other.tif"), values, **how)
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("how", [{"compress": "deflate"}, {}])
def test_an_input_that_an_older_file_replaced(tmp_path, how):
    """Of another size, and of the same size with other pixels."""
    before, after = drawn_pair()
    paths = write_pair(tmp_path, before, after)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    names, size = tuple(map(str, paths)), paths[1].stat().st_size
    record = detect_change(*paths, tmp_path / "out", CVA).record
    time.sleep(0.05)  # the disk's clock is coarser than the record's
    replace_by_an_older(paths[1], after[:, ::-1], **how)
    assert (paths[1].stat().st_size == size) is not bool(how)
    assert not same_run(record, *names, CVA, None)


@pytest.mark.parametrize("option", ["mask_before", "mask_after", "grid"])
def test_a_mask_that_an_older_file_replaced(tmp_path, option):
    """Its time of change kept, as 'cp -p' and 'rsync -a' do: its entry has its own."""
    pair = write_pair(tmp_path, *drawn_pair())
    other = write(tmp_path / "other.tif", np.zeros((1, 200, 240), np.uint8))
    options = dataclasses.replace(CVA, **{option: str(other)})
    record = detect_change(*pair, tmp_path / "out", options).record
    names = *map(str, pair), options, None
    assert same_run(record, *names)
    older = write(tmp_path / "older.tif", np.ones((1, 200, 240), np.uint8))
    before = record.created.timestamp() - 3600
    os.utime(older, (before, before))
    time.sleep(max(record.created.timestamp() + 1.1 - time.time(), 0))
    shutil.copy2(older, other)
    assert not same_run(record, *names)


def test_inputs_that_were_moved_or_copied_are_the_same(tmp_path):
    paths = write_pair(tmp_path, *drawn_pair())
    record = detect_change(*paths, tmp_path / "out", CVA).record
    time.sleep(0.05)
    for path in paths:
        shutil.copy2(path, tmp_path / "copy.tif")
        (tmp_path / "copy.tif").replace(path)
    assert same_run(record, *map(str, paths), CVA, None)
    paths[1].unlink()  # what is no file here is known by its name
    assert same_run(record, *map(str, paths), CVA, None)


def virtual(folder, name, source):
    """A VRT of another raster."""
    path = folder / name
    with rasterio.open(source) as dataset:
        rasterio.shutil.copy(dataset, path, driver="VRT")
    if source.suffix == ".vrt":  # GDAL names the first file at once
        text = path.read_text(encoding="utf-8")
        first = text.split("</SourceFilename>")[0].split(">")[-1]
        path.write_text(text.replace(first, source.name), encoding="utf-8")
    return path


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("keeps_its_time", [True, False])
def test_a_source_of_a_vrt_that_was_replaced(tmp_path, depth, keeps_its_time):
    before, after = drawn_pair()
    paths = write_pair(tmp_path, before, after)
    source, virtually = paths[1], paths[1]
    for number in range(depth):
        virtually = virtual(tmp_path, f"{number}.vrt", virtually)
    assert str(source) in {
        str(Path(tmp_path, name)) for name in files_of(str(virtually))
    }
    names = str(paths[0]), str(virtually)
    record = detect_change(*names, tmp_path / "out", CVA).record
    assert same_run(record, *names, CVA, None)
    time.sleep(0.05)  # the disk's clock is coarser than the record's
    if keeps_its_time:
        replace_by_an_older(source, after[:, ::-1])
    else:
        later = time.time() + 10
        os.utime(source, (later, later))
    assert not same_run(record, *names, CVA, None)


def test_what_lies_beside_a_raster(tmp_path):
    """Overviews and statistics leave the result, a mask does not."""
    before, after = drawn_pair()
    paths = write_pair(tmp_path, before, after)
    names, later = tuple(map(str, paths)), time.time() + 10
    record = detect_change(*names, tmp_path / "out", CVA).record
    for name in ("t2.tif.ovr", "t2.tif.aux.xml", "t2.tif.msk"):
        beside = paths[1].with_name(name.replace("t2.tif", paths[1].name))
        if name.endswith("xml"):
            beside.write_text("<PAMDataset/>")
        else:
            write(beside, after[:1])
        os.utime(beside, (later, later))
        assert same_run(record, *names, CVA, None) is not name.endswith("msk")


@pytest.mark.parametrize("what", ["place", "nodata", "elsewhere"])
def test_a_georeference_beside_a_picture_that_was_edited(tmp_path, what):
    """In PNG and JPEG, `gdal_edit.py` notes it in an .aux.xml."""
    paths = [tmp_path / "t1.png", tmp_path / "t2.png"]
    for path, values in zip(paths, drawn_pair(), strict=True):
        write(path, values, driver="PNG")
    names = tuple(map(str, paths))
    record = detect_change(*names, tmp_path / "out", CVA).record
    record = dataclasses.replace(record, created=record.created.replace(year=2020))
    later = record.created.timestamp()
    for path in paths:
        os.utime(path, (later, later))
    notes = tmp_path / "t2.png.aux.xml"
    notes.write_text(notes.read_text().replace("</PAMDataset>", " </PAMDataset>"))
    assert not _lies_otherwise(record, *names, CVA)
    with rasterio.open(paths[1], "r+") as edited:
        if what == "nodata":
            edited.nodata = 7
        else:
            far = 1_000_000 if what == "elsewhere" else 20
            edited.transform = Affine.translation(far, 0) @ edited.transform
    assert _noted_since(names[1], record)
    assert _lies_otherwise(record, *names, CVA)


def test_other_weights(sample_pair, sample_result):
    record, options = sample_result.record, ChangeOptions()
    names = tuple(map(str, sample_pair))
    checksum = load_weights(options.weights).record.sha256
    assert same_run(record, *names, options, checksum)
    assert not same_run(record, *names, options, "0" * 64)


def test_what_is_no_result(run, tmp_path):
    *_, result = run
    with pytest.raises(OutputError, match="must hold a result"):
        open_result(tmp_path / "nowhere")
    folder = shutil.copytree(result.folder, tmp_path / "result")
    (folder / "report.html").write_text("cut", encoding="utf-8")
    with pytest.raises(OutputError, match=r"report.html' has 3 bytes where run.json"):
        open_result(folder)
    (folder / "report.html").unlink()
    with pytest.raises(OutputError, match="No such file"):
        open_result(folder)
    for text in ("{", "[]", json.dumps({"properties": {}})):
        (folder / "run.json").write_text(text, encoding="utf-8")
        with pytest.raises(OutputError, match="must hold a result"):
            open_result(folder)


def test_a_result_that_is_half_replaced_is_not_taken_for_a_whole_one(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    for folder in (new, old):
        folder.mkdir()
        for name in ("change.tif", RECORD):
            (folder / name).write_text(folder.name)
    (new / "tiles.tif").write_text("new")
    (old / "tiles.tif").mkdir()  # in the way
    with pytest.raises(OutputError, match="cannot write"):
        publish_folder(new, old, RECORD)
    assert (old / "change.tif").read_text() == "new"
    assert not (old / RECORD).exists()
    (old / "tiles.tif").rmdir()
    publish_folder(new, old, RECORD)
    assert {path.read_text() for path in old.iterdir()} == {"new"}


def test_an_archive_that_was_replaced(tmp_path):
    """What lies in it has no entry on the disk."""
    before, after = write_pair(tmp_path, *drawn_pair())
    archive = tmp_path / "scenes.zip"

    def pack():
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(after, "2020.tif")

    pack()
    names = str(before), f"/vsizip/{archive}/2020.tif"
    assert files_of(names[1]) == (names[1], str(archive))
    record = detect_change(*names, tmp_path / "out", CVA).record
    assert same_run(record, *names, CVA, None)
    time.sleep(max(record.created.timestamp() + 1.1 - time.time(), 0))
    pack()
    assert not same_run(record, *names, CVA, None)
