"""The chips of a sample: a picture of each place, from the result's own inputs."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosim.assessing.chips import chip, fit_stretches, views_of
from geosim.errors import GeosimError, OutputError
from geosim.publish.reading import record_of
from geosim.raster.grid import pixel_offset
from geosim.raster.nodata import parse_nodata
from geosim.raster.scene import open_scene
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.assessing.chips import RGB, View
    from geosim.assessing.sample_files import Positions
    from geosim.progress import Clock
    from geosim.publish.record import InputRecord, RunRecord
    from geosim.raster.grid import Grid
    from geosim.raster.nodata import Nodata
    from geosim.raster.scene import Scene

_Panel = tuple[str, list[tuple[int, int]]]
"""A date and where it is shown: number of the pair, 0 or 1 within it."""


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """What a result was made of."""

    before: str
    after: str
    bands: str | None
    dates: tuple[str, str]
    shift: tuple[float, float] | None
    nodata: Nodata


def write_chips(
    folder: Path,
    target: Path,
    grid: Grid,
    positions: Positions,
    name: str,
    clock: Clock,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Draw a chip for each sample.

    Args:
        folder: of the result.
        target: folder to make for the chips.
        grid: of the result's map.
        positions: the drawn pixels.
        name: what the folder will be called.
        clock: times the stage.

    Returns:
        Columns for the layer `samples`, and a note where there are no chips.
    """
    try:
        folders = _pair_folders(folder)
        pairs = [_pair(one) for one in folders]
        # unlike the map it has no colour table, which is refused as a grid
        pixels = str(folders[0] / "difference.tif")
        with ExitStack() as stack:
            scenes = [stack.enter_context(_opened(one, pixels)) for one in pairs]
            panels = _panels(pairs)
            target.mkdir()
            files = _draw_all(scenes, panels, target, grid, positions, clock)
    except GeosimError as error:
        shutil.rmtree(target, ignore_errors=True)
        return {}, (f"there are no chips: {error}",)
    chips = [f"{name}/{file}" for file in files]
    return {"chip": chips, "before": panels[0][0], "after": panels[-1][0]}, ()


def _panels(pairs: list[_Pair]) -> list[_Panel]:
    """Each date once, in their order, with the pairs that show it.

    A series has a date in several pairs, in more where gaps were bridged.
    """
    if len(pairs) == 1:  # two pictures may be called alike
        return [(date, [(0, role)]) for role, date in enumerate(pairs[0].dates)]
    found: dict[str, list[tuple[int, int]]] = {}
    for number, pair in enumerate(pairs):
        for role, date in enumerate(pair.dates):
            found.setdefault(date, []).append((number, role))
    return sorted(found.items())


def _draw_all(
    scenes: list[Scene],
    panels: list[_Panel],
    target: Path,
    grid: Grid,
    positions: Positions,
    clock: Clock,
) -> list[str]:
    """Draw and write the chips; the names of their files."""
    stretches = [fit_stretches(scene) for scene in scenes]
    origins = [_origin(scene, grid) for scene in scenes]
    count = len(positions.row)
    files = [f"{number:04}.png" for number in range(1, count + 1)]
    places = zip(files, positions.row.tolist(), positions.col.tolist(), strict=True)
    with clock.stage("chips", count) as tick:
        for file, row, col in places:
            views = [
                views_of(scene, row + down, col + right, stretch)
                for scene, stretch, (right, down) in zip(
                    scenes, stretches, origins, strict=True
                )
            ]
            shown = [_fullest([views[n][role] for n, role in of]) for _, of in panels]
            with writing(target / file):
                chip(shown, [date for date, _ in panels]).save(target / file)
            tick(1)
    return files


def _origin(scene: Scene, grid: Grid) -> tuple[int, int]:
    """(col, row) of the map's first pixel on the grid that both dates share.

    Raises:
        OutputError: the inputs are no longer those of the result.
    """
    offset = pixel_offset(scene.grid, grid)
    if offset is None:
        raise OutputError(
            f"'{scene.before.path}' and '{scene.after.path}' no longer meet on the "
            "pixels of the map; make the result anew"
        )
    return offset


def _fullest(views: list[View]) -> RGB:
    """The view that shows most: a pair shows only what both its dates have."""
    return max(views, key=lambda view: view.pixels).picture


@contextmanager
def _opened(pair: _Pair, pixels: str) -> Iterator[Scene]:
    """Both dates on the map's pixels, as the run read them."""
    with open_scene(
        pair.before,
        pair.after,
        bands=pair.bands,
        reference=pixels,
        nodata=pair.nodata,
    ) as scene:
        if pair.shift is not None:
            scene.correct_shift(*pair.shift)
        yield scene


def _pair_folders(folder: Path) -> list[Path]:
    """The folder of a pair, or those of a series' pairs by date.

    Raises:
        OutputError: there is no record of a run.
    """
    if (folder / "run.json").is_file():
        return [folder]
    pairs = sorted(path.parent for path in (folder / "pairs").glob("*/run.json"))
    if not pairs:
        raise OutputError(f"'{folder}' has no run.json that tells of its inputs")
    return pairs


def _pair(folder: Path) -> _Pair:
    """The inputs of a pair.

    Raises:
        OutputError: the record of the run cannot be read.
    """
    record, links = _record(folder)
    shift = record.shift
    return _Pair(
        before=_found(record.before, links.get("before"), folder),
        after=_found(record.after, links.get("after"), folder),
        bands=record.options.get("bands"),
        dates=record.labels,
        shift=(shift.rows, shift.cols) if shift and shift.corrected else None,
        nodata=parse_nodata(record.options.get("nodata")),
    )


def _record(folder: Path) -> tuple[RunRecord, dict[str, str]]:
    """A run's record, and where its inputs are as links tell it, by role."""
    try:
        item = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        links = [one for one in item["links"] if one["rel"] == "derived_from"]
        by_role = zip(("before", "after"), (one["href"] for one in links), strict=False)
        return record_of(item, folder.name), dict(by_role)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"cannot read '{folder / 'run.json'}': {error}") from error


def _found(source: InputRecord, link: str | None, folder: Path) -> str:
    """Where an input is: as it was named, or as seen from the result's folder."""
    if Path(source.path).exists() or link is None:
        return source.path
    beside = folder / link
    return str(beside) if beside.exists() else source.path
