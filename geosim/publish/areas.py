"""How much changed, in tables: by class, from what to what, by size.

Pure: columns of the layer `changes` in, rows of text out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosim.publish.wording import (
    NO_BREAK_SPACE,
    NOTHING,
    SQUARE_METRES_PER_HECTARE,
    area,
    percent,
)
from geosim.themes.classes import CHANGED_CLASS, CLASSES, COVERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_BINS = 5
"""Rows of the table by size at most."""


@dataclass(frozen=True, kw_only=True)
class ChangedPlace:
    """What the tables need of a polygon."""

    area_px: int
    """Pixels of the grid."""
    area_m2: float | None = None
    """Square metres on the ellipsoid; None without a CRS."""
    kind: str = CHANGED_CLASS
    """Slug of its class."""

    @property
    def size(self) -> float:
        """Square metres, or pixels without a CRS."""
        return float(self.area_px if self.area_m2 is None else self.area_m2)


@dataclass(frozen=True, kw_only=True)
class AreaTable:
    """A table of texts, the first column its row headers."""

    caption: str
    """What it tells."""
    head: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """Texts, as many in each row as the head has."""


def class_label(slug: str) -> str:
    """A class as a legend says it; a slug that is not known as words."""
    known = CLASSES.get(slug)
    if slug == CHANGED_CLASS or known is None:
        return "changed" if slug == CHANGED_CLASS else slug.replace("_", " ")
    return known.label


def class_colour(slug: str) -> tuple[int, int, int]:
    """Red, green, blue of a class; grey where it is not known."""
    known = CLASSES.get(slug)
    return known.colour[:3] if known else (115, 115, 115)


def kinds_of(places: Sequence[ChangedPlace]) -> list[str]:
    """Slugs of the classes that there are, in the order of a legend."""
    found = {place.kind for place in places}
    known = [slug for slug in CLASSES if slug in found]
    return known + sorted(found.difference(known))


def area_tables(
    places: Sequence[ChangedPlace], compared: float | None
) -> list[AreaTable]:
    """The tables that these polygons give rise to.

    Args:
        places: all polygons.
        compared: square metres (pixels without a CRS) with data on both dates.
    """
    tables = [
        _by_class(places, compared),
        _by_size(places),
    ]
    return [table for table in tables if table is not None]


def _by_class(
    places: Sequence[ChangedPlace], compared: float | None
) -> AreaTable | None:
    """Area per class, where there are classes."""
    kinds = kinds_of(places)
    if not set(kinds) - {CHANGED_CLASS}:
        return None
    rows = []
    for kind in (*kinds, None):
        chosen = [place for place in places if kind in (place.kind, None)]
        share = sum(place.size for place in chosen) / compared if compared else 0.0
        name = "all" if kind is None else class_label(kind)
        rows.append((name, f"{len(chosen):,}", _total(chosen), percent(100 * share)))
    return AreaTable(
        caption="By class of change",
        head=("class", "places", "area", "of what was compared"),
        rows=tuple(rows),
    )


def from_to_table(rows: Sequence[Mapping[str, Any]]) -> AreaTable | None:
    """Land cover before against after.

    Args:
        rows: with `from_class`, `to_class`, `area_m2` (None without a CRS), `area_px`,
            as `RunRecord.from_to` has them.

    Returns:
        None for no rows.
    """
    cells: dict[tuple[str, str], list[ChangedPlace]] = defaultdict(list)
    for row in rows:
        place = ChangedPlace(area_px=row["area_px"], area_m2=row["area_m2"])
        cells[row["from_class"], row["to_class"]].append(place)
    if not cells:
        return None
    order = [*COVERS, *sorted({cover for pair in cells for cover in pair} - {*COVERS})]
    before = [cover for cover in order if any(pair[0] == cover for pair in cells)]
    after = [cover for cover in order if any(pair[1] == cover for pair in cells)]
    lines = [
        (
            _cover(one),
            *(_total(cells[one, two]) if (one, two) in cells else "" for two in after),
        )
        for one in before
    ]
    return AreaTable(
        caption="From what (rows) to what (columns)",
        head=("from", *(f"to {_cover(cover)}" for cover in after)),
        rows=tuple(lines),
    )


def _cover(slug: str) -> str:
    return COVERS[slug].label if slug in COVERS else slug.replace("_", " ")


def _by_size(places: Sequence[ChangedPlace]) -> AreaTable | None:
    """Area per power of ten of the places' size."""
    if not places:
        return None
    pixels = places[0].area_m2 is None
    unit = 1.0 if pixels else SQUARE_METRES_PER_HECTARE
    powers = [_power(place.size / unit) for place in places]
    lowest = max(min(powers), max(powers) - _BINS + 1)
    total = sum(place.size for place in places)
    rows = []
    for power in range(max(powers), lowest - 1, -1):
        chosen = [
            place
            for place, own in zip(places, powers, strict=True)
            if max(own, lowest) == power
        ]
        part = sum(place.size for place in chosen) / total
        name = _bin(power, last=power == lowest, pixels=pixels)
        rows.append((name, f"{len(chosen):,}", _total(chosen), percent(100 * part)))
    return AreaTable(
        caption="By size of the place",
        head=("size", "places", "area", "of these"),
        rows=tuple(rows),
    )


def _power(value: float) -> int:
    """The power of ten below a size."""
    return math.floor(math.log10(value) + 1e-12) if value > 0 else 0


def _bin(power: int, *, last: bool, pixels: bool) -> str:
    """`1 to 10 ha`; the smallest sizes are one row."""
    unit = f"{NO_BREAK_SPACE}{'px' if pixels else 'ha'}"
    low, high = (f"{10.0**one:,.{max(0, -one)}f}" for one in (power, power + 1))
    return f"below {high}{unit}" if last else f"{low} to {high}{unit}"


def _total(places: Sequence[ChangedPlace]) -> str:
    """Their area in words."""
    if not places:
        return NOTHING
    known = [place.area_m2 for place in places if place.area_m2 is not None]
    whole = sum(known) if known else None
    return area(whole, sum(place.area_px for place in places))
