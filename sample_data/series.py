"""Draw the synthetic series: seven dates of one place and what changed when.

`python sample_data/series.py` writes series/1990.tif .. 2020.tif and series/truth.tif
beside itself.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
import series_shapes as places
from affine import Affine
from canvas import fractal
from rasterio.enums import ColorInterp
from rasterio.features import rasterize
from scipy import ndimage
from settlement import stream
from shapes import Array, Geometry

SEED = 11
PIXEL = 10.0
OVERSAMPLING = 4
CRS = "EPSG:32718"
CORNER = (548_000.0, 9_072_000.0)
BANDS = ("red", "green", "blue", "nir")
TRUTH_NODATA = 255
COLOURS = {
    0: (0, 0, 0, 0),
    1: (215, 48, 39, 255),
    2: (26, 152, 80, 255),
    3: (106, 61, 154, 255),
    4: (33, 102, 172, 255),
    5: (253, 174, 97, 255),
    255: (128, 128, 128, 255),
}

_LEVELS = 500.0
"""Grey values per unit of reflectance."""
_FOREST = (0.030, 0.050, 0.028, 0.34)
_FELLED = (0.150, 0.125, 0.090, 0.25)
_BUILT = (0.190, 0.180, 0.165, 0.22)
_WATER = (0.050, 0.068, 0.060, 0.02)
_SAND = (0.270, 0.245, 0.200, 0.31)
_ROAD = (0.170, 0.155, 0.130, 0.20)
_OPEN = (0.085, 0.105, 0.065, 0.31)
"""Reflectances of the covers: red, green, blue, near infrared."""

_LIGHT = {
    1990: ((1.00, 1.00, 1.00, 1.00), 0.0),
    1995: ((1.04, 1.02, 1.01, 0.95), 4.0),
    2000: ((0.93, 0.95, 0.97, 1.04), 2.0),
    2005: ((1.06, 1.05, 1.08, 0.98), 9.0),
    2010: ((0.97, 0.96, 0.95, 1.03), 0.0),
    2015: ((1.02, 1.03, 1.02, 0.93), 6.0),
    2020: ((0.95, 0.97, 0.99, 1.02), 3.0),
}
"""Gain of each band and haze that a date adds to the visible ones."""
_SHIFT = {1995: (0.15, -0.1), 2005: (-0.12, 0.18), 2015: (0.1, 0.12)}
"""How far the content of some dates lies off, in pixels (rows, columns)."""
_NOISE = 2.2
_BLUR = 0.55
"""Spread of the grain in grey values, and of the lens in pixels."""


def burnt(area: Geometry, pixel: float, touched: bool = False) -> Array:  # noqa: FBT001, FBT002
    """True in an area, on pixels of a size."""
    side = round(places.SIDE / pixel)
    if area.is_empty:
        return np.zeros((side, side), bool)
    grid = Affine(pixel, 0, 0, 0, pixel, 0)
    inside = rasterize([area], (side, side), transform=grid, all_touched=touched)
    return np.asarray(inside == 1)


def _paint(
    ground: Array, area: Array, colour: tuple[float, ...], texture: Array
) -> None:
    """Give an area a colour whose brightness a texture multiplies."""
    for band, level in zip(ground, colour, strict=True):
        band[area] = _LEVELS * level * texture[area]


def _open_land(ground: Array, seed: int, year: int, pixel: float) -> None:
    """Grass and fields; crops look a little different on each date."""
    side = ground.shape[1]
    patches = fractal(stream(seed, "grass"), side, 8, 300, 1.2)
    _paint(ground, np.ones((side, side), bool), _OPEN, 1 + 0.05 * patches)
    for number, field in enumerate(places.fields()):
        lasting, season = (
            stream(seed, f"field {number}"),
            stream(seed, f"{number} {year}"),
        )
        green = lasting.uniform(-0.18, 0.18)
        now = season.normal(0, 0.025, 4)
        tones = (1 - green, 1 - 0.4 * green, 1 - green, 1 + 0.5 * green)
        colour = tuple(
            level * tone * float(np.exp(change))
            for level, tone, change in zip(_OPEN, tones, now, strict=True)
        )
        _paint(ground, burnt(field, pixel), colour, 1 + 0.05 * patches)


def ground_of(seed: int, year: int, pixel: float) -> Array:
    """The ground of one date, (4, side, side) grey values, without light or grain."""
    side = round(places.SIDE / pixel)
    ground = np.zeros((4, side, side), np.float32)
    _open_land(ground, seed, year, pixel)
    there = places.covers(year)
    crowns = fractal(stream(seed, "crowns"), side, 2, 24, 0.5)
    leaves = fractal(stream(seed, f"leaves {year}"), side, 30, 400, 1.2)
    stumps = fractal(stream(seed, "stumps"), side, 4, 60, 0.8)
    ripple = fractal(stream(seed, f"ripple {year}"), side, 10, 80, 1.0)
    roofs = np.clip(fractal(stream(seed, "roofs"), side, 10, 22, 0.0), -2, 2)
    forest = burnt(there.forest, pixel)
    _paint(ground, forest, _FOREST, 1 + 0.14 * crowns + 0.02 * leaves)
    _paint(ground, burnt(there.felled, pixel), _FELLED, 1 + 0.07 * stumps)
    _paint(ground, burnt(there.dry_bed, pixel), _SAND, 1 + 0.05 * stumps)
    _paint(ground, burnt(there.built, pixel), _BUILT, 1 + 0.32 * roofs)
    street = burnt(places.streets(there.built), pixel)
    _paint(ground, street, _ROAD, 1 + 0.03 * roofs)
    _paint(ground, burnt(there.roads, pixel), _ROAD, 1 + 0.04 * stumps)
    _paint(ground, burnt(there.water, pixel), _WATER, 1 + 0.05 * ripple)
    return ground


def picture_of(seed: int, year: int) -> Array:
    """The picture of one date, (4, side, side) uint8: light, lens, grain."""
    ground = ground_of(seed, year, PIXEL / OVERSAMPLING)
    gains, haze = _LIGHT[year]
    rng = stream(seed, f"film {year}")
    bands = []
    shift = np.multiply(_SHIFT.get(year, (0.0, 0.0)), OVERSAMPLING)
    for number, (band, gain) in enumerate(zip(ground, gains, strict=True)):
        moved = ndimage.shift(band, shift, order=1, mode="nearest")
        blurred = ndimage.gaussian_filter(moved, _BLUR * OVERSAMPLING)
        side = blurred.shape[0] // OVERSAMPLING
        cells = blurred.reshape(side, OVERSAMPLING, side, OVERSAMPLING)
        seen = cells.mean(axis=(1, 3)) * gain + (haze if number < len(BANDS) - 1 else 0)
        grain = rng.normal(0, _NOISE, seen.shape)
        bands.append(np.clip(np.rint(seen + grain), 1, 255))
    return np.stack(bands).astype(np.uint8)


def truth() -> Array:
    """Class of change of each interval, (6, side, side) uint8; 0 same."""
    side = round(places.SIDE / PIXEL)
    layers = []
    for before, after in zip(places.YEARS, places.YEARS[1:], strict=False):
        layer = np.zeros((side, side), np.uint8)
        for code, area in places.changes(before, after):
            layer[burnt(area, PIXEL)] = code
        layers.append(layer)
    return np.stack(layers)


def _profile(count: int) -> dict[str, object]:
    side = round(places.SIDE / PIXEL)
    return {
        "driver": "GTiff", "count": count, "dtype": "uint8", "crs": CRS, "width": side,
        "height": side, "transform": Affine(PIXEL, 0, CORNER[0], 0, -PIXEL, CORNER[1]),
        "compress": "DEFLATE", "predictor": 2, "zlevel": 9, "tiled": True,
        "blockxsize": 160, "blockysize": 160, "interleave": "band",
    }  # fmt: skip


def write_picture(path: Path, picture: Array, year: int) -> None:
    """Write one date with the names of its bands."""
    # else GDAL takes the fourth band for an alpha channel
    profile = _profile(len(BANDS)) | {"photometric": "RGB", "alpha": "NO"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(picture)
        file.descriptions = BANDS
        file.colorinterp = [
            ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined
        ]  # fmt: skip
        file.update_tags(
            TIFFTAG_DATETIME=f"{year}:08:01 10:00:00",
            TIFFTAG_IMAGEDESCRIPTION=f"Synthetic satellite picture, {year}",
        )


def write_truth(path: Path, layers: Array) -> None:
    """Write the classes of change, a band per interval, named by its later year."""
    profile = _profile(len(layers)) | {"nodata": TRUTH_NODATA, "predictor": 1}
    with rasterio.open(path, "w", **profile) as file:
        file.write(layers)
        file.write_colormap(1, COLOURS)
        file.descriptions = [str(year) for year in places.YEARS[1:]]
        names = {0: "same", **places.CLASSES}
        file.update_tags(**{f"CLASS_{code}": name for code, name in names.items()})


def generate(out: Path, seed: int = SEED) -> None:
    """Write the dates and the truth into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for year in places.YEARS:
        write_picture(out / f"{year}.tif", picture_of(seed, year), year)
    write_truth(out / "truth.tif", truth())


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "series")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    generate(options.out, options.seed)


if __name__ == "__main__":
    main()
