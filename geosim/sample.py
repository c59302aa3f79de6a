"""A stratified random sample of a result: reference points for its accuracy and area.

Source: Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015).
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geosim
from geosim.assessing.options import (
    BUFFER,
    CHANGE_CLASSES,
    EXPECTED_CHANGE,
    EXPECTED_SAME,
    SampleOptions,
)
from geosim.assessing.sample_chips import write_chips
from geosim.assessing.sample_files import (
    Positions,
    SampleDesign,
    check_free,
    write_sample,
)
from geosim.assessing.strata import StrataMap
from geosim.assessment.allocation import allocate, sample_size
from geosim.assessment.drawing import columns_of, draw
from geosim.errors import OptionError
from geosim.progress import Clock, Progress
from geosim.raster.environment import gdal_environment
from geosim.raster.output_folder import check_parent
from geosim.raster.source import plain_images_welcome
from geosim.raster.staging import writing
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.assessing.strata import Stratum

_FEW = 50
"""Below this many samples of a stratum the paper warns of wide intervals."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample that was drawn and written."""

    path: Path
    """The GeoPackage."""
    chips: Path | None
    """Folder of the chips; None without."""
    design: SampleDesign
    """Strata, sizes, numbers."""
    notes: tuple[str, ...]
    """What a reader should know, one sentence each."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        design = self.design
        rows = zip(
            design.strata, design.pixels, design.areas, design.samples, strict=True
        )
        return {
            "samples": str(self.path),
            "chips": str(self.chips) if self.chips else None,
            "n": sum(design.samples),
            "strata": [
                {
                    "stratum": stratum.name,
                    "map_class": stratum.map_class,
                    "pixels": pixels,
                    "area_m2": area if design.has_crs else None,
                    "samples": count,
                }
                for stratum, pixels, area, count in rows
            ],
            "answers": list(design.answers),
            "source": dict(design.source),
            "notes": list(self.notes),
        }


def draw_sample(
    folder: str | Path,
    out: str | Path | None = None,
    options: SampleOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Sample:
    """Draw a stratified random sample of a result's map, for an analyst to answer.

    Args:
        folder: of a result of `geosim change` or `geosim series`.
        out: GeoPackage to write; None: `samples.gpkg` in that folder.
        options: how; the defaults where None.
        progress: called as the work goes on.

    Returns:
        What was drawn, and where it lies. The chips are in a folder beside the file.

    Raises:
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    options = options or SampleOptions()
    folder = Path(folder)
    path = Path(out) if out is not None else folder / "samples.gpkg"
    chips = path.with_name(f"{path.stem}_chips")
    clock = Clock(progress)
    with plain_images_welcome(), gdal_environment():
        found = StrataMap(folder, options.strata, options.buffer)
        check_free(path, (chips,), overwrite=options.overwrite)
        check_parent(path.parent)
        with clock.stage("counting", 1) as tick:
            counts = found.run_counts()
            tick(1)
        design = design_of(found, counts, options, folder)
        with clock.stage("drawing", 1) as tick:
            positions = positions_of(found, counts, design, options.seed)
            tick(1)
        with _staging(path, chips) as staged:
            notes, drawn = _few(design), False
            columns: dict[str, Any] = {}
            if options.chips:
                columns, why = write_chips(
                    folder, staged[1], found.grid, positions, chips.name, clock
                )
                notes, drawn = notes + why, not why
            write_sample(
                staged[0],
                design,
                positions,
                found.grid,
                columns,
                created=datetime.now(UTC),
            )
    return Sample(path=path, chips=chips if drawn else None, design=design, notes=notes)


