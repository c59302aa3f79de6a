"""Work in other threads while this one goes on."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    """
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
