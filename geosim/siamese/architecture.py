"""The Siamese network in numbers: layers, tensors, strides, constants.

Imports neither torch nor OpenVINO, so that both implementations (`network` and
`graph`) and the reader of weights files share one description.

The network: the 13 convolutions of VGG16 (Simonyan & Zisserman 2015,
arXiv:1409.1556) run on both dates with the same weights; at four depths the
distance of a pixel is `1 - cos` of the two channel vectors. The score is a weighted
geometric mean of two of these distances, of the distance of relu4_3 averaged over its
surroundings, and of the difference in colour: only what differs in colour, in texture
and in content scores high. It is smoothed along the edges of the images, and a head
of three numbers turns it into a probability. A linear layer on the pooled last
features gives the embedding of a tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Subtracted from red, green and blue in 0..1 (the convention of torchvision)."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Divides red, green and blue after the mean is subtracted."""

STRIDE = 16
"""Height and width of the input are multiples of this: four 2x2 poolings."""

COSINE_EPSILON = 1e-8
"""`cos = dot / sqrt(|a|^2 |b|^2 + COSINE_EPSILON)`."""

NOISE_FLOOR = 0.1
"""A distance d enters the score as log(1 + d / NOISE_FLOOR): below it, differences of
distances count little; above it, their ratio counts."""

TERMS = ("relu1_2", "relu2_2", "spread", "colour")
"""What the score is the weighted mean of, in the order of `head.term_weights`:
distances at two levels, the distance of the spread features, the colour distance."""

TERM_WEIGHTS = ((0.75, 0.10, 0.06, 0.09), (0.30, 0.05, 0.60, 0.05))
"""Weights of the terms, 1 together, before the scene changes them (`weighting`): a row
for usual pixels and one for coarse ones."""

COARSE_FROM_METRES = 50.0
"""From this pixel size on the second row of the head is used. A pixel that large is
a mixture and flickers from date to date; what lies around it tells more."""

SPREAD_RELU = "relu4_3"
"""Activation whose channel vectors are averaged over their surroundings, before they
are compared: content that moved a little or is arranged otherwise stays alike."""

SPREAD_SIGMA = 2.0
"""Standard deviation of that average in cells of the level."""

SPREAD_RADIUS = 5
"""Cells at which that Gaussian is cut."""

MIDDLING_FROM_METRES = 8.0
"""From this pixel size on the second of `AUTO_THRESHOLDS` is used."""

AUTO_THRESHOLDS = (0.20, 0.18, 0.26)
"""Probability from which `auto` calls a pixel changed: fine, middling, coarse pixels.

A map that weighs misses and false alarms alike draws its line at half of the F1 it can
reach, not at 0.5 (Lipton et al. 2014). On held-out open pairs with pasted changes the
best F1 lies at 0.17 and, of coarse pixels, at 0.23 (`scripts/train_weights.py` prints
it). Those changes are larger and rarer than real ones: for fine and middling pixels
the line is where labelled pairs of other places (docs/accuracy.md) come near their best
F1, for fine ones also where at most 2 % are flagged on pairs of dates without change;
for coarse ones it is where forest that stayed is no longer flagged (Peru,
docs/accuracy.md)."""

HEAD_QUANTILES = (0.10, 0.25, 0.50)
"""Quantiles of the scene's smoothed score that place the head's threshold."""

GEM_POWER = 3.0
"""Exponent of generalised-mean pooling (Radenovic et al. 2018, arXiv:1711.02512)."""

GEM_EPSILON = 1e-12
"""The mean of the cubes is not taken below this (its root has no slope at 0)."""

EMBEDDING_SIZE = 128
"""Length of a tile's embedding."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One 3x3 convolution of the trunk, padding 1, followed by a ReLU."""

    name: str
    """Name of its tensors without `.weight`/`.bias`, as torchvision has it."""
    relu: str
    """Name of the activation after it, for example `relu3_3`."""
    inputs: int
    """Channels read."""
    outputs: int
    """Channels written."""
    stride: int
    """Pixels of the input per cell of its output."""
    pool_before: bool
    """Whether a 2x2 max pooling stands in front of it."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One depth at which the two dates are compared."""

    relu: str
    """Activation whose channel vectors are compared."""
    stride: int
    """Pixels per cell."""
    band: str
    """Shown band the level belongs to: low, mid or high."""


CHANNELS = (64, 128, 256, 512, 512)
"""Channels of VGG16's five blocks."""

SMALL_CHANNELS = (32, 64, 128, 256, 256)
"""Those of the small network: a quarter of the multiply-adds."""

_BLOCKS = (
    # block, index of its first layer in torchvision's `features`, depth
    (1, 0, 2),
    (2, 5, 2),
    (3, 10, 3),
    (4, 17, 3),
    (5, 24, 3),
)


