"""Speed of the network alone, as ratios within one run on one machine.

    python -m benchmarks.network_speed [--side 512] [--threads 2] [--rounds 7]

Times the same block of two dates through torch in float32 (channels_last, the
reference), OpenVINO in float32 and OpenVINO in int8 (what `geosim change` uses), the
small network in int8, and beside them what the machine can give: one large convolution
in float32 and in int8. The contestants take turns and medians are compared, since other
work on the machine slows all of them. `cpu` is processor time over all threads, which
suffers less from it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import CONVOLUTIONS
from geosim.siamese.engine import open_engine
from geosim.siamese.shipped import SMALL_WEIGHTS, VGG16_WEIGHTS
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHANNELS = 256
"""Of the large convolution."""

CEILING_SIDE = 256
"""Its height and width."""


def operations(side: int, arrays: Mapping[str, Any]) -> float:
    """Multiply-adds of the 13 convolutions for two dates of side x side px."""
    per_pixel = sum(
        arrays[f"{layer.name}.weight"].size / layer.stride**2 for layer in CONVOLUTIONS
    )
    return float(2 * side * side * per_pixel)


def large_convolution(*, int8: bool, threads: int) -> tuple[Callable[[], Any], float]:
    """One 3x3 convolution in OpenVINO and its multiply-adds."""
    from geosim.siamese.graph import compile_graph
    from geosim.siamese.runtime import openvino, ops

    rng = np.random.default_rng(0)
    size = (1, CHANNELS, CEILING_SIDE, CEILING_SIDE)
    kernel = rng.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    image = ops.parameter(list(size), np.float32)
    # the first one rounds what comes in, so that the second reads int8 as in a network
    flow: Any = image
    for _ in range(2):
        weights: Any = ops.constant(kernel)
        if int8:
            low, high = np.float32(-4.0), np.float32(4.0)
            weights = ops.fake_quantize(weights, low, high, low, high, 255)
            low, high = np.float32(0.0), np.float32(4.0)
            flow = ops.fake_quantize(flow, low, high, low, high, 256)
        ones = [1, 1]
        flow = ops.relu(ops.convolution(flow, weights, ones, ones, ones, ones))
    model = openvino.Model([flow], [image], "ceiling")
    infer = compile_graph(model, threads).create_infer_request()
    values = rng.random(size, np.float32)
    work = 2 * 9 * CHANNELS * CHANNELS * CEILING_SIDE**2
    return lambda: infer.infer([values]), float(work)


def network(
    device: Any,  # noqa: ANN401 - as argparse gives it
    precision: Any,  # noqa: ANN401
    pair: np.ndarray[Any, np.dtype[np.float32]],
    threads: int,
    weights: str = VGG16_WEIGHTS,
) -> tuple[Callable[[], Any], float]:
    """One engine, ready to compare a pair, and its multiply-adds."""
    loaded = load_weights(weights)
    engine = open_engine(loaded, device=device, precision=precision, threads=threads)
    work = operations(pair.shape[-1], loaded.arrays)
    return lambda: engine.differences(pair[0], pair[1]), work


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=512, help="of the block, px")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    coarse = rng.random((2, 3, asked.side // 8, asked.side // 8)).astype(np.float32)
    pair = coarse.repeat(8, axis=2).repeat(8, axis=3)
    pair += 0.1 * rng.random(pair.shape, np.float32)
    pair = np.clip(pair, 0, 1)
    small = network("cpu", "int8", pair, asked.threads, SMALL_WEIGHTS)
    contestants = {
        "torch float32, channels_last": network("torch", "auto", pair, asked.threads),
        "OpenVINO float32": network("cpu", "float32", pair, asked.threads),
        "OpenVINO int8": network("cpu", "int8", pair, asked.threads),
        f"OpenVINO int8, {SMALL_WEIGHTS}": small,
        "large convolution, float32": large_convolution(
            int8=False, threads=asked.threads
        ),
        "large convolution, int8": large_convolution(int8=True, threads=asked.threads),
    }
    walls: dict[str, list[float]] = {name: [] for name in contestants}
    works: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(asked.rounds + 1):  # the first is for warming up
        for name, (call, _) in contestants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if turn:
                walls[name].append(time.perf_counter() - wall)
                works[name].append(time.process_time() - cpu)
    first = next(iter(contestants))
    mean = statistics.median
    print(f"{asked.side} px, {asked.threads} threads, median of {asked.rounds} rounds")
    print("| what | ms | MPix of pair/s | GMAC/s | times torch | times torch, cpu |")
    print("|---|---|---|---|---|---|")
    for name, (_, done) in contestants.items():
        seconds = mean(walls[name])
        cells = [f"{1e3 * seconds:.0f}", "-", f"{done / seconds / 1e9:.0f}", "-", "-"]
        if not name.startswith("large"):
            cells[1] = f"{asked.side**2 / seconds / 1e6:.2f}"
            cells[3] = f"{mean(walls[first]) / seconds:.2f}"
            cells[4] = f"{mean(works[first]) / mean(works[name]):.2f}"
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
