"""From one land cover to another: which class that is, how sure, and of whole objects.

A pair of covers has a number: seven times that of date 1 plus that of date 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.themes.classes import CHANGED_CLASS, CLASSES, COVERS, THEMES, class_of
from geosim.themes.parts import window_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_COUNT = len(COVERS)

UNCHANGED_WEIGHT = 0.5
"""Weight of pixels whose cover stayed: the outline of a change, which is smoothed,
always holds some."""


def class_weights(names: Sequence[str], side: int) -> NDArray[np.float64]:
    """(classes,) how much a pixel of a class counts where an object is cut.

    Args:
        names: of the classes.
        side: of the window in which the most frequent class wins, in pixels.
    """
    # a garden between houses did not change, yet belongs to what was built
    fine = side > window_side(None)
    return np.array(
        [UNCHANGED_WEIGHT if fine and name == "other" else 1.0 for name in names]
    )


@dataclass(frozen=True, kw_only=True)
class ObjectClasses:
    """Class of each object, object 1 first."""

    slugs: tuple[str, ...]
    """Slug of the class."""
    probability: NDArray[np.float64]
    """0..1."""
    before: tuple[str | None, ...]
    """Slug of the land cover on date 1; None where it cannot be told."""
    after: tuple[str | None, ...]
    """Slug of the land cover on date 2."""


def pair_classes(theme: str) -> NDArray[np.intp]:
    """(49,) place in `CLASSES` of each pair of covers."""
    slugs = list(CLASSES)
    return np.array(
        [
            slugs.index(class_of(before, after, THEMES[theme]))
            for before in COVERS
            for after in COVERS
        ]
    )


def class_confidence(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    pair: NDArray[np.intp],
    changed: NDArray[np.bool_],
    theme: str,
) -> NDArray[np.float32]:
    """How sure the class of each changed pixel is, 0..1: of all pairs of that class.

    Ground that may have been grass or soil and is water now has surely gained water.

    Args:
        before: (7, height, width) memberships of date 1, which sum to 1.
        after: (7, height, width) of date 2.
        pair: (height, width) number of the pair of covers whose class is asked for.
        changed: (height, width) where it is asked for.
        theme: slug of the theme.

    Returns:
        (n,) in the order of `changed`.
    """
    of_pair, where = pair_classes(theme), np.flatnonzero(changed)
    own = of_pair[pair.ravel()[where]].astype(np.uint8)
    # class by class, so that each is a slice
    order = np.argsort(own, kind="stable")
    old, new = (
        one.reshape(_COUNT, -1).take(where[order], axis=1) for one in (before, after)
    )
    sorted_sure, sure = np.empty((2, len(where)), np.float32)
    ends = np.cumsum(np.bincount(own, minlength=len(CLASSES)))
    for kind, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        of_kind = (of_pair == kind).reshape(_COUNT, _COUNT).astype(np.float32)
        products = old[:, first:end] * (of_kind @ new[:, first:end])
        sorted_sure[first:end] = products.sum(axis=0)
    sure[order] = np.minimum(sorted_sure, 1.0)
    return sure


def classes_of(
    sums: NDArray[np.float64], pixels: NDArray[np.int64], theme: str
) -> ObjectClasses:
    """Classes of objects from what was summed over their pixels.

    One of which nothing is known, in a gap of the infrared, is a change of no class.

    Args:
        sums: (objects, 49) confidence by pair of covers, see `Classifier.pairs`.
        pixels: (objects,).
        theme: slug of the theme, which may put some classes before others.
    """
    slugs, covers = tuple(CLASSES), tuple(COVERS)
    of_pair = pair_classes(theme)
    member = of_pair[:, None] == np.arange(len(slugs))
    weight = sums @ member
    ranked = weight.copy()
    ranked[:, slugs.index("other")] *= UNCHANGED_WEIGHT
    best = ranked.argmax(axis=1)
    pair = np.where(member[:, best].T, sums, -1.0).argmax(axis=1)
    before, after = np.divmod(pair, _COUNT)
    rows = np.arange(len(sums))
    known = weight[rows, best] > 0
    probability = np.where(known, weight[rows, best] / np.maximum(pixels, 1), np.nan)
    of_known = list(zip(best, before, after, known, strict=True))
    return ObjectClasses(
        slugs=tuple(
            slugs[one] if told else CHANGED_CLASS for one, *_, told in of_known
        ),
        probability=probability,
        before=tuple(covers[one] if told else None for _, one, _, told in of_known),
        after=tuple(covers[one] if told else None for *_, one, told in of_known),
    )
