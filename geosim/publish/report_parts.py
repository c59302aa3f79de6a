"""Parts of a report's page: tables of areas and changes, method, provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from geosim.publish.areas import class_colour, class_label
from geosim.publish.method import MethodText
from geosim.publish.record import RunRecord
from geosim.publish.wording import (
    NOTHING,
    area,
    facts,
    lonlat,
    nothing_kept,
    percent,
    shown,
    table,
    words,
)
from geosim.themes.classes import CHANGED_CLASS


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One of the largest changes."""

    id: int
    """The polygon's id in the layer `changes`, and its number on the map."""
    area_m2: float | None
    """Square metres on the ellipsoid; None without a CRS."""
    area_px: int
    """Pixels of the grid."""
    probability_mean: float
    """Mean probability inside the polygon."""
    window: tuple[int, int, int, int]
    """`(col_off, row_off, width, height)` of its bounding box, pixels of the grid."""
    place: tuple[float, float]
    """`(col, row)` of a point inside it."""
    lon: float | None = None
    """Longitude of that point; None without a CRS."""
    lat: float | None = None
    """Latitude of that point; None without a CRS."""
    kind: str = CHANGED_CLASS
    """Slug of its class."""


def area_table(record: RunRecord) -> str:
    """What changed, what did not, and what could not be compared."""
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
    return table(("", "area", "share", "pixels"), rows, "Area on the map")


