"""The table of a series: areas per interval and class, with rates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geosim.publish.wording import SQUARE_METRES_PER_HECTARE
from geosim.timeline.rates import fao_rate, puyravaud_rate, years_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PERCENT = 100.0

COLUMNS = (
    "date_from", "date_to", "years", "period", "class", "area_ha", "returning_ha",
    "ha_per_year", "base", "base_ha", "percent_per_year", "fao_q_percent",
    "puyravaud_r_percent",
)  # fmt: skip
"""Of a row of `areas.csv`, in order; with a CRS."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """How a class belongs to a land cover."""

    cover: str | None
    """The land cover that came or went; None: the class is not about one."""
    direction: str | None
    """"gain" or "loss"."""


@dataclass(frozen=True, kw_only=True)
class IntervalAreas:
    """What changed between two neighbouring dates of a series."""

    date_from: str
    date_to: str
    valid: float
    """Area that both dates show, m2 (pixels without a CRS)."""
    changed: Mapping[str, float]
    """Area of each class, in the unit of `valid`."""
    returning: Mapping[str, float]
    """Of these, what is taken back later."""
    bridged: bool = False
    """Whether dates lie between, which show nothing of these places."""
    covered: Mapping[str, float] = field(default_factory=dict)
    """Area of each land cover on the first date, as classified, of what is compared;
    empty where not known."""
    moved: Mapping[str, float] = field(default_factory=dict)
    """Area of each land cover that came, less what went, whatever the class."""


def area_rows(
    intervals: Sequence[IntervalAreas],
    classes: Mapping[str, Change],
    initial: Mapping[str, float],
    covered: Mapping[str, float],
    compared: float | None = None,
) -> list[dict[str, Any]]:
    """Rows of `areas.csv`, by interval and class, then the whole time.

    `period` is "interval" for neighbouring dates, "bridged" for others, between which
    dates have gaps, and "whole" for the sums of all of them.
    `percent_per_year`, `fao_q_percent` and `puyravaud_r_percent` are relative to
    `base`: the area of the class's land cover at the beginning of the interval, given
    ("forest at 1990": what was given for the first date and what changed since) or
    classified ("forest at 1990, classified"); else the area that both dates show
    ("valid area": the rates are of the share that kept its state).

    Args:
        intervals: neighbouring dates in order.
        classes: of all classes that a row may have.
        initial: m2 of land covers on the first date, where the user knows them.
        covered: m2 of land covers as classified on the first date that shows a place,
            of all that two dates show; may be empty.
        compared: area that two dates show, any two; None: that of the interval with
            the most.
    """
    rows: list[dict[str, Any]] = []
    for interval in intervals:
        start = _given_at(interval.date_from, intervals, initial)
        for slug, area in interval.changed.items():
            kind = classes[slug]
            base = _base(interval, kind, start)
            rows.append(_row(interval, slug, area, kind, base))
    return rows + _totals(intervals, classes, initial, covered, compared)


_PIXELS = {
    "area_ha": "area_px",
    "returning_ha": "returning_px",
    "ha_per_year": "px_per_year",
    "base_ha": "base_px",
}
"""Columns without a CRS."""


def columns(*, known: bool) -> list[str]:
    """Columns of `areas.csv`; `known`: whether there is a CRS."""
    return list(COLUMNS) if known else [_PIXELS.get(name, name) for name in COLUMNS]


def in_pixels(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `area_rows` whose areas are pixels, since there is no CRS."""
    return {
        _PIXELS.get(key, key): (
            value * SQUARE_METRES_PER_HECTARE if key in _PIXELS and value else value
        )
        for key, value in row.items()
    }


def _given_at(
    date: str, intervals: Sequence[IntervalAreas], initial: Mapping[str, float]
) -> dict[str, float]:
    """m2 of the given land covers on a date: at first, and what came until then."""
    now = dict(initial)
    for interval in intervals:
        if interval.date_to > date:
            continue
        for cover, area in interval.moved.items():
            if cover in now:
                now[cover] += area
    return now


def _base(
    interval: IntervalAreas,
    kind: Change,
    given: Mapping[str, float],
) -> tuple[str, float, bool]:
    """(name, area, whether it is the class's cover) that rates are relative to."""
    date, cover = interval.date_from, kind.cover
    if cover is not None and cover in given:
        return f"{cover} at {date}", given[cover], True
    if cover is not None and interval.covered.get(cover, 0.0) > 0:
        return f"{cover} at {date}, classified", interval.covered[cover], True
    return "valid area", interval.valid, False


def _row(
    interval: IntervalAreas,
    slug: str,
    area: float,
    kind: Change,
    base: tuple[str, float, bool],
    period: str | None = None,
) -> dict[str, Any]:
    years = years_between(interval.date_from, interval.date_to)
    hectares = area / SQUARE_METRES_PER_HECTARE
    name, first, own = base
    last = first + area if own and kind.direction == "gain" else first - area
    q, r = fao_rate(first, last, years), puyravaud_rate(first, last, years)
    share = area / first if first > 0 else None
    return {
        "date_from": interval.date_from,
        "date_to": interval.date_to,
        "years": round(years, 3),
        "period": period or ("bridged" if interval.bridged else "interval"),
        "class": slug,
        "area_ha": hectares,
        "returning_ha": interval.returning.get(slug, 0.0) / SQUARE_METRES_PER_HECTARE,
        "ha_per_year": hectares / years if years > 0 else None,
        "base": name,
        "base_ha": first / SQUARE_METRES_PER_HECTARE,
        "percent_per_year": (
            None if share is None or years <= 0 else _PERCENT * share / years
        ),
        "fao_q_percent": None if q is None else _PERCENT * q,
        "puyravaud_r_percent": None if r is None else _PERCENT * r,
    }


def _totals(
    intervals: Sequence[IntervalAreas],
    classes: Mapping[str, Change],
    initial: Mapping[str, float],
    covered: Mapping[str, float],
    compared: float | None,
) -> list[dict[str, Any]]:
    """A row per class over the whole time."""
    slugs = dict.fromkeys(slug for one in intervals for slug in one.changed)
    if not slugs:
        return []
    whole = IntervalAreas(
        # a bridged interval may begin before the first of the neighbouring dates
        date_from=min(one.date_from for one in intervals),
        date_to=max(one.date_to for one in intervals),
        valid=compared or max(one.valid for one in intervals),
        changed={
            slug: sum(one.changed.get(slug, 0.0) for one in intervals) for slug in slugs
        },
        returning={
            slug: sum(one.returning.get(slug, 0.0) for one in intervals)
            for slug in slugs
        },
        covered=covered,
    )
    rows = []
    for slug, area in whole.changed.items():
        base = _base(whole, classes[slug], initial)
        rows.append(_row(whole, slug, area, classes[slug], base, "whole"))
    return rows
