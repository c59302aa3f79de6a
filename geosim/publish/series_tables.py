"""The tables of a series' page: areas and rates, the largest changes, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from geosim.publish.pictures import photo_uri, surroundings
from geosim.publish.wording import (
    NOTHING,
    area,
    facts,
    lonlat,
    nothing_kept,
    number,
    table,
)
from geosim.themes.classes import CLASSES, COVERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_THUMBNAIL_BYTES = 12_000
_THUMBNAIL = 128
"""Side of a place's picture in pixels."""
_MARGIN = 0.4
"""What is shown on each side of a place, in parts of its own."""


_PERIODS = {"interval": "", "bridged": ", across a gap", "whole": ", in all"}
"""What a row of the table is of, behind its dates."""


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


def area_table(rows: Sequence[Mapping[str, Any]], theme: str = "any") -> str:
    """Areas and rates.

    Args:
        rows: of `areas.csv`.
        theme: whose they are.
    """
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
            f"{row['date_from']} to {row['date_to']}{_PERIODS[row['period']]}",
            CLASSES[row["class"]].label,
            *(NOTHING if row[key] is None else number(row[key]) for key in keys),
            f"{_base(row['base'])} ({number(row[f'base_{unit}'])} {unit})",
        ]
        for row in rows
    ]
    if not lines:
        return f'<p class="none">{nothing_kept(theme)}</p>'
    return table(head, lines, "Areas and rates")


def _base(name: str) -> str:
    """What rates are relative to, with the label of the land cover."""
    slug, *rest = name.split(" at ")
    return " at ".join([COVERS[slug].label if slug in COVERS else slug, *rest])


def change_table(
    changes: Sequence[SeriesRow],
    photos: Sequence[NDArray[np.uint8]],
    dates: Sequence[str],
    theme: str = "any",
) -> str:
    """The largest changes with their place on the dates before and after.

    Args:
        changes: the largest first.
        photos: (height, width, 3) of each date.
        dates: what they are called.
        theme: of the changes.
    """
    if not changes:
        return f'<p class="none">{nothing_kept(theme)}</p>'
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("id", "before", "after", "what", "area", "stays", "centre", "map")
    )
    rows = "".join(_change(change, photos, dates) for change in changes)
    return (
        f'<table class="changes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table>"
    )


def _change(
    change: SeriesRow, photos: Sequence[NDArray[np.uint8]], dates: Sequence[str]
) -> str:
    cells = []
    for name, at in (("before", change.before), ("after", change.after)):
        uri = _thumbnail(photos[at], change.box)
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
    place = np.multiply(box, [width, height] * 2).tolist()
    col, row, side = surroundings(place, width, height, margin=_MARGIN)
    part = Image.fromarray(image[row : row + side, col : col + side])
    resized = part.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BICUBIC)
    return photo_uri(np.array(resized), _THUMBNAIL_BYTES)


def provenance(record: Mapping[str, Any]) -> str:
    """Scenes, grid, decision and settings, for whoever wants to know exactly.

    Args:
        record: contents of `series.json`.
    """
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
