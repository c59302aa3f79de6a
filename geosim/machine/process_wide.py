"""What belongs to the whole process, changed by runs that may overlap in threads.

Where each run puts back what it found, the second of two brings back what the first one
had set, and it stays for good.
"""

from __future__ import annotations

import itertools
import re
import threading
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Value = TypeVar("_Value")

_NUMBERS = itertools.count()


class Restored(Generic[_Value]):
    """A setting that is put back when the last of those who change it has left."""

    def __init__(
        self, read: Callable[[], _Value], write: Callable[[_Value], None]
    ) -> None:
        """Touch nothing yet.

        Args:
            read: tells the setting.
            write: sets it.
        """
        self._read, self._write = read, write
        self._lock = threading.Lock()
        self._before: list[_Value] = []
        self._inside = 0

    @contextmanager
    def afterwards(self) -> Iterator[_Value]:
        """Give what the setting was before the first one came; it may be changed."""
        with self._lock:
            if not self._inside:
                self._before = [self._read()]
            self._inside += 1
            before = self._before[0]
        try:
            yield before
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._write(before)


@contextmanager
def silence(category: type[Warning] = Warning, message: str = "") -> Iterator[None]:
    """No warnings of a kind meanwhile, from any thread.

    Filters are the process's: `warnings.catch_warnings` would put back all of them as
    they were, also what other threads have changed since. Here a filter of one's own
    comes and goes, and those of others stay.

    Args:
        category: these and all that derive from it.
        message: a regular expression for the beginning of their text.
    """
    # a comment that no other filter has: equal filters would be taken for one
    own = f"(?#geosim {next(_NUMBERS)}){message}"
    item = ("ignore", re.compile(own, re.IGNORECASE), category, None, 0)
    filters = cast("list[Any]", warnings.filters)
    warnings.filterwarnings("ignore", message=own, category=category)
    try:
        yield
    finally:
        # another thread may work on a copy now, and come back to this list later
        for place in (filters, cast("list[Any]", warnings.filters)):
            with suppress(ValueError):
                place.remove(item)
