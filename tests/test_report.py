"""report.html: what it says, that it is safe, and that it needs nothing else."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from publish_records import make_grid, make_input, make_record

from geosim.publish import styles
from geosim.publish.histogram import histogram_svg
from geosim.publish.pictures import (
    ReportPictures,
    change_map_uri,
    chip_uris,
    fill_uri,
    outline_uri,
    photo_uri,
    probability_uri,
    ramp_colours,
    report_images,
    surroundings,
)
from geosim.publish.record import AreaRecord
from geosim.publish.report import (
    ChangeRow,
    ReportContent,
    ReportHead,
    render_report,
)
from geosim.publish.wording import area, lonlat, number, percent, sentence

VOID = {"meta", "img", "input", "line", "path", "rect", "link", "br"}
HEIGHT, WIDTH = 60, 90
HISTOGRAM = [1000] + [0] * 253 + [100]


class Page(HTMLParser):
    """The page's tags and texts; complains about tags that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data.strip())

    def all(self, tag, **wanted):
        return [
            found
            for name, found in self.tags
            if name == tag and wanted.items() <= found.items()
        ]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def make_pictures(height=HEIGHT, width=WIDTH):
    decision = np.zeros((height, width), np.uint8)
    decision[10:20, 30:50] = 1
    decision[50:] = 255
    probability = np.where(decision == 1, 1, 0).astype(np.float32)
    probability[decision == 255] = np.nan
    before = np.full((height, width, 3), 80, np.uint8)
    after = before.copy()
    after[decision == 1] = (200, 40, 40)
    return ReportPictures(
        before=before, after=after, probability=probability, decision=decision
    )


def make_change(**changes):
    values = {
        "id": 7,
        "area_m2": 96_000.0,
        "area_px": 960,
        "probability_mean": 0.87,
        "window": (100, 33, 66, 34),
        "place": (133.0, 50.0),
        "lon": 15.0171,
        "lat": -45.1498,
    }
    return ChangeRow(**(values | changes))


def make_content(changes=None, pictures=None, **more):
    rows = [make_change()] if changes is None else changes
    rng = np.random.default_rng(3)
    square = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    chip = chip_uris(square, square, square[..., 0] > 128)
    images = report_images(pictures or make_pictures(), {row.id: chip for row in rows})
    return ReportContent(images=images, histogram=HISTOGRAM, changes=rows, **more)


def page_of(record=None, changes=None, **more):
    return render_report(record or make_record(), make_content(changes, **more))


