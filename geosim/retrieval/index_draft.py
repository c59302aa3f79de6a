"""The hidden file that an index is worked on in.

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
from typing import TYPE_CHECKING

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
from geosim.retrieval.index_writer import IndexWriter, same_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geosim.retrieval.records import ModelRecord

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
