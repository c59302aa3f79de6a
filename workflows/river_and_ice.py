"""Where a river moved, and where a snowfield shrank: water and ice, gained and lost.

The sample data have a river but no ice; a snowfield is drawn into copies of two dates.
"""

import tempfile
from pathlib import Path

import numpy as np
import rasterio

from geosim import ChangeOptions, detect_change

SERIES = Path(__file__).parent.parent / "sample_data" / "series"
YEARS = (1990, 2020)
RADII = (60, 35)  # of the snowfield, in pixels
BANDS = {"water": "red=1,green=2,blue=3,nir=4", "ice": "red=1,green=2,blue=3"}
# without short-wave infrared snow is told by its colour alone

work = Path(tempfile.mkdtemp())
for year, radius in zip(YEARS, RADII, strict=True):
    with rasterio.open(SERIES / f"{year}.tif") as scene:
        pixels, profile = scene.read(), scene.profile
    rows, cols = np.indices(pixels.shape[1:])
    snow = np.hypot(rows - 230, cols - 240) < radius
    grain = np.random.default_rng(year).normal(0, 4, pixels.shape)
    pixels = np.where(snow, 247 + grain, pixels).clip(0, 255).astype("uint8")
    with rasterio.open(work / f"{year}.tif", "w", **profile) as copy:
        copy.write(pixels)

before, after = (work / f"{year}.tif" for year in YEARS)
for theme in ("water", "ice"):
    options = ChangeOptions(
        theme=theme, bands=BANDS[theme], threshold="otsu", overwrite=True
    )
    result = detect_change(before, after, f"change_{theme}", options)
    hectares = result.changes.groupby("class").area_ha.sum().round(1)
    print(f"{theme}: {hectares.to_dict()} ha; see {result.paths['report']}")

drawn = np.pi * (RADII[0] ** 2 - RADII[1] ** 2) * 100 / 1e4
print(f"the snowfield was drawn {drawn:.1f} ha smaller")
