"""Memory of this machine, and how much of it a run works with where nobody says."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

SHARE = 2
"""A run may take one part in this many of the machine's memory: other programs, and
what GDAL and the system keep of the files, have the rest."""

LEAST, MOST = 1000, 16_000
"""MB that a run may take, at least and at most; blocks are mostly smaller than that
(`geosim.scoring.blocking`)."""

ELSEWHERE = 4000
"""MB where the machine's memory does not tell: for each worker of a scheduler that runs
already, and with torch, on a GPU or as the reference, whose need was never measured."""

_UNKNOWN = 8e9
"""Bytes of a machine that does not tell."""


def default_memory(workers: int = 1) -> int:
    """MB for each of so many processes on this machine, where nobody says how much."""
    half = machine_memory() / SHARE / 1e6
    return max(LEAST, int(min(half, MOST) / workers))


@cache
def machine_memory() -> float:
    """Bytes that this process may use: the machine's, or its control group's limit."""
    return min(
        [_physical(), *_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]
    )


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # not every system tells it so
        pass
    try:
        import psutil
    except ImportError:
        return _UNKNOWN
    return float(psutil.virtual_memory().total)


def _limits(groups: Path, root: Path) -> list[float]:
    """Limits of the control groups that a process belongs to, bytes.

    Args:
        groups: the process's `/proc/PID/cgroup`: "0::/user.slice/run" for version 2,
            "4:memory:/run" for version 1.
        root: where they are mounted.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, names, place = line.split(":", 2)
        if number == "0":
            top, file = root, "memory.max"
        elif "memory" in names.split(","):
            top, file = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = top / place.strip("/")
        # in a container the path may be the host's: its own group is then the top
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(top):
                break
            found += _limit(folder / file)
    return found


def _limit(path: Path) -> list[float]:
    """The limit in a file of a control group; none where there is none."""
    try:
        return [float(path.read_text(encoding="ascii"))]
    except (OSError, ValueError):  # not there; "max"
        return []
