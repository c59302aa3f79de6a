"""The scenes of a series: rasters with dates, from names, a folder, a CSV or STAC."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.errors import RasterioError

from geosim.batching.pairs import delimiter_of, located
from geosim.dates import image_date, is_date
from geosim.errors import OptionError, SceneListError
from geosim.raster.source import open_raster, plain_images_welcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SUFFIXES = (".tif", ".tiff", ".vrt", ".img", ".jp2", ".png", ".jpg", ".jpeg")
_PATH_COLUMNS = ("path", "scene", "file", "image", "raster", "location")
_DATE_COLUMNS = ("date", "datetime", "year")
_DATA_KEYS = ("data", "image", "visual", "analytic")
_SHOWN = 5
"""Names that a note holds."""

_DAY = 10
"""Characters of a date up to the day."""


@dataclass(frozen=True, kw_only=True)
class DatedScene:
    """A raster and when it was taken."""

    path: str
    """A path or any name that GDAL opens."""
    date: str | None = None
    """ISO date; None: as its name or its tags say."""
    mask: str | None = None
    """Raster or polygons of what is not to be used."""


def read_scenes(
    scenes: str | Path | Sequence[str | Path | DatedScene],
    dates: Sequence[str] | None = None,
) -> list[DatedScene]:
    """List the scenes of a series by date.

    Args:
        scenes: rasters; or one folder (its rasters whose names or tags hold a date),
            one CSV file (columns `path` and, as needed, `date` and `mask`) or one STAC
            ItemCollection (`.json`).
        dates: ISO dates in the order of the scenes; None: as lists, names or tags say.

    Raises:
        SceneListError: fewer than two scenes, a scene without a date, two of one date,
            or a list that is not in order.
        OptionError: not as many dates as scenes, or one that is none.
        RasterReadError: a scene without a date in its name cannot be opened.
    """
    listed = _listed(scenes)
    if dates is not None:
        if len(dates) != len(listed) or not all(map(is_date, dates)):
            raise OptionError(
                f"--dates wants {len(listed)} dates like 2020, 2020-07 or 2020-07-14 "
                f"joined by commas, one for each scene; found '{','.join(dates)}'"
            )
        listed = [
            DatedScene(path=one.path, date=date, mask=one.mask)
            for one, date in zip(listed, dates, strict=True)
        ]
    dated = [_dated(one) for one in listed]
    if len(dated) < 2:  # noqa: PLR2004 - one interval
        raise SceneListError(
            f"a series wants at least two scenes; found {len(dated)}; name more "
            "rasters, a folder of them, whose names or tags hold their dates, a CSV "
            "file or a STAC ItemCollection"
        )
    dated.sort(key=lambda one: one.date or "")
    for one, other in pairwise(dated):
        if one.date == other.date:
            raise SceneListError(
                f"each scene wants a date of its own; '{one.path}' and '{other.path}' "
                f"are both of {one.date}; leave one out or give --dates"
            )
    return dated


def _listed(
    scenes: str | Path | Sequence[str | Path | DatedScene],
) -> list[DatedScene]:
    """The scenes in the order they are named."""
    named = [scenes] if isinstance(scenes, str | Path) else list(scenes)
    found: list[DatedScene] = []
    for one in named:
        if isinstance(one, DatedScene):
            found.append(one)
            continue
        path = Path(one)
        if path.is_dir():
            found += _in_folder(path)
        elif path.suffix.lower() == ".csv":
            found += _in_csv(path)
        elif path.suffix.lower() in (".json", ".geojson"):
            found += _in_stac(path)
        else:
            found.append(DatedScene(path=str(one)))
    return found


def _dated(scene: DatedScene) -> DatedScene:
    date = scene.date or _own_date(scene.path)
    if date is None:
        open_raster(scene.path).close()  # what is not there lacks more than a date
        raise SceneListError(
            f"'{scene.path}' wants a date in its name or its tags; found none; give "
            "--dates, or a CSV file with a column 'date'"
        )
    return DatedScene(path=scene.path, date=date, mask=scene.mask)


def _own_date(path: str) -> str | None:
    """What a raster's name or tags say; None also where it cannot be opened."""
    found = image_date(path, {})
    if found:
        return found
    try:
        with plain_images_welcome(), rasterio.open(path) as dataset:
            return image_date(path, dataset.tags())
    except (RasterioError, OSError, UnicodeEncodeError):  # a name that is not UTF-8
        return None


