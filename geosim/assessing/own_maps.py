"""Maps of change that others made, as answers that can be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.assessing.method_answers import answer_of
from geosim.assessing.placing import lies_on, nearest_on
from geosim.assessment.measuring import Answer
from geosim.change.scores import SCORE_LEVELS, SCORE_NODATA, UNIT_LEVELS, UNIT_NODATA
from geosim.delivering.finished import open_result
from geosim.errors import LabelError
from geosim.raster.grid import Grid
from geosim.raster.source import one_line_errors, open_raster
from geosim.training.labels import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.result import ChangeResult


_LARGEST = 255


def own_answer(
    folder: Path, name: str, grid: Grid, threshold: float, *, bits: bool = False
) -> Answer:
    """A map of somebody's own of one pair.

    Args:
        folder: holds `<name>.tif` (or another image suffix) with probabilities, or a
            folder `<name>` with a result of `geosim change`.
        name: of the pair.
        grid: the pair's common grid.
        threshold: probability from which a pixel counts as changed.
        bits: whether 8-bit maps hold 0 and 1, see `holds_bits`; else 0..255.

    Raises:
        LabelError: the map is missing, lies elsewhere or holds no probabilities.
    """
    if (folder / name / "run.json").is_file():
        result = open_result(folder / name)
        _check_place(result, grid)
        return answer_of(result)
    paths = [folder / f"{name}{suffix}" for suffix in (".tif", ".tiff", *SUFFIXES)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise LabelError(
            f"'{folder}' wants a map of '{name}': {name}.tif with probabilities 0..1, "
            f"or a folder {name} of geosim change; found neither"
        )
    values, valid = _read(path, grid, bits=bits)
    levels = np.rint(values * SCORE_LEVELS).astype(np.uint16)
    chance = np.rint(values * UNIT_LEVELS).astype(np.uint8)
    return Answer(
        levels=np.where(valid, levels, SCORE_NODATA).astype(np.uint16),
        decided=valid & (values >= threshold),
        valid=valid,
        probability=np.where(valid, chance, UNIT_NODATA).astype(np.uint8),
    )


def _check_place(result: ChangeResult, grid: Grid) -> None:
    """Refuse a result on other pixels than the pair's.

    Raises:
        LabelError: as said.
    """
    with open_raster(str(result.paths["change"])) as dataset:
        own = Grid.of(dataset)
    if not lies_on(own, grid):
        raise LabelError(
            f"the result in '{result.folder}' has {own.width} x {own.height} px that "
            f"are not those of the pair, {grid.width} x {grid.height} px; make it of "
            "the pair's own files, without --resolution, --bounds or --grid"
        )


def _read(
    path: Path, grid: Grid, *, bits: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities (height, width), 0 where not valid, and validity."""
    with open_raster(str(path)) as dataset, one_line_errors(str(path)):
        own = Grid.of(dataset)
        if lies_on(own, grid):
            stored, valid = dataset.read(1), dataset.read_masks(1) > 0
        elif own.crs is None or grid.crs is None:
            raise LabelError(
                f"'{path}' is {own.width} x {own.height} px, the pair's common grid is "
                f"{grid.width} x {grid.height} px; give it that size or a CRS"
            )
        else:
            stored, valid = nearest_on(dataset, grid, f"'{path}'")
        scale, offset = dataset.scales[0], dataset.offsets[0]
        eight_bit = stored.dtype == np.uint8 and (scale, offset) == (1.0, 0.0)
    if eight_bit and not bits:
        scale = 1.0 / _LARGEST
    values = stored.astype(np.float64) * scale + offset
    valid &= np.isfinite(values)
    held = values[valid]
    if held.size and (held.min() < 0 or held.max() > 1 + 1e-9):
        raise LabelError(
            f"'{path}' wants probabilities 0..1 (or 8 bit, 0..255); found "
            f"{held.min():g} to {held.max():g}"
        )
    return np.where(valid, np.clip(values, 0.0, 1.0), 0.0), valid


def holds_bits(folder: Path) -> bool:
    """Whether the 8-bit maps of a folder hold 0 and 1 alone, not levels to 255.

    Asked of the whole folder: a calm scene may have no level above 1.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() not in (".tif", ".tiff", *SUFFIXES):
            continue
        with open_raster(str(path)) as dataset, one_line_errors(str(path)):
            if dataset.dtypes[0] != "uint8":
                continue
            values = dataset.read(1)
            if (values[dataset.read_masks(1) > 0] > 1).any():
                return False
    return True
