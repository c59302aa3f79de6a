"""The Siamese VGG16 as a torch module: the reference, and what is trained.

The main job runs the same network through OpenVINO (`graph`, `engine`); this module
is for training, for a GPU and for those who want the model in their own program.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from geosim.errors import OptionError
from geosim.siamese.architecture import (
    CHANNELS,
    CONVOLUTIONS,
    EMBEDDING_RELU,
    EMBEDDING_SIZE,
    GEM_EPSILON,
    GEM_POWER,
    HEAD_QUANTILES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LEVELS,
    STRIDE,
    TERM_WEIGHTS,
    convolutions,
    term_row,
)
from geosim.siamese.backend import functional, nn, torch
from geosim.siamese.decoder import ODDS_LIMIT
from geosim.siamese.fusion import (
    cosine_distance,
    enlarge,
    fuse,
    scene_medians,
    smooth,
    terms,
)
from geosim.siamese.weighting import FIXED_TERM_WEIGHTS, scene_weights

if TYPE_CHECKING:
    from geosim.siamese.decoder_network import Decoder

MINIMUM_SIZE = 32
"""Least height and width of an image, in pixels."""

_MOST_QUANTILE_VALUES = 1 << 22  # torch.quantile takes no more than 2^24


class SiameseOutput(NamedTuple):
    """What the network says about a batch of B pairs of height H and width W."""

    similarity: torch.Tensor
    """(B,): cosine of the embeddings clipped to 0..1; 1 same."""
    probability: torch.Tensor
    """(B, H, W): probability that the pixel changed."""
    low: torch.Tensor
    """(B, H, W): mean distance at relu1_2 and relu2_2, 0..1."""
    mid: torch.Tensor
    """(B, H, W): distance at relu3_3, 0..1."""
    high: torch.Tensor
    """(B, H, W): distance at relu4_3, 0..1."""
    embedding_before: torch.Tensor
    """(B, 128): unit vector of the first date."""
    embedding_after: torch.Tensor
    """(B, 128): unit vector of the second date."""


class ChangeHead(nn.Module):
    """Score to probability: monotone, few numbers, adapted to the scene's own level.

    `probability = sigmoid(slope * (score - threshold))` with
    `threshold = offset + quantiles . (q10, q25, q50 of the scene's smoothed score)`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.term_weights = nn.Parameter(torch.tensor(TERM_WEIGHTS))
        rows = len(TERM_WEIGHTS)
        self.slope = nn.Parameter(torch.full((rows,), 2.4))
        self.offset = nn.Parameter(torch.full((rows,), 1.5))
        self.quantiles = nn.Parameter(torch.tensor([0.0, 0.7, 0.0]).repeat(rows, 1))

    def forward(self, smoothed: torch.Tensor, row: int = 0) -> torch.Tensor:
        """Probability of change, (B, H, W), from the smoothed score of each scene."""
        values = smoothed.flatten(1)
        step = -(-values.shape[1] // _MOST_QUANTILE_VALUES)
        wanted = values.new_tensor(HEAD_QUANTILES)
        scene = torch.quantile(values[:, ::step], wanted, dim=1)  # (3, B)
        shares = self.quantiles[row][:, None]
        threshold = self.offset[row] + (shares * scene).sum(dim=0)
        return torch.sigmoid(self.slope[row] * (smoothed - threshold[:, None, None]))


class SiameseVGG16(nn.Module):
    """Two dates through one VGG16: distances at four depths, probability, embedding.

    Source of the trunk: Simonyan & Zisserman 2015, arXiv:1409.1556. Parameters have
    the names of torchvision's `vgg16().features`.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        """Random numbers.

        Args:
            channels: Of the five blocks of convolutions.
        """
        super().__init__()
        self.channels = tuple(channels)
        layers: list[nn.Module] = []
        for layer in convolutions(channels):
            if layer.pool_before:
                layers.append(nn.MaxPool2d(2))
            layers.append(nn.Conv2d(layer.inputs, layer.outputs, 3, padding=1))
            layers.append(nn.ReLU(inplace=True))
        self.features = nn.Sequential(*layers)
        self.head = ChangeHead()
        self.embedding = nn.Linear(channels[-1], EMBEDDING_SIZE)
        self.decoder: Decoder | None = None
        as_image = (1, 3, 1, 1)
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            constant = torch.tensor(values).reshape(as_image)
            self.register_buffer(name, constant, persistent=False)
        self.input_shape = (3, 224, 224)

    def activations(
        self, images: torch.Tensor, *, deepest: str = EMBEDDING_RELU
    ) -> dict[str, torch.Tensor]:
        """Run the trunk.

        Args:
            images: (N, 3, H, W), red, green, blue in 0..1, H and W multiples of 16.
            deepest: Name of the last activation that is needed.

        Returns:
            The activations of the four levels, and relu5_3 unless `deepest` lies
            before it, by name; (N, C, H / stride, W / stride).
        """
        wanted = {level.relu for level in LEVELS} | {deepest}
        found: dict[str, torch.Tensor] = {}
        current = (images - self.mean) / self.std
        names = iter(layer.relu for layer in CONVOLUTIONS)
        for module in self.features:
            current = module(current)
            if not isinstance(module, nn.ReLU):
                continue
            name = next(names)
            if name in wanted:
                found[name] = current
            if name == deepest:
                break
        return found

    def embed(self, relu5_3: torch.Tensor) -> torch.Tensor:
        """Unit vectors (N, 128) of the activations (N, C, h, w) of whole tiles."""
        return functional.normalize(self.embedding(pool(relu5_3)), dim=1)

    def score(
        self,
        images: torch.Tensor,
        activations: Mapping[str, torch.Tensor],
        valid: torch.Tensor | None = None,
        *,
        metres: float | None = None,
        fixed: bool = False,
    ) -> torch.Tensor:
        """Smoothed score (B, H, W) of images (2B, 3, H, W), first dates in front.

        Args:
            images: In 0..1, H and W multiples of 16.
            activations: Of these images.
            valid: (B, H, W) bool; None: everywhere.
            metres: Size of a pixel on the ground; None where unknown.
            fixed: Whether the weights of the terms leave the scene aside, as in the
                score that a decoder is blended with.
        """
        distances = terms(images, activations)
        row = term_row(metres)
        shipped = self.head.term_weights[row].tolist()
        weights = (
            np.array(FIXED_TERM_WEIGHTS[row], np.float32)
            if fixed
            else np.stack(
                [
                    scene_weights(shipped, scene, row=row)
                    for scene in scene_medians(distances, valid)
                ]
            )
        )
        fused = fuse(distances, torch.from_numpy(weights).to(images.device))
        guide = torch.stack([date.mean(dim=1) for date in images.chunk(2)], dim=1)
        return smooth(fused, guide, valid, metres=metres)

    def decode(self, activations: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """The decoder's log odds (B, H, W), held in; None where there is none."""
        if self.decoder is None:
            return None
        odds: torch.Tensor = self.decoder(activations)
        return odds.clamp(-ODDS_LIMIT, ODDS_LIMIT)

    def forward(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        *,
        metres: float | None = None,
    ) -> SiameseOutput:
        """Compare two dates.

        Args:
            before: (B, 3, H, W), red, green, blue in 0..1; H and W at least 32. Each
                item is a scene of its own for the head's threshold.
            after: The other date, same shape; its histogram matched to `before`.
            metres: Size of a pixel on the ground; None where unknown.

        Returns:
            Similarity, probability, distances and embeddings.
        """
        _check_images(before, after)
        height, width = before.shape[-2:]
        images = _pad_to_stride(torch.cat([before, after]))
        activations = self.activations(images)
        size = (images.shape[-2], images.shape[-1])
        resized = [
            enlarge(cosine_distance(activations[level.relu]), size)[:, :height, :width]
            for level in LEVELS
        ]
        odds = self.decode(activations)
        score = self.score(images, activations, metres=metres, fixed=odds is not None)[
            :, :height, :width
        ]
        if self.decoder is None or odds is None:
            probability = self.head(score, term_row(metres))
        else:
            of_odds, of_score, offset = self.decoder.blend
            odds = of_odds * odds[:, :height, :width] + of_score * score + offset
            probability = torch.sigmoid(odds)
        first, second = self.embed(activations[EMBEDDING_RELU]).chunk(2)
        return SiameseOutput(
            similarity=(first * second).sum(dim=1).clamp(0, 1),
            probability=probability,
            low=(resized[0] + resized[1]) / 2,
            mid=resized[2],
            high=resized[3],
            embedding_before=first,
            embedding_after=second,
        )


def pool(activations: torch.Tensor) -> torch.Tensor:
    """Generalised-mean pooling of (N, C, h, w) to (N, C), exponent 3.

    Source: Radenovic, Tolias & Chum 2018, arXiv:1711.02512.
    """
    powers = activations.pow(GEM_POWER).mean(dim=(2, 3))
    return powers.clamp_min(GEM_EPSILON).pow(1 / GEM_POWER)


def _check_images(before: torch.Tensor, after: torch.Tensor) -> None:
    fits = before.ndim == 4 and before.shape[1] == 3  # noqa: PLR2004
    if fits and before.shape == after.shape and min(before.shape[2:]) >= MINIMUM_SIZE:
        return
    raise OptionError(
        f"two batches (B, 3, H, W) of one shape, H and W at least {MINIMUM_SIZE} px, "
        f"are wanted, found {tuple(before.shape)} and {tuple(after.shape)}; put the "
        "channels second and bring both dates onto one grid"
    )


def _pad_to_stride(images: torch.Tensor) -> torch.Tensor:
    """Repeat the last row and column until both sizes are multiples of 16."""
    below, right = (-images.shape[-2] % STRIDE, -images.shape[-1] % STRIDE)
    return functional.pad(images, (0, right, 0, below), mode="replicate")
