"""`run.json`: what a run was, on what, with what result, as a STAC Item."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio

import geosim
from geosim.delivering.delivery import input_dates, of_theme
from geosim.publish import record as rec
from geosim.publish.stac import AssetRecord, change_item, read_asset
from geosim.raster.staging import writing
from geosim.result import EXTRA_FILES, FILES, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd

    from geosim.delivering.delivery import Found
    from geosim.raster.grid import Grid
    from geosim.raster.source import Source
    from geosim.scoring.scorer import Scorer


def write_run(
    staging: Path, final: Path, record: rec.RunRecord, bands: Mapping[str, Any]
) -> None:
    """Write `run.json`, the STAC Item, last: it lists the others with checksums."""
    assets = [
        read_asset(
            staging / name,
            bands=bands.get(name, ()),
            pixels=record.options["tile_size"] if name == "tiles.tif" else 1,
        )
        for name in (*FILES, *EXTRA_FILES.values())
        if name != RECORD and (name in FILES or (staging / name).exists())
    ]
    item = change_item(record, assets, folder=final)
    path = staging / RECORD
    with writing(path):
        path.write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")


def run_record(
    found: Found,
    *,
    name: str,
    changes: gpd.GeoDataFrame,
    timings: Mapping[str, float],
    notes: tuple[str, ...],
    checksums: Sequence[AssetRecord | None] = (None, None),
) -> rec.RunRecord:
    """All that a finished run has to tell.

    Args:
        found: what the passes found.
        name: of the run's folder.
        changes: polygons of all changes, whatever the theme.
        timings: seconds per stage.
        notes: for the reader.
        checksums: of both inputs, see `input_checksum`.
    """
    scene, grid, decision = found.scene, found.scene.grid, found.decision
    dates = input_dates(found)
    known = grid.crs is not None
    sources, readings = (scene.before, scene.after), scene.readings
    before, after = (
        _input(source, reading, date, checksum)
        for source, reading, date, checksum in zip(
            sources, readings, dates, checksums, strict=True
        )
    )
    shift, threshold = found.sample.shift, decision.threshold
    return rec.RunRecord(
        name=name,
        version=geosim.__version__,
        created=datetime.now(UTC),
        method=found.options.method,
        engine=found.scorer.description,
        before=before,
        after=after,
        grid=_grid(grid),
        threshold=rec.ThresholdRecord(
            value=threshold.value, rule=threshold.rule, reason=threshold.reason
        ),
        areas=rec.AreaRecord(
            valid_px=decision.valid_px,
            changed_px=decision.changed_px,
            valid_m2=decision.valid_m2 if known else None,
            changed_m2=_changed_m2(found, changes) if known else None,
        ),
        polygons=len(of_theme(changes, found.options.theme)),
        options=found.options.to_dict() | {"tile_size": found.tile_size},
        memory=found.options.memory_text,
        weights=_weights(found.scorer),
        shift=rec.ShiftRecord(
            rows=shift.d_row, cols=shift.d_col, corrected=found.sample.corrected
        )
        if shift
        else None,
        timings=dict(timings),
        software={
            "geosim": geosim.__version__,
            "GDAL": rasterio.__gdal_version__,
            "rasterio": rasterio.__version__,
            "numpy": np.__version__,
        },
        notes=notes,
        from_to=from_to_table(changes),
    )


def _changed_m2(found: Found, changes: gpd.GeoDataFrame) -> float:
    """Sum of the polygons; that of the pixels, which is rounded otherwise, at most."""
    return min(float(changes["area_m2"].sum()), found.decision.valid_m2)


def from_to_table(changes: gpd.GeoDataFrame) -> tuple[dict[str, Any], ...]:
    """Changed area by land cover before and after, the largest first."""
    known = changes[changes["from_class"].notna()]
    rows = []
    for (before, after, kind), group in known.groupby(
        ["from_class", "to_class", "class"], sort=True
    ):
        area = float(group["area_m2"].sum(min_count=1))
        rows.append(
            {
                "from_class": before,
                "to_class": after,
                "class": kind,
                "polygons": len(group),
                "area_px": int(group["area_px"].sum()),
                "area_m2": area if np.isfinite(area) else None,
            }
        )
    return tuple(sorted(rows, key=lambda row: -row["area_px"]))


def input_checksum(source: Source) -> AssetRecord | None:
    """Size and checksum of an input; None where it is no file on this machine."""
    try:
        path = Path(source.path)
        return read_asset(path) if path.is_file() else None
    except (OSError, ValueError):  # it was read before; this is only about telling
        return None


def _input(
    source: Source, reading: str, date: str | None, checksum: AssetRecord | None
) -> rec.InputRecord:
    return rec.InputRecord(
        path=source.path,
        driver=source.driver,
        crs=crs_name(source.grid),
        width=source.grid.width,
        height=source.grid.height,
        bands=source.band_names,
        dtype=source.dtype,
        nodata=source.nodata,
        date=date,
        warped=reading.startswith("warped"),
        placement=reading,
        size=checksum.size if checksum else None,
        sha256=checksum.sha256 if checksum else None,
    )


def _grid(grid: Grid) -> rec.GridRecord:
    return rec.GridRecord(
        wkt=grid.crs.to_wkt() if grid.crs else None,
        crs=crs_name(grid),
        transform=grid.coefficients,
        width=grid.width,
        height=grid.height,
        resolution_m=grid.ground_resolution(),
    )


def crs_name(grid: Grid) -> str | None:
    """The CRS in short: "EPSG:32633", or its name where it has no code."""
    if grid.crs is None:
        return None
    authority = grid.crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else grid.crs.name


def _weights(scorer: Scorer) -> rec.WeightsRecord | None:
    if scorer.weights is None:
        return None
    known = scorer.weights.record
    return rec.WeightsRecord(
        name=known.name,
        sha256=known.sha256,
        licence=known.licence,
        attribution=known.attribution,
        half_width=scorer.weights.small,
    )
