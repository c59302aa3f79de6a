"""A dozen lines: what changed around a village, from two rasters to hectares."""

from pathlib import Path

from geosim import ChangeOptions, MinArea, detect_change

SAMPLE = Path(__file__).parent.parent / "sample_data"

options = ChangeOptions(min_area=MinArea(value=100, unit="m2"), overwrite=True)
result = detect_change(
    SAMPLE / "1990.tif", SAMPLE / "2020.tif", "change_village", options
)

changes = result.changes  # a GeoDataFrame, largest first
print(changes[["id", "area_ha", "probability_mean"]].head().to_string(index=False))
print(f"{changes.area_ha.sum():.2f} ha changed; see {result.paths['report']}")
