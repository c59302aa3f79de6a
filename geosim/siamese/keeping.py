"""What takes long to make and serves several runs of a process: made once, then kept.

Weights in memory and compiled networks depend on no scene. While somebody holds them
(`keeping`) the last one of each kind stays; a run holds them, and so does a worker for
all its pairs.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

_Value = TypeVar("_Value")

Kind = Literal["weights", "level", "network"]
"""One of each is kept; asking for one of them does not wait for another."""

_LOCKS: dict[str, threading.Lock] = {
    kind: threading.Lock() for kind in ("weights", "level", "network")
}
_KEPT: dict[str, tuple[Hashable, Any]] = {}
"""Key and value by kind."""

_HOLDING = threading.Lock()
_holders = 0


@contextmanager
def keeping() -> Iterator[None]:
    """Keep what is made meanwhile; with the last holder it goes."""
    global _holders  # noqa: PLW0603 - of the process, as what is kept
    with _HOLDING:
        _holders += 1
    try:
        yield
    finally:
        with _HOLDING:
            _holders -= 1
            if not _holders:
                _KEPT.clear()


def kept(kind: Kind, key: Hashable, make: Callable[[], _Value]) -> _Value:
    """The value of a key: the one that is kept, or a new one in its place.

    Who asks while it is being made waits for it.

    Args:
        kind: what it is.
        key: all that it depends on.
        make: makes it.
    """
    with _LOCKS[kind]:
        there = _KEPT.get(kind)
        if there is not None and there[0] == key:
            value: _Value = there[1]
            return value
        del there
        _KEPT.pop(kind, None)  # its memory goes before the next one comes
        value = make()
        if _holders:
            _KEPT[kind] = key, value
        return value
