"""A process of its own for what decodes and computes.

A process can be ended when its time is up, and a decoder that crashes takes only it
along; the server lives on and starts another one.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from geosim.errors import GeosimError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    Task = Callable[..., Any]
    """A function of a module, called as `task(report, **arguments)`."""

_STOP_SECONDS = 3.0
_LOOK_SECONDS = 0.2


class TaskRefusedError(Exception):
    """A task could not be done; the message says why and what to do."""


class TaskTimeoutError(TaskRefusedError):
    """A task took too long and was ended."""


class Worker:
    """One process that does one task after another; it starts with the first."""

    def __init__(self, memory: int | None = None) -> None:
        """Start nothing yet.

        Args:
            memory: bytes of data the process may have, so that a file which unpacks
                into more ends its task and not the machine; None: as many as there are.
        """
        self._memory = memory
        self._turn = threading.Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def call(
        self,
        task: Task,
        seconds: float,
        *,
        report: Callable[[Any], None] | None = None,
        stop: Callable[[], bool] | None = None,
        **arguments: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Do a task, after those that wait already.

        Args:
            task: a function of a module; it and its arguments are pickled.
            seconds: how long it may take.
            report: hears what the task reports.
            stop: asked now and then; True ends the task.
            arguments: of the task.

        Raises:
            TaskRefusedError: geosim refused it, or it could not be done.
            TaskTimeoutError: it took too long.
        """
        with self._turn:
            pipe = self._started()
            try:
                pipe.send((task, arguments))
                return self._answer(pipe, seconds, report, stop)
            except (EOFError, OSError) as error:
                self._end()
                raise TaskRefusedError(
                    "the files could not be worked on: the process that did so ended "
                    "unexpectedly; try other or smaller files"
                ) from error

    def close(self) -> None:
        """End the process, whatever it does."""
        self._end()

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self._end()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_work,
                args=(theirs, self._memory),
                name="geosim worker",
                daemon=True,
            )
            self._process.start()
            theirs.close()
        return self._pipe

    def _answer(
        self,
        pipe: Connection,
        seconds: float,
        report: Callable[[Any], None] | None,
        stop: Callable[[], bool] | None,
    ) -> Any:  # noqa: ANN401
        end = time.monotonic() + seconds
        while True:
            if pipe.poll(_LOOK_SECONDS):
                kind, value = pipe.recv()
                if kind == "done":
                    return value
                if kind == "refused":
                    raise TaskRefusedError(value)
                if report is not None:
                    report(value)
            # also after a report: a task may send them without a pause
            if stop is not None and stop():
                self._end()
                raise TaskRefusedError("it was stopped")
            if time.monotonic() > end:
                self._end()
                raise TaskTimeoutError(
                    f"this took longer than {seconds:.0f} s and was ended; give "
                    "smaller files"
                )

    def _end(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if process is not None:
            process.kill()
            process.join(_STOP_SECONDS)
        if pipe is not None:
            pipe.close()


def _work(pipe: Connection, memory: int | None) -> None:
    """The process: do what comes, until nobody is there any more."""
    # Ctrl-C in a terminal reaches all processes; the server ends this one in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or hard > memory:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    while True:
        try:
            task, arguments = pipe.recv()
            pipe.send(_done(task, arguments, pipe))
        except (EOFError, OSError):
            os._exit(0)


def _done(task: Task, arguments: dict[str, Any], pipe: Connection) -> tuple[str, Any]:
    try:
        return "done", task(lambda value: pipe.send(("report", value)), **arguments)
    except GeosimError as error:
        return "refused", " ".join(str(error).split())
    except MemoryError:
        return "refused", "there is not enough memory for this; give smaller files"
    except Exception as error:  # noqa: BLE001 - the server lives on
        sys.stderr.write(f"geosim worker: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        return "refused", "the files could not be worked on; try other files"
