"""The Siamese network in numbers: layers, tensors, strides, constants.

Imports neither torch nor OpenVINO, so that both implementations (`network` and
`graph`) and the reader of weights files share one description.

The network: the 13 convolutions of VGG16 (Simonyan & Zisserman 2015,
arXiv:1409.1556) run on both dates with the same weights; at four depths the
distance of a pixel is `1 - cos` of the two channel vectors; the distances are
weighted, summed and smoothed into a score, and a head of five numbers turns the
score into a probability. A linear layer on the pooled last features gives the
embedding of a tile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Subtracted from red, green and blue in 0..1 (the convention of torchvision)."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Divides red, green and blue after the mean is subtracted."""

STRIDE = 16
"""Height and width of the input are multiples of this: four 2x2 poolings."""

COSINE_EPSILON = 1e-8
"""`cos = dot / sqrt(|a|^2 |b|^2 + COSINE_EPSILON)`."""

SMOOTHING_SIGMA = 5.0
"""Standard deviation in pixels of the Gaussian that smooths the fused score."""

SMOOTHING_TRUNCATE = 4.0
"""The Gaussian is cut at this many standard deviations (scipy's default)."""

INITIAL_LEVEL_WEIGHTS = (1 / 0.1, 1 / 0.2, 1 / 0.3, 1 / 0.4)
"""Weights of the four distances before anything is fitted."""

DEEP_GAIN = 16.0
"""Weight of the smoothed distance at relu4_3 where it stands alone. On held-out open
pairs without pasted changes 20 brings it to the scale of the score; less than that lets
it speak only where it stands out further than the sum."""

DEEP_FROM_METRES = 50.0
"""From this pixel size on, relu4_3 alone can raise the score. A pixel that large is a
mixture and flickers from date to date; what lies around it tells more."""

HEAD_QUANTILES = (0.10, 0.25, 0.50)
"""Quantiles of the scene's smoothed score that place the head's threshold."""

GEM_POWER = 3.0
"""Exponent of generalised-mean pooling (Radenovic et al. 2018, arXiv:1711.02512)."""

GEM_EPSILON = 1e-12
"""The mean of the cubes is not taken below this (its root has no slope at 0)."""

POOLED_CHANNELS = 512
"""Length of the pooled relu5_3 vector."""

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


_BLOCKS = (
    # block, index of its first layer in torchvision's `features`, channels, depth
    (1, 0, 64, 2),
    (2, 5, 128, 2),
    (3, 10, 256, 3),
    (4, 17, 512, 3),
    (5, 24, 512, 3),
)


def _convolutions() -> tuple[Convolution, ...]:
    layers: list[Convolution] = []
    inputs = 3
    for block, first, channels, depth in _BLOCKS:
        for position in range(depth):
            layers.append(
                Convolution(
                    name=f"features.{first + 2 * position}",
                    relu=f"relu{block}_{position + 1}",
                    inputs=inputs,
                    outputs=channels,
                    stride=2 ** (block - 1),
                    pool_before=block > 1 and position == 0,
                )
            )
            inputs = channels
    return tuple(layers)


CONVOLUTIONS = _convolutions()
"""The trunk, in the order it runs."""

LEVELS = (
    Level(relu="relu1_2", stride=1, band="low"),
    Level(relu="relu2_2", stride=2, band="low"),
    Level(relu="relu3_3", stride=4, band="mid"),
    Level(relu="relu4_3", stride=8, band="high"),
)
"""Where the dates are compared, in the order of `head.level_weights`."""

EMBEDDING_RELU = "relu5_3"
"""Activation that is pooled into a tile's embedding."""


def state_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a weights file, and of no other."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in CONVOLUTIONS:
        shapes[f"{layer.name}.weight"] = (layer.outputs, layer.inputs, 3, 3)
        shapes[f"{layer.name}.bias"] = (layer.outputs,)
    shapes["head.level_weights"] = (len(LEVELS),)
    shapes["head.slope"] = (1,)
    shapes["head.offset"] = (1,)
    shapes["head.quantiles"] = (len(HEAD_QUANTILES),)
    shapes["embedding.weight"] = (EMBEDDING_SIZE, POOLED_CHANNELS)
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


def _reaches() -> Mapping[str, int]:
    deepest = LEVELS[-1]
    return MappingProxyType(
        {
            # a pixel of a cell's left half reads the whole cell to the left of it
            "differences": reach(deepest.relu) + deepest.stride * 3 // 2 - 1,
            "smoothing": int(SMOOTHING_TRUNCATE * SMOOTHING_SIGMA + 0.5),
            "embedding": reach(EMBEDDING_RELU),
        }
    )


REACHES = _reaches()
"""Pixels that each stage looks beyond what it answers for: `differences` (the four
distances at the input's size), `smoothing` (added for the fused score) and
`embedding` (the cells of relu5_3)."""

MARGIN = -(-(REACHES["differences"] + REACHES["smoothing"]) // STRIDE) * STRIDE
"""Margin of a block in pixels after which the score and the probability do not depend
on where the block was cut: differences plus smoothing, up to a multiple of STRIDE
(blocks must also start at a multiple of STRIDE of the raster)."""
