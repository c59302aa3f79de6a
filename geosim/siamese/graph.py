"""The network as an OpenVINO graph, built straight from a weights file.

Nothing is converted and torch is not needed: the same tensors give the same numbers as
`geosim.siamese.network`, which the tests hold it to. With a `Quantization` the graph
says where values are rounded to 8 bits, and OpenVINO runs the convolutions in int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from openvino import opset13 as ops

from geosim.siamese.architecture import (
    CONVOLUTIONS,
    COSINE_EPSILON,
    EMBEDDING_RELU,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LEVELS,
    NOISE_FLOOR,
    SPREAD_RADIUS,
    SPREAD_RELU,
    TERMS,
    spread_kernel,
)
from geosim.siamese.decoder import DECODER_RELUS, has_decoder
from geosim.siamese.decoder_graph import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.quantization import Quantization

_BANDS = ("low", "mid", "high")

_ACTIVATION_LEVELS = 256
_LARGEST_INT8 = np.float32(127)
"""Of a kernel: it is symmetric, so -128 is not used."""


def build_graph(
    arrays: Mapping[str, NDArray[np.float32]],
    term_weights: NDArray[np.float32],
    *,
    quantization: Quantization | None = None,
    size: tuple[int, int] = (-1, -1),
) -> openvino.Model:
    """The network for both dates of one block.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32, and of
            `decoder.decoder_shapes()` where there is a decoder.
        term_weights: (4,) of the scene, in the order of `TERMS`.
        quantization: ranges of these weights in int8; None: float32.
        size: height and width of the input; -1: any. A fixed size is faster.

    Returns:
        A model of one input, (2, 3, height, width) float32 in 0..1, before first,
        sides multiples of 16, and five outputs: the score without its colour term
        and before smoothing, the distances low, mid and high, each (1, 1, height,
        width), and the last features, (2, 512, height / 16, width / 16). With a
        decoder a sixth: its log odds of change, (1, 1, height, width).
    """
    image = ops.parameter([2, 3, *size], np.float32, name="pair")
    strides = {level.relu: level.stride for level in LEVELS}
    wanted = (*strides, EMBEDDING_RELU, *DECODER_RELUS)
    kept = trunk(image, arrays, quantization, wanted)
    distances = {
        relu: _enlarged(_distance(kept[relu]), stride)
        for relu, stride in strides.items()
    }
    spread = _distance(_spread(kept[SPREAD_RELU]))
    distances["spread"] = _enlarged(spread, strides[SPREAD_RELU])
    outputs = [_fused(distances, term_weights)]
    outputs += [_mean_of_band(distances, band) for band in _BANDS]
    outputs.append(kept[EMBEDDING_RELU])
    if has_decoder(arrays):
        outputs.append(decoded(kept, arrays, _enlarged))
    return openvino.Model(outputs, [image], "siamese_vgg16")


def build_level_graph(
    arrays: Mapping[str, NDArray[np.float32]], relu: str
) -> openvino.Model:
    """The trunk up to one activation, float32, for the distance there alone.

    Args:
        arrays: as `build_graph` takes them.
        relu: name of the activation.

    Returns:
        A model of the same input and one output, the distance (1, 1, height / stride,
        width / stride).
    """
    image = ops.parameter([2, 3, -1, -1], np.float32, name="pair")
    kept = trunk(image, arrays, None, [relu])
    return openvino.Model([_distance(kept[relu])], [image], relu)


def compile_graph(graph: openvino.Model, threads: int) -> openvino.CompiledModel:
    """Make a graph ready to run on the CPU; what is not int8 is float32, never less."""
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return openvino.Core().compile_model(graph, "CPU", settings)


def buildtrunk(arrays: Mapping[str, NDArray[np.float32]]) -> openvino.Model:
    """The convolutions alone, float32: what a quantisation is calibrated on.

    Args:
        arrays: tensors of `architecture.state_shapes()`.

    Returns:
        A model of one input, (2, 3, height, width) float32 in 0..1; each convolution
        has the name of its kernel.
    """
    image = ops.parameter([2, 3, -1, -1], np.float32, name="pair")
    kept = trunk(image, arrays, None, [EMBEDDING_RELU])
    return openvino.Model([kept[EMBEDDING_RELU]], [image], "vgg16")


def trunk(
    image: Any,  # noqa: ANN401 - OpenVINO's nodes have no types
    arrays: Mapping[str, NDArray[np.float32]],
    quantization: Quantization | None,
    wanted: Sequence[str],
) -> dict[str, Any]:
    """The 13 convolutions on a batch; the wanted activations by name."""
    shape = (1, 3, 1, 1)
    mean = np.array(IMAGENET_MEAN, np.float32).reshape(shape)
    scale = 1.0 / np.array(IMAGENET_STD, np.float32).reshape(shape)
    flow = ops.multiply(ops.subtract(image, mean), scale)
    kept: dict[str, Any] = {}
    above = ""
    for layer in CONVOLUTIONS:
        bounds = quantization.ranges.get(layer.name) if quantization else None
        if bounds is not None:
            # in front of pooling and distances, so that these read 8 bits too
            flow = kept[above] = _rounded(flow, bounds)
        if layer.pool_before:
            flow = ops.max_pool(
                flow, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor"
            ).output(0)
        flow = _convolved(flow, layer.name, arrays, quantized=bounds is not None)
        kept[layer.relu] = flow
        above = layer.relu
    return {relu: kept[relu] for relu in wanted}


def _convolved(
    values: Any,  # noqa: ANN401
    name: str,
    arrays: Mapping[str, NDArray[np.float32]],
    *,
    quantized: bool,
) -> Any:  # noqa: ANN401
    """Convolution, bias and ReLU of one layer."""
    numbers = arrays[f"{name}.weight"]
    kernel = _rounded_kernel(numbers) if quantized else ops.constant(numbers)
    ones = [1, 1]
    sums = ops.convolution(
        values, kernel, ones, ones, ones, ones, name=f"{name}.weight"
    )
    offset = ops.constant(arrays[f"{name}.bias"].reshape(1, -1, 1, 1))
    return ops.relu(ops.add(sums, offset))


def _rounded(values: Any, bounds: NDArray[np.float32]) -> Any:  # noqa: ANN401
    """Values cut to (lowest, highest) and rounded to 256 levels between them."""
    low, high = (ops.constant(bound.reshape(1, 1, 1, 1)) for bound in bounds)
    return ops.fake_quantize(values, low, high, low, high, _ACTIVATION_LEVELS)


def _rounded_kernel(kernel: NDArray[np.float32]) -> Any:  # noqa: ANN401
    """A kernel in int8 times a step per output, -127..127 up to its largest weight."""
    largest = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
    step = np.maximum(largest, np.finfo(np.float32).tiny) / _LARGEST_INT8
    levels = ops.constant(np.rint(kernel / step).astype(np.int8))
    return ops.multiply(ops.convert(levels, np.float32), ops.constant(step))


def _distance(features: Any) -> Any:  # noqa: ANN401 - OpenVINO's nodes have no types
    """1 - cosine of the two dates' channel vectors, (1, 1, h, w)."""
    before, after = ops.split(features, 0, 2).outputs()

    def dot(a: Any, b: Any) -> Any:  # noqa: ANN401
        return ops.reduce_sum(ops.multiply(a, b), np.array([1]), keep_dims=True)

    lengths = ops.multiply(dot(before, before), dot(after, after))
    cosine = ops.divide(
        dot(before, after), ops.sqrt(ops.add(lengths, np.float32(COSINE_EPSILON)))
    )
    return ops.subtract(np.float32(1.0), cosine)


