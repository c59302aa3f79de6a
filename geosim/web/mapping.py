"""What the page's map shows of a change map: two pictures and the polygons on them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pyproj
import rasterio
import shapely
from affine import Affine
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geosim.publish.areas import class_label
from geosim.raster.grid import Grid
from geosim.raster.longitudes import crs_for_warping
from geosim.raster.source import plain_images_welcome
from geosim.result import FILES
from geosim.web.rasters import colour_bands, stretched

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from geosim.publish.record import GridRecord
    from geosim.result import ChangeResult

ARCHIVE = "geosim_change.zip"
"""All files of a result in one."""

PICTURES = ("before.jpg", "after.jpg")
"""Both dates on one grid, for the map."""

_SIDE = 1800
"""Longest side of a picture on the map."""

_POLYGONS = 3000
"""Polygons that are drawn, the largest ones; the GeoPackage has all."""


def map_of(
    result: ChangeResult, before: Path, after: Path, folder: Path
) -> dict[str, Any]:
    """Write the pictures and the archive beside a result, and tell of the polygons.

    Args:
        result: a finished run.
        before: path of date 1.
        after: path of date 2.
        folder: gets `PICTURES` and `ARCHIVE`.

    Returns:
        `width`, `height` of the grid; `polygons`, each with `id`, `area_ha` or
        `area_px`, `class`, `class_label`, `probability` and `path` (SVG, in pixels of
        the grid), the largest first; `changed_ha`, `changed_px`, `changed_percent`,
        `polygon_count`, `crs`, `notes`.
    """
    grid, areas = result.record.grid, result.record.areas
    width, height = grid.width, grid.height
    for values, name in zip(_pictures(grid, (before, after)), PICTURES, strict=True):
        Image.fromarray(values).save(folder / name, "JPEG", quality=88)
    with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
        for name in FILES:
            archive.write(result.folder / name, f"geosim_change/{name}")
    return {
        "width": width,
        "height": height,
        "crs": grid.crs,
        "changed_ha": areas.changed_ha,
        "changed_px": areas.changed_px,
        "changed_percent": round(100 * areas.changed_px / max(areas.valid_px, 1), 4),
        "notes": list(result.record.notes),
        **_polygons(result),
    }


def _polygons(result: ChangeResult) -> dict[str, Any]:
    changes, grid = result.changes, result.record.grid
    count = len(changes)
    step = max(grid.width, grid.height) / _SIDE
    back = ~Affine(*grid.transform)
    matrix = [back.a, back.b, back.d, back.e, back.c, back.f]
    rows = []
    shown = changes.head(_POLYGONS)
    for row, kind in zip(shown.itertuples(), shown["class"], strict=True):
        outline = shapely.affinity.affine_transform(row.geometry, matrix)
        area: dict[str, float] = {"area_px": int(row.area_px)}
        if grid.crs is not None:
            area["area_ha"] = round(float(row.area_ha), 4)
        rows.append(
            {
                "id": int(row.id),
                **area,
                "class": kind,
                "class_label": class_label(kind),
                "probability": round(float(row.probability_mean), 3),
                "bounds": [round(value, 1) for value in outline.bounds],
                "path": _svg(outline.simplify(step / 2)),
            }
        )
    return {"polygon_count": count, "polygons": rows}


def _svg(outline: shapely.Polygon | shapely.MultiPolygon) -> str:
    """A polygon with its holes as the path of an SVG."""
    rings = [
        ring
        for part in shapely.get_parts(outline)
        for ring in (part.exterior, *part.interiors)
    ]
    return "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.coords[:-1]) + "Z"
        for ring in rings
    )


def _pictures(grid: GridRecord, paths: tuple[Path, Path]) -> list[NDArray[np.uint8]]:
    """Both dates on the grid, small enough for a page."""
    scale = max(max(grid.width, grid.height) / _SIDE, 1.0)
    width, height = (max(round(n / scale), 1) for n in (grid.width, grid.height))
    transform = Affine(*grid.transform) @ Affine.scale(
        grid.width / width, grid.height / height
    )
    found = []
    for path in paths:
        with plain_images_welcome(), rasterio.open(path, driver="GTiff") as dataset:
            bands = colour_bands(dataset)
            shape = (height, width)
            if dataset.crs is None or grid.wkt is None:
                found.append(dataset.read(bands, out_shape=shape, masked=True))
                continue
            options = {"crs": grid.wkt, "transform": transform, "width": width}
            there = Grid(
                crs=pyproj.CRS(grid.wkt),
                transform=transform,
                width=width,
                height=height,
            )
            options["src_crs"] = crs_for_warping(dataset, there)
            with WarpedVRT(
                dataset, **options, height=height, resampling=Resampling.average
            ) as warped:
                found.append(warped.read(bands, masked=True))
    return stretched(found)
