"""Whether the bands of several files show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.themes.roles import COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geosim.raster.source import Source


def check_colours(sources: Iterable[Source]) -> None:
    """Refuse, where no bands are asked for, red beside whatever comes first.

    Raises:
        OptionError: a file names its colours, which are not its first bands, and
            another with as many bands, so perhaps in the same order, names none: its
            first bands would be taken.
    """
    sources = list(sources)
    named = [one for one in sources if set(COLOURS) <= set(one.roles)]
    for other in sources:
        for one in named:
            if other.roles or len(other.scaling) != len(one.scaling):
                continue
            if one.bands != other.bands:
                told = ",".join(f"{role}={one.roles[role]}" for role in COLOURS)
                raise OptionError(
                    "the bands of all files must be known, or of none: "
                    f"'{one.path}' names its colours ({told}), '{other.path}' names "
                    f"none; say with --bands which they are, such as --bands {told}"
                )


def check_roles(sources: Sequence[Source]) -> None:
    """Refuse red beside blue, as far as names tell what the bands are.

    Raises:
        OptionError: as said.
    """
    first = sources[0]
    roles = {number: role for role, number in first.roles.items()}
    for other in sources[1:]:
        others = {number: role for role, number in other.roles.items()}
        for number, beside in zip(first.bands, other.bands, strict=False):
            told = roles.get(number), others.get(beside)
            if None not in told and told[0] != told[1]:
                raise OptionError(
                    f"bands that show the same are wanted; band {number} of "
                    f"'{first.path}' is {told[0]}, band {beside} of '{other.path}' is "
                    f"{told[1]}; choose them by their names, as --bands red,green,blue"
                )
