"""What a Dask worker does with a task of `tasks`: runs it, tells how far it is."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geosim.errors import GeosimError

if TYPE_CHECKING:
    from collections.abc import Callable

_TELL_S = 0.5
"""How often a task tells how far it is."""

_ONE_AT_A_TIME = threading.Lock()
"""A worker with several threads computes one task, with all of them."""


class CancelledTaskError(Exception):
    """Nobody waits for this task any more."""


@dataclass(kw_only=True)
class Shared:
    """What all tasks of a run share on a worker, lost workers' successors included."""

    value: Any
    """As it was sent."""
    opened: Any = None
    """What the first task made of it, for those that follow."""
    closing: ExitStack = field(default_factory=ExitStack)
    """Closed with the run."""


_SHARED: dict[str, Shared] = {}
"""On a worker: by run."""


@dataclass(frozen=True, kw_only=True)
class Here:
    """What a task knows of the worker that it runs on."""

    threads: int
    """Threads of the worker, all for the task."""
    attempt: int
    """1 at first, one more after each failure or loss."""
    shared: Shared | None
    """What all tasks of a run share; None where they share nothing."""
    tell: Callable[[float], None]
    """Takes the share that is done, 0..1; raises where nobody waits any more."""


def run_task(
    function: Callable[[Any, Here], Any],
    item: Any,  # noqa: ANN401
    topic: str,
    number: int,
    attempt: int,
) -> Any:  # noqa: ANN401
    """What runs on a worker."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        state = worker.state.tasks.get(key)
        if state is None or state.state == "cancelled":
            raise CancelledTaskError
        if time.monotonic() - told > _TELL_S:
            told = time.monotonic()
            worker.log_event(topic, (number, share))

    with _ONE_AT_A_TIME:
        threads = worker.state.nthreads
        try:
            here = Here(
                threads=threads,
                attempt=attempt,
                shared=_SHARED.get(topic),
                tell=tell,
            )
            return function(item, here)
        except CancelledTaskError:
            raise
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            failure = _portable(error)
    raise failure  # outside, without causes, which may not be picklable


def _portable(error: Exception) -> GeosimError:
    """An error that every process can unpickle."""
    if isinstance(error, GeosimError):
        return type(error)(*error.args)
    return GeosimError(error_line(error))


def error_line(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, GeosimError):
        return text
    return f"{type(error).__name__}: {text}"


def sharing(run: str, value: Any) -> Any:  # noqa: ANN401 - a class of distributed
    """A plugin that brings a value to every worker, and takes it back at the end."""
    from distributed import WorkerPlugin

    class Sharing(WorkerPlugin):
        """Keeps the value while the run goes on."""

        name = run

        def setup(self, worker: object) -> None:
            del worker
            share(run, value)

        def teardown(self, worker: object) -> None:
            del worker
            unshare(run)

    return Sharing()


def share(run: str, value: Any) -> None:  # noqa: ANN401
    """Keep a value for the tasks of a run, on the worker that calls."""
    _SHARED[run] = Shared(value=value)


def unshare(run: str) -> None:
    """Drop it and close what was made of it."""
    held = _SHARED.pop(run, None)
    if held is not None:
        held.closing.close()
