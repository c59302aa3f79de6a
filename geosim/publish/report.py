"""A run as one HTML page that needs nothing but itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

import numpy as np

from geosim.publish import styles
from geosim.publish.footprint import footprint
from geosim.publish.histogram import histogram_svg
from geosim.publish.pictures import (
    ReportPictures,
    fill_uri,
    outline_uri,
    photo_uri,
    probability_uri,
    thumbnail_uris,
)
from geosim.publish.record import InputRecord, RunRecord
from geosim.publish.wording import (
    NOTHING,
    TIMES,
    area,
    facts,
    file_name,
    lonlat,
    percent,
    sentence,
    shown,
    table,
    words,
)
from geosim.themes.classes import CLASSES, COVERS

__all__ = ["ChangeRow", "ReportPictures", "render_report"]


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One of the largest changes."""

    id: int
    """The polygon's id in the layer `changes`."""
    area_m2: float | None
    """Square metres on the ellipsoid; None without a CRS."""
    area_px: int
    """Pixels of the grid."""
    probability_mean: float
    """Mean probability inside the polygon."""
    window: tuple[int, int, int, int]
    """`(col_off, row_off, width, height)` of its bounding box, pixels of the grid."""
    lon: float | None = None
    """Longitude of its centre; None without a CRS."""
    lat: float | None = None
    """Latitude of its centre; None without a CRS."""


def render_report(
    record: RunRecord,
    pictures: ReportPictures,
    histogram: Sequence[int],
    changes: Sequence[ChangeRow],
) -> str:
    """The page as text.

    Args:
        record: What the run did and found.
        pictures: Previews of the whole grid.
        histogram: Valid pixels per level of the probability, `round(254 * p)`.
        changes: The largest changes, the largest first.
    """
    counts = [int(count) for count in histogram]
    parts = {
        "style": _part("report.css"),
        "script": _part("report.js"),
        "title": escape(_title(record)),
        "where": escape(_where(record)),
        "files": escape(f"{record.before.path} → {record.after.path}"),
        "summary": _summary(record),
        "notes": _notes(record),
        "aspect": f"{pictures.decision.shape[1]} / {pictures.decision.shape[0]}",
        "before_label": escape(_label(record.before)),
        "after_label": escape(_label(record.after)),
        "before": photo_uri(pictures.before),
        "after": photo_uri(pictures.after),
        "probability": probability_uri(pictures),
        "outline": outline_uri(pictures.decision),
        "fill": fill_uri(pictures.decision),
        "ramp": _ramp_css(),
        "histogram": histogram_svg(counts, record.threshold.value),
        "reason": escape(sentence(record.threshold.reason)),
        "areas": _area_table(record),
        "from_to": _from_to_table(record),
        "changes": _change_table(record, pictures, changes),
        "provenance": _provenance(record),
        "footer": escape(f"geosim {record.version} · {record.created:%Y-%m-%d %H:%M}"),
    }
    page = Template(_part("report.html.in")).substitute(parts)
    return page.encode("utf-8", "replace").decode("utf-8")


def _part(name: str) -> str:
    return (resources.files("geosim.publish") / name).read_text(encoding="utf-8")


def _label(source: InputRecord) -> str:
    """What a date is called on the page: its date, or the file's name."""
    return source.date or file_name(source.path)


def _title(record: RunRecord) -> str:
    before, after = _label(record.before), _label(record.after)
    if before == after:
        before, after = file_name(record.before.path), file_name(record.after.path)
    return f"What changed, {before} to {after}"


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
    areas = record.areas
    cards = (
        ("changed", area(areas.changed_m2, areas.changed_px)),
        ("of what was compared", percent(areas.changed_percent)),
        (
            "changed place" + ("" if record.polygons == 1 else "s"),
            f"{record.polygons:,}",
        ),
    )
    return "\n".join(
        f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>"
        for name, value in cards
    )


def _notes(record: RunRecord) -> str:
    if not record.notes:
        return ""
    items = "".join(f"<li>{escape(sentence(note))}</li>" for note in record.notes)
    return f'<ul class="notes" aria-label="Notes">{items}</ul>'


def _ramp_css() -> str:
    """The probability's colours as a CSS gradient over the paper of its picture."""
    stops = []
    for stop in styles.PROBABILITY_RAMP:
        *rgb, alpha = stop.colour
        colour = " ".join(str(channel) for channel in rgb)
        stops.append(f"rgb({colour} / {alpha / 255:.2f}) {100 * stop.value:g}%")
    return f"linear-gradient(to right, {', '.join(stops)})"


