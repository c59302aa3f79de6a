"""geosim report: the report of a finished run made anew."""

import json
import shutil
import stat

import pytest
from processes import call
from rasters import drawn_pair, listing, write_pair

from geosim import ChangeOptions, detect_change, open_result
from geosim.delivering.printing import find_chromium, print_pdf
from geosim.delivering.remaking import print_report, remake_report
from geosim.errors import MissingDependencyError, OptionError, OutputError

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'
ASSESSED = {
    "estimator": "Olofsson et al. 2014",
    "unit": "m2",
    "samples": 300,
    "overall_accuracy": {"value": 0.95, "low": 0.92, "high": 0.98},
    "classes": [],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    pair = write_pair(folder, *drawn_pair())
    return detect_change(*pair, folder / "out", ChangeOptions(method="cva"))


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made.folder, tmp_path / "out")


def report_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_made_anew_without_changes_it_is_the_same(folder):
    before = listing(folder)
    remake_report(folder)
    assert listing(folder) == before


def test_what_was_told_once_stays(folder, tmp_path):
    (tmp_path / "logo.svg").write_bytes(LOGO)
    remake_report(
        folder, title="Forest 1990", author="A. Author", logo=tmp_path / "logo.svg"
    )
    (tmp_path / "assessment.json").write_text(json.dumps(ASSESSED))
    remake_report(folder, organisation="Survey", assessment=tmp_path)
    remake_report(folder)
    text = report_of(folder)
    assert "<h1>Forest 1990</h1>" in text
    assert "A. Author · Survey · " in text
    assert "data:image/svg+xml;base64," in text
    assert "Areas with their error" in text
    remake_report(folder, title="", author="", organisation="", logo="")
    text = report_of(folder)
    assert "<h1>What changed, 1990 to 2020</h1>" in text
    assert "image/svg" not in text
    assert "byline" not in text.partition("<body>")[2]


def test_the_result_stays_whole(folder):
    remake_report(folder, title="Another")
    result = open_result(folder)  # sizes are those that run.json tells
    item = json.loads((folder / "run.json").read_text())
    assert item["assets"]["report.html"]["file:size"] == len(
        report_of(folder).encode("utf-8")
    )
    assert result.record == open_result(folder).record
    assert not [name for name in listing(folder) if name.startswith(".")]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"GIF89a", "is none of them"), (b"<svg" + b" " * 1_100_000, "at most 1 MB")],
)
def test_a_logo_that_cannot_be_used(folder, tmp_path, content, said):
    (tmp_path / "logo").write_bytes(content)
    before = listing(folder)
    with pytest.raises(OptionError, match=said):
        remake_report(folder, logo=tmp_path / "logo")
    with pytest.raises(OptionError, match="cannot read"):
        remake_report(folder, logo=tmp_path / "absent.png")
    assert listing(folder) == before


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"unit": "m2"}', "[]", "7", "null", '{"unit": 1, "classes": [3]}'],
)
def test_an_assessment_that_is_none(folder, tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    before = listing(folder)
    with pytest.raises(OptionError, match="--assessment wants the folder"):
        remake_report(folder, assessment=tmp_path / "other.json")
    assert listing(folder) == before


def test_the_assessment_of_another_map(folder, tmp_path):
    areas = open_result(folder).record.areas
    strata = [
        {"map_class": "no_change", "pixels": areas.valid_px - areas.changed_px},
        {"map_class": "changed", "pixels": areas.changed_px},
    ]
    path = tmp_path / "assessment.json"
    path.write_text(json.dumps(ASSESSED | {"strata": strata}))
    remake_report(folder, assessment=path)
    strata[1]["pixels"] -= 1
    strata[0]["pixels"] += 1
    path.write_text(json.dumps(ASSESSED | {"strata": strata}))
    before = listing(folder)
    with pytest.raises(OptionError, match="found one of a map on which"):
        remake_report(folder, assessment=path)
    assert listing(folder) == before


def test_a_report_of_other_making(folder):
    path = folder / "report.html"
    size = path.stat().st_size
    path.write_text(" " * size)
    with pytest.raises(OutputError, match="is not a report that this version"):
        remake_report(folder)


def test_the_command_and_what_it_refuses(commands, folder, tmp_path):
    code, stdout, _ = commands(tmp_path, "report", "out", "--title", "By command")
    assert (code, stdout) == (0, "out/report.html\n")
    assert "<h1>By command</h1>" in report_of(folder)
    code, _, stderr = commands(tmp_path, "report", "nowhere")
    assert code == 1
    assert stderr.startswith("error: 'nowhere' must hold a result")
    assert stderr.count("\n") == 1


# --- printing, with programs that stand in for a browser


def stand_in(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


WRITES = (
    'for one in "$@"; do case $one in --print-to-pdf=*) '
    'head -c 2000 /dev/zero >"${one#--print-to-pdf=}";; esac; done'
)


def test_a_pdf_is_part_of_the_result(folder, tmp_path, monkeypatch):
    browser = stand_in(tmp_path / "browser", WRITES)
    monkeypatch.setenv("GEOSIM_CHROMIUM", str(browser))
    print_report(open_result(folder))
    result = open_result(folder)
    assert result.paths["pdf"].stat().st_size == 2000
    item = json.loads((folder / "run.json").read_text())
    assert item["assets"]["report.pdf"]["type"] == "application/pdf"
    remake_report(folder)  # without it: the old one would not fit
    assert "pdf" not in open_result(folder).paths
    item = json.loads((folder / "run.json").read_text())
    assert "report.pdf" not in item["assets"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo no display >&2; exit 3", "could not print the report: no display"),
        ("exit 0", "wrote no PDF"),
    ],
)
def test_a_browser_that_fails(folder, tmp_path, monkeypatch, body, said):
    browser = stand_in(tmp_path / "browser", body)
    monkeypatch.setenv("GEOSIM_CHROMIUM", str(browser))
    with pytest.raises(OutputError, match=said):
        print_pdf(folder / "report.html", folder / "report.pdf")
    assert not (folder / "report.pdf").exists()
    open_result(folder)


def test_a_report_made_anew_whose_pdf_fails_is_whole(folder, tmp_path, monkeypatch):
    browser = stand_in(tmp_path / "browser", WRITES)
    monkeypatch.setenv("GEOSIM_CHROMIUM", str(browser))
    remake_report(folder, pdf=True)
    stand_in(tmp_path / "browser", "exit 7")
    with pytest.raises(OutputError, match="could not print the report"):
        remake_report(folder, title="Another title", pdf=True)
    assert "Another title" in report_of(folder)
    assert "pdf" not in open_result(folder).paths  # the old one would not fit


def test_without_a_browser_it_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOSIM_CHROMIUM", "no-such-browser")
    with pytest.raises(MissingDependencyError, match="no-such-browser"):
        find_chromium()
    write_pair(tmp_path, *drawn_pair())
    before = listing(tmp_path)
    done = call("change", "1990.tif", "2020.tif", "--pdf", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a PDF is printed by Chromium, and none was")
    assert listing(tmp_path) == before


def test_a_pdf_that_fails_leaves_a_whole_result(tmp_path, monkeypatch):
    browser = stand_in(tmp_path / "browser", "exit 7")
    monkeypatch.setenv("GEOSIM_CHROMIUM", str(browser))
    pair = write_pair(tmp_path, *drawn_pair())
    how = ("--method", "cva", "--pdf", "-o", "out")
    done = call("change", *pair, *how, folder=tmp_path)
    assert done.returncode == 1
    assert "could not print the report" in done.stderr
    assert "the result in 'out' is whole" in done.stderr
    open_result(tmp_path / "out")
