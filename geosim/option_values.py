"""Values of options as plain Python has them: what goes into JSON, tags and keys.

Programs give paths as `pathlib.Path` and numbers as numpy has them. What is no such
value is refused here, with the option's name.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from geosim.errors import OptionError

_CREATION_OPTIONS = {
    "BIGTIFF": "YES|NO|IF_NEEDED|IF_SAFER",
    "BLOCKSIZE": "128|256|512|1024|2048|4096",
    "COMPRESS": "NONE|LZW|DEFLATE|ZSTD|LZMA",
    "GEOTIFF_VERSION": "AUTO|1.0|1.1",
    "LEVEL": "[1-9]|1[0-9]|2[0-2]",
    "NUM_THREADS": "ALL_CPUS|[1-9][0-9]*",
    "OVERVIEW_COMPRESS": "AUTO|NONE|LZW|DEFLATE|ZSTD|LZMA",
    "PREDICTOR": "YES|NO",
    "SPARSE_OK": "TRUE|FALSE",
    "STATISTICS": "AUTO|YES|NO",
}
"""Options of GDAL's COG driver that leave pixels and grid alone, and their values.
GDAL itself ignores a wrong value or, with BLOCKSIZE, aborts the process."""


def plain_text(name: str, value: object, example: str) -> str | None:
    """A text or a path as text; None stays None."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, str):
        return value
    raise OptionError(f"{name} wants text such as '{example}'; found {value!r}")


def plain_integer(name: str, value: Any) -> int | None:  # noqa: ANN401
    """A whole number; None stays None."""
    if value is None:
        return None
    try:
        return operator.index(value)
    except TypeError as error:
        raise OptionError(f"{name} wants a whole number; found {value!r}") from error


def plain_number(name: str, value: Any) -> float | None:  # noqa: ANN401
    """A number, not a text that holds one; None stays None."""
    return None if value is None else _number(name, value)


def _number(name: str, value: Any) -> float:  # noqa: ANN401
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    raise OptionError(f"{name} wants a number; found {value!r}")


def plain_numbers(name: str, values: Any, count: int) -> tuple[float, ...] | None:  # noqa: ANN401
    """So many numbers in a row of any kind; None stays None."""
    if values is None:
        return None
    found = () if isinstance(values, str) or np.ndim(values) != 1 else tuple(values)
    if len(found) != count:
        raise OptionError(f"{name} wants {count} numbers; found {values!r}")
    return tuple(_number(name, value) for value in found)


def plain_pairs(name: str, values: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401
    """(KEY, VALUE) pairs, also of a dict."""
    found = tuple(values.items() if isinstance(values, Mapping) else values)
    for each in found:
        if isinstance(each, str) or len(each) != 2:  # noqa: PLR2004
            raise OptionError(f"{name} wants (KEY, VALUE) pairs; found {each!r}")
    return tuple((str(key), str(value)) for key, value in found)


def check_creation_options(pairs: tuple[tuple[str, str], ...]) -> None:
    """Refuse creation options that GDAL's COG driver cannot take.

    Raises:
        OptionError: the first that it cannot.
    """
    for key, value in pairs:
        wanted = _CREATION_OPTIONS.get(key.upper())
        if wanted is None:
            raise OptionError(
                f"--co wants one of {', '.join(_CREATION_OPTIONS)}; found '{key}'"
            )
        if not re.fullmatch(wanted, value.upper()):
            raise OptionError(
                f"--co {key} wants {wanted.replace('|', ', ')}; found '{value}'"
            )


_HECTARE = 10_000
"""Square metres."""


@dataclass(frozen=True, kw_only=True)
class MinArea:
    """Minimum mapping unit: objects smaller than this are dropped."""

    value: float
    """Size."""
    unit: Literal["m2", "px"]
    """Square metres on the ellipsoid, or pixels of the grid."""

    @classmethod
    def parse(cls, text: str) -> MinArea:
        """Read "500" (square metres), "500m2", "0.5ha" or "50px".

        Raises:
            OptionError: anything else.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(m2|ha|px)?\s*", text)
        if not found:
            raise OptionError(
                "--min-area wants square metres, hectares or pixels, such as '500', "
                f"'500m2', '0.5ha' or '50px'; found '{text}'"
            )
        if found[2] == "px":
            return cls(value=float(found[1]), unit="px")
        size = Fraction(found[1]) * (_HECTARE if found[2] == "ha" else 1)
        return cls(value=float(size), unit="m2")

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.value:f}".rstrip("0").rstrip(".") + self.unit
