"""Indexing, searching and grouping real files; the commands."""

import csv
import io
import json
import os
import shutil
import sqlite3
import sys

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from pictures import avif_of_noughts, orientation_and_resolution, resolution_as_text
from PIL import ExifTags, Image, ImageDraw
from rasterio.control import GroundControlPoint
from rasters import NORTH_UP, UTM, texture, write
from typer.testing import CliRunner

from geosim import (
    IndexOptions,
    SearchOptions,
    build_index,
    find_pairs,
    rank_models,
    search_index,
)
from geosim.cli import app
from geosim.errors import (
    IndexFileError,
    LabelError,
    MissingDependencyError,
    NoDataError,
    OptionError,
    RasterReadError,
    ResultExistsError,
)
from geosim.images.decoding import FORMATS
from geosim.images.models import open_model
from geosim.images.reading import read_picture
from geosim.retrieval import approximate
from geosim.retrieval.index_file import open_index
from geosim.retrieval.indexing import describe_source, read_one
from geosim.retrieval.tiles import open_tiles, starts

av = pytest.importorskip("av")

QUICK = IndexOptions(model="ssim")


def picture(seed, side=96):
    """Discs and boxes of any colour on a ground of its own."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for number in range(14):
        corner, size = rng.integers(0, side, 2), rng.integers(side // 12, side // 3, 2)
        box = [*corner.tolist(), *(corner + size).tolist()]
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def put(folder, seeds=range(6), **how):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        picture(seed, **how).save(folder / f"{seed}.png")
    return folder


def names(index):
    found = open_index(index)
    return sorted(entry.name for entry in found.entries(range(len(found))))


@pytest.fixture(scope="module")
def network():
    return open_model("siamese", threads=2)


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def call(*arguments):
    """The command in this process."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_only_what_is_new_is_embedded(tmp_path):
    folder = put(tmp_path / "pictures")
    put(folder / "below", [9])
    (folder / "notes.txt").write_text("no picture")
    (folder / "bad.jpg").write_text("no picture either")
    first = build_index(folder, tmp_path / "i", QUICK)
    assert (first.added, first.removed, first.total) == (7, 0, 7)
    (skipped,) = first.skipped
    assert skipped.startswith("bad.jpg: is no picture that can be read; wanted is")
    before = open_index(tmp_path / "i").embeddings

    again = build_index(folder, tmp_path / "i", QUICK)
    assert (again.added, again.removed, again.total) == (0, 0, 7)
    assert np.array_equal(open_index(tmp_path / "i").embeddings, before)

    (folder / "0.png").unlink()
    picture(40).save(folder / "1.png")
    os.utime(folder / "1.png", ns=(1, 1))
    put(folder, [10])
    third = build_index(folder, tmp_path / "i", QUICK)
    assert (third.added, third.removed, third.total) == (2, 1, 7)
    assert names(tmp_path / "i") == [
        *("1.png", "10.png", "2.png", "3.png", "4.png", "5.png"),
        "below/9.png",
    ]
    fresh = build_index(
        folder, tmp_path / "i", IndexOptions(model="ssim", rebuild=True)
    )
    assert (fresh.added, fresh.total) == (7, 7)


def test_damaged_pictures_are_skipped(tmp_path):
    folder = put(tmp_path / "pictures", range(2), side=32)
    jpeg = io.BytesIO()
    picture(2, side=32).save(jpeg, "JPEG", exif=orientation_and_resolution(6))
    (folder / "exif.jpg").write_bytes(resolution_as_text(jpeg.getvalue()))
    (folder / "cut.jpg").write_bytes(jpeg.getvalue()[:700])
    skipped = ["cut.jpg"]
    if "AVIF" in FORMATS:
        (folder / "bad.avif").write_bytes(avif_of_noughts(picture(2, side=32)))
        skipped.insert(0, "bad.avif")
    result = build_index(folder, tmp_path / "i", QUICK)
    assert names(tmp_path / "i") == ["0.png", "1.png", "exif.jpg"]
    assert [one.partition(":")[0] for one in sorted(result.skipped)] == skipped
    assert all("is damaged or cut short" in one for one in result.skipped)


