"""The weights `imagenet`: torchvision's VGG16 as the trunk, nothing trained further.

Convolutions are torchvision's, fetched by its own download, which keeps them; what
stands on them is geosim's: the head of the whole VGG16, made for other convolutions of
the same kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import WeightsError
from geosim.siamese.architecture import CHANNELS, CONVOLUTIONS, EMBEDDING_SIZE
from geosim.siamese.backbones import downloaded, pretrained
from geosim.siamese.shipped import IMAGENET, PREPROCESSING, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

BACKBONE = "vgg16"
"""Name of the network in torchvision."""

_SEED = 16
"""Of the embedding, which is the same everywhere."""


def imagenet_trunk() -> tuple[dict[str, FloatArray], Weights]:
    """The 13 convolutions by the names of their tensors, and where they come from.

    Raises:
        WeightsError: they cannot be fetched or read, or are not VGG16's.
    """
    state, sha256 = downloaded(BACKBONE)
    arrays = {}
    for layer in CONVOLUTIONS:
        for name in (f"{layer.name}.weight", f"{layer.name}.bias"):
            if name not in state:
                raise WeightsError(
                    f"weights {IMAGENET}: torchvision's file lacks {name}; remove it "
                    "from torch's cache and try again"
                )
            arrays[name] = np.asarray(state[name].float().numpy(), np.float32)
    entry = pretrained(BACKBONE)
    return arrays, Weights(
        name=IMAGENET,
        file=str(entry.url),
        sha256=sha256,
        licence="unknown",
        attribution=(
            f"torchvision's {entry}, of the PyTorch developers; ask torchvision and "
            "ImageNet for their terms"
        ),
        bands=("red", "green", "blue"),
        preprocessing=PREPROCESSING,
        trained_on="ImageNet",
        version=str(entry.name),
    )


def with_head(
    trunk: Mapping[str, FloatArray], head: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """All tensors of a network: a trunk, a head, an embedding that fits any trunk.

    The embedding is a random projection onto orthogonal axes, which keeps the cosines
    of the pooled features about as they are (Johnson & Lindenstrauss 1984, Contemporary
    Mathematics 26); one that was trained on other features would not.

    Args:
        trunk: the convolutions.
        head: tensors of which those of the head are taken.
    """
    drawn = np.random.default_rng(_SEED).standard_normal((CHANNELS[-1], EMBEDDING_SIZE))
    axes, _ = np.linalg.qr(drawn)
    own = {name: values for name, values in head.items() if name.startswith("head.")}
    return {
        **trunk,
        **own,
        "embedding.weight": np.ascontiguousarray(axes.T, np.float32),
        "embedding.bias": np.zeros(EMBEDDING_SIZE, np.float32),
    }
