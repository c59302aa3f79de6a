"""A run as one HTML page that needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import numpy as np

from geosim.publish import styles
from geosim.publish.areas import AreaTable, from_to_table
from geosim.publish.cartography import corners, map_shape
from geosim.publish.figure import (
    LegendEntry,
    Pin,
    legend_html,
    map_css,
    map_figure,
    north_html,
    pin_html,
    scale_bar_html,
)
from geosim.publish.footprint import footprint
from geosim.publish.histogram import histogram_svg
from geosim.publish.method import method_text
from geosim.publish.page import filled, page_file
from geosim.publish.pictures import NO_DATA_GREY, ReportImages, ramp_colours
from geosim.publish.record import RunRecord
from geosim.publish.report_parts import (
    ChangeRow,
    area_table,
    assessment_section,
    change_table,
    method_html,
    provenance,
)
from geosim.publish.strip import is_strip, strip_html
from geosim.publish.wording import (
    TIMES,
    area,
    cards,
    lonlat,
    notes_list,
    percent,
    sentence,
    table,
)

__all__ = ["ChangeRow", "ReportContent", "ReportHead", "render_report"]


_RAMP_STEPS = 24
_BROAD, _TALL = 2.2, 0.62
"""Width by height: wider maps have a line of their own in print, four that are narrower
share one."""


@dataclass(frozen=True, kw_only=True)
class ReportHead:
    """What stands above the report, as its author wants it."""

    title: str = ""
    """Empty: from the dates."""
    author: str = ""
    """Who answers for it."""
    organisation: str = ""
    """For whom the author works."""
    logo: str = ""
    """A picture as data URI; empty: none."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All that a report shows beside the run's record."""

    images: ReportImages
    """Pictures of the whole grid and of the largest changes."""
    histogram: Sequence[int]
    """Valid pixels per level of the probability, `round(254 * p)`."""
    changes: Sequence[ChangeRow]
    """The largest changes, the largest first."""
    tables: Sequence[AreaTable] = ()
    """Areas by class and by size."""
    legend: Sequence[LegendEntry] = (
        LegendEntry(label="changed", colour=styles.CHANGE_COLOUR[:3]),
    )
    """Colours of the classes that there are."""
    assessment: Mapping[str, Any] | None = None
    """Contents of `assessment.json`; None: nobody assessed the map."""
    head: ReportHead = field(default_factory=ReportHead)
    """Title, author, logo."""


def render_report(record: RunRecord, content: ReportContent) -> str:
    """The page as text.

    Args:
        record: What the run did and found.
        content: Pictures and tables.
    """
    width, height = map_shape(record.grid)
    pins = [_pin(record, change) for change in content.changes]
    title = content.head.title or _title(record)
    assessed = content.assessment
    method = method_text(record, assessed=assessed is not None)
    dates = record.labels
    parts = {
        "version": escape(record.version),
        "style": page_file("report.css") + map_css() + _print_footer(title),
        "script": page_file("report.js"),
        "title": escape(title),
        "logo": _logo(content.head),
        "byline": _byline(record, content.head),
        "where": escape(_where(record)),
        "files": escape(f"{record.before.path} → {record.after.path}"),
        "summary": _summary(record),
        "notes": notes_list(record.notes),
        "broad": _form(width / height),
        "aspect": f"{width:.6g} / {height:.6g}",
        "maps": _maps(record, content.images, pins),
        "parts": _parts(record, content.images, pins),
        "outline": content.images.outline,
        "fill": content.images.fill,
        "pins": "".join(pin_html(pin) for pin in pins),
        "furniture": scale_bar_html(record.grid) + north_html(record.grid),
        "legend": legend_html(content.legend),
        "ramp": _ramp(),
        "corners": _corners(record),
        "areas": _areas(record, content.tables),
        "assessment": assessment_section(assessed) if assessed is not None else "",
        "histogram": histogram_svg(
            [int(count) for count in content.histogram], record.threshold.value
        ),
        "reason": escape(sentence(record.threshold.reason)),
        "changes": change_table(record, content.changes, content.images.chips, dates),
        "method": method_html(method),
        "provenance": provenance(record),
        "footer": escape(f"geosim {record.version} · {record.created:%Y-%m-%d %H:%M}"),
        "content": _json(content),
    }
    return filled("report.html.in", parts)


def _form(aspect: float) -> str:
    """The class of maps of such proportions."""
    strip = " strip" if is_strip(aspect) else ""
    if aspect > _BROAD:
        return f" broad{strip}"
    return f" tall{strip}" if aspect < _TALL else ""


def _title(record: RunRecord) -> str:
    before, after = record.labels
    return f"What changed, {before} to {after}"


def _print_footer(title: str) -> str:
    """Title and page number at the foot of each printed page."""
    text = title.replace("\\", "\\\\").replace('"', '\\"').replace("<", "\\3c ")
    text = " ".join(text.split())
    return f'@page {{ @bottom-left {{ content: "{text}"; }} }}\n'


