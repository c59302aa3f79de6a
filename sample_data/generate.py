"""Draw the sample data: two synthetic aerial pictures and what changed between them.

`python sample_data/generate.py` writes 1990.tif, 2020.tif and truth.tif beside itself.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from camera import CAMERAS, Grid, expose, light
from landscape import CHANGE_CLASSES, change_polygons
from rasterio.enums import ColorInterp
from rasterio.features import rasterize
from settlement import stream
from shapely import Polygon
from shapes import AFTER, BEFORE, EXTENT, Array, Date
from surface import paint

SEED = 7
SIZE = 1200  # pixels across the 1990 picture: 0.5 m each
OVERSAMPLING = 2
CRS = "EPSG:32633"
CORNER = (461_200.0, 5_412_800.0)  # easting, northing of the upper left corner
TRUTH_NODATA = 255
WEDGE = Polygon([(-50, 520), (-50, 650), (160, 650)])  # 2020 has no data here
TAKEN: dict[Date, str] = {BEFORE: "1990:07:14 10:05:00", AFTER: "2020:09:03 11:25:00"}
COLOURS = {
    0: (0, 0, 0, 0),
    1: (227, 26, 28, 255),
    2: (255, 127, 0, 255),
    3: (106, 61, 154, 255),
    4: (31, 120, 180, 255),
    5: (251, 154, 153, 255),
    6: (177, 89, 40, 255),
    255: (128, 128, 128, 255),
}


def grid_of(date: Date, size: int) -> Grid:
    """The grid of one date; that of 2020 begins a fraction of a pixel off."""
    pixel = EXTENT / size
    if date == BEFORE:
        return Grid(0, 0, size, size, pixel)
    return Grid(12.25, 3.75, size - 6, size - 10, pixel)


def transform_of(grid: Grid) -> Affine:
    """The geotransform of a grid."""
    left = CORNER[0] + grid.col_off * grid.pixel
    top = CORNER[1] - grid.row_off * grid.pixel
    return Affine(grid.pixel, 0, left, 0, -grid.pixel, top)


def _burn(shapes: list[tuple[object, int]], grid: Grid) -> Array:
    """Rasterise landscape geometry on a grid, (height, width) uint8; 0 elsewhere."""
    if not shapes:
        return np.zeros((grid.height, grid.width), np.uint8)
    left, top = grid.col_off * grid.pixel, grid.row_off * grid.pixel
    to_metres = Affine(grid.pixel, 0, left, 0, grid.pixel, top)
    burnt = rasterize(
        shapes, (grid.height, grid.width), transform=to_metres, dtype="uint8"
    )
    return np.asarray(burnt)


def write_picture(
    path: Path, picture: Array, valid: Array, grid: Grid, date: Date
) -> None:
    """Write one date: tiled JPEG in a GeoTIFF, pixels without data in its mask."""
    profile = {
        "driver": "GTiff", "count": 3, "dtype": "uint8", "crs": CRS,
        "width": grid.width, "height": grid.height, "transform": transform_of(grid),
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "JPEG",
        "photometric": "YCBCR", "jpeg_quality": 90,
    }  # fmt: skip
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile) as file,
    ):
        file.write(np.where(valid, picture, 0).astype(np.uint8))
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        if not valid.all():
            file.write_mask(valid)
        file.update_tags(
            TIFFTAG_DATETIME=TAKEN[date],
            TIFFTAG_IMAGEDESCRIPTION=f"Synthetic aerial picture, {date}",
        )


def write_truth(path: Path, truth: Array, grid: Grid) -> None:
    """Write the classes of change with their names and colours."""
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype="uint8", crs=CRS, width=grid.width,
        height=grid.height, transform=transform_of(grid), tiled=True, blockxsize=256,
        blockysize=256, compress="DEFLATE", nodata=TRUTH_NODATA,
    ) as file:  # fmt: skip
        file.write(truth, 1)
        file.write_colormap(1, COLOURS)
        names = {0: "same", **CHANGE_CLASSES}
        file.update_tags(1, **{f"CLASS_{code}": name for code, name in names.items()})


def truth_on(grid: Grid, other: Grid, seed: int) -> Array:
    """The class of change per pixel, 255 where the other date has no data."""
    shapes = [(area, code) for code, area in change_polygons(seed).items()]
    truth = _burn(shapes, grid)
    left, top = other.col_off * grid.pixel, other.row_off * grid.pixel
    right, bottom = left + other.width * grid.pixel, top + other.height * grid.pixel
    seen = Polygon([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.where(_burn([(seen.difference(WEDGE), 1)], grid), truth, TRUTH_NODATA)


def generate(out: Path, seed: int = SEED, size: int = SIZE) -> None:
    """Write 1990.tif, 2020.tif and truth.tif into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    spacing = EXTENT / size / OVERSAMPLING
    dates: tuple[Date, Date] = (BEFORE, AFTER)
    for date in dates:
        grid, camera = grid_of(date, size), CAMERAS[date]
        radiance = light(paint(seed, date, spacing), camera)
        picture = expose(radiance, spacing, grid, camera, stream(seed, f"film {date}"))
        missing = _burn([(WEDGE, 1)] if date == AFTER else [], grid)
        write_picture(out / f"{date}.tif", picture, missing == 0, grid, date)
    truth = truth_on(grid_of(BEFORE, size), grid_of(AFTER, size), seed)
    write_truth(out / "truth.tif", truth, grid_of(BEFORE, size))


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=int, default=SIZE, help="pixels across 600 m")
    options = parser.parse_args()
    generate(options.out, options.seed, options.size)


if __name__ == "__main__":
    main()
