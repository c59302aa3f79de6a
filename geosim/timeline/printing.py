"""The report of a series as a PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.delivering.printing import print_pdf
from geosim.timeline.delivery import register
from geosim.timeline.result import SERIES_EXTRA_FILES

if TYPE_CHECKING:
    from geosim.timeline.result import SeriesResult


def print_series(result: SeriesResult) -> None:
    """Print the report of a series to `report.pdf`, and tell of it in its Item.

    Raises:
        OutputError: it cannot be printed or written.
        MissingDependencyError: there is no Chromium to print with.
    """
    name = SERIES_EXTRA_FILES["pdf"]
    print_pdf(result.paths["report"], result.folder / name)
    register(result, name)
