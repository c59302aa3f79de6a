"""Embeddings of whole pictures, on OpenVINO: a picture in, a unit vector out.

The trunk's last activation relu5_3 is pooled by a generalised mean (Radenovic, Tolias &
Chum 2018, arXiv:1711.02512) and goes through the linear layer of the weights file, as
for the tiles of a change map.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import (
    EMBEDDING_RELU,
    EMBEDDING_SIZE,
    GEM_EPSILON,
    GEM_POWER,
)
from geosim.siamese.quantization import find_quantization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.siamese.quantization import Quantization
    from geosim.siamese.weights import LoadedWeights

    FloatArray = NDArray[np.float32]


def embedding_fingerprint(weights: LoadedWeights) -> str:
    """SHA-256 of the tensors that embeddings and distances depend on: all but heads."""
    digest = hashlib.sha256()
    for name in sorted(weights.arrays):
        if name.startswith(("features.", "embedding.")):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(weights.arrays[name]).data)
    return digest.hexdigest()


class Embedder:
    """Embeds batches of pictures of one shape at a time."""

    def __init__(self, weights: LoadedWeights, threads: int | None = None) -> None:
        self._arrays = weights.arrays
        self._quantization = find_quantization(weights.record.sha256)
        self._threads = threads or os.cpu_count() or 1
        self._requests: dict[tuple[int, int], Any] = {}

    def embed(self, images: FloatArray) -> FloatArray:
        """Unit vectors of a batch.

        Args:
            images: (n, 3, height, width) float32 in 0..1, sides multiples of 16.

        Returns:
            (n, 128) float32, each of length 1.
        """
        if not len(images):
            return np.empty((0, EMBEDDING_SIZE), np.float32)
        found = self._request((images.shape[2], images.shape[3])).infer([images])[0]
        return np.array(found)

    def _request(self, size: tuple[int, int]) -> Any:  # noqa: ANN401 - OpenVINO's
        """The graph compiled for a height and width: faster than one for any."""
        from geosim.siamese.graph import compile_graph

        if size not in self._requests:
            graph = build_embedding_graph(self._arrays, self._quantization, size)
            compiled = compile_graph(graph, self._threads)
            self._requests[size] = compiled.create_infer_request()
        return self._requests[size]


def build_embedding_graph(
    arrays: Mapping[str, FloatArray],
    quantization: Quantization | None,
    size: tuple[int, int],
) -> Any:  # noqa: ANN401 - OpenVINO's models have no types
    """The trunk, the pooling and the linear layer.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32.
        quantization: ranges of these weights in int8; None: float32.
        size: height and width of the input.

    Returns:
        An OpenVINO model of one input, (n, 3, height, width) float32 in 0..1, and one
        output, (n, 128), unit vectors.
    """
    import openvino
    from openvino import opset13 as ops

    from geosim.siamese.graph import trunk

    image = ops.parameter([-1, 3, *size], np.float32, name="images")
    features = trunk(image, arrays, quantization, [EMBEDDING_RELU])[EMBEDDING_RELU]
    powers = ops.power(features, np.float32(GEM_POWER))
    mean = ops.reduce_mean(powers, np.array([2, 3]), keep_dims=False)
    floor = np.float32(GEM_EPSILON)
    pooled = ops.power(ops.maximum(mean, floor), np.float32(1.0 / GEM_POWER))
    matrix = ops.constant(arrays["embedding.weight"])
    linear = ops.matmul(pooled, matrix, False, True)  # noqa: FBT003 - OpenVINO's
    shifted = ops.add(linear, ops.constant(arrays["embedding.bias"].reshape(1, -1)))
    unit = ops.normalize_l2(shifted, np.array([1]), 1e-12, "max")
    return openvino.Model([unit], [image], "siamese_embedding")
