"""Where a result is made: a hidden folder beside the output folder.

All is written there and moved when it is complete, so that nothing half-written ever
stands under a final name. The folder has one name per output, so that a run that was
interrupted finds what it finished. Nothing can be moved from one disk to another at
once: where the output folder is a mounted one, or a link to another disk, the hidden
folder lies in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rasterio.errors import RasterioError

from geosim.errors import OutputError
from geosim.machine.disk import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_RESULT, _LOCK = "result", "lock"

_TRIES, _PAUSE_S = 100, 0.01
"""How often a working folder is looked for that others make and remove, and the seconds
between."""

_BESIDE = ("-wal", "-shm", "-journal", ".aux.xml")
"""Endings of files that belong to the one whose name they begin with."""

_INSIDE = ".partial"
"""Name of a working folder in the output folder, which may be mounted under another
name when the run goes on."""


@dataclass(kw_only=True)
class WorkFolder:
    """A run's working folder."""

    path: Path
    """Where working files lie."""
    note: str = ""
    """What to tell of the work that is kept, where the run does not come to its end."""
    keep: bool = False
    """True where it stays, if the run does not come to its end."""
    published: str = ""
    """What to tell of an interruption after the result has its final name."""

    @property
    def told(self) -> str:
        """Its name in messages, with the output folder where it lies in that."""
        return str(self.path) if self.path.name == _INSIDE else self.path.name

    @property
    def result(self) -> Path:
        """Folder of the finished files, which is moved at the end."""
        return self.path / _RESULT

    def clear(self) -> None:
        """Remove all that an earlier run left."""
        for path in self.path.iterdir():
            if path.name != _LOCK:
                _remove(path)
        self.keep = False

    def new_result(self) -> Path:
        """The folder of the finished files, empty.

        Raises:
            OutputError: it cannot be made.
        """
        with writing(self.result):
            _remove(self.result)
            self.result.mkdir()
        return self.result


def work_path(folder: Path) -> Path:
    """The hidden working folder of an output folder, on the same disk as that."""
    # "." and ".." are no names
    named = folder.name and ".." not in folder.parts
    whole = folder.absolute() if named else folder.resolve()
    if _on_another_disk(whole):
        return whole / _INSIDE
    return whole.parent / f".{whole.name}.partial"


def _on_another_disk(folder: Path) -> bool:
    """Whether what lies beside a folder cannot be renamed into it."""
    if not folder.is_dir():
        return False
    if folder.stat().st_dev != folder.parent.stat().st_dev:
        return True
    if sys.platform != "linux":
        return False
    try:
        # One disk may be mounted twice, as a container's folders are; only renaming
        # tells. No system renames ".", and Linux says before that if the mounts differ.
        os.rename(f"{folder.parent}/.", f"{folder}/.")  # noqa: PTH104 - Path drops it
    except OSError as error:
        return error.errno == errno.EXDEV
    return False


@contextmanager
def work_folder(folder: Path) -> Iterator[WorkFolder]:
    """The hidden working folder of `folder`, removed at the end.

    Where the run ends with an error or an interruption it stays if `keep` is set, and
    `note` is added to the exception.

    Raises:
        OutputError: it cannot be made, or another run is using it.
    """
    path = work_path(folder)
    parent = path.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        lock = _locked(path, folder)
    except OutputError:
        raise  # it is an OSError too
    except OSError as error:
        raise OutputError(
            f"cannot write into '{parent}': {error.strerror}; choose another folder "
            "with -o"
        ) from error
    try:
        with _leaving(WorkFolder(path=path, keep=True)) as work:
            yield work
    finally:
        os.close(lock)


def _locked(path: Path, folder: Path) -> int:
    """Make the working folder of `folder`, and hold its lock, an open file.

    Raises:
        OSError: it cannot be made.
        OutputError: another run holds it.
    """
    for _ in range(_TRIES):
        try:
            path.mkdir(exist_ok=True)
        except FileExistsError:
            if path.is_file():
                raise
            continue  # it was removed just now
        with suppress(FileNotFoundError):  # the same
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            if _claim(lock, folder, path / _LOCK):
                return lock
            os.close(lock)
        time.sleep(_PAUSE_S)
    raise OutputError(
        f"other runs are writing '{folder}'; wait for their end or choose another "
        "folder with -o"
    )


def _remove_work(path: Path) -> None:
    """Remove a working folder whose lock is held; the lock goes last."""
    for inside in path.iterdir() if path.is_dir() else ():
        if inside.name != _LOCK:
            _remove(inside)
    (path / _LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # the next run is in it already
        path.rmdir()


def _claim(lock: int, folder: Path, path: Path) -> bool:
    """Lock the folder; the system lets go of it however the process ends.

    Returns:
        Whether the lock, an open file, still is the one of the folder.

    Raises:
        OutputError: another run holds it.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise OutputError(
            f"another run is writing '{folder}'; wait for its end or choose another "
            "folder with -o"
        ) from error
    except OSError:  # a file system without locks
        return True
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _leaving(work: WorkFolder) -> Iterator[WorkFolder]:
    """Remove the folder at the end, or keep it and tell."""
    try:
        yield work
    except BaseException as error:
        if work.keep and not work.published:
            if work.note:
                # what a folder inside of this one keeps is told by this one
                error.__notes__ = [work.note]
        else:
            _remove_work(work.path)
        if work.published:
            error.__notes__ = [work.published]
        raise
    try:
        _remove_work(work.path)
    except KeyboardInterrupt as error:
        _remove_work(work.path)
        if work.published:
            error.__notes__ = [work.published]
        raise


def check_space(work: WorkFolder, needed: int) -> None:
    """Refuse before any work where the disk is too small.

    Raises:
        OutputError: less than `needed` bytes are free.
    """
    there = sum(path.stat().st_size for path in work.path.glob("*"))
    free = shutil.disk_usage(work.path).free + there
    if free < needed:
        raise OutputError(
            f"the result and its working files need up to {needed / 1e6:,.0f} MB, but "
            f"'{work.path.parent}' has {free / 1e6:,.0f} MB free; make room or choose "
            "another folder with -o"
        )


def publish_folder(
    result: Path, folder: Path, record: str, known: Sequence[str] = ()
) -> None:
    """Move a complete result to its final name.

    A new folder appears at once. In an existing one each file is replaced at once, the
    record last: a result that is half replaced has none and is not taken for a whole
    one. A file that only an earlier result had is removed, and so is what other
    programs keep of a file that is replaced: the journal of a GeoPackage, which would
    be played into the new one, statistics of a raster. Files that are not part of a
    result stay untouched.

    Args:
        result: folder of the complete result.
        folder: its final name.
        record: name of the file that tells of the others.
        known: names of the files that a result may have.

    Raises:
        OutputError: it cannot be moved.
    """
    try:
        if not folder.exists():
            result.rename(folder)
            return
        new = {path.name for path in result.iterdir()}
        replaced = (folder / record).exists()
        (folder / record).unlink(missing_ok=True)
        for path in sorted(result.iterdir(), key=lambda path: path.name == record):
            for ending in _BESIDE:
                (folder / (path.name + ending)).unlink(missing_ok=True)
            path.replace(folder / path.name)
        for name in known if replaced else ():
            if name not in new:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write '{folder}': {error.strerror}") from error


def _remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into one line that says why."""
    try:
        yield
    except (RasterioError, OSError) as error:
        if isinstance(error, OutputError):
            raise
        cause = cause_of(error, path.parent)
        raise OutputError(f"cannot write '{path.name}': {cause}") from error
