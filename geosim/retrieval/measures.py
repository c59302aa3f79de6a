"""How well a ranking finds pictures of the same class: pure functions of arrays.

Every picture is the query once and the others are ranked (leave one out). Definitions:
Manning, Raghavan & Schuetze 2008, Introduction to Information Retrieval, chapter 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.retrieval.diffusion import SHORTLIST, diffused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def similarity_ranks(embeddings: NDArray[np.float32], row: int) -> NDArray[np.int64]:
    """All rows, the most similar to one of them first."""
    scores = embeddings @ embeddings[row]
    return np.argsort(-scores, kind="stable").astype(np.int64)


def diffused_ranks(embeddings: NDArray[np.float32], row: int) -> NDArray[np.int64]:
    """As `similarity_ranks`, the most similar ones by diffusion among them."""
    order = similarity_ranks(embeddings, row)
    order = order[order != row]
    near, far = order[:SHORTLIST], order[SHORTLIST:]
    reached = diffused(embeddings[near], embeddings[row])
    # where no path leads, the similarity itself decides
    near = near[np.argsort(-reached, kind="stable")]
    return np.concatenate([[row], near, far])


@dataclass(frozen=True, kw_only=True)
class RankingQuality:
    """Of one model on one labelled collection."""

    mean_average_precision: float
    """Mean over all queries of the area under precision against recall, 0..1."""
    depths: tuple[int, ...]
    """Lengths k of the list."""
    precision: tuple[float, ...]
    """Mean share of the first k that are of the query's class."""
    recall: tuple[float, ...]
    """Mean share of the query's class that is among the first k."""
    per_class: dict[str, float]
    """Mean average precision of the queries of each class."""


def leave_one_out(
    embeddings: NDArray[np.float32],
    labels: Sequence[str],
    depths: Sequence[int] = (1, 5, 10, 20, 50),
    ranks: Callable[[NDArray[np.float32], int], NDArray[np.int64]] | None = None,
) -> RankingQuality:
    """Rank all others for each picture and see where its class comes.

    Args:
        embeddings: (n, d) unit vectors.
        labels: class of each; one with a single picture is ranked among the others
            but is no query, as nothing can be found.
        depths: lengths k; those of n and more are left out.
        ranks: order of all rows for the query in one row; None: `similarity_ranks`.

    Raises:
        ValueError: no class has two pictures.
    """
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    size = len(codes)
    counts = np.bincount(codes)
    queries = np.flatnonzero(counts[codes] > 1)
    if not len(queries):
        raise ValueError("no class has two pictures")
    depths = tuple(k for k in depths if k < size) or (size - 1,)
    average = np.zeros(len(queries))
    hits_at = np.zeros((len(queries), len(depths)))
    for row, query in enumerate(queries):
        order = (ranks or similarity_ranks)(embeddings, int(query))
        right = codes[order[order != query]] == codes[query]
        hits = np.cumsum(right)
        places = np.flatnonzero(right)
        average[row] = (hits[places] / (places + 1)).mean()
        hits_at[row] = hits[np.array(depths) - 1]
    wanted = (counts[codes[queries]] - 1)[:, None]
    classes = {
        str(names[code]): float(average[codes[queries] == code].mean())
        for code in np.unique(codes[queries])
    }
    return RankingQuality(
        mean_average_precision=float(average.mean()),
        depths=depths,
        precision=tuple((hits_at / np.array(depths)).mean(axis=0).tolist()),
        recall=tuple((hits_at / wanted).mean(axis=0).tolist()),
        per_class=classes,
    )
