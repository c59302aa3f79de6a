"""Crops to learn from: cut from labelled pairs and varied by chance.

Pure functions of arrays and a source of chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geosim.siamese.pasting import Pasting, paste_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.siamese.labelled import LabelledPair
    from geosim.siamese.pasting import ChangedObject

_Kind = TypeVar("_Kind", bound=np.generic)

MOST_UNLIKE = 1.5
"""Objects are pasted where pixels are at most this much larger or smaller."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How crops are varied. Defaults live here."""

    crop: int = 256
    """Height and width of a crop in pixels, a multiple of 16."""
    changed_share: float = 0.6
    """Share of the crops that are cut around a changed pixel."""
    same_date_share: float = 0.1
    """Share of the crops that show one date twice, where nothing changed."""
    swap_dates: bool = False
    """Whether half of the crops show date 2 first: for labels that mark what came and
    what went alike."""
    scale: float = 1.25
    """Crops are shown up to this much larger or smaller."""
    shift: int = 2
    """Date 2 is moved by up to this many pixels in half of the crops."""
    light: float = 0.15
    """Spread of the logarithm of brightness and gamma that both dates share."""
    light_apart: float = 0.05
    """The same for each date and band of its own."""
    pasting: Pasting = field(default_factory=Pasting)
    """How objects of the labels are pasted into other places."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One square to learn from."""

    before: NDArray[np.float32]
    """(3, S, S) in 0..1."""
    after: NDArray[np.float32]
    """(3, S, S)."""
    changed: NDArray[np.bool_]
    """(S, S)."""
    valid: NDArray[np.bool_]
    """(S, S)."""


def draw_crop(
    pairs: Sequence[LabelledPair],
    rng: np.random.Generator,
    how: Augmentation,
    objects: Sequence[ChangedObject] = (),
) -> Crop:
    """Cut a square and vary it: place, what stands there, size, orientation and light.

    Args:
        pairs: Where from; some hold a changed pixel.
        rng: Source of chance; the same state gives the same crop.
        how: What varies.
        objects: What may be pasted, as `pasting.cut_objects` gives it.
    """
    pair, centre = _choose(pairs, rng, how)
    side = round(how.crop * float(np.exp(rng.uniform(-1, 1) * np.log(how.scale))))
    shift = rng.integers(-how.shift, how.shift + 1, 2) * int(rng.integers(2))
    corner = centre - rng.integers(0, side, 2)
    index = [_window(corner, side, pair.valid.shape)]
    index.append(_window(corner + shift, side, pair.valid.shape))
    crop = Crop(
        before=_taken(pair.before, index[0]).astype(np.float32),
        after=_taken(pair.after, index[1]).astype(np.float32),
        changed=_taken(pair.changed, index[0]),
        valid=_taken(pair.valid, index[0]),
    )
    crop = _dates(crop, rng, how)
    alike = [one for one in objects if _of_a_scale(one.metres, pair.metres)]
    if alike and rng.random() < how.pasting.share:
        crop = paste_objects(crop, alike, rng, how.pasting)
    return _relit(_turned(_resized(crop, how.crop), rng), rng, how)


def _of_a_scale(first: float | None, second: float | None) -> bool:
    """Whether pixels are about as large; they are taken to be where it is unknown."""
    if first is None or second is None:
        return True
    return max(first, second) <= MOST_UNLIKE * min(first, second)


def _choose(
    pairs: Sequence[LabelledPair], rng: np.random.Generator, how: Augmentation
) -> tuple[LabelledPair, NDArray[np.int64]]:
    """A pair and a pixel (row, col) that the crop holds."""
    with_change = [pair for pair in pairs if len(pair.places)]
    if with_change and rng.random() < how.changed_share:
        pair = with_change[int(rng.integers(len(with_change)))]
        place = int(pair.places[int(rng.integers(len(pair.places)))])
    else:
        area = np.array([pair.valid.size for pair in pairs], float)
        pair = pairs[int(rng.choice(len(pairs), p=area / area.sum()))]
        place = int(rng.integers(pair.valid.size))
    return pair, np.array(np.unravel_index(place, pair.valid.shape))


Index = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


def _window(corner: NDArray[np.int64], side: int, shape: tuple[int, ...]) -> Index:
    """Rows and columns of a square, moved inwards, mirrored where it cannot lie in."""
    found = []
    for start, size in zip(corner, shape, strict=True):
        first = int(np.clip(start, 0, max(size - side, 0)))
        places = np.arange(first, first + side) % (2 * size)
        found.append(np.where(places < size, places, 2 * size - 1 - places))
    return found[0], found[1]


def _taken(array: NDArray[_Kind], index: Index) -> NDArray[_Kind]:
    taken: NDArray[_Kind]
    taken = array[..., index[0][:, None], index[1]]
    return taken


def _dates(crop: Crop, rng: np.random.Generator, how: Augmentation) -> Crop:
    """Show one date twice, or the dates the other way round, by chance."""
    kind = rng.random()
    swapped = bool(rng.integers(2))
    if kind < how.same_date_share:
        shown = crop.before if swapped else crop.after
        nothing = np.zeros_like(crop.changed)
        return replace(crop, before=shown, after=shown, changed=nothing)
    if how.swap_dates and swapped:
        return replace(crop, before=crop.after, after=crop.before)
    return crop


def _resized(crop: Crop, side: int) -> Crop:
    """Bilinear; label and validity follow the nearest pixel."""
    size = crop.valid.shape[0]
    if size == side:
        return crop
    at = np.clip((np.arange(side) + 0.5) * size / side - 0.5, 0, size - 1)
    low = np.minimum(at.astype(int), size - 2)
    part = (at - low).astype(np.float32)
    near = np.rint(at).astype(int)

    def smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = image[:, low] * (1 - part)[:, None] + image[:, low + 1] * part[:, None]
        cols: NDArray[np.float32]
        cols = rows[..., low] * (1 - part) + rows[..., low + 1] * part
        return cols

    return Crop(
        before=smooth(crop.before),
        after=smooth(crop.after),
        changed=crop.changed[near[:, None], near],
        valid=crop.valid[near[:, None], near],
    )


def _turned(crop: Crop, rng: np.random.Generator) -> Crop:
    """One of the eight orientations of a square."""
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))

    def turn(array: NDArray[_Kind]) -> NDArray[_Kind]:
        turned = np.rot90(array, turns, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if mirror else turned)

    return Crop(
        before=turn(crop.before),
        after=turn(crop.after),
        changed=turn(crop.changed),
        valid=turn(crop.valid),
    )


def _relit(crop: Crop, rng: np.random.Generator, how: Augmentation) -> Crop:
    """Other light: much of it on both dates alike, a little on each alone."""
    shared = rng.normal(0, how.light, 2)
    lit = []
    for date in (crop.before, crop.after):
        gain = np.exp(shared[0] + rng.normal(0, how.light_apart, (3, 1, 1)))
        gamma = np.exp(shared[1] + rng.normal(0, how.light_apart))
        offset = rng.normal(0, how.light_apart / 2, (3, 1, 1))
        image = np.power(np.maximum(date, 1e-4), gamma) * gain + offset
        lit.append(np.clip(image, 0, 1).astype(np.float32))
    return replace(crop, before=lit[0], after=lit[1])
