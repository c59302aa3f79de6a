"""Lists of pairs: what a CSV file says, checked row by row before any work begins."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geosim.dates import is_date
from geosim.errors import PairListError

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = (
    "before",
    "after",
    "out",
    "dates",
    "date_before",
    "date_after",
    "mask_before",
    "mask_after",
)
_OTHER_NAMES = {
    "before_date": "date_before",
    "after_date": "date_after",
    "output": "out",
    "folder": "out",
}
_DELIMITERS = ",;\t"
_BETWEEN_DATES = re.compile(r"\s*(?:/|\.\.|,|;|\s)\s*")
_GDAL_NAME = re.compile(r"^(/vsi|[A-Za-z][\w+.-]*://|[A-Za-z_]\w+:)")
"""`/vsicurl/...`, `s3://...`, `NETCDF:"file.nc":band`: names that are no paths."""


@dataclass(frozen=True, kw_only=True)
class ImagePair:
    """Two rasters of one place that are to be compared."""

    before: str
    """Date 1: a path or any name that GDAL opens."""
    after: str
    """Date 2."""
    out: str | Path | None = None
    """Folder of the result; None: `change_<before>_<after>`."""
    date_before: str | None = None
    """ISO date of date 1; None: as the options, its name or its tags say."""
    date_after: str | None = None
    """The same of date 2."""
    mask_before: str | None = None
    """Raster or polygons of what to leave out of date 1; None: as the options say."""
    mask_after: str | None = None
    """The same of date 2."""
    row: int | None = None
    """Line of the list's file; None where the pair comes from no file."""

    @property
    def place(self) -> str:
        """Where the pair stands, for messages: "row 3: a.tif, b.tif"."""
        names = f"{self.before}, {self.after}"
        return names if self.row is None else f"row {self.row}: {names}"


def read_pair_list(path: str | Path) -> list[ImagePair]:
    """Read a CSV file of pairs.

    The columns `before` and `after` must be there; `out`, `date_before`, `date_after`
    or, for both dates in one, `dates` ("2001-05/2020-09-14") may, and masks in
    `mask_before` and `mask_after`. Their order is free, others are not read. Commas,
    semicolons or tabs separate. Relative paths start at the folder of the file.

    Raises:
        PairListError: the file cannot be read, a column or a value is missing, a date
            is none. The message names the row, counted from 1, the header's.
    """
    path = Path(path)
    lines = list_lines(path)
    header = lines[0] if lines else ""
    delimiter = delimiter_of(header)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    columns = _columns(path, next(reader, []))
    pairs = []
    for cells in reader:
        values = [cell.strip() for cell in cells]
        row = reader.line_num
        if not any(values):
            continue
        if any(values[len(columns) :]):
            raise PairListError(
                f"'{path}' row {row}: wants {len(columns)} cells as in the header; "
                f"found {len(values)}; put a name that holds a '{delimiter}' in quotes"
            )
        pairs.append(_pair(path, row, dict(zip(columns, values, strict=False))))
    if not pairs:
        raise PairListError(f"'{path}' holds no pair; give a row for each below row 1")
    return pairs


def delimiter_of(header: str) -> str:
    """What separates the cells of a list: a comma, a semicolon or a tab."""
    return max(_DELIMITERS, key=header.count)


def list_lines(path: Path) -> list[str]:
    """The lines of a CSV file of pairs.

    Raises:
        PairListError: it cannot be read or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = (
            getattr(error, "strerror", None) or "it is not UTF-8 text; save it as UTF-8"
        )
        raise PairListError(
            f"'{path}' must be a CSV file of pairs and cannot be read: {cause}"
        ) from error
    return text.splitlines()


def _columns(path: Path, header: list[str]) -> list[str]:
    """Names of the columns in the file's order, in small letters."""
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    for name in ("before", "after"):
        if name not in names:
            raise PairListError(
                f"'{path}' row 1: wants a header with the columns 'before' and 'after' "
                f"(and, as needed, {', '.join(_COLUMNS[2:])}); found "
                f"'{', '.join(header)}'"
            )
    for name in _COLUMNS:
        if names.count(name) > 1:
            raise PairListError(f"'{path}' row 1: the column '{name}' is there twice")
    return names


def _pair(path: Path, row: int, values: Mapping[str, str]) -> ImagePair:
    for name in ("before", "after"):
        if not values.get(name):
            raise PairListError(
                f"'{path}' row {row}: the column '{name}' is empty; give a raster"
            )
    before, after = _dates(path, row, values)
    folder = path.absolute().parent
    out = values.get("out")
    masks = [values.get(name) for name in ("mask_before", "mask_after")]
    mask_before, mask_after = (located(m, folder) if m else None for m in masks)
    return ImagePair(
        before=located(values["before"], folder),
        after=located(values["after"], folder),
        out=folder / Path(out).expanduser() if out else None,
        date_before=before,
        date_after=after,
        mask_before=mask_before,
        mask_after=mask_after,
        row=row,
    )


def _dates(
    path: Path, row: int, values: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Both ISO dates of a row, None where it names none."""
    dates = [values.get("date_before") or None, values.get("date_after") or None]
    if values.get("dates"):
        if any(dates):
            raise PairListError(
                f"'{path}' row {row}: has both 'dates' and 'date_before' or "
                "'date_after'; leave one of them empty"
            )
        dates = [date or None for date in _BETWEEN_DATES.split(values["dates"])]
    if len(dates) != 2 or not all(date is None or is_date(date) for date in dates):  # noqa: PLR2004
        found = values.get("dates") or ", ".join(date or "" for date in dates)
        raise PairListError(
            f"'{path}' row {row}: wants dates like 2020, 2020-07 or 2020-07-14, two in "
            f"the column 'dates' with a '/' between them; found '{found}'"
        )
    return dates[0], dates[1]


def located(name: str, folder: Path) -> str:
    """A relative path as seen from a folder; other names that GDAL opens as they are.

    >>> located("a.tif", Path("/scenes")), located("s3://bucket/a.tif", Path("/scenes"))
    ('/scenes/a.tif', 's3://bucket/a.tif')
    """
    if _GDAL_NAME.match(name):
        return name
    return str(folder / Path(name).expanduser())
