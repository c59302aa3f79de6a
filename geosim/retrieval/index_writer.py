"""Writing the index file: tables, and a hidden file that work is done in.

An index is worked on in a hidden file beside it and renamed when the work is done: the
name always stands for a whole index. What an interrupted run finished is in the hidden
file, and the next run goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import GeosimError, IndexFileError, OutputError
from geosim.machine.disk import cause_of
from geosim.retrieval.index_file import (
    APPLICATION_ID,
    FORMAT,
    WAIT,
    check_kind,
    read_model,
    reading,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.retrieval.records import Entry, ModelRecord, Source

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL, finished TEXT NOT NULL DEFAULT ''
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources,
    name TEXT NOT NULL, stamp TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, time REAL, position TEXT, place TEXT,
    embedding BLOB NOT NULL, UNIQUE (source, name)
);
CREATE TABLE thumbnails (item INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE graph (part INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""
# thumbnails stand apart, so that reading all embeddings does not read them too

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


@contextmanager
def editing(
    path: Path,
    model: ModelRecord,
    sources: Sequence[str] | None = None,
    *,
    rebuild: bool,
) -> Iterator[IndexWriter]:
    """An index to work on, new or with what is in it; whole under its name at the end.

    Args:
        path: the index file.
        model: what makes the embeddings.
        sources: paths of what will be in it; the draft of an interrupted run goes on
            where it is of these, or of what the index has already. None: of any.
        rebuild: True: what there is already goes.

    Raises:
        IndexFileError: there is an index of another model, one that is damaged, or a
            file that is none.
        OutputError: the file cannot be written.
    """
    allowed = None if sources is None else [*sources]
    if path.exists():
        check_kind(path)
    if path.exists() and not rebuild:
        with reading(path) as database:
            _check_model(path, read_model(database), model)
            allowed = None if allowed is None else allowed + _paths(database)
    draft = path.with_name(f".{path.name}.partial")
    try:
        _prepare(draft, path, model, allowed, rebuild=rebuild)
        with _at_work(draft) as database:
            yield IndexWriter(database)
        os.replace(draft, path)  # noqa: PTH105
    except (OSError, sqlite3.OperationalError) as error:
        if isinstance(error, GeosimError):
            raise
        raise OutputError(
            f"the index '{path}' cannot be written: {cause_of(error, path.parent)}; "
            "choose another place with -o"
        ) from error
    except sqlite3.DatabaseError as error:
        draft.unlink(missing_ok=True)
        raise IndexFileError(
            f"'{path}' is damaged ({error}); make it anew with 'geosim index --rebuild'"
        ) from error


def _paths(database: sqlite3.Connection) -> list[str]:
    """Paths of all sources."""
    return [row[0] for row in database.execute("SELECT path FROM sources")]


@contextmanager
def _at_work(draft: Path) -> Iterator[sqlite3.Connection]:
    """The hidden file; gone where the work ends early with nothing in it."""
    with closing(sqlite3.connect(draft, timeout=WAIT)) as database:
        # held until the end: a second run on the same index is refused
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN IMMEDIATE")
        database.commit()
        # a crash of the machine may cost the last pictures, which are then done again
        database.execute("PRAGMA synchronous = NORMAL")
        try:
            yield database
        except BaseException:
            if database.execute("SELECT 1 FROM items").fetchone() is None:
                draft.unlink()
            raise


def _prepare(
    draft: Path,
    path: Path,
    model: ModelRecord,
    allowed: Sequence[str] | None,
    *,
    rebuild: bool,
) -> None:
    """Make the hidden file, unless an interrupted run left one that fits."""
    if draft.exists():
        if _goes_on(draft, model, allowed) and not rebuild:
            return
        draft.unlink()
        draft.with_name(draft.name + "-journal").unlink(missing_ok=True)
    if path.exists() and not rebuild:
        shutil.copyfile(path, draft)
        return
    with closing(sqlite3.connect(draft)) as database, database:
        database.executescript(_SCHEMA)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {FORMAT}")
        values = [(key, json.dumps(value)) for key, value in asdict(model).items()]
        database.executemany("INSERT INTO about VALUES (?, ?)", values)


def _goes_on(draft: Path, model: ModelRecord, allowed: Sequence[str] | None) -> bool:
    """Whether an interrupted run's file is whole, of this model and these sources.

    Raises:
        OutputError: another run is working on it.
    """
    try:
        with reading(draft) as database:
            ours = allowed is None or all(
                any(same_place(one, other) for other in allowed)
                for one in _paths(database)
            )
            return ours and _same_model(read_model(database), model)
    except IndexFileError:
        return False


def _check_model(path: Path, found: ModelRecord, wanted: ModelRecord) -> None:
    if _same_model(found, wanted):
        return
    raise IndexFileError(
        f"'{path}' was made with the model {found.model} (weights "
        f"{found.weights_sha256[:12]}), now it is {wanted.model} (weights "
        f"{wanted.weights_sha256[:12]}); name the same model and weights, choose "
        "another file with -o or make it anew with --rebuild"
    )


def _same_model(found: ModelRecord, wanted: ModelRecord) -> bool:
    """Whether embeddings of both can be compared; the weights' path may differ."""
    return replace(found, weights="") == replace(wanted, weights="")


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