def _area_table(record: RunRecord) -> str:
    areas = record.areas
    same_m2 = None
    if areas.valid_m2 is not None and areas.changed_m2 is not None:
        same_m2 = areas.valid_m2 - areas.changed_m2
    share = areas.changed_percent
    total = record.grid.width * record.grid.height
    lines = [
        ("changed", areas.changed_m2, areas.changed_px, percent(share)),
        ("same", same_m2, areas.valid_px - areas.changed_px, percent(100 - share)),
        ("compared", areas.valid_m2, areas.valid_px, percent(100)),
    ]
    rows = [[name, area(m2, px), part, f"{px:,}"] for name, m2, px, part in lines]
    missing = total - areas.valid_px
    rows.append(["without data", NOTHING, NOTHING, f"{missing:,}"])
    return table(("", "area", "share", "pixels"), rows, "Area")


def _from_to_table(record: RunRecord) -> str:
    """What became of what; nothing where that is not known."""
    if not record.from_to:
        return ""
    rows = [
        [
            CLASSES[row["class"]].label,
            COVERS[row["from_class"]].label,
            COVERS[row["to_class"]].label,
            area(row["area_m2"], row["area_px"]),
            f"{row['polygons']:,}",
        ]
        for row in record.from_to
    ]
    head = ("class", "from", "to", "area", "polygons")
    return table(head, rows, "What became of what")


def _change_table(
    record: RunRecord, pictures: ReportPictures, changes: Sequence[ChangeRow]
) -> str:
    if not changes:
        return '<p class="none">No place changed by as much as the smallest kept.</p>'
    before, after = escape(_label(record.before)), escape(_label(record.after))
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("id", before, after, "area", "mean probability", "centre", "map")
    )
    rows = [_change_row(record, pictures, change) for change in changes]
    return (
        '<table class="changes"><caption>The largest changes</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table>"
    )


def _change_row(record: RunRecord, pictures: ReportPictures, change: ChangeRow) -> str:
    sizes = [record.grid.width, record.grid.height] * 2
    box = np.divide(change.window, sizes).tolist()
    before, after = thumbnail_uris(pictures, box)
    if change.lon is None or change.lat is None:
        col, row, width, height = change.window
        centre = f"column {col + width // 2:,}, row {row + height // 2:,}"
    else:
        centre = lonlat(change.lon, change.lat)
    dates = ((before, _label(record.before)), (after, _label(record.after)))
    images = "".join(_thumbnail_cell(uri, change.id, label) for uri, label in dates)
    where = ",".join(f"{100 * part:.4f}" for part in box)
    return (
        f'<tr><th scope="row">{change.id}</th>{images}'
        f'<td data-label="area">{escape(area(change.area_m2, change.area_px))}</td>'
        f'<td data-label="mean probability">{change.probability_mean:.2f}</td>'
        f'<td data-label="centre">{escape(centre)}</td>'
        f'<td><button type="button" class="show" data-box="{where}"'
        f' aria-label="Show change {change.id} on the map">Show</button></td></tr>\n'
    )


def _thumbnail_cell(uri: str, number: int, label: str) -> str:
    alt = escape(f"Change {number}, {label}")
    return f'<td data-label="{escape(label)}"><img src="{uri}" alt="{alt}"></td>'


def _provenance(record: RunRecord) -> str:
    """Inputs, grid, settings and weights, for whoever wants to know exactly."""
    known = record.to_dict()
    before, after = known["before"], known["after"]
    inputs = [[words(key), shown(before[key]), shown(after[key])] for key in before]
    grid = known["grid"]
    if grid["crs"]:
        del grid["wkt"]
    method = {"method": known["method"], "engine": known["engine"]}
    tables = [
        table(("", "before", "after"), inputs, "Inputs"),
        facts(grid, "Grid"),
        facts(method | (known["options"] or {}), "Settings"),
        facts(known["threshold"], "Threshold"),
        facts(known["shift"] or {}, "Shift between the dates, in pixels"),
        facts(known["weights"] or {}, "Weights"),
        facts({"geosim": record.version} | known["software"], "Software"),
        facts(_seconds(known["timings"]), "Time"),
    ]
    return "\n".join(text for text in tables if text)


def _seconds(timings: dict[str, float]) -> dict[str, str]:
    return {stage: f"{value:.1f} s" for stage, value in timings.items()}
