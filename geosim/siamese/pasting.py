"""Labelled objects cut from date 2 of one place and pasted into others.

Few labelled pairs show few of their objects, each on one ground and mostly far apart.
Cut along the label and pasted elsewhere they are seen turned, in other light, on other
ground and in dense rows (copy-paste, Ghiasi et al. 2021,
doi:10.1109/CVPR46437.2021.00294; for change detection Chen, Li & Shi 2021,
doi:10.1109/TGRS.2021.3066802). An object pasted into date 2 is a change; pasted into
both dates it is none, and a piece of date 2 that is only lit anew is none either: so
neither the object alone nor its seam tells of change.

Pure functions of arrays and a source of chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import (
    affine_transform,
    distance_transform_edt,
    find_objects,
    label,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.siamese.crops import Crop
    from geosim.siamese.labelled import LabelledPair

RIM = 8
"""Pixels around an object that are cut out with it: its shadow, its yard."""

FEATHER = 3.0
"""Pixels over which what is pasted fades into its new place."""

LEAST_AREA = 30
"""Pixels of the smallest object that is cut out."""

MOST_SIDE = 200
"""Height and width in pixels of the largest."""

_HALF = 0.5

_FAR = 1e3
"""Distance from the object where it was not cut out."""

Kind = Literal["change", "both", "light"]
"""Into date 2; into both dates; date 2 lit anew in the object's shape."""


@dataclass(frozen=True, kw_only=True)
class Pasting:
    """How objects are pasted. Defaults live here."""

    share: float = 0.5
    """Share of the crops that get any."""
    kinds: tuple[float, float, float] = (0.6, 0.25, 0.15)
    """How often an object is a change, stands in both dates or is light alone."""
    groups: int = 4
    """Groups in a crop at most: a row, or places of chance."""
    objects: int = 7
    """Objects in a group at most."""
    most_changed: float = 0.4
    """Share of a crop from which on no further change is pasted."""
    zoom: float = 1.3
    """Objects are pasted up to this much larger or smaller."""
    light: float = 0.2
    """Spread of the logarithm of an object's brightness."""
    colour: float = 0.04
    """The same for each band of its own."""


@dataclass(frozen=True, kw_only=True)
class ChangedObject:
    """A connected piece of a label with what date 2 shows there."""

    image: NDArray[np.float32]
    """(3, h, w) in 0..1."""
    changed: NDArray[np.bool_]
    """(h, w): what the label says, also of neighbours that reach into the cut."""
    outside: NDArray[np.float32]
    """(h, w): distance in pixels from the object, 0 on it."""
    metres: float | None
    """Size of a pixel on the ground; None where unknown."""


def cut_objects(pairs: Sequence[LabelledPair]) -> list[ChangedObject]:
    """Every connected piece of the labels that can be pasted elsewhere.

    Left out are pieces that touch an edge (cut in two), small and large ones, and those
    with pixels around them that are not valid.
    """
    found = []
    for pair in pairs:
        pieces, _ = label(pair.changed & pair.valid, np.ones((3, 3)))
        for number, box in enumerate(find_objects(pieces), start=1):
            one = _cut(pair, pieces[box] == number, box)
            if one is not None:
                found.append(one)
    return found


def _cut(
    pair: LabelledPair, piece: NDArray[np.bool_], box: tuple[slice, slice]
) -> ChangedObject | None:
    """One piece with a rim, or None where it cannot be used."""
    shape = pair.valid.shape
    inside = all(s.start > 0 and s.stop < n for s, n in zip(box, shape, strict=True))
    if not inside or piece.sum() < LEAST_AREA or max(piece.shape) > MOST_SIDE:
        return None
    rim = RIM + int(FEATHER)
    low = [min(rim, s.start) for s in box]
    high = [min(rim, n - s.stop) for s, n in zip(box, shape, strict=True)]
    wide = tuple(
        slice(s.start - a, s.stop + b) for s, a, b in zip(box, low, high, strict=True)
    )
    if not pair.valid[wide].all():
        return None
    around = np.pad(piece, list(zip(low, high, strict=True)))
    return ChangedObject(
        image=pair.after[:, *wide].astype(np.float32),
        changed=pair.changed[wide],
        outside=distance_transform_edt(~around).astype(np.float32),
        metres=pair.metres,
    )


