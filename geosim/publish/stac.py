"""A run as a STAC Item: what `run.json` holds."""

import hashlib
import math
import os
import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import pystac

from geosim.errors import OptionError
from geosim.publish import styles
from geosim.publish.footprint import footprint
from geosim.publish.method import method_text
from geosim.publish.record import GridRecord, InputRecord, RunRecord, plain, rfc3339
from geosim.publish.wording import sentence

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
SCIENTIFIC = "https://stac-extensions.github.io/scientific/v1.0.0/schema.json"
PREFIX = "geosim:"
SCALE = 1 / 254
SHA256_MULTIHASH = "1220"
"""Multihash: function 0x12 (sha2-256), 0x20 bytes of digest."""
_CHUNK = 1 << 20
_CODE = re.compile(r"[A-Z][A-Z0-9_]*:[A-Za-z0-9]+")
"""A CRS by its code; others are told by their names."""

_REMOTE = {"/vsicurl/": "", "/vsis3/": "s3://", "/vsigs/": "gs://"}
_URL = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FORMS = {
    ".tif": (pystac.MediaType.COG, ["data"]),
    ".gpkg": (pystac.MediaType.GEOPACKAGE, ["data"]),
    ".parquet": ("application/vnd.apache.parquet", ["data"]),
    ".fgb": (pystac.MediaType.FLATGEOBUF, ["data"]),
    ".geojson": (pystac.MediaType.GEOJSON, ["data"]),
    ".pdf": (pystac.MediaType.PDF, ["overview"]),
    ".qml": ("application/xml", ["metadata"]),
    ".html": (pystac.MediaType.HTML, ["overview"]),
    ".png": (pystac.MediaType.PNG, ["visual"]),
    ".jpg": (pystac.MediaType.JPEG, ["visual"]),
    ".svg": ("image/svg+xml", ["visual"]),
    ".csv": ("text/csv", ["data"]),
    ".json": (pystac.MediaType.JSON, ["metadata"]),
}
_TITLES = {
    "tiles.tif": "Scores, one pixel per tile",
    "difference.tif": "Probability of change and what it is made of",
    "change.tif": "Decision: 0 same, 1 changed",
    "first_change.tif": "Year of the first change",
    "last_change.tif": "Year of the latest change",
    "count.tif": "Number of changes",
    "areas.csv": "Areas and rates by interval and class",
    "chart.png": "Areas by interval and class",
    "chart.svg": "Areas by interval and class",
    "series.json": "Scenes, intervals, settings",
    "changes.gpkg": "Change polygons with their attributes",
    "changes.parquet": "Change polygons as GeoParquet",
    "changes.fgb": "Change polygons as FlatGeobuf",
    "changes.geojson": "Change polygons in longitude and latitude",
    "report.html": "Report to read in a browser",
    "report.pdf": "Report to print",
}
_NO_YEAR = 65535
# File name to the form of its values: data type, nodata, scale.
_VALUES: dict[str, tuple[str, float | str, float | None]] = {
    "tiles.tif": ("float32", "nan", None),
    "difference.tif": ("uint8", styles.NODATA, SCALE),
    "change.tif": ("uint8", styles.NODATA, None),
    "first_change.tif": ("uint16", _NO_YEAR, None),
    "last_change.tif": ("uint16", _NO_YEAR, None),
    "count.tif": ("uint8", styles.NODATA, None),
}


@dataclass(frozen=True, kw_only=True)
class AssetRecord:
    """One file of a run."""

    name: str
    """File name inside the run's folder; the key of the asset too."""
    size: int
    """Bytes."""
    sha256: str
    """Checksum, hexadecimal."""
    bands: tuple[str, ...] = ()
    """Names of a raster's bands, in their order."""
    pixels: int = 1
    """Side of one pixel of the raster in pixels of the grid: 1, or the tile size."""


