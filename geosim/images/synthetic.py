"""Pairs of pictures that are alike to a chosen degree, made from real ones.

A share of one picture is exchanged for another's content, along regions that follow its
edges or along polygons; then light, blur and grain change a little, which is to be
ignored. The similarity is the share that was left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from geosim.images.pixels import resized
from geosim.siamese.synthesis import add_nuisance, polygons, superpixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

_FEATHER = 0.7
"""Standard deviation by which the edge of what is exchanged is softened, in pixels."""


@dataclass(frozen=True, kw_only=True)
class PicturePair:
    """Two pictures and the truth about them."""

    first: FloatArray
    """(3, height, width) float32 in 0..1."""
    second: FloatArray
    """As `first`."""
    changed: NDArray[np.bool_]
    """(height, width), True where the second shows something else."""

    @property
    def similarity(self) -> float:
        """Share of the picture that shows the same, 0..1."""
        return 1 - float(self.changed.mean())


def make_pair(
    picture: FloatArray,
    donor: FloatArray,
    similarity: float,
    rng: np.random.Generator,
    *,
    nuisance: float = 1.0,
) -> PicturePair:
    """Make a pair of a chosen degree of similarity.

    Args:
        picture: (3, height, width) float32 in 0..1.
        donor: of the same size; its content takes the place of what is exchanged.
        similarity: share of the picture that stays, 0..1; kept to a pixel.
        rng: source of chance.
        nuisance: how much light, blur and grain differ; 0: not at all, 1: as usual.
    """
    changed = regions_of(picture, donor, 1 - similarity, rng)
    opacity = changed.astype(np.float32)
    if changed.any() and not changed.all():
        opacity = gaussian_filter(opacity, _FEATHER)
    second = picture + opacity * (donor - picture)
    return PicturePair(
        first=picture,
        second=add_nuisance(second.astype(np.float32), rng, strength=nuisance),
        changed=changed,
    )


def regions_of(
    picture: FloatArray, donor: FloatArray, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Regions that cover a share of a picture, to a pixel.

    Regions are taken in an order drawn at random until they cover enough; of the last
    one those pixels that lie nearest to its first.
    """
    shape = (picture.shape[1], picture.shape[2])
    wanted = round(share * shape[0] * shape[1])
    along_edges = rng.random() < 0.5  # noqa: PLR2004
    labels = superpixels(donor, rng) if along_edges else polygons(shape, rng)
    changed = np.zeros(shape, np.bool_)
    missing = wanted
    # label 0, what lies between polygons, comes last
    names = np.unique(labels)
    for name in [*rng.permutation(names[names > 0]), *names[names == 0]]:
        region = np.flatnonzero(labels == name)
        if len(region) > missing:
            rows, cols = np.unravel_index(region, shape)
            start = rng.integers(len(region))
            away = np.hypot(rows - rows[start], cols - cols[start])
            region = region[np.argsort(away, kind="stable")[:missing]]
        changed.ravel()[region] = True
        missing -= len(region)
        if missing <= 0:
            break
    return changed


def square_of(picture: FloatArray, side: int, rng: np.random.Generator) -> FloatArray:
    """A square piece of a picture, drawn at random, as large as it will go.

    Args:
        picture: (3, height, width).
        side: of the piece that is given back, in pixels.
        rng: source of chance.
    """
    height, width = picture.shape[1:]
    whole = min(height, width)
    row = int(rng.integers(height - whole + 1))
    col = int(rng.integers(width - whole + 1))
    return resized(picture[:, row : row + whole, col : col + whole], side, side)
