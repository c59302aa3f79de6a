"""A series as one HTML page with a slider through time; it needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.publish.page import filled, page_file
from geosim.publish.pictures import paletted_uri, photo_uri
from geosim.publish.series_chart import Bars, chart_svg
from geosim.publish.series_tables import area_table, change_table, provenance
from geosim.publish.wording import TIMES, area, cards, notes_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.publish.series_tables import SeriesRow
    from geosim.themes.classes import RGBA

_ALL_PICTURES = 5_000_000
"""Bytes of all dates' pictures together."""
_CLEAR = (0, 0, 0, 0)
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
    theme = record["options"]["theme"]
    height, width = pictures.years.shape
    parts = {
        "style": page_file("report.css"),
        "own_style": page_file("series_report.css"),
        "script": page_file("series_report.js"),
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
        "chart": chart_svg(bars) if rows else "",
        "areas": area_table(rows, theme),
        "method": escape(_METHOD),
        "years": _years(pictures, style),
        "year_legend": _legend({str(year): rgba for year, rgba in style.years.items()}),
        "changes": change_table(changes, pictures.dates, dates, theme),
        "provenance": provenance(record),
        "footer": escape(f"geosim {record['version']} · {record['created'][:16]}"),
    }
    return filled("series_report.html.in", parts)


def _where(record: Mapping[str, Any]) -> str:
    grid = record["grid"]
    said = [f"{grid['width']:,} {TIMES} {grid['height']:,} px"]
    if grid["resolution_m"] is not None:
        said.append(f"{grid['resolution_m']:.3g} m a pixel")
    if grid["crs"]:
        said.append(grid["crs"])
    return " · ".join([*said, f"{len(record['scenes'])} dates"])


def _summary(record: Mapping[str, Any]) -> str:
    areas, theme = record["areas"], record["options"]["theme"]
    places = "changed places" if theme == "any" else f"places of the theme '{theme}'"
    return cards(
        ("changed at least once", area(areas["changed_m2"], areas["changed_px"])),
        ("intervals", f"{len(record['intervals']):,}"),
        (places, f"{record['polygons']:,}"),
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
    colours = [style.codes.get(code, _CLEAR) for code in range(256)]
    return "\n".join(
        f'      <figure class="overlay" data-date="{place}">'
        f'<img src="{paletted_uri(codes, colours)}" alt="What changed by '
        f'{escape(dates[place])}"></figure>'
        for place, codes in enumerate(pictures.codes, start=1)
    )


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
