"""The histogram of the probability as an inline SVG."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 26, 44
_BASELINE = 0.5
"""Count at the foot of the axis, so that a single pixel is still seen."""
_MOST_TICKS = 6
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN_POWERS = ("1", "10", "100", "1,000", "10,000")


def histogram_svg(counts: Sequence[int], threshold: float) -> str:
    """Counts per level of 0..1, first to last, on a logarithmic axis.

    Args:
        counts: Pixels per level; level `i` of `n` stands for `i / (n - 1)`.
        threshold: Probability from which a pixel counts as changed.
    """
    top = max(10, *counts, 10)
    decades = math.ceil(math.log10(top) - 1e-9)
    parts = [
        _grid_lines(decades),
        _steps(counts, decades, 0, threshold, "same"),
        _steps(counts, decades, threshold, 2, "changed"),
        _x_axis(),
        _threshold_line(threshold),
    ]
    changed = sum(n for i, n in enumerate(counts) if _value(i, counts) >= threshold)
    told = (
        f"Histogram of the probability of change. {changed:,} of {sum(counts):,}"
        f" pixels lie at or above the threshold {threshold:.2f}."
    )
    return (
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(told)}">\n' + "\n".join(parts) + "\n</svg>"
    )


def _value(level: int, counts: Sequence[int]) -> float:
    return level / max(1, len(counts) - 1)


def _x(value: float) -> float:
    inner = WIDTH - LEFT - RIGHT
    return round(LEFT + min(max(value, 0.0), 1.0) * inner, 2)


def _y(count: float, decades: int) -> float:
    span = decades - math.log10(_BASELINE)
    part = (math.log10(max(count, _BASELINE)) - math.log10(_BASELINE)) / span
    return round(HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP), 2)


def _steps(
    counts: Sequence[int], decades: int, low: float, high: float, name: str
) -> str:
    """The bars whose level lies in low <= level < high, as one outline."""
    half = 0.5 / max(1, len(counts) - 1)
    foot = _y(0, decades)
    path = ""
    for level, count in enumerate(counts):
        value = _value(level, counts)
        if count and low <= value < high:
            left, right = _x(value - half), _x(value + half)
            path += f"M{left} {foot}V{_y(count, decades)}H{right}V{foot}Z"
    return f'<path class="bars {name}" d="{path}"/>' if path else ""


def _grid_lines(decades: int) -> str:
    step = math.ceil((decades + 1) / _MOST_TICKS)
    lines = []
    for power in range(0, decades + 1, step):
        y = _y(10**power, decades)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{_x(1)}" y1="{y}" y2="{y}"/>')
        lines.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">'
            f"{_power(power)}</text>"
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    lines.append(
        f'<text class="axis" transform="translate(16 {middle}) rotate(-90)"'
        ' text-anchor="middle">pixels (log scale)</text>'
    )
    return "\n".join(lines)


def _power(power: int) -> str:
    if power < len(_PLAIN_POWERS):
        return _PLAIN_POWERS[power]
    return "10" + str(power).translate(_SUPERSCRIPTS)


def _x_axis() -> str:
    foot = HEIGHT - BOTTOM
    lines = [f'<line class="foot" x1="{LEFT}" x2="{_x(1)}" y1="{foot}" y2="{foot}"/>']
    for tenth in range(0, 11, 2):
        x = _x(tenth / 10)
        lines.append(
            f'<line class="foot" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 4}"/>'
            f'<text class="tick" x="{x}" y="{foot + 18}" text-anchor="middle">'
            f"{tenth / 10:g}</text>"
        )
    lines.append(
        f'<text class="axis" x="{_x(0.5)}" y="{HEIGHT - 6}" text-anchor="middle">'
        "probability of change</text>"
    )
    return "\n".join(lines)


def _threshold_line(threshold: float) -> str:
    x = _x(threshold)
    on_left = threshold > 0.75  # noqa: PLR2004
    anchor, shift = ("end", -6) if on_left else ("start", 6)
    return (
        f'<line class="threshold" x1="{x}" x2="{x}" y1="{TOP - 14}"'
        f' y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="threshold-label" x="{x + shift}" y="{TOP - 6}"'
        f' text-anchor="{anchor}">threshold {threshold:.2f}</text>'
    )
