"""The decoder in numbers: what labels teach on top of the trunk.

A weights file may hold a decoder beside the tensors of `architecture.state_shapes()`.
It reads the activations of both dates at four depths and gives log odds of change:
labels say what counts as change, which no distance knows. They are held within
`ODDS_LIMIT` and joined with the score by the three numbers of the blend, see
`geosim.siamese.blending`.

At each depth the channel vectors of both dates are brought to one length (root mean
square 1); their absolute difference, date 1 and date 2 are projected onto 64 channels
(1x1), added to what the depth below says, enlarged bilinearly by two, and convolved
(3x3), in the manner of a feature pyramid (Lin et al. 2017, arXiv:1612.03144). The
finest depth gives the log odds by a 1x1 convolution, again enlarged by two. Nothing is
normalised over space, so the answer does not depend on how a scene was cut.

Imports neither torch nor OpenVINO, as `architecture`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.siamese.architecture import (
    CHANNELS,
    CONVOLUTIONS,
    STRIDE,
    convolutions,
    reach,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DECODER_RELUS = ("relu2_2", "relu3_3", "relu4_3", "relu5_3")
"""Activations that the decoder reads, finest first; each has half the cells of the one
before it."""

DECODER_WIDTH = 64
"""Channels inside the decoder."""

LENGTH_EPSILON = 1e-6
"""Added to the mean square of a channel vector before its root is taken."""

PREFIX = "decoder."
"""What the names of the decoder's tensors begin with."""

ODDS_LIMIT = 8.0
"""Log odds are held within this: where labels were few, more would be pretence."""

BLEND = "decoder.blend"
"""Name of the tensor with the weights of log odds, score and 1 in the answer."""

THRESHOLD = "decoder.threshold"
"""Name of the tensor with the probability from which a pixel counts as changed."""

_STRIDES = {layer.relu: layer.stride for layer in CONVOLUTIONS}


def decoder_shapes(channels: Sequence[int] = CHANNELS) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a decoder, and of no other.

    Args:
        channels: of the five blocks of the trunk.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    width = DECODER_WIDTH
    for relu, read in read_channels(channels).items():
        shapes[f"{PREFIX}lateral.{relu}.weight"] = (width, 3 * read, 1, 1)
        shapes[f"{PREFIX}lateral.{relu}.bias"] = (width,)
    for relu in DECODER_RELUS:
        shapes[f"{PREFIX}merge.{relu}.weight"] = (width, width, 3, 3)
        shapes[f"{PREFIX}merge.{relu}.bias"] = (width,)
    shapes[f"{PREFIX}out.weight"] = (1, width, 1, 1)
    shapes[f"{PREFIX}out.bias"] = (1,)
    shapes[BLEND] = (3,)
    shapes[THRESHOLD] = (1,)
    return shapes


def has_decoder(names: Iterable[str]) -> bool:
    """Whether tensors of these names include a decoder's."""
    return any(name.startswith(PREFIX) for name in names)


def read_channels(channels: Sequence[int] = CHANNELS) -> dict[str, int]:
    """Channels of each activation that a decoder reads.

    Args:
        channels: of the five blocks of the trunk.
    """
    outputs = {layer.relu: layer.outputs for layer in convolutions(channels)}
    return {relu: outputs[relu] for relu in DECODER_RELUS}


def _decoder_reach() -> int:
    pixels = reach(DECODER_RELUS[-1])
    for relu in DECODER_RELUS:
        # one cell by the convolution, one by enlarging what it gives
        pixels += 2 * _STRIDES[relu]
    return pixels


DECODER_REACH = _decoder_reach()
"""Pixels that the log odds of a pixel depend on, to each side."""

DECODER_MARGIN = -(-DECODER_REACH // STRIDE) * STRIDE
"""Margin of a block in pixels after which the decoder's answer does not depend on
where the block was cut."""
