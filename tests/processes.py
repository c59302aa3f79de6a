"""Processes of the tests: running them, waiting, finding the workers of a cluster."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


def call(*arguments, folder=ROOT):
    """`python cli.py ...` to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"},
    )


def run_code(code, *arguments):
    """`python -c CODE ...`, beside geosim, to its end, which has to be a good one."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )


def wait_for(condition, seconds=60):
    """Wait until a condition holds; what it gives comes back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def workers_of(process):
    """Worker processes of a local cluster that a process has started."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it may just have ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found
