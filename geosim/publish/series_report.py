"""A series as one HTML page with a slider through time; it needs nothing else."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from geosim.publish.pictures import photo_uri
from geosim.publish.series_chart import Bars, chart_svg
from geosim.publish.wording import (
    NOTHING,
    TIMES,
    area,
    facts,
    lonlat,
    notes_list,
    number,
    table,
)
from geosim.themes.classes import CLASSES, COVERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.publish.styles import RGBA

_ALL_PICTURES = 5_000_000
"""Bytes of all dates' pictures together."""
_THUMBNAIL_BYTES = 12_000
_THUMBNAIL = 128
_MARGIN = 0.4
_SMALLEST = 24
_METHOD = (
    "Rates: percent per year is the area over the base and the years; q is FAO's "
    "annual rate, (A2/A1)^(1/t) - 1; r is Puyravaud's, ln(A2/A1)/t (Puyravaud 2003, "
    "doi:10.1016/S0378-1127(02)00335-3), both of the base before (A1) and after (A2) "
    "the change. The base is named: the class's land cover at the beginning, where it "
    "is known, else all that both dates show."
)


@dataclass(frozen=True, kw_only=True)
class SeriesPictures:
    """Previews of one size."""

    dates: Sequence[NDArray[np.uint8]]
    """(height, width, 3) of each date, as it should look."""
    codes: NDArray[np.uint8]
    """(t - 1, height, width), class's code of the change that came by each date but the
    first; 0 none."""
    years: NDArray[np.uint16]
    """(height, width) year of the first change; 0 none, 65535 no data."""


@dataclass(frozen=True, kw_only=True)
class SeriesRow:
    """One of the largest changes."""

    id: int
    label: str
    """Name of its class."""
    before: int
    """Number of the date before it, from 0."""
    after: int
    """Number of the date by which it had come."""
    area_m2: float | None
    area_px: int
    persistent: bool | None
    box: tuple[float, float, float, float]
    """(left, top, width, height) as parts of the picture's width and height."""
    lon: float | None
    lat: float | None


@dataclass(frozen=True, kw_only=True)
class SeriesStyle:
    """Colours and names of what the maps show."""

    labels: Mapping[str, tuple[str, RGBA]]
    """Name and colour of each class that is shown."""
    codes: Mapping[int, RGBA]
    """Colour of each code of `SeriesPictures.codes` that is shown."""
    years: Mapping[int, RGBA]


def render_series_report(
    record: Mapping[str, Any],
    *,
    pictures: SeriesPictures,
    style: SeriesStyle,
    bars: Bars,
    rows: Sequence[Mapping[str, Any]],
    changes: Sequence[SeriesRow],
) -> str:
    """The page as text.

    Args:
        record: contents of `series.json`.
        pictures: previews of the grid.
        style: colours and names.
        bars: of the chart.
        rows: of `areas.csv`.
        changes: the largest changes, the largest first.
    """
    dates = [scene["date"] for scene in record["scenes"]]
    height, width = pictures.years.shape
    parts = {
        "style": _part("report.css"),
        "own_style": _part("series_report.css"),
        "script": _part("series_report.js"),
        "title": escape(f"What changed, {dates[0]} to {dates[-1]}"),
        "where": escape(_where(record)),
        "summary": _summary(record),
        "notes": _notes(record),
        "last": str(len(dates) - 1),
        "first_date": escape(dates[0]),
        "ticks": "".join(f'<option value="{at}">' for at in range(len(dates))),
        "aspect": f"{width} / {height}",
        "pictures": _pictures(pictures, dates),
        "overlays": _overlays(pictures, style, dates),
        "legend": _legend(dict(style.labels.values())),
        "chart": chart_svg(bars),
        "areas": _areas(rows),
        "method": escape(_METHOD),
        "years": _years(pictures, style),
        "year_legend": _legend({str(year): rgba for year, rgba in style.years.items()}),
        "changes": _changes(changes, pictures, dates),
        "provenance": _provenance(record),
        "footer": escape(f"geosim {record['version']} · {record['created'][:16]}"),
    }
    page = Template(_part("series_report.html.in")).substitute(parts)
    return page.encode("utf-8", "replace").decode("utf-8")


