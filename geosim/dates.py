"""Dates: what one is, and when an image was taken by its name or its tags."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)"
)
_NO_SIZE = r"(?!\d|(?:[ckm]?m|px|ft|bit|dpi)(?![A-Za-z\d]))"
"""What follows is neither a digit nor a unit: `2020_10m` is of 2020, in 10 m."""
_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.](0[1-9]|1[0-2])" + _NO_SIZE)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)" + _NO_SIZE)
_OLD = re.compile(
    r"^(1[5-8]\d\d)(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?"
    r"(?=$|[-_ .]" + _NO_SIZE + ")"
)
"""A year before 1900 counts at the start of a name only: elsewhere such numbers are
those of cameras, sheets and sizes."""
_ISO = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
_TAGS = ("ACQUISITION_DATE", "DATE_ACQUIRED", "acquisition_date", "TIFFTAG_DATETIME")


def is_date(text: str) -> bool:
    """True for a year, month or day that there is, in ISO 8601."""
    if not _ISO.fullmatch(text):
        return False
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True


def image_date(path: str, tags: Mapping[str, str]) -> str | None:
    """ISO date of an image, or None.

    A date in the file's name is taken first, since people name files after what they
    show; then tags, of which TIFF's own date may be that of the last edit.

    >>> image_date("scenes/LS20010525.tif", {})
    '2001-05-25'
    >>> image_date("tile_2048_1990.tif", {})  # 2048 px
    '1990'
    >>> image_date("1887_survey.tif", {})
    '1887'
    >>> image_date("before.tif", {"TIFFTAG_DATETIME": "1990:07:14 10:00:00"})
    '1990-07-14'
    """
    stem = PurePath(path).stem
    found = _date_in(stem) or _old_date(stem)
    if found:
        return found
    for tag in _TAGS:
        found = _date_in(tags.get(tag, "").replace(":", "-"))
        if found:
            return found
    return None


def _date_in(text: str) -> str | None:
    """The most precise date that a text holds.

    Years to come are other numbers, and so are days that no month has.
    """
    this_year = datetime.now(UTC).year
    for pattern, parts in ((_DAY, (1, 3, 4)), (_MONTH, (1, 2)), (_YEAR, (1,))):
        for found in pattern.finditer(text):
            said = "-".join(found[part] for part in parts)
            if int(found[1]) <= this_year and is_date(said):
                return said
    return None


def _old_date(stem: str) -> str | None:
    """The date before 1900 that a name begins with."""
    found = _OLD.match(stem)
    if found is None:
        return None
    text = "-".join(part for part in found.groups() if part)
    return text if is_date(text) else found[1]
