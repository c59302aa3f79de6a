"""Errors and signals on the command line: one line, the right exit code."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from geosim.errors import GeosimError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED, _INTERRUPTED = 1, 130


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
    with _catching_signals():
        try:
            yield
        except GeosimError as error:
            if debug:
                raise
            _leave(f"error: {' '.join(_told(error).split())}", _REFUSED)
        except KeyboardInterrupt as error:
            if debug:
                raise
            notes = getattr(error, "__notes__", None)
            text = f"interrupted: {'; '.join(notes)}" if notes else interrupted
            _leave(text, _INTERRUPTED)
        except MemoryError:
            if debug:
                raise
            _leave("error: out of memory; give a smaller --memory or --block-size", 1)


def _told(error: GeosimError) -> str:
    """The error and what was noted on its way, such as that work is kept."""
    return "; ".join([str(error), *getattr(error, "__notes__", [])])


@contextmanager
def _catching_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the work in order; not where they are ignored."""
    previous = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in previous:
        signal.signal(number, _interrupted)
    try:
        yield
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is _interrupted:
                signal.signal(number, handler)


def _interrupted(number: int, frame: object) -> NoReturn:
    """Ctrl-C or SIGTERM: clean up, undisturbed by a second one until the end."""
    del number, frame
    for repeated in (signal.SIGINT, signal.SIGTERM):
        signal.signal(repeated, signal.SIG_IGN)
    raise KeyboardInterrupt


def _leave(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
