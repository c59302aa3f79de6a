"""The heap: what a process gives back it takes again without the system's help."""

import subprocess
import sys

import pytest

_ROUNDS = """
import resource
import sys
import numpy as np
from geosim.machine.heap import keep_memory

if sys.argv[1] == "kept":
    keep_memory()
faults = []
for _ in range(3):
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    array = np.ones(64 << 20, np.uint8)
    del array
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
print(*faults)
"""


def _faults(how):
    done = subprocess.run(
        [sys.executable, "-c", _ROUNDS, how], capture_output=True, text=True, check=True
    )
    return [int(text) for text in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="parameters of glibc")
def test_an_array_takes_the_place_of_the_one_before():
    # 64 MB are 32 pages of 2 MB at least
    first, *others = _faults("kept")
    assert first >= 32
    assert max(others) < 8
    assert min(_faults("usual")) >= 32