def test_names_that_are_no_text_are_skipped(tmp_path):
    folder = put(tmp_path / "pictures", range(2), side=32)
    odd = os.fsencode(folder) + b"/\xff.png"
    try:
        os.link(folder / "0.png", odd)
    except OSError:
        pytest.skip("the file system takes no such names")
    result = build_index(folder, tmp_path / "i", QUICK)
    assert result.total == 2
    assert result.skipped == ("?.png: its name is not in UTF-8; rename it",)


def test_an_interrupted_index_goes_on(tmp_path, monkeypatch):
    folder = put(tmp_path / "pictures", range(40), side=32)
    model = open_model("ssim")
    describe, calls = model.describe, []

    def stopped(images, **how):
        calls.append(len(images))
        if len(calls) == 4:  # the first call asks for the length of a vector
            raise KeyboardInterrupt
        return describe(images, **how)

    monkeypatch.setattr(model, "describe", stopped)
    with pytest.raises(KeyboardInterrupt):
        build_index(folder, tmp_path / "i", QUICK, model=model)
    assert not (tmp_path / "i").exists()
    result = build_index(folder, tmp_path / "i", QUICK)
    assert (result.added, result.total) == (8, 40)
    whole = build_index(folder, tmp_path / "other", QUICK)
    assert whole.added == 40
    assert names(tmp_path / "i") == names(tmp_path / "other")


def test_a_changed_copy_finds_its_original(tmp_path, network):
    folder = put(tmp_path / "pictures", range(12), side=200)
    build_index(folder, tmp_path / "i", model=network)
    with Image.open(folder / "7.png") as opened:
        turned = opened.rotate(6, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    turned.crop((25, 25, 180, 180)).save(stream, "JPEG", quality=60)
    (tmp_path / "query.jpg").write_bytes(stream.getvalue())
    result = search_index(
        tmp_path / "query.jpg",
        tmp_path / "i",
        SearchOptions(count=5),
        out=tmp_path / "found",
        model=network,
    )
    assert result.hits[0].entry.name == "7.png"
    assert result.hits[0].score > result.hits[1].score
    assert [hit.rank for hit in result.hits] == [1, 2, 3, 4, 5]
    assert result.exact
    rows = table(tmp_path / "found" / "results.csv")
    assert rows[0]["path"] == str(folder / "7.png")
    assert float(rows[0]["score"]) == pytest.approx(result.hits[0].score, abs=1e-5)
    told = json.loads((tmp_path / "found" / "results.json").read_text())
    assert [row["name"] for row in told["results"]] == [r["name"] for r in rows]
    with Image.open(tmp_path / "found" / "sheet.png") as sheet:
        assert sheet.width > 5 * 160
    assert not (tmp_path / "found" / "results.gpkg").exists()
    with pytest.raises(ResultExistsError, match="--overwrite"):
        search_index(tmp_path / "query.jpg", tmp_path / "i", out=tmp_path / "found")


def test_a_check_brings_the_same_thing_to_the_front(tmp_path):
    folder = tmp_path / "pictures"
    put(folder, range(3), side=200)
    ground = Image.fromarray((texture(1, 200, 200)[0] * 255).astype(np.uint8))
    speckled = Image.blend(picture(1, side=200), ground.convert("RGB"), 0.6)
    speckled.save(folder / "1.png")
    with Image.open(folder / "1.png") as opened:
        turned = opened.rotate(40, Image.Resampling.BICUBIC).crop((40, 40, 160, 160))
    # nearly the query in its coarse brightness, which is all that "ssim" looks at
    blurred = turned.resize((16, 16)).resize((200, 200), Image.Resampling.BICUBIC)
    blurred.save(folder / "decoy.png")
    build_index(folder, tmp_path / "i", QUICK)
    query = np.asarray(turned)
    plain = search_index(query, tmp_path / "i")
    assert plain.hits[0].entry.name == "decoy.png"
    found = search_index(query, tmp_path / "i", SearchOptions(check=4))
    assert found.hits[0].entry.name == "1.png"
    assert found.hits[0].matches >= 20
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4]
    shutil.rmtree(folder)  # the thumbnails are still there
    again = search_index(query, tmp_path / "i", SearchOptions(check=4))
    assert {hit.entry.name for hit in again.hits} == {e.entry.name for e in plain.hits}


