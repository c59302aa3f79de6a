"""The report's contents, taken from what the two passes found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyproj

from geosim.change.cells import mean_where_any
from geosim.change.scores import UNIT_LEVELS
from geosim.deciding import CHANGED, NODATA
from geosim.publish.report import ChangeRow, ReportPictures, render_report
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geosim.delivery import Found
    from geosim.publish.record import RunRecord
    from geosim.raster.grid import Grid

_LARGEST = 12
"""Changes shown with pictures."""

_STRETCH_PERCENT = (0.5, 99.5)
"""Brightness of the previews that becomes black and white."""

_STRETCH_SAMPLE = 100_000
"""Pixels per band, about, that the stretch is taken from."""

_HALF = 0.5


def write_report(
    staging: Path, found: Found, record: RunRecord, polygons: gpd.GeoDataFrame
) -> None:
    """Write `report.html` into the staging folder."""
    page = render_report(
        record,
        report_pictures(found),
        found.decision.histogram.tolist(),
        largest_changes(found, polygons),
    )
    path = staging / "report.html"
    with writing(path):
        path.write_text(page, encoding="utf-8")


def report_pictures(found: Found) -> ReportPictures:
    """Both dates, the probability and the decision in preview size."""
    dates = found.scan.preview.sums
    count = dates[0]
    means = mean_where_any(dates[1:], count)
    valid, levels, changed = found.decision.preview.sums
    share = mean_where_any(changed, valid)
    decision = np.where(share >= _HALF, CHANGED, 0).astype(np.uint8)
    decision[valid == 0] = NODATA
    before, after = _stretched(means)
    return ReportPictures(
        before=before,
        after=after,
        probability=mean_where_any(levels, valid) / np.float32(UNIT_LEVELS),
        decision=decision,
    )


def _stretched(means: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Both dates as (height, width, 3) uint8, one stretch for all bands and dates."""
    step = max(1, math.isqrt(means[0].size // _STRETCH_SAMPLE))
    sample = means[:, ::step, ::step]
    known = sample[np.isfinite(sample)]
    low, high = np.percentile(known, _STRETCH_PERCENT) if known.size else (0.0, 1.0)
    factor = np.float32(255.0 / max(high - low, 1e-6))
    levels = np.empty((2, *means.shape[1:], 3), np.uint8)
    for number, band in enumerate(means):
        scaled = np.nan_to_num((band - np.float32(low)) * factor)
        levels[number // 3, ..., number % 3] = np.rint(np.clip(scaled, 0.0, 255.0))
    return list(levels)


def largest_changes(found: Found, polygons: gpd.GeoDataFrame) -> list[ChangeRow]:
    """The largest polygons with where they lie."""
    grid = found.scene.grid
    rows = []
    for _, polygon in polygons[:_LARGEST].iterrows():
        outline = found.decision.outlines[polygon["id"] - 1]
        left, top, right, bottom = (int(value) for value in outline.bounds)
        lon, lat = _centre(grid, outline.representative_point().coords[0])
        rows.append(
            ChangeRow(
                id=int(polygon["id"]),
                area_m2=None if grid.crs is None else float(polygon["area_m2"]),
                area_px=int(polygon["area_px"]),
                probability_mean=float(polygon["probability_mean"]),
                window=(left, top, right - left, bottom - top),
                lon=lon,
                lat=lat,
            )
        )
    return rows


def _centre(grid: Grid, pixel: tuple[float, ...]) -> tuple[float | None, float | None]:
    """Longitude and latitude of a (col, row) place; None without a CRS."""
    if grid.crs is None:
        return None, None
    x, y = grid.transform @ pixel[:2]
    to_degrees = pyproj.Transformer.from_crs(grid.crs, 4326, always_xy=True)
    lon, lat = to_degrees.transform(x, y)
    return float(lon), float(lat)
