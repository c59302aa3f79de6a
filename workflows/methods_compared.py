"""The network beside the classical references, on the sample data with its truth.

Straight-line: one run per method, then how much of the true change each one found.
"""

from pathlib import Path

import numpy as np
import rasterio

from geosim import ChangeOptions, detect_change
from geosim.options import Method

SAMPLE = Path(__file__).parent.parent / "sample_data"
METHODS: tuple[Method, ...] = ("siamese", "ssim", "cva", "irmad")

print("method   changed ha  polygons  precision  recall")
for method in METHODS:
    options = ChangeOptions(method=method, overwrite=True)
    result = detect_change(
        SAMPLE / "1990.tif", SAMPLE / "2020.tif", f"change_by_{method}", options
    )
    found = result.read("change")["change"]
    grid = result.record.grid
    with rasterio.open(SAMPLE / "truth.tif") as truth:
        # the result lies on 1990's pixels, cut to what both dates cover
        col, row = ~truth.transform @ (grid.transform[2], grid.transform[5])
        window = rasterio.windows.Window(
            round(col), round(row), grid.width, grid.height
        )
        classes = truth.read(1, window=window)
    compared = np.isfinite(found) & (classes != truth.nodata)
    changed, true = found[compared] == 1, classes[compared] > 0
    hits = (changed & true).sum()
    print(
        f"{method:8} {result.record.areas.changed_ha:10.2f} "
        f"{result.record.polygons:9} {hits / max(changed.sum(), 1):10.2f} "
        f"{hits / true.sum():7.2f}"
    )
