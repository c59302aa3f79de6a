"""Work beside a run: in another thread, or none where the run has one thread."""

import json
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from geosim.machine.overlapping import ahead, beside


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_ahead_keeps_the_order(threads):
    with closing(ahead(lambda n: n * n, range(7), 2, threads=threads)) as found:
        assert list(found) == [0, 1, 4, 9, 16, 25, 36]


def test_nothing_is_done_ahead_without_threads():
    begun = []

    def work(number):
        begun.append((number, threading.current_thread() is threading.main_thread()))
        return number

    with closing(ahead(work, range(5), 3, threads=0)) as found:
        assert [next(found), next(found)] == [0, 1]
    assert begun == [(0, True), (1, True)]


def test_of_one_thread_work_is_done_at_once():
    here = threading.current_thread()
    with beside(1, 4) as pool:
        done = pool.submit(
            lambda name, *, end: (name + end, threading.current_thread()), "a", end="b"
        )
        assert done.done()
        assert done.result() == ("ab", here)
        failed = pool.submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        failed.result()


def test_of_two_threads_work_goes_on_beside():
    with beside(2, 1) as pool:
        assert (
            pool.submit(threading.current_thread).result()
            is not threading.main_thread()
        )


def test_a_run_of_one_thread_takes_one_core(sample_pair, tmp_path):
    """What two workers of a batch can share out evenly."""
    code = (
        "import json, resource, sys, time\n"
        "import geosim\n"
        "def clocks():\n"
        "    spent = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    return time.perf_counter(), spent.ru_utime + spent.ru_stime\n"
        "began = clocks()\n"
        "geosim.detect_change(*sys.argv[1:], geosim.ChangeOptions(threads=1))\n"
        "print(json.dumps([b - a for a, b in zip(began, clocks())]))\n"
    )
    names = *map(str, sample_pair), str(tmp_path / "r")
    found = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    seconds, processor = json.loads(found.stdout)
    assert processor < 1.06 * seconds
