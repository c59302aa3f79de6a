"""The web API: what it answers, what it refuses, what it leaves behind."""

import asyncio
import base64
import io
import os
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from pictures import as_uint8, png_that_claims, textured
from PIL import Image
from processes import wait_for
from rasterio.windows import Window

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from geosim.errors import GeosimError
from geosim.images.pixels import as_bytes
from geosim.images.reading import read_picture
from geosim.web.app import create_app
from geosim.web.describing import describe
from geosim.web.explaining import MODEL_WORDS, spread, verdict
from geosim.web.guard import Guard
from geosim.web.jobs import INPUTS, Job, Jobs, fraction
from geosim.web.limits import WebLimits
from geosim.web.rasters import stretched
from geosim.web.tasks import compare_files, preview_file
from geosim.web.worker import TaskRefusedError, TaskTimeoutError, Worker


def encoded(pixels, form="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def drawn(seed=0, size=160):
    """A smooth picture of blobs."""
    small = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.BICUBIC))


@pytest.fixture(scope="module")
def client():
    app = create_app(WebLimits(change_seconds=300))
    with TestClient(app, base_url="http://127.0.0.1") as made:
        yield made


@pytest.fixture(scope="module")
def pair():
    return encoded(drawn(1)), encoded(drawn(2))


@pytest.fixture(scope="module")
def rasters(sample_pair, tmp_path_factory):
    """The corner of the sample pair where the river moved."""
    folder = tmp_path_factory.mktemp("rasters")
    paths = []
    for number, source in enumerate(sample_pair):
        with rasterio.open(source) as dataset:
            window = Window(200, 100, 288, 288)
            profile = dataset.profile | {"width": 288, "height": 288}
            profile |= {"transform": dataset.transform @ Affine.translation(200, 100)}
            paths.append(folder / f"{number}.tif")
            with rasterio.open(paths[-1], "w", **profile) as made:
                made.write(dataset.read(window=window))
    return [path.read_bytes() for path in paths]


def post(client, path, first, second, names=("a.png", "b.png"), **fields):
    files = {"image1": (names[0], first), "image2": (names[1], second)}
    return client.post(path, files=files, data=fields)


def left_over(client):
    return sorted(client.app.state.server.folder.iterdir())


def test_compare_answers_score_and_heatmap(client, pair):
    same = post(client, "/compare", pair[0], pair[0], model="ssim").json()
    other = post(client, "/compare", *pair, model="ssim").json()
    assert same["similarity_score"] == pytest.approx(1)
    assert other["similarity_score"] < 0.5
    heatmap = Image.open(io.BytesIO(base64.b64decode(other["heatmap_image"])))
    assert heatmap.format == "PNG"
    assert heatmap.size == (160, 160) == (other["width"], other["height"])
    assert "unrelated" in other["explanation"][0]
    assert other["explanation"][2] == MODEL_WORDS["ssim"]
    assert left_over(client) == []


def test_compare_uses_the_network_by_default(client, pair):
    answer = post(client, "/compare", pair[0], pair[0])
    assert answer.status_code == 200
    assert answer.json()["model"] == "siamese"
    assert answer.json()["similarity_score"] > 0.97


def test_scale_is_that_of_the_files(tmp_path):
    """Whatever the longer one was reduced to before it was compared."""
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    picture = Image.fromarray(as_uint8(textured(4, 200, 300)))
    picture.save(small)
    picture.resize((1500, 1000), Image.BICUBIC).save(large)
    found = compare_files(
        print,
        first=str(small),
        second=str(large),
        model="ssim",
        align="register",
        limits=WebLimits(),
    )
    assert "scaled 5.0" in found["alignment"]


def test_names_of_files_count_for_nothing(client, pair, tmp_path):
    names = ("../../../etc/passwd", f"{tmp_path}/written.png")
    answer = post(client, "/compare", *pair, names=names, model="ssim")
    assert answer.status_code == 200
    assert "passwd" not in answer.text
    assert list(tmp_path.iterdir()) == []
    assert left_over(client) == []


