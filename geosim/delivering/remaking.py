"""A report made anew from its result's folder: another title, an assessment, a PDF."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosim.delivering.finished import open_result
from geosim.delivering.printing import find_chromium, print_pdf
from geosim.errors import OptionError, OutputError
from geosim.publish.areas import AreaTable
from geosim.publish.figure import LegendEntry
from geosim.publish.pictures import ReportImages, data_uri
from geosim.publish.report import (
    ChangeRow,
    ReportContent,
    ReportHead,
    render_report,
)
from geosim.publish.stac import asset_entry, read_asset
from geosim.raster.staging import writing
from geosim.result import EXTRA_FILES, RECORD
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from geosim.result import ChangeResult

REPORT = "report.html"
_PICTURES = ("before", "after", "probability", "changes", "outline", "fill")
_LOGO_BYTES = 1_000_000
_LOGOS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}
"""First bytes of a picture that a logo may be, and its media type."""


def remake_report(
    folder: str | Path,
    *,
    title: str | None = None,
    author: str | None = None,
    organisation: str | None = None,
    logo: str | Path | None = None,
    assessment: str | Path | None = None,
    pdf: bool = False,
) -> ChangeResult:
    """Write `report.html` of a finished run anew, and `report.pdf` where wanted.

    Pictures and tables are those of the report that is there. `run.json` is brought up
    to date. What is None stays as it was.

    Args:
        folder: of the result.
        title: of the report; empty: from the dates.
        author: who answers for it.
        organisation: for whom the author works.
        logo: a PNG, JPEG or SVG of at most 1 MB; empty: none.
        assessment: what `geosim assess` wrote, its folder or `assessment.json`; becomes
            a section on areas with their error.
        pdf: True: print it, with an installed Chromium.

    Returns:
        The result.

    Raises:
        OutputError: the folder holds no whole result, or cannot be written.
        OptionError: logo or assessment cannot be used.
        MissingDependencyError: there is no Chromium to print with.
    """
    folder = Path(folder)
    result = open_result(folder)
    if pdf:
        find_chromium()
    content = _read_content(folder / REPORT)
    given = {"title": title, "author": author, "organisation": organisation}
    if logo is not None:
        given["logo"] = _logo_uri(Path(logo)) if str(logo) else ""
    told = {name: value for name, value in given.items() if value is not None}
    content = replace(content, head=replace(content.head, **told))
    if assessment is not None:
        values = _read_assessment(Path(assessment))
        _check_same_map(values, result)
        content = replace(content, assessment=values)
    _replace(folder / REPORT, _rendered(result, content, assessment))
    # the result is whole before Chromium, which may fail, and without the old PDF
    (folder / EXTRA_FILES["pdf"]).unlink(missing_ok=True)
    _register(result, REPORT)
    if pdf:
        print_report(result)
    return result


def print_report(result: ChangeResult) -> None:
    """Print the report of a finished run to `report.pdf`.

    Raises:
        OutputError, MissingDependencyError: as `remake_report`.
    """
    pdf = EXTRA_FILES["pdf"]
    print_pdf(result.folder / REPORT, result.folder / pdf)
    _register(result, pdf)


class _Page(HTMLParser):
    """Pictures by id or number, and the page's own JSON."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: dict[str, str] = {}
        self.content = ""
        self._within = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        name = known.get("id") or known.get("data-chip")
        if tag == "img" and name and known.get("src"):
            self.pictures[name] = str(known["src"])
        self._within = tag == "script" and known.get("id") == "content"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.content += data

    def handle_endtag(self, tag: str) -> None:
        self._within = self._within and tag != "script"


def _read_content(path: Path) -> ReportContent:
    """What a report shows.

    Raises:
        OutputError: it was made by another version, or changed since.
    """
    try:
        page = _Page(path.read_text(encoding="utf-8"))
        known = json.loads(page.content)
        return _content(known, page.pictures)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(
            f"'{path}' is not a report that this version of geosim made; make the "
            "result anew with geosim change --overwrite"
        ) from error


