"""The options of a series, beside those of each of its comparisons."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from geosim.dates import is_date
from geosim.errors import OptionError
from geosim.themes.classes import CLASSES

Extent = Literal["reference", "common"]
"""What a series covers."""

Decide = Literal["auto", "together", "pairs"]
"""Who decides where and when a pixel changed."""

FINEST_TOGETHER = 3.0
"""Metres of a pixel from which on "auto" lets all dates decide together: finer pixels
show leaves and roof tiles, of which every date has others."""


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """How `detect_series` puts its comparisons together."""

    dates: tuple[str, ...] | None = None
    """ISO dates in the order of the scenes; None: as lists, names or tags say."""
    extent: Extent = "reference"
    """"reference": all of the raster that gives the grid; "common": what all scenes
    show."""
    decide: Decide = "auto"
    """"together": the comparisons say about where and when, all dates together to the
    pixel; "pairs": each comparison alone; "auto": together from pixels of 3 m on."""
    initial: tuple[tuple[str, float], ...] = ()
    """(land cover, hectares) known for the first date, such as ("forest", 1234.5), for
    rates."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, kind in (("extent", Extent), ("decide", Decide)):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(
                    f"--{name} wants one of {', '.join(get_args(kind))}; found "
                    f"'{getattr(self, name)}'"
                )
        for text in self.dates or ():
            if not is_date(text):
                raise OptionError(
                    "--dates wants dates like 2020, 2020-07 or 2020-07-14 joined by "
                    f"commas; found '{text}'"
                )
        self._check_initial()

    def _check_initial(self) -> None:
        covers = dict.fromkeys(one.cover for one in CLASSES.values() if one.cover)
        named = [cover for cover, _ in self.initial]
        for cover, hectares in self.initial:
            if named.count(cover) > 1:
                raise OptionError(
                    f"--initial wants each land cover once; found '{cover}' twice"
                )
            if cover not in covers:
                raise OptionError(
                    f"--initial wants one of {', '.join(covers)}; found '{cover}'"
                )
            if not 0 < hectares < math.inf:
                raise OptionError(
                    f"--initial wants hectares above 0; found {cover}={hectares:g}"
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into `series.json`."""
        return asdict(self) | {"initial": dict(self.initial)}
