"""Calibrate the 8-bit form of the shipped weights on open imagery without labels.

    pip install -e '.[torch,quantize]'
    python scripts/quantize_weights.py IMAGERY --out geosim/siamese/data

IMAGERY is a folder as `open_imagery` reads it. NNCF's post-training quantisation runs
the float32 network on crops of both dates and measures the range of what enters each
convolution: the mean over the crops of each one's largest value. Only these ranges are
kept, and not that of the first convolution, which reads an image in 0..1. Kernels are
rounded symmetrically per output when the graph is built. The bias correction that NNCF
makes is left out, since it brought nothing: on held-out crops the mean absolute error
of the score was 0.0039 with and without it.

The printed sha256 goes into `geosim.siamese.quantization.QUANTIZATIONS` and NOTICE.md
together with the file; the printed errors are those of int8 on crops of places that
the ranges were not measured on.
"""

import argparse
import hashlib
import os
from pathlib import Path

import nncf
import numpy as np
import openvino
from nncf.quantization.advanced_parameters import (
    AdvancedQuantizationParameters,
    OverflowFix,
)
from open_imagery import crops, open_imagery

from geosim.siamese.graph import build_graph, build_trunk, compile_graph
from geosim.siamese.quantization import Quantization, pack_quantization
from geosim.siamese.ranges import CALIBRATED
from geosim.siamese.shipped import VGG16_WEIGHTS
from geosim.siamese.weights import load_weights


def quantize(
    arrays: dict[str, np.ndarray], batches: list[np.ndarray]
) -> openvino.Model:
    """The trunk with NNCF's operations in it."""
    return nncf.quantize(
        build_trunk(arrays),
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(batches),
        fast_bias_correction=True,
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.DISABLE
        ),
    )


def read_numbers(model: openvino.Model, arrays: dict[str, np.ndarray]) -> Quantization:
    """Take the ranges out of NNCF's model."""
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    ranges = {}
    for layer in CALIBRATED:
        convolution = nodes[f"{layer.name}.weight"]
        source = convolution.input_value(0).get_node()
        while source.get_type_name() != "FakeQuantize":
            source = source.input_value(0).get_node()
        ranges[layer.name] = np.array(
            [constant_of(source, port).item() for port in (1, 2)], np.float32
        )
        largest = np.abs(arrays[f"{layer.name}.weight"]).max(axis=(1, 2, 3))
        kernel = convolution.input_value(1).get_node()
        step = constant_of(kernel, 1).ravel()  # 8-bit numbers times a step
        np.testing.assert_allclose(127 * step, largest, rtol=1e-4)
    return Quantization(ranges=ranges)


def constant_of(node: openvino.Node, port: int) -> np.ndarray:
    """A constant that enters a node, whichever way it is held."""
    source = node.input_value(port).get_node()
    while source.get_type_name() == "Convert":
        source = source.input_value(0).get_node()
    return np.asarray(source.get_data(), np.float32)


def errors(
    arrays: dict[str, np.ndarray], numbers: Quantization, batches: list[np.ndarray]
) -> np.ndarray:
    """Mean absolute error of score, low, mid, high of int8 against float32."""
    row = arrays["head.term_weights"][0]
    both = [
        compile_graph(build_graph(arrays, quantization=q), os.cpu_count() or 1)
        for q in (numbers, None)
    ]
    found = []
    for batch in batches:
        ours, wanted = (compiled([batch, row]) for compiled in both)
        found.append([np.abs(ours[i] - wanted[i]).mean() for i in range(4)])
    return np.mean(found, axis=0)


def main() -> None:
    """Calibrate, write, print the sum and the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imagery", type=Path, help="folder of open imagery")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--weights", default=VGG16_WEIGHTS, help="name of weights")
    parser.add_argument("--crops", type=int, default=96, help="pairs of crops")
    parser.add_argument("--seed", type=int, default=0, help="of all chance")
    options = parser.parse_args()
    weights = load_weights(options.weights)
    imagery = open_imagery(options.imagery)
    batches = list(crops(imagery.train, options.crops, options.seed))
    numbers = read_numbers(quantize(weights.arrays, batches), weights.arrays)
    for layer in CALIBRATED:
        low, high = numbers.ranges[layer.name]
        print(f"{layer.relu}: input {low:.3f} .. {high:.3f}")
    content = pack_quantization(
        numbers,
        metadata={
            "weights": weights.record.name,
            "weights_sha256": weights.record.sha256,
            "licence": weights.record.licence,
            "calibrated_on": ", ".join(sorted({p.source for p in imagery.train})),
        },
    )
    path = options.out / f"{Path(weights.record.file).stem}.int8.safetensors"
    path.write_bytes(content)
    print(f"{path}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    held_out = list(crops(imagery.fit, 24, options.seed + 1))
    error = errors(weights.arrays, numbers, held_out)
    print("error of score, low, mid, high:", error.round(5))


if __name__ == "__main__":
    main()
