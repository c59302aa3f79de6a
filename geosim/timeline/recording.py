"""What `series.json` tells of a finished series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import geosim
from geosim.delivering.notes import theme_note
from geosim.delivering.recording import crs_name
from geosim.timeline.deciding import reach_of
from geosim.timeline.pairs import PAIRS, pair_name
from geosim.timeline.summing import changed_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geosim.raster.grid import Grid
    from geosim.raster.writer import WorkRaster
    from geosim.result import ChangeResult
    from geosim.timeline.calibration import Calibration
    from geosim.timeline.covers import Covered
    from geosim.timeline.pairs import Interval, PairMaps
    from geosim.timeline.plan import Plan
    from geosim.timeline.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Made:
    """What the passes made, open until all is written."""

    stack: Stack
    maps: Mapping[tuple[int, int], PairMaps]
    results: Mapping[Interval, ChangeResult]
    rasters: Mapping[str, WorkRaster]
    shares: list[float]
    notes: list[str]
    calibration: Calibration | None
    covered: Covered | None
    """Areas of land covers, as classified; None where not known."""


_BY_PAIRS = (
    "Too few places are shown by all dates, so each comparison decided alone, not all "
    "dates together; leave out scenes with large gaps to have them decide together."
)
"""What a reader must know where "auto" wanted more."""

_OF_THEME = (
    "Places, their classes and the areas by interval are those of the theme '{}' "
    "alone; what changed at least once and the rasters tell of all that changed."
)
"""What of a series is of its theme alone."""


def series_record(
    plan: Plan,
    made: Made,
    timings: Mapping[str, float],
    polygons: int,
) -> dict[str, Any]:
    """Contents of `series.json`.

    Args:
        plan: what the series is of.
        made: what was made of it, still open.
        timings: seconds of each stage.
        polygons: how many there are.
    """
    grid = plan.grid
    return {
        "type": "geosim series",
        "version": geosim.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "scenes": _scenes(plan, made),
        "left_out": [
            {"path": one.scene.path, "date": one.scene.date, "reason": one.reason}
            for one in plan.left_out
        ],
        "intervals": _intervals(plan, made),
        "grid": _grid(grid) | {"reference": plan.reference},
        "areas": _areas(grid, made),
        "covers_m2" if grid.crs else "covers_px": dict(
            zip(plan.dates, made.covered.dates if made.covered else [], strict=False)
        ),
        "polygons": polygons,
        "year": "of the later date of the interval in which the change came",
        "decision": _decision(plan, made),
        "options": plan.options.to_dict(),
        "series_options": plan.series.to_dict(),
        "notes": [*plan.notes, *made.notes, *_notes(plan, made)],
        "timings": dict(timings),
    }


def _scenes(plan: Plan, made: Made) -> list[dict[str, Any]]:
    told = zip(plan.scenes, made.shares, made.stack.readings, strict=True)
    return [
        {
            "path": scene.path,
            "date": scene.date,
            "valid_fraction": round(share, 6),
            "reading": reading,
        }
        for scene, share, reading in told
    ]


def _intervals(plan: Plan, made: Made) -> list[dict[str, Any]]:
    return [
        {
            "date_from": plan.dates[interval.before],
            "date_to": plan.dates[interval.after],
            "bridged_px": interval.bridged_px,
            "folder": f"{PAIRS}/{pair_name(plan.scenes, interval)}",
            "threshold": result.record.threshold.value,
            "changed_px": result.record.areas.changed_px,
            "notes": list(result.record.notes),
        }
        for interval, result in made.results.items()
    ]


def _notes(plan: Plan, made: Made) -> list[str]:
    """What the comparisons have to tell; what all of them do, once."""
    said: dict[str, list[Interval]] = {}
    for interval, result in made.results.items():
        for note in result.record.notes:
            said.setdefault(note, []).append(interval)
    told = []
    if plan.together and made.calibration is None:
        told.append(_BY_PAIRS)
    theme = plan.options.theme
    if theme != "any":
        said.pop(theme_note(theme), None)
        told.append(_OF_THEME.format(theme))
    for note, intervals in said.items():
        if len(intervals) == len(made.results):
            told.append(note)
            continue
        of = ", ".join(
            f"{plan.dates[one.before]} to {plan.dates[one.after]}" for one in intervals
        )
        told.append(f"{of}: {note}")
    return told


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "crs": crs_name(grid),
        "wkt": grid.crs.to_wkt() if grid.crs else None,
        "transform": list(grid.coefficients),
        "width": grid.width,
        "height": grid.height,
        "resolution_m": grid.ground_resolution(),
    }


def _areas(grid: Grid, made: Made) -> dict[str, Any]:
    pixels, area, compared = changed_once(grid, made.rasters["count"])
    return {
        "changed_px": pixels,
        "changed_m2": area if grid.crs else None,
        "valid_m2": compared if grid.crs else None,
    }


def _decision(plan: Plan, made: Made) -> dict[str, Any]:
    fitted = made.calibration
    return {
        "by": "all dates together" if plan.together and fitted else "pairs",
        "reach_px": reach_of(plan.grid),
        "bands": list(made.stack.bands),
        "price": fitted.price if fitted else None,
        "gain": fitted.gain.round(4).tolist() if fitted else None,
    }
