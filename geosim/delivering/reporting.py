"""The report's contents, taken from what the two passes found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from affine import Affine
from rasterio.features import rasterize

from geosim.change.cells import mean_where_any
from geosim.change.scores import UNIT_LEVELS
from geosim.deciding.decision import CHANGED, NODATA
from geosim.publish.areas import (
    ChangedPlace,
    area_tables,
    class_colour,
    class_label,
    kinds_of,
)
from geosim.publish.figure import LegendEntry
from geosim.publish.pictures import (
    NO_DATA_GREY,
    ReportPictures,
    chip_uris,
    report_images,
    surroundings,
)
from geosim.publish.report import ChangeRow, ReportContent, render_report
from geosim.raster.grid import Window
from geosim.raster.staging import writing
from geosim.scoring.gathering import rgb_bands
from geosim.themes.classes import CHANGED_CLASS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geosim.delivering.delivery import Found
    from geosim.publish.record import RunRecord

_LARGEST = 12
"""Changes shown with pictures."""

_LARGEST_CHIP = 512
"""Side in pixels of the grid up to which a place is read anew, in full detail."""

_STRETCH_PERCENT = (0.5, 99.5)
"""Brightness of the previews that becomes black and white."""

_STRETCH_SAMPLE = 100_000
"""Pixels per band, about, that the stretch is taken from."""

_CORNERS, _STRIP_ROWS = 2000, 32
"""A shape of so many corners is drawn in strips of so many rows of the picture."""

_HALF = 0.5


def write_report(staging: Path, record: RunRecord, content: ReportContent) -> None:
    """Write `report.html` into the staging folder."""
    page = render_report(record, content)
    path = staging / "report.html"
    with writing(path):
        path.write_text(page, encoding="utf-8")


def report_content(found: Found, polygons: gpd.GeoDataFrame) -> ReportContent:
    """All that the report shows beside the record. Reads the scene."""
    places = changed_places(polygons)
    of_all = found.options.theme == "any"
    kinds = kinds_of(places) or ([CHANGED_CLASS] if of_all else [])
    pictures = report_pictures(found, polygons, kinds)
    changes = largest_changes(found, polygons)
    valid = found.decision.valid_m2 if found.scene.grid.crs is not None else None
    return ReportContent(
        images=report_images(pictures, chips(found, pictures, changes)),
        histogram=found.decision.histogram.tolist(),
        changes=changes,
        tables=area_tables(places, valid or found.decision.valid_px),
        legend=[
            LegendEntry(label=class_label(kind), colour=class_colour(kind))
            for kind in kinds
        ],
    )


def changed_places(polygons: gpd.GeoDataFrame) -> list[ChangedPlace]:
    """What the area tables need of the layer `changes`."""
    columns = polygons["area_px"], polygons["area_m2"], polygons["class"]
    return [
        ChangedPlace(
            area_px=int(pixels),
            area_m2=None if pd.isna(area) else float(area),
            kind=CHANGED_CLASS if pd.isna(kind) else kind or CHANGED_CLASS,
        )
        for pixels, area, kind in zip(*columns, strict=True)
    ]


def report_pictures(
    found: Found,
    polygons: gpd.GeoDataFrame | None = None,
    kinds: Sequence[str] = (CHANGED_CLASS,),
) -> ReportPictures:
    """Both dates, the probability and the decision in preview size.

    Args:
        found: what the passes found.
        polygons: the changes with their classes; needed where there are several.
        kinds: slugs of the classes, in the order of the legend.
    """
    means = mean_where_any(*_dates(found))
    valid, levels, changed = found.decision.preview.sums
    share = mean_where_any(changed, valid)
    decision = np.where(share >= _HALF, CHANGED, 0).astype(np.uint8)
    decision[valid == 0] = NODATA
    before, after = _stretched(means)
    classes = None
    # of a theme, what else changed is not shown in the colour of its only class
    if polygons is not None and (len(kinds) != 1 or found.options.theme != "any"):
        classes = _classes(found, polygons, kinds, decision)
    return ReportPictures(
        before=before,
        after=after,
        probability=mean_where_any(levels, valid) / np.float32(UNIT_LEVELS),
        decision=decision,
        classes=classes,
        colours=tuple(class_colour(kind) for kind in kinds),
    )


def _classes(
    found: Found,
    polygons: gpd.GeoDataFrame,
    kinds: Sequence[str],
    decision: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Number of the class of each preview pixel that changed, from 1."""
    cell = found.decision.preview.cell
    if not len(polygons):
        return np.zeros_like(decision)
    numbers = [kinds.index(kind) + 1 for kind in polygons["class"]]
    outlines = coarser(kept_outlines(found, polygons), cell)
    drawn: NDArray[np.uint8] = rasterize(
        [
            (piece, number)
            for outline, number in zip(outlines, numbers, strict=True)
            for piece in in_strips(outline, cell)
        ],
        out_shape=decision.shape,
        transform=Affine.scale(cell),
        all_touched=True,
        dtype=np.uint8,
    )
    drawn[decision != CHANGED] = 0
    return drawn


def coarser(outlines: Sequence[shapely.Polygon], cell: int) -> list[shapely.Polygon]:
    """Outlines as pictures of `cell` times larger pixels show them.

    Drawing checks each corner, and the outlines of a large raster have millions.
    """
    if cell == 1:
        return list(outlines)
    simple = shapely.simplify(list(outlines), cell / 2, preserve_topology=False)
    return [
        whole if few.is_empty else few
        for whole, few in zip(outlines, simple, strict=True)
    ]