JPEG = encoded(drawn(3), "JPEG")
HOSTILE = {
    "bomb": (png_that_claims(60_000, 60_000), "pixels"),
    "just too many pixels": (png_that_claims(8_000, 6_000), "pixels"),
    "truncated": (JPEG[: len(JPEG) // 2], "damaged or cut short"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no picture"),
    "script": (b"#!/bin/sh\nrm -rf /\n", "no picture"),
    "vrt": (b'<VRTDataset rasterXSize="9" rasterYSize="9"/>', "no picture"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pictures_are_refused(client, pair, kind):
    content, words = HOSTILE[kind]
    for files in ((content, pair[0]), (pair[0], content)):
        answer = post(client, "/compare", *files, model="ssim")
        assert answer.status_code == 422
        assert words in answer.json()["detail"]
        assert "geosim-web-" not in answer.text
    assert left_over(client) == []


def test_fifty_megabytes_are_refused(client, pair):
    answer = post(client, "/compare", bytes(50_000_000), pair[0])
    assert answer.status_code == 413
    assert "at most 32 MB" in answer.json()["detail"]
    answer = post(client, "/compare", bytes(50_000_000), bytes(50_000_000))
    assert answer.status_code == 413
    assert "at most 64 MB" in answer.json()["detail"]
    assert left_over(client) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "../../weights"}, "model"),
        ({"align": "sideways"}, "align"),
    ],
)
def test_fields_are_checked(client, pair, fields, words):
    answer = post(client, "/compare", *pair, **fields)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_form_without_files_is_refused(client):
    answer = client.post("/compare", data={"image1": "/etc/passwd", "image2": "x"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("field 'image1'")
    answer = client.post("/compare", content=b"\0" * 5000)
    assert answer.status_code == 422


def test_absent_weights_are_not_fetched(monkeypatch, tmp_path, pair):
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "image"
    path.write_bytes(pair[0])
    with pytest.raises(GeosimError, match="geosim compare A B --model resnet18"):
        compare_files(
            print,
            first=str(path),
            second=str(path),
            model="resnet18",
            align="resize",
            limits=WebLimits(),
        )
    assert list(tmp_path.rglob("*.pth")) == []


@pytest.mark.slow  # loads torch in a process of its own
def test_models_tell_which_are_ready(client):
    pytest.importorskip("torchvision")
    found = {one["name"]: one for one in client.get("/models").json()}
    assert found["siamese"]["available"]
    assert found["ssim"]["available"]
    for name in ("vgg16", "resnet18", "resnet50", "mobilenet_v2"):
        assert found[name]["available"] or name in found[name]["reason"]


def test_preview_of_a_geotiff(client, rasters):
    found = client.post("/preview", files={"image": ("x", rasters[0])}).json()
    assert (found["width"], found["height"], found["georeferenced"]) == (288, 288, True)
    shown = Image.open(io.BytesIO(base64.b64decode(found["image"])))
    assert (shown.format, shown.size) == ("JPEG", (288, 288))
    plain = client.post("/preview", files={"image": ("x", encoded(drawn()))}).json()
    assert not plain["georeferenced"]


def as_palette(path, picture):
    picture.quantize(16).save(path)


def as_turned(path, picture):
    picture.transpose(Image.ROTATE_90).save(path, tiffinfo={274: 6})


def as_negative(path, picture):
    grey = np.asarray(picture.convert("L"))
    profile = {"width": grey.shape[1], "height": grey.shape[0], "count": 1}
    with rasterio.open(
        path, "w", "GTiff", **profile, dtype="uint8", photometric="MINISWHITE"
    ) as made:
        made.write(255 - grey, 1)


def placed(path):
    """The same TIFF with a place on the ground."""
    with rasterio.open(path, "r+") as dataset:
        dataset.crs = "EPSG:32633"
        dataset.transform = Affine(10, 0, 500_000, 0, -10, 5_500_000)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("write", "georeferenced"),
    [
        *((as_palette, False), (as_palette, True)),
        *((as_negative, False), (as_negative, True)),
        (as_turned, False),
    ],
)
def test_the_preview_of_a_tiff_is_what_is_compared(tmp_path, write, georeferenced):
    path = tmp_path / "image"
    write(tmp_path / "image.tif", Image.fromarray(as_uint8(textured(3))))
    (tmp_path / "image.tif").rename(path)
    if georeferenced:
        placed(path)
    found = preview_file(print, path=str(path), limits=WebLimits())
    shown = Image.open(io.BytesIO(base64.b64decode(found["image"])))
    compared = as_bytes(read_picture(path).pixels)
    assert (found["width"], found["height"]) == shown.size == (128, 96)
    assert found["georeferenced"] == georeferenced
    assert np.abs(np.asarray(shown) - compared.astype(float)).mean() < 6


def test_a_tiff_too_large_to_compare_has_a_preview(tmp_path):
    path = tmp_path / "image"
    Image.fromarray(as_uint8(textured(3))).save(path, "TIFF")
    few = WebLimits(picture_pixels=1000)
    found = preview_file(print, path=str(path), limits=few)
    assert (found["width"], found["height"]) == (128, 96)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("write", [as_palette, as_negative])
def test_such_a_preview_shows_no_bare_numbers(tmp_path, write):
    path = tmp_path / "image.tif"
    write(path, Image.fromarray(as_uint8(textured(3))))
    seen = as_bytes(read_picture(path).pixels).astype(float)
    found = preview_file(print, path=str(path), limits=WebLimits(picture_pixels=1000))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["image"]))))
    assert np.corrcoef(shown.ravel(), seen.ravel())[0, 1] > 0.95


