"""Forest lost and gained: polygons with their classes, hectares, and what it became.

Straight-line: two dates with near infrared, the theme, a table, a file for a GIS.
"""

import tempfile
from pathlib import Path

from geosim import ChangeOptions, MinArea, detect_change

SERIES = Path(__file__).parent.parent / "sample_data" / "series"

options = ChangeOptions(
    theme="deforestation",
    bands="red=1,green=2,blue=3,nir=4",
    min_area=MinArea(value=0.5e4, unit="m2"),
    overwrite=True,
)
result = detect_change(
    SERIES / "1990.tif", SERIES / "2020.tif", "change_forest", options
)

changes = result.changes  # only forest_loss and forest_gain
table = changes.groupby(["class", "from_class", "to_class"]).agg(
    polygons=("id", "size"),
    hectares=("area_ha", "sum"),
    probability=("class_probability", "mean"),
)
print(table.round(2).to_string())

lost = changes[changes["class"] == "forest_loss"]
years = 2020 - 1990
print(f"{lost.area_ha.sum():.1f} ha lost, {lost.area_ha.sum() / years:.2f} ha a year")

# the five largest clearings as GeoJSON, in longitude and latitude
largest = lost.nlargest(5, "area_ha").to_crs("EPSG:4326")
path = Path(tempfile.mkdtemp()) / "clearings.geojson"
largest.to_file(path, driver="GeoJSON")
print(f"see {path} and {result.paths['report']}")