def test_ranking_by_class_has_the_same_pictures(tmp_path):
    folder = put(tmp_path / "pictures", range(30), side=32)
    build_index(folder, tmp_path / "i", QUICK)
    query = np.asarray(picture(3, side=32))
    plain, spread = (
        search_index(query, tmp_path / "i", SearchOptions(count=30, rank=rank))
        for rank in ("similarity", "class")
    )
    assert plain.hits[0].entry.name == "3.png"
    scores = {hit.entry.name: hit.score for hit in plain.hits}
    found = {hit.entry.name: hit.score for hit in spread.hits}
    assert found == pytest.approx(scores, abs=1e-5)


def test_the_descriptor_is_the_same_in_batches_and_shapes(network):
    wide, square = texture(3, 96, 192).astype(np.float32), texture(3, 64, 64, seed=2)
    both = network.describe([wide, square.astype(np.float32)])
    assert both.shape == (2, 512)
    assert np.allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    assert np.allclose(both[0], network.describe([wide])[0], atol=1e-4)


def test_pairs_and_groups_of_near_duplicates(tmp_path, network):
    folder = put(tmp_path / "pictures", range(5), side=160)
    with Image.open(folder / "2.png") as opened:
        opened.save(folder / "2_again.jpg", quality=92)
        opened.resize((120, 120)).save(folder / "2_small.png")
    shutil.copy(folder / "4.png", folder / "4_copy.png")
    build_index(folder, tmp_path / "i", model=network)
    result = find_pairs(tmp_path / "i", 0.97, out=tmp_path / "pairs")
    assert [sorted(entry.name for entry in group) for group in result.groups] == [
        ["2.png", "2_again.jpg", "2_small.png"],
        ["4.png", "4_copy.png"],
    ]
    first, second, score = result.pairs[0]
    assert {first.name, second.name} == {"4.png", "4_copy.png"}
    assert score == pytest.approx(1, abs=1e-5)
    rows = table(tmp_path / "pairs" / "groups.csv")
    assert [row["group"] for row in rows] == ["1", "1", "1", "2", "2"]
    told = json.loads((tmp_path / "pairs" / "pairs.json").read_text())
    assert len(told["pairs"]) == len(result.pairs) == 4
    assert result.complete
    few = find_pairs(tmp_path / "i", 0.97, most=1)
    assert (len(few.pairs), few.complete) == (1, False)
    none = find_pairs(tmp_path / "i", 1.0, most=9)
    assert none.groups == () or len(none.groups) == 1


def test_tiles_cover_the_raster():
    assert starts(100, 256, 0) == [0]
    assert starts(512, 256, 0) == [0, 256]
    assert starts(600, 256, 0) == [0, 256, 344]
    assert starts(600, 256, 56) == [0, 200, 344]


def test_tiles_of_a_raster_have_coordinates(tmp_path):
    values = (texture(4, 130, 200) * 3000 + 500).astype(np.uint16)
    values[:, :64, 128:192] = 0
    raster = write(tmp_path / "r.tif", values, nodata=0)
    options = IndexOptions(model="ssim", tile_size=64)
    result = build_index(raster, tmp_path / "i", options)
    # 4 columns (the last moved in) by 3 rows, less the one without data; the one
    # beside it has a quarter of data
    assert result.total == 4 * 3 - 2
    assert build_index(raster, tmp_path / "i", options).added == 0
    found = search_index(
        raster,
        tmp_path / "i",
        SearchOptions(count=3, window=(64, 64, 64, 64)),
        out=tmp_path / "found",
    )
    best = found.hits[0]
    assert best.entry.window == (64, 64, 64, 64)
    assert best.score == pytest.approx(1, abs=1e-4)
    frame = gpd.read_file(tmp_path / "found" / "results.gpkg", layer="results")
    assert frame.crs.to_epsg() == 32633
    west, north = NORTH_UP.c + 64, NORTH_UP.f - 64
    assert frame.geometry[0].bounds == (west, north - 64, west + 64, north)
    rows = table(tmp_path / "found" / "results.csv")
    assert float(rows[0]["x"]) == west + 32
    assert 14 < float(rows[0]["lon"]) < 16
    other = build_index(
        raster, tmp_path / "i", IndexOptions(model="ssim", tile_size=100)
    )
    assert (other.added, other.total) == (4, 4)


