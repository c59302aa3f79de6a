"""The answers of a sample, checked against its design."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyogrio
from affine import Affine

from geosim.assessing.sample_files import label_of, read_samples
from geosim.errors import RasterReadError, SampleError
from geosim.raster.grid import at

if TYPE_CHECKING:
    from collections.abc import Iterable

    import geopandas as gpd
    from numpy.typing import NDArray

    from geosim.assessing.options import AssessOptions
    from geosim.assessing.sample_files import SampleDesign

_ANSWER_COLUMNS = ("reference", "label")
"""Columns of a separate file that hold the answers; `Label` is AcATaMa's."""

_HALF_PIXEL = 0.5
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Samples that have an answer."""

    stratum: NDArray[np.int64]
    """(n,), number of the stratum."""
    reference: list[str]
    """Class in truth, n of them."""


def answered_samples(
    path: Path, design: SampleDesign, options: AssessOptions
) -> tuple[Answers, tuple[str, ...]]:
    """Read and check the samples of a file.

    Args:
        path: GeoPackage with the layer `samples`.
        design: of the sample.
        options: whether samples may lack an answer, and where the answers are.

    Returns:
        The answered samples, and what a reader should know of the others.

    Raises:
        SampleError: samples were moved, lost, doubled or have no or an unknown answer.
    """
    frame = read_samples(path)
    ids = _ids(frame["id"], "id", path)
    strata = _strata(frame, design)
    _check_places(frame, design)
    texts = _texts(frame["reference"])
    if options.answers is not None:
        texts = _other_answers(Path(options.answers), ids)
    known = {name.casefold(): name for name in design.answers}
    known |= {label_of(name).casefold(): name for name in design.answers}
    wrong = sorted({text for text in texts if text and text.casefold() not in known})
    if wrong:
        raise SampleError(
            f"answers want one of {', '.join(design.answers)}; found "
            f"{_some(repr(text) for text in wrong)}; correct the column 'reference'"
        )
    given = np.array([bool(text) for text in texts])
    notes = _check_complete(frame, given, design, partial=options.partial)
    reference = [known[text.casefold()] for text in texts if text]
    return Answers(stratum=strata[given], reference=reference), notes


def _ids(values: Iterable[Any], column: str, path: Path) -> list[int]:
    """The samples' numbers, each a whole one and there once."""
    texts = ["" if pd.isna(one) else str(one).strip() for one in values]
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
    wrong = ~(numbers % 1 == 0).to_numpy()
    if wrong.any():
        found = sorted({text for text, bad in zip(texts, wrong, strict=True) if bad})
        said = _some(repr(text) for text in found) if any(found) else "none"
        raise SampleError(
            f"each sample wants the whole number that is its id; '{path.name}' has "
            f"{said} in the column '{column}'; give the ids back or remove these rows"
        )
    ids = [int(one) for one in numbers]
    double = sorted(one for one, times in Counter(ids).items() if times > 1)
    if double:
        raise SampleError(
            f"each sample wants an id of its own; '{path.name}' has {_some(double)} "
            "more than once; remove the copies"
        )
    return ids


def _strata(frame: gpd.GeoDataFrame, design: SampleDesign) -> NDArray[np.int64]:
    """Number of each sample's stratum."""
    names = [one.name for one in design.strata]
    unknown = sorted({str(one) for one in frame["stratum"]} - set(names))
    if unknown:
        raise SampleError(
            f"samples are of the strata {', '.join(names)}; found "
            f"{_some(unknown)}; the column 'stratum' must stay as it was written"
        )
    found = np.array([names.index(str(one)) for one in frame["stratum"]], np.int64)
    held = np.bincount(found, minlength=len(names))
    for name, drawn, count in zip(names, design.samples, held.tolist(), strict=True):
        if count > drawn and len(frame) <= sum(design.samples):
            raise SampleError(
                f"{drawn} samples of '{name}' were drawn; found {count}; the column "
                "'stratum' must stay as it was written"
            )
    return found


def _check_places(frame: gpd.GeoDataFrame, design: SampleDesign) -> None:
    """Every point lies in the pixel that was drawn."""
    points = frame.geometry
    gone = frame["id"][points.is_empty | points.isna()].tolist()
    if gone:
        raise SampleError(
            f"each sample wants a point; {_some(gone)} has none; draw the sample anew"
        )
    inverse = ~Affine(*design.transform)
    col, row = at(inverse, points.x.to_numpy(), points.y.to_numpy())
    off_row = np.abs(row - (frame["row"].to_numpy() + _HALF_PIXEL))
    off_col = np.abs(col - (frame["col"].to_numpy() + _HALF_PIXEL))
    off = np.maximum(off_row, off_col)
    away = ~(off <= _HALF_PIXEL)  # so that a row or column without a value is none too
    if away.any():
        most = off[away & ~np.isnan(off)]
        far = f", by up to {most.max():.0f} px" if most.size else ""
        if away.all() and len(frame) > 1:
            far += " (was the layer saved in another coordinate reference system?)"
        raise SampleError(
            "samples must stay on the pixel that was drawn; "
            f"{_some(frame['id'][away])} "
            f"{'was' if away.sum() == 1 else 'were'} moved off it{far}; put them back "
            "to the middle of their squares in the layer 'pixels'"
        )


def _check_complete(
    frame: gpd.GeoDataFrame,
    given: NDArray[np.bool_],
    design: SampleDesign,
    *,
    partial: bool,
) -> tuple[str, ...]:
    """All samples are there and answered, or may lack."""
    drawn = sum(design.samples)
    lost = drawn - len(frame)
    open_ids = frame["id"][~given].tolist()
    if not lost and not open_ids:
        return ()
    said = []
    if open_ids:
        said.append(
            f"{len(open_ids)} of {drawn} samples have no answer ({_some(open_ids)})"
        )
    if lost > 0:
        said.append(f"{lost} of {drawn} samples were deleted")
    if lost < 0:
        raise SampleError(
            f"{drawn} samples were drawn; found {len(frame)}; points added by hand "
            "are no random sample; remove them"
        )
    text = " and ".join(said)
    if not partial:
        raise SampleError(
            f"{text}; answer them, or leave them out with --partial, as if they were "
            "missing at random"
        )
    return (f"{text}; they are left out, as if they were missing at random",)


def _other_answers(path: Path, ids: list[int]) -> list[str]:
    """Answers of a separate file, by the samples' ids; "" where there is none."""
    try:
        table = pyogrio.read_dataframe(path, read_geometry=False)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise RasterReadError(
            f"cannot read the answers of '{path}': {error}"
        ) from error
    columns = {str(name).casefold(): name for name in table.columns}
    column = next((columns[name] for name in _ANSWER_COLUMNS if name in columns), None)
    if "id" not in columns or column is None:
        raise SampleError(
            f"--answers wants a table with the columns id and reference or label; "
            f"'{path}' has {', '.join(map(str, table.columns))}"
        )
    keys = _ids(table[columns["id"]], str(columns["id"]), path)
    found = dict(zip(keys, _texts(table[column]), strict=True))
    strange = sorted(found.keys() - set(ids))
    if strange:
        raise SampleError(
            f"--answers wants ids of samples that were drawn; '{path}' has "
            f"{_some(strange)} as well; remove these rows or give the ids back"
        )
    return [found.get(one, "") for one in ids]


def _texts(values: Iterable[Any]) -> list[str]:
    """Answers as text; "" for none."""
    return ["" if pd.isna(one) else str(one).strip() for one in values]


def _some(values: Iterable[object]) -> str:
    """The first few of them."""
    listed = list(values)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(str(one) for one in listed[:_SHOWN]) + more
