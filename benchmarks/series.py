"""How well `geosim series` dates and measures, against the synthetic series' truth.

`python -m benchmarks.series` runs it on `sample_data/series` with default options and
prints areas per interval and class beside the truth, and how many years are right.
`--theme`, `--decide` and `--result` (a finished folder) change what is measured.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize

from geosim import ChangeOptions, SeriesOptions, detect_series
from geosim.timeline.result import SeriesResult, open_series

SAMPLE = Path(__file__).parent.parent / "sample_data" / "series"
PIXEL_HA = 0.01


def truth_of(folder: Path) -> tuple[NDArray[np.uint8], list[int], dict[int, str]]:
    """(classes of each interval, later years, names of the classes)."""
    with rasterio.open(folder / "truth.tif") as file:
        names = {
            int(key.removeprefix("CLASS_")): value
            for key, value in file.tags().items()
            if key.startswith("CLASS_")
        }
        return file.read(), [int(text) for text in file.descriptions], names


def found_in(
    result: SeriesResult, years: list[int], names: dict[int, str]
) -> NDArray[np.uint8]:
    """Classes of each interval as the polygons tell them; 254 for any other class."""
    codes = {name: code for code, name in names.items()}
    with rasterio.open(result.paths["first_change"]) as file:
        shape, transform = file.shape, file.transform
    layers = np.zeros((len(years), *shape), np.uint8)
    changes = result.changes
    for place, year in enumerate(years):
        some = changes[changes.year == year]
        shapes = [
            (row.geometry, codes.get(row["class"], 254)) for _, row in some.iterrows()
        ]
        if shapes:
            layers[place] = rasterize(shapes, shape, transform=transform, dtype="uint8")
    return layers


def measure(result: SeriesResult, folder: Path) -> dict[str, Any]:
    """Areas, years and pixels of a result against the truth of a folder."""
    truth, years, names = truth_of(folder)
    found = found_in(result, years, names)
    rows = []
    for place, year in enumerate(years):
        for code, name in names.items():
            area = int((truth[place] == code).sum())
            said = int((found[place] == code).sum())
            if code and (area or said):
                rows.append((year, name, area * PIXEL_HA, said * PIXEL_HA))
        area, said = int((truth[place] > 0).sum()), int((found[place] > 0).sum())
        rows.append((year, "all", area * PIXEL_HA, said * PIXEL_HA))
    changed = (truth > 0).any(axis=0)
    # every change of a pixel has to be there, in its interval, and no other
    right = ((truth > 0) == (found > 0)).all(axis=0)
    seen = (found > 0).any(axis=0)
    same_class = (truth == found)[truth > 0]
    return {
        "rows": rows,
        "years_right": float(right[changed].mean()),
        "years_right_of_found": float(right[changed & seen].mean()),
        "classes_right": float(same_class.mean()),
        "missed": float((~seen & changed).sum() / changed.sum()),
        "false": float((seen & ~changed).sum() / changed.sum()),
    }


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE)
    parser.add_argument("--result", type=Path, help="measure a finished series")
    parser.add_argument("--decide", default="auto")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if asked.result:
            result = open_series(asked.result)
        else:
            scenes = sorted(
                path for path in asked.data.glob("*.tif") if path.stem != "truth"
            )
            series = SeriesOptions(decide=asked.decide)
            out = Path(scratch) / "series"
            result = detect_series(scenes, out, ChangeOptions(), series=series)
        report = measure(result, asked.data)
    print("| by | class | truth, ha | found, ha | difference, % |")
    print("|---|---|---|---|---|")
    for year, name, area, said in report["rows"]:
        off = f"{100 * (said / area - 1):+.1f}" if area else "-"
        print(f"| {year} | {name} | {area:.2f} | {said:.2f} | {off} |")
    for key in (
        "years_right",
        "years_right_of_found",
        "classes_right",
        "missed",
        "false",
    ):
        print(f"{key}: {100 * report[key]:.2f} %")


if __name__ == "__main__":
    main()
