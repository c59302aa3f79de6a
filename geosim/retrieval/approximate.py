"""Approximate search in large collections: a small-world graph by usearch.

Hierarchical navigable small worlds (Malkov & Yashunin 2018, arXiv:1603.09320): a search
visits some thousand pictures of millions. What it finds is then ranked exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

APPROXIMATE_FROM = 200_000
"""Pictures from which an index gets a graph: below, the exact search is as quick."""

_CONNECTIVITY, _EFFORT_ADDING, _EFFORT_SEARCHING = 16, 128, 256
"""Neighbours of a node; nodes looked at when one is added, and at each search."""

_CANDIDATES = 10
"""Times as many are fetched as are wanted: half precision may swap near ones."""


def build_graph(embeddings: NDArray[np.float32], threads: int) -> bytes:
    """Make the graph of all embeddings, in half precision.

    Args:
        embeddings: (n, d) unit vectors.
        threads: to use.

    Returns:
        It as bytes, for `open_graph`.

    Raises:
        MissingDependencyError: usearch is not installed.
    """
    graph = _empty(embeddings.shape[1])
    graph.add(np.arange(len(embeddings)), embeddings, threads=threads)
    return bytes(graph.save())


def open_graph(content: bytes, size: int) -> Any:  # noqa: ANN401 - usearch's own
    """The graph of embeddings of `size` numbers, ready to search."""
    graph = _empty(size)
    graph.load(content)
    return graph


def nearest(
    graph: Any,  # noqa: ANN401
    embeddings: NDArray[np.float32],
    query: NDArray[np.float32],
    count: int,
) -> NDArray[np.int64]:
    """Rows that are likely the nearest, more than wanted, to be ranked exactly.

    Args:
        graph: of `embeddings`.
        embeddings: (n, d) unit vectors.
        query: (v, d) views of one query.
        count: how many are wanted.
    """
    wanted = min(count * _CANDIDATES, len(embeddings))
    found = [graph.search(view, wanted).keys for view in query]
    rows: NDArray[np.int64] = np.unique(np.concatenate(found)).astype(np.int64)
    return rows


def available() -> bool:
    """Whether usearch is installed."""
    try:
        _usearch()
    except MissingDependencyError:
        return False
    return True


def _usearch() -> Any:  # noqa: ANN401
    try:
        from usearch import index
    except ImportError as error:
        raise MissingDependencyError(
            f"approximate search needs usearch, which cannot be imported ({error}); "
            "install it with: pip install 'geosim[search]'"
        ) from error
    return index


def _empty(size: int) -> Any:  # noqa: ANN401
    return _usearch().Index(
        ndim=size,
        metric="ip",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_EFFORT_ADDING,
        expansion_search=_EFFORT_SEARCHING,
    )
