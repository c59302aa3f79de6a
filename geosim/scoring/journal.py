"""What a run has finished, so that another one can go on from there.

Two files in the working folder: `key.json` says which run it is, `blocks` holds what
each finished block added to the scene's sums, in their order. Adding the same numbers
in the same order again gives the same sums to the last bit.
"""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import OtherRunError, OutputError, ResultExistsError
from geosim.raster.staging import work_folder, work_path, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.raster.staging import WorkFolder
    from geosim.raster.writer import WorkRaster

_KEY, _BLOCKS = "key.json", "blocks"

_HEAD = struct.Struct("<QI")
"""Length and CRC-32 of a record. One of length 0 is a mark: all before it, and the
pixels of these blocks, are on the disk."""

_SHARE = 100
"""Waiting for the disk takes at most one part in this many of the time."""


class Journal:
    """The finished blocks of a run, in order."""

    def __init__(
        self, work: WorkFolder, rasters: Sequence[WorkRaster], total: int
    ) -> None:
        """Open the journal and find what is finished.

        Args:
            work: the working folder.
            rasters: what the pixels of a block are written to.
            total: blocks of the whole run.

        Raises:
            OutputError: it cannot be written.
        """
        self._work, self._rasters, self._total = work, rasters, total
        path = work.path / _BLOCKS
        with writing(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._path = path
        self.finished, self._end = finished_records(path)
        """Blocks that need not be done again."""
        self._added, self._due = self.finished, 0.0
        if self.finished:
            self._tell()

    def entries(self) -> Iterator[dict[str, NDArray[Any]]]:
        """What each finished block added, the first one first."""
        with self._path.open("rb") as file:
            for _ in range(self.finished):
                content = _record(file)
                while content == b"":  # a mark
                    content = _record(file)
                assert content is not None  # noqa: S101 - counted before
                with np.load(io.BytesIO(content), allow_pickle=False) as held:
                    yield dict(held)

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Note that the next block is done and its pixels are written.

        Raises:
            OutputError: the disk is full.
        """
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **dict(arrays))
        self._append(content.getvalue())
        self._added += 1
        if time.monotonic() >= self._due:
            self.sync()

    def sync(self) -> None:
        """Wait until all that was added is on the disk; from here on it is finished.

        Raises:
            OutputError: the disk is full.
        """
        if self._added == self.finished:
            return
        began = time.monotonic()
        for raster in self._rasters:
            raster.sync()
        self._append(b"")
        with writing(self._path):
            os.fsync(self._file)
        now = time.monotonic()
        self._due = now + _SHARE * (now - began)
        self.finished = self._added
        self._tell()

    def close(self) -> None:
        """Save what was added since the last time, if that can be, and close."""
        with suppress(OSError):
            self.sync()
        os.close(self._file)

    def _append(self, content: bytes) -> None:
        """Write a record; one that an interruption cut short is written over."""
        record = _HEAD.pack(len(content), zlib.crc32(content)) + content
        with writing(self._path):
            place = self._end
            rest = memoryview(record)
            while rest:
                done = os.pwrite(self._file, rest, place)
                rest, place = rest[done:], place + done
        self._end = place

    def _tell(self) -> None:
        """Keep the working folder if the run does not come to its end."""
        self._work.keep = True
        self._work.note = (
            f"{self.finished} of {self._total} blocks are kept in "
            f"'{self._work.told}'; go on with --resume"
        )


def finished_records(path: Path) -> tuple[int, int]:
    """(blocks up to the last mark, bytes up to its end) of a journal."""
    finished = added = end = 0
    if not path.exists():
        return 0, 0
    with path.open("rb") as file:
        while (content := _record(file)) is not None:
            if content:
                added += 1
            else:
                finished, end = added, file.tell()
    return finished, end


def finished_blocks(folder: Path) -> int:
    """How many blocks an interrupted run to an output folder has finished."""
    return finished_records(work_path(folder) / _BLOCKS)[0]


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed run to an output folder left, if no block is finished.

    What a run is working on stays.
    """
    if work_path(folder).is_dir() and not finished_blocks(folder):
        with suppress(OutputError), work_folder(folder):
            pass  # it is removed at the end


def _record(file: Any) -> bytes | None:  # noqa: ANN401 - a buffered file
    """The next record; None at the end or where it is not whole."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, check = _HEAD.unpack(head)
    if length > os.fstat(file.fileno()).st_size:
        return None
    content: bytes = file.read(length)
    whole = len(content) == length and zlib.crc32(content) == check
    return content if whole else None


def check_leftover(work: WorkFolder, *, resume: bool, overwrite: bool) -> None:
    """Clear the working folder, or leave it for a run that goes on.

    Args:
        work: the working folder.
        resume: True: what is finished is used.
        overwrite: True: without `resume`, it is thrown away.

    Raises:
        ResultExistsError: there are finished blocks and neither is asked for.
    """
    finished, _ = finished_records(work.path / _BLOCKS)
    if finished and not resume and not overwrite:
        raise ResultExistsError(
            f"'{work.told}' holds {finished} finished blocks of an interrupted "
            "run; go on with --resume or begin anew with --overwrite"
        )
    # blocks of no known run, as a power cut may leave them, are of no use
    if not (finished and resume and held_key(work)):
        work.clear()
        return
    work.note = f"{finished} blocks are kept in '{work.told}'; go on with --resume"


def held_key(work: WorkFolder) -> dict[str, Any]:
    """Which run was interrupted, see `check_key`; empty where none was."""
    try:
        held = json.loads((work.path / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def check_key(work: WorkFolder, key: Mapping[str, Any]) -> None:
    """Write down which run this is, or compare it with the one that was interrupted.

    Args:
        work: the working folder.
        key: plain values, dicts of them included, that decide the result.

    Raises:
        OtherRunError: the interrupted run was another one.
        OutputError: it cannot be written.
    """
    path = work.path / _KEY
    text = json.dumps(key, indent=1)
    if not path.exists():
        partial = path.with_suffix(".part")
        with writing(path):
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        return
    held = held_key(work)
    other = list(_differences(held, json.loads(text)))
    if other:
        work.note = ""
        raise OtherRunError(
            f"--resume wants what the interrupted run had; other are: "
            f"{', '.join(other)}; give the same or begin anew with --overwrite instead "
            "of --resume"
        )


def _differences(held: Any, found: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """What differs, in words: "--method (was cva, is ssim)"."""
    for name in dict.fromkeys([*held, *found]):
        was, now = held.get(name), found.get(name)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now)
        elif isinstance(was, list | dict) or isinstance(now, list | dict):
            yield name
        else:
            said = ("not given" if value is None else value for value in (was, now))
            yield "{} (was {}, is {})".format(name, *said)
