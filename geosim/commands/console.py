"""What the command line shows: progress bar, summary, decisions; no library noise.

Functions that format return text, the command line prints it.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geosim.batching.summary import PairOutcome
    from geosim.bench import BenchRecord
    from geosim.progress import Progress
    from geosim.result import ChangeResult
    from geosim.training.model_files import TrainResult


_UNITS = {
    "scoring": (1.0, "tiles/s"),
    "training": (1.0, "steps/s"),
    "refitting": (1.0, "steps/s"),
    "pairs": (60.0, "pairs/min"),
}
"""Seconds and unit of the speed of a stage, where it is shown."""

_COUNTED = ("pairs",)
"""Stages of which the number done is shown."""

ProgressStyle = Literal["auto", "bar", "lines", "none"]
"""How progress is shown; auto: a bar where a terminal shows it."""

_STYLE: ContextVar[ProgressStyle] = ContextVar("progress_style", default="auto")

_BETWEEN_LINES_S = 0.2
"""Seconds between two lines of one stage."""


def hush_libraries() -> None:
    """Keep C libraries off stderr until the process ends.

    libtiff writes to file descriptor 2 what GDAL then reports as an error, so that
    one cause would be told twice. What Python writes goes where it went.
    """
    own, standard = sys.stderr, 2
    try:
        if own.fileno() != standard:
            return
    except (AttributeError, OSError):  # stderr is closed or no file at all
        return
    own.flush()
    kept = os.dup(standard)
    sys.stderr = os.fdopen(
        kept, "w", buffering=1, encoding=own.encoding, errors=own.errors
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, standard)
    os.close(nowhere)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar per stage with tiles per second and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: float, total: float) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, speed="")
            task = tasks[stage]
            rate = bar.tasks[task].speed
            seconds, unit = _UNITS.get(stage, (0.0, ""))
            speed = f"{rate * seconds:.2f} {unit}" if rate and unit else ""
            if stage in _COUNTED:
                speed = f"{math.floor(done)} of {total:.0f}  {speed}"
            bar.update(task, completed=done, speed=speed)

        yield show


def progress_lines() -> Progress:
    """Lines on stderr for whoever started geosim: `progress: scoring 12/81`.

    A reader that has gone ends the work as Ctrl-C does: nobody waits for it.
    """
    last = ("", 0.0)

    def show(stage: str, done: float, total: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage == last[0] and done < total and now - last[1] < _BETWEEN_LINES_S:
            return
        last = (stage, now)
        try:
            sys.stderr.write(f"progress: {stage} {done:g}/{total:g}\n")
            sys.stderr.flush()
        except BrokenPipeError:
            raise KeyboardInterrupt from None

    return show


def show_progress_as(style: ProgressStyle) -> None:
    """Choose how the commands of this process show their progress."""
    _STYLE.set(style)


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Progress on stderr as chosen, or None where nobody sees it or wants it."""
    style = _STYLE.get()
    if style == "auto":
        style = "bar" if sys.stderr.isatty() else "none"
    if quiet or style == "none":
        yield None
    elif style == "lines":
        yield progress_lines()
    else:
        with progress_bar() as progress:
            yield progress


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def decisions(result: ChangeResult) -> list[str]:
    """What was decided on the way, one line each."""
    record = result.record
    lines = [
        f"{role}: {source.path}: bands {', '.join(map(str, source.bands))}, "
        f"{source.placement}"
        for role, source in (("before", record.before), ("after", record.after))
    ]
    lines += [f"engine: {record.engine}", f"memory: {record.memory}"]
    lines += [f"{stage}: {seconds:.1f} s" for stage, seconds in record.timings.items()]
    return lines


def summary(result: ChangeResult) -> str:
    """The closing table as text."""
    record = result.record
    areas, threshold, shift = record.areas, record.threshold, record.shift
    changed = f"{areas.changed_px:,} px ({areas.changed_percent:.2f} %)"
    if areas.changed_ha is not None:
        changed = f"{areas.changed_ha:,.2f} ha ({areas.changed_percent:.2f} %)"
    moved = "not measurable"
    if shift is not None:
        done = "corrected" if shift.corrected else "not corrected"
        moved = f"{shift.rows:+.2f} rows, {shift.cols:+.2f} columns ({done})"
    theme = record.options.get("theme", "any")
    of_theme = "" if theme == "any" else f" of the theme '{theme}'"
    rows = [
        ("changed", changed),
        ("polygons", f"{record.polygons:,}{of_theme}"),
        ("threshold", f"{threshold.value:.3f} ({threshold.rule})"),
        ("shift found", moved),
    ]
    rows += [(name, os.fspath(path)) for name, path in result.paths.items()]
    return aligned(rows)


def outcome_line(outcome: PairOutcome) -> str:
    """What became of a pair, in one line."""
    line = f"{outcome.pair.place}: {outcome.status}"
    if outcome.error:
        tries = f" (tried {outcome.attempts} times)" if outcome.attempts > 1 else ""
        return f"{line}{tries}: {outcome.error}"
    return f"{line}: {os.fspath(outcome.folder)}"


def batch_summary(outcomes: Sequence[PairOutcome], home: Path) -> str:
    """The closing table of many pairs as text."""
    count = Counter(outcome.status for outcome in outcomes)
    records = [one.result.record for one in outcomes if one.result]
    changed_ha = sum(record.areas.changed_ha or 0.0 for record in records)
    rows = [
        ("pairs", f"{len(outcomes):,}"),
        ("done", f"{count['done']:,}"),
        ("skipped", f"{count['skipped']:,}"),
        ("failed", f"{count['failed']:,}"),
        ("changed", f"{changed_ha:,.2f} ha"),
        ("polygons", f"{sum(record.polygons for record in records):,}"),
        ("summary", os.fspath(home / "summary.csv")),
        ("footprints", os.fspath(home / "summary.parquet")),
    ]
    return aligned(rows)


def bench_table(record: BenchRecord) -> str:
    """The figures of this machine as text."""
    memory = f"{record.peak_memory:,.0f} MB" if record.peak_memory else "not known"
    rows = [
        ("machine", f"{record.machine}, {record.cores} cores"),
        ("engine", ", ".join(filter(None, (record.engine, record.weights)))),
        ("pair", f"{record.size:,} x {record.size:,} px of {record.resolution:g} m"),
        ("speed", f"{record.mpix_per_second:.2f} MPix of pair per second"),
        ("area", f"{record.km2_per_hour:,.0f} km2 per hour"),
        ("first pass alone", f"{record.scoring_mpix_per_second:.2f} MPix per second"),
        ("peak memory", memory),
        ("whole command", f"{record.seconds:.1f} s"),
        ("512 x 512 px", f"{record.cold_start:.1f} s"),
    ]
    rows += [(stage, f"{seconds:.1f} s") for stage, seconds in record.timings.items()]
    return aligned(rows)


def training_summary(result: TrainResult) -> str:
    """The closing table of a training as text."""
    record = result.record
    rows = [
        ("learned from", f"{len(record.trained_on)} pairs, {record.steps} steps"),
        ("held out", ", ".join(record.held_out)),
        (
            "average precision",
            f"{record.average_precision:.3f} (held out; a guess {record.chance:.3f})",
        ),
        ("F1", f"{record.f1:.3f} (held out)"),
        ("threshold", f"{record.threshold:.3f}"),
        ("took", f"{record.seconds / 60:.1f} min"),
        ("weights", os.fspath(result.weights)),
        ("card", os.fspath(result.card)),
        ("curves", os.fspath(result.curves)),
    ]
    return aligned(rows)
