"""The network as an OpenVINO graph, built straight from a weights file.

Nothing is converted and torch is not needed: the same tensors give the same numbers as
`geosim.siamese.network`, which the tests hold it to.
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
    from collections.abc import Mapping

    from numpy.typing import NDArray

_BANDS = ("low", "mid", "high")


def build_graph(
    arrays: Mapping[str, NDArray[np.float32]], *, row: int = 0
) -> openvino.Model:
    """The network for both dates of one block.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32, and of
            `decoder.decoder_shapes()` where there is a decoder.
        row: row of the term weights, see `architecture.term_row`.

    Returns:
        A model of one input, (2, 3, height, width) float32 in 0..1, before first,
        sides multiples of 16, and five outputs: the score without its colour term
        and before smoothing, the distances low, mid and high, each (1, 1, height,
        width), and the last features, (2, 512, height / 16, width / 16). With a
        decoder a sixth: its log odds of change, (1, 1, height, width).
    """
    image = ops.parameter([2, 3, -1, -1], np.float32, name="pair")
    shape = (1, 3, 1, 1)
    mean = np.array(IMAGENET_MEAN, np.float32).reshape(shape)
    scale = 1.0 / np.array(IMAGENET_STD, np.float32).reshape(shape)
    flow = ops.multiply(ops.subtract(image, mean), scale)
    distances: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    strides = {level.relu: level.stride for level in LEVELS}
    for layer in CONVOLUTIONS:
        if layer.pool_before:
            flow = ops.max_pool(
                flow, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor"
            ).output(0)
        kernel = ops.constant(arrays[f"{layer.name}.weight"])
        bias = ops.constant(arrays[f"{layer.name}.bias"].reshape(1, -1, 1, 1))
        ones = [1, 1]
        flow = ops.relu(
            ops.add(ops.convolution(flow, kernel, ones, ones, ones, ones), bias)
        )
        if layer.relu in strides:
            distances[layer.relu] = _enlarged(_distance(flow), strides[layer.relu])
        if layer.relu == SPREAD_RELU:
            spread = _distance(_spread(flow, layer.outputs))
            distances["spread"] = _enlarged(spread, strides[layer.relu])
        if layer.relu in (EMBEDDING_RELU, *DECODER_RELUS):
            kept[layer.relu] = flow
    outputs = [_fused(distances, arrays["head.term_weights"][row])]
    outputs += [_mean_of_band(distances, band) for band in _BANDS]
    outputs.append(kept[EMBEDDING_RELU])
    if has_decoder(arrays):
        outputs.append(decoded(kept, arrays, _enlarged))
    return openvino.Model(outputs, [image], "siamese_vgg16")


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


def _spread(features: Any, channels: int) -> Any:  # noqa: ANN401
    """Channel vectors averaged over their surroundings by a Gaussian."""
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
