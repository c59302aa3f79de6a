"""A series whose comparisons are spread over a Dask cluster.

Straight-line: compare neighbouring dates on two workers of this machine, then put them
together. `ClusterOptions(scheduler="tcp://host:8786")` takes one that runs already.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from geosim import (
    ChangeOptions,
    ClusterOptions,
    ImagePair,
    detect_changes,
    detect_series,
    read_scenes,
)

SERIES = Path(__file__).parent.parent / "sample_data" / "series"
OUT = Path("series_on_dask").resolve()

scenes = read_scenes(SERIES)
options = ChangeOptions(bands="1,2,3,4", grid=scenes[0].path, overwrite=True)

# each pair goes where the series looks for it
pairs = [
    ImagePair(
        before=one.path,
        after=two.path,
        out=OUT / "pairs" / f"{one.date}_{two.date}",
        date_before=one.date,
        date_after=two.date,
    )
    for one, two in pairwise(scenes)
]
detect_changes(
    pairs,
    OUT / "summary",
    options,
    ClusterOptions(workers=2),
    ended=lambda outcome: print(f"{outcome.folder.name}: {outcome.status}"),
)

# what is finished stays; only what all dates say together is left to do
result = detect_series(SERIES, OUT, replace(options, resume=True))

areas = result.areas
whole = areas[areas.period == "whole"]
print(whole[["class", "area_ha", "ha_per_year"]].round(2).to_string(index=False))
print(f"see {result.paths['report']}")