def _logo(head: ReportHead) -> str:
    if not head.logo:
        return ""
    name = head.organisation or "the author's organisation"
    return (
        f'<img class="logo" id="logo" src="{head.logo}" alt="Logo of {escape(name)}">'
    )


def _byline(record: RunRecord, head: ReportHead) -> str:
    """Author, organisation, date."""
    said = [text for text in (head.author, head.organisation) if text]
    if not said:
        return ""
    said.append(f"{record.created:%Y-%m-%d}")
    return f'<p class="byline">{escape(" · ".join(said))}</p>'


def _where(record: RunRecord) -> str:
    """The place and the grid in one line."""
    grid = record.grid
    said = []
    place = footprint(grid)
    if place is not None:
        west, south, east, north = place.bbox
        middle = (west + east) / 2 + (180 if east < west else 0)
        said.append(lonlat((middle + 180) % 360 - 180, (south + north) / 2, 3))
    said.append(f"{grid.width:,} {TIMES} {grid.height:,} px")
    if grid.resolution_m is not None:
        said.append(f"{grid.resolution_m:.3g} m a pixel")
    if grid.wkt is not None:
        said.append(grid.crs or "CRS without a code")
    return " · ".join(said)


def _summary(record: RunRecord) -> str:
    """The three figures that a reader looks for first."""
    areas, plural = record.areas, "" if record.polygons == 1 else "s"
    theme = record.options.get("theme", "any")
    places = f"changed place{plural}"
    if theme != "any":
        places = f"place{plural} of the theme '{theme}'"
    return cards(
        ("changed", area(areas.changed_m2, areas.changed_px)),
        ("of what was compared", percent(areas.changed_percent)),
        (places, f"{record.polygons:,}"),
    )


def _pin(record: RunRecord, change: ChangeRow) -> Pin:
    col, row = change.place
    return Pin(
        number=change.id,
        x=col / record.grid.width,
        y=row / record.grid.height,
        link=f"change-{change.id}",
    )


def _maps(record: RunRecord, images: ReportImages, pins: Sequence[Pin]) -> str:
    """The four figures: layers of one map on the screen, side by side in print."""
    grid = record.grid
    before, after = record.labels
    shown = (
        ("after", images.after, after, f"The place at the second date, {after}", ()),
        ("before", images.before, before, f"The place at the first date, {before}", ()),
        ("changes", images.changes, "What changed", "What changed, numbered", pins),
        (
            "probability",
            images.probability,
            "Probability of change",
            "Probability of change: the darker, the surer that the pixel changed",
            (),
        ),
    )
    return "\n".join(
        map_figure(
            source, alt, caption, grid, pins=marks, kind=kind, name=f"picture-{kind}"
        )
        for kind, source, caption, alt, marks in shown
    )


def _parts(record: RunRecord, images: ReportImages, pins: Sequence[Pin]) -> str:
    """The map cut into parts, where it is a long strip."""
    pictures = {
        "before": (record.labels[0], images.before),
        "after": (record.labels[1], images.after),
        "changes": ("what changed", images.changes),
    }
    return strip_html(record.grid, pictures, pins)


def _ramp() -> str:
    """The probability's colours, in steps: some viewers of PDF pale a gradient."""
    middles = (np.arange(_RAMP_STEPS) + 0.5) / _RAMP_STEPS
    colours = ramp_colours(middles)
    share = colours[:, 3:] / 255
    mixed = np.rint(colours[:, :3] * share + NO_DATA_GREY * (1 - share)).astype(int)
    steps = "".join(
        f'<rect x="{place}" width="1.05" height="1" fill="rgb({red} {green} {blue})"/>'
        for place, (red, green, blue) in enumerate(mixed.tolist())
    )
    return (
        f'<svg class="ramp" viewBox="0 0 {_RAMP_STEPS} 1" preserveAspectRatio="none" '
        f'aria-hidden="true">{steps}</svg>'
    )


def _corners(record: RunRecord) -> str:
    """Coordinates of the map's corners."""
    places = corners(record.grid)
    if places is None:
        return ""
    names = ("top left", "top right", "bottom right", "bottom left")
    said = " · ".join(
        f"{name} {lonlat(*place)}" for name, place in zip(names, places, strict=True)
    )
    return f'<p class="corners">Corners of the map: {escape(said)} (WGS 84).</p>'


def _areas(record: RunRecord, tables: Sequence[AreaTable]) -> str:
    covers = from_to_table(record.from_to)
    more = [*tables, *([covers] if covers else [])]
    rows = [area_table(record)]
    rows += [table(("", *one.head[1:]), one.rows, one.caption) for one in more]
    return "\n".join(rows)


def _json(content: ReportContent) -> str:
    """What the page shows and does not say elsewhere, to make it anew."""
    head: dict[str, Any] = asdict(content.head)
    del head["logo"]
    values: Mapping[str, Any] = {
        "histogram": [int(count) for count in content.histogram],
        "changes": [asdict(change) for change in content.changes],
        "tables": [asdict(one) for one in content.tables],
        "legend": [asdict(entry) for entry in content.legend],
        "head": head,
        "assessment": content.assessment,
    }
    return json.dumps(values).replace("<", "\\u003c")
