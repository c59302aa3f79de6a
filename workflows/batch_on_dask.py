"""Many pairs on a Dask cluster: here four quarters of the sample data.

Straight-line: cut, list, compare on two workers of this machine, read the table of all.
`ClusterOptions(scheduler="tcp://host:8786")` takes a cluster that runs already.
"""

import csv
from pathlib import Path

import geopandas as gpd
import rasterio
from rasterio.windows import Window

from geosim import ChangeOptions, ClusterOptions, detect_changes

SAMPLE = Path(__file__).parent.parent / "sample_data"
HOME = Path("batch_quarters")

# four pairs: the quarters of both dates
HOME.mkdir(exist_ok=True)
rows = []
for number in range(4):
    row = {"dates": "1990-07/2020-09", "out": f"quarter_{number}"}
    for role, name in (("before", "1990.tif"), ("after", "2020.tif")):
        with rasterio.open(SAMPLE / name) as file:
            wide, high = file.width // 2, file.height // 2
            window = Window(number % 2 * wide, number // 2 * high, wide, high)
            profile = file.profile | {"width": wide, "height": high}
            profile |= {"transform": file.window_transform(window)}
            row[role] = f"{number}_{name}"
            with rasterio.open(HOME / row[role], "w", **profile) as part:
                part.write(file.read(window=window))
    rows.append(row)

# the list of pairs; its paths start at its own folder
with (HOME / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
    table = csv.DictWriter(file, ["before", "after", "dates", "out"])
    table.writeheader()
    table.writerows(rows)

outcomes = detect_changes(
    HOME / "pairs.csv",
    HOME,
    ChangeOptions(method="cva", overwrite=True),
    ClusterOptions(workers=2),
    ended=lambda outcome: print(f"{outcome.folder.name}: {outcome.status}"),
)

summary = gpd.read_parquet(HOME / "summary.parquet")
shown = ["folder", "status", "changed_ha", "changed_percent", "polygons", "threshold"]
print(summary[shown].round(3).to_string(index=False))
print(f"{summary.changed_ha.sum():.2f} ha changed within {summary.total_bounds}")

# each result is there as that of a single run
best = max(outcomes, key=lambda one: one.result.record.polygons if one.result else 0)
if best.result:
    print(best.result.changes[["id", "area_ha", "date_before", "date_after"]].head(3))