def read_asset(
    path: Path, *, bands: Sequence[str] = (), pixels: int = 1
) -> AssetRecord:
    """Size and checksum of a file that is complete."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return AssetRecord(
        name=path.name,
        size=path.stat().st_size,
        sha256=digest.hexdigest(),
        bands=tuple(bands),
        pixels=pixels,
    )


def change_item(
    record: RunRecord, assets: Sequence[AssetRecord], *, folder: Path | None = None
) -> dict[str, Any]:
    """The STAC Item of a run.

    Args:
        record: What the run did and found.
        assets: The files of the run, `run.json` itself left out.
        folder: Where `run.json` will lie; links to local inputs are written relative
            to it. Without it they are written as the user gave the inputs.
    """
    place = footprint(record.grid)
    period = _period(record)
    item = pystac.Item(
        id=re.sub(r"[^A-Za-z0-9._-]+", "_", record.name),
        geometry=place.geometry if place else None,
        bbox=list(place.bbox) if place else None,
        properties=_properties(record),
        stac_extensions=[
            *(PROJECTION, RASTER, FILE, CLASSIFICATION, PROCESSING, SCIENTIFIC)
        ],
        datetime=None if period else record.created,
        start_datetime=period[0] if period else None,
        end_datetime=period[1] if period else None,
    )
    for asset in assets:
        item.add_asset(asset.name, _asset(asset, record.grid))
    for role, source in (("before", record.before), ("after", record.after)):
        item.add_link(_derived_from(role, source, folder))
    values: dict[str, Any] = item.to_dict(
        include_self_link=False, transform_hrefs=False
    )
    return values


def date_period(text: str) -> tuple[datetime, datetime]:
    """First and last second that an ISO 8601 date speaks of, in UTC.

    Args:
        text: `2020`, `2020-07`, `2020-07-14` or a date with a time.

    Raises:
        OptionError: The text is none of these.
    """
    short = re.fullmatch(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", text.strip())
    try:
        if short is None:
            moment = datetime.fromisoformat(text.strip())
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC), moment.astimezone(UTC)
        year, month, day = short.groups()
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        end = start.replace(month=int(month or 12), hour=23, minute=59, second=59)
        last = int(day) if day else monthrange(end.year, end.month)[1]
        return start, end.replace(day=last)
    except (ValueError, OverflowError) as error:
        message = (
            f"A date is wanted in ISO 8601 (2020, 2020-07, 2020-07-14), found {text!r}"
        )
        raise OptionError(message) from error


def _period(record: RunRecord) -> tuple[datetime, datetime] | None:
    """From the start of one date to the end of the other; None where one is unknown."""
    if record.before.date is None or record.after.date is None:
        return None
    periods = [date_period(record.before.date), date_period(record.after.date)]
    return min(start for start, _ in periods), max(end for _, end in periods)


def _properties(record: RunRecord) -> dict[str, Any]:
    shown = record.to_dict()
    known = ("name", "version", "created", "software")
    properties = {
        "title": f"Change between {record.before.path} and {record.after.path}",
        "created": rfc3339(record.created),
        **projection(record.grid),
        "processing:lineage": _lineage(record),
        "processing:datetime": rfc3339(record.created),
        "processing:version": record.version,
        "processing:software": {"geosim": record.version, **record.software},
        "sci:publications": [
            {"doi": one.doi, "citation": one.text}
            for one in method_text(record).references
        ],
    }
    own = {PREFIX + key: value for key, value in shown.items() if key not in known}
    return properties | own


def projection(grid: GridRecord) -> dict[str, Any]:
    """Fields of the projection extension: where pixels lie."""
    code = grid.crs if _CODE.fullmatch(grid.crs or "") else None
    found: dict[str, Any] = {
        "proj:code": code,
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform),
        "proj:bbox": list(grid.bounds),
    }
    if grid.wkt is not None and code is None:
        found["proj:wkt2"] = grid.wkt
    return found


def _lineage(record: RunRecord) -> str:
    """The run in a few sentences."""
    sentences = [
        f"Compared by the method {record.method} on {record.engine}.",
        record.before.placement,
        record.after.placement,
        record.threshold.reason,
        *record.notes,
    ]
    return " ".join(sentence(text) for text in sentences if text.strip())


def asset_entry(asset: AssetRecord, grid: GridRecord) -> dict[str, Any]:
    """A file of a run as an Item's asset: what stands under its name."""
    entry: dict[str, Any] = _asset(asset, grid).to_dict()
    return entry