def _enlarged(distance: Any, stride: int) -> Any:  # noqa: ANN401
    """Bilinear, half-pixel centres, by a whole factor."""
    if stride == 1:
        return distance
    return ops.interpolate(
        distance,
        np.array([stride, stride], np.float32),
        "linear_onnx",
        "scales",
        coordinate_transformation_mode="half_pixel",
        axes=np.array([2, 3]),
    )


def _spread(features: Any) -> Any:  # noqa: ANN401
    """Channel vectors averaged over their surroundings by a Gaussian."""
    channels = next(
        layer.outputs for layer in CONVOLUTIONS if layer.relu == SPREAD_RELU
    )
    kernel = np.array(spread_kernel(), np.float32)
    for shape, pads in (
        ((1, -1), [0, SPREAD_RADIUS]),
        ((-1, 1), [SPREAD_RADIUS, 0]),
    ):
        one = kernel.reshape(1, 1, 1, *shape)
        every = ops.constant(np.repeat(one, channels, axis=0))
        features = ops.group_convolution(features, every, [1, 1], pads, pads, [1, 1])
    return features


def _fused(distances: Mapping[str, Any], weights: NDArray[np.float32]) -> Any:  # noqa: ANN401
    """Weighted sum of log(1 + distance / floor) over the terms of the network."""
    total = None
    for name, weight in zip(TERMS, weights, strict=True):
        if name not in distances:
            continue  # colour is of all bands, which the network does not see
        ratio = ops.multiply(ops.relu(distances[name]), np.float32(1 / NOISE_FLOOR))
        term = ops.multiply(
            ops.log(ops.add(ratio, np.float32(1.0))), np.float32(weight)
        )
        total = term if total is None else ops.add(total, term)
    return total


def _mean_of_band(distances: Mapping[str, Any], band: str) -> Any:  # noqa: ANN401
    """Mean of the levels that a shown band stands for."""
    members = [distances[level.relu] for level in LEVELS if level.band == band]
    total = members[0]
    for member in members[1:]:
        total = ops.add(total, member)
    return ops.multiply(total, np.float32(1.0 / len(members)))
