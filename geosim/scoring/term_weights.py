"""Weights of the score's terms in a scene, from the pieces that its sample keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.classical import cva_magnitude
from geosim.siamese.architecture import term_row
from geosim.siamese.engine import level_distances
from geosim.siamese.weighting import (
    FIXED_TERM_WEIGHTS,
    SHALLOW,
    log_distance,
    scene_weights,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.scoring.sampling import Sample
    from geosim.siamese.weights import LoadedWeights


def sampled_weights(
    sample: Sample, weights: LoadedWeights, metres: float | None, *, threads: int | None
) -> NDArray[np.float32]:
    """Weights of the terms in this scene, from the sample's pieces.

    Args:
        sample: of the scene.
        weights: with the row of the head that the pixel size asks for.
        metres: size of a pixel on the ground; None where unknown.
        threads: of the network's first layers; all cores where None.

    Returns:
        (4,) float32, in the order of `TERMS`.
    """
    row = term_row(metres)
    pieces = [
        sample.radiometry.apply(p.before, p.after, p.valid) for p in sample.pieces
    ]
    valid = np.concatenate([p.valid.ravel() for p in sample.pieces])
    colour = [colour_distance(*piece) for piece in pieces]
    shallow = level_distances(
        weights,
        [(as_rgb(before), as_rgb(after)) for before, after in pieces],
        SHALLOW,
        threads=threads,
    )
    found = {"colour": colour, SHALLOW: list(shallow)}
    medians = {
        name: float(
            np.median(log_distance(np.concatenate([p.ravel() for p in parts])[valid]))
        )
        for name, parts in found.items()
    }
    return scene_weights(
        weights.arrays["head.term_weights"][row],
        medians,
        row=row,
        bands=len(sample.before),
    )


def fixed_weights(metres: float | None) -> NDArray[np.float32]:
    """Weights of the terms in the score that a decoder's log odds are blended with."""
    return np.array(FIXED_TERM_WEIGHTS[term_row(metres)], np.float32)


def colour_distance(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Length of the colour change over all bands, 0..sqrt(3) as of three bands."""
    return np.float32(math.sqrt(3.0)) * cva_magnitude(before, after)


def as_rgb(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first three bands; a single one is repeated."""
    return image[:3] if len(image) >= 3 else np.repeat(image, 3, axis=0)  # noqa: PLR2004