def finished(client, job, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = client.get(f"/jobs/{job}").json()
        if told["state"] in ("done", "failed"):
            return told
        time.sleep(0.2)
    pytest.fail("the job did not end")


def test_change_job(client, rasters):
    answer = post(client, "/change", *rasters)
    assert answer.status_code == 202
    told = finished(client, answer.json()["id"])
    assert told["state"] == "done", told["error"]
    assert told["progress"] == 1
    found = told["result"]
    assert found["crs"] == "EPSG:32633"
    assert found["polygon_count"] == len(found["polygons"]) > 0
    largest = found["polygons"][0]
    assert largest["path"].startswith("M")
    assert 0 < largest["area_ha"] <= found["changed_ha"]
    left, top, right, bottom = largest["bounds"]
    assert 0 <= left < right <= found["width"]
    assert 0 <= top < bottom <= found["height"]
    pictures = [Image.open(io.BytesIO(client.get(p).content)) for p in told["pictures"]]
    assert {p.size for p in pictures} == {(found["width"], found["height"])}
    archive = client.get(told["files"]["geosim_change.zip"])
    names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
    assert "geosim_change/changes.gpkg" in names
    report = client.get(told["files"]["report.html"])
    assert report.headers["content-disposition"].startswith("attachment")
    record = client.get(told["files"]["run.json"]).json()
    inputs = [record["properties"][f"geosim:{date}"] for date in ("before", "after")]
    assert [one["path"] for one in inputs] == list(INPUTS)
    folder = left_over(client)[0]
    with zipfile.ZipFile(folder / "geosim_change.zip") as whole:
        for name in names:  # the server's private folder is nobody's business
            assert folder.parent.name.encode() not in whole.read(name), name
    assert not any((folder / name).exists() for name in INPUTS)
    for name in ("before.tif", "..%2Fresult%2Frun.json", "../../passwd", "result"):
        assert client.get(f"/jobs/{told['id']}/files/{name}").status_code == 404
    assert client.delete(f"/jobs/{told['id']}").status_code == 204
    assert client.get(f"/jobs/{told['id']}").status_code == 404
    assert left_over(client) == []


def test_a_job_of_no_geotiffs_fails_with_a_reason(client, rasters, pair):
    pointing = rasters[0][:8] + b"<VRTDataset>" + rasters[0][8:]
    for files, words in (
        (pair, "no GeoTIFF"),
        ((rasters[0], pointing), "'after' is no GeoTIFF"),
        ((rasters[0][:5000], rasters[1]), "is the file complete"),
    ):
        answer = post(client, "/change", *files)
        told = finished(client, answer.json()["id"])
        assert told["state"] == "failed"
        assert words in told["error"]
        assert "geosim-web-" not in told["error"]
    assert left_over(client) == []


def test_too_many_jobs_are_refused(pair):
    with TestClient(create_app(WebLimits(jobs=1)), base_url="http://localhost") as few:
        jobs = few.app.state.server.jobs
        waiting = jobs.new()
        answer = post(few, "/change", *pair)
        assert answer.status_code == 429
        jobs.remove(waiting)
        assert left_over(few) == []


def test_finished_jobs_go_after_a_time(pair):
    limits = WebLimits(kept_jobs=1)
    with TestClient(create_app(limits), base_url="http://localhost") as few:
        first, second = (post(few, "/change", *pair).json()["id"] for _ in range(2))
        finished(few, second)
        assert few.get(f"/jobs/{first}").status_code == 404
        assert few.get(f"/jobs/{second}").status_code == 200


def test_jobs_come_and_go_while_others_are_tidied(tmp_path):
    looking, gone = threading.Event(), threading.Event()

    class SlowJob(Job):
        def __getattribute__(self, name):
            if name == "ended":
                looking.set()
                assert gone.wait(10)
            return super().__getattribute__(name)

    jobs = Jobs(tmp_path, WebLimits())
    other = jobs.new()
    jobs._jobs["slow"] = SlowJob(id="slow", folder=tmp_path / "slow")
    with ThreadPoolExecutor(1) as pool:
        tidying = pool.submit(jobs.tidy)
        assert looking.wait(10)
        jobs.remove(other)
        gone.set()
        tidying.result()
    assert list(jobs._jobs) == ["slow"]
    jobs.close()


def test_tidying_goes_on_after_an_error(monkeypatch, caplog):
    monkeypatch.setattr("geosim.web.app._TIDY_SECONDS", 0.01)
    app = create_app()
    calls = []

    def tidy():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is away")

    monkeypatch.setattr(app.state.server.jobs, "tidy", tidy)
    with TestClient(app):
        wait_for(lambda: len(calls) > 2, 10)
    assert "the disk is away" in caplog.text


def test_nothing_is_left_when_the_server_ends():
    app = create_app()
    with TestClient(app):
        folder = app.state.server.folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_other_sites_are_refused():
    app = create_app(hosts=frozenset({"127.0.0.1"}))
    with TestClient(app, base_url="http://127.0.0.1:8000") as guarded:
        assert guarded.get("/").status_code == 200
        own = {"Origin": "http://127.0.0.1:8000"}
        assert guarded.get("/", headers=own).status_code == 200
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            assert guarded.get("/", headers=headers).status_code == 403
            assert guarded.post("/compare", headers=headers).status_code == 403


@pytest.mark.parametrize("hosts", [frozenset(), frozenset({"127.0.0.1"})])
def test_addresses_that_are_none_are_refused(hosts):
    with TestClient(create_app(hosts=hosts), base_url="http://127.0.0.1") as guarded:
        for headers in ({"Host": "[::1"}, {"Origin": "http://["}):
            assert guarded.get("/", headers=headers).status_code == 403
            assert guarded.post("/compare", headers=headers).status_code == 403


def test_pages_load_nothing_from_elsewhere(client):
    for path in ("/", "/docs", "/page/style.css", "/page/app.js", "/page/viewer.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        text = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py"):
        assert client.get(path).status_code == 404


def test_docs_tell_of_every_path(client):
    schema = client.get("/openapi.json").json()
    page = describe(schema)
    for path in ("/compare", "/change", "/preview", "/models", "/jobs/{job_id}"):
        assert path in schema["paths"]
        assert path in page
    assert "similarity_score" in page
    assert "<b>" not in describe({**schema, "info": {"title": "<b>", "version": ""}})


def refused_by(guard, messages, length=None):
    """Status and what was read of an upload that the guard sees."""
    sent, left = [], iter(messages)

    async def receive():
        message = next(left, None)
        if message is None:
            await asyncio.sleep(60)
        return message

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(length).encode())] if length else []
    scope = {"type": "http", "method": "POST", "path": "/compare", "headers": headers}
    try:
        asyncio.run(guard(scope, receive, send))
    except HTTPException as error:
        return error.status_code
    return sent[0]["status"]


