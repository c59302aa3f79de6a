"""How fast: years between dates, annual rates of change."""

from __future__ import annotations

import math
from datetime import date

_MONTHS, _MIDDLE_MONTH, _MIDDLE_DAY = 12, 7, 2


def decimal_year(text: str) -> float:
    """A date in years; one without a day or a month stands for its middle.

    >>> decimal_year("1990"), decimal_year("1995") - decimal_year("1990")
    (1990.5, 5.0)
    """
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return parts[0] + 0.5
    if len(parts) == 2:  # noqa: PLR2004 - year and month
        return parts[0] + (parts[1] - 0.5) / _MONTHS
    start = date(parts[0], 1, 1).toordinal()
    length = date(parts[0] + 1, 1, 1).toordinal() - start
    return parts[0] + (date(*parts).toordinal() - start + 0.5) / length


def years_between(before: str, after: str) -> float:
    """Years from one ISO date to another; whole years where both name a year alone.

    Where one of them is less precise both are taken as that precise.
    """
    precision = min(len(before), len(after))
    return decimal_year(after[:precision]) - decimal_year(before[:precision])


def fao_rate(first: float, last: float, years: float) -> float | None:
    """FAO's annual rate of change q = (A2/A1)^(1/t) - 1; negative for a loss.

    None where it is not defined: nothing there at the beginning or no time passed.

    >>> round(fao_rate(100.0, 81.0, 2.0), 6)
    -0.1
    """
    if first <= 0 or last < 0 or years <= 0:
        return None
    return float((last / first) ** (1.0 / years) - 1.0)


def puyravaud_rate(first: float, last: float, years: float) -> float | None:
    """Annual rate by compound interest, r = ln(A2/A1) / t (Puyravaud 2003).

    None where it is not defined: nothing there at one of the dates or no time passed.

    >>> round(puyravaud_rate(100.0, 50.0, 10.0), 6)
    -0.069315
    """
    if first <= 0 or last <= 0 or years <= 0:
        return None
    return math.log(last / first) / years
