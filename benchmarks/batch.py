"""Many pairs with two single-thread workers against one: how much faster.

    python -m benchmarks.batch --pairs 8 --size 1024 --rounds 3

Draws a pair in a temporary folder and compares it several times, by turns with one
and with two workers of one thread each. Prints seconds of each run (cluster start
included), the load of the machine before it, and the ratio of the medians. Other
programs that compute at the same time make the figures worthless.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from geosim import ChangeOptions, ClusterOptions, ImagePair, detect_changes
from geosim.bench import draw_pair


def timed(
    pairs: list[ImagePair], folder: Path, options: ChangeOptions, workers: int
) -> float:
    """Seconds that a batch takes."""
    cluster = ClusterOptions(workers=workers)
    began = time.perf_counter()
    outcomes = detect_changes(pairs, folder, options, cluster)
    seconds = time.perf_counter() - began
    failed = [outcome.error for outcome in outcomes if outcome.status != "done"]
    if failed:
        raise SystemExit(f"{len(failed)} pairs failed; the first: {failed[0]}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--size", type=int, default=1024, help="side in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=2500, help="MB per worker")
    parser.add_argument("--method", choices=["siamese", "cva"], default="siamese")
    given = parser.parse_args()
    options = ChangeOptions(
        method=given.method, threads=1, memory=given.memory, overwrite=True
    )
    found: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="geosim-batch-") as name:
        folder = Path(name)
        before, after = draw_pair(folder, given.size, 10.0)
        pairs = [
            ImagePair(before=str(before), after=str(after), out=folder / f"{number}")
            for number in range(given.pairs)
        ]
        for _ in range(given.rounds):
            for workers, seconds in found.items():
                load = os.getloadavg()[0]
                seconds.append(timed(pairs, folder / "all", options, workers))
                print(
                    f"{workers} workers: {seconds[-1]:.1f} s (load before: {load:.1f})"
                )
    alone, both = (statistics.median(found[workers]) for workers in (1, 2))
    print(
        f"{given.pairs} pairs of {given.size} px, {given.method}: median {alone:.1f} s "
        f"with 1 worker, {both:.1f} s with 2: {alone / both:.2f}x"
    )


if __name__ == "__main__":
    main()
