"""The report in a real Chromium, network off: on screens, and printed to A4."""

import re
import shutil
import tempfile
from pathlib import Path

import pytest
from affine import Affine
from browsers import MARKS, serious
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change, detect_series
from geosim.delivering.printing import print_pdf
from geosim.delivering.remaking import remake_report

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is missing: pip install 'geosim[browser]'"
)

pytestmark = list(MARKS)
expect = playwright.expect
A4 = (595, 842)
YEARS = (1990, 2000, 2010)
PER_RESULT = 4
"""Maps of a report."""


@pytest.fixture(scope="module")
def rotated(tmp_path_factory):
    """A result on a grid turned by 25 degrees, of an elongated raster."""
    folder = tmp_path_factory.mktemp("rotated")
    turned = Affine(1, 0, 500_000, 0, -1, 5_400_000) @ Affine.rotation(25)
    pair = write_pair(folder, *drawn_pair(height=500, width=180), transform=turned)
    return detect_change(*pair, folder / "out", ChangeOptions(method="cva"))


@pytest.fixture(scope="module", params=["sample", "rotated"])
def result(request):
    name = {"sample": "sample_result", "rotated": "rotated"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture
def page(chromium, result):
    """The report, opened offline; fails where it complains or asks for anything."""
    context = chromium.new_context(
        viewport={"width": 1200, "height": 900}, offline=True
    )
    made, faults = context.new_page(), []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on(
        "console", lambda m: m.type in ("error", "warning") and faults.append(m.text)
    )
    made.on(
        "request",
        lambda asked: (
            faults.append(asked.url[:60])
            if not asked.url.startswith(("file:", "data:"))
            else None
        ),
    )
    made.goto(result.paths["report"].as_uri())
    yield made
    context.close()
    assert faults == []


def test_all_pictures_are_there_and_lie_on_each_other(page):
    loaded = page.locator("img").evaluate_all(
        "images => images.map(i => i.complete && i.naturalWidth > 0)"
    )
    assert len(loaded) >= 8
    assert all(loaded)
    stage = page.locator(".stage").bounding_box()
    for name in ("before", "after", "changes", "probability", "outline", "fill"):
        box = page.locator(f"#picture-{name}").bounding_box()
        assert box == pytest.approx(stage, abs=0.6), name


def test_swipe_by_mouse_and_by_keys(page):
    stage, handle = page.locator(".stage"), page.locator(".handle")
    page.locator(".legend").scroll_into_view_if_needed()
    box, knob = stage.bounding_box(), handle.locator("span").bounding_box()
    middle = knob["y"] + knob["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle - 20, steps=4)
    page.mouse.up()
    assert abs(int(handle.get_attribute("aria-valuenow")) - 25) <= 1
    clip = page.locator(".before .plate").evaluate("e => getComputedStyle(e).clipPath")
    assert abs(float(re.findall(r"([\d.]+)%", clip)[0]) - 75) <= 1
    expect(handle).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert abs(int(handle.get_attribute("aria-valuenow")) - 27) <= 1
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"
    assert handle.get_attribute("aria-valuetext") == "100 % before"


def test_views_overlays_opacity_and_numbers(page):
    visible = "e => getComputedStyle(e).visibility"
    page.check("input[value=changes]")
    assert page.locator("figure.changes").evaluate(visible) == "visible"
    assert page.locator("figure.before").evaluate(visible) == "hidden"
    page.check("input[value=swipe]")
    page.check("input[value=fill]")
    assert page.locator("figure.fill").evaluate(visible) == "visible"
    page.focus("input[name=opacity]")
    page.keyboard.press("Home")
    opacity = page.locator("figure.fill").evaluate("e => getComputedStyle(e).opacity")
    assert float(opacity) == pytest.approx(0.1)
    expect(page.locator(".pins .pin").first).to_be_visible()
    page.uncheck("input[name=pins]")
    expect(page.locator(".pins .pin").first).to_be_hidden()


@pytest.mark.parametrize("zoom", ["1", "2", "4", "8"])
def test_the_scale_bar_is_right_and_in_view_at_every_zoom(page, zoom):
    page.select_option("select[name=zoom]", zoom)
    bar = page.locator(".held .bar")
    width = bar.locator("i").bounding_box()["width"]
    stage = page.locator(".stage").bounding_box()["width"]
    number, unit = bar.locator("b").inner_text().split()
    metres = float(number) * {"km": 1000, "m": 1, "cm": 0.01}[unit]
    whole = float(bar.get_attribute("data-metres"))
    assert width / stage == pytest.approx(metres / whole, rel=0.03, abs=0.002)
    assert 20 <= width <= 160
    frame, held = page.locator(".frame").bounding_box(), bar.bounding_box()
    assert held["x"] >= frame["x"]
    assert held["y"] + held["height"] <= frame["y"] + frame["height"] + 1
    north = page.locator(".held .north").bounding_box()
    assert north["x"] + north["width"] <= frame["x"] + frame["width"] + 1


def test_a_place_of_the_table_is_shown_on_the_map(page):
    page.locator(".show").last.click()
    expect(page.locator(".marker")).to_be_visible()
    expect(page.locator(".handle")).to_be_focused()
    marker, stage = (page.locator(s).bounding_box() for s in (".marker", ".stage"))
    assert marker["width"] < stage["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_light_and_dark_wide_and_narrow(page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    page.locator("details").evaluate("e => { e.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(n) for n in re.findall(r"\d+", paper)]
    assert all((one > 128) == (scheme == "light") for one in levels)


def test_printed_both_dates_stand_side_by_side(page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 690, "height": 1000})  # A4 less its margins
    boxes = {
        name: page.locator(f"#picture-{name}").bounding_box()
        for name in ("before", "after", "changes", "probability")
    }
    assert boxes["before"]["y"] == pytest.approx(boxes["after"]["y"], abs=1)
    assert boxes["before"]["x"] + boxes["before"]["width"] <= boxes["after"]["x"]
    below = boxes["changes"]["y"] > boxes["before"]["y"] + boxes["before"]["height"]
    beside = boxes["changes"]["x"] > boxes["after"]["x"] + boxes["after"]["width"]
    assert below or beside  # four tall maps share a line
    expect(page.locator("figure.changes .pin").first).to_be_visible()
    for hidden in (".handle", ".tools", "figure.outline", ".held"):
        expect(page.locator(hidden).first).to_be_hidden()
    wide = page.locator("figure.map, table, svg.histogram").evaluate_all(
        "all => Math.max(...all.map(e => e.getBoundingClientRect().right))"
    )
    assert wide <= 691


def pdf_of(path):
    return pytest.importorskip("pypdfium2").PdfDocument(path)


def test_a_printed_series_shows_all_dates(chromium, root):
    """Paper has no slider."""
    options = ChangeOptions(method="cva", threshold=0.5)
    scenes = [root / "sample_data" / "series" / f"{year}.tif" for year in YEARS]
    with tempfile.TemporaryDirectory() as folder:
        found = detect_series(scenes, Path(folder) / "series", options)
        page = chromium.new_context(offline=True).new_page()
        page.goto(found.paths["report"].as_uri())
        page.emulate_media(media="print")
        boxes = [one.bounding_box() for one in page.locator(".date img").all()]
        assert len(boxes) == len(YEARS)
        assert all(box["width"] > 100 and box["height"] > 100 for box in boxes)
        assert len({(box["x"], box["y"]) for box in boxes}) == len(YEARS)
        for year in YEARS:
            caption = page.locator(".date figcaption").get_by_text(str(year))
            expect(caption).to_be_visible()
        sheet = page.locator(".sheet").bounding_box()
        for overlay in page.locator(".overlay img").all():
            assert overlay.bounding_box()["width"] == pytest.approx(sheet["width"])
            expect(overlay).to_be_visible()
        page.context.close()


def test_printed_to_a4_nothing_is_cut(result, tmp_path):
    pdfium = pytest.importorskip("pypdfium2.raw")
    target = tmp_path / "report.pdf"
    print_pdf(result.paths["report"], target)
    document = pdf_of(target)
    places = min(12, len(result.changes))
    pictures, texts = 0, []
    for page in document:
        assert page.get_size() == pytest.approx(A4, abs=1)
        for drawn in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]):
            left, bottom, right, top = drawn.get_bounds()
            if right - left < 20:  # not a picture: a shadow of a box
                continue
            pictures += 1
            assert left > 30
            assert right < A4[0] - 30
            assert bottom > 40
            assert top < A4[1] - 35
        texts.append(page.get_textpage().get_text_range())
    # a picture that is cut is drawn on two pages
    assert pictures == PER_RESULT + 2 * places
    for number, text in enumerate(texts, start=1):
        assert f"{number} / {len(texts)}" in text
        assert "What changed" in text
    whole = " ".join(texts)
    assert "Settings and provenance" in whole
    assert result.record.before.sha256 in whole.replace("\r\n", "").replace("\n", "")
    assert "doi:" in whole
    document.close()


def test_a_pdf_by_the_command_bears_title_and_logo(rotated, tmp_path):
    folder = shutil.copytree(rotated.folder, tmp_path / "out")
    logo = tmp_path / "logo.svg"
    logo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30">'
        '<rect width="90" height="30" fill="teal"/></svg>'
    )
    made = remake_report(folder, title="Valley of the river", logo=logo, pdf=True)
    document = pdf_of(made.paths["pdf"])
    assert "Valley of the river" in document[0].get_textpage().get_text_range()
    picture = document[0].render(scale=1).to_numpy()
    assert (abs(picture[..., 1].astype(int) - 128) < 12).any()
    document.close()
