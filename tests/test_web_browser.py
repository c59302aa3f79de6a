"""The page in a real Chromium: what a person does with mouse, finger and keyboard."""

import re
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from browsers import MARKS, serious
from PIL import Image, ImageDraw

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is missing: pip install 'geosim[browser]'"
)
pytest.importorskip("fastapi")

pytestmark = list(MARKS)
expect = playwright.expect
PATIENCE = 90_000


@pytest.fixture(scope="module")
def address(root):
    command = [sys.executable, root / "cli.py", "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    yield re.search(r"http://\S+", line)[0]
    server.send_signal(signal.SIGINT)
    assert server.wait(30) in (0, 130)
    server.stderr.close()


@pytest.fixture
def page(chromium, address):
    """The page, opened; fails where it complains or asks another machine."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    made, faults = context.new_page(), []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on(
        "console", lambda m: m.type in ("error", "warning") and faults.append(m.text)
    )

    def asked(request):
        if not request.url.startswith((address, "blob:", "data:")):
            faults.append(request.url)

    made.on("request", asked)
    made.goto(address)
    yield made
    context.close()
    # Chromium itself tells of every answer that is a refusal
    assert [one for one in faults if not one.endswith("(Unprocessable Entity)")] == []


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A drawn picture, and the same with a red disc, as another kind of file."""
    folder = tmp_path_factory.mktemp("pictures")
    small = np.random.default_rng(5).integers(0, 256, (24, 32, 3), np.uint8)
    first = Image.fromarray(small).resize((640, 480), Image.BICUBIC)
    second = first.copy()
    ImageDraw.Draw(second).ellipse((400, 100, 520, 220), fill=(220, 20, 20))
    first.save(folder / "first.png")
    second.save(folder / "second.tif")
    return folder / "first.png", folder / "second.tif"


def choose(page, files):
    for number, path in enumerate(files):
        page.set_input_files(f"#file{number}", path)
    expect(page.locator(".preview img:not([hidden])")).to_have_count(
        2, timeout=PATIENCE
    )


def compared(page, files):
    choose(page, files)
    page.click("#go")
    expect(page.locator("#result")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#status")).to_contain_text("Done")


def test_compare(page, pictures):
    compared(page, pictures)
    assert re.search(r"second.tif, 640 \S 480 px", page.inner_text("#about1"))
    assert 0 <= float(page.inner_text("#score")) <= 1
    expect(page.locator("#words li")).not_to_have_count(0)
    loaded = "images => images.every(i => i.complete && i.naturalWidth === 640)"
    assert page.locator(".sheet img").evaluate_all(loaded)
    with page.expect_download() as download:
        page.click("text=heatmap.png")
    with Image.open(download.value.path()) as heatmap:
        assert heatmap.size == (640, 480)


def test_dropped_files_fill_both_places_and_swap(page, pictures):
    transfer = page.evaluate_handle("new DataTransfer()")
    for path in pictures:
        told = {"name": path.name, "bytes": list(path.read_bytes())}
        transfer.evaluate(
            "(t, f) => t.items.add(new File([new Uint8Array(f.bytes)], f.name))", told
        )
    page.dispatch_event("header", "drop", {"dataTransfer": transfer})
    expect(page.locator("#about0")).to_contain_text("first.png, 640", timeout=PATIENCE)
    expect(page.locator("#about1")).to_contain_text("second.tif, 640", timeout=PATIENCE)
    page.click("#swap")
    expect(page.locator("#about0")).to_contain_text("second.tif, 640", timeout=PATIENCE)
    expect(page.locator("#about1")).to_contain_text("first.png, 640", timeout=PATIENCE)


def test_a_change_map_can_be_stopped(page, sample_pair):
    choose(page, sample_pair)
    expect(page.locator("#go")).to_have_text("Map the changes", timeout=PATIENCE)
    page.click("#go")
    page.click("#stop", timeout=PATIENCE)
    expect(page.locator("#status")).to_have_text("Stopped.", timeout=PATIENCE)
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#stop")).to_be_hidden()


def test_every_model_that_is_present(page, pictures):
    choose(page, pictures)
    expect(page.locator("#model option")).to_have_count(6, timeout=PATIENCE)
    names = page.locator("#model option:not([disabled])").evaluate_all(
        "options => options.map(o => o.value)"
    )
    assert {"siamese", "ssim"} <= set(names)
    for name in names:
        page.select_option("#model", name)
        page.click("#go")
        expect(page.locator("#figures")).to_contain_text(name, timeout=PATIENCE)
        expect(page.locator("#error")).to_be_empty()


def test_slider_opacity_and_zoom(page, pictures):
    compared(page, pictures)
    box = page.locator("#view").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    page.mouse.up()
    assert abs(int(page.input_value("#at")) - 25) <= 1
    clip = page.locator("#second").evaluate("e => e.style.clipPath")
    assert abs(float(re.findall(r"([\d.]+)%", clip)[0]) - 25) <= 1
    page.fill("#opacity", "0")
    assert page.locator("#heat").evaluate("e => e.style.opacity") == "0"
    page.mouse.wheel(0, -300)
    assert "scale(1)" not in page.locator(".sheet").get_attribute("style")
    before = page.locator(".sheet").get_attribute("style")
    page.mouse.move(box["x"] + box["width"] * 0.7, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle - 40, steps=3)
    page.mouse.up()
    assert page.locator(".sheet").get_attribute("style") != before
    page.click("#fit")
    assert "scale(1)" in page.locator(".sheet").get_attribute("style")


def test_keyboard_alone(page, pictures):
    """Everything is reached by Tab and works by keys; files come by the chooser."""

    def tab_to(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == name:
                return
        pytest.fail(f"Tab does not reach {name}")

    for number in (0, 1):
        tab_to(f"file{number}")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(pictures[number])
    expect(page.locator(".preview img:not([hidden])")).to_have_count(
        2, timeout=PATIENCE
    )
    tab_to("model")
    page.keyboard.press("ArrowDown")
    assert page.input_value("#model") == "ssim"
    tab_to("go")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_focused(timeout=PATIENCE)
    tab_to("at")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#at") == "51"
    tab_to("view")
    page.keyboard.press("+")
    assert "scale(1.4)" in page.locator(".sheet").get_attribute("style")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("0")
    assert "scale(1)" in page.locator(".sheet").get_attribute("style")


def test_change_map(page, sample_pair):
    choose(page, sample_pair)
    expect(page.locator("#go")).to_have_text("Map the changes", timeout=PATIENCE)
    page.click("#go")
    expect(page.locator("#status")).to_have_text("Done.", timeout=3 * PATIENCE)
    assert page.locator("#shapes path").count() > 0
    expect(page.locator("#changes")).to_contain_text("built-up gain")
    page.click("#changes button >> nth=0")
    assert page.locator("#shapes path.chosen").count() == 1
    with page.expect_download() as download:
        page.click("text=changes.gpkg")
    assert download.value.path().stat().st_size > 10_000
    assert serious(page) == []


def test_a_result_goes_with_its_files(page, pictures, tmp_path):
    compared(page, pictures)
    third = tmp_path / "third.png"
    third.write_bytes(pictures[0].read_bytes())
    page.set_input_files("#file1", third)
    expect(page.locator("#about1")).to_contain_text("third.png, 640", timeout=PATIENCE)
    expect(page.locator("#result")).to_be_hidden()
    page.click("#go")
    expect(page.locator("#result")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#score")).to_have_text("1.000")


def test_refusals_are_told(page, pictures, tmp_path):
    page.click("#go")
    expect(page.locator("#error")).to_have_text("Choose two files first.")
    script = tmp_path / "holiday.jpg"
    script.write_text("#!/bin/sh\n")
    choose(page, pictures)
    with page.expect_response("**/preview"):
        page.set_input_files("#file1", script)
    expect(page.locator("#about1")).to_contain_text("no picture")
    expect(page.locator("#about1")).not_to_contain_text("'image'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_light_and_dark_wide_and_narrow(page, pictures, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    assert serious(page) == []
    compared(page, pictures)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(n) for n in re.findall(r"\d+", paper)]
    assert all((one > 128) == (scheme == "light") for one in levels)
    tops = page.locator("main h2:visible").evaluate_all(
        "heads => heads.map(h => h.getBoundingClientRect().top)"
    )
    assert all(above < below for above, below in pairwise(tops))


def test_docs(page):
    page.click("footer a")
    expect(page.locator("h1")).to_contain_text("the API")
    assert serious(page) == []