async def reading(scope, receive, send):
    """An application that reads all."""
    del scope
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_the_guard_counts_bytes_and_time():
    limits = WebLimits(picture_bytes=1_000_000, upload_seconds=0.2)
    guard = Guard(reading, limits=limits, hosts=frozenset())
    part = {"type": "http.request", "body": bytes(500_000), "more_body": True}
    last = {"type": "http.request", "body": b"", "more_body": False}
    assert refused_by(guard, [part] * 4 + [last]) == 200
    assert refused_by(guard, [part] * 5 + [last]) == 413  # whatever the header says
    assert refused_by(guard, [last], length=3_000_000) == 413
    assert refused_by(guard, [part]) == 408  # and then nothing comes


def test_the_guard_counts_requests():
    guard = Guard(reading, limits=WebLimits(requests=1), hosts=frozenset())
    guard._inside = 1
    last = {"type": "http.request", "body": b"", "more_body": False}
    assert refused_by(guard, [last]) == 429
    guard._inside = 0
    assert refused_by(guard, [last]) == 200


def crashing(report):
    del report
    os._exit(9)


def sleeping(report):
    report("asleep")
    time.sleep(60)


def chatting(report):
    for number in range(200):
        report(number)
        time.sleep(0.02)


def adding(report, *, a, b):
    del report
    return a + b


