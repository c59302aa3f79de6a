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
    CONVOLUTIONS,
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

TEXTURE_RELU, TEXTURE_WEIGHT = "relu4_3", 0.5
"""The shallower activation of a descriptor and its weight beside the deeper one: with
it, turned and cut copies of a picture are told from similar pictures."""


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
        self._quantization = find_quantization(weights)
        self._threads = threads or os.cpu_count() or 1
        self._requests: dict[tuple[tuple[int, int], bool], Any] = {}

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

    def describe(self, images: FloatArray) -> FloatArray:
        """Descriptors of a batch, for finding pictures again.

        Longer than the embedding and not trained for change: it tells what is in a
        picture (relu5_3) and, with less weight, its texture and parts (relu4_3).

        Args:
            images: (n, 3, height, width) float32 in 0..1, sides multiples of 16.

        Returns:
            (n, channels) float32, each of length 1.
        """
        if not len(images):
            return np.empty((0, _pooled_channels(self._arrays)), np.float32)
        size = (images.shape[2], images.shape[3])
        return np.array(self._request(size, describing=True).infer([images])[0])

    def _request(self, size: tuple[int, int], *, describing: bool = False) -> Any:  # noqa: ANN401 - OpenVINO's
        """The graph compiled for a height and width: faster than one for any."""
        from geosim.siamese.graph import compile_graph

        if (size, describing) not in self._requests:
            build = build_descriptor_graph if describing else build_embedding_graph
            graph = build(self._arrays, self._quantization, size)
            compiled = compile_graph(graph, self._threads)
            self._requests[size, describing] = compiled.create_infer_request()
        return self._requests[size, describing]


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
    from geosim.siamese.graph import centred, trunk
    from geosim.siamese.runtime import openvino, ops

    image = ops.parameter([-1, 3, *size], np.float32, name="images")
    features = trunk(
        centred(image), CONVOLUTIONS, arrays, quantization, [EMBEDDING_RELU]
    )[EMBEDDING_RELU]
    pooled = _pooled(features)
    matrix = ops.constant(arrays["embedding.weight"])
    linear = ops.matmul(pooled, matrix, False, True)  # noqa: FBT003 - OpenVINO's
    shifted = ops.add(linear, ops.constant(arrays["embedding.bias"].reshape(1, -1)))
    unit = ops.normalize_l2(shifted, np.array([1]), 1e-12, "max")
    return openvino.Model([unit], [image], "siamese_embedding")


def build_descriptor_graph(
    arrays: Mapping[str, FloatArray],
    quantization: Quantization | None,
    size: tuple[int, int],
) -> Any:  # noqa: ANN401 - OpenVINO's models have no types
    """The trunk and the pooling of two depths, joined into one vector.

    The shallower one is added with random signs instead of put behind the other: the
    products of both then tell nearly the same (feature hashing, Weinberger et al. 2009,
    arXiv:0902.2206), and an index is half as large.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32.
        quantization: ranges of these weights in int8; None: float32.
        size: height and width of the input.

    Returns:
        An OpenVINO model of one input, (n, 3, height, width) float32 in 0..1, and one
        output, (n, channels), unit vectors.
    """
    from geosim.siamese.graph import centred, trunk
    from geosim.siamese.runtime import openvino, ops

    image = ops.parameter([-1, 3, *size], np.float32, name="images")
    relus = [EMBEDDING_RELU, TEXTURE_RELU]
    kept = trunk(centred(image), CONVOLUTIONS, arrays, quantization, relus)
    content, texture = (_unit(_pooled(kept[relu])) for relu in relus)
    signs = random_signs(_pooled_channels(arrays)) * np.float32(TEXTURE_WEIGHT)
    joined = _unit(ops.add(content, ops.multiply(texture, ops.constant(signs))))
    return openvino.Model([joined], [image], "siamese_descriptor")


def _pooled_channels(arrays: Mapping[str, FloatArray]) -> int:
    """Length of a pooled vector; relu4_3 has as many channels as relu5_3."""
    return int(arrays["embedding.weight"].shape[1])


def random_signs(count: int) -> FloatArray:
    """(1, count) numbers -1 or 1, the same on every machine and for all time."""
    digests = [
        hashlib.sha256(f"geosim descriptor {part}".encode()).digest()
        for part in range(-(-count // 256))
    ]
    bits = np.unpackbits(np.frombuffer(b"".join(digests), np.uint8))[:count]
    return (2 * bits.astype(np.float32) - 1)[None]


def _pooled(features: Any) -> Any:  # noqa: ANN401 - OpenVINO's nodes have no types
    """Generalised mean over a picture, (n, channels)."""
    from geosim.siamese.runtime import ops

    powers = ops.power(features, np.float32(GEM_POWER))
    mean = ops.reduce_mean(powers, np.array([2, 3]), keep_dims=False)
    floor = np.float32(GEM_EPSILON)
    return ops.power(ops.maximum(mean, floor), np.float32(1.0 / GEM_POWER))


def _unit(vectors: Any) -> Any:  # noqa: ANN401
    from geosim.siamese.runtime import ops

    return ops.normalize_l2(vectors, np.array([1]), 1e-12, "max")
