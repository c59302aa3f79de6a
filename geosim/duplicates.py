"""The most similar pairs of a collection, and groups of near duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import OptionError
from geosim.retrieval import delivering, exact
from geosim.retrieval.index_file import ImageIndex, open_index
from geosim.search_options import DEFAULT_PAIR_SIMILARITY, MOST_PAIRS

if TYPE_CHECKING:
    from geosim.retrieval.records import Entry


@dataclass(frozen=True, kw_only=True)
class PairsResult:
    """What `find_pairs` found."""

    pairs: tuple[tuple[Entry, Entry, float], ...]
    """Two pictures and their cosine similarity, the most similar first."""
    groups: tuple[tuple[Entry, ...], ...]
    """Near duplicates that pairs connect, the largest group first."""
    complete: bool
    """False where there are more pairs than are kept."""
    folder: Path | None
    """Where the files are; None where none were written."""


def find_pairs(
    index: str | Path | ImageIndex,
    least: float = DEFAULT_PAIR_SIMILARITY,
    *,
    most: int = MOST_PAIRS,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> PairsResult:
    """Find the most similar pairs of a collection, and groups of near duplicates.

    Args:
        index: the index file, or what `open_index` made of it.
        least: cosine similarity from which a pair counts.
        most: pairs that are kept at most, the most similar ones.
        out: folder for pairs and groups as CSV and JSON and a sheet; None: no files.
        overwrite: True: an earlier result in the folder is replaced.

    Raises:
        IndexFileError: the index is none.
        OptionError: a similarity that is none.
        GeosimError: the folder cannot be written.
    """
    if not -1 <= least <= 1:
        raise OptionError(f"--least wants a similarity from -1 to 1; found {least:g}")
    if most < 1:
        raise OptionError(f"--most wants at least 1 pair; found {most}")
    folder = None if out is None else Path(out)
    if folder is not None:
        delivering.check_result(folder, delivering.PAIR_FILES, overwrite=overwrite)
    opened = index if isinstance(index, ImageIndex) else open_index(index)
    rows, scores, full = exact.similar_pairs(opened.embeddings, least, most)
    grouped = exact.groups_of(rows, len(opened))
    used = np.unique(rows)
    known = dict(zip(used.tolist(), opened.entries(used), strict=True))
    pairs = tuple(
        (known[int(a)], known[int(b)], float(score))
        for (a, b), score in zip(rows, scores, strict=True)
    )
    if folder is not None:
        shown = [
            list(zip((known[m] for m in one), opened.thumbnails(one), strict=True))
            for one in grouped
        ]
        about = {"index": str(opened.path), "least": least, "complete": not full}
        files = delivering.pair_files(pairs, shown, about)
        delivering.deliver(folder, files, delivering.PAIR_FILES)
    return PairsResult(
        pairs=pairs,
        groups=tuple(tuple(known[m] for m in one) for one in grouped),
        complete=not full,
        folder=folder,
    )
