"""What a search leaves in its folder: tables, contact sheet, GeoPackage."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import shapely
from pyproj import Transformer

from geosim.publish.geopackage import write_geopackage
from geosim.raster.output_folder import check_folder
from geosim.raster.staging import publish_folder, work_folder, writing
from geosim.retrieval.sheet import Card, sheet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from geosim.retrieval.finding import Hit
    from geosim.retrieval.records import Entry, Place

SEARCH_FILES = ("results.csv", "results.json", "sheet.png", "results.gpkg")
"""Names of the files of a search; the last one where pictures have coordinates."""

PAIR_FILES = ("pairs.csv", "pairs.json", "groups.csv", "sheet.png")
"""Names of the files of `find_pairs`."""

_LONLAT = "EPSG:4326"

_SHEET_GROUPS = 40
"""Groups that a sheet shows; the tables have all."""


def deliver(folder: Path, files: Mapping[str, bytes], known: Sequence[str]) -> None:
    """Write all files of a result, or none.

    Args:
        folder: of the result.
        files: content by name.
        known: all names that such a result can have, one of them the record, a JSON
            file: those that this one has not go.

    Raises:
        OutputError: it cannot be written.
    """
    with work_folder(folder) as work:
        work.clear()
        result = work.new_result()
        for name, content in files.items():
            with writing(result / name):
                (result / name).write_bytes(content)
        for name in known:
            if name not in files:
                (folder / name).unlink(missing_ok=True)
        record = next(name for name in known if name.endswith(".json"))
        publish_folder(result, folder, record)


def check_result(folder: Path, known: Sequence[str], *, overwrite: bool) -> None:
    """Refuse before any work a folder that cannot take the result.

    Raises:
        ResultExistsError: there is a result already.
        OutputError: it is no folder.
    """
    check_folder(folder, known, overwrite=overwrite)


def search_files(
    title: str, query: bytes, hits: Sequence[Hit], thumbnails: Sequence[bytes]
) -> dict[str, bytes]:
    """The files of a search.

    Args:
        title: what was searched, the first line of the sheet.
        query: its thumbnail.
        hits: what was found.
        thumbnails: of the hits.
    """
    rows = [_hit_row(hit) for hit in hits]
    cards = [Card(jpeg=query, head="query", title=title, marked=True)]
    cards += [
        Card(jpeg=jpeg, head=f"{hit.rank}.  {hit.score:.3f}", title=hit.entry.title)
        for hit, jpeg in zip(hits, thumbnails, strict=True)
    ]
    files = {
        "results.csv": _csv(rows),
        "results.json": _json({"query": title, "results": rows}),
        "sheet.png": sheet(f"Most similar to {title}", [cards]),
    }
    if placed := [hit for hit in hits if hit.entry.place is not None]:
        files["results.gpkg"] = _geopackage(placed)
    return files


def pair_files(
    pairs: Sequence[tuple[Entry, Entry, float]],
    groups: Sequence[Sequence[tuple[Entry, bytes]]],
    about: Mapping[str, Any],
) -> dict[str, bytes]:
    """The files of the most similar pairs of a collection.

    Args:
        pairs: two pictures and their cosine similarity, the most similar first.
        groups: what hangs together by these pairs, with thumbnails, the largest first.
        about: what goes into the JSON file too.
    """
    rows = [
        {"similarity": round(score, 4)} | _named(first, "a") | _named(second, "b")
        for first, second, score in pairs
    ]
    members = [
        {"group": number} | _named(entry, "")
        for number, group in enumerate(groups, start=1)
        for entry, _ in group
    ]
    cards = [
        [
            Card(jpeg=jpeg, head=f"group {number}", title=entry.title)
            for entry, jpeg in group
        ]
        for number, group in enumerate(groups[:_SHEET_GROUPS], start=1)
    ]
    shown = "" if len(groups) <= _SHEET_GROUPS else f", the first {_SHEET_GROUPS} shown"
    title = f"{len(pairs):,} similar pairs in {len(groups):,} groups{shown}"
    return {
        "pairs.csv": _csv(rows, ("similarity", "path_a", "name_a", "path_b", "name_b")),
        "pairs.json": _json(
            {
                **about,
                "pairs": rows,
                "groups": [[_named(entry, "") for entry, _ in one] for one in groups],
            }
        ),
        "groups.csv": _csv(members, ("group", "path", "name")),
        "sheet.png": sheet(title, cards),
    }


def _named(entry: Entry, which: str) -> dict[str, Any]:
    end = f"_{which}" if which else ""
    return {f"path{end}": entry.path, f"name{end}": entry.name}


def _hit_row(hit: Hit) -> dict[str, Any]:
    entry = hit.entry
    row: dict[str, Any] = {
        "rank": hit.rank,
        "score": round(hit.score, 5),
        "path": entry.path,
        "name": entry.name,
        "width": entry.width,
        "height": entry.height,
    }
    if hit.matches is not None:
        row["matches"] = hit.matches
    if entry.time is not None:
        row["seconds"] = entry.time
    if entry.window is not None:
        row |= dict(
            zip(("col_off", "row_off", "columns", "rows"), entry.window, strict=True)
        )
    if entry.place is not None:
        x, y = shapely.centroid(_polygon(entry.place)).coords[0]
        lon, lat = _to_lonlat(entry.place.crs, x, y)
        row |= {"crs": entry.place.crs, "x": x, "y": y, "lon": lon, "lat": lat}
    return row


def _polygon(place: Place) -> shapely.Polygon:
    return shapely.orient_polygons(shapely.Polygon(place.corners))


def _to_lonlat(crs: str, x: float, y: float) -> tuple[float, float]:
    lon, lat = Transformer.from_crs(crs, _LONLAT, always_xy=True).transform(x, y)
    return round(lon, 7), round(lat, 7)


def _geopackage(hits: Sequence[Hit]) -> bytes:
    """The results as polygons: in their own system, or in longitude and latitude."""
    import tempfile
    from pathlib import Path as _Path

    places = [hit.entry.place for hit in hits if hit.entry.place is not None]
    systems = {place.crs for place in places}
    rows = [_hit_row(hit) for hit in hits]
    for row in rows:
        for name in ("crs", "x", "y"):
            row.pop(name, None)
    if len(systems) == 1:
        frame = gpd.GeoDataFrame(
            rows, geometry=[_polygon(p) for p in places], crs=systems.pop()
        )
    else:
        outlines = [
            gpd.GeoSeries([_polygon(place)], crs=place.crs).to_crs(_LONLAT).iloc[0]
            for place in places
        ]
        frame = gpd.GeoDataFrame(rows, geometry=outlines, crs=_LONLAT)
    with tempfile.TemporaryDirectory() as folder:
        path = _Path(folder) / "results.gpkg"
        write_geopackage(path, {"results": frame}, {}, created=datetime.now(UTC))
        return path.read_bytes()


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> bytes:
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogateescape")


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode()
