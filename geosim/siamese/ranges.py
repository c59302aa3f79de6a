"""Ranges of what enters each convolution: what int8 rounds to.

They are measured on imagery, as NNCF's post-training quantisation does it: the mean
over some batches of each one's largest value. Those of geosim-vgg16-1 lie in a file of
their own (`quantization.py`); the small network's file holds its own, and so does a
model that a user trained.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from geosim.siamese.architecture import CONVOLUTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

CALIBRATED = CONVOLUTIONS[1:]
"""The convolutions whose input has to be measured; the first reads an image in 0..1."""

_SUFFIX = ".range"


def range_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of ranges, and of no other."""
    return {f"{layer.name}{_SUFFIX}": (2,) for layer in CALIBRATED}


def has_ranges(names: Iterable[str]) -> bool:
    """Whether tensors of these names include ranges."""
    return any(name.endswith(_SUFFIX) for name in names)


def as_tensors(ranges: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Ranges by the names of their tensors.

    Args:
        ranges: (lowest, highest) by the name of the layer.
    """
    return {f"{name}{_SUFFIX}": np.asarray(ranges[name]) for name in ranges}


def from_tensors(tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """(lowest, highest) of what enters each convolution, by the name of the layer."""
    return {layer.name: tensors[f"{layer.name}{_SUFFIX}"] for layer in CALIBRATED}


def measure_ranges(
    arrays: Mapping[str, FloatArray],
    batches: Iterable[FloatArray],
    threads: int | None = None,
) -> dict[str, FloatArray]:
    """Run the trunk in float32 and note how large its activations become.

    Args:
        arrays: tensors of `architecture.state_shapes()`, float32.
        batches: each (n, 3, height, width) in 0..1, sides multiples of 16; at least
            one.
        threads: inference threads; all cores where None.

    Returns:
        (0, highest) of what enters each convolution, by the name of the layer: a ReLU
        leaves nothing below 0.
    """
    from geosim.siamese.graph import build_maxima_graph, compile_graph

    graph = build_maxima_graph(arrays)
    compiled = compile_graph(graph, threads or os.cpu_count() or 1)
    found = [list(compiled([batch]).values()) for batch in batches]
    highest = np.array(found, np.float32).reshape(len(found), -1).mean(axis=0)
    return {
        layer.name: np.array([0.0, max(value, np.finfo(np.float32).tiny)], np.float32)
        for layer, value in zip(CALIBRATED, highest, strict=True)
    }
