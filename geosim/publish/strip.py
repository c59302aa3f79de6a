"""Maps that are many times longer than wide, cut into parts that can be seen.

A river or a road of 20,000 x 100 px is a line when it is shown as a whole.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from geosim.publish.cartography import ground_size, length_label, map_shape
from geosim.publish.figure import Pin, pin_html
from geosim.publish.record import GridRecord

LONG = 10.0
"""Length by width from which a map is cut."""

_PART = 8.0
"""Length by width of a part, about."""

_METRES_DIGITS = 3


def is_strip(aspect: float) -> bool:
    """Whether a map of such a width by height is cut into parts."""
    return max(aspect, 1.0 / aspect) >= LONG


def strip_html(
    grid: GridRecord, pictures: Mapping[str, tuple[str, str]], pins: Sequence[Pin]
) -> str:
    """The whole map in parts one after the other; nothing where it is no strip.

    Args:
        grid: of the pictures.
        pictures: name to (label, address) of each picture, in the order that they stand
            beside each other in each part; the last one bears the numbers.
        pins: numbers.
    """
    width, height = map_shape(grid)
    if not is_strip(width / height):
        return ""
    across = width > height
    longer = max(width / height, height / width)
    count = math.ceil(longer / _PART)
    size = f"{100 * count}% 100%" if across else f"100% {100 * count}%"
    styles = "".join(
        f".part .{name} {{ background-image: url({address}); }}\n"
        for name, (_, address) in pictures.items()
    )
    shape = longer / count if across else count / longer
    labels = [label for label, _ in pictures.values()]
    order = "From top to bottom" if across else "From left to right"
    parts = [
        _part(
            grid,
            list(pictures),
            _inside(pins, number, count, across=across),
            number,
            count,
            across=across,
        )
        for number in range(count)
    ]
    return (
        f"<style>\n.part .row {{ aspect-ratio: {shape:.5g}; "
        f"background-size: {size}; }}\n{styles}</style>\n"
        f'<h3 id="h-parts">The map in {count} parts</h3>\n'
        f'<p class="order">{order} in each: {escape("; ".join(labels))}.</p>\n'
        f'<div class="parts{"" if across else " upright"}">{"".join(parts)}</div>'
    )


def _part(
    grid: GridRecord,
    names: Sequence[str],
    pins: Sequence[Pin],
    number: int,
    count: int,
    *,
    across: bool,
) -> str:
    """One part: a row of each picture, and where it begins and ends."""
    place = f"{100 * number / (count - 1):.4f}%"
    position = f"{place} 0" if across else f"0 {place}"
    where = _where(grid, number, count, across=across)
    rows = "".join(
        f'<div class="row {name}" style="background-position: {position}">'
        f"{''.join(map(pin_html, pins)) if name == names[-1] else ''}</div>"
        for name in names
    )
    return (
        f'<figure class="part"><div class="rows" role="img" aria-label="Part '
        f'{number + 1} of {count}, {escape(where)}">{rows}</div>'
        f"<figcaption>{number + 1}: {escape(where)}</figcaption></figure>"
    )


def _inside(pins: Sequence[Pin], number: int, count: int, *, across: bool) -> list[Pin]:
    """The numbers of a part, at their places in it."""
    name = "x" if across else "y"
    moved = [
        replace(pin, **{name: getattr(pin, name) * count - number}) for pin in pins
    ]
    return [pin for pin in moved if 0 <= getattr(pin, name) < 1]


def _where(grid: GridRecord, number: int, count: int, *, across: bool) -> str:
    """Where a part begins and ends, from the left or the top."""
    size = ground_size(grid)
    pixels = grid.width if across else grid.height
    edge = "the left" if across else "the top"
    ends = [part / count for part in (number, number + 1)]
    if size is None:
        first, last = (f"{round(pixels * end):,}" for end in ends)
        return f"{first} to {last} px from {edge}"
    whole = size[0] if across else size[1]
    digits = _METRES_DIGITS - 1 - math.floor(math.log10(whole / count))
    first, last = (
        length_label(round(whole * end, digits)) if end else "0" for end in ends
    )
    return f"{first} to {last} from {edge}"
