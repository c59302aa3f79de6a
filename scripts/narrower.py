"""A network of half of the channels that comes near to a large one, without training.

Of each layer the channels that tell most about the others (QR with pivoting); kernels
fitted one layer after the other so that they give what the large network gives (He,
Zhang & Sun 2017, arXiv:1707.06168). `distil_weights.py` starts from it.
"""

import numpy as np
import scipy.linalg
import torch

from geosim.siamese.architecture import CONVOLUTIONS, SMALL_CHANNELS, convolutions
from geosim.siamese.network import SiameseVGG16, pool

CELLS = 300
"""Cells of each image that a layer is fitted on."""


def started(large: SiameseVGG16, images: torch.Tensor) -> SiameseVGG16:
    """The small network before training: half of each layer's channels, refitted.

    Args:
        large: the network that it comes nearest to.
        images: (N, 3, H, W) in 0..1, sides multiples of 16.
    """
    model = SiameseVGG16(SMALL_CHANNELS)
    wide, narrow = ((images - large.mean) / large.std for _ in range(2))
    rng = np.random.default_rng(3)
    for layer, small in zip(CONVOLUTIONS, convolutions(SMALL_CHANNELS), strict=True):
        number = int(layer.name.split(".")[1])
        if layer.pool_before:
            wide, narrow = (
                torch.nn.functional.max_pool2d(v, 2) for v in (wide, narrow)
            )
        before = large.features[number](wide)
        wide = torch.relu(before)
        columns = cells_of(wide, rng)[0]
        order = scipy.linalg.qr(columns[::4], mode="r", pivoting=True)[1]
        kept = np.sort(order[: small.outputs])
        kernel, bias = refitted(narrow, before[:, kept], rng)
        module = model.features[number]
        module.weight.copy_(kernel)
        module.bias.copy_(bias)
        narrow = torch.relu(module(narrow))
    model.head.load_state_dict(large.head.state_dict())
    # the embedding of what the chosen channels tell of all of them
    ours, theirs = pool(narrow).double(), large.embedding(pool(wide)).double()
    solved = ridge(ours, theirs)
    model.embedding.weight.copy_(solved[:-1].T)
    model.embedding.bias.copy_(solved[-1])
    return model


def cells_of(
    values: torch.Tensor, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Channel vectors of some cells, (cells, C), and where they lie in (N, H, W)."""
    count, _, height, width = values.shape
    where = np.stack(
        [rng.integers(size, size=count * CELLS) for size in (count, height, width)]
    )
    return values[where[0], :, where[1], where[2]].numpy(), where


def refitted(
    narrow: torch.Tensor, wanted: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Kernel and bias of a 3x3 convolution of `narrow`, nearest to `wanted`."""
    target, where = cells_of(wanted, rng)
    padded = torch.nn.functional.pad(narrow, (1, 1, 1, 1))
    parts = [
        padded[where[0], :, where[1] + row, where[2] + col]
        for row in range(3)
        for col in range(3)
    ]
    inputs = torch.stack(parts, dim=2).flatten(1).double()
    solved = ridge(inputs, torch.from_numpy(target).double())
    shape = (wanted.shape[1], narrow.shape[1], 3, 3)
    return solved[:-1].T.reshape(shape).float(), solved[-1].float()


def ridge(inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Linear regression with a constant, (inputs + 1, outputs), held in a little."""
    full = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    square = full.T @ full
    square += 1e-3 * square.diagonal().mean() * torch.eye(len(square)).double()
    return torch.linalg.solve(square, full.T @ wanted)
