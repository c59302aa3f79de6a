"""A picture as a map: scale bar, north arrow, graticule, numbers, caption; as HTML.

`map_marks` gives what is laid over a picture, `map_figure` a whole figure. Both need
the styles of `map.css` (`map_css`). Everything is placed by shares of the picture, so
a figure may be shown in any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from geosim.publish.cartography import (
    ground_size,
    map_shape,
    north_angle,
    scale_bar,
)
from geosim.publish.graticule import GraticuleLine, graticule
from geosim.publish.page import page_file
from geosim.publish.record import GridRecord

_APART = {"bottom": 0.13, "left": 0.16}
"""Sides of the frame that have labels, and how far these lie apart, as its share."""

_EDGE = 1e-6
_HIGH = 0.16
"""A number whose place is nearer to the top than this stands below it."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A number on the map."""

    number: int
    """What it says."""
    x: float
    """Its place as a share of the picture's width."""
    y: float
    """As a share of its height."""
    link: str = ""
    """Id of the element that it leads to; none where empty."""


@dataclass(frozen=True, kw_only=True)
class LegendEntry:
    """A colour and what it stands for."""

    label: str
    """In words."""
    colour: tuple[int, int, int]
    """Red, green, blue; 0..255."""


def map_css() -> str:
    """The styles of all that this module makes."""
    return page_file("map.css")


def map_figure(
    source: str,
    alt: str,
    caption: str,
    grid: GridRecord,
    *,
    pins: Sequence[Pin] = (),
    kind: str = "",
    name: str = "",
) -> str:
    """A whole figure: the picture in its frame, marks and caption.

    Args:
        source: address of the picture, such as a data URI; it shows the whole grid.
        alt: what it shows, for those who cannot see it.
        caption: what stands below it, plain text.
        grid: of the picture.
        pins: numbers on it.
        kind: further CSS classes of the figure.
        name: id of the picture; empty: none.
    """
    width, height = map_shape(grid)
    known = f' id="{escape(name)}"' if name else ""
    return (
        f'<figure class="map {escape(kind)}">'
        f'<div class="plate" style="aspect-ratio: {width:.6g} / {height:.6g}">'
        f'<img{known} src="{source}" alt="{escape(alt)}">{map_marks(grid, pins)}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def map_marks(grid: GridRecord, pins: Sequence[Pin] = (), *, lines: bool = True) -> str:
    """What is laid over a picture of the grid.

    Args:
        grid: of the picture. Without a CRS there are numbers alone.
        pins: numbers.
        lines: False: no graticule.
    """
    marks = [pin_html(pin) for pin in pins]
    if lines:
        marks.append(_graticule_html(graticule(grid)))
    marks += [scale_bar_html(grid), north_html(grid)]
    return "".join(marks)


def scale_bar_html(grid: GridRecord) -> str:
    """The scale bar; nothing without a CRS."""
    bar, size = scale_bar(grid), ground_size(grid)
    if bar is None or size is None:
        return ""
    return (
        f'<span class="bar" data-metres="{size[0]:.6g}"><i style="width:'
        f'{100 * bar.share:.3f}cqw"></i><b>{escape(bar.label)}</b></span>'
    )


def north_html(grid: GridRecord) -> str:
    """The north arrow, turned; nothing without a CRS."""
    angle = north_angle(grid)
    if angle is None:
        return ""
    return (
        f'<span class="north" role="img" aria-label="North, {angle:.0f} degrees '
        'clockwise from the top of the map">'
        f'<svg viewBox="-20 -20 40 40" style="rotate:{angle:.1f}deg" '
        'aria-hidden="true"><path d="M0 -17 L7 9 L0 4 L-7 9 Z"/>'
        '<path class="half" d="M0 -17 L7 9 L0 4 Z"/>'
        f'<text x="0" y="19" text-anchor="middle">N</text></svg></span>'
    )


def pin_html(pin: Pin) -> str:
    """A number at its place; below it where the place is high up."""
    side = " below" if pin.y < _HIGH else ""
    left = f"clamp(.7em, {100 * pin.x:.3f}%, 100% - .7em)"  # whole at the edges too
    place = f'style="left:{left};top:{100 * pin.y:.3f}%"'
    if pin.link:
        return (
            f'<a class="pin{side}" href="#{escape(pin.link)}" tabindex="-1" {place}>'
            f"{pin.number}</a>"
        )
    return f'<span class="pin{side}" {place}>{pin.number}</span>'


def legend_html(entries: Sequence[LegendEntry]) -> str:
    """Colours with their meaning, in a row."""
    return "".join(
        '<span class="key"><i class="swatch" style="background:rgb('
        f'{" ".join(map(str, entry.colour))})"></i>{escape(entry.label)}</span>'
        for entry in entries
    )


def _graticule_html(lines: Sequence[GraticuleLine]) -> str:
    """Thin lines across the picture, labels outside of its frame."""
    if not lines:
        return ""
    paths = "".join(
        "M" + "L".join(f"{1000 * x:.1f} {1000 * y:.1f}" for x, y in line.points)
        for line in lines
    )
    labels, taken = [], {side: list[float]() for side in _APART}
    for line in lines:
        side, along = _side(line.at)
        near = side not in _APART or any(
            abs(along - other) < _APART[side] for other in taken[side]
        )
        if near:
            continue
        taken[side].append(along)
        edge = "left" if side == "bottom" else "top"
        labels.append(
            f'<span class="degrees {side}" style="{edge}:{100 * along:.2f}%">'
            f"{escape(line.label)}</span>"
        )
    return (
        '<svg class="graticule" viewBox="0 0 1000 1000" preserveAspectRatio="none" '
        f'aria-hidden="true"><path d="{paths}"/></svg>{"".join(labels)}'
    )


def _side(at: tuple[float, float]) -> tuple[str, float]:
    """Side of the frame that a place lies on, and where along it."""
    x, y = at
    if y > 1 - _EDGE:
        return "bottom", x
    if x < _EDGE:
        return "left", y
    return ("right", y) if x > 1 - _EDGE else ("top", x)