def _content(known: dict[str, Any], pictures: dict[str, str]) -> ReportContent:
    changes = [_row(values) for values in known["changes"]]
    chips = {
        change.id: (pictures[f"{change.id}-0"], pictures[f"{change.id}-1"])
        for change in changes
        if f"{change.id}-0" in pictures
    }
    images = {name: pictures[f"picture-{name}"] for name in _PICTURES}
    return ReportContent(
        images=ReportImages(**images, chips=chips),
        histogram=known["histogram"],
        changes=changes,
        tables=[
            AreaTable(
                caption=one["caption"],
                head=tuple(one["head"]),
                rows=tuple(tuple(row) for row in one["rows"]),
            )
            for one in known["tables"]
        ],
        legend=[
            LegendEntry(label=one["label"], colour=tuple(one["colour"]))
            for one in known["legend"]
        ],
        assessment=known["assessment"],
        head=ReportHead(**known["head"], logo=pictures.get("logo", "")),
    )


def _row(values: dict[str, Any]) -> ChangeRow:
    """JSON has lists where a row has tuples."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    return ChangeRow(**known)


def _read_assessment(path: Path) -> dict[str, Any]:
    """Contents of an `assessment.json`.

    Raises:
        OptionError: there is none.
    """
    file = path / "assessment.json" if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"--assessment wants the folder that geosim assess wrote; cannot read "
            f"'{file}'"
        ) from error
    if not isinstance(values, dict):
        raise OptionError(
            f"--assessment wants the folder that geosim assess wrote; '{file}' holds "
            "another JSON"
        )
    return values


def _check_same_map(values: dict[str, Any], result: ChangeResult) -> None:
    """Refuse the assessment of another map: its strata hold other pixels.

    Raises:
        OptionError: they do.
    """
    try:
        pixels = [
            (int(one["pixels"]), one["map_class"] != NO_CHANGE)
            for one in values["strata"]
        ]
    except (KeyError, TypeError, ValueError):
        return  # no assessment at all, which rendering tells
    areas = result.record.areas
    wanted = areas.valid_px, areas.changed_px
    found = sum(n for n, _ in pixels), sum(n for n, changed in pixels if changed)
    if found != wanted:
        raise OptionError(
            "--assessment wants that of this result's map, on which "
            f"{wanted[1]:,} of {wanted[0]:,} px changed; found one of a map on which "
            f"{found[1]:,} of {found[0]:,} px did; give the folder of the samples that "
            "'geosim sample' drew from this result"
        )


def _rendered(
    result: ChangeResult, content: ReportContent, assessment: str | Path | None
) -> str:
    try:
        return render_report(result.record, content)
    except (KeyError, TypeError, ValueError) as error:
        if assessment is None:
            raise
        raise OptionError(
            f"--assessment wants the folder that geosim assess wrote; '{assessment}' "
            "holds another JSON"
        ) from error


def _logo_uri(path: Path) -> str:
    """A picture as data URI.

    Raises:
        OptionError: it is missing, too large, or of another format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OptionError(
            f"--logo wants a PNG, JPEG or SVG; cannot read '{path}': {error.strerror}"
        ) from error
    if len(data) > _LOGO_BYTES:
        raise OptionError(
            f"--logo wants at most {_LOGO_BYTES / 1e6:g} MB; '{path}' has "
            f"{len(data) / 1e6:.1f} MB; give a smaller picture"
        )
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, media in _LOGOS.items():
        if start.startswith(mark):
            return data_uri(media, data)
    raise OptionError(f"--logo wants a PNG, JPEG or SVG; '{path}' is none of them")


def _replace(path: Path, text: str) -> None:
    """Write a text file that appears when it is whole."""
    draft = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, path)  # noqa: PTH105
        finally:
            draft.unlink(missing_ok=True)


def _register(result: ChangeResult, name: str) -> None:
    """Bring size and checksum of a file in `run.json` up to date."""
    path = result.folder / RECORD
    item = json.loads(path.read_text(encoding="utf-8"))
    for other in EXTRA_FILES.values():
        if not (result.folder / other).exists():
            item["assets"].pop(other, None)
    asset = read_asset(result.folder / name)
    item["assets"][name] = asset_entry(asset, result.record.grid)
    _replace(path, json.dumps(item, indent=2) + "\n")
