"""Areas on the map and as estimated, with their intervals, as an inline SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WIDTH, _LEFT, _RIGHT, _TOP = 720, 150, 130, 34
_ROW, _BAR = 56, 16


def area_chart(
    classes: Sequence[Mapping[str, Any]], said: Callable[[float], str]
) -> str:
    """Two bars for each class of change: on the map, and estimated with its interval.

    No change is left out: beside it nothing else would be seen.

    Args:
        classes: those of `assessment.json`.
        said: an area in words.
    """
    shown = [one for one in classes if one["class"] != NO_CHANGE]
    if not shown:
        return ""
    most = max(max(one["area"]["high"], one["mapped_area"]) for one in shown) or 1.0
    height = _TOP + _ROW * len(shown) + 10
    inner = _WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return round(_LEFT + inner * value / most, 1)

    parts = [_legend(), f'<path class="grid" d="M{_LEFT} {_TOP - 6}V{height - 4}"/>']
    for place, one in enumerate(shown):
        top = _TOP + _ROW * place
        parts.append(_bars(one, top, x, said))
    told = "; ".join(
        f"{one['label']}: {said(one['mapped_area'])} on the map, "
        f"{said(one['area']['value'])} estimated"
        for one in shown
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(told)}">'
        + "\n".join(parts)
        + "</svg>"
    )


def _legend() -> str:
    keys = (
        ("mapped", 0, "on the map"),
        ("found", 120, "estimated, with 95 % interval"),
    )
    return "".join(
        f'<rect class="{kind}" x="{_LEFT + x}" y="4" width="14" height="10"/>'
        f'<text class="soft" x="{_LEFT + x + 20}" y="14">{text}</text>'
        for kind, x, text in keys
    )


def _bars(
    one: Mapping[str, Any],
    top: int,
    x: Callable[[float], float],
    said: Callable[[float], str],
) -> str:
    area, middle = one["area"], top + _BAR + 4 + _BAR / 2
    low, high = x(area["low"]), x(area["high"])
    mapped, found = x(one["mapped_area"]), x(area["value"])
    return (
        f'<text x="{_LEFT - 10}" y="{top + 22}" text-anchor="end">'
        f"{escape(one['label'])}</text>"
        f'<rect class="mapped" x="{_LEFT}" y="{top}" width="{mapped - _LEFT:.1f}"'
        f' height="{_BAR}"/>'
        f'<text class="soft" x="{mapped + 8}" y="{top + 13}">'
        f"{escape(said(one['mapped_area']))}</text>"
        f'<rect class="found" x="{_LEFT}" y="{top + _BAR + 4}"'
        f' width="{found - _LEFT:.1f}" height="{_BAR}"/>'
        f'<path class="whisker" d="M{low} {middle}H{high}M{low} {middle - 5}v10'
        f'M{high} {middle - 5}v10"/>'
        f'<text x="{high + 8}" y="{middle + 5}">{escape(said(area["value"]))}</text>'
    )
