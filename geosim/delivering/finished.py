"""Results that are there already: opened again, and compared with what is wanted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import geosim
from geosim.errors import GeosimError, OutputError, RasterReadError
from geosim.options import DEFAULT_TILE, ChangeOptions
from geosim.publish.reading import record_of
from geosim.publish.stac import read_asset
from geosim.raster.files import NOTES, files_of
from geosim.raster.source import plain_images_welcome
from geosim.result import ChangeResult
from geosim.scoring.opening import open_pair

if TYPE_CHECKING:
    from geosim.publish.record import InputRecord, RunRecord

_OF_THE_CUT = ("threads", "memory", "block_size", "overwrite", "resume")
"""Options that say how to work and leave the result as it is."""


def open_result(folder: str | Path) -> ChangeResult:
    """Open the result of an earlier run.

    Args:
        folder: where its files are.

    Raises:
        OutputError: no complete result is there.
    """
    folder = Path(folder)
    try:
        item = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        record = record_of(item, folder.name)
        sizes = {
            folder / unquote(asset["href"]): asset["file:size"]
            for asset in item["assets"].values()
        }
        found = {path: path.stat().st_size for path in sizes}
    except (OSError, KeyError, TypeError, ValueError) as error:
        cause = re.sub(r"^\[Errno \d+\] ", "", str(error)).splitlines() or [""]
        raise OutputError(
            f"'{folder}' must hold a result with its run.json; {cause[0]}; run it with "
            f"-o {folder}"
        ) from error
    for path, size in sizes.items():
        if found[path] != size:
            raise OutputError(
                f"'{path}' has {found[path]:,} bytes where run.json tells {size:,}; "
                "run it again with --overwrite"
            )
    return ChangeResult(folder=folder, record=record)


def same_run(
    record: RunRecord,
    before: str,
    after: str,
    options: ChangeOptions,
    weights_sha256: str | None,
) -> bool:
    """Whether a run with these inputs and options would give the result again.

    Inputs are the same where their names are and, for files, where they were neither
    changed nor replaced since the result was made. A file of either date that may have
    been replaced is read once for its checksum; where something was noted beside one,
    the pair is opened to see whether it lies elsewhere.

    Args:
        record: of the result that is there.
        before: name of date 1.
        after: name of date 2.
        options: all options of the run that is wanted.
        weights_sha256: checksum of the weights file that the options name.
    """
    dates = ((before, record.before), (after, record.after))
    others = (options.grid, options.mask_before, options.mask_after)
    return (
        record.version == geosim.__version__
        and (record.before.path, record.after.path) == (before, after)
        and _told(options, record) == _recorded(record)
        and (record.weights is None or record.weights.sha256 == weights_sha256)
        and not any(_newer(name, record) for name in (before, after))
        and not any(_newer(name, record, summed=False) for name in others if name)
        and not any(_replaced(name, known, record) for name, known in dates)
        and not (
            any(_noted_since(name, record) for name in (before, after, *others) if name)
            and _lies_otherwise(record, before, after, options)
        )
    )


def _told(options: ChangeOptions, record: RunRecord) -> dict[str, Any]:
    """The options as `run.json` would tell them."""
    values: dict[str, Any] = json.loads(json.dumps(options.to_dict()))
    if values["tile_size"] is None:
        side = min(record.grid.width, record.grid.height)
        values["tile_size"] = min(DEFAULT_TILE, side)
    return {key: value for key, value in values.items() if key not in _OF_THE_CUT}


def _recorded(record: RunRecord) -> dict[str, Any]:
    values = json.loads(json.dumps(record.options, default=list))
    return {key: value for key, value in values.items() if key not in _OF_THE_CUT}


def _newer(name: str, record: RunRecord, *, summed: bool = True) -> bool:
    """Whether a file, or one that it consists of, was changed since.

    False for what is no file here. Of masks, of the raster that gives the grid, of the
    files that a VRT names, of an archive and of what lies beside a raster no checksum
    is kept: there a file counts as changed where its entry on the disk is newer, which
    it is of a copy as well.

    Args:
        name: of an input.
        record: of the result that is there.
        summed: whether it has a checksum of the file itself.
    """
    made = record.created.timestamp()
    # `run.json` tells whole seconds
    entered = made if record.created.microsecond else made + 1
    for part in files_of(name):
        try:
            state = Path(part).stat()
        except (OSError, ValueError):  # no file of this machine
            continue
        has_sum = summed and part == name
        if state.st_mtime > made + 1 or (state.st_ctime > entered and not has_sum):
            return True
    return False


def _noted_since(name: str, record: RunRecord) -> bool:
    """Whether a program has noted something beside an input since the result."""
    made = record.created.timestamp()
    for part in files_of(name):
        try:
            if Path(part + NOTES).stat().st_ctime > made:
                return True
        except (OSError, ValueError):  # nothing is noted
            continue
    return False


def _lies_otherwise(
    record: RunRecord, before: str, after: str, options: ChangeOptions
) -> bool:
    """Whether the inputs, opened again, lie elsewhere or name another nodata value.

    False where they cannot be opened any more: the result is what is left of them.
    """
    try:
        with plain_images_welcome(), open_pair(before, after, options) as scene:
            grid, crs = scene.grid, scene.grid.crs
            wkt = crs.to_wkt() if crs else None
            now: list[Any] = [wkt, grid.coefficients, grid.width, grid.height]
            dates = scene.before, scene.after
            now += [(str(one.nodata), one.band_names) for one in dates]
            now += scene.readings
    except RasterReadError:
        return False
    except GeosimError:  # such as two that do not overlap any more
        return True
    told, known = record.grid, (record.before, record.after)
    held: list[Any] = [told.wkt, told.transform, told.width, told.height]
    held += [(str(one.nodata), one.bands) for one in known]
    held += [one.placement for one in known]
    return now != held


def _replaced(name: str, known: InputRecord, record: RunRecord) -> bool:
    """Whether another file stands under a name; False for what is no file here."""
    if known.size is None or known.sha256 is None:
        return False
    path = Path(name)
    try:
        found = path.stat()
        if found.st_size != known.size:
            return True
        # A copy or a move can keep the time of an older file, and uncompressed rasters
        # of one grid are of one size. The time of the file's entry on the disk cannot
        # be kept: only where it is later is the file read, which costs seconds where
        # the comparison costs minutes, and a folder that was moved keeps its results.
        if found.st_ctime <= record.created.timestamp():
            return False
        return read_asset(path).sha256 != known.sha256
    except (OSError, ValueError):
        return False
