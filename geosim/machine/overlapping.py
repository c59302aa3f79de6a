"""Work in other threads while this one goes on."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_P = ParamSpec("_P")


class AtOnce(Executor):
    """Does what it is given at once, in the thread that gives it."""

    def submit(
        self, function: Callable[_P, _Out], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_Out]:
        """What `function` gives, or raises, as a future that is done."""
        done: Future[_Out] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised by `result`, as a pool does
            done.set_exception(error)
        return done


def beside(threads: int, most: int) -> Executor:
    """For work that goes on beside a run's own.

    Args:
        threads: of the run; one: there is none to spare, all is done at once.
        most: threads for it otherwise.
    """
    return AtOnce() if threads == 1 else ThreadPoolExecutor(most)


def together(works: Iterable[Callable[[], _Out]], threads: int) -> list[_Out]:
    """What several pieces of work give, in their order, so many at a time.

    With one thread they are done here, one after the other.
    """
    if threads == 1:
        return [work() for work in works]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting = [pool.submit(work) for work in works]
        return [future.result() for future in waiting]


def ahead(
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    depth: int = 1,
    *,
    threads: int = 1,
) -> Generator[_Out, None, None]:
    """`map` that works up to `depth` items ahead in threads of its own, in order.

    To be closed (`contextlib.closing`): where the loop over it is left early, that
    waits for the thread, which reads what would be closed under it.

    Args:
        function: what is to be done.
        items: one after the other.
        depth: how far ahead.
        threads: so many; 0: nothing is done ahead, and all of it here.
    """
    if threads == 0:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting: deque[Future[_Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
