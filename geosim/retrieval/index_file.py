"""The index file: embeddings, where each picture is, thumbnails; one SQLite database.

Read here, written by `index_writer` in `index_draft`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import IndexFileError, OutputError
from geosim.retrieval.records import Entry, ModelRecord, Place, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

APPLICATION_ID = 0x67736978
"""Written into the file's header ("gsix"): tells an index from other databases."""

FORMAT = 1
"""Version of the tables below, in the header as `user_version`."""

WAIT = 1.0
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
        with reading(self.path) as database:
            rows = [
                database.execute(query, (int(self.ids[at]),)).fetchone()
                for at in positions
            ]
        return [_entry(row) for row in rows]

    def thumbnails(self, positions: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """JPEG files of the pictures at these rows."""
        query = "SELECT jpeg FROM thumbnails WHERE item = ?"
        with reading(self.path) as database:
            return [
                database.execute(query, (int(self.ids[at]),)).fetchone()[0]
                for at in positions
            ]

    def graph(self) -> bytes | None:
        """The approximate index that was stored; None: none of this content."""
        with reading(self.path) as database:
            parts = database.execute("SELECT content FROM graph ORDER BY part")
            return b"".join(row[0] for row in parts) or None


def open_index(path: str | Path) -> ImageIndex:
    """Read an index file: all but the thumbnails and the names.

    Raises:
        IndexFileError: it is missing, no index, or was cut short.
    """
    path = Path(path)
    with reading(path) as database:
        model = read_model(database)
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


_DATABASE = b"SQLite format 3\0"
"""First bytes of a file."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that is an index of a format we know.

    Raises:
        IndexFileError: it is missing, no index, or was cut short.
        OutputError: another run is working on it.
    """
    if path.is_dir():
        raise IndexFileError(
            f"an index is a file; '{path}' is a folder; name a file, such as "
            f"'{path.name}.index'"
        )
    if not path.is_file():
        raise IndexFileError(
            f"there is no index '{path}'; make one with 'geosim index FOLDER -o "
            f"{path.name}'"
        )
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT)) as database:
            _check_header(path, database)
            yield database
    except IndexFileError:
        raise
    except (sqlite3.Error, ValueError, TypeError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise OutputError(
                f"another run is working on the index '{path}'; wait for its end or "
                "choose another file with -o"
            ) from error
        raise IndexFileError(
            f"'{path}' cannot be read as an index ({error}); it is another kind of "
            "file or was damaged: make it anew with 'geosim index --rebuild'"
        ) from error


def check_kind(path: Path) -> None:
    """Refuse a file that is neither empty nor a database: it is somebody's.

    Raises:
        IndexFileError: it is one, or a folder.
    """
    if path.is_dir():
        with reading(path):
            return
    with path.open("rb") as file:
        head = file.read(len(_DATABASE))
    if head and head != _DATABASE:
        raise IndexFileError(
            f"'{path}' is no index, but a file of another kind; choose another file "
            "with -o"
        )


def _check_header(path: Path, database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise IndexFileError(f"'{path}' is no index; 'geosim index' makes one")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found != FORMAT:
        raise IndexFileError(
            f"'{path}' is an index of format {found}, this geosim reads format "
            f"{FORMAT}; make it anew with 'geosim index --rebuild'"
        )


def read_model(database: sqlite3.Connection) -> ModelRecord:
    """What made the embeddings."""
    values: Mapping[str, str] = dict(database.execute("SELECT * FROM about"))
    return ModelRecord(**{key: json.loads(value) for key, value in values.items()})


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
