"""What `series.json` tells of a finished series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import geosim
from geosim.timeline.deciding import reach_of
from geosim.timeline.pairs import PAIRS, pair_name
from geosim.timeline.summing import changed_once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geosim.raster.writer import WorkRaster
    from geosim.result import ChangeResult
    from geosim.timeline.calibration import Calibration
    from geosim.timeline.delivery import SeriesFound
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
    covered: list[dict[str, float]]
    """m2 (pixels without a CRS) of each land cover on each date, as classified; empty
    where not known."""


def series_record(
    plan: Plan,
    made: Made,
    found: SeriesFound,
    timings: Mapping[str, float],
    polygons: int,
) -> dict[str, Any]:
    """Contents of `series.json`.

    Args:
        plan: what the series is of.
        made: what was made of it, still open.
        found: what is delivered.
        timings: seconds of each stage.
        polygons: how many there are.
    """
    grid = plan.grid
    changed = made.rasters["count"]
    pixels, area = changed_once(grid, changed)
    return {
        "type": "geosim series",
        "version": geosim.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "scenes": [
            {
                "path": scene.path,
                "date": scene.date,
                "valid_fraction": round(share, 6),
                "reading": reading,
            }
            for scene, share, reading in zip(
                plan.scenes, made.shares, made.stack.readings, strict=True
            )
        ],
        "left_out": [
            {"path": one.scene.path, "date": one.scene.date, "reason": one.reason}
            for one in plan.left_out
        ],
        "intervals": [
            {
                "date_from": plan.dates[interval.before],
                "date_to": plan.dates[interval.after],
                "bridged_px": interval.bridged_px,
                "folder": f"{PAIRS}/{pair_name(plan.scenes, interval)}",
                "threshold": result.record.threshold.value,
                "changed_px": result.record.areas.changed_px,
            }
            for interval, result in made.results.items()
        ],
        "grid": {
            "crs": ":".join(grid.crs.to_authority() or ()) if grid.crs else None,
            "wkt": grid.crs.to_wkt() if grid.crs else None,
            "transform": list(grid.transform)[:6],
            "width": grid.width,
            "height": grid.height,
            "resolution_m": grid.ground_resolution(),
            "reference": plan.reference,
        },
        "areas": {
            "changed_px": pixels,
            "changed_m2": area if grid.crs else None,
            "valid_m2": max(found.sums.valid.values(), default=0.0)
            if grid.crs
            else None,
        },
        "covers_m2" if grid.crs else "covers_px": dict(
            zip(plan.dates, made.covered, strict=False)
        ),
        "polygons": polygons,
        "year": "of the later date of the interval in which the change came",
        "decision": {
            "by": "all dates together"
            if plan.together and made.calibration
            else "pairs",
            "reach_px": reach_of(grid),
            "bands": list(made.stack.bands),
            "price": made.calibration.price if made.calibration else None,
            "gain": made.calibration.gain.round(4).tolist()
            if made.calibration
            else None,
        },
        "options": plan.options.to_dict(),
        "series_options": plan.series.to_dict(),
        "notes": made.notes,
        "timings": dict(timings),
    }
