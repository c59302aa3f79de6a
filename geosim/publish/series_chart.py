"""Bars of what changed in each interval, as SVG and as PNG from one drawing."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageFont

from geosim.publish.wording import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geosim.themes.classes import RGBA

_WIDTH, _HEIGHT = 960, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 34, 52
_SCALE = 2
"""Pixels of the PNG per unit of the drawing."""
_BAR, _LONGEST = 0.62, 14
_LINES = 5
_INK, _FAINT = (31, 37, 34), (217, 216, 208)
_KEY = 15
_LEGEND_ROW = 20
_BRIDGED = ", or before: a gap lies between"
_PALE = "pale: then or before, across a gap"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What a chart shows."""

    labels: Sequence[str]
    """Name of each interval."""
    values: Mapping[str, Sequence[float]]
    """By class, one for each interval; 0 upwards."""
    bridged: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The same of what came at some time since an earlier date, for gaps between;
    pale, since it is no more of that interval than of those before."""
    colours: Mapping[str, RGBA]
    names: Mapping[str, str]
    """Label of each class."""
    below: frozenset[str]
    """Classes that are drawn downwards: losses."""
    unit: str
    """What the axis counts."""


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float
    colour: tuple[int, ...]
    title: str = ""


@dataclass(frozen=True)
class _Text:
    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"


def chart_svg(bars: Bars) -> str:
    """The chart as an SVG text."""
    shapes, height = _drawn(bars)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {_WIDTH} '
        f'{height}" role="img" aria-label="{escape(_spoken(bars))}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    lines = [head]
    for shape in shapes:
        if isinstance(shape, _Text):
            lines.append(
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" fill="currentColor" '
                f'text-anchor="{shape.anchor}">{escape(shape.text)}</text>'
            )
            continue
        red, green, blue = shape.colour[:3]
        lines.append(
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
            f'height="{shape.height:.1f}" fill="rgb({red},{green},{blue})">'
            f"<title>{escape(shape.title)}</title></rect>"
        )
    return "\n".join([*lines, "</svg>"])


def chart_png(bars: Bars) -> bytes:
    """The chart as a PNG file's bytes."""
    shapes, height = _drawn(bars)
    image = Image.new("RGB", (_WIDTH * _SCALE, height * _SCALE), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13 * _SCALE)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for shape in shapes:
        if isinstance(shape, _Text):
            place = (shape.x * _SCALE, shape.y * _SCALE)
            # Pillow's own font has no dash
            text = shape.text.replace(NOTHING, "-")
            draw.text(place, text, _INK, font, anchor=anchors[shape.anchor])
            continue
        left, top = shape.x * _SCALE, shape.y * _SCALE
        right = left + max(shape.width * _SCALE - 1, 0)
        bottom = top + max(shape.height * _SCALE - 1, 0)
        draw.rectangle((left, top, right, bottom), fill=shape.colour[:3])
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _spoken(bars: Bars) -> str:
    classes = ", ".join(bars.names[slug] for slug in bars.values) or "nothing"
    return f"Area per interval in {bars.unit}: {classes}"


def _drawn(bars: Bars) -> tuple[list[_Box | _Text], int]:
    """All shapes and the height of the drawing."""
    count = max(len(bars.labels), 1)
    high = [_stack(bars, at, below=False) for at in range(count)]
    low = [_stack(bars, at, below=True) for at in range(count)]
    step = _step(max([*high, *low]) or _LINES)  # lines at 0 and 1 of nothing
    top = step * math.ceil(max([*high, 0]) / step - 1e-9)
    bottom = step * math.ceil(max([*low, 0]) / step - 1e-9)
    top = top if top or bottom else step
    per_unit = (_HEIGHT - _TOP - _BOTTOM) / (top + bottom)
    zero = _TOP + top * per_unit
    shapes: list[_Box | _Text] = [_Text(8, 20, bars.unit, "start")]
    for line in range(round(-bottom / step), round(top / step) + 1):
        y = zero - line * step * per_unit
        colour = _INK if line == 0 else _FAINT
        shapes.append(_Box(_LEFT, y, _WIDTH - _LEFT - _RIGHT, 1, colour))
        shapes.append(_Text(_LEFT - 8, y + 4, f"{abs(line * step):,g}", "end"))
    room = (_WIDTH - _LEFT - _RIGHT) / count
    for at, label in enumerate(bars.labels):
        left = _LEFT + at * room + room * (1 - _BAR) / 2
        shapes += _bar(bars, at, left, room * _BAR, zero, per_unit)
        if count <= _LONGEST or at % 2 == 0:
            shapes.append(_Text(left + room * _BAR / 2, _HEIGHT - _BOTTOM + 22, label))
    legend, height = _legend(bars)
    return shapes + legend, height


def _bar(
    bars: Bars, at: int, left: float, width: float, zero: float, per_unit: float
) -> list[_Box | _Text]:
    """The stacked bars of an interval, gains upwards, losses downwards."""
    ends = {False: zero, True: zero}
    shapes: list[_Box | _Text] = []
    parts = [(slug, values[at], "") for slug, values in bars.values.items()]
    parts += [(slug, values[at], _BRIDGED) for slug, values in bars.bridged.items()]
    for slug, value, how in parts:
        if not value:
            continue
        below, size = slug in bars.below, value * per_unit
        y = ends[below] if below else ends[below] - size
        ends[below] += size if below else -size
        title = f"{bars.labels[at]}: {bars.names[slug]} {value:,.2f} {bars.unit}{how}"
        colour = _pale(bars.colours[slug]) if how else bars.colours[slug]
        shapes.append(_Box(left, y, width, size, colour, title))
    return shapes


def _pale(colour: Sequence[int]) -> tuple[int, ...]:
    """Two thirds of the way to white."""
    return tuple(round(255 - (255 - level) / 3) for level in colour[:3])


def _legend(bars: Bars) -> tuple[list[_Box | _Text], int]:
    shapes: list[_Box | _Text] = []
    x, y = float(_LEFT), _HEIGHT - 8.0
    keys: list[tuple[tuple[int, ...], str]]
    keys = [(bars.colours[slug], bars.names[slug]) for slug in bars.values]
    if any(any(values) for values in bars.bridged.values()):
        keys.append((_pale(_INK), _PALE))
    for colour, name in keys:
        width = _KEY + 10 + 7.5 * len(name) + 18
        if x + width > _WIDTH and x > _LEFT:
            x, y = float(_LEFT), y + _LEGEND_ROW
        shapes.append(_Box(x, y - 11, _KEY, 12, colour))
        shapes.append(_Text(x + _KEY + 7, y, name, "start"))
        x += width
    return shapes, int(y) + 12


def _stack(bars: Bars, at: int, *, below: bool) -> float:
    return sum(
        values[at]
        for parts in (bars.values, bars.bridged)
        for slug, values in parts.items()
        if (slug in bars.below) == below
    )


def _step(largest: float) -> float:
    """A round distance of the lines: 1, 2 or 5 times a power of ten."""
    rough = largest / _LINES
    power = 10.0 ** math.floor(math.log10(rough))
    return next(
        factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999
    )
