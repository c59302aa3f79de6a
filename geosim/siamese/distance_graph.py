"""Distances of two dates and what becomes of them, as parts of OpenVINO graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import (
    COSINE_EPSILON,
    LEVELS,
    NOISE_FLOOR,
    SPREAD_RADIUS,
    SPREAD_RELU,
    TERMS,
    spread_kernel,
)
from geosim.siamese.runtime import ops

if TYPE_CHECKING:
    from collections.abc import Mapping

STRIDES = {level.relu: level.stride for level in LEVELS}
"""Pixels per cell of each level."""


def level_maps(kept: Mapping[str, Any], strides: Mapping[str, int]) -> dict[str, Any]:
    """Distance at each level that is there, (1, 1, height, width), by activation."""
    return {
        relu: enlarged(distance(*dates(kept[relu])), stride)
        for relu, stride in strides.items()
    }


def spread_map(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Distance of the features that were averaged over their surroundings."""
    before, after = (_spread(date) for date in dates(kept[SPREAD_RELU]))
    return {"spread": enlarged(distance(before, after), STRIDES[SPREAD_RELU])}


def dates(features: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Features of date 1 and of date 2."""
    before, after = ops.split(features, 0, 2).outputs()
    return before, after


def distance(before: Any, after: Any) -> Any:  # noqa: ANN401
    """1 - cosine of the two dates' channel vectors, (1, 1, h, w)."""

    def dot(a: Any, b: Any) -> Any:  # noqa: ANN401
        return ops.reduce_sum(ops.multiply(a, b), np.array([1]), keep_dims=True)

    lengths = ops.multiply(dot(before, before), dot(after, after))
    cosine = ops.divide(
        dot(before, after), ops.sqrt(ops.add(lengths, np.float32(COSINE_EPSILON)))
    )
    return ops.subtract(np.float32(1.0), cosine)


def enlarged(values: Any, stride: int) -> Any:  # noqa: ANN401
    """Bilinear, half-pixel centres, by a whole factor; edges go on as they are.

    A single channel goes through a convolution with an output per pixel of a cell,
    which takes a third to a quarter of the time of OpenVINO's interpolation and is the
    same to the last bit or two; many channels are no faster that way.
    """
    if stride == 1:
        return values
    if values.get_output_partial_shape(0)[1] == 1:
        return _convolved_larger(values, stride)
    return ops.interpolate(
        values,
        np.array([stride, stride], np.float32),
        "linear_onnx",
        "scales",
        coordinate_transformation_mode="half_pixel",
        axes=np.array([2, 3]),
    )


def _convolved_larger(values: Any, stride: int) -> Any:  # noqa: ANN401
    """`enlarged` for (1, 1, h, w)."""
    offsets = (np.arange(stride) + 0.5) / stride - 0.5
    # weights of the cell before, of the own one and of the next, (stride, 3)
    shares = np.maximum(0.0, 1.0 - np.abs(offsets[:, None] - np.array([-1, 0, 1])))
    kernel = np.einsum("ra,cb->rcab", shares, shares).reshape(-1, 1, 3, 3)
    border, ones, none = np.array([0, 0, 1, 1]), [1, 1], [0, 0]
    around = ops.pad(values, border, border, "edge")
    flow = ops.convolution(
        around, ops.constant(kernel.astype(np.float32)), ones, none, none, ones
    )
    return ops.depth_to_space(flow, "blocks_first", stride)


def _spread(features: Any) -> Any:  # noqa: ANN401
    """Channel vectors averaged over their surroundings by a Gaussian."""
    channels = features.get_partial_shape()[1].get_length()
    kernel = np.array(spread_kernel(), np.float32)
    for shape, pads in (
        ((1, -1), [0, SPREAD_RADIUS]),
        ((-1, 1), [SPREAD_RADIUS, 0]),
    ):
        one = kernel.reshape(1, 1, 1, *shape)
        every = ops.constant(np.repeat(one, channels, axis=0))
        features = ops.group_convolution(features, every, [1, 1], pads, pads, [1, 1])
    return features


def fused(distances: Mapping[str, Any], weights: Any) -> Any:  # noqa: ANN401
    """Weighted sum of log(1 + distance / floor) over the terms of the network."""
    total = None
    for name, weight in zip(
        TERMS, ops.split(weights, 0, len(TERMS)).outputs(), strict=True
    ):
        if name not in distances:
            continue  # colour is of all bands, which the network does not see
        ratio = ops.multiply(ops.relu(distances[name]), np.float32(1 / NOISE_FLOOR))
        term = ops.multiply(ops.log(ops.add(ratio, np.float32(1.0))), weight)
        total = term if total is None else ops.add(total, term)
    return total


def mean_of_band(distances: Mapping[str, Any], band: str) -> Any:  # noqa: ANN401
    """Mean of the levels that a shown band stands for."""
    members = [distances[level.relu] for level in LEVELS if level.band == band]
    total = members[0]
    for member in members[1:]:
        total = ops.add(total, member)
    return ops.multiply(total, np.float32(1.0 / len(members)))
