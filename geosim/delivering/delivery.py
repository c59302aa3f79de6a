"""What a user gets: COGs, GeoPackage, styles, in a staging folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from geosim.change.cells import mean_where_any
from geosim.change.scores import UNIT_LEVELS
from geosim.change.vectorize import sizes, to_map
from geosim.dates import image_date
from geosim.publish.formats import write_formats
from geosim.publish.geopackage import write_geopackage
from geosim.publish.styles import LAYER_STYLES, RASTER_STYLES
from geosim.publish.wording import SQUARE_METRES_PER_HECTARE
from geosim.raster.staging import writing
from geosim.raster.writer import Layout, WorkRaster
from geosim.themes.classes import CHANGED_CLASS, THEMES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.deciding.decision import Decision
    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.raster.scene import Scene
    from geosim.scoring.sampling import Sample
    from geosim.scoring.scanning import Scan
    from geosim.scoring.scorer import Scorer
    from geosim.themes.transitions import ObjectClasses


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that the two passes found, ready to be written."""

    scene: Scene
    sample: Sample
    scorer: Scorer
    scan: Scan
    decision: Decision
    options: ChangeOptions
    tile_size: int


def change_polygons(found: Found) -> gpd.GeoDataFrame:
    """The objects as polygons with the attributes of the contract, largest first."""
    grid, decision = found.scene.grid, found.decision
    outlines = to_map(decision.outlines, grid.transform)
    areas, perimeters = sizes(outlines, grid.crs)
    count = len(outlines)
    before, after = input_dates(found)
    columns = {
        "id": np.arange(1, count + 1),
        "area_m2": areas,
        "area_ha": areas / SQUARE_METRES_PER_HECTARE,
        "area_px": decision.objects.pixels,
        "perimeter_m": perimeters,
        "probability_mean": decision.objects.probability_mean / UNIT_LEVELS,
        "probability_max": decision.objects.probability_max / UNIT_LEVELS,
        **_class_columns(decision.classes, count),
        "date_before": [before] * count,
        "date_after": [after] * count,
    }
    return gpd.GeoDataFrame(columns, geometry=list(outlines), crs=grid.crs)


def of_theme(polygons: gpd.GeoDataFrame, theme: str) -> gpd.GeoDataFrame:
    """The polygons whose classes belong to a theme; their ids stay what they were."""
    kept = polygons["class"].isin(THEMES[theme].classes)
    return polygons[kept].reset_index(drop=True)


def _class_columns(classes: ObjectClasses | None, count: int) -> dict[str, Any]:
    """Columns that say what the objects are."""
    if classes is None:
        nothing = np.full(count, None)
        return {
            "class": [CHANGED_CLASS] * count,
            "class_probability": np.full(count, np.nan),
            "from_class": nothing,
            "to_class": nothing,
        }
    return {
        "class": list(classes.slugs),
        "class_probability": classes.probability,
        "from_class": list(classes.before),
        "to_class": list(classes.after),
    }


def tile_layers(found: Found) -> dict[str, NDArray[np.float32]]:
    """Bands of `tiles.tif` by name, each (tile rows, tile columns), NaN = nodata."""
    valid, ssim_sum = found.scan.tiles.sums
    changed = found.decision.tiles.sums[0]
    whole = float(found.tile_size**2)
    layers = {}
    if found.scan.similarity is not None:
        layers["similarity"] = found.scan.similarity
    return layers | {
        "ssim": mean_where_any(ssim_sum, valid),
        "change_fraction": mean_where_any(changed, valid),
        "valid_fraction": (valid / whole).astype(np.float32),
    }


def tile_polygons(
    layers: Mapping[str, NDArray[np.float32]], grid: Grid, tile_size: int
) -> gpd.GeoDataFrame:
    """Tiles with any valid pixel as squares cut to the grid, with their scores."""
    rows, cols = np.nonzero(layers["valid_fraction"] > 0)
    left, top = cols * tile_size, rows * tile_size
    right = np.minimum(left + tile_size, grid.width)
    bottom = np.minimum(top + tile_size, grid.height)
    squares = to_map(list(shapely.box(left, top, right, bottom)), grid.transform)
    columns: dict[str, Any] = {"row": rows, "col": cols}
    columns |= {name: values[rows, cols] for name, values in layers.items()}
    return gpd.GeoDataFrame(columns, geometry=list(squares), crs=grid.crs)


def write_tiles(
    path: Path,
    layers: Mapping[str, NDArray[np.float32]],
    grid: Grid,
    options: ChangeOptions,
    tags: Mapping[str, str],
) -> None:
    """Write `tiles.tif` on the tile grid, by way of a working raster one folder up."""
    layout = Layout(
        dtype="float32", nodata=float("nan"), bands=tuple(layers), tags=tags
    )
    raster = WorkRaster(path.parents[1] / "tiles.work", grid, layout)
    for band, values in enumerate(layers.values(), start=1):
        raster.write(values, grid.window, band)
    raster.to_cog(path, dict(options.creation_options))
    raster.close()


def write_vectors(staging: Path, found: Found, polygons: gpd.GeoDataFrame) -> None:
    """Write `changes.gpkg` and the other formats with these polygons."""
    tiles = tile_polygons(tile_layers(found), found.scene.grid, found.tile_size)
    write_geopackage(
        staging / "changes.gpkg",
        {"changes": polygons, "tiles": tiles},
        {name: style() for name, style in LAYER_STYLES.items()},
        created=datetime.now(UTC),
    )
    write_formats(staging, polygons, found.options.formats)


def write_styles(staging: Path) -> None:
    """Write a `.qml` beside each raster."""
    for name, style in RASTER_STYLES.items():
        path = (staging / name).with_suffix(".qml")
        with writing(path):
            path.write_text(style(), encoding="utf-8")


def input_dates(found: Found) -> tuple[str | None, str | None]:
    """ISO dates of both inputs: as given, or as their names or tags say."""
    options, scene = found.options, found.scene
    return (
        options.date_before or image_date(scene.before.path, scene.before.tags),
        options.date_after or image_date(scene.after.path, scene.after.tags),
    )
