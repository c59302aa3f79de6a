"""Search by matrix product, pairs, groups: pure functions of arrays.

Embeddings are unit vectors, so that their product is the cosine similarity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 2048
"""Rows of a block of products: 2048 x 100,000 numbers are 800 MB, so columns are cut
into blocks too."""
_COLUMNS = 16384


def nearest(
    embeddings: NDArray[np.float32], query: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The pictures most similar to a query.

    Args:
        embeddings: (n, d) unit vectors.
        query: (d,) or, views of one query of which the best counts, (v, d).
        count: how many are wanted.

    Returns:
        Rows of `embeddings` and cosine similarities -1..1, each (min(count, n),), the
        most similar first, equal ones in the order of their rows.
    """
    views = np.atleast_2d(query)
    # one product of matrix and vector reads the embeddings once at memory's speed
    scores = embeddings @ views[0] if len(views) == 1 else _best_view(embeddings, views)
    kept = min(count, len(scores))
    if kept < len(scores):
        # all that tie with the last one stay, for the order to decide
        least = np.partition(scores, len(scores) - kept)[len(scores) - kept]
        rows = np.flatnonzero(scores >= least)
    else:
        rows = np.arange(len(scores))
    order = rows[np.argsort(-scores[rows], kind="stable")][:kept]
    return order.astype(np.int64), scores[order].astype(np.float32)


def _best_view(
    embeddings: NDArray[np.float32], views: NDArray[np.float32]
) -> NDArray[np.float32]:
    best: NDArray[np.float32] = (embeddings @ views.T).max(axis=1)
    return best


def similar_pairs(
    embeddings: NDArray[np.float32], least: float, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], bool]:
    """All pairs of pictures that are similar, by blocks of the product.

    Args:
        embeddings: (n, d) unit vectors.
        least: cosine similarity from which a pair counts.
        most: how many pairs are kept at most.

    Returns:
        (p, 2) rows of `embeddings`, the smaller first; (p,) cosine similarities; the
        most similar pair first. And whether there were more than `most`.
    """
    kept = _Best(most)
    for top in range(0, len(embeddings), _ROWS):
        block = embeddings[top : top + _ROWS]
        for left in range(top, len(embeddings), _COLUMNS):
            products = block @ embeddings[left : left + _COLUMNS].T
            first, second = np.nonzero(products >= max(least, kept.least))
            scores = products[first, second]
            once = first + top < second + left
            pairs = np.stack([first[once] + top, second[once] + left], axis=1)
            kept.add(pairs.astype(np.int64), scores[once])
    return kept.pairs, kept.scores, kept.full


class _Best:
    """The best pairs so far."""

    def __init__(self, most: int) -> None:
        self.most, self.full = most, False
        self.least = -np.inf
        self.pairs = np.zeros((0, 2), np.int64)
        self.scores = np.zeros(0, np.float32)

    def add(self, pairs: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        if not len(scores):
            return
        pairs = np.concatenate([self.pairs, pairs])
        scores = np.concatenate([self.scores, scores])
        order = np.lexsort((pairs[:, 1], pairs[:, 0], -scores))
        if len(order) > self.most:
            self.full, order = True, order[: self.most]
            self.least = float(scores[order[-1]])
        self.pairs, self.scores = pairs[order], scores[order]


def groups_of(pairs: NDArray[np.int64], size: int) -> list[list[int]]:
    """Groups of pictures that similar pairs connect, directly or through others.

    Args:
        pairs: (p, 2) rows.
        size: number of all pictures.

    Returns:
        Rows of each group of two or more, rising; the largest group first.
    """
    ones = np.ones(len(pairs), np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    members = [part.tolist() for part in np.split(order, starts)]
    found = [one for one in members if len(one) > 1]
    return sorted(found, key=lambda one: (-len(one), one[0]))