def test_a_worker_survives_its_tasks():
    worker, heard = Worker(), []
    try:
        assert worker.call(adding, 30, a=1, b=2) == 3
        with pytest.raises(TaskRefusedError, match="ended unexpectedly"):
            worker.call(crashing, 30)
        assert worker.call(adding, 30, a=1, b=3) == 4
        with pytest.raises(TaskTimeoutError, match="longer than"):
            worker.call(sleeping, 2, report=heard.append)
        assert heard == ["asleep"]
        with pytest.raises(TaskRefusedError, match="stopped"):
            worker.call(sleeping, 30, stop=lambda: True)
        assert worker.call(adding, 30, a=2, b=2) == 4
    finally:
        worker.close()


def test_a_task_that_reports_all_the_time_is_ended_too():
    worker, heard = Worker(), []
    try:
        assert worker.call(adding, 30, a=1, b=2) == 3  # the process has started
        with pytest.raises(TaskTimeoutError, match="longer than"):
            worker.call(chatting, 0.5, report=heard.append)
        assert 0 < len(heard) < 100
        heard.clear()
        with pytest.raises(TaskRefusedError, match="stopped"):
            worker.call(chatting, 30, report=heard.append, stop=lambda: len(heard) > 2)
        assert heard == [0, 1, 2]
    finally:
        worker.close()


def hoarding(report):
    del report
    return np.ones(1_000_000_000, np.uint8).size


def test_a_worker_has_no_more_memory_than_it_is_given():
    worker = Worker(900_000_000)
    try:
        with pytest.raises(TaskRefusedError, match="not enough memory"):
            worker.call(hoarding, 60)
        assert worker.call(adding, 30, a=2, b=2) == 4
    finally:
        worker.close()


def test_words_fit_the_figures():
    assert "show the same" in verdict(0.99, 0)
    assert "some parts changed" in verdict(0.99, 0.02)
    assert "clearly differ" in verdict(0.99, 0.92)
    assert "look there first" in spread(0.1, 0.9)
    assert "look there first" not in spread(0.92, 0.9)
    assert "unrelated" in verdict(0.01, 0.9)
    assert "no place stands out" in spread(0, 1)
    assert "about 4 %" in spread(0.04, 0.9)
    assert "less than 1 %" in spread(0.004, 0.9)


def test_progress_never_goes_back():
    told = [
        fraction(stage, done, 4)
        for stage in ("sampling", "scoring", "deciding", "writing")
        for done in range(5)
    ]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, pytest.approx(1))


def test_stretch_is_one_for_both():
    dark = np.ma.masked_array(np.full((3, 4, 4), 100.0), mask=False)
    light = np.ma.masked_array(np.full((3, 4, 4), 900.0), mask=False)
    light[:, 0, 0] = np.ma.masked
    first, second = stretched([dark, light])
    assert first.max() == 0
    assert second[1, 1].tolist() == [255] * 3
    assert second[0, 0].tolist() == [217] * 3
