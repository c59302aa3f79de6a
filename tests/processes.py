"""Processes of the tests: waiting for them, finding the workers of a cluster."""

import time
from contextlib import suppress

import psutil


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