def convolutions(channels: Sequence[int] = CHANNELS) -> tuple[Convolution, ...]:
    """The trunk of a network whose five blocks have so many channels, in order."""
    layers: list[Convolution] = []
    inputs = 3
    for (block, first, depth), outputs in zip(_BLOCKS, channels, strict=True):
        for position in range(depth):
            layers.append(
                Convolution(
                    name=f"features.{first + 2 * position}",
                    relu=f"relu{block}_{position + 1}",
                    inputs=inputs,
                    outputs=outputs,
                    stride=2 ** (block - 1),
                    pool_before=block > 1 and position == 0,
                )
            )
            inputs = outputs
    return tuple(layers)


CONVOLUTIONS = convolutions()
"""The trunk of VGG16, in the order it runs. Narrower networks have the same layers."""

LEVELS = (
    Level(relu="relu1_2", stride=1, band="low"),
    Level(relu="relu2_2", stride=2, band="low"),
    Level(relu="relu3_3", stride=4, band="mid"),
    Level(relu="relu4_3", stride=8, band="high"),
)
"""Where the dates are compared."""

EMBEDDING_RELU = "relu5_3"
"""Activation that is pooled into a tile's embedding."""


def channels_of(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[int, ...]:
    """Channels of the five blocks of a network, told by its first kernel.

    Args:
        arrays: its tensors by name.

    Returns:
        SMALL_CHANNELS where the first kernel has as many outputs, else CHANNELS; that
        the other tensors fit is for a check against `state_shapes` to say.
    """
    first = arrays.get(f"{CONVOLUTIONS[0].name}.weight")
    small = first is not None and first.shape[:1] == SMALL_CHANNELS[:1]
    return SMALL_CHANNELS if small else CHANNELS


def state_shapes(
    channels: Sequence[int] = CHANNELS,
) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a weights file, and of no other.

    Args:
        channels: of the five blocks.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in convolutions(channels):
        shapes[f"{layer.name}.weight"] = (layer.outputs, layer.inputs, 3, 3)
        shapes[f"{layer.name}.bias"] = (layer.outputs,)
    shapes["head.term_weights"] = (len(TERM_WEIGHTS), len(TERMS))
    shapes["head.slope"] = (len(TERM_WEIGHTS),)
    shapes["head.offset"] = (len(TERM_WEIGHTS),)
    shapes["head.quantiles"] = (len(TERM_WEIGHTS), len(HEAD_QUANTILES))
    shapes["embedding.weight"] = (EMBEDDING_SIZE, channels[-1])
    shapes["embedding.bias"] = (EMBEDDING_SIZE,)
    return shapes


def reach(relu: str) -> int:
    """How far an activation sees, in input pixels.

    Args:
        relu: Name of an activation, for example `relu4_3`.

    Returns:
        The number r such that a cell depends on no pixel further than r from the
        pixels it covers: one cell of each convolution's own stride (a pooling reads
        only what its cell covers).
    """
    pixels = 0
    for layer in CONVOLUTIONS:
        pixels += layer.stride
        if layer.relu == relu:
            return pixels
    message = f"unknown activation {relu!r}: one of relu1_1 .. relu5_3 is needed"
    raise ValueError(message)


def spread_kernel() -> tuple[float, ...]:
    """Gaussian of 2 * SPREAD_RADIUS + 1 cells whose sum is 1."""
    steps = range(-SPREAD_RADIUS, SPREAD_RADIUS + 1)
    values = [math.exp(-0.5 * (step / SPREAD_SIGMA) ** 2) for step in steps]
    return tuple(value / sum(values) for value in values)


def term_row(metres: float | None) -> int:
    """Row of the head that a pixel size takes: 0 usual, 1 coarse."""
    return int(metres is not None and metres >= COARSE_FROM_METRES)


def threshold_row(metres: float | None) -> int:
    """Place in `AUTO_THRESHOLDS` of a pixel size."""
    if metres is None or metres < MIDDLING_FROM_METRES:
        return 0
    return 1 + term_row(metres)


def _reaches() -> Mapping[str, int]:
    deepest = LEVELS[-1]
    # a pixel of a cell's left half reads the whole cell to the left of it
    beyond = reach(deepest.relu) + deepest.stride * 3 // 2 - 1
    return MappingProxyType(
        {
            "differences": beyond,
            "spread": beyond + SPREAD_RADIUS * deepest.stride,
            "embedding": reach(EMBEDDING_RELU),
        }
    )


REACHES = _reaches()
"""Pixels that each stage looks beyond what it answers for: `differences` (the four
distances at the input's size), `spread` (the distance of the spread features) and
`embedding` (the cells of relu5_3)."""
