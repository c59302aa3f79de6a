"""An assessment as one HTML page that needs nothing but itself."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from geosim.publish.area_chart import area_chart
from geosim.publish.page import page_file
from geosim.publish.wording import NOTHING, area, notes_list, table
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_CARDS = 3

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
<title>Accuracy and area</title>
<style>
{style}
</style>
</head>
<body>
<header>
  <h1>Accuracy and area</h1>
  <p class="where">{where}</p>
  <dl class="summary">
{summary}
  </dl>
{notes}</header>
<main>
<section aria-labelledby="h-area">
  <h2 id="h-area">How much there is of each class</h2>
{chart}
  <div class="wide" tabindex="0" role="region" aria-label="Areas">{areas}</div>
</section>
<section aria-labelledby="h-accuracy">
  <h2 id="h-accuracy">How accurate the map is</h2>
  <div class="wide" tabindex="0" role="region" aria-label="Accuracies">
{accuracies}</div>
</section>
<section aria-labelledby="h-matrix">
  <h2 id="h-matrix">Error matrix</h2>
  <div class="wide" tabindex="0" role="region" aria-label="Error matrix">{matrix}</div>
  <div class="wide" tabindex="0" role="region" aria-label="Strata">{strata}</div>
</section>
<section class="method" aria-labelledby="h-method">
  <h2 id="h-method">How it was found</h2>
{method}
</section>
</main>
<footer>{footer}</footer>
</body>
</html>
"""

_OLOFSSON = (
    "Olofsson, P., Foody, G. M., Herold, M., Stehman, S. V., Woodcock, C. E., Wulder, "
    "M. A. (2014): Good practices for estimating area and assessing accuracy of land "
    "change. Remote Sensing of Environment 148, 42\N{EN DASH}57. "
    "doi:10.1016/j.rse.2014.02.015"
)
_STEHMAN = (
    "Stehman, S. V. (2014): Estimating area and map accuracy for stratified random "
    "sampling when the strata are different from the map classes. International "
    "Journal of Remote Sensing 35, 4923\N{EN DASH}4939. "
    "doi:10.1080/01431161.2014.930207"
)


def render_assessment(values: Mapping[str, Any]) -> str:
    """The page as text.

    Args:
        values: contents of `assessment.json`.
    """
    sample = values["sample"]
    where = (
        f"{values['samples']:,} samples of {sample['result']}, drawn by geosim "
        f"{sample['version']}, {str(sample['created'])[:10]}"
    )
    return _PAGE.format(
        style=page_file("assessment.css"),
        where=escape(where),
        summary=_summary(values),
        notes=notes_list(values["notes"]),
        chart=area_chart(values["classes"], _amount(values)),
        areas=_areas(values),
        accuracies=_accuracies(values),
        matrix=_matrix(values),
        strata=_strata(values),
        method=_method(values),
        footer=escape(values["software"]),
    )


