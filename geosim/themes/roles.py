"""Which band is red, near infrared, ...: from names, from the user, from a sensor.

Pure functions of texts and numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from geosim.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = ("red", "green", "blue", "nir", "swir1", "swir2")
"""What a band can be, in the order in which a sensor's bands are compared: about 0.66,
0.56, 0.48, 0.84, 1.6 and 2.2 micrometres."""

COLOURS = ROLES[:3]

SENSORS: dict[str, dict[int, dict[str, int]]] = {
    # bands 1-5 and 7; a file of seven bands holds the thermal one as number 6
    "landsat-tm": {
        6: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6},
        7: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 7},
    },
    "landsat-etm": {
        6: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6},
        7: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 7},
        8: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 7},
    },
    # six bands: 2 to 7, without the coastal one
    "landsat-oli": {
        6: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6},
        **{
            count: {"blue": 2, "green": 3, "red": 4, "nir": 5, "swir1": 6, "swir2": 7}
            for count in range(7, 12)
        },
    },
    # 4: B2 B3 B4 B8; 6: those and B11 B12; 10: those of 10 and 20 m; 12: level 2A,
    # which has no B10; 13: level 1C
    "sentinel-2": {
        4: {"blue": 1, "green": 2, "red": 3, "nir": 4},
        6: {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6},
        10: {"blue": 1, "green": 2, "red": 3, "nir": 7, "swir1": 9, "swir2": 10},
        12: {"blue": 2, "green": 3, "red": 4, "nir": 8, "swir1": 11, "swir2": 12},
        13: {"blue": 2, "green": 3, "red": 4, "nir": 8, "swir1": 12, "swir2": 13},
    },
    "naip": {
        3: {"red": 1, "green": 2, "blue": 3},
        4: {"red": 1, "green": 2, "blue": 3, "nir": 4},
    },
}
"""Sensor to bands by role, by the number of bands that a file has."""

_SENTINEL_2 = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B08": "nir",
    "B11": "swir1",
    "B12": "swir2",
}
"""Zero-padded names are Sentinel-2's alone; B4 would be another band on Landsat."""

_PHRASES = (
    (r"red ?edge", None),
    (r"swir ?(2|22)|short ?wave infrared 2", "swir2"),
    (r"swir( ?1| ?16)?|short ?wave infrared( 1)?", "swir1"),
    (r"nir( ?08)?|near ?infrared", "nir"),
    (r"red", "red"),
    (r"green", "green"),
    (r"blue", "blue"),
)
"""Words of a band's description and the role that they tell, the first that fits."""


def is_sensor(wanted: str) -> bool:
    """True where a text names a sensor."""
    return wanted.strip().lower() in SENSORS


def knows(sensor: str, count: int) -> bool:
    """True where a sensor has files of so many bands."""
    return count in SENSORS[sensor.strip().lower()]


def names_roles(wanted: str) -> bool:
    """True where a text gives roles, such as `red=3,nir=4`, or names a sensor."""
    return "=" in wanted or is_sensor(wanted)


def per_date(wanted: str | None) -> tuple[str | None, str | None]:
    """What is wanted of each date: `landsat-tm:landsat-oli` says it apart."""
    parts = wanted.split(":") if wanted else []
    if len(parts) == 2 and all(names_roles(part) for part in parts):  # noqa: PLR2004
        return parts[0], parts[1]
    return wanted, wanted


def role_of(description: str) -> str | None:
    """The role that a band's description tells; None where it tells none."""
    text = re.sub(r"[-_./,;:()\s]+", " ", description).strip()
    for word in text.upper().split():
        if word in _SENTINEL_2:
            return _SENTINEL_2[word]
    for words, role in _PHRASES:
        if re.search(rf"\b({words})\b", text.lower()):
            return role
    return None


