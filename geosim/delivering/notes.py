"""What a reader of a result should know, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.change.scores import UNIT_LEVELS
from geosim.deciding.decision import STRIP_ROWS
from geosim.delivering.cloud_notes import notes_on_clouds
from geosim.delivering.collars import notes_on_collars
from geosim.delivering.delivery import input_dates
from geosim.options import ChangeOptions
from geosim.raster.coregister import LARGEST
from geosim.raster.grid import strips
from geosim.themes.classes import CHANGED_CLASS

if TYPE_CHECKING:
    from geosim.deciding.decision import Decision
    from geosim.delivering.delivery import Found
    from geosim.raster.scene import Scene
    from geosim.scoring.sampling import Sample

_FEW_PX = 10_000
"""Pixels with data that are few, of a raster that has more."""

_OF_NETWORK = ("weights", "device", "precision")
"""Options that only a method with a network heeds."""

_LEAST_PERCENT = 0.05
"""What would be told as 0.0 % is not worth a note."""


def notes_on(found: Found) -> tuple[str, ...]:
    """What a reader should know, one sentence each."""
    notes = []
    grid = found.scene.grid
    if grid.crs is None:
        said = "The images have no coordinate reference system: areas are in pixels"
        least = found.options.min_area
        also = f", also --min-area: {least.value:g} px" if least.unit == "m2" else ""
        notes.append(f"{said}{also}.")
    notes += [*_on_network(found.options), *_on_dates(*input_dates(found))]
    decision = found.decision
    if decision.valid_px < _FEW_PX <= grid.width * grid.height:
        notes.append(
            f"Only {decision.valid_px:,} px have data on both dates: light and shift "
            "hang on few places."
        )
    notes += _on_nothing(decision, found.options)
    notes += _on_shift(found.sample, found.options)
    share = 100 * (decision.season_px or 0) / max(decision.valid_px, 1)
    if share >= _LEAST_PERCENT:
        notes.append(
            f"{share:.1f} % of the area look different, but are field or water on both "
            "dates: counted as season, not as change; --season keep counts them."
        )
    collars = notes_on_collars(found)
    notes += [*collars, *_on_classes(found), *_on_masks(found)]
    return (*notes, *notes_on_clouds(found, haze=not collars))


def _on_network(options: ChangeOptions) -> list[str]:
    """Options of the network, beside a method without one."""
    if options.method == "siamese":
        return []
    usual = ChangeOptions()
    unused = [
        f"--{name}"
        for name in _OF_NETWORK
        if getattr(options, name) != getattr(usual, name)
    ]
    if not unused:
        return []
    return [
        f"{' and '.join(unused)} did nothing: --method {options.method} has no network."
    ]


def _on_shift(sample: Sample, options: ChangeOptions) -> list[str]:
    """How the dates lie on each other."""
    notes, shift = [], sample.shift
    if shift is None:
        notes.append("The shift between the dates could not be measured.")
    elif not shift.agreed:
        notes.append(
            "The shift between the dates is uncertain: sample windows do not agree."
        )
    elif shift.at_the_end:
        notes.append(
            f"The dates lie {LARGEST:g} pixels apart or more, which is all that is "
            "looked for: bring them onto each other first, such as with the "
            "Georeferencer of QGIS."
        )
    elif not sample.corrected and max(abs(shift.d_row), abs(shift.d_col)) > 1:
        notes.append(
            "The dates lie more than a pixel apart; --coregister takes the shift out."
        )
    if options.coregister and not sample.corrected:
        notes.append("The shift was not corrected, because it is not certain.")
    return notes


def _on_dates(before: str | None, after: str | None) -> list[str]:
    """ISO dates in the wrong order; of 2020 and 2020-07 either may be the later."""
    if before is None or after is None:
        return []
    known = min(len(before), len(after))
    if before[:known] <= after[:known]:
        return []
    said = (
        f"BEFORE is of {before}, later than AFTER of {after}: what was lost is told as "
        "gained; change their order, or the dates by --date-before and --date-after."
    )
    return [said]


def _on_nothing(decision: Decision, options: ChangeOptions) -> list[str]:
    """Why no place changed: the threshold, or the minimum mapping unit."""
    if decision.changed_px:
        return []
    threshold, histogram = decision.threshold, decision.histogram
    reached = int(histogram[threshold.level :].sum())
    if reached:
        said = (
            f"No object is kept: {reached:,} px reach the threshold "
            f"{threshold.value:.3f}, but nowhere as many together as --min-area "
            f"{options.min_area} wants."
        )
        return [said]
    largest = float(np.flatnonzero(histogram).max()) / UNIT_LEVELS
    other = "a smaller number" if threshold.rule == "fixed" else "a number or otsu"
    said = (
        f"Nothing was decided to have changed: the probability is at most "
        f"{largest:.3f}, the threshold {threshold.value:.3f}; {other} as --threshold "
        "shows the most different places all the same."
    )
    return [said]


def _on_classes(found: Found) -> list[str]:
    """How the classes of change were told."""
    theme, roles = found.options.theme, found.scene.roles
    if found.decision.classes is None:
        said = (
            "What the changes are cannot be told: the bands are not known; name them, "
            "such as --bands red=1,green=2,blue=3,nir=4 or --bands naip."
        )
        if len(found.scene.before.bands) == 1:
            said = "What the changes are cannot be told from one band."
        return [said] if theme != "any" or found.decision.changed_px else []
    notes = []
    if theme != "any":
        notes.append(theme_note(theme))
    if "nir" not in roles and found.decision.classes.slugs:
        notes.append(
            "The classes of change are told from colour and texture alone, which is "
            "less sure than from an infrared band."
        )
    unknown = found.decision.classes.slugs.count(CHANGED_CLASS)
    if unknown:
        notes.append(
            f"Of {unknown:,} changed place{'s' * (unknown > 1)} no class can be told: "
            "a band that tells it, such as the infrared, has no data there."
        )
    return notes


def theme_note(theme: str) -> str:
    """What of a comparison is of its theme alone."""
    return (
        f"Places and classes are those of the theme '{theme}' alone; the changed "
        "area and share, change.tif and the from-to table tell of all that changed."
    )


def _on_masks(found: Found) -> list[str]:
    """How much the masks took out."""
    scene = found.scene
    shares = masked_shares(scene)
    return [
        f"The mask of {date} takes out {100 * share:.1f} % of the area."
        for date, share in zip(("before", "after"), shares, strict=True)
        if share is not None
    ]


def masked_shares(scene: Scene) -> tuple[float | None, ...]:
    """Share of the grid that each date's mask takes out; None without a mask."""
    masked = [0, 0]
    given = [path is not None for path in (scene.masks.before, scene.masks.after)]
    if any(given):
        for window in strips(scene.grid, STRIP_ROWS):
            for date, part in enumerate(scene.masked(window)):
                masked[date] += 0 if part is None else int(part.sum())
    total = scene.grid.width * scene.grid.height
    return tuple(
        count / total if known else None
        for count, known in zip(masked, given, strict=True)
    )
