"""Make the README's picture from a real run on the sample data.

Three panels: 1990, 2020, and 2020 with the probability's objects drawn in.
"""

import tempfile
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.vrt import WarpedVRT
from scipy.ndimage import binary_dilation

from geosim import detect_change
from geosim.publish.styles import CHANGE_COLOUR

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "sample_change.png"
PANEL = 480
GAP = 8


def main() -> None:
    """Run geosim on the sample data and draw what it found."""
    before, after = (ROOT / "sample_data" / f"{year}.tif" for year in (1990, 2020))
    with tempfile.TemporaryDirectory() as folder:
        result = detect_change(before, after, Path(folder) / "change")
        with rasterio.open(result.paths["change"]) as change:
            decision = change.read(1)
            panels = [read_on(path, change) for path in (before, after, after)]
    panels[2] = outlined(panels[2], decision == 1)
    sheet = Image.new("RGB", (3 * PANEL + 2 * GAP, PANEL), "white")
    for place, (panel, label) in enumerate(
        zip(panels, ("1990", "2020", "what changed"), strict=True)
    ):
        picture = Image.fromarray(panel).resize(
            (PANEL, PANEL), Image.Resampling.LANCZOS
        )
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(18)
        box = draw.textbbox((12, PANEL - 36), label, font=font)
        draw.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), fill="black")
        draw.text((12, PANEL - 36), label, fill="white", font=font)
        sheet.paste(picture, (place * (PANEL + GAP), 0))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


def read_on(path: Path, grid: rasterio.DatasetReader) -> NDArray[np.uint8]:
    """A raster's first three bands on another one's grid, (height, width, 3)."""
    with (
        rasterio.open(path) as source,
        WarpedVRT(
            source,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
        ) as warped,
    ):
        return np.moveaxis(warped.read([1, 2, 3]), 0, -1)


def outlined(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with the mask tinted and its outline drawn."""
    colour = np.array(CHANGE_COLOUR[:3])
    drawn = image.copy()
    drawn[mask] = (0.6 * image[mask] + 0.4 * colour).astype(np.uint8)
    edge = binary_dilation(mask, iterations=3) & ~mask
    drawn[edge] = colour
    return drawn


if __name__ == "__main__":
    main()