def _part(name: str) -> str:
    return (resources.files("geosim.publish") / name).read_text(encoding="utf-8")


def _where(record: Mapping[str, Any]) -> str:
    grid = record["grid"]
    said = [f"{grid['width']:,} {TIMES} {grid['height']:,} px"]
    if grid["resolution_m"] is not None:
        said.append(f"{grid['resolution_m']:.3g} m a pixel")
    if grid["crs"]:
        said.append(grid["crs"])
    return " · ".join([*said, f"{len(record['scenes'])} dates"])


def _summary(record: Mapping[str, Any]) -> str:
    areas = record["areas"]
    cards = (
        ("changed at least once", area(areas["changed_m2"], areas["changed_px"])),
        ("intervals", f"{len(record['intervals']):,}"),
        ("changed places", f"{record['polygons']:,}"),
    )
    return "\n".join(
        f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>"
        for name, value in cards
    )


def _notes(record: Mapping[str, Any]) -> str:
    left = [
        f"The scene of {one['date']} was left out: {one['reason']}"
        for one in record["left_out"]
    ]
    return notes_list([*left, *record["notes"]])


def _pictures(pictures: SeriesPictures, dates: Sequence[str]) -> str:
    limit = _ALL_PICTURES // max(len(dates), 1)
    lines = []
    for place, (image, date) in enumerate(zip(pictures.dates, dates, strict=True)):
        shown = " on" if place == 0 else ""
        lines.append(
            f'      <figure class="date{shown}" data-date="{escape(date)}">'
            f'<img src="{photo_uri(image, limit)}" alt="The place, {escape(date)}">'
            f"<figcaption>{escape(date)}</figcaption></figure>"
        )
    return "\n".join(lines)


def _overlays(
    pictures: SeriesPictures, style: SeriesStyle, dates: Sequence[str]
) -> str:
    return "\n".join(
        f'      <figure class="overlay" data-date="{place}">'
        f'<img src="{_paletted(codes, style.codes)}" alt="What changed by '
        f'{escape(dates[place])}"></figure>'
        for place, codes in enumerate(pictures.codes, start=1)
    )


def _paletted(levels: NDArray[np.uint8], colours: Mapping[int, RGBA]) -> str:
    """A transparent PNG in which each level with a colour has it."""
    table = [(0, 0, 0, 0)] * 256
    for level, colour in colours.items():
        table[level] = colour
    image = Image.fromarray(levels)
    image.putpalette([channel for colour in table for channel in colour[:3]])
    stream = io.BytesIO()
    alpha = bytes(colour[3] for colour in table)
    image.save(stream, "PNG", transparency=alpha, optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/png;base64,{data}"


def _years(pictures: SeriesPictures, style: SeriesStyle) -> str:
    levels = np.zeros(pictures.years.shape, np.uint8)
    colours = {}
    for level, (year, colour) in enumerate(style.years.items(), start=1):
        levels[pictures.years == year] = level
        colours[level] = colour
    last = pictures.dates[-1].mean(axis=2)
    paper = np.repeat((150 + last * (90 / 255)).astype(np.uint8)[..., None], 3, axis=2)
    for level, colour in colours.items():
        paper[levels == level] = colour[:3]
    return photo_uri(paper)


def _legend(colours: Mapping[str, RGBA]) -> str:
    return "".join(
        f'<span class="key"><i class="class" style="background: '
        f'rgb({colour[0]} {colour[1]} {colour[2]})"></i>{escape(name)}</span>'
        for name, colour in colours.items()
    )


def _areas(rows: Sequence[Mapping[str, Any]]) -> str:
    unit = "ha" if rows and "area_ha" in rows[0] else "px"
    head = (
        "interval", "class", unit, f"returning, {unit}", f"{unit} a year", "% a year",
        "q, %", "r, %", "base",
    )  # fmt: skip
    keys = (
        f"area_{unit}", f"returning_{unit}", f"{unit}_per_year", "percent_per_year",
        "fao_q_percent", "puyravaud_r_percent",
    )  # fmt: skip
    lines = [
        [
            f"{row['date_from']} to {row['date_to']}",
            CLASSES[row["class"]].label,
            *(NOTHING if row[key] is None else number(row[key]) for key in keys),
            f"{_base(row['base'])} ({number(row[f'base_{unit}'])} {unit})",
        ]
        for row in rows
    ]
    if not lines:
        return "<p>Nothing changed by as much as the smallest kept.</p>"
    return table(head, lines, "Areas and rates")


def _base(name: str) -> str:
    """What rates are relative to, with the label of the land cover."""
    slug, *rest = name.split(" at ")
    return " at ".join([COVERS[slug].label if slug in COVERS else slug, *rest])


def _changes(
    changes: Sequence[SeriesRow], pictures: SeriesPictures, dates: Sequence[str]
) -> str:
    if not changes:
        return '<p class="none">No place changed by as much as the smallest kept.</p>'
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("id", "before", "after", "what", "area", "stays", "centre", "map")
    )
    rows = "".join(_change(change, pictures, dates) for change in changes)
    return (
        f'<table class="changes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table>"
    )


