"""The decoder as a torch module: the reference, and what labels train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.siamese.architecture import CHANNELS
from geosim.siamese.backend import functional, nn, torch
from geosim.siamese.decoder import (
    DECODER_RELUS,
    DECODER_WIDTH,
    LENGTH_EPSILON,
    read_channels,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Decoder(nn.Module):
    """Activations of both dates to log odds of change; see `geosim.siamese.decoder`."""

    threshold: torch.Tensor
    blend: torch.Tensor

    def __init__(
        self, channels: Sequence[int] = CHANNELS, *, dropout: float = 0.1
    ) -> None:
        """Start with random numbers.

        Args:
            channels: Of the five blocks of the trunk.
            dropout: Chance that a channel is left out of a step of training.
        """
        super().__init__()
        width = DECODER_WIDTH
        # plain names: a ModuleDict's keys must not hold dots, these do not
        self.lateral = nn.ModuleDict(
            {
                relu: nn.Conv2d(3 * read, width, 1)
                for relu, read in read_channels(channels).items()
            }
        )
        self.merge = nn.ModuleDict(
            {relu: nn.Conv2d(width, width, 3, padding=1) for relu in DECODER_RELUS}
        )
        self.out = nn.Conv2d(width, 1, 1)
        self.dropout = nn.Dropout2d(dropout)
        self.register_buffer("blend", torch.tensor([1.0, 0.0, 0.0]))
        self.register_buffer("threshold", torch.tensor([0.5]))

    def forward(self, activations: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Log odds of change.

        Args:
            activations: By name, (2B, C, H / stride, W / stride), the first dates in
                front of the second ones; H and W multiples of 16.

        Returns:
            (B, H, W).
        """
        flow: torch.Tensor | None = None
        for relu in reversed(DECODER_RELUS):
            side = self.dropout(self.lateral[relu](compared(activations[relu])))
            joined = functional.relu(side if flow is None else side + enlarged(flow))
            flow = functional.relu(self.merge[relu](joined))
        assert flow is not None  # noqa: S101 - there are levels
        return enlarged(self.out(flow))[:, 0]


def compared(activations: torch.Tensor) -> torch.Tensor:
    """(2B, C, h, w) to (B, 3C, h, w): absolute difference, date 1, date 2.

    The channel vectors have a root mean square of 1.
    """
    # squares of half precision overflow: lengths are taken in float32
    square = activations.float().square().mean(dim=1, keepdim=True)
    scale = torch.rsqrt(square + LENGTH_EPSILON).to(activations.dtype)
    first, second = (activations * scale).chunk(2)
    return torch.cat([(first - second).abs(), first, second], dim=1)


def enlarged(values: torch.Tensor) -> torch.Tensor:
    """Twice as high and wide, bilinear, half-pixel centres."""
    return functional.interpolate(
        values, scale_factor=2.0, mode="bilinear", align_corners=False
    )
