"""Errors and signals on the command line: one line, the right exit code."""

from __future__ import annotations

import errno
import math
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from geosim.errors import GeosimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REFUSED, _INTERRUPTED = 1, 130

_UNDISTURBED = 5.0
"""Seconds for which Ctrl-C after Ctrl-C is not heeded."""


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
    return f"error: {' '.join(text.split())}"


@contextmanager
def _catching_signals() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the work in order; not where they are ignored.

    Yields:
        Whether one of them came.
    """
    asked = -math.inf

    def interrupted(number: int, frame: object) -> None:
        """Clean up, undisturbed by another one for a while.

        Not for ever: a module that is loading may have swallowed the first.
        """
        nonlocal asked
        del number, frame
        if time.monotonic() > asked + _UNDISTURBED:
            asked = time.monotonic()
            raise KeyboardInterrupt

    previous = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in previous:
        signal.signal(number, interrupted)
    try:
        yield lambda: asked > -math.inf
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is interrupted:
                signal.signal(number, handler)


def _leave(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
