"""Writing the tables of an index: sources, pictures, thumbnails, the graph."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.retrieval.records import Entry, Source

_GRAPH_PART = 1 << 28
"""Bytes of a piece of the approximate index: SQLite's values end at 1 GB."""


class IndexWriter:
    """An index in work: every call is kept as a whole or not at all."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def source(self, source: Source) -> int:
        """Number of a source; a new one is added.

        One that was indexed with other settings begins anew: its pictures go.
        """
        every = "SELECT id, settings, path FROM sources"
        with self._database as database:
            known = database.execute(every).fetchall()
            row = next((one for one in known if same_place(one[2], source.path)), None)
            if row is None:
                made = database.execute(
                    "INSERT INTO sources (kind, path, settings) VALUES (?, ?, ?)",
                    (source.kind, source.path, source.settings),
                )
                return int(made.lastrowid or 0)
            if row[1] != source.settings:
                self._drop("source = ?", [(row[0],)])
                database.execute(
                    "UPDATE sources SET kind = ?, settings = ?, finished = '' "
                    "WHERE id = ?",
                    (source.kind, source.settings, row[0]),
                )
            return int(row[0])

    def finished(self, number: int) -> str:
        """Stamp of a source that was read to its end; empty: it was not."""
        query = "SELECT finished FROM sources WHERE id = ?"
        return str(self._database.execute(query, (number,)).fetchone()[0])

    def finish(self, number: int, stamp: str) -> None:
        """A source was read to its end."""
        with self._database as database:
            database.execute(
                "UPDATE sources SET finished = ? WHERE id = ?", (stamp, number)
            )

    def held(self) -> list[tuple[str, int]]:
        """Path of each source and the number of its pictures."""
        query = (
            "SELECT path, count(items.id) FROM sources "
            "JOIN items ON items.source = sources.id GROUP BY sources.id"
        )
        return [(str(path), int(n)) for path, n in self._database.execute(query)]

    def count(self) -> int:
        """Number of all pictures."""
        query = "SELECT count(*) FROM items"
        return int(self._database.execute(query).fetchone()[0])

    def stamps(self, number: int) -> dict[str, str]:
        """Name and stamp of all pictures of a source."""
        query = "SELECT name, stamp FROM items WHERE source = ?"
        return dict(self._database.execute(query, (number,)).fetchall())

    def add(
        self,
        number: int,
        entries: Sequence[Entry],
        embeddings: NDArray[np.float32],
        thumbnails: Sequence[bytes],
    ) -> None:
        """Put pictures of a source in; those of the same names go.

        Args:
            number: of the source.
            entries: what they are.
            embeddings: (n, d) unit vectors.
            thumbnails: JPEG files.
        """
        with self._database as database:
            self._drop("source = ? AND name = ?", [(number, e.name) for e in entries])
            for entry, embedding, jpeg in zip(
                entries, embeddings, thumbnails, strict=True
            ):
                made = database.execute(
                    "INSERT INTO items (source, name, stamp, width, height, time, "
                    "position, place, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (number, *_values(entry), embedding.astype(np.float32).tobytes()),
                )
                database.execute(
                    "INSERT INTO thumbnails VALUES (?, ?)", (made.lastrowid, jpeg)
                )

    def remove(self, number: int, names: Sequence[str]) -> None:
        """Take pictures of a source out."""
        with self._database:
            self._drop("source = ? AND name = ?", [(number, name) for name in names])

    def embeddings(self) -> NDArray[np.float32]:
        """(n, d): all that is in it, in the order of `ImageIndex.embeddings`."""
        rows = self._database.execute("SELECT embedding FROM items ORDER BY id")
        found = [np.frombuffer(row[0], np.float32) for row in rows]
        return np.stack(found) if found else np.zeros((0, 1), np.float32)

    def has_graph(self) -> bool:
        """Whether there is an approximate index of what is in the file now."""
        return self._database.execute("SELECT 1 FROM graph").fetchone() is not None

    def put_graph(self, content: bytes) -> None:
        """Keep an approximate index of what is in the file now."""
        parts = range(0, len(content), _GRAPH_PART)
        with self._database as database:
            database.execute("DELETE FROM graph")
            database.executemany(
                "INSERT INTO graph VALUES (?, ?)",
                [(at, content[at : at + _GRAPH_PART]) for at in parts],
            )

    def _drop(self, which: str, values: Sequence[tuple[Any, ...]]) -> None:
        """Remove items; an approximate index then tells of others, so it goes too."""
        database = self._database
        database.executemany(
            "DELETE FROM thumbnails WHERE item IN "  # noqa: S608 - constants
            f"(SELECT id FROM items WHERE {which})",
            values,
        )
        database.executemany(f"DELETE FROM items WHERE {which}", values)  # noqa: S608
        database.execute("DELETE FROM graph")


def same_place(one: str, other: str) -> bool:
    """Whether two paths lead to one folder or file, by links or `..` too."""
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _values(entry: Entry) -> tuple[Any, ...]:
    """Name and all that follows, as the table has it."""
    return (
        entry.name,
        entry.stamp,
        entry.width,
        entry.height,
        entry.time,
        json.dumps(entry.window) if entry.window else None,
        json.dumps(asdict(entry.place)) if entry.place else None,
    )
