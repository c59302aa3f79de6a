"""Memory that a run takes where nobody says how much."""

import os
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, ClusterOptions, detect_change, open_result
from geosim.batching.cluster import local_workers, with_worker_memory
from geosim.commands.console import decisions
from geosim.machine.memory import (
    ELSEWHERE,
    LEAST,
    MOST,
    _limits,
    default_memory,
    machine_memory,
)


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc/meminfo")
def test_a_machine_has_no_more_than_it_tells():
    lines = Path("/proc/meminfo").read_text().splitlines()
    (total,) = (int(line.split()[1]) for line in lines if line.startswith("MemTotal"))
    assert 100e6 < machine_memory() <= total * 1024


def test_half_of_the_machine_within_its_bounds():
    half = machine_memory() / 2e6
    assert default_memory() == max(LEAST, int(min(half, MOST)))
    assert LEAST <= default_memory() <= MOST
    assert default_memory(2) in (LEAST, default_memory() // 2)
    assert default_memory(10**6) == LEAST


def test_limits_of_control_groups(tmp_path):
    groups, root = tmp_path / "cgroup", tmp_path / "fs"
    groups.write_text("0::/user.slice/run\n")
    assert _limits(groups, root) == []
    written(root / "user.slice/run/memory.max", "max\n")
    written(root / "user.slice/memory.max", "3000000000\n")
    assert _limits(groups, root) == [3e9]
    # of version 1, in a container: the path is the host's, the file lies at the top
    groups.write_text("9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n")
    written(root / "memory/memory.limit_in_bytes", "2000000000\n")
    assert _limits(groups, root) == [2e9]
    assert _limits(tmp_path / "nothing", root) == []


def test_options_tell_where_their_memory_comes_from():
    mine, shared = ChangeOptions(memory=1500), ChangeOptions(worker_memory=2000)
    assert (mine.megabytes, mine.memory_text) == (1500, "1,500 MB")
    assert (shared.megabytes, shared.memory_text) == (2000, "2,000 MB for each worker")
    for device in ("torch", "cuda"):
        assert ChangeOptions(device=device, worker_memory=2000).megabytes == ELSEWHERE
    alone = ChangeOptions()
    assert alone.megabytes == default_memory()
    wanted = f"half of the machine's memory: {default_memory():,} MB"
    assert alone.memory_text == wanted
    # what a machine has is no option of a run: it must not keep one from going on
    assert alone.to_dict() == shared.to_dict()


def test_workers_of_one_machine_share_it():
    cluster = ClusterOptions(workers=3)
    assert local_workers(cluster, ChangeOptions(), 9)[0] == 3
    each = with_worker_memory(ChangeOptions(), cluster, 9)
    assert each.megabytes == max(LEAST, default_memory() // 3)
    assert each.memory is None
    mine = ChangeOptions(memory=700)
    assert with_worker_memory(mine, cluster, 9) == mine
    far = ClusterOptions(scheduler="tcp://host:8786")
    assert with_worker_memory(ChangeOptions(), far, 9).megabytes == ELSEWHERE


def test_a_result_tells_how_much_it_took(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair())
    result = detect_change(*pair, tmp_path / "out", ChangeOptions(method="cva"))
    said = f"half of the machine's memory: {default_memory():,} MB"
    assert open_result(tmp_path / "out").record.memory == said
    assert f"memory: {said}" in decisions(result)
    page = (tmp_path / "out" / "report.html").read_text()
    assert unescape(page).count(said) == 1


@pytest.mark.slow
def test_a_limit_of_the_real_system():
    """Under a control group of its own, where this process may make one."""
    group = Path("/sys/fs/cgroup/memory") / f"geosim-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("3000000000")
    except OSError:
        pytest.skip("no control group of version 1 can be made here")
    code = (
        "import os, pathlib, sys\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "from geosim.machine.memory import machine_memory, default_memory\n"
        "print(round(machine_memory() / 1e6), default_memory())"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(group)],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        group.rmdir()
    found, half = map(int, done.stdout.split())
    assert found == 3000
    assert half in (1499, 1500)  # the system rounds to pages