def test_georeferenced_files_of_a_folder_in_two_systems(tmp_path):
    folder = tmp_path / "rasters"
    folder.mkdir()
    values = (texture(3, 64, 64) * 255).astype(np.uint8)
    write(folder / "utm.tif", values)
    lonlat = Affine(1e-5, 0, 15.0, 0, -1e-5, 48.7)
    write(folder / "lonlat.tif", values[:, ::-1], crs="EPSG:4326", transform=lonlat)
    write(folder / "plain.png", values, crs=None, driver="PNG")
    build_index(folder, tmp_path / "i", QUICK)
    search_index(folder / "plain.png", tmp_path / "i", out=tmp_path / "found")
    frame = gpd.read_file(tmp_path / "found" / "results.gpkg", layer="results")
    assert frame.crs.to_epsg() == 4326
    assert sorted(frame.name) == ["lonlat.tif", "utm.tif"]
    box = frame[frame.name == "lonlat.tif"].geometry.iloc[0].bounds
    assert box == pytest.approx((15.0, 48.7 - 64e-5, 15.0 + 64e-5, 48.7))


def test_tiffs_without_coordinates_are_pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = picture(1)
    drawn.save(folder / "colours.tif")
    drawn.quantize(256).save(folder / "palette.tif")
    drawn.convert("1").save(folder / "bilevel.tif")
    result = build_index(folder, tmp_path / "i", QUICK)
    assert result.skipped == ()
    assert names(tmp_path / "i") == ["bilevel.tif", "colours.tif", "palette.tif"]
    pixels = {
        name: read_one(describe_source(folder, QUICK), name, "").pixels
        for name in names(tmp_path / "i")
    }
    assert np.abs(pixels["palette.tif"] - pixels["colours.tif"]).max() < 0.02
    assert set(np.unique(pixels["bilevel.tif"])) == {0, 1}


def test_tiffs_that_are_no_pictures_are_skipped(tmp_path):
    folder = put(tmp_path / "pictures", [1], side=32)
    numbers = (texture(1, 32, 32) * 255).astype(np.uint8)
    colours = {0: (10, 20, 30, 255), 255: (200, 100, 50, 255)}
    for name, values, crs in (
        ("coordinates.tif", numbers, UTM),
        ("palette.tif", numbers.astype(np.uint16), None),
    ):
        path = write(folder / name, values, crs=crs, photometric="palette")
        with rasterio.open(path, "r+") as file:
            file.write_colormap(1, colours)
    write(folder / "complex.tif", numbers.astype(np.complex64), crs=None)
    points = [GroundControlPoint(row, row, row, row) for row in (0, 9, 20)]
    with rasterio.open(write(folder / "points.tif", numbers, crs=None), "r+") as file:
        file.gcps = points, UTM
    result = build_index(folder, tmp_path / "i", QUICK)
    assert names(tmp_path / "i") == ["1.png"]
    told = dict(line.split(": ", 1) for line in result.skipped)
    assert set(told) == {"complex.tif", "coordinates.tif", "palette.tif", "points.tif"}
    assert "holds complex numbers" in told["complex.tif"]
    assert "numbers of a colour palette, which" in told["coordinates.tif"]
    assert "numbers of a colour palette of more than 8 bits" in told["palette.tif"]
    assert "has ground control points" in told["points.tif"]


def test_a_raster_is_read_as_the_picture_that_it_is(tmp_path):
    values = (texture(1, 50, 70) * 255).astype(np.uint8)
    raster = write(tmp_path / "grey.tif", values)
    with open_tiles(str(raster)) as reader:
        pixels = reader.read((10, 5, 20, 30))
        small = reader.read((0, 0, 70, 50), at_most=35)
    assert pixels.shape == (3, 30, 20)
    assert np.allclose(pixels[1] * 255, values[0, 5:35, 10:30], atol=1e-3)
    assert small.shape == (3, 25, 35)