def _asset(asset: AssetRecord, grid: GridRecord) -> pystac.Asset:
    media, roles = _FORMS.get(PurePath(asset.name).suffix, ("", ["metadata"]))
    fields: dict[str, Any] = {
        "file:size": asset.size,
        "file:checksum": SHA256_MULTIHASH + asset.sha256,
    }
    if asset.bands:
        fields["bands"] = [_band(asset, name, grid) for name in asset.bands]
    if asset.bands and asset.pixels > 1:
        fields |= _coarser(grid, asset.pixels)
    if asset.name == "change.tif":
        fields["classification:classes"] = _classes()
    return pystac.Asset(
        href="./" + quote(asset.name),
        title=_TITLES.get(asset.name, asset.name),
        media_type=media or None,
        roles=roles,
        extra_fields=fields,
    )


def _band(asset: AssetRecord, name: str, grid: GridRecord) -> dict[str, Any]:
    band: dict[str, Any] = {"name": name}
    if asset.name in _VALUES:
        data_type, nodata, scale = _VALUES[asset.name]
        band |= {"data_type": data_type, "nodata": nodata}
        if scale is not None:
            band |= {"raster:scale": scale, "raster:offset": 0.0}
    band["raster:sampling"] = "area"
    if grid.resolution_m is not None:
        band["raster:spatial_resolution"] = grid.resolution_m * asset.pixels
    return band


def _coarser(grid: GridRecord, pixels: int) -> dict[str, Any]:
    """Shape and transform of a raster with one pixel per tile."""
    a, b, c, d, e, f = grid.transform
    shape = [math.ceil(grid.height / pixels), math.ceil(grid.width / pixels)]
    return {
        "proj:shape": shape,
        "proj:transform": [a * pixels, b * pixels, c, d * pixels, e * pixels, f],
    }


def _classes() -> list[dict[str, Any]]:
    classes: list[dict[str, Any]] = []
    for value, label in styles.CLASS_LABELS.items():
        entry = {"value": value, "name": label.replace(" ", "_"), "title": label}
        if value == styles.CHANGED:
            entry["color_hint"] = "{:02X}{:02X}{:02X}".format(*styles.CHANGE_COLOUR[:3])
        if value == styles.NODATA:
            entry["nodata"] = True
        classes.append(entry)
    return classes


def _derived_from(role: str, source: InputRecord, folder: Path | None) -> pystac.Link:
    link = pystac.Link(
        rel=pystac.RelType.DERIVED_FROM,
        target=href_of(source.path, folder),
        media_type=pystac.MediaType.GEOTIFF if source.driver == "GTiff" else None,
        title=f"{role}: {source.path}",
    )
    link.extra_fields = plain({"geosim:role": role})
    if source.sha256 is not None:
        link.extra_fields["file:size"] = source.size
        link.extra_fields["file:checksum"] = SHA256_MULTIHASH + source.sha256
    return link


def href_of(path: str, folder: Path | None) -> str:
    """The input as a URL or as a path seen from the run's folder."""
    for prefix, scheme in _REMOTE.items():
        if path.startswith(prefix):
            path = scheme + path.removeprefix(prefix)
    if _URL.match(path) or path.startswith("/vsi"):
        return quote(path, safe="/:?&=%#+@,;~!$'()*")
    if folder is None:
        return quote(PurePath(path).as_posix())
    return quote(PurePath(os.path.relpath(path, folder)).as_posix())
