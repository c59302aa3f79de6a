"""Lists of similar and dissimilar pictures: read from CSV, a part held out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.batching.pairs import list_lines
from geosim.errors import PairListError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_YES = ("1", "true", "yes", "similar", "same")
_NO = ("0", "false", "no", "dissimilar", "different")
_FROM = 0.5
"""Value of `similarity` from which a pair is similar."""


@dataclass(frozen=True, kw_only=True)
class SimilarPair:
    """Two pictures and whether they are similar."""

    first: Path
    """A picture."""
    second: Path
    """The other one."""
    similar: bool
    """True where their embeddings are to lie close."""


def read_similar_pairs(path: Path) -> list[SimilarPair]:
    """Read a CSV file of pairs.

    The columns `first` and `second` must be there, and `similar` (1 or 0, yes or no,
    similar or dissimilar) or `similarity` (0..1, similar from 0.5 on). Relative paths
    start at the folder of the file.

    Raises:
        PairListError: the file cannot be read, a column or a value is missing or wrong,
            a picture does not exist, or all pairs are of one kind.
    """
    reader = csv.DictReader(list_lines(path), skipinitialspace=True)
    columns = [name.strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = columns
    column = next((c for c in ("similar", "similarity") if c in columns), None)
    if column is None or not {"first", "second"} <= set(columns):
        raise PairListError(
            f"'{path}' wants the columns first, second and similar (1 or 0); found "
            f"{', '.join(columns) or 'none'}"
        )
    pairs = [_pair(path, reader.line_num, row, column) for row in reader]
    kinds = {pair.similar for pair in pairs}
    if len(kinds) < 2:  # noqa: PLR2004
        only = "none" if not kinds else "similar ones" if kinds == {True} else "others"
        raise PairListError(
            f"'{path}' wants similar and dissimilar pairs; found only {only}; add pairs"
        )
    return pairs


def _pair(
    path: Path, line: int, row: Mapping[str, str | None], column: str
) -> SimilarPair:
    places = []
    for name in ("first", "second"):
        text = (row[name] or "").strip()
        place = path.parent / text
        if not text or not place.is_file():
            raise PairListError(
                f"'{path}' row {line}: {name} wants a picture's path; found "
                f"'{text}', which is no file; correct the row"
            )
        places.append(place)
    said = (row[column] or "").strip().lower()
    return SimilarPair(
        first=places[0], second=places[1], similar=_similar(path, line, said, column)
    )


def _similar(path: Path, line: int, said: str, column: str) -> bool:
    if column == "similar" and said in (*_YES, *_NO):
        return said in _YES
    if column == "similarity":
        try:
            value = float(said)
        except ValueError:
            value = -1.0
        if 0 <= value <= 1:
            return value >= _FROM
    wanted = "1 or 0" if column == "similar" else "a number from 0 to 1"
    raise PairListError(
        f"'{path}' row {line}: {column} wants {wanted}; found '{said}'; correct the row"
    )


def hold_out_pairs(
    pairs: Sequence[SimilarPair], share: float, seed: int
) -> tuple[list[SimilarPair], list[SimilarPair]]:
    """(to learn from, held out): about a share, both kinds in both parts.

    Pictures that pairs connect stay together where that is possible, so that no held
    out picture has been seen; where all are connected, single pairs are held out.

    Raises:
        PairListError: there are too few pairs for both kinds in both parts.
    """
    groups = _connected(pairs)
    order = np.random.default_rng(seed).permutation(len(groups))
    wanted = max(round(share * len(pairs)), 2)
    held: list[SimilarPair] = []
    for index in order:
        if len(held) < wanted and len(held) + len(groups[index]) <= 2 * wanted:
            held += groups[index]
    rest = [pair for pair in pairs if pair not in held]
    if _both_kinds(held) and _both_kinds(rest):
        return rest, held
    held = []
    for kind in (True, False):
        of_kind = [pair for pair in pairs if pair.similar is kind]
        places = np.random.default_rng(seed).permutation(len(of_kind))
        count = max(round(share * len(of_kind)), 1)
        held += [of_kind[place] for place in places[:count]]
    rest = [pair for pair in pairs if pair not in held]
    if not _both_kinds(rest):
        raise PairListError(
            f"{len(pairs)} pairs are too few to hold out {share:.0%}: similar and "
            "dissimilar ones must be left in both parts; give more pairs or another "
            "--validation"
        )
    return rest, held


def _both_kinds(pairs: Sequence[SimilarPair]) -> bool:
    return {pair.similar for pair in pairs} == {True, False}


def _connected(pairs: Sequence[SimilarPair]) -> list[list[SimilarPair]]:
    """Pairs that share no picture with those of another list."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    places = sorted({place for pair in pairs for place in (pair.first, pair.second)})
    index = {place: number for number, place in enumerate(places)}
    ends = np.array([(index[pair.first], index[pair.second]) for pair in pairs])
    ones = np.ones(len(pairs))
    shape = (len(places), len(places))
    graph = coo_matrix((ones, (ends[:, 0], ends[:, 1])), shape=shape)
    _, names = connected_components(graph, directed=False)
    groups: dict[int, list[SimilarPair]] = {}
    for pair, start in zip(pairs, ends[:, 0], strict=True):
        groups.setdefault(int(names[start]), []).append(pair)
    return list(groups.values())