def in_strips(shape: BaseGeometry, cell: int) -> list[BaseGeometry]:
    """A shape cut at rows of the picture: drawing asks each corner in each row."""
    if shapely.get_num_coordinates(shape) < _CORNERS:
        return [shape]
    left, top, right, bottom = shape.bounds
    step = _STRIP_ROWS * cell
    tops = np.arange(top // step * step, bottom, step)
    parts = [shapely.clip_by_rect(shape, left, y, right, y + step) for y in tops]
    return [part for part in parts if part.area > 0]


def kept_outlines(found: Found, polygons: gpd.GeoDataFrame) -> list[shapely.Polygon]:
    """Outlines in (col, row) of the polygons, of which some may have been left out."""
    outlines = found.decision.outlines
    return [outlines[number - 1] for number in polygons["id"]]


def _stretch(means: NDArray[np.float32]) -> tuple[float, float]:
    """What becomes black and white, of previews in 0..255."""
    step = max(1, math.isqrt(means[0].size // _STRETCH_SAMPLE))
    sample = means[:, ::step, ::step]
    known = sample[np.isfinite(sample)]
    low, high = np.percentile(known, _STRETCH_PERCENT) if known.size else (0.0, 1.0)
    return float(low), float(high)


def _stretched(means: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Both dates as (height, width, 3) uint8, one stretch for all bands and dates."""
    low, high = _stretch(means)
    factor = np.float32(255.0 / max(high - low, 1e-6))
    levels = np.full((2, *means.shape[1:], 3), NO_DATA_GREY, np.uint8)
    for number, band in enumerate(means):
        known = np.isfinite(band)
        scaled = np.clip((band[known] - np.float32(low)) * factor, 0.0, 255.0)
        levels[number // 3, ..., number % 3][known] = np.rint(scaled)
    return list(levels)


def largest_changes(found: Found, polygons: gpd.GeoDataFrame) -> list[ChangeRow]:
    """The largest polygons with where they lie."""
    grid = found.scene.grid
    chosen = polygons.iloc[:_LARGEST]
    rows = []
    outlines = kept_outlines(found, chosen)
    for (_, polygon), outline in zip(chosen.iterrows(), outlines, strict=True):
        left, top, right, bottom = (int(value) for value in outline.bounds)
        col, row = outline.representative_point().coords[0]
        lon, lat = grid.lonlat(col, row)
        rows.append(
            ChangeRow(
                id=int(polygon["id"]),
                area_m2=None if grid.crs is None else float(polygon["area_m2"]),
                area_px=int(polygon["area_px"]),
                probability_mean=float(polygon["probability_mean"]),
                window=(left, top, right - left, bottom - top),
                place=(float(col), float(row)),
                lon=lon,
                lat=lat,
                kind=polygon["class"],
            )
        )
    return rows


def chips(
    found: Found, pictures: ReportPictures, changes: Sequence[ChangeRow]
) -> dict[int, tuple[str, str]]:
    """Both dates around each change: read anew, or cut from the previews if large."""
    grid, outlines = found.scene.grid, found.decision.outlines
    low, high = _stretch(mean_where_any(*_dates(found)))
    uris = {}
    for change in changes:
        left, top, side = surroundings(change.window, grid.width, grid.height)
        cell = found.scan.preview.cell if side > _LARGEST_CHIP else 1
        if cell == 1:
            window = Window(left, top, side, side)
            before, after = _in_detail(found, window, low, high)
        else:
            left, top, side = (value // cell * cell for value in (left, top, side))
            rows = slice(top // cell, (top + side) // cell)
            cols = slice(left // cell, (left + side) // cell)
            before, after = pictures.before[rows, cols], pictures.after[rows, cols]
        mask = _mask(outlines[change.id - 1], (left, top, side), cell)
        uris[change.id] = chip_uris(before, after, mask.astype(np.bool_))
    return uris


def _mask(
    outline: shapely.Polygon, square: tuple[int, int, int], cell: int
) -> NDArray[np.uint8]:
    """1 inside the outline, of a square (col_off, row_off, side) of the grid."""
    left, top, side = square
    (simple,) = coarser([outline], cell)
    part = shapely.clip_by_rect(simple, left, top, left + side, top + side)
    mask: NDArray[np.uint8] = rasterize(
        in_strips(part if not part.is_empty else outline, cell),
        out_shape=(side // cell, side // cell),
        transform=Affine.translation(left, top) @ Affine.scale(cell),
        dtype=np.uint8,
    )
    return mask


def _dates(found: Found) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums and counts of the previews of both dates."""
    sums = found.scan.preview.sums
    return sums[1:], sums[0]


def _in_detail(
    found: Found, window: Window, low: float, high: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A window of both dates as the previews show them, (height, width, 3)."""
    pair = found.scene.read(window)
    dates = found.sample.radiometry.apply(pair.before, pair.after, pair.valid)
    shown = []
    for date in dates:
        bands = 255.0 * date[rgb_bands(len(date))]
        levels = np.clip((bands - low) * (255.0 / max(high - low, 1e-6)), 0.0, 255.0)
        picture = np.moveaxis(np.rint(levels).astype(np.uint8), 0, -1)
        picture[~pair.valid] = NO_DATA_GREY
        shown.append(picture)
    return shown[0], shown[1]