def _rasters(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _in_folder(folder: Path) -> list[DatedScene]:
    """Rasters of a folder that have a date; others, such as masks, are none of it."""
    paths = _rasters(folder)
    dated = [(str(path), _own_date(str(path))) for path in paths]
    found = [DatedScene(path=path, date=date) for path, date in dated if date]
    if not found:
        raise SceneListError(
            f"the folder '{folder}' wants rasters with a date in their names or tags; "
            f"found {len(paths)} rasters and no date; rename them or give a CSV file"
        )
    return found


def undated(scenes: str | Path | Sequence[str | Path | DatedScene]) -> list[str]:
    """A line on each folder some of whose rasters have no date, see `read_scenes`."""
    named = [scenes] if isinstance(scenes, str | Path) else list(scenes)
    told = []
    for one in named:
        if isinstance(one, DatedScene) or not Path(one).is_dir():
            continue
        rasters = _rasters(Path(one))
        without = [path.name for path in rasters if not _own_date(str(path))]
        if without:
            more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
            told.append(
                f"Rasters of '{one}' without a date in their names or tags are none of "
                f"the series: {', '.join(without[:_SHOWN])}{more}."
            )
    return told


def _in_csv(path: Path) -> list[DatedScene]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = (
            getattr(error, "strerror", None) or "it is not UTF-8 text; save it as UTF-8"
        )
        raise SceneListError(
            f"'{path}' must be a CSV file of scenes and cannot be read: {cause}"
        ) from error
    header = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=delimiter_of(header))
    columns = {name.strip().lower(): name for name in reader.fieldnames or []}
    key = next((columns[name] for name in _PATH_COLUMNS if name in columns), None)
    if key is None:
        raise SceneListError(
            f"'{path}' row 1: wants a header with the column 'path' (and, as needed, "
            f"date, mask); found '{header}'"
        )
    when = next((columns[name] for name in _DATE_COLUMNS if name in columns), None)
    found = []
    for row in reader:
        cell = {name: (value or "").strip() for name, value in row.items() if name}
        if any(cell.values()):
            found.append(_row(path, reader.line_num, cell, key, when, columns))
    return found


def _row(
    path: Path,
    number: int,
    cell: Mapping[str, str],
    key: str,
    when: str | None,
    columns: Mapping[str, str],
) -> DatedScene:
    folder = path.absolute().parent
    date = cell[when][:_DAY] if when and cell[when] else None
    if not cell[key] or (date is not None and not is_date(date)):
        raise SceneListError(
            f"'{path}' row {number}: wants a raster and a date like 2020, 2020-07 or "
            f"2020-07-14; found '{', '.join(cell.values())}'"
        )
    mask = cell.get(columns.get("mask", ""), "")
    return DatedScene(
        path=located(cell[key], folder),
        date=date,
        mask=located(mask, folder) if mask else None,
    )


def _in_stac(path: Path) -> list[DatedScene]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = content["features"]
        return [_item(path, item) for item in features]
    except SceneListError:
        raise  # it is a ValueError too
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SceneListError(
            f"'{path}' must be a STAC ItemCollection with assets that are rasters; "
            f"{type(error).__name__}: {error}; or give a CSV file of scenes"
        ) from error


def _item(path: Path, item: Mapping[str, Any]) -> DatedScene:
    """An Item's raster: the asset of the role `data`, or the only GeoTIFF."""
    assets = item["assets"]
    rasters = {
        key: asset
        for key, asset in assets.items()
        if "tiff" in (asset.get("type") or "tiff").lower()
        and "thumbnail" not in (asset.get("roles") or ())
    }
    keys = [key for key, one in rasters.items() if "data" in (one.get("roles") or ())]
    keys = keys if len(keys) == 1 else [key for key in _DATA_KEYS if key in rasters]
    keys = keys or (list(rasters) if len(rasters) == 1 else [])
    if not keys:
        raise SceneListError(
            f"'{path}': the Item '{item.get('id')}' wants one asset of the role "
            f"'data'; found {', '.join(assets) or 'none'}; give a CSV file of "
            "scenes instead"
        )
    properties = item["properties"]
    moment = properties.get("datetime") or properties["start_datetime"]
    if not is_date(moment[:_DAY]):
        raise SceneListError(
            f"'{path}': the Item '{item.get('id')}' wants a date like "
            f"2020-07-14T10:00:00Z; found '{moment}'"
        )
    return DatedScene(
        path=located(rasters[keys[0]]["href"], path.absolute().parent),
        date=moment[:_DAY],
    )


def without(scenes: Iterable[DatedScene], paths: Iterable[str]) -> list[DatedScene]:
    """The scenes but for some."""
    left_out = set(paths)
    return [one for one in scenes if one.path not in left_out]