def _amount(values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a function
    """How an area of the record is said."""
    if values["unit"] == "m2":
        return lambda value: area(value, 0)
    return lambda value: area(None, round(value))


def _summary(values: Mapping[str, Any]) -> str:
    """The figures that a reader looks for first."""
    said = _amount(values)
    changes = [one for one in values["classes"] if one["class"] != NO_CHANGE]
    changes.sort(key=lambda one: -one["area"]["value"])
    shown = [(one["label"], one["area"]) for one in changes[:_MOST_CARDS]]
    if len(changes) > 1:
        shown = [("changed in all", values["changed_area"]), *shown[:-1]]
    cards = [
        (
            name,
            said(figure["value"]),
            f"95 % interval {said(figure['low'])} to {said(figure['high'])}",
        )
        for name, figure in shown
    ]
    overall = values["overall_accuracy"]
    cards.append(
        ("of the map is right", _percent(overall["value"]), f"{_range(overall)}")
    )
    return "\n".join(
        f"<div><dd>{escape(value)}<small>{escape(more)}</small></dd>"
        f"<dt>{escape(name)}</dt></div>"
        for name, value, more in cards
    )


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


def _range(figure: Mapping[str, float | None]) -> str:
    if figure["low"] is None or figure["high"] is None:
        return NOTHING
    return f"95 % interval {100 * figure['low']:.1f} to {100 * figure['high']:.1f} %"


def _areas(values: Mapping[str, Any]) -> str:
    said = _amount(values)
    rows = [
        [
            one["label"],
            said(one["mapped_area"]),
            said(one["area"]["value"]),
            said(one["area"]["standard_error"]),
            f"{said(one['area']['low'])} to {said(one['area']['high'])}",
            _percent(one["area_share"]["value"]),
        ]
        for one in values["classes"]
    ]
    head = ("", "on the map", "estimated", "standard error", "95 % interval", "share")
    return table(head, rows, "Areas, on the map and as the reference tells them")


def _accuracies(values: Mapping[str, Any]) -> str:
    rows = []
    for one in values["classes"]:
        cells = [one["label"]]
        for kind in ("users_accuracy", "producers_accuracy"):
            cells += [_with_error(one[kind]), _bounds(one[kind])]
        rows.append(cells)
    overall = values["overall_accuracy"]
    rows.append(["overall", _with_error(overall), _bounds(overall), "", ""])
    head = (
        "",
        "user's accuracy",
        "95 % interval",
        "producer's accuracy",
        "95 % interval",
    )
    caption = (
        "User's: of what is mapped as a class, the share that is right. Producer's: of "
        "what is a class, the share that is mapped. With standard errors"
    )
    return table(head, rows, caption)


def _with_error(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return NOTHING
    return f"{_percent(figure['value'])} ± {100 * (figure['standard_error'] or 0):.1f}"


def _bounds(figure: Mapping[str, float | None]) -> str:
    return _range(figure).removeprefix("95 % interval ")


def _matrix(values: Mapping[str, Any]) -> str:
    """Shares of the area, with sums."""
    found = values["error_matrix"]
    shares = found["area_shares"]
    labels = [one["label"] for one in values["classes"]]
    caption = "Shares of the area in percent; rows as mapped, columns as in truth"
    heads = "".join(
        f'<th scope="col">{escape(text)}</th>' for text in (*labels, "on the map")
    )
    lines = [
        f"<table><caption>{caption}</caption>",
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>",
    ]
    for place, (label, row) in enumerate(zip(labels, shares, strict=True)):
        marks = [' class="right"' if place == col else "" for col in range(len(row))]
        cells = "".join(
            f"<td{mark}>{_share(value)}</td>"
            for mark, value in zip(marks, row, strict=True)
        )
        total = _share(sum(row))
        lines.append(
            f'<tr><th scope="row">{escape(label)}</th>{cells}<td>{total}</td></tr>'
        )
    sums = [sum(row[col] for row in shares) for col in range(len(labels))]
    cells = "".join(f"<td>{_share(value)}</td>" for value in (*sums, sum(sums)))
    lines.append(f'<tr class="sum"><th scope="row">reference</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table>"])


def _share(value: float) -> str:
    return f"{100 * value:.2f}" if value else "0"


def _strata(values: Mapping[str, Any]) -> str:
    """What was answered in each stratum."""
    said = _amount(values)
    labels = [one["label"] for one in values["classes"]]
    rows = [
        [
            str(one["stratum"]).replace("_", " "),
            said(one["area"]),
            f"{one['pixels']:,}",
            f"{one['answered']:,}",
            *(f"{count:,}" for count in one["reference"].values()),
        ]
        for one in values["strata"]
    ]
    head = ("", "area", "pixels", "answered", *labels)
    return table(head, rows, "Samples by stratum, and what the reference says of them")


def _method(values: Mapping[str, Any]) -> str:
    options = values["sample"]["options"]
    strata = ", ".join(
        str(one["stratum"]).replace("_", " ") for one in values["strata"]
    )
    text = (
        f"A stratified random sample of {values['samples']:,} pixels was drawn from "
        f"the map (strata: {strata}; allocation: {options['allocation']}; seed "
        f"{options['seed']}) and someone told the class of each. Areas and accuracies "
        "follow from the shares of the answers in each stratum, weighted by its area, "
        "so that errors of the map do not bias them; intervals are 1.96 standard "
        "errors on each side. They tell of the chance of the draw; errors of whoever "
        "answered are not in them."
    )
    sources = [_OLOFSSON]
    if values["estimator"].startswith("Stehman"):
        text += (
            " Since a stratum around changes is none of the map's classes, the general "
            "stratified estimator is taken, with the finite population correction."
        )
        sources.append(_STEHMAN)
    items = "".join(f"<li>{escape(source)}</li>" for source in sources)
    return f"<p>{escape(text)}</p><ul>{items}</ul>"
