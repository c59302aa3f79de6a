"""Errors and signals on the command line: one line, the right exit code."""

from __future__ import annotations

import errno
import math
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from geosim.errors import GeosimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_REFUSED, _INTERRUPTED = 1, 130

_UNDISTURBED = 5.0
"""Seconds for which Ctrl-C after Ctrl-C is not heeded, or waits for what has to end."""

DONE = threading.Event()
"""Set once the work of a command has come to its end; for `geosim.__main__`."""

_ALARM = getattr(signal, "SIGALRM", None)
"""Looks again whether that has ended; None on Windows, where nothing waits."""

_AGAIN = 0.02
"""Seconds until it does."""

_MOVE = "publish_folder"
"""The function of `geosim.raster.staging` that moves a result; its name alone, since
that module is slow to load."""

_IMPORTS = "<frozen importlib."
"""How the file names of Python's own code begin that loads modules."""


@contextmanager
def refusing(
    *, debug: bool, interrupted: str = "interrupted: nothing was written"
) -> Iterator[None]:
    """Turn geosim's errors into one line and the right exit code.

    Args:
        debug: True: let the error through with its traceback.
        interrupted: what to say after Ctrl-C or SIGTERM, where the exception has no
            notes.
    """
    with _catching_signals() as asked_to_end:
        try:
            yield
            DONE.set()
        except typer.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                raise
            # modules that load make other errors of an interruption
            if isinstance(error, KeyboardInterrupt) or asked_to_end():
                notes = getattr(error, "__notes__", None)
                text = f"interrupted: {'; '.join(notes)}" if notes else interrupted
                _leave(text, _INTERRUPTED)
            _leave(_told(error), _REFUSED)


def _told(error: BaseException) -> str:
    """The error and what was noted on its way, such as that work is kept.

    One that is not geosim's goes on.
    """
    if isinstance(error, MemoryError):
        return "error: out of memory; give a smaller --memory or --block-size"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "error: no space left on the disk, or where the output goes; make room"
    if not isinstance(error, GeosimError):
        raise error
    text = "; ".join([str(error), *getattr(error, "__notes__", [])])
    return f"error: {one_line(' '.join(text.split()))}"


def one_line(text: str) -> str:
    """A text for a terminal: names of files may hold what ends a line or moves it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@contextmanager
def _catching_signals() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the work in order; not where they are ignored.

    Yields:
        Whether one of them came.
    """
    asked, since = -math.inf, math.inf  # heeded; come, and waiting

    def interrupted(number: int, frame: FrameType | None) -> None:
        """Clean up, undisturbed by another one for a while.

        Not for ever: what was interrupted may have swallowed the first.
        """
        nonlocal asked, since
        del number
        now = time.monotonic()
        if now <= asked + _UNDISTURBED:
            return
        since = min(since, now)
        if _ALARM and now <= since + _UNDISTURBED and _has_to_end(frame):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            return
        asked, since = now, math.inf
        raise KeyboardInterrupt

    with _handling(interrupted):
        yield lambda: asked > -math.inf


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and the alarm call a function; what was there comes back."""
    previous = {
        number: before
        for number in (signal.SIGINT, signal.SIGTERM)
        if (before := signal.getsignal(number)) is not signal.SIG_IGN
    }
    if previous and _ALARM:
        previous[_ALARM] = signal.getsignal(_ALARM)
    for number in previous:
        signal.signal(number, handler)
    try:
        yield
    finally:
        if _ALARM in previous:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, before in previous.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, before)


def _has_to_end(frame: FrameType | None) -> bool:
    """Whether the main thread does what must not be left half done.

    A module that loads: it may hold the lock of imports. An exception between taking
    that lock and the code that gives it back leaves it held; every thread that imports
    then waits for ever, and so does who waits for it. And a result that is moved to its
    final name.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_IMPORTS) or code.co_name == _MOVE:
            return True
        frame = frame.f_back
    return False


def _leave(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
