"""Run geosim as a process of its own: progress, cancel, nothing left behind."""

from __future__ import annotations

import errno
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POSIX = os.name == "posix"

INTERRUPT_S, TERMINATE_S = 3.0, 15.0
"""How long the process may take after the first asking, and after the second."""

_LOOK_S = 0.1
"""How often the cancel button is looked at."""

_PROGRESS = re.compile(
    r"progress: (?P<stage>.+) (?P<done>[\d.e+]+)/(?P<total>[\d.e+]+)"
)

_KEPT = 40
"""Lines of stderr that are looked at for why a run failed."""

_FAULT = re.compile(r"[A-Za-z_.]+(Error|Exception)\b")
"""Last line of a traceback."""

_BOX = "╭╮╰╯│─┌┐└┘|"
"""What typer draws around a wrong usage."""


@dataclass(frozen=True)
class Ended:
    """How the process ended."""

    code: int
    """Exit code; negative: the signal that ended it."""
    cancelled: bool
    """True where it was asked to stop."""
    errors: tuple[str, ...]
    """Its last lines on stderr that were no progress."""


@dataclass(frozen=True)
class Step:
    """How far a run is."""

    stage: str
    """What it does."""
    share: float
    """0..1 of that."""


def step(line: str) -> Step | None:
    """Read a line of progress; None for any other line."""
    found = _PROGRESS.fullmatch(line.strip())
    if not found:
        return None
    try:
        done, total = float(found["done"]), float(found["total"])
    except ValueError:
        return None
    share = min(1.0, done / total) if total > 0 else 0.0
    return Step(stage=found["stage"], share=share)


def plain(line: str) -> str:
    """A line without the box around it."""
    return line.strip().strip(_BOX).strip()


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    told: Callable[[str, bool], None],
    progressed: Callable[[Step], None],
    cancelled: Callable[[], bool],
) -> Ended:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: its environment, whole.
        told: takes each line that is no progress, and whether it came on stderr.
        progressed: takes each step.
        cancelled: asked several times a second; True: the process is ended.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - the user's own program
        list(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=POSIX,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    lines: queue.Queue[tuple[str, bool]] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(stream, err, lines), daemon=True)
        for stream, err in ((process.stdout, False), (process.stderr, True))
        if stream is not None
    ]
    for reader in readers:
        reader.start()
    errors: list[str] = []
    stopped = False
    try:
        while not stopped and process.poll() is None:
            stopped = _tell(lines, errors, told, progressed, cancelled)
    finally:
        if process.poll() is None:
            stop(process)
    for reader in readers:  # what it started may still hold the pipes
        reader.join(TERMINATE_S)
    _tell(lines, errors, told, progressed, cancelled, wait=0.0)
    return Ended(code=process.wait(), cancelled=stopped, errors=tuple(errors[-_KEPT:]))


def _read(stream: IO[str], err: bool, lines: queue.Queue[tuple[str, bool]]) -> None:  # noqa: FBT001
    with stream:
        for line in stream:
            lines.put((line.rstrip(), err))


def _tell(
    lines: queue.Queue[tuple[str, bool]],
    errors: list[str],
    told: Callable[[str, bool], None],
    progressed: Callable[[Step], None],
    cancelled: Callable[[], bool],
    wait: float = _LOOK_S,
) -> bool:
    """Pass on what has come; True where the process shall stop."""
    latest: Step | None = None
    try:
        while True:
            line, err = lines.get(timeout=wait) if wait else lines.get_nowait()
            wait = 0.0
            found = step(line) if err else None
            if found:
                latest = found
                continue
            if err and line:
                errors.append(line)
            told(line, err)
    except queue.Empty:
        pass
    if latest:
        progressed(latest)
    return cancelled()


def stop(process: subprocess.Popen[str]) -> None:
    """End a process and what it has started, gently first.

    geosim cleans up after Ctrl-C and does not heed a second asking meanwhile, so the
    second one only reaches a process that is deaf to the first.
    """
    if not POSIX:
        subprocess.run(  # noqa: S603
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],  # noqa: S607
            check=False,
            capture_output=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        process.wait()
        return
    for number, patience in (
        (signal.SIGINT, INTERRUPT_S),
        (signal.SIGTERM, TERMINATE_S),
        (signal.SIGKILL, None),
    ):
        _signal(process.pid, number)
        if _gone(process, patience):
            break
    _signal(process.pid, signal.SIGKILL)  # what it may have started and left


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # nobody is left
        return


def _gone(process: subprocess.Popen[str], patience: float | None) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True


def partial_of(output: str) -> Path:
    """Where geosim works until a result is whole: hidden, beside the output.

    In the output, where that is a folder on another disk than what lies beside it.
    """
    path = Path(output)
    # "." and ".." are no names
    named = path.name and ".." not in path.parts
    path = path.absolute() if named else path.resolve()
    if _on_another_disk(path):
        return path / ".partial"
    return path.parent / f".{path.name}.partial"


def _on_another_disk(folder: Path) -> bool:
    """Whether nothing can be renamed into a folder from beside; as geosim finds out."""
    if not folder.is_dir():
        return False
    if folder.stat().st_dev != folder.parent.stat().st_dev:
        return True
    try:
        # never done, but refused for another reason where a disk is mounted twice
        os.rename(f"{folder.parent}/.", f"{folder}/.")  # noqa: PTH104
    except OSError as error:
        return error.errno == errno.EXDEV
    return False


def remove(path: Path) -> None:
    """Remove a folder, if it is there; on Windows a handle may be let go of late."""
    end = time.monotonic() + TERMINATE_S
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)
        if time.monotonic() > end:
            return
        if path.exists():
            time.sleep(_LOOK_S)


def refusal(ended: Ended, name: str) -> str:
    """One line that says why a run failed."""
    lines = [text for text in map(plain, ended.errors) if text]
    said = " ".join(lines)
    if f"No such command '{name}'" in said:
        return (
            f"the geosim that is installed has no command '{name}'; update it: "
            "pip install --upgrade geosim"
        )
    option = re.search(r"No such option:? '?(--[\w-]+)", said)
    if option:
        return (
            f"the geosim that is installed does not know {option[1]}; update it "
            "(pip install --upgrade geosim) or leave that parameter as it was"
        )
    for line in reversed(lines):
        if line.startswith(("error: ", "interrupted: ")):
            return line.removeprefix("error: ")
    faults = [line for line in lines if _FAULT.match(line)]
    if faults:
        return f"geosim failed, which it should not, by {faults[-1]}; please report it"
    if ended.code < 0:
        return (
            f"geosim was ended by signal {-ended.code}; with signal 9 most often "
            "because memory ran out: give it less (parameter MEMORY)"
        )
    return f"geosim ended with code {ended.code}: {lines[-1] if lines else 'no word'}"
