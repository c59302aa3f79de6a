"""The chips of a sample: a picture of each place, from the result's own inputs."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosim.chips import chip, fit_stretch
from geosim.errors import GeosimError, OutputError
from geosim.publish.reading import record_of
from geosim.raster.scene import open_scene
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.progress import Clock
    from geosim.publish.record import InputRecord, RunRecord
    from geosim.raster.scene import Scene
    from geosim.sample_files import Positions


@dataclass(frozen=True, kw_only=True)
class _Inputs:
    """What a result was made of."""

    before: str
    after: str
    bands: str | None
    dates: tuple[str, str]
    shift: tuple[float, float] | None
    pixels: str


def write_chips(
    folder: Path, target: Path, positions: Positions, name: str, clock: Clock
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Draw a chip for each sample.

    Args:
        folder: of the result.
        target: folder to make for the chips.
        positions: the drawn pixels.
        name: what the folder will be called.
        clock: times the stage.

    Returns:
        Columns for the layer `samples`, and a note where there are no chips.
    """
    try:
        inputs = _inputs(folder)
        with _opened(inputs) as scene:
            stretch = fit_stretch(scene)
            target.mkdir()
            count = len(positions.row)
            with clock.stage("chips", count) as tick:
                places = zip(positions.row, positions.col, strict=True)
                for number, (row, col) in enumerate(places, start=1):
                    picture = chip(scene, int(row), int(col), stretch, inputs.dates)
                    path = target / f"{number:04}.png"
                    with writing(path):
                        picture.save(path)
                    tick(1)
    except GeosimError as error:
        shutil.rmtree(target, ignore_errors=True)
        return {}, (f"there are no chips: {error}",)
    files = [f"{name}/{number:04}.png" for number in range(1, count + 1)]
    return {"chip": files, "before": inputs.dates[0], "after": inputs.dates[1]}, ()


@contextmanager
def _opened(inputs: _Inputs) -> Iterator[Scene]:
    """Both dates on the map's pixels, as the run read them."""
    with open_scene(
        inputs.before, inputs.after, bands=inputs.bands, reference=inputs.pixels
    ) as scene:
        if inputs.shift is not None:
            scene.correct_shift(*inputs.shift)
        yield scene


def _inputs(folder: Path) -> _Inputs:
    """The inputs of a pair; of a series its first and its last date.

    Raises:
        OutputError: the record of the run is missing, or an input is gone.
    """
    if (folder / "run.json").is_file():
        first = last = folder
    else:
        pairs = sorted(path.parent for path in (folder / "pairs").glob("*/run.json"))
        if not pairs:
            raise OutputError(f"'{folder}' has no run.json that tells of its inputs")
        first, last = pairs[0], pairs[-1]
    (before, links), (after, other) = _record(first), _record(last)
    shift = before.shift if first == last else None
    return _Inputs(
        before=_found(before.before, links.get("before"), first),
        after=_found(after.after, other.get("after"), last),
        bands=before.options.get("bands"),
        dates=(
            before.before.date or Path(before.before.path).name,
            after.after.date or Path(after.after.path).name,
        ),
        # unlike the map it has no colour table, which is refused as a grid
        pixels=str(first / "difference.tif"),
        shift=(shift.rows, shift.cols) if shift and shift.corrected else None,
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
