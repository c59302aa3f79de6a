"""Numbers, places and tables in words and HTML; everything escaped here."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

SQUARE_METRES_PER_HECTARE = 10_000
_SMALL_HECTARES = 0.1
NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
NARROW_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"


def number(value: float) -> str:
    """About four digits, thousands apart: `0.25`, `12.3`, `4,567`; `0` is exact."""
    if value == 0:
        return "0"
    for limit, decimals in ((1, 3), (10, 2), (1000, 1)):
        if abs(value) < limit:
            return f"{value:.{decimals}f}"
    return f"{value:,.0f}"


def area(square_metres: float | None, pixels: int) -> str:
    """Hectares, or square metres where it is little, or pixels without a CRS."""
    if square_metres is None:
        return f"{pixels:,}{NO_BREAK_SPACE}px"
    hectares = square_metres / SQUARE_METRES_PER_HECTARE
    if 0 < hectares < _SMALL_HECTARES:
        return f"{number(square_metres)}{NO_BREAK_SPACE}m²"
    return f"{number(hectares)}{NO_BREAK_SPACE}ha"


def percent(value: float) -> str:
    """`4.25 %`; what is little but not nothing says so."""
    if 0 < value < 0.01:  # noqa: PLR2004
        return f"< 0.01{NARROW_SPACE}%"
    return f"{value:.2f}{NARROW_SPACE}%"


def lonlat(lon: float, lat: float, decimals: int = 4) -> str:
    """`8.4342° S, 74.4407° W`."""
    north = "N" if lat >= 0 else "S"
    east = "E" if lon >= 0 else "W"
    return (
        f"{abs(lat):.{decimals}f}°{NARROW_SPACE}{north},"
        f" {abs(lon):.{decimals}f}°{NARROW_SPACE}{east}"
    )


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    text = text.strip()
    end = "" if text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + end if text else ""


def file_name(path: str) -> str:
    """The last part of a path or URL."""
    return PurePath(path.partition("?")[0]).name or path


def words(key: str) -> str:
    """An identifier as words: `min_area` as `min area`."""
    return key.replace("_", " ")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of texts, the first column its row headers."""
    lines = [f"<table><caption>{escape(caption)}</caption>"]
    if any(head):
        cells = "".join(
            f'<th scope="col">{escape(text)}</th>' if text else "<td></td>"
            for text in head
        )
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for first, *others in rows:
        cells = "".join(f"<td>{escape(text)}</td>" for text in others)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    lines.append("</tbody></table>")
    return "\n".join(lines)


def nothing_kept(theme: str) -> str:
    """Why there is no place to show, in a sentence."""
    if theme == "any":
        return "No place changed by as much as the smallest kept."
    return f"No place of the theme '{theme}' is as large as the smallest kept."


def cards(*said: tuple[str, str]) -> str:
    """Figures that a reader looks for first, each a name and its value."""
    return "\n".join(
        f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>"
        for name, value in said
    )


def notes_list(notes: Sequence[str]) -> str:
    """Notes as a list of sentences; nothing for none."""
    if not notes:
        return ""
    items = "".join(f"<li>{escape(sentence(note))}</li>" for note in notes)
    return f'<ul class="notes" aria-label="Notes">{items}</ul>'


def facts(values: Mapping[str, Any], caption: str) -> str:
    """A table of names and plain values; nothing for no values."""
    if not values:
        return ""
    rows = [[words(key), shown(value)] for key, value in values.items()]
    return table(("", ""), rows, caption)


def shown(value: object) -> str:
    """A plain value as text."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{words(str(k))} {shown(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    return str(value)
