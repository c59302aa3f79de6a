"""Ranking by diffusion: similarity that flows through what lies between two pictures.

A class of pictures is no ball around the query but a winding band. A random walk with
restart on the graph of nearest neighbours (Zhou et al. 2004; Iscen, Tolias, Avrithis,
Furon & Chum 2017, arXiv:1611.05113) follows it; no label and no training is involved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, identity
from scipy.sparse.linalg import cg

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 20
"""Neighbours that a picture passes similarity to, where both are among the other's."""

SHARPNESS = 3.0
"""Exponent of the cosine similarity: near neighbours pass more."""

FLOW = 0.9
"""Share that is passed on at each step; the rest restarts at the query."""

SHORTLIST = 1000
"""Pictures, the most similar ones, among which it is done."""

_TOLERANCE, _MOST_STEPS = 1e-8, 500
"""Of the conjugate gradients."""


def diffused(
    candidates: NDArray[np.float32], query: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What of the query's similarity reaches each picture.

    Args:
        candidates: (m, d) unit vectors.
        query: (d,) unit vector.

    Returns:
        (m,) 0 or more, larger = more similar; 0 where no path leads.
    """
    nodes = np.concatenate([query[None], candidates])
    flow = _flow(nodes)
    start = np.zeros(len(nodes))
    start[0] = 1.0
    # the sum of all steps of the walk: I - FLOW * flow is symmetric and positive
    # definite, as no eigenvalue of flow is larger than 1
    system = identity(len(nodes), format="csr") - FLOW * flow
    reached, _ = cg(system, start, rtol=_TOLERANCE, maxiter=_MOST_STEPS)
    found: NDArray[np.float64] = np.maximum(reached[1:], 0.0)
    return found


def _flow(nodes: NDArray[np.float32]) -> Any:  # noqa: ANN401 - scipy has no types
    """Symmetrically normalised affinities of mutual neighbours, sparse (n, n)."""
    cosine = nodes @ nodes.T
    np.fill_diagonal(cosine, -1.0)
    near = cosine > 0
    if len(nodes) > NEIGHBOURS:
        near &= (
            cosine >= np.partition(cosine, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS, None]
        )
    rows, cols = np.nonzero(near & near.T)
    # the mean of both orders: a product's last digit may differ between them
    both = (cosine[rows, cols] + cosine[cols, rows]).astype(np.float64) / 2
    affinity = both**SHARPNESS
    sums = np.bincount(rows, weights=affinity, minlength=len(nodes))
    weight = 1.0 / np.sqrt(np.maximum(sums, 1e-12))
    values = affinity * weight[rows] * weight[cols]
    return csr_array((values, (rows, cols)), shape=cosine.shape)
