"""The start of a run: what it imports when, and that nothing leaves the machine."""

import json
import resource
import subprocess
import sys

import pytest
from processes import run_code
from rasters import NORTH_UP, drawn_pair, texture, write_pair

from geosim import ChangeOptions
from geosim.batch import compare
from geosim.batching.jobs import PairJob
from geosim.batching.pairs import ImagePair
from geosim.batching.worker import Here, Shared
from geosim.siamese import keeping

NEVER = {"torch", "matplotlib", "dask", "distributed", "openvino_telemetry"}
LATER = {"openvino", "geopandas", "pandas", "pyogrio", "pystac", "scipy", "scipy.stats"}


def loaded(code, *arguments):
    """Modules that a process has loaded after it ran some code, and its forks."""
    whole = (
        "import os, sys, json\nforks = []\n"
        "os.register_at_fork(before=lambda: forks.append(1))\n"
        f"{code}\n"
        "print(json.dumps([list(sys.modules), len(forks)]))\n"
    )
    done = run_code(whole, *arguments)
    modules, forks = json.loads(done.stdout)
    return set(modules), forks


def test_a_run_begins_with_little():
    modules, _ = loaded("import geosim.cli, geosim.pipeline")
    assert {"geosim.scoring.scanning", "rasterio"} <= modules
    assert modules.isdisjoint(NEVER | LATER)


def test_threads_of_linear_algebra_are_told_to_sleep_before_they_start():
    code = (
        "import os, sys, geosim.cli\n"
        "names = list(sys.modules)\n"
        "print(names.index('geosim.machine.blas') < names.index('numpy'))\n"
        "print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    )
    done = run_code(code)
    assert done.stdout.split() == ["True", "4"]


def test_a_run_imports_nothing_in_vain_and_tells_nobody(tmp_path):
    code = "from geosim import detect_change\ndetect_change(*sys.argv[1:])\n"
    pair = write_pair(tmp_path, *drawn_pair())
    modules, forks = loaded(code, *pair, tmp_path / "out")
    assert {"openvino", "geopandas"} <= modules
    assert modules.isdisjoint(NEVER | {"openvino.tools.ovc", "scipy.stats"})
    assert forks == 0


# --- a worker


def test_a_worker_compiles_once_for_all_its_pairs(tmp_path):
    before, after = map(str, write_pair(tmp_path, *drawn_pair()))
    here = Here(threads=1, attempt=1, shared=Shared(value=True), tell=lambda _: None)
    networks = []
    for number in range(2):
        job = PairJob(
            pair=ImagePair(before=before, after=after),
            folder=tmp_path / f"{number}",
            options=ChangeOptions(),
        )
        result = compare(job, here)
        assert result.record.engine.endswith("1 threads")
        networks.append(keeping._KEPT["network"][1])
    assert networks[0] is networks[1]
    here.shared.closing.close()
    assert keeping._KEPT == {}


@pytest.mark.slow
def test_one_thread_takes_one_core(root, tmp_path):
    ground = (texture(3, 1500, 1500) * 255).astype("uint8")
    pair = write_pair(tmp_path, ground, ground[:, ::-1], transform=NORTH_UP)
    code = (
        "import sys, time\n"
        "from geosim import ChangeOptions, detect_change\n"
        "began = time.perf_counter()\n"
        "detect_change(*sys.argv[1:], ChangeOptions(threads=1))\n"
        "print(time.perf_counter() - began)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, pair), str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=root,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # what is imported and written goes on beside it; a second thread would make it 1.8
    assert used < 1.2 * float(done.stdout)
