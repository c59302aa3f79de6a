"""The index file: embeddings, where each picture is, thumbnails; one SQLite database.

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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import GeosimError, IndexFileError, OutputError
from geosim.retrieval.records import Entry, ModelRecord, Place, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

APPLICATION_ID = 0x67736978
"""Written into the file's header ("gsix"): tells an index from other databases."""

FORMAT = 1
"""Version of the tables below, in the header as `user_version`."""

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

_WAIT = 1.0
"""Seconds to wait for another run that holds the file."""

_COLUMNS = "kind, path, settings, name, stamp, width, height, time, position, place"


@dataclass(frozen=True, kw_only=True)
class ImageIndex:
    """An index file, opened for searching."""

    path: Path
    """The file."""
    model: ModelRecord
    """What made the embeddings."""
    ids: NDArray[np.int64]
    """(n,): the pictures' numbers in the file, rising."""
    embeddings: NDArray[np.float32]
    """(n, d): unit vectors, in the order of `ids`."""

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.ids)

    def entries(self, positions: Sequence[int] | NDArray[np.int64]) -> list[Entry]:
        """What is known of the pictures at these rows of `embeddings`."""
        query = (
            f"SELECT {_COLUMNS} FROM items JOIN sources "  # noqa: S608 - a constant
            "ON sources.id = items.source WHERE items.id = ?"
        )
        with _reading(self.path) as database:
            rows = [
                database.execute(query, (int(self.ids[at]),)).fetchone()
                for at in positions
            ]
        return [_entry(row) for row in rows]

    def thumbnails(self, positions: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """JPEG files of the pictures at these rows."""
        query = "SELECT jpeg FROM thumbnails WHERE item = ?"
        with _reading(self.path) as database:
            return [
                database.execute(query, (int(self.ids[at]),)).fetchone()[0]
                for at in positions
            ]

    def graph(self) -> bytes | None:
        """The approximate index that was stored; None: none of this content."""
        with _reading(self.path) as database:
            parts = database.execute("SELECT content FROM graph ORDER BY part")
            return b"".join(row[0] for row in parts) or None


def open_index(path: str | Path) -> ImageIndex:
    """Read an index file: all but the thumbnails and the names.

    Raises:
        IndexFileError: it is missing, no index, or was cut short.
    """
    path = Path(path)
    with _reading(path) as database:
        model = _model(database)
        rows = database.execute("SELECT id, embedding FROM items ORDER BY id")
        found = rows.fetchall()
    content = b"".join(row[1] for row in found)
    embeddings = np.frombuffer(content, np.float32)
    if len(embeddings) != len(found) * model.size:
        raise IndexFileError(
            f"'{path}' holds embeddings that are not {model.size} numbers long; the "
            "file is damaged: make it anew with 'geosim index --rebuild'"
        )
    return ImageIndex(
        path=path,
        model=model,
        ids=np.array([row[0] for row in found], np.int64),
        embeddings=embeddings.reshape(len(found), model.size),
    )


class IndexWriter:
    """An index in work: every call is kept as a whole or not at all."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def source(self, source: Source) -> int:
        """Number of a source; a new one is added.

        One that was indexed with other settings begins anew: its pictures go.
        """
        find = "SELECT id, settings FROM sources WHERE path = ?"
        with self._database as database:
            row = database.execute(find, (source.path,)).fetchone()
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


@contextmanager
def editing(path: Path, model: ModelRecord, *, rebuild: bool) -> Iterator[IndexWriter]:
    """An index to work on, new or with what is in it; whole under its name at the end.

    Args:
        path: the index file.
        model: what makes the embeddings.
        rebuild: True: what there is already goes.

    Raises:
        IndexFileError: there is an index of another model, or a file that is none.
        OutputError: the file cannot be written.
    """
    if path.exists() and not rebuild:
        with _reading(path) as database:
            _check_model(path, _model(database), model)
    draft = path.with_name(f".{path.name}.partial")
    try:
        _prepare(draft, path, model, rebuild=rebuild)
        with _at_work(draft) as database:
            yield IndexWriter(database)
        os.replace(draft, path)  # noqa: PTH105
    except (OSError, sqlite3.OperationalError) as error:
        if isinstance(error, GeosimError):
            raise
        raise OutputError(
            f"the index '{path}' cannot be written: {error}; choose another place "
            "with -o"
        ) from error


@contextmanager
def _at_work(draft: Path) -> Iterator[sqlite3.Connection]:
    """The hidden file; gone where the work ends early with nothing in it."""
    with closing(sqlite3.connect(draft, timeout=_WAIT)) as database:
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


def _prepare(draft: Path, path: Path, model: ModelRecord, *, rebuild: bool) -> None:
    """Make the hidden file, unless an interrupted run left one that fits."""
    if draft.exists():
        if _goes_on(draft, model) and not rebuild:
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


def _goes_on(draft: Path, model: ModelRecord) -> bool:
    """Whether an interrupted run's file is whole and of this model.

    Raises:
        OutputError: another run is working on it.
    """
    try:
        with _reading(draft) as database:
            return _same_model(_model(database), model)
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


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that is an index of a format we know."""
    if not path.is_file():
        raise IndexFileError(
            f"there is no index '{path}'; make one with 'geosim index FOLDER -o "
            f"{path.name}'"
        )
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT)) as database:
            _check_header(path, database)
            yield database
    except (sqlite3.Error, json.JSONDecodeError, TypeError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise OutputError(
                f"another run is working on the index '{path}'; wait for its end or "
                "choose another file with -o"
            ) from error
        raise IndexFileError(
            f"'{path}' cannot be read as an index ({error}); it is another kind of "
            "file or was damaged: make it anew with 'geosim index --rebuild'"
        ) from error


def _check_header(path: Path, database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise IndexFileError(f"'{path}' is no index; 'geosim index' makes one")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found != FORMAT:
        raise IndexFileError(
            f"'{path}' is an index of format {found}, this geosim reads format "
            f"{FORMAT}; make it anew with 'geosim index --rebuild'"
        )


def _model(database: sqlite3.Connection) -> ModelRecord:
    values: Mapping[str, str] = dict(database.execute("SELECT * FROM about"))
    return ModelRecord(**{key: json.loads(value) for key, value in values.items()})


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


def _entry(row: Sequence[Any]) -> Entry:
    kind, path, settings, name, stamp, width, height, time, window, place = row
    found = json.loads(place) if place else None
    return Entry(
        source=Source(kind=kind, path=path, settings=settings),
        name=name,
        stamp=stamp,
        width=width,
        height=height,
        time=time,
        window=tuple(json.loads(window)) if window else None,
        place=Place(crs=found["crs"], corners=tuple(tuple(c) for c in found["corners"]))
        if found
        else None,
    )
