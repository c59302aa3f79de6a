"""A series as a STAC Item: what `item.json` holds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pystac

from geosim.publish.footprint import footprint
from geosim.publish.record import GridRecord, rfc3339
from geosim.publish.stac import (
    FILE,
    PREFIX,
    PROCESSING,
    PROJECTION,
    RASTER,
    asset_entry,
    date_period,
    href_of,
    projection,
)
from geosim.publish.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from geosim.publish.stac import AssetRecord

_TOLD = ("areas", "intervals", "left_out", "options", "series_options", "notes")
"""Parts of the record that the Item holds as properties of its own."""


def series_item(
    record: Mapping[str, Any],
    assets: Sequence[AssetRecord],
    *,
    name: str,
    folder: Path,
    pairs: str,
) -> dict[str, Any]:
    """The STAC Item of a series.

    Args:
        record: contents of `series.json`.
        assets: its files, `item.json` itself left out.
        name: of the series; the Item's id.
        folder: where `item.json` will lie; links to local scenes are relative to it.
        pairs: name of the file that tells of a comparison, in its folder.
    """
    grid = grid_of(record)
    place, dates = footprint(grid), [scene["date"] for scene in record["scenes"]]
    created = datetime.fromisoformat(record["created"])
    item = pystac.Item(
        id=re.sub(r"[^A-Za-z0-9._-]+", "_", name),
        geometry=place.geometry if place else None,
        bbox=list(place.bbox) if place else None,
        datetime=None,
        start_datetime=date_period(dates[0])[0],
        end_datetime=date_period(dates[-1])[1],
        stac_extensions=[PROJECTION, RASTER, FILE, PROCESSING],
        properties={
            "title": f"Change from {dates[0]} to {dates[-1]}, {len(dates)} dates",
            "created": rfc3339(created),
            **projection(grid),
            "processing:lineage": _lineage(record),
            "processing:datetime": rfc3339(created),
            "processing:version": record["version"],
            "processing:software": {"geosim": record["version"]},
            **{PREFIX + key: record[key] for key in _TOLD},
        },
    )
    for asset in assets:
        entry = asset_entry(asset, grid)
        item.add_asset(asset.name, pystac.Asset.from_dict(entry))
    for scene in record["scenes"]:
        title = f"{scene['date']}: {scene['path']}"
        target = href_of(scene["path"], folder)
        item.add_link(
            pystac.Link(rel=pystac.RelType.DERIVED_FROM, target=target, title=title)
        )
    for one in record["intervals"]:
        item.add_link(
            pystac.Link(
                rel="related",
                target=f"./{quote(one['folder'])}/{pairs}",
                media_type=pystac.MediaType.GEOJSON,
                title=f"Comparison of {one['date_from']} and {one['date_to']}",
            )
        )
    values: dict[str, Any] = item.to_dict(
        include_self_link=False, transform_hrefs=False
    )
    return values


def grid_of(record: Mapping[str, Any]) -> GridRecord:
    """The grid of a series as its record tells it."""
    grid = record["grid"]
    return GridRecord(
        wkt=grid["wkt"],
        crs=grid["crs"],
        transform=tuple(grid["transform"]),
        width=grid["width"],
        height=grid["height"],
        resolution_m=grid["resolution_m"],
    )


def _lineage(record: Mapping[str, Any]) -> str:
    """The series in a few sentences."""
    method, by = record["options"]["method"], record["decision"]["by"]
    told = [
        f"Neighbouring dates compared by the method {method}",
        f"Where and when a pixel changed decided by {by}",
        *record["notes"],
    ]
    return " ".join(sentence(text) for text in told)