def test_a_picture_alone_is_read_as_in_a_folder(tmp_path):
    """Upright and in its colours, whole and by windows."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    shown = picture(3).crop((0, 0, 200, 120))
    shown.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    shown.quantize(64).save(tmp_path / "palette.png")
    shown.convert("1").save(tmp_path / "bits.png")
    for name in ("turned.jpg", "palette.png", "bits.png"):
        path = tmp_path / name
        whole = read_picture(path).pixels
        height, width = whole.shape[1:]
        assert (width < height) == (name == "turned.jpg")
        with open_tiles(str(path)) as reader:
            assert (reader.grid.width, reader.grid.height) == (width, height)
            assert np.array_equal(reader.read((0, 0, width, height)), whole)
            cut = reader.read((10, 20, 60, 50))
        assert np.array_equal(cut, whole[:, 20:70, 10:70])
    index = tmp_path / "one.index"
    options = IndexOptions(tile_size=100, overlap=20)
    result = build_index(tmp_path / "turned.jpg", index, options)
    assert (result.total, result.skipped) == (3 * 2, ())
    window = (0, 100, 100, 100)
    found = search_index(
        tmp_path / "turned.jpg", index, SearchOptions(window=window, count=1)
    )
    assert found.hits[0].entry.window == window
    assert found.hits[0].score > 0.99


def film(path, shots, rate=10, **options):
    """A video of still pictures: (seed, frames) one after another."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for seed, count in shots:
            image = picture(seed).crop((0, 0, 96, 64))
            for _ in range(count):
                frame = av.VideoFrame.from_image(image)
                for packet in stream.encode(frame):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three shots of 2.0, 1.5 and 1.0 seconds, 10 frames a second."""
    folder = tmp_path_factory.mktemp("video")
    return film(folder / "clip.mp4", [(1, 20), (2, 15), (3, 10)])


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"every": 1.5}, [0, 1.5, 3]),
        ({"scenes": 0.05}, [0, 2, 3.5]),
        ({"every": 0}, [round(number / 10, 1) for number in range(45)]),
    ],
)
def test_frames_of_a_video(tmp_path, clip, how, wanted):
    result = build_index(clip, tmp_path / "i", IndexOptions(model="ssim", **how))
    index = open_index(tmp_path / "i")
    assert [entry.time for entry in index.entries(range(len(index)))] == wanted
    assert result.added == len(wanted)
    again = build_index(clip, tmp_path / "i", IndexOptions(model="ssim", **how))
    assert (again.added, again.total) == (0, len(wanted))


def test_frames_within_a_millisecond_have_one_name(tmp_path):
    fast = film(tmp_path / "fast.mkv", [(1, 5), (2, 5)], rate=2000)
    result = build_index(fast, tmp_path / "i", IndexOptions(model="ssim", every=0))
    index = open_index(tmp_path / "i")
    names = [entry.name for entry in index.entries(range(len(index)))]
    assert len(set(names)) == len(names) == result.added
    assert 4 <= len(names) < 10


def test_a_still_finds_its_moment(tmp_path, clip):
    build_index(clip, tmp_path / "i", QUICK)
    query = picture(2).crop((0, 0, 96, 64))
    found = search_index(np.asarray(query), tmp_path / "i", out=tmp_path / "found")
    assert found.hits[0].entry.time in (2, 3)
    assert {hit.entry.time for hit in found.hits[:2]} == {2, 3}
    told = json.loads((tmp_path / "found" / "results.json").read_text())
    assert told["results"][0]["seconds"] in (2, 3)


def test_a_broken_video_is_refused(tmp_path, clip):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:900])
    with pytest.raises(OSError, match="cannot be read as a video"):
        build_index(broken, tmp_path / "i", QUICK)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4"]


def test_half_a_video_is_told(tmp_path):
    whole = film(tmp_path / "whole.mp4", [(0, 60), (1, 60)], movflags="faststart")
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    result = build_index([whole, half], tmp_path / "films.index")
    (line,) = result.skipped
    assert line.startswith("half.mp4: ends after ")
    assert line.endswith(" of 12 s; is the file complete?")
    assert 12 + 2 < result.total < 24


def test_videos_in_a_folder_are_told(tmp_path, clip):
    folder = tmp_path / "pictures"
    (folder / ".hidden").mkdir(parents=True)
    picture(1).save(folder / "one.png")
    for name in ("a.mp4", "b.MOV", ".hidden/c.mp4"):
        shutil.copy(clip, folder / name)
    result = build_index(folder, tmp_path / "folder.index")
    told = (
        f"a.mp4 and 1 more: videos are indexed one by one; name them beside '{folder}'"
    )
    assert result.skipped == (told,)
    assert result.total == 1


def test_without_the_extras_it_is_told_what_to_install(tmp_path, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'geosim\[video\]'"):
        build_index(clip, tmp_path / "i", QUICK)
    monkeypatch.setitem(sys.modules, "usearch", None)
    assert not approximate.available()
    with pytest.raises(MissingDependencyError, match=r"pip install 'geosim\[search\]'"):
        approximate.build_graph(np.eye(4, dtype=np.float32), 1)


def test_models_are_ranked_on_labelled_folders(tmp_path):
    for number, name in enumerate(("bright", "dark", "striped")):
        folder = tmp_path / "classes" / name
        folder.mkdir(parents=True)
        for seed in range(4):
            rng = np.random.default_rng(10 * number + seed)
            noise = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
            base = np.zeros((64, 64, 3), np.uint8)
            if name == "bright":
                base[:32] = 190
            elif name == "striped":
                base[:, ::16] = base[:, 1::16] = 190
            else:
                base[32:] = 190
            Image.fromarray(base + noise).save(folder / f"{seed}.png")
    (tmp_path / "classes" / "dark" / "cut.png").write_bytes(b"no picture")
    found = rank_models(tmp_path / "classes", ["ssim"], out=tmp_path / "models")
    (one,) = found.models
    assert one.similarity.mean_average_precision > 0.95
    assert found.classes == {"bright": 4, "dark": 4, "striped": 4}
    assert list(found.skipped) == ["dark/cut.png"]
    rows = table(tmp_path / "models" / "models.csv")
    assert rows[0]["model"] == "ssim"
    assert float(rows[0]["p@1"]) == pytest.approx(one.similarity.precision[0], abs=1e-4)
    assert (
        json.loads((tmp_path / "models" / "models.json").read_text())["pictures"] == 12
    )
    with Image.open(tmp_path / "models" / "models.png") as chart:
        assert chart.size == (1180, 430)


def test_what_cannot_be_done_is_told(tmp_path):
    folder = put(tmp_path / "pictures", range(2), side=32)
    with pytest.raises(OptionError, match="there is no"):
        build_index(tmp_path / "nowhere", tmp_path / "i", QUICK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoDataError, match="no picture that can be read"):
        build_index(tmp_path / "empty", tmp_path / "i", QUICK)
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(RasterReadError, match="not a format that GDAL knows"):
        build_index(tmp_path / "text.tif", tmp_path / "i", QUICK)
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "i").exists()
    with pytest.raises(LabelError, match="two or more classes"):
        rank_models(folder, ["ssim"])
    for name in "ab":
        (tmp_path / "cut" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "cut" / name / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(LabelError, match="found 0 with 0 pictures that can be read"):
        rank_models(tmp_path / "cut", ["ssim"])
    build_index(folder, tmp_path / "i", QUICK)
    with pytest.raises(IndexFileError, match="made with the model ssim"):
        build_index(folder, tmp_path / "i", model=open_model("siamese", threads=1))
    with pytest.raises(OptionError, match="--window wants"):
        search_index(
            folder / "0.png", tmp_path / "i", SearchOptions(window=(0, 0, 99, 9))
        )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"every": 1, "scenes": 0.1}, "exclude each other"),
        ({"every": -1}, "0 seconds or more"),
        ({"scenes": 1.5}, "between 0 and 1"),
        ({"tile_size": 8}, "at least 32"),
        ({"overlap": 256}, "less than a tile"),
        ({"threads": 0}, "at least 1"),
    ],
)
def test_options_are_checked(options, told):
    with pytest.raises(OptionError, match=told):
        IndexOptions(**options)


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = put(tmp_path / "pictures", range(4), side=64)
    made = call("index", "pictures", "--model", "ssim")
    assert made.exit_code == 0, made.output
    assert "pictures.index: 4 pictures; 4 embedded now" in made.stdout
    asked = ("search", folder / "2.png", "-i", "pictures.index")
    found = call(*asked, "-n", 2, "--json")
    assert json.loads(found.stdout)["results"][0]["name"] == "2.png"
    assert (tmp_path / "search_2" / "sheet.png").exists()
    again = call(*asked)
    assert again.exit_code == 1
    assert again.stderr.startswith("error: 'search_2' holds a result already")
    told = call(*asked, "--overwrite", "--rank", "class").stdout.splitlines()
    assert told[0].split() == ["1", "1.000", "2.png"]
    assert "pairs_pictures: 0 pairs, 0 groups" in call("pairs", "-i", asked[3]).stdout
    for name in ("a", "b"):
        put(tmp_path / "classes" / name, range(2), side=32)
    ranked = call("models", "--compare", "classes", "--model", "ssim")
    assert ranked.stdout.split()[0] == "model"
    assert "models_classes: 4 pictures, 2 classes" in ranked.stdout


def test_a_raster_is_found_by_itself(tmp_path):
    """16 bits, bands by name, a place on the ground: as the index read it."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for seed in range(4):
        values = np.moveaxis(np.asarray(picture(seed)), -1, 0).astype(np.uint16) * 9
        with rasterio.open(
            folder / f"{seed}.tif", "w", driver="GTiff", count=3, height=96, width=96,
            dtype="uint16", crs="EPSG:32633",
            transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5.4e6),
        ) as file:  # fmt: skip
            file.write(values[::-1])
            file.descriptions = ("B02 blue", "B03 green", "B04 red")
    build_index(folder, tmp_path / "i", QUICK)
    for seed in range(4):
        found = search_index(folder / f"{seed}.tif", tmp_path / "i")
        assert found.hits[0].entry.name == f"{seed}.tif"
        assert found.hits[0].score == pytest.approx(1.0, abs=1e-4)


