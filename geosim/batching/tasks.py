"""Tasks on the workers of a Dask cluster: handed out, tried again, given back.

They are handed out one per worker, so that a task has its worker's memory and threads
for itself and nothing waits behind a long one. Beside `cluster` and `worker` the only
module that imports `distributed`, and only when work begins.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geosim.batching.worker import run_task, sharing
from geosim.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from geosim.batching.worker import Here

PATIENCE_S = 120.0
"""How long to wait for a worker when there is none."""

_LOOK_S = 0.5
"""How often to look for what has ended; tasks tell no more often how far they are."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A task that came back or was given up."""

    number: int
    """Place in the list of tasks, from 0."""
    value: Any = None
    """What it returned."""
    error: Exception | None = None
    """Why it was given up; None where it came back."""
    attempts: int = 1
    """How often it was begun."""


def run_tasks(  # noqa: PLR0913 - one call, all of it by name
    client: Any,  # noqa: ANN401
    function: Callable[[Any, Here], Any],
    items: Sequence[Any],
    *,
    retries: int,
    hopeless: Callable[[Exception], bool],
    tick: Callable[[float], None] = lambda _: None,
    shared: Any = None,  # noqa: ANN401
    depth: int = 1,
    lead: int | None = None,
) -> Iterator[Ended]:
    """Run a function on every item, one item per worker at a time.

    Args:
        client: of `open_cluster`.
        function: of a module that workers can import; called with the item and what it
            can know of its worker.
        items: picklable.
        retries: how often an item is begun again after an error or a lost worker.
        hopeless: True for an error that would come again.
        tick: called a few times a second with the sum of the shares that are done of
            the items that run.
        shared: sent once to every worker, also to those that come later.
        depth: items that a worker holds, of which it computes one.
        lead: how many items per worker may begin ahead of the first one that has not
            ended; None: any number. It bounds what the caller has to keep.

    Yields:
        Each item once, in the order in which they end.
    """
    tasks = _Tasks(client=client, function=function, items=items, shared=shared)
    lonely = time.monotonic()
    try:
        while tasks.waiting or tasks.running:
            room = _workers(client)
            tasks.hand_out(room * depth, None if lead is None else lead * room)
            for future, number, attempt in tasks.ended():
                value, error = _outcome(future)
                if error is None:
                    yield Ended(number=number, value=value, attempts=attempt)
                elif attempt > retries or hopeless(error):
                    yield Ended(number=number, error=error, attempts=attempt)
                else:
                    tasks.waiting.appendleft((number, attempt + 1))
            tick(tasks.share())
            lonely = time.monotonic() if room else lonely
            if time.monotonic() - lonely > PATIENCE_S:
                yield from tasks.given_up()
    finally:
        tasks.close()


@dataclass(kw_only=True)
class _Tasks:
    """What waits and what runs."""

    client: Any
    function: Callable[[Any, Here], Any]
    items: Sequence[Any]
    shared: Any = None
    topic: str = field(default_factory=lambda: f"geosim-{uuid.uuid4().hex}")
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    """Number and attempt."""
    running: dict[Any, tuple[int, int]] = field(default_factory=dict)
    """The same by future."""
    shares: dict[int, float] = field(default_factory=dict)
    """What running tasks told last, by number."""

    def __post_init__(self) -> None:
        self.waiting.extend((number, 1) for number in range(len(self.items)))
        self.client.subscribe_topic(self.topic, self._hear)
        if self.shared is not None:
            self.client.register_plugin(sharing(self.topic, self.shared))

    def _hear(self, event: tuple[float, tuple[int, float]]) -> None:
        number, share = event[1]
        self.shares[number] = share

    def hand_out(self, room: int, lead: int | None) -> None:
        """Submit while there is room."""
        while self.waiting and len(self.running) < room:
            number, attempt = self.waiting[0]
            first = min([number, *(number for number, _ in self.running.values())])
            if lead is not None and number > first + lead:
                return
            self.waiting.popleft()
            self.shares[number] = 0.0
            future = self.client.submit(
                run_task,
                self.function,
                self.items[number],
                self.topic,
                number,
                attempt,
                pure=False,
            )
            self.running[future] = number, attempt

    def ended(self) -> list[tuple[Any, int, int]]:
        """Future, number and attempt of what has ended by now; waits a little."""
        from distributed import wait

        if not self.running:
            time.sleep(_LOOK_S)
        else:
            with suppress(TimeoutError, CancelledError), self.client.as_current():
                wait(list(self.running), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        ended = [future for future in self.running if future.done()]
        return [(future, *self.running.pop(future)) for future in ended]

    def share(self) -> float:
        """Sum of the shares that are done of what runs."""
        return sum(self.shares.get(number, 0.0) for number, _ in self.running.values())

    def given_up(self) -> list[Ended]:
        """Everything that is left, given up."""
        error = ClusterError(
            f"no worker is left, and none came back within {PATIENCE_S:.0f} s"
        )
        left = [*self.running.values(), *self.waiting]
        self.waiting.clear()
        self.drop()
        return [
            Ended(number=number, error=error, attempts=attempt)
            for number, attempt in left
        ]

    @property
    def _connected(self) -> bool:
        """Whether the scheduler hears what the client says."""
        return bool(self.client.status == "running")

    def drop(self) -> None:
        """Nobody waits any more for what runs."""
        if self._connected:
            for future in self.running:
                future.cancel()
        self.running.clear()

    def close(self) -> None:
        """Drop what runs and hear no more."""
        self.drop()
        if not self._connected:
            return
        self.client.unsubscribe_topic(self.topic)
        if self.shared is not None:
            with suppress(OSError):  # a worker died just now, and need not be told
                self.client.unregister_worker_plugin(self.topic)


def _workers(client: Any) -> int:  # noqa: ANN401
    """Workers there are; 0 also where the scheduler does not answer or has ended."""
    try:
        return len(client.nthreads()) if client.status == "running" else 0
    except (OSError, ValueError, RuntimeError, AttributeError):
        return 0  # it ended just now: Dask looks into what is no more


def _outcome(future: Any) -> tuple[Any, Exception | None]:  # noqa: ANN401
    """The value of a task that ended, or why it has none."""
    error = _error_of(future)
    if error is not None:
        return None, error
    try:
        return future.result(), None
    except Exception as lost:  # noqa: BLE001 - of the network, of any kind
        return None, ClusterError(f"its worker was lost with what it had found: {lost}")


def _error_of(future: Any) -> Exception | None:  # noqa: ANN401
    """Why a task that ended has no value."""
    from distributed import KilledWorker

    if future.status == "finished":
        return None
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return ClusterError(
            "its worker was lost while it ran: killed, out of memory or off the "
            "network; give a smaller --memory or fewer workers"
        )
    if isinstance(error, Exception):
        return error
    return ClusterError("the scheduler dropped it")
