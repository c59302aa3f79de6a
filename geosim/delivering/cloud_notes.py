"""Signs of cloud, shadow and haze in a scene, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.change.clouds import cloud_signs
from geosim.change.shadows import shadow_shares
from geosim.raster.gaps import without_gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.delivering.delivery import Found

    Piece = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]

_WHITE_PERCENT = 99.5

_PLAIN = (1.0, 0.0)
"""Scale and offset of bands that declare none."""

_BEYOND = 8.0
"""Times white at which values are cut off."""


def notes_on_clouds(found: Found, *, haze: bool) -> list[str]:
    """Signs of cloud, shadow and, where wanted, haze in the scene's sampled pieces.

    Haze is told from the darkest places; a black edge that is no place spoils that.
    """
    grid = found.scene.grid
    notes = []
    shown, metres = _shown(found), grid.ground_resolution()
    signs, shares = cloud_signs(shown, metres), shadow_shares(shown, metres)
    for date, sign, shade in zip(("before", "after"), signs, shares, strict=True):
        if sign.cloudy:
            notes.append(
                f"The image of {date} seems to hold clouds (about "
                f"{100 * sign.share:.0f} % of what was looked at is bright, colourless "
                "and soft-edged, and is not so on the other date; pale bare fields can "
                f"look alike); --mask-{date} takes them out."
            )
        if shade:
            notes.append(
                f"The image of {date} seems to hold clouds' shadows (about "
                f"{100 * shade:.0f} % of what was looked at is darker by the same part "
                "in all bands, soft-edged, and shows the ground of the other date); "
                f"--mask-{date} takes them out."
            )
        if haze and sign.hazy:
            notes.append(
                f"The image of {date} seems hazy: its darkest places are brighter than "
                "the other date's; subtle changes are told less surely."
            )
    return notes


def _shown(found: Found) -> list[Piece]:
    """The sampled pieces in 0..1, with the infrared where it is known."""
    scene, pieces = found.scene, found.sample.pieces
    sources = scene.before, scene.after
    bands: list[tuple[int, ...]] = [source.bands for source in sources]
    if "nir" in scene.roles:
        read = [scene.read_roles(piece.window) for piece in pieces]
        bands = [tuple(one.roles[role] for role in scene.roles) for one in sources]
    else:
        read = [
            (
                without_gaps(piece.before, piece.valid),
                without_gaps(piece.after, piece.valid),
                piece.valid,
            )
            for piece in pieces
        ]
    valid = [
        piece.valid & known for piece, (*_, known) in zip(pieces, read, strict=True)
    ]
    dates = [[one[0] for one in read], [one[1] for one in read]]
    scaling = [
        [source.scaling[band - 1] for band in numbers]
        for source, numbers in zip(sources, bands, strict=True)
    ]
    if all(any(one != _PLAIN for one in of_date) for of_date in scaling):
        dates = [
            [_declared(one, of_date) for one in date]
            for date, of_date in zip(dates, scaling, strict=True)
        ]
    if not any(some.any() for some in valid):
        return []
    ranges = _ranges((sources[0].dtype, sources[1].dtype), dates, valid)
    return [
        (_unit(before, *ranges[0]), _unit(after, *ranges[1]), some)
        for before, after, some in zip(*dates, valid, strict=True)
    ]


def _declared(
    values: NDArray[np.float32], scaling: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    """Numbers of bands by the scale and offset that their file declares.

    Two dates of one sensor may differ in these alone, as Sentinel-2's from 2022 on do.
    """
    known: NDArray[np.float32] = np.array(scaling, np.float32)
    scale, offset = known.T[:, :, None, None]
    declared: NDArray[np.float32] = values * scale + offset
    return declared


def _unit(
    values: NDArray[np.float32], black: float, white: float
) -> NDArray[np.float32]:
    """Values on the scale that spans 0..1 from black to white.

    What lies far beyond it, as a single broken pixel of 3e38 does, is cut off.
    """
    known = np.clip(values, black, black + _BEYOND * (white - black))
    return (known - np.float32(black)) * np.float32(1.0 / max(white - black, 1e-9))


def _ranges(
    dtypes: tuple[str, str],
    dates: Sequence[Sequence[NDArray[np.float32]]],
    valid: list[NDArray[np.bool_]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Black and white of each date; numbers of two types are on two scales."""
    if set(dtypes) == {"uint8"}:
        return (0.0, 255.0), (0.0, 255.0)
    before, after = (_range(pieces, valid) for pieces in dates)
    if dtypes[0] != dtypes[1]:
        return before, after
    both = min(before[0], after[0]), max(before[1], after[1])
    return both, both


def _range(
    date: Sequence[NDArray[np.float32]], valid: list[NDArray[np.bool_]]
) -> tuple[float, float]:
    """What hardly any value of a date exceeds, above 0 or what hardly any is below.

    Decibels and other numbers below 0 have no black of their own.
    """
    values = np.concatenate(
        [piece[:, known].ravel() for piece, known in zip(date, valid, strict=True)]
    )
    dark, white = np.percentile(values, [100 - _WHITE_PERCENT, _WHITE_PERCENT])
    return min(float(dark), 0.0), float(white)
