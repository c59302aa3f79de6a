"""The files of an assessment: JSON, CSV, a page."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

import geosim
from geosim.assessing.sample_files import label_of
from geosim.assessment.estimating import NORMAL_95
from geosim.publish.assessment_page import render_assessment
from geosim.publish.record import plain
from geosim.publish.wording import SQUARE_METRES_PER_HECTARE
from geosim.raster.staging import writing
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.assess import Assessment

FILES = {
    "table": "assessment.csv",
    "page": "assessment.html",
    "record": "assessment.json",
}
"""What an assessment writes."""


def as_dict(found: Assessment) -> dict[str, Any]:
    """An assessment as plain values; `null` where a figure has no meaning."""
    design, estimates = found.design, found.estimates
    values = {
        "software": f"geosim {geosim.__version__}",
        "sample": dict(design.source),
        "estimator": "Stehman 2014" if found.corrected else "Olofsson et al. 2014",
        "unit": "m2" if design.has_crs else "px",
        "total_area": found.total,
        "samples": int(found.counts.sum()),
        "overall_accuracy": _figure(estimates.overall, estimates.overall_se),
        "changed_area": _changed(found),
        "classes": _classes(found),
        "error_matrix": {
            "rows": "map",
            "columns": "reference",
            "classes": list(found.classes),
            "area_shares": estimates.matrix,
            "standard_errors": estimates.matrix_se,
            "samples": found.counts.sum(axis=0),
        },
        "strata": [
            {
                "stratum": stratum.name,
                "map_class": stratum.map_class,
                "pixels": design.pixels[number],
                "area": design.areas[number],
                "drawn": design.samples[number],
                "answered": int(found.counts[number].sum()),
                "reference": dict(
                    zip(
                        found.classes,
                        found.counts[number].sum(axis=0).tolist(),
                        strict=True,
                    )
                ),
            }
            for number, stratum in enumerate(design.strata)
        ],
        "notes": list(found.notes),
    }
    plain_values: dict[str, Any] = plain(values)
    return plain_values


def _changed(found: Assessment) -> dict[str, float]:
    """Area of all change together: what is not unchanged, with the same error."""
    if NO_CHANGE not in found.classes:
        return _figure(np.float64(found.total), np.float64(0.0), found.total)
    place, total = found.classes.index(NO_CHANGE), found.total
    share = 1.0 - found.estimates.areas[place]
    return _figure(share * total, found.estimates.areas_se[place] * total, total)


def _classes(found: Assessment) -> list[dict[str, Any]]:
    """Area and accuracies of each class."""
    estimates, total, mapped = found.estimates, found.total, found.mapped
    return [
        {
            "class": name,
            "label": label_of(name),
            "mapped_area": mapped[number] * total,
            "area": _figure(
                estimates.areas[number] * total,
                estimates.areas_se[number] * total,
                total,
            ),
            "area_share": _figure(estimates.areas[number], estimates.areas_se[number]),
            "users_accuracy": _figure(
                estimates.users[number], estimates.users_se[number]
            ),
            "producers_accuracy": _figure(
                estimates.producers[number], estimates.producers_se[number]
            ),
        }
        for number, name in enumerate(found.classes)
    ]


def _figure(
    value: NDArray[np.float64] | np.float64,
    error: NDArray[np.float64] | np.float64,
    most: float = 1.0,
) -> dict[str, float]:
    """An estimate, its standard error and its 95 % interval within what can be."""
    margin = NORMAL_95 * error
    return {
        "value": float(value),
        "standard_error": float(error),
        "low": float(np.clip(value - margin, 0.0, most)),
        "high": float(np.clip(value + margin, 0.0, most)),
    }


def write_into(found: Assessment, folder: Path) -> None:
    """The files of `FILES` in a folder that nobody sees yet."""
    values = as_dict(found)
    texts = {
        "table": _csv(values),
        "page": render_assessment(values),
        "record": json.dumps(values, indent=2) + "\n",
    }
    for key, text in texts.items():
        path = folder / FILES[key]
        with writing(path):
            path.write_text(text, encoding="utf-8")


def _csv(values: dict[str, Any]) -> str:
    """One row per class and one for all; areas in hectares, without a CRS in pixels."""
    unit, factor = _unit(values)
    names = values["error_matrix"]["classes"]
    kinds = ("users_accuracy", "producers_accuracy")
    head = ["class", f"mapped_{unit}"]
    head += [f"area_{unit}", f"area_se_{unit}", f"area_low_{unit}", f"area_high_{unit}"]
    head += [f"{kind}{part}" for kind in kinds for part in ("", "_se")]
    head += [f"share_reference_{name}" for name in names]
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow([*head, "overall_accuracy", "overall_accuracy_se"])
    for one, shares in zip(
        values["classes"], values["error_matrix"]["area_shares"], strict=True
    ):
        area = one["area"]
        cells = [one["mapped_area"], area["value"], area["standard_error"]]
        cells = [cell / factor for cell in (*cells, area["low"], area["high"])]
        for kind in kinds:
            cells += [one[kind]["value"], one[kind]["standard_error"]]
        rows.writerow([one["class"], *map(_cell, (*cells, *shares)), "", ""])
    overall = values["overall_accuracy"]
    total = values["total_area"] / factor
    blank = [""] * (len(head) - 3)
    last = [overall["value"], overall["standard_error"]]
    rows.writerow(["all", _cell(total), _cell(total), *blank, *map(_cell, last)])
    return stream.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def _unit(values: dict[str, Any]) -> tuple[str, float]:
    """Unit of areas in tables, and how many of the record's units it has."""
    return ("ha", SQUARE_METRES_PER_HECTARE) if values["unit"] == "m2" else ("px", 1.0)


def summary_lines(found: Assessment) -> list[str]:
    """The figures for the command line."""
    values = as_dict(found)
    unit, factor = _unit(values)
    width = max(10, *(len(one["label"]) for one in values["classes"]))
    heads = f"{'mapped':>10}  {'area':>10}  {'95 % interval':>21}  {'user':>13}"
    lines = [f"{'':<{width}}  {heads}  {'producer':>13}"]
    for one in values["classes"]:
        area = one["area"]
        interval = f"{area['low'] / factor:,.2f} to {area['high'] / factor:,.2f}"
        lines.append(
            f"{one['label']:<{width}}  {one['mapped_area'] / factor:>10,.2f}  "
            f"{area['value'] / factor:>10,.2f}  {interval:>21}  "
            f"{_said(one['users_accuracy']):>13}  "
            f"{_said(one['producers_accuracy']):>13}"
        )
    if len(values["classes"]) > 2:  # noqa: PLR2004 - change of one kind and none
        area = values["changed_area"]
        interval = f"{area['low'] / factor:,.2f} to {area['high'] / factor:,.2f}"
        total = f"{'all change':<{width}}  {'':>10}  {area['value'] / factor:>10,.2f}"
        lines.append(f"{total}  {interval:>21}")
    overall = _said(values["overall_accuracy"])
    lines.append(f"areas in {unit}; accuracies with standard errors; overall {overall}")
    return lines


def _said(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} ± {figure['standard_error']:.3f}"
