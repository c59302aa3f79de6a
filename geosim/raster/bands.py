"""Which bands of a raster to compare: pure functions of names and interpretations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.themes.roles import COLOURS, band_roles, names_roles, role_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def choose_bands(
    wanted: str | None, interpretations: Sequence[str], descriptions: Sequence[str]
) -> tuple[int, ...]:
    """Band numbers (from 1) to compare.

    Args:
        wanted: "all", or numbers and band descriptions joined by commas ("4,3,2",
            "B04,B03,B02"), or roles or a sensor (`geosim.themes.roles`), all of whose
            bands are taken; None for red, green, blue where the file names them,
            else the first three bands (or as many as there are).
        interpretations: colour interpretation of each band, lower case.
        descriptions: description of each band, "" where it has none.

    Raises:
        OptionError: a band that the file does not have, or nothing but alpha.
    """
    usable = [
        number
        for number, kind in enumerate(interpretations, start=1)
        if kind != "alpha"
    ]
    if not usable:
        raise OptionError(
            "a raster needs a band of values to compare; found nothing but alpha"
        )
    if wanted is None:
        named = _named_colours(interpretations, descriptions)
        return named or tuple(usable[:3])
    if wanted.strip().lower() == "all":
        return tuple(usable)
    if names_roles(wanted):
        return tuple(band_roles(wanted, interpretations, descriptions).values())
    return tuple(_find_band(part.strip(), descriptions) for part in wanted.split(","))


def _named_colours(
    interpretations: Sequence[str], descriptions: Sequence[str]
) -> tuple[int, ...]:
    """Numbers of red, green and blue, or () where not all three are named."""
    for names in (
        [text.lower() for text in interpretations],
        [_colour_of(text) for text in descriptions],
    ):
        if all(colour in names for colour in COLOURS):
            return tuple(names.index(colour) + 1 for colour in COLOURS)
    return ()


def _colour_of(description: str) -> str:
    """The colour that a description names: red, green, blue or ""."""
    role = role_of(description)
    return role if role in COLOURS else ""


def _find_band(text: str, descriptions: Sequence[str]) -> int:
    """The number of the band that `text` names by number or description."""
    if text.isdecimal() and 1 <= int(text) <= len(descriptions):
        return int(text)
    wanted = text.lower()
    known = [description.lower() for description in descriptions]
    # "red" is the red band, only then one that has the word, such as "red edge"
    for matches in (
        [name == wanted for name in known],
        [_colour_of(name) == wanted for name in known],
        [f" {wanted} " in f" {name} " for name in known],
    ):
        if wanted and any(matches):
            return matches.index(True) + 1
    names = [name for name in descriptions if name]
    also = f" or one of {', '.join(names)}" if names else ""
    raise OptionError(
        f"--bands wants numbers from 1 to {len(descriptions)}{also}, roles such as "
        f"'red=3,nir=4' or a sensor; found '{text}'"
    )