def test_a_source_that_is_gone_is_told(tmp_path):
    folder = put(tmp_path / "old", range(3))
    build_index(folder, tmp_path / "i", QUICK)
    folder.rename(tmp_path / "new")
    again = build_index(tmp_path / "new", tmp_path / "i", QUICK)
    assert again.total == 6
    (said,) = again.skipped
    assert said.startswith(f"{folder}: is gone; what the index holds of it (3) stays")
    assert build_index(tmp_path / "new", tmp_path / "i", QUICK).added == 0


@pytest.mark.parametrize("embedding", [b"abc", "text", 7])
def test_an_embedding_that_is_none_is_refused_in_a_line(tmp_path, embedding):
    build_index(put(tmp_path / "pictures", range(3)), tmp_path / "i", QUICK)
    with sqlite3.connect(tmp_path / "i") as database:
        database.execute("UPDATE items SET embedding = ? WHERE id = 2", (embedding,))
    database.close()
    with pytest.raises(IndexFileError, match="--rebuild"):
        open_index(tmp_path / "i")


def test_a_thumbnail_that_was_damaged_is_grey(tmp_path):
    folder = put(tmp_path / "pictures", range(3))
    build_index(folder, tmp_path / "i", QUICK)
    with sqlite3.connect(tmp_path / "i") as database:
        database.execute("UPDATE thumbnails SET jpeg = x'00'")
    database.close()
    found = search_index(folder / "1.png", tmp_path / "i", out=tmp_path / "out")
    assert found.hits[0].entry.name == "1.png"
    assert any(path.suffix == ".png" for path in (tmp_path / "out").iterdir())
