"""What a user declares to be no data, where a file does not or says otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOWEST, _HIGHEST = -1.0, 65535.0
"""Numbers that a band may well hold as data."""

Nodata = tuple[float | None, float | None]
"""The value of each date; None: as its file says."""


def parse_nodata(text: str | None) -> Nodata:
    """Read "0" (of both dates), "0:255" (one for each), "0:" or ":0" (of one alone).

    Raises:
        OptionError: anything else.
    """
    if text is None:
        return None, None
    parts = text.split(":")
    values = [_number(part) if part.strip() else None for part in parts]
    if len(values) == 1:
        values *= 2
    given = [value for value in values if value is not None]
    if len(values) != 2 or not given or any(map(math.isnan, given)):  # noqa: PLR2004
        raise OptionError(
            "--nodata wants a number for both dates ('0'), one for each ('0:255') or "
            f"for one alone ('0:' or ':0'); found '{text}'"
        )
    return values[0], values[1]


def _number(text: str) -> float:
    """A finite number; NaN, which is never data, for anything else."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def nodata_text(values: Sequence[float | None]) -> str:
    """As `parse_nodata` reads it: a number of both dates, or one of each."""
    return ":".join("" if one is None else f"{one:.17g}" for one in values)


def one_band_tells(nodata: float | None) -> bool:
    """Whether a nodata value in one band alone means that a pixel has no data.

    0, 255 and other numbers of pictures may be the value of a band of a pixel with
    data: there all bands must have it. No band measures -9999 or 1e20.
    """
    if nodata is None or math.isnan(nodata):
        return False
    return not _LOWEST <= nodata <= _HIGHEST


def check_nodata(path: str, dtype: str, value: float) -> None:
    """Refuse a value that no pixel of the file can have.

    Raises:
        OptionError: the file's type cannot hold it.
    """
    kind = np.dtype(dtype)
    if kind.kind not in "ui":
        return
    limits = np.iinfo(kind)
    if not (limits.min <= value <= limits.max and value == int(value)):
        raise OptionError(
            f"--nodata wants a value that '{path}' can hold, a whole number from "
            f"{limits.min} to {limits.max} ({dtype}); found {value:g}"
        )