def change_table(
    record: RunRecord,
    changes: Sequence[ChangeRow],
    chips: Mapping[int, tuple[str, str]],
    dates: tuple[str, str],
) -> str:
    """The largest changes with their pictures.

    Args:
        record: of the run.
        changes: the largest first.
        chips: number of a change to the pictures of both dates.
        dates: what the dates are called.
    """
    if not changes:
        theme = record.options.get("theme", "any")
        return f'<p class="none">{nothing_kept(theme)}</p>'
    classes = any(change.kind != CHANGED_CLASS for change in changes)
    names = ["no.", *dates, *(["class"] if classes else []), "area"]
    names += ["mean probability", "place", "map"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = [
        _change_row(record, change, chips.get(change.id, ("", "")), dates, classes)
        for change in changes
    ]
    caption = "The largest, numbered as on the map"
    return (
        f'<table class="changes"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table>"
    )


def _change_row(
    record: RunRecord,
    change: ChangeRow,
    chips: tuple[str, str],
    dates: tuple[str, str],
    classes: bool,  # noqa: FBT001
) -> str:
    grid = record.grid
    if change.lon is None or change.lat is None:
        centre = f"column {change.place[0]:,.0f}, row {change.place[1]:,.0f}"
    else:
        centre = lonlat(change.lon, change.lat)
    left, top, width, height = change.window
    shares = (
        left / grid.width,
        top / grid.height,
        width / grid.width,
        height / grid.height,
    )
    where = ",".join(f"{100 * part:.4f}" for part in shares)
    cells = [
        _chip_cell(uri, change.id, label, number)
        for number, (uri, label) in enumerate(zip(chips, dates, strict=True))
    ]
    if classes:
        colour = " ".join(map(str, class_colour(change.kind)))
        cells.append(
            '<td data-label="class"><span class="key"><i class="swatch" '
            f'style="background:rgb({colour})"></i>'
            f"{escape(class_label(change.kind))}</span></td>"
        )
    button = (
        f'<td><button type="button" class="show" data-box="{where}"'
        f' aria-label="Show change {change.id} on the map">Show</button></td>'
    )
    cells += [
        f'<td data-label="area">{escape(area(change.area_m2, change.area_px))}</td>',
        f'<td data-label="mean probability">{change.probability_mean:.2f}</td>',
        f'<td data-label="place">{escape(centre)}</td>',
        button,
    ]
    return (
        f'<tr id="change-{change.id}"><th scope="row">{change.id}</th>'
        f"{''.join(cells)}</tr>\n"
    )


def _chip_cell(uri: str, number: int, label: str, date: int) -> str:
    name = escape(label)
    if not uri:
        return f'<td data-label="{name}">{NOTHING}</td>'
    alt = escape(f"Change {number}, {label}")
    return (
        f'<td data-label="{name}"><img class="chip" data-chip="{number}-{date}" '
        f'src="{uri}" alt="{alt}"></td>'
    )


def assessment_section(values: Mapping[str, Any]) -> str:
    """Areas with their intervals and accuracies, as a section of the page.

    Args:
        values: contents of `assessment.json`, see `geosim assess`.

    Raises:
        KeyError, TypeError: it is none.
    """
    pixels = values["unit"] != "m2"

    def amount(value: float) -> str:
        return area(None if pixels else value, round(value))

    areas, accuracies = [], []
    for one in values["classes"]:
        found = one["area"]
        areas.append(
            [
                one["label"],
                amount(one["mapped_area"]),
                amount(found["value"]),
                f"{amount(found['low'])} to {amount(found['high'])}",
            ]
        )
        accuracies.append(
            [
                one["label"],
                _accuracy(one["users_accuracy"]),
                _accuracy(one["producers_accuracy"]),
            ]
        )
    overall = values["overall_accuracy"]
    accuracies.append(["overall", _accuracy(overall), ""])
    head = ("", "on the map", "estimated", "95 % interval")
    text = (
        f"From a stratified random sample of {values['samples']:,} places with "
        f"reference labels, by the estimator of {values['estimator']}."
    )
    return (
        '<section aria-labelledby="h-assessment">'
        '<h2 id="h-assessment">Areas with their error</h2>'
        f'<p>{escape(text)}</p><div class="wide amounts" role="region" '
        'aria-label="Tables of accuracy" tabindex="0">'
        f"{table(head, areas, 'Area of each class')}"
        f"{table(('', 'user', 'producer'), accuracies, _ACCURACIES)}</div></section>"
    )


_ACCURACIES = "Accuracy, of what is mapped (user) and of what is there (producer)"


def _accuracy(figure: Mapping[str, float | None]) -> str:
    """A share with its 95 % interval."""
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return NOTHING
    said = f"{100 * value:.1f} %"
    if low is None or high is None:
        return said
    return f"{said} ({100 * low:.1f} to {100 * high:.1f})"


def method_html(method: MethodText) -> str:
    """Paragraphs and the list of references."""
    paragraphs = "".join(f"<p>{escape(text)}</p>\n" for text in method.paragraphs)
    items = "".join(
        f"<li>{escape(one.text)} doi:{escape(one.doi)}</li>\n"
        for one in method.references
    )
    return f'{paragraphs}<h3>References</h3>\n<ol class="references">\n{items}</ol>'


def provenance(record: RunRecord) -> str:
    """Inputs, grid, settings and weights, for whoever wants to know exactly."""
    known = record.to_dict()
    before, after = known["before"], known["after"]
    inputs = [[words(key), shown(before[key]), shown(after[key])] for key in before]
    grid = known["grid"]
    if grid["crs"]:
        del grid["wkt"]
    method: dict[str, Any] = {"method": known["method"], "engine": known["engine"]}
    settings = method | (known["options"] or {})
    if known["memory"]:  # older records do not tell
        settings["memory"] = known["memory"]
    tables = [
        table(("", "before", "after"), inputs, "Inputs"),
        facts(grid, "Grid"),
        facts(settings, "Settings"),
        facts(known["threshold"], "Threshold"),
        facts(known["shift"] or {}, "Shift between the dates, in pixels"),
        facts(known["weights"] or {}, "Weights"),
        facts({"geosim": record.version} | known["software"], "Software"),
        facts(_seconds(known["timings"]), "Time"),
    ]
    return "\n".join(text for text in tables if text)


def _seconds(timings: dict[str, float]) -> dict[str, str]:
    return {stage: f"{value:.1f} s" for stage, value in timings.items()}
