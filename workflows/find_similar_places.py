"""A dozen lines: where in a raster does it look like here?"""

from pathlib import Path

from geosim import IndexOptions, SearchOptions, build_index, search_index

SAMPLE = Path(__file__).parent.parent / "sample_data"
HERE = (128, 256, 128, 128)  # first column, first row, width, height in pixels

options = IndexOptions(tile_size=128)
made = build_index(SAMPLE / "1990.tif", "places.index", options)
print(f"{made.total} tiles, {made.added} of them new")

search = SearchOptions(count=5, window=HERE, overwrite=True)
found = search_index(SAMPLE / "2020.tif", "places.index", search, out="similar_places")
for hit in found.hits:
    print(f"{hit.rank}. {hit.score:.3f} {hit.entry.title}")
print(f"see {found.folder}/sheet.png and results.gpkg")
