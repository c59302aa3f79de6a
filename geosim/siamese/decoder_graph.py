"""The decoder as a part of the OpenVINO graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.decoder import DECODER_RELUS, LENGTH_EPSILON, ODDS_LIMIT
from geosim.siamese.runtime import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


def decoded(
    activations: Mapping[str, Any],
    arrays: Mapping[str, NDArray[np.float32]],
    enlarge: Callable[[Any, int], Any],
) -> Any:  # noqa: ANN401 - OpenVINO's nodes have no types
    """Log odds of change, held within `ODDS_LIMIT`.

    Args:
        activations: nodes of both dates by name, (2, C, h, w).
        arrays: tensors with the names of `decoder.decoder_shapes()`.
        enlarge: makes a node larger by a whole factor, bilinear.

    Returns:
        A node, (1, 1, height, width).
    """

    def convolve(values: Any, name: str, pad: int) -> Any:  # noqa: ANN401
        kernel = ops.constant(arrays[f"decoder.{name}.weight"])
        bias = ops.constant(arrays[f"decoder.{name}.bias"].reshape(1, -1, 1, 1))
        around, ones = [pad, pad], [1, 1]
        return ops.add(
            ops.convolution(values, kernel, ones, around, around, ones), bias
        )

    flow: Any = None
    for relu in reversed(DECODER_RELUS):
        side = convolve(_compared(activations[relu]), f"lateral.{relu}", 0)
        joined = side if flow is None else ops.add(side, enlarge(flow, 2))
        flow = ops.relu(convolve(ops.relu(joined), f"merge.{relu}", 1))
    return ops.clamp(enlarge(convolve(flow, "out", 0), 2), -ODDS_LIMIT, ODDS_LIMIT)


def _compared(features: Any) -> Any:  # noqa: ANN401
    """(2, C, h, w) to (1, 3C, h, w): absolute difference, date 1, date 2."""
    square = ops.reduce_mean(
        ops.multiply(features, features), np.array([1]), keep_dims=True
    )
    length = ops.sqrt(ops.add(square, np.float32(LENGTH_EPSILON)))
    first, second = ops.split(ops.divide(features, length), 0, 2).outputs()
    return ops.concat([ops.abs(ops.subtract(first, second)), first, second], 1)
