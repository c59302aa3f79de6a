"""Stages of a run: how far each is and how long it took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Progress(Protocol):
    """Hears how far a run is."""

    def __call__(self, stage: str, done: float, total: float) -> None:
        """`done` of `total` of a stage.

        The stages come in the order "sampling", "scoring" (counted in tiles),
        "deciding", "writing"; those of a training "reading" (counted in pairs),
        "training" and "refitting" (in steps), "measuring" (in crops or pictures);
        that of many pairs is "pairs", those of `geosim bench` "drawing" and
        "comparing"; that of an index is "indexing" (in sources).
        """


class Clock:
    """Times the stages and passes their progress on."""

    def __init__(self, progress: Progress | None = None) -> None:
        """Start with no stage."""
        self._progress = progress
        self.seconds: dict[str, float] = {}
        """Seconds of each finished stage."""

    @contextmanager
    def stage(self, name: str, total: float) -> Iterator[Callable[[float], None]]:
        """Time a stage; the value is called with what was done since the last call."""
        start, done = time.perf_counter(), 0.0

        def tick(step: float) -> None:
            nonlocal done
            done += step
            if self._progress is not None:
                self._progress(name, done, total)

        tick(0)
        yield tick
        self.seconds[name] = round(time.perf_counter() - start, 3)
