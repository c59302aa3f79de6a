"""An evaluation as one HTML page that needs nothing but itself."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from geosim.publish.page import page_file
from geosim.publish.pictures import data_uri
from geosim.publish.wording import NOTHING, table

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADINGS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "iou": "IoU",
    "kappa": "kappa",
    "ap": "average precision",
    "roc_area": "ROC area",
    "best_f1": "best F1",
    "object_recall": "objects found",
    "object_precision": "objects right",
    "boundary_f1": "boundary F1",
    "calibration_error": "calibration error",
}
_SHORT = ("precision", "recall", "f1", "iou", "ap", "object_recall", "boundary_f1")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Methods against labels</title>
<style>
{style}
img {{ max-width: 100%; height: auto; background: #fff; }}
</style>
</head>
<body>
<header>
  <h1>Methods against labels</h1>
  <p class="where">{where}</p>
</header>
<main>
{sections}
<section class="method">
  <h2>What the figures are</h2>
  <ul>
    <li>Precision, recall, F1, IoU and kappa: of the decision, of changed pixels.</li>
    <li>Average precision, ROC area: of the score, whatever the threshold. Best F1: of
      the best single threshold, which only labels can tell.</li>
    <li>Objects found: share of the labelled objects that an object of the map overlaps
      with an intersection over union of 0.5; objects right: the same of the map's.</li>
    <li>Boundary F1: outlines that lie within {tolerance:g} px of each other.</li>
    <li>Calibration error: how far, on average over the pixels, the probability is from
      the share that changed.</li>
    <li>In brackets 95 % of {samples:,} bootstrap samples of blocks of 64 x 64 px: what
      hangs on which ground was seen in these scenes, not what others would give.</li>
  </ul>
</section>
</main>
<footer>{software}</footer>
</body>
</html>
"""


def render_evaluation(values: Mapping[str, Any], curves: Mapping[str, bytes]) -> str:
    """The page as text.

    Args:
        values: contents of `evaluation.json`.
        curves: PNG file of each set, by name.
    """
    scenes = sum(len(one["scenes"]) for one in values["sets"])
    noun = "scene" if scenes == 1 else "scenes"
    options = values["options"]
    methods = list(values["sets"][0]["pooled"])
    return _PAGE.format(
        style=page_file("assessment.css"),
        where=escape(f"{', '.join(methods)} on {scenes} labelled {noun}"),
        sections="\n".join(
            _section(one, curves[one["name"]]) for one in values["sets"]
        ),
        tolerance=options["tolerance"],
        samples=options["samples"],
        software=escape(values["software"]),
    )


def _section(one: Mapping[str, Any], curves: bytes) -> str:
    row = next(iter(one["pooled"].values()))
    told = f"{row['pixels']:,} labelled pixels, {100 * row['changed']:.1f} % changed"
    told_picture = (
        "Precision over recall, receiver operating characteristic and reliability of "
        + escape(one["name"])
    )
    scrolled = (
        f'class="wide" tabindex="0" role="region" aria-label="{escape(one["name"])}'
    )
    parts = [
        f"<section><h2>{escape(one['name'])}</h2>",
        f'<div {scrolled}, pooled">{_pooled(one["pooled"], told)}</div>',
        f'<p><img src="{data_uri("image/png", curves)}" alt="{told_picture}"></p>',
    ]
    if len(one["scenes"]) > 1:
        parts.append(f'<div {scrolled}, by scene">{_by_scene(one["scenes"])}</div>')
    return "\n".join([*parts, "</section>"])


def _pooled(rows: Mapping[str, Any], told: str) -> str:
    """Figures down, methods across."""
    lines = [
        [heading, *(_cell(row[name]) for row in rows.values())]
        for name, heading in _HEADINGS.items()
    ]
    return table(("", *rows), lines, told)


def _by_scene(scenes: Mapping[str, Any]) -> str:
    lines = []
    for scene, methods in scenes.items():
        for number, (method, row) in enumerate(methods.items()):
            first = scene if number == 0 else ""
            share = f"{100 * row['changed']:.1f} %"
            cells = [_plain(row[name]["value"]) for name in _SHORT]
            lines.append([first, method, share, *cells])
    heads = ("", "method", "changed", *(_HEADINGS[name] for name in _SHORT))
    return table(heads, lines, "Scene by scene")


def _cell(figure: Mapping[str, float | None]) -> str:
    value, low, high = (figure[part] for part in ("value", "low", "high"))
    if value is None:
        return NOTHING
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.2f}, {high:.2f})"


def _plain(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
