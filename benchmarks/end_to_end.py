"""`geosim change` as a whole against others on the same rasters, as ratios.

    python -m benchmarks.end_to_end [--side 2000] [--rounds 3]
        [--against network,torch_loop,torchgeo,otb] [--threads 2] [--memory MB]
        [--weights geosim-small-1]

Draws a pair in a temporary folder and runs, by turns, each in a fresh process with its
start included:

network     the network alone (int8) on a block of the size that geosim takes: what
            its calls for all blocks take, and what they would without margins
torch_loop  a whole VGG16 in torch float32 over tiles of 256 px side by side
torchgeo    FCSiamDiff of torchgeo over the same tiles
otb         Orfeo Toolbox's MultivariateAlterationDetector, which has no network

Medians are compared. Whoever is not installed is left out, with the reason. The last
line is what the machine gives in one large int8 convolution, as pixels of a pair.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.network_speed import large_convolution, operations
from geosim.bench import draw_pair
from geosim.machine.memory import default_memory
from geosim.siamese.shipped import DEFAULT_WEIGHTS
from geosim.siamese.weights import load_weights

OTB = "otbcli_MultivariateAlterationDetector"
COUNTED = ("seconds", "cpu")
NAMES = ("network", "torch_loop", "torchgeo", "otb")


def missing(name: str) -> str | None:
    """Why a contestant cannot take part; None where it can."""
    if name == "otb":
        return None if shutil.which(OTB) else f"{OTB} is not installed (otb-bin)"
    module = {"torch_loop": "torch", "torchgeo": "torchgeo"}.get(name)
    if module is None or importlib.util.find_spec(module):
        return None
    return f"{module} is not installed"


def command(
    name: str, pair: tuple[Path, Path], folder: Path, asked: argparse.Namespace
) -> list[str]:
    """How a contestant is run."""
    before, after = map(str, pair)
    threads, memory = str(asked.threads), str(asked.memory)
    out = folder / name
    if name == "geosim":
        change = ["-c", "from geosim.cli import main; main()", "change", before, after]
        more = ["--threads", threads, "--memory", memory, "--weights", asked.weights]
        more += ["--overwrite", "-q"]
        return [sys.executable, *change, "-o", str(out), *more]
    if name == "otb":
        return [OTB, "-in1", before, "-in2", after, "-out", f"{out}.tif", "float"]
    module = ["-m", "benchmarks.contestants", name, before, after, f"{out}.tif"]
    return [sys.executable, *module, threads, memory, asked.weights]


def timed(words: list[str], threads: int) -> dict[str, Any]:
    """Run a command; its seconds, processor seconds and what it printed."""
    count = str(threads)
    own = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": count, "OMP_NUM_THREADS": count}
    own["PYTHONPATH"] = os.pathsep.join(path or os.curdir for path in sys.path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - ours
        words, env=os.environ | own, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{words[:4]} failed: {done.stderr.strip()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "told": done.stdout}


def measure(asked: argparse.Namespace, names: list[str]) -> dict[str, list[Any]]:
    """All rounds of all contestants on one pair."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="geosim-end-to-end-") as place:
        folder = Path(place)
        pair = draw_pair(folder, asked.side, asked.resolution)
        for _ in range(asked.rounds):
            for name, turns in found.items():
                words = command(name, pair, folder, asked)
                turns.append(timed(words, asked.threads))
                told = f"{turns[-1]['seconds']:.1f} s, {turns[-1]['cpu']:.1f} s of CPU"
                print(f"{name}: {told}", flush=True)
    return found


def row(
    name: str, seconds: float, cpu: float | None, *, own: float, mpix: float
) -> str:
    """A line of the table."""
    spent = "-" if cpu is None else f"{cpu:.1f}"
    cells = [name, f"{seconds:.1f}", spent, f"{mpix / seconds:.2f}"]
    return f"| {' | '.join([*cells, f'{seconds / own:.2f}'])} |"


def table(asked: argparse.Namespace, found: dict[str, list[Any]]) -> None:
    """Print medians as a Markdown table."""
    mpix = asked.side**2 / 1e6
    middle = {
        name: tuple(statistics.median(turn[what] for turn in turns) for what in COUNTED)
        for name, turns in found.items()
    }
    to = {"own": middle["geosim"][0], "mpix": mpix}
    print(f"{asked.side} px, {asked.threads} threads, median of {asked.rounds} rounds")
    print("| what | seconds | CPU seconds | MPix of pair/s | times geosim's |")
    print("|---|---|---|---|---|")
    for name, turns in found.items():
        if name != "network":
            print(row(name, *middle[name], **to))
            continue
        told = [json.loads(turn["told"]) for turn in turns]
        one = [statistics.median(turn[what] for turn in told) for what in COUNTED]
        (high, wide), count = told[0]["block"], told[0]["blocks"]
        label = f"network alone, {count} blocks of {wide} x {high} px"
        print(row(label, *(count * part for part in one), **to))
        share = asked.side**2 / (high * wide)
        label = "network alone, as if without margins"
        print(row(label, *(share * part for part in one), **to))
    call, work = large_convolution(int8=True, threads=asked.threads)
    call()
    began = time.perf_counter()
    call()
    arrays = load_weights(asked.weights).arrays
    ceiling = operations(asked.side, arrays) / work * (time.perf_counter() - began)
    print(row("ceiling: one large int8 convolution", ceiling, None, **to))


def main() -> None:
    """Print a Markdown table."""
    text = __doc__ or ""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--side", type=int, default=2000, help="of the pair, px")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default=",".join(NAMES))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    half = default_memory()
    parser.add_argument("--memory", type=int, default=half, help="of geosim, MB")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="of geosim")
    parser.add_argument("--resolution", type=float, default=10.0, help="metres per px")
    asked = parser.parse_args()
    names = ["geosim"]
    for name in asked.against.split(","):
        if name not in NAMES:
            parser.error(f"--against wants some of {', '.join(NAMES)}; found '{name}'")
        reason = missing(name)
        if reason:
            print(f"{name} is left out: {reason}")
        else:
            names.append(name)
    table(asked, measure(asked, names))


if __name__ == "__main__":
    main()
