"""Tables: land covers, classes of change with their direction and colour, themes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["any", "deforestation", "urban", "water", "ice"]
"""What a run is about."""

SeasonRule = Literal["auto", "keep"]
"""Whether what only the season changed is taken out where it can be told, or kept."""

RGBA = tuple[int, int, int, int]
"""Red, green, blue, opacity; 0..255."""


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What covers the ground."""

    slug: str
    """Value of `from_class` and `to_class`."""
    label: str
    """As a legend says it."""


@dataclass(frozen=True, kw_only=True)
class ChangeClass:
    """A kind of change, with its direction."""

    slug: str
    """Value of `class`."""
    label: str
    """As a legend says it."""
    colour: RGBA
    """Red, green, blue, alpha; 0..255."""
    cover: str | None = None
    """The land cover that came or went; None: the class is not about one."""
    direction: Literal["gain", "loss"] | None = None
    """Whether the cover came or went."""


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A question: which classes answer it, and which cover it asks for first."""

    slug: ThemeName
    """Value of `--theme`."""
    label: str
    """As a heading says it."""
    classes: tuple[str, ...]
    """Slugs of the classes that are kept."""
    first: tuple[str, ...] = ()
    """Covers that name the class of a change before any other: forest that becomes a
    town is forest lost to the one and built-up gained to the other."""


COVERS: dict[str, Cover] = {
    item.slug: item
    for item in (
        Cover(slug="forest", label="forest"),
        Cover(slug="vegetation", label="other vegetation"),
        Cover(slug="built_up", label="built-up"),
        Cover(slug="water", label="water"),
        Cover(slug="snow_ice", label="snow and ice"),
        Cover(slug="bare", label="bare ground"),
        Cover(slug="other", label="other"),
    )
}
"""Land covers by slug, in the order of every table and array of memberships."""

CHANGED_CLASS = "changed"
"""Class where none can be told."""

NO_CHANGE = "no_change"
"""What a map says where nothing changed; no class of change."""

CLASSES: dict[str, ChangeClass] = {
    item.slug: item
    for item in (
        ChangeClass(
            slug="forest_loss",
            label="forest loss",
            colour=(165, 0, 38, 255),
            cover="forest",
            direction="loss",
        ),
        ChangeClass(
            slug="forest_gain",
            label="forest gain",
            colour=(27, 120, 55, 255),
            cover="forest",
            direction="gain",
        ),
        ChangeClass(
            slug="built_up_gain",
            label="built-up gain",
            colour=(230, 97, 1, 255),
            cover="built_up",
            direction="gain",
        ),
        ChangeClass(
            slug="built_up_loss",
            label="built-up loss",
            colour=(253, 184, 99, 255),
            cover="built_up",
            direction="loss",
        ),
        ChangeClass(
            slug="water_gain",
            label="water gain",
            colour=(8, 81, 156, 255),
            cover="water",
            direction="gain",
        ),
        ChangeClass(
            slug="water_loss",
            label="water loss",
            colour=(107, 174, 214, 255),
            cover="water",
            direction="loss",
        ),
        ChangeClass(
            slug="snow_ice_gain",
            label="snow and ice gain",
            colour=(84, 39, 136, 255),
            cover="snow_ice",
            direction="gain",
        ),
        ChangeClass(
            slug="snow_ice_loss",
            label="snow and ice loss",
            colour=(178, 171, 210, 255),
            cover="snow_ice",
            direction="loss",
        ),
        ChangeClass(
            slug="bare_or_mining",
            label="bare ground or mining",
            colour=(140, 81, 10, 255),
            cover="bare",
            direction="gain",
        ),
        ChangeClass(slug="other", label="other change", colour=(115, 115, 115, 255)),
        ChangeClass(
            slug=CHANGED_CLASS, label="change of no class", colour=(216, 27, 96, 255)
        ),
    )
}
"""Classes by slug, in the order of a legend."""

THEMES: dict[str, Theme] = {
    item.slug: item
    for item in (
        Theme(slug="any", label="all change", classes=tuple(CLASSES)),
        Theme(
            slug="deforestation",
            label="forest lost and gained",
            classes=("forest_loss", "forest_gain"),
            first=("forest",),
        ),
        Theme(
            slug="urban",
            label="built-up gained and lost",
            classes=("built_up_gain", "built_up_loss"),
            first=("built_up",),
        ),
        Theme(
            slug="water",
            label="water gained and lost",
            classes=("water_gain", "water_loss"),
            first=("water",),
        ),
        Theme(
            slug="ice",
            label="snow and ice gained and lost",
            classes=("snow_ice_gain", "snow_ice_loss"),
            first=("snow_ice",),
        ),
    )
}
"""Themes by slug."""

_ORDER = ("snow_ice", "water", "built_up", "forest", "bare")
"""Which of two covers names a change, where the theme asks for neither: ice and water
are told most surely."""


def class_of(before: str, after: str, theme: Theme = THEMES["any"]) -> str:
    """Slug of the class of a change from one cover to another.

    Args:
        before: slug of the land cover on date 1.
        after: of date 2.
        theme: its covers name the class before any other.
    """
    if before != after:
        for cover in (*theme.first, *_ORDER):
            for slug, kind in CLASSES.items():
                here = after if kind.direction == "gain" else before
                if kind.cover == cover == here:
                    return slug
    return "other"
