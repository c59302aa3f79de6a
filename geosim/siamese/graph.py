"""The network as an OpenVINO graph, built straight from a weights file.

Nothing is converted and torch is not needed: the same tensors give the same numbers as
`geosim.siamese.network`, which the tests hold it to. With a `Quantization` the graph
says where values are rounded to 8 bits, and OpenVINO runs the convolutions in int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import (
    CONVOLUTIONS,
    EMBEDDING_RELU,
    IMAGENET_MEAN,
    IMAGENET_STD,
    TERMS,
)
from geosim.siamese.decoder import DECODER_RELUS, has_decoder
from geosim.siamese.decoder_graph import decoded
from geosim.siamese.distance_graph import (
    STRIDES,
    dates,
    distance,
    enlarged,
    fused,
    level_maps,
    mean_of_band,
    spread_map,
)
from geosim.siamese.runtime import openvino, ops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from geosim.siamese.architecture import Convolution
    from geosim.siamese.quantization import Quantization

BANDS = ("low", "mid", "high")
"""Shown bands, in the order of the outputs."""


_ACTIVATION_LEVELS = 256
_LARGEST_INT8 = np.float32(127)
"""Of a kernel: it is symmetric, so -128 is not used."""

_REST = np.float32(16)
"""What rounding an image to 8 bits leaves of it is taken so many times and rounded in
turn. The kernel for it is as many times smaller, of which int8 keeps four bits."""


def build_graph(
    arrays: Mapping[str, NDArray[np.float32]],
    *,
    quantization: Quantization | None = None,
    size: tuple[int, int] = (-1, -1),
) -> openvino.Model:
    """The network for both dates of one block.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32, and of
            `decoder.decoder_shapes()` where there is a decoder.
        quantization: ranges of these weights in int8; None: float32.
        size: height and width of the input; -1: any. A fixed size is faster.

    Returns:
        A model of two inputs: (2, 3, height, width) float32 in 0..1, before first,
        sides multiples of 16, and (4,) float32, the scene's weights of the terms in
        the order of `TERMS`. Five outputs: the score without its colour term and
        before smoothing, the distances low, mid and high, each (1, 1, height, width),
        and the last features, (2, channels, height / 16, width / 16). With a decoder a
        sixth: its log odds of change, (1, 1, height, width).
    """
    image = ops.parameter([2, 3, *size], np.float32, name="pair")
    # not constants: one compiled graph then serves every scene
    term_weights = ops.parameter([len(TERMS)], np.float32, name="term_weights")
    wanted = (*STRIDES, EMBEDDING_RELU, *DECODER_RELUS)
    kept = trunk(centred(image), CONVOLUTIONS, arrays, quantization, wanted)
    distances = level_maps(kept, STRIDES) | spread_map(kept)
    outputs = [fused(distances, term_weights)]
    outputs += [mean_of_band(distances, band) for band in BANDS]
    outputs.append(kept[EMBEDDING_RELU])
    if has_decoder(arrays):
        outputs.append(decoded(kept, arrays, enlarged))
    return openvino.Model(outputs, [image, term_weights], "siamese_vgg16")


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
    kept = trunk(centred(image), CONVOLUTIONS, arrays, None, [relu])
    return openvino.Model([distance(*dates(kept[relu]))], [image], relu)


def compile_graph(graph: openvino.Model, threads: int) -> openvino.CompiledModel:
    """Make a graph ready to run on the CPU; what is not int8 is float32, never less."""
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # pinned threads of several processes would all sit on the first cores
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(graph, "CPU", settings)


def opened(
    compiled: openvino.CompiledModel,
) -> Callable[..., list[NDArray[np.float32]]]:
    """The whole network, ready to run.

    Args:
        compiled: what `build_graph` made.

    Returns:
        A function of two dates, each (3, height, width) in 0..1, and of the weights of
        the terms, (4,). It gives score, low, mid and high, each (height, width), the
        last features, and with a decoder its log odds.
    """
    request = compiled.create_infer_request()

    def run(
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        term_weights: NDArray[np.float32],
    ) -> list[NDArray[np.float32]]:
        found = request.infer([np.stack([before, after]), term_weights])
        parts = [np.array(found[number]) for number in range(len(found))]
        return [part[0, 0] if part.shape[1] == 1 else part for part in parts]

    return run


def build_trunk(arrays: Mapping[str, NDArray[np.float32]]) -> openvino.Model:
    """The convolutions alone, float32: what a quantisation is calibrated on.

    Args:
        arrays: tensors of `architecture.state_shapes()`.

    Returns:
        A model of one input, (2, 3, height, width) float32 in 0..1; each convolution
        has the name of its kernel.
    """
    image = ops.parameter([2, 3, -1, -1], np.float32, name="pair")
    kept = trunk(centred(image), CONVOLUTIONS, arrays, None, [EMBEDDING_RELU])
    return openvino.Model([kept[EMBEDDING_RELU]], [image], "vgg16")


def build_maxima_graph(arrays: Mapping[str, NDArray[np.float32]]) -> openvino.Model:
    """The convolutions alone, float32, and the largest value of each but the last.

    Args:
        arrays: tensors of `architecture.state_shapes()`.

    Returns:
        A model of one input, (n, 3, height, width) float32 in 0..1, and of an output
        () per convolution.
    """
    image = ops.parameter([-1, 3, -1, -1], np.float32, name="images")
    relus = [layer.relu for layer in CONVOLUTIONS[:-1]]
    kept = trunk(centred(image), CONVOLUTIONS, arrays, None, relus)
    largest = [ops.reduce_max(kept[relu], np.arange(4)) for relu in relus]
    return openvino.Model(largest, [image], "vgg16_maxima")


def centred(image: Any) -> Any:  # noqa: ANN401 - OpenVINO's nodes have no types
    """An image in 0..1 as the first convolution wants it."""
    shape = (1, 3, 1, 1)
    mean = np.array(IMAGENET_MEAN, np.float32).reshape(shape)
    scale = 1.0 / np.array(IMAGENET_STD, np.float32).reshape(shape)
    return ops.multiply(ops.subtract(image, mean), scale)


def trunk(
    flow: Any,  # noqa: ANN401
    layers: Sequence[Convolution],
    arrays: Mapping[str, NDArray[np.float32]],
    quantization: Quantization | None,
    wanted: Iterable[str],
) -> dict[str, Any]:
    """Some of the convolutions on both dates; the wanted activations by name.

    Args:
        flow: what enters the first of them: rounded and pooled, where that is due.
        layers: neighbours among `CONVOLUTIONS`.
        arrays: as `build_graph` takes them.
        quantization: as `build_graph` takes it.
        wanted: names of activations; those of other layers are left out.
    """
    kept: dict[str, Any] = {}
    above = ""
    for layer in layers:
        bounds = quantization.ranges.get(layer.name) if quantization else None
        if above and bounds is not None:
            # in front of pooling and distances, so that these read 8 bits too
            flow = kept[above] = _rounded(flow, bounds)
        if above and layer.pool_before:
            flow = pooled(flow)
        kernel = arrays[f"{layer.name}.weight"]
        if quantization and layer is CONVOLUTIONS[0]:
            flow, kernel = in_two_parts(flow, kernel)
        kernel = _rounded_kernel(kernel) if quantization else ops.constant(kernel)
        flow = _convolved(flow, kernel, layer.name, arrays)
        kept[layer.relu] = flow
        above = layer.relu
    return {relu: kept[relu] for relu in wanted if relu in kept}


def pooled(flow: Any) -> Any:  # noqa: ANN401
    """The largest of 2 x 2 cells."""
    return ops.max_pool(flow, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)


def _convolved(
    values: Any,  # noqa: ANN401
    kernel: Any,  # noqa: ANN401
    name: str,
    arrays: Mapping[str, NDArray[np.float32]],
) -> Any:  # noqa: ANN401
    """Convolution, bias and ReLU of one layer."""
    ones = [1, 1]
    sums = ops.convolution(
        values, kernel, ones, ones, ones, ones, name=f"{name}.weight"
    )
    offset = ops.constant(arrays[f"{name}.bias"].reshape(1, -1, 1, 1))
    return ops.relu(ops.add(sums, offset))


def in_two_parts(
    image: Any,  # noqa: ANN401
    kernel: NDArray[np.float32],
) -> tuple[Any, NDArray[np.float32]]:
    """An image of about 12 bits for a convolution of 8: as these and what they leave.

    Args:
        image: (2, 3, height, width) as `centred` makes it.
        kernel: (outputs, 3, 3, 3) of the first convolution.

    Returns:
        (2, 6, height, width) of 256 levels, which are the same in all channels; the
        kernel for it, (outputs, 6, 3, 3).
    """
    mean, deviation = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    largest = (np.maximum(mean, 1.0 - mean) / deviation).max()
    step = np.float32(largest) / _LARGEST_INT8
    bounds = np.array([-step * (_LARGEST_INT8 + 1), step * _LARGEST_INT8], np.float32)
    coarse = _rounded(image, bounds)
    rest = ops.multiply(ops.subtract(image, coarse), _REST)
    parts = _rounded(ops.concat([coarse, rest], 1), bounds)
    return parts, np.concatenate([kernel, kernel / _REST], axis=1)


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
