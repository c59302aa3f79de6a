"""Which run this is: all that decides its result, for `--resume` to compare."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geosim
from geosim.errors import RasterReadError
from geosim.raster.files import files_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from geosim.options import ChangeOptions
    from geosim.raster.scene import Scene
    from geosim.scoring.sampling import Sample
    from geosim.scoring.scorer import Scorer

_LEAVE_THE_RESULT = ("overwrite", "threads", "formats")
"""Options that what is found does not depend on."""


def run_key(
    scene: Scene,
    sample: Sample,
    scorer: Scorer,
    options: ChangeOptions,
    layout: dict[str, int],
) -> dict[str, Any]:
    """Plain values that two runs share if, and only if, they give one result.

    Args:
        scene: the open pair.
        sample: what was fitted to it.
        scorer: the method.
        options: the options.
        layout: sizes that were derived from them, by name.

    Returns:
        Name to value; the names are those that a user is told.
    """
    weights = scorer.weights
    masks = [name for name in (options.mask_before, options.mask_after) if name]
    said = {
        f"--{name.replace('_', '-')}": value
        for name, value in options.to_dict().items()
        if name not in _LEAVE_THE_RESULT
    }
    return {
        "geosim's version": geosim.__version__,
        "options": said,
        "date 1": scene.before.path,
        "date 2": scene.after.path,
        "files": file_states((scene.before.path, scene.after.path, *masks)),
        "the grid": _grid(scene),
        # what follows says on how many threads
        "the engine": scorer.description.split(",")[0],
        "the weights' sha256": weights.record.sha256 if weights else None,
        "sizes": layout,
        "the pixels of the sample": _digest(sample),
    }


def planned_sides(held: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of the blocks of an interrupted run.

    A run that goes on takes the same, also where it finds more or less memory or works
    with other threads.

    Args:
        held: what `run_key` gave for that run; empty where there was none.
    """
    sizes = held.get("sizes", {})
    try:
        return int(sizes["block columns"]), int(sizes["block rows"])
    except (KeyError, TypeError, ValueError):
        return None


def file_states(names: Iterable[str]) -> dict[str, list[int]]:
    """Size and time of change of each file that rasters or masks consist of.

    What is not on this machine is left out.
    """
    paths = [Path(part) for name in names for part in files_of(name)]
    return {
        f"the file '{path}'": [path.stat().st_size, path.stat().st_mtime_ns]
        for path in paths
        if path.is_file()
    }


def check_unchanged(states: Mapping[str, list[int]], names: Iterable[str]) -> None:
    """Refuse a result of files that are others now than when they were opened.

    Args:
        states: what `file_states` gave when the work began.
        names: of the same rasters and masks.

    Raises:
        RasterReadError: as said.
    """
    now = file_states(names)
    for file in {**states, **now}:
        if now.get(file) != states.get(file):
            raise RasterReadError(
                "inputs that stay as they are until the end are wanted; "
                f"{file} was changed or replaced meanwhile; run it again when it is "
                "complete"
            )


def _grid(scene: Scene) -> list[Any]:
    """Where the pixels lie and how they are read."""
    grid = scene.grid
    crs = grid.crs.to_wkt() if grid.crs else None
    return [crs, *grid.transform[:6], grid.width, grid.height, *scene.readings]


def _digest(sample: Sample) -> str:
    """Checksum of the sampled pixels and of what was fitted to them."""
    found, shift = hashlib.sha256(), sample.shift
    fitted = sample.radiometry
    numbers = [sample.before, sample.after, *fitted.knots_after, *fitted.knots_before]
    numbers += [fitted.low, fitted.high, fitted.mean]
    if shift is not None:
        numbers.append(np.array([shift.d_row, shift.d_col], np.float32))
    for values in numbers:
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()
