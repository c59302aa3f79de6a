"""The files of an evaluation: JSON, CSV, curves, a page."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

import geosim
from geosim.assessment.agreement import precision_recall_curve, roc_curve
from geosim.assessment.measuring import FIGURES, PROBABILITY
from geosim.change.accuracy import reliability_table
from geosim.publish.evaluation_page import render_evaluation
from geosim.publish.record import plain
from geosim.publish.unit_curves import Curve, curves_png
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from geosim.assessment.measuring import Row
    from geosim.evaluate import Evaluation, SetEvaluation

FILES = {
    "table": "evaluation.csv",
    "page": "evaluation.html",
    "record": "evaluation.json",
}
"""What an evaluation writes, beside `curves_<set>.png` of each set."""

_CURVE_POINTS = 2000

_HEADINGS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "iou": "IoU",
    "kappa": "kappa",
    "ap": "AP",
    "roc_area": "ROC",
    "object_recall": "objects",
    "boundary_f1": "boundary",
    "calibration_error": "ECE",
}
"""Columns on the command line."""


def as_dict(found: Evaluation) -> dict[str, Any]:
    """An evaluation as plain values; `null` where a figure has no meaning."""
    curves = _curves_names([one.name for one in found.sets])
    values = {
        "software": f"geosim {geosim.__version__}",
        "options": found.options.to_dict(),
        "sets": [
            {
                "name": one.name,
                "curves": curves[one.name],
                "pooled": {name: _row(row) for name, row in one.pooled.items()},
                "reliability": {
                    name: _reliability(counts["probability"])
                    for name, counts in one.counts.items()
                },
                "scenes": {
                    scene: {name: _row(row) for name, row in rows.items()}
                    for scene, rows in one.scenes.items()
                },
            }
            for one in found.sets
        ],
    }
    plain_values: dict[str, Any] = plain(values)
    return plain_values


def _row(row: Row) -> dict[str, Any]:
    figures = {name: vars(row.figures[name]) for name in FIGURES}
    return {"pixels": row.pixels, "changed": row.changed, **figures}


def _reliability(counts: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - an array or None
    if counts is None:
        return []
    return [vars(row) for row in reliability_table(counts, PROBABILITY)]


def _curves_names(sets: Sequence[str]) -> dict[str, str]:
    """File of each set's curves; names that look alike there get a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sets:
        plain_name = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
        tries = (f"{plain_name}_{number}" for number in itertools.count(2))
        free = itertools.chain([plain_name], tries)
        chosen = next(one for one in free if one.casefold() not in taken)
        taken.add(chosen.casefold())
        found[name] = f"curves_{chosen}.png"
    return found


def write_into(found: Evaluation, folder: Path) -> None:
    """The files of `FILES` in a folder that nobody sees yet."""
    values = as_dict(found)
    pictures = {}
    for one, told in zip(found.sets, values["sets"], strict=True):
        path = folder / told["curves"]
        pictures[one.name] = _curves(one)
        with writing(path):
            path.write_bytes(pictures[one.name])
    texts = {
        "table": _csv(values),
        "page": render_evaluation(values, pictures),
        "record": json.dumps(values, indent=2) + "\n",
    }
    for key, text in texts.items():
        path = folder / FILES[key]
        with writing(path):
            path.write_text(text, encoding="utf-8")


def _curves(one: SetEvaluation) -> bytes:
    """Precision over recall, receiver operating characteristic, reliability."""
    recall, receiver, reliable = [], [], []
    for name, counts in one.counts.items():
        score = counts["score"]
        same, changed = score.sum(axis=1)
        if changed:
            recall.append(_thinned(name, *precision_recall_curve(score)))
        if changed and same:
            receiver.append(_thinned(name, *roc_curve(score)))
        if counts["probability"] is not None:
            rows = reliability_table(counts["probability"], PROBABILITY)
            said = [row.predicted for row in rows]
            reliable.append(
                Curve(name, said, [row.observed for row in rows], dots=True)
            )
    return curves_png(
        [
            ("Precision over recall", "recall", recall, False),
            ("Recall over false alarms (ROC)", "false alarm rate", receiver, True),
            ("Share that changed over probability", "probability", reliable, True),
        ]
    )


def _thinned(name: str, across: Any, up: Any) -> Curve:  # noqa: ANN401 - arrays
    """A curve of at most about two thousand points, levels without pixels left out."""
    moved = (np.diff(across) != 0) | (np.diff(up) != 0)
    places = np.flatnonzero(np.concatenate([[True], moved]))
    step = max(1, len(places) // _CURVE_POINTS)
    kept = np.unique(np.append(places[::step], len(across) - 1))
    return Curve(name, across[kept].tolist(), up[kept].tolist())


def _csv(values: Mapping[str, Any]) -> str:
    """One row per set, scene and method; `all` is all scenes of a set together."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    figures = [f"{name}{part}" for name in FIGURES for part in ("", "_low", "_high")]
    rows.writerow(["set", "scene", "method", "pixels", "changed", *figures])
    for one in values["sets"]:
        for scene, methods in ({"all": one["pooled"]} | one["scenes"]).items():
            for method, row in methods.items():
                cells = [
                    row[name][part]
                    for name in FIGURES
                    for part in ("value", "low", "high")
                ]
                texts = ["" if cell is None else f"{cell:.6g}" for cell in cells]
                share = f"{row['changed']:.6g}"
                rows.writerow(
                    [one["name"], scene, method, row["pixels"], share, *texts]
                )
    return stream.getvalue()


def summary_lines(found: Evaluation) -> list[str]:
    """The pooled figures for the command line."""
    lines = []
    for one in found.sets:
        changed = next(iter(one.pooled.values()))
        count = len(one.scenes)
        lines.append(
            f"{one.name}: {count} scene{'' if count == 1 else 's'}, "
            f"{changed.pixels:,} px, {100 * changed.changed:.1f} % changed"
        )
        width = max(len(name) for name in one.pooled)
        heads = "".join(f"{head:>11}" for head in _HEADINGS.values())
        lines.append(f"  {'':<{width}}{heads}")
        for name, row in one.pooled.items():
            cells = (row.figures[key].value for key in _HEADINGS)
            texts = (f"{'-' if math.isnan(c) else format(c, '.3f'):>11}" for c in cells)
            lines.append(f"  {name:<{width}}{''.join(texts)}")
    return lines
