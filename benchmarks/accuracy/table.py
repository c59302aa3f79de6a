"""The figures as Markdown for people and as JSON for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.measure import FIGURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.accuracy.measure import Figure, Row

_HEADINGS = {
    "ap": "AP",
    "roc_area": "ROC area",
    "f1": "F1, automatic",
    "best_f1": "F1, best",
    "f1_ratio": "ratio",
    "flagged": "flagged, %",
    "calibration_error": "calibration error",
}

_PERCENT = ("flagged",)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that was measured on one set."""

    name: str
    """Of the set."""
    rows: Mapping[str, Row]
    """Pooled over its pixels, by method."""
    scenes: Mapping[str, Mapping[str, Row]]
    """By scene, then by method."""


def markdown(measured: Sequence[Measured], lacking: Mapping[str, str]) -> str:
    """The whole table.

    Args:
        measured: the sets.
        lacking: methods that could not run, and why.
    """
    sections = ["Pooled over the pixels of each set, with 95 % intervals:", ""]
    heads = ["set", "changed, %", "method", *_HEADINGS.values()]
    sections += _head(heads)
    for found in measured:
        for number, (method, row) in enumerate(found.rows.items()):
            first = [found.name, _percent(row)] if number == 0 else ["", ""]
            sections.append(_line([*first, method, *_cells(row)]))
    sections += [_line(["", "", name, why]) for name, why in lacking.items()]
    many = [found for found in measured if len(found.scenes) > 1]
    if many:
        sections += ["", *_per_scene(many)]
    return "\n".join(sections) + "\n"


def _per_scene(measured: Sequence[Measured]) -> list[str]:
    """The scenes one by one: all figures of the first method, AP of every method."""
    first = next(iter(measured[0].rows))
    lines = [f"Per scene, {first}:", ""]
    lines += _head(["set", "scene", "changed, %", *_HEADINGS.values()])
    for found in measured:
        for scene, rows in found.scenes.items():
            row = rows[first]
            cells = [found.name, scene, _percent(row), *_cells(row)]
            lines.append(_line(cells))
    methods = list(measured[0].rows)
    lines += [
        "",
        "Per scene, every method: AP, or % flagged where nothing changed:",
        "",
    ]
    lines += _head(["set", "scene", *methods])
    for found in measured:
        for scene, rows in found.scenes.items():
            cells = [found.name, scene, *(_short(rows[name]) for name in methods)]
            lines.append(_line(cells))
    return lines


def as_json(measured: Sequence[Measured], lacking: Mapping[str, str]) -> dict[str, Any]:
    """All figures with their intervals; null where one has no meaning."""
    return {
        "sets": {
            found.name: {
                "pooled": {name: _plain(row) for name, row in found.rows.items()},
                "scenes": {
                    scene: {name: _plain(row) for name, row in rows.items()}
                    for scene, rows in found.scenes.items()
                },
            }
            for found in measured
        },
        "lacking": dict(lacking),
    }


def _plain(row: Row) -> dict[str, Any]:
    figures = {
        name: {
            part: None if math.isnan(value) else round(value, 5)
            for part, value in vars(row.figures[name]).items()
        }
        for name in FIGURES
    }
    return {"pixels": row.pixels, "changed": round(row.changed, 5), **figures}


def _cells(row: Row) -> list[str]:
    return [_cell(row.figures[name], percent=name in _PERCENT) for name in _HEADINGS]


def _cell(figure: Figure, *, percent: bool) -> str:
    if math.isnan(figure.value):
        return "-"
    if percent:
        low, high = 100 * figure.low, 100 * figure.high
        return f"{100 * figure.value:.2f} ({low:.2f}, {high:.2f})"
    return f"{figure.value:.3f} ({figure.low:.2f}, {figure.high:.2f})"


def _short(row: Row) -> str:
    figures = row.figures
    if math.isnan(figures["ap"].value):
        return f"{100 * figures['flagged'].value:.2f} %"
    return f"{figures['ap'].value:.3f}"


def _percent(row: Row) -> str:
    return f"{100 * row.changed:.1f}"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|" + "---|" * len(cells)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