def image_of(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_page_says_what_changed():
    text = Page(page_of()).text
    for said in (
        "What changed, 1990 to 2020-07",
        "9.60\u00a0ha changed",
        "4.00\u202f% of what was compared",
        "1 changed place",
        "Otsu's rule parts the histogram here.",
        "Both dates were scaled by one range.",
        "0.87",
        "45.1498°\u202fS, 15.0171°\u202fE",
        "EPSG:32633",
        "300 \N{MULTIPLICATION SIGN} 200 px",
        "OpenVINO int8, 2 threads",
        "GDAL 3.9.3",
        "12" * 32,
    ):
        assert re.sub(r"\s", " ", said) in text, said


def test_page_needs_nothing_from_outside():
    text = page_of()
    assert "://" not in text
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href"):
            if attributes.get(name):
                assert attributes[name].startswith(("data:", "#")), (tag, name)
    assert page.all("link") == []
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\s*\(", text)
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_names_are_escaped_everywhere():
    nasty = "<script>alert(1)</script>&\"'$title.tif"
    record = make_record(
        before=make_input(nasty, date=None, placement=nasty),
        name=nasty,
        options={nasty: nasty},
        notes=(nasty,),
    )
    text = page_of(record)
    assert "<script>alert" not in text
    page = Page(text)
    assert len(page.all("script")) == 2  # the page's own, and its data
    assert nasty in page.text
    # the file's name is the label of the date, in attributes too
    assert any("&\"'$title.tif" in image["alt"] for image in page.all("img"))


def test_undecodable_file_names_can_be_written_out():
    record = make_record(before=make_input("b\udcff.tif", date=None))
    page_of(record).encode("utf-8")


def test_everything_has_a_name_for_those_who_cannot_see_it():
    page = Page(page_of())
    assert page.all("html", lang="en")
    assert all(image["alt"] for image in page.all("img"))
    (handle,) = page.all("div", role="slider")
    assert handle["tabindex"] == "0"
    assert (handle["aria-valuemin"], handle["aria-valuemax"]) == ("0", "100")
    assert handle["aria-label"]
    (chart,) = page.all("svg", role="img")
    assert "100 of 1,100 pixels lie at or above" in chart["aria-label"]
    names = {i["name"] for i in page.all("input")}
    assert names == {"view", "overlay", "opacity", "pins"}
    assert len(page.all("label")) == len(page.all("input")) + len(page.all("select"))


def test_the_page_shows_a_place_on_the_map():
    # Window (100, 33, 66, 34) of 300 x 200 px, in percent.
    (button,) = Page(page_of()).all("button")
    assert button["data-box"] == "33.3333,16.5000,22.0000,17.0000"


def test_without_a_crs_areas_are_pixels_and_places_rows_and_columns():
    record = make_record(
        grid=make_grid(wkt=None, crs=None, resolution_m=None),
        areas=AreaRecord(
            valid_px=24000, changed_px=960, valid_m2=None, changed_m2=None
        ),
    )
    text = Page(page_of(record, [make_change(area_m2=None, lon=None, lat=None)])).text
    assert "960 px changed" in text
    assert "column 133, row 50" in text
    assert " ha " not in text


def test_title_author_and_logo_are_those_of_the_author():
    head = ReportHead(
        title="<b>Forest</b>", author="A. Author", organisation="Survey", logo="data:,"
    )
    page = Page(page_of(head=head))
    assert "<b>Forest</b> A. Author · Survey · 2024-05-06" in page.text
    (logo,) = page.all("img", id="logo")
    assert logo["alt"] == "Logo of Survey"


def test_each_printed_page_bears_the_title():
    text = page_of(head=ReportHead(title='a "b" </style>\n c'))
    assert 'content: "a \\"b\\" \\3c /style> c"' in text
    assert text.count("</style>") == 1


def test_places_are_numbered_as_on_the_map():
    page = Page(page_of(changes=[make_change(id=3), make_change(id=12)]))
    pins = page.all("a", href="#change-12")
    assert {pin["style"] for pin in pins} == {
        "left:clamp(.7em, 44.333%, 100% - .7em);top:25.000%"
    }
    assert len(page.all("tr", id="change-12")) == 1
    assert "3 12" in page.text


def test_method_and_references_are_those_of_the_run():
    text = Page(page_of()).text
    assert "VGG16 [1]" in text
    assert "doi:10.1109/TIP.2003.819861" in text
    text = Page(page_of(make_record(method="irmad"))).text
    assert "VGG16" not in text
    assert "doi:10.1109/TIP.2006.888195" in text


ASSESSED = {
    "estimator": "Olofsson et al. 2014",
    "unit": "m2",
    "samples": 300,
    "overall_accuracy": {"value": 0.95, "low": 0.92, "high": 0.98},
    "classes": [
        {
            "label": "forest loss",
            "mapped_area": 42_600.0,
            "area": {"value": 45_000.0, "low": 40_000.0, "high": 50_000.0},
            "users_accuracy": {"value": 0.9, "low": 0.85, "high": 0.95},
            "producers_accuracy": {"value": None, "low": None, "high": None},
        }
    ],
}


def test_an_assessment_is_a_section_with_intervals():
    text = Page(page_of(assessment=ASSESSED)).text.replace("\u00a0", " ")
    assert "forest loss 4.26 ha 4.50 ha 4.00 ha to 5.00 ha" in text
    assert "90.0 % (85.0 to 95.0)" in text
    assert "geosim sample" not in text
    assert "geosim sample" in Page(page_of()).text


def test_the_page_holds_what_it_was_made_of():
    text = page_of(head=ReportHead(title="</script><b>"), assessment=ASSESSED)
    (block,) = re.findall(r'id="content">(.*?)</script>', text, re.DOTALL)
    known = json.loads(block)
    assert known["histogram"] == HISTOGRAM
    assert known["head"]["title"] == "</script><b>"
    assert known["changes"][0]["place"] == [133.0, 50.0]
    assert known["assessment"] == ASSESSED


def test_nothing_changed_is_said():
    text = Page(page_of(changes=[])).text
    assert "No place changed by as much as the smallest kept." in text


def test_equal_dates_are_told_apart_by_file_name():
    record = make_record(after=make_input("x/later.tif", date="1990"))
    assert "What changed, 1990.tif to later.tif" in Page(page_of(record)).text


def test_the_largest_pictures_of_noise_stay_below_ten_megabytes():
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (1400, 1400, 3), dtype=np.uint8)
    probability = photo[..., 0].astype(np.float32) / 255
    pictures = ReportPictures(
        before=photo,
        after=photo[::-1],
        probability=probability,
        decision=(probability > 0.7).astype(np.uint8),
    )
    rows = [make_change(id=number) for number in range(1, 13)]
    text = render_report(make_record(), make_content(rows, pictures))
    assert len(text) < 10_000_000


def test_fill_and_outline_cover_the_change():
    pictures = make_pictures()
    fill = np.array(image_of(fill_uri(pictures)).convert("RGBA"))
    assert fill.shape == (HEIGHT, WIDTH, 4)
    assert (fill[..., 3] > 0).sum() == 10 * 20
    assert tuple(fill[15, 40]) == styles.CHANGE_COLOUR
    outline = np.array(image_of(outline_uri(pictures)).convert("RGBA"))
    assert tuple(outline[10, 40]) == styles.CHANGE_COLOUR  # inner edge
    assert tuple(outline[9, 40]) == styles.CHANGE_COLOUR  # outer edge
    assert tuple(outline[8, 40][:3]) == (255, 255, 255)  # casing
    assert 0 < outline[8, 40][3] < 255
    assert outline[15, 40][3] == 0  # inside
    assert outline[7, 40][3] == 0  # outside


def test_probability_has_the_colours_of_qgis():
    picture = np.array(image_of(probability_uri(make_pictures())), int)
    assert np.abs(picture[15, 40] - styles.PROBABILITY_RAMP[-1].colour[:3]).max() < 12
    # 0: the pale grey of `after`, 130 + 80 * 110 / 255; NaN: flat grey.
    assert np.abs(picture[30, 70] - 165).max() < 6
    assert np.abs(picture[56, 70] - 200).max() < 6


def test_ramp_mixes_between_its_stops():
    assert ramp_colours(np.array([0.0, 1.0])).tolist() == [
        list(styles.PROBABILITY_RAMP[0].colour),
        list(styles.PROBABILITY_RAMP[-1].colour),
    ]
    # 0.2 lies halfway between 0.1 and 0.3.
    assert ramp_colours(np.array([0.2]))[0].tolist() == [254, 211.5, 112, 85]


def test_classes_have_their_colours_on_every_picture():
    pictures = make_pictures()
    classes = (pictures.decision == 1).astype(np.uint8)
    classes[:, 40:][classes[:, 40:] == 1] = 2
    colours = ((165, 0, 38), (8, 81, 156))
    pictures = dataclasses.replace(pictures, classes=classes, colours=colours)
    for uri, close in (
        (fill_uri(pictures), 0),
        (outline_uri(pictures), 0),
        (change_map_uri(pictures), 12),
    ):
        shown = np.array(image_of(uri).convert("RGBA"), int)[..., :3]
        row = 15 if close else 10  # a JPEG is not sharp at edges
        assert np.abs(shown[row, 34] - colours[0]).max() <= close
        assert np.abs(shown[row, 46] - colours[1]).max() <= close
    grey = np.array(image_of(change_map_uri(pictures)), int)[56, 70]
    assert np.abs(grey - 200).max() < 6  # no data


@pytest.mark.parametrize(
    ("box", "square"),
    [
        # 40 px high: 68 with its margin, centred on (50, 120)
        ((40, 100, 20, 40), (16, 86, 68)),
        # at a corner, and at least 24 px
        ((0, 0, 4, 4), (0, 0, 24)),
        ((296, 196, 4, 4), (276, 176, 24)),
        # larger than the picture is high
        ((0, 0, 300, 200), (50, 0, 200)),
    ],
)
def test_a_chip_shows_the_place_with_a_margin(box, square):
    assert surroundings(box, 300, 200) == square


def test_a_chip_has_the_outline_of_the_change():
    before = np.full((60, 60, 3), 80, np.uint8)
    changed = np.zeros((60, 60), bool)
    changed[20:40, 20:40] = True
    for uri in chip_uris(before, before, changed):
        chip = np.array(image_of(uri), int)
        assert chip.shape == (240, 240, 3)
        assert np.abs(chip[79, 120] - [216, 27, 96]).max() < 60  # above the change
        assert chip[77, 120].min() > 150  # its casing
        assert np.abs(chip[120, 120] - 80).max() < 12
        assert np.abs(chip[20, 20] - 80).max() < 12


def test_jpeg_gives_way_in_quality():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(photo_uri(noise, limit=1)) < len(photo_uri(noise, limit=10**6))


def test_histogram_draws_counts_on_a_log_axis():
    svg = histogram_svg([1000, 0, 10, 0, 100], 0.5)
    same = re.search(r'class="bars same" d="([^"]+)"', svg)[1]
    changed = re.search(r'class="bars changed" d="([^"]+)"', svg)[1]
    assert (same.count("M"), changed.count("M")) == (1, 2)
    # On a log axis 1000 over 100 is as high a step as 100 over 10.
    tops = [float(y) for y in re.findall(r"V([\d.]+)H", same + changed)]
    assert tops[1] - tops[2] == pytest.approx(tops[2] - tops[0], abs=0.02)
    assert "threshold 0.50" in svg


def test_histogram_of_nothing_is_an_empty_chart():
    svg = histogram_svg([0] * 255, 0.3)
    assert "bars" not in svg
    assert "0 of 0 pixels" in svg


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.250"),
        (4.567, "4.57"),
        (12.34, "12.3"),
        (4567.8, "4,568"),
        (0, "0"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_areas_and_places_in_words():
    assert area(123_456.0, 1) == "12.3\u00a0ha"
    assert area(500.0, 1) == "500.0\u00a0m²"
    assert area(None, 1234) == "1,234\u00a0px"
    assert percent(0.004) == "< 0.01\u202f%"
    assert percent(0) == "0.00\u202f%"
    assert lonlat(-74.44071, -8.43416) == "8.4342°\u202fS, 74.4407°\u202fW"


def test_a_sentence_starts_large_and_ends_with_a_stop():
    assert sentence(" why not") == "Why not."
    assert sentence("Done.") == "Done."
    assert sentence("") == ""


@pytest.mark.parametrize(
    ("paths", "dates", "told"),
    [
        (("1990.tif", "b.tif"), ("1990", None), ("1990", "b.tif")),
        (("x_2020.tif", "y_2020.tif"), ("2020", "2020"), ("x_2020.tif", "y_2020.tif")),
        (("set/A/x.png", "set/B/x.png"), (None, None), ("A/x.png", "B/x.png")),
    ],
)
def test_dates_are_told_apart(paths, dates, told):
    before, after = (
        make_input(path, date=date) for path, date in zip(paths, dates, strict=True)
    )
    assert make_record(before=before, after=after).labels == told
