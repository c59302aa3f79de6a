"""What became of many pairs: one row each, as CSV and as GeoParquet."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import shapely

from geosim.dates import image_date
from geosim.publish.footprint import footprint
from geosim.raster.output_folder import check_parent
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geosim.batching.pairs import ImagePair
    from geosim.result import ChangeResult

SUMMARY_FILES = ("summary.csv", "summary.parquet")
"""Names of the files; the second has the footprints."""


@dataclass(frozen=True, kw_only=True)
class PairOutcome:
    """What became of a pair."""

    pair: ImagePair
    """The pair."""
    folder: Path
    """Where its result is, or would be."""
    status: Literal["done", "skipped", "failed"]
    """"skipped": the result was there already."""
    result: ChangeResult | None = None
    """The result; None where the pair failed."""
    error: str | None = None
    """Why it failed, in one line."""
    attempts: int = 0
    """How often it was begun."""


def summary_table(outcomes: Sequence[PairOutcome], home: Path) -> gpd.GeoDataFrame:
    """One row per pair with its footprint in EPSG:4326.

    Args:
        outcomes: of the pairs.
        home: folder that the results are named relative to, where they lie in it.
    """
    rows = [_row(number, one, home) for number, one in enumerate(outcomes, start=1)]
    places = [_place(outcome) for outcome in outcomes]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("polygons", "changed_px"):
        columns[name] = gpd.pd.array(columns[name], dtype="Int64")
    return gpd.GeoDataFrame(columns, geometry=places, crs="EPSG:4326")


def _row(number: int, outcome: PairOutcome, home: Path) -> dict[str, Any]:
    pair, record = outcome.pair, outcome.result.record if outcome.result else None
    shift = record.shift if record else None
    dates = (
        (record.before.date, record.after.date)
        if record
        else (
            pair.date_before or image_date(pair.before, {}),
            pair.date_after or image_date(pair.after, {}),
        )
    )
    areas = record.areas if record else None
    return {
        "pair": number,
        "row": pair.row,
        "before": pair.before,
        "after": pair.after,
        "date_before": dates[0],
        "date_after": dates[1],
        "status": outcome.status,
        "changed_ha": areas.changed_ha if areas else None,
        "changed_px": areas.changed_px if areas else None,
        "changed_percent": areas.changed_percent if areas else None,
        "polygons": record.polygons if record else None,
        "threshold": record.threshold.value if record else None,
        "shift_rows": shift.rows if shift else None,
        "shift_cols": shift.cols if shift else None,
        "notes": " ".join(record.notes) if record else None,
        "error": outcome.error,
        "attempts": outcome.attempts,
        "folder": _seen_from(outcome.folder, home),
    }


def _seen_from(folder: Path, home: Path) -> str:
    home = home.absolute()
    if folder.is_relative_to(home):
        return folder.relative_to(home).as_posix()
    return folder.as_posix()


def _place(outcome: PairOutcome) -> shapely.Geometry | None:
    place = footprint(outcome.result.record.grid) if outcome.result else None
    return shapely.geometry.shape(place.geometry) if place else None


def write_summary(home: Path, outcomes: Sequence[PairOutcome]) -> None:
    """Write both files into a folder, each whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    table = summary_table(outcomes, home)
    csv, parquet = (home / name for name in SUMMARY_FILES)
    check_parent(home)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".summary-", dir=home) as staging:
        new_csv, new_parquet = (Path(staging) / name for name in SUMMARY_FILES)
        with writing(csv):
            table.drop(columns="geometry").to_csv(new_csv, index=False)
            new_csv.replace(csv)
        with writing(parquet):
            table.to_parquet(new_parquet, index=False)
            new_parquet.replace(parquet)