def _change(change: SeriesRow, pictures: SeriesPictures, dates: Sequence[str]) -> str:
    cells = []
    for name, at in (("before", change.before), ("after", change.after)):
        uri = _thumbnail(pictures.dates[at], change.box)
        alt = escape(f"Change {change.id}, {dates[at]}")
        date = escape(dates[at])
        cells.append(
            f'<td data-label="{name}"><img src="{uri}" alt="{alt}">{date}</td>'
        )
    stays = {True: "yes", False: "no, it returns", None: "not known yet"}
    centre = NOTHING
    if change.lon is not None and change.lat is not None:
        centre = lonlat(change.lon, change.lat)
    where = ",".join(f"{100 * part:.4f}" for part in change.box)
    return (
        f'<tr><th scope="row">{change.id}</th>{"".join(cells)}'
        f'<td data-label="what">{escape(change.label)}</td>'
        f'<td data-label="area">{escape(area(change.area_m2, change.area_px))}</td>'
        f'<td data-label="stays">{stays[change.persistent]}</td>'
        f'<td data-label="centre">{escape(centre)}</td>'
        f'<td><button type="button" class="show" data-box="{where}" '
        f'data-date="{change.after}" aria-label="Show change {change.id} on the map">'
        "Show</button></td></tr>\n"
    )


def _thumbnail(image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> str:
    """The surroundings of a place with its bounding box."""
    height, width = image.shape[:2]
    left, top, wide, high = np.multiply(box, [width, height] * 2)
    side = round(
        min(max((1 + 2 * _MARGIN) * max(wide, high), _SMALLEST), width, height)
    )
    col = round(min(max(left + (wide - side) / 2, 0), width - side))
    row = round(min(max(top + (high - side) / 2, 0), height - side))
    part = Image.fromarray(image[row : row + side, col : col + side])
    resized = part.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BICUBIC)
    return photo_uri(np.array(resized), _THUMBNAIL_BYTES)


def _provenance(record: Mapping[str, Any]) -> str:
    scenes = [
        [
            one["date"],
            one["path"],
            f"{100 * one['valid_fraction']:.1f} %",
            one["reading"],
        ]
        for one in record["scenes"]
    ]
    tables = [
        table(("date", "scene", "covers", "read"), scenes, "Scenes"),
        facts({k: v for k, v in record["grid"].items() if k != "wkt"}, "Grid"),
        facts(record["decision"], "Decision"),
        facts(record["options"], "Settings of each comparison"),
        facts(record["series_options"], "Settings of the series"),
        facts(record["timings"], "Seconds"),
    ]
    return "\n".join(text for text in tables if text)