def design_of(
    found: StrataMap, counts: NDArray[np.int64], options: SampleOptions, folder: Path
) -> SampleDesign:
    """Strata that hold any pixel, their sizes and how many samples each gets.

    Args:
        found: the result's map.
        counts: (strata, runs), pixels of each stratum in each run.
        options: how many, and how they are spread.
        folder: of the result, for the record.

    Raises:
        OptionError: too few samples, or an accuracy expected of no stratum.
    """
    held = counts.sum(axis=1)
    kept = np.flatnonzero(held)
    strata = tuple(found.strata[number] for number in kept)
    pixels, areas = held[kept], counts[kept] @ found.run_areas()
    expected = _expected(strata, options)

    def spread(total: int) -> NDArray[np.int64]:
        return allocate(total, pixels, options.allocation, expected, options.least)

    total = options.n
    if options.target_se is not None:
        share = areas / areas.sum()
        total = sample_size(share, expected, options.target_se, pixels, spread)
    if total < 2 * len(strata):
        raise OptionError(
            f"--n wants at least two samples for each of the {len(strata)} strata; "
            f"found {total}"
        )
    numbers = spread(total)
    mapped = list(dict.fromkeys(one.map_class for one in strata))
    ordered = [one for one in mapped if one != NO_CHANGE]
    if options.strata == "class":
        ordered += [one for one in CHANGE_CLASSES if one not in ordered]
    elif not ordered:
        ordered = [CHANGE_CLASSES[-1]]
    return SampleDesign(
        strata=strata,
        pixels=tuple(pixels.tolist()),
        areas=tuple(areas.tolist()),
        samples=tuple(numbers.tolist()),
        answers=(*ordered, NO_CHANGE),
        transform=found.grid.coefficients,
        has_crs=found.grid.crs is not None,
        source={
            "result": str(folder),
            "map": found.path.name,
            "version": geosim.__version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "options": options.to_dict(),
        },
    )


def _expected(
    strata: tuple[Stratum, ...], options: SampleOptions
) -> NDArray[np.float64]:
    """The user's accuracy expected of each stratum."""
    given = dict(options.expected)
    names = [one.name for one in strata]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise OptionError(
            f"--expect wants one of {', '.join(names)}; found '{unknown[0]}'"
        )
    usual = {NO_CHANGE: EXPECTED_SAME, BUFFER: EXPECTED_SAME}
    return np.array(
        [given.get(name, usual.get(name, EXPECTED_CHANGE)) for name in names]
    )


def positions_of(
    found: StrataMap, counts: NDArray[np.int64], design: SampleDesign, seed: int
) -> Positions:
    """Draw the pixels, then look up their columns in a second pass over the map.

    Args:
        found: the result's map.
        counts: (strata, runs), pixels of each stratum in each run.
        design: of the sample.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    run_areas = found.run_areas()
    numbers = [found.strata.index(stratum) for stratum in design.strata]
    parts = []
    for place, (number, wanted) in enumerate(zip(numbers, design.samples, strict=True)):
        pixels = draw(counts[number], run_areas, wanted, rng)
        parts.append(np.column_stack([np.full(len(pixels), place), pixels]))
    # mixed, so that neither a number nor stopping half-way favours a stratum
    drawn = rng.permutation(np.concatenate(parts))
    rows, run = np.divmod(drawn[:, 1], found.runs)
    cols = run * found.run
    for window, strata in found.strips():
        row = rows - window.row_off
        for one in np.flatnonzero((row >= 0) & (row < window.height)):
            place, _, rank = drawn[one]
            within = strata[row[one], cols[one] : cols[one] + found.run]
            cols[one] += columns_of(within, numbers[place], np.array([rank]))[0]
    return Positions(stratum=drawn[:, 0], row=rows, col=cols)


def _few(design: SampleDesign) -> tuple[str, ...]:
    """A note where strata have too few samples."""
    pairs = zip(design.strata, design.samples, design.pixels, strict=True)
    few = [
        f"{one.name} {count}" for one, count, held in pairs if count < min(_FEW, held)
    ]
    if not few:
        return ()
    names = ", ".join(few)
    return (f"fewer than {_FEW} samples make wide intervals ({names}); raise --n",)


@contextmanager
def _staging(path: Path, chips: Path) -> Iterator[tuple[Path, Path]]:
    """Where file and chips are made; moved to their names when both are complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        writing(path),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".sample-") as made,
    ):
        draft, pictures = Path(made) / path.name, Path(made) / "chips"
        yield draft, pictures
        if chips.exists():
            shutil.rmtree(chips)
        if pictures.exists():
            pictures.rename(chips)
        draft.replace(path)