def band_roles(
    wanted: str | None, interpretations: Sequence[str], descriptions: Sequence[str]
) -> dict[str, int]:
    """Band numbers (from 1) by role, as far as they can be told.

    Args:
        wanted: of one date: roles or a sensor; anything else tells no roles.
        interpretations: colour interpretation of each band, lower case.
        descriptions: description of each band, "" where it has none.

    Raises:
        OptionError: a role that there is not, a band that the file does not have, a
            sensor whose files have another number of bands.
    """
    if wanted is not None and is_sensor(wanted):
        usable = [i for i, kind in enumerate(interpretations, 1) if kind != "alpha"]
        sensor = wanted.strip().lower()
        roles = _of_sensor(sensor, usable)
        _check_names(sensor, roles, descriptions)
        return roles
    if wanted is not None and "=" in wanted:
        return _written(wanted, len(descriptions))
    told = _told(descriptions)
    kinds = [kind.lower() for kind in interpretations]
    if all(colour in kinds for colour in COLOURS):
        told |= {colour: kinds.index(colour) + 1 for colour in COLOURS}
    return {role: told[role] for role in ROLES if role in told}


def known_roles(
    wanted: str | None, interpretations: Sequence[str], descriptions: Sequence[str]
) -> dict[str, int]:
    """Roles that are written, in that order, then what names tell of other bands.

    Who says which bands are red, green and blue says nothing of an infrared.

    Args:
        wanted: see `band_roles`.
        interpretations: as there.
        descriptions: as there.

    Raises:
        OptionError: as there.
    """
    roles = band_roles(wanted, interpretations, descriptions)
    if wanted is not None and names_roles(wanted):
        for role, number in band_roles(None, interpretations, descriptions).items():
            if number not in roles.values():
                roles.setdefault(role, number)
    return roles


def _told(descriptions: Sequence[str]) -> dict[str, int]:
    """Band numbers by the roles that descriptions tell, the first of each."""
    return {
        role: number
        for number, text in reversed(list(enumerate(descriptions, start=1)))
        if (role := role_of(text)) is not None
    }


def _check_names(
    sensor: str, roles: Mapping[str, int], descriptions: Sequence[str]
) -> None:
    """Refuse a sensor whose order of bands is not that of the bands' names."""
    told = _told(descriptions)
    for role, number in roles.items():
        if told.get(role, number) != number:
            name = descriptions[told[role] - 1]
            raise OptionError(
                f"--bands {sensor} takes band {number} for {role}, but by its name "
                f"that is band {told[role]} ('{name}'); leave --bands out, or say "
                "which are which, such as 'red=3,nir=4'"
            )


def _of_sensor(sensor: str, usable: Sequence[int]) -> dict[str, int]:
    """The roles of a sensor's file."""
    known = SENSORS[sensor]
    if len(usable) not in known:
        raise OptionError(
            f"--bands {sensor} wants a file of {_either(known)} bands; found "
            f"{len(usable)}; say which are which, such as 'red=3,nir=4'"
        )
    bands = known[len(usable)]
    return {role: usable[bands[role] - 1] for role in ROLES if role in bands}


def _either(counts: Mapping[int, object]) -> str:
    *first, last = [str(count) for count in sorted(counts)]
    return f"{', '.join(first)} or {last}" if first else last


def _written(wanted: str, count: int) -> dict[str, int]:
    """Roles as a user writes them, in that order."""
    roles: dict[str, int] = {}
    for part in wanted.split(","):
        role, _, number = (text.strip().lower() for text in part.partition("="))
        if role not in ROLES:
            raise OptionError(
                f"--bands wants the roles {', '.join(ROLES)}; found '{part.strip()}'"
            )
        if not number.isdecimal() or not 1 <= int(number) <= count:
            raise OptionError(
                f"--bands wants numbers from 1 to {count}; found '{part.strip()}'"
            )
        if role in roles:
            raise OptionError(f"--bands wants each role once; found '{role}' twice")
        roles[role] = int(number)
    return roles