def paste_objects(
    crop: Crop,
    objects: Sequence[ChangedObject],
    rng: np.random.Generator,
    how: Pasting,
) -> Crop:
    """Paste groups of objects.

    Args:
        crop: where to; it stays as it is.
        objects: what; of a scale with it.
        rng: Source of chance.
        how: How many and how varied.

    Returns:
        Another crop.
    """
    side = crop.changed.shape[0]
    new = replace(
        crop,
        before=crop.before.copy(),
        after=crop.after.copy(),
        changed=crop.changed.copy(),
    )
    for _ in range(int(rng.integers(1, how.groups + 1))):
        chosen = rng.integers(len(objects), size=int(rng.integers(1, how.objects + 1)))
        group = [objects[int(number)] for number in chosen]
        angle = float(rng.uniform(0, 2 * np.pi))
        zoom = float(np.exp(rng.uniform(-1, 1) * np.log(how.zoom)))
        mirrored = bool(rng.integers(2))
        for one, centre in zip(group, _centres(group, side, rng), strict=True):
            kind: Kind = rng.choice(np.array(["change", "both", "light"]), p=how.kinds)
            if kind == "change" and new.changed.mean() > how.most_changed:
                kind = "both"
            place = turned(one, angle, zoom, mirrored=mirrored)
            rim = float(rng.uniform(FEATHER / 2, RIM))
            paste(new, place, centre, kind, rim=rim, gain=_gain(rng, how))
    return new


def _centres(
    group: Sequence[ChangedObject], side: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(N, 2) rows and columns: one beside the other along a line, or anywhere."""
    places = rng.uniform(0, side, (len(group), 2))
    if rng.integers(2):
        angle = float(rng.uniform(0, 2 * np.pi))
        wide = np.array([max(one.changed.shape) - 2 * RIM for one in group], float)
        along = np.cumsum(wide) * float(rng.uniform(0.8, 1.4))
        line = np.array([np.sin(angle), np.cos(angle)])
        places = places[0] + (along - along.mean())[:, None] * line
    return np.rint(places).astype(np.int64)


def turned(
    one: ChangedObject, angle: float, zoom: float, *, mirrored: bool
) -> ChangedObject:
    """An object turned, enlarged and mirrored about its centre.

    Args:
        one: the object.
        angle: in radians, from the rows' towards the columns' direction.
        zoom: factor of its size.
        mirrored: whether left and right change places first.
    """
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array([[cos, sin], [-sin, cos]])
    if mirrored:
        matrix[1] *= -1
    size = np.array(one.changed.shape)
    room = np.ceil(np.abs(np.linalg.inv(matrix)) @ size - 1e-9).astype(int)
    shift = (size - 1) / 2 - matrix @ ((room - 1) / 2)

    def mapped(
        values: NDArray[np.float32], **beyond: str | float
    ) -> NDArray[np.float32]:
        found: NDArray[np.float32] = affine_transform(
            values, matrix, shift, output_shape=tuple(room), order=1, **beyond
        )
        return found

    return ChangedObject(
        image=np.stack([mapped(band, mode="nearest") for band in one.image]),
        changed=mapped(one.changed.astype(np.float32)) > _HALF,
        outside=mapped(one.outside, cval=_FAR) * np.float32(zoom),
        metres=one.metres,
    )


def paste(
    crop: Crop,
    one: ChangedObject,
    centre: NDArray[np.int64],
    kind: Kind,
    *,
    rim: float,
    gain: NDArray[np.float32],
) -> None:
    """Paste an object into the arrays of a crop; what sticks out is cut off.

    The label travels with the pixels: on the rim it says what it said where the object
    came from.

    Args:
        crop: where to; its arrays change.
        one: what.
        centre: (2,) row and column of its middle.
        kind: what it is there.
        rim: pixels around the object that come with it; half of `FEATHER` at least.
        gain: (3, 1, 1), factor of its brightness; of its root if only light changes.
    """
    size, side = np.array(one.changed.shape), np.array(crop.changed.shape)
    corner = np.asarray(centre) - size // 2
    low, high = np.maximum(corner, 0), np.minimum(corner + size, side)
    if (low >= high).any():
        return
    there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    here = tuple(slice(a, b) for a, b in zip(low - corner, high - corner, strict=True))
    opacity = np.clip((rim - one.outside[here]) / FEATHER + 0.5, 0, 1)
    covered = opacity > _HALF
    for date in (crop.after, crop.before)[: 1 + (kind == "both")]:
        old = date[:, *there]
        new = old * np.sqrt(gain) if kind == "light" else one.image[:, *here] * gain
        date[:, *there] = old + opacity * (np.clip(new, 0, 1) - old)
    if kind != "light":
        said = one.changed[here] & (kind == "change")
        crop.changed[there] = np.where(covered, said, crop.changed[there])


def _gain(rng: np.random.Generator, how: Pasting) -> NDArray[np.float32]:
    """Other light on one object."""
    logarithm = rng.normal(0, how.light) + rng.normal(0, how.colour, (3, 1, 1))
    gain: NDArray[np.float32] = np.exp(logarithm).astype(np.float32)
    return gain
