"""One search: query vectors in, ranked pictures out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.retrieval import approximate, exact
from geosim.retrieval.diffusion import SHORTLIST, diffused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.retrieval.index_file import ImageIndex
    from geosim.retrieval.records import Entry
    from geosim.search_options import Ranking


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One picture that was found."""

    rank: int
    """From 1."""
    score: float
    """Cosine similarity of the embeddings, -1..1, 1 same."""
    entry: Entry
    """What it is."""
    position: int
    """Its row in `ImageIndex.embeddings`."""
    matches: int | None = None
    """Features that agree with the query's, 20 and more: the same thing; None: not
    checked."""


class Searcher:
    """Searches an index; its graph is opened once."""

    def __init__(self, index: ImageIndex, *, use_graph: bool) -> None:
        self.index = index
        self._graph: Any = None
        if use_graph and (content := index.graph()):
            self._graph = approximate.open_graph(content, index.model.size)

    @property
    def exact(self) -> bool:
        """Whether all pictures are looked at."""
        return self._graph is None

    def nearest(
        self, query: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and cosine similarities, the most similar first.

        Args:
            query: (d,), or views of one query of which the best counts, (v, d).
            count: how many are wanted.
        """
        embeddings = self.index.embeddings
        if self._graph is None:
            return exact.nearest(embeddings, query, count)
        views = np.atleast_2d(query)
        rows = approximate.nearest(self._graph, embeddings, views, count)
        order, scores = exact.nearest(embeddings[rows], query, count)
        return rows[order], scores

    def ranked(
        self, query: NDArray[np.float32], count: int, rank: Ranking
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `nearest`, or by diffusion from the first view."""
        if rank == "similarity":
            return self.nearest(query, count)
        first = np.atleast_2d(query)[0]
        rows, scores = self.nearest(first, max(count, SHORTLIST))
        reached = diffused(self.index.embeddings[rows], first)
        # where no path leads, the similarity itself decides
        order = np.lexsort((-scores, -reached))[:count]
        return rows[order], scores[order]

    def hits(
        self, query: NDArray[np.float32], count: int, rank: Ranking = "similarity"
    ) -> list[Hit]:
        """As `ranked`, with what the pictures are."""
        rows, scores = self.ranked(query, count, rank)
        found = zip(rows, scores, self.index.entries(rows), strict=True)
        return [
            Hit(rank=place, score=float(score), entry=entry, position=int(row))
            for place, (row, score, entry) in enumerate(found, start=1)
        ]
