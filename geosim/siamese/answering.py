"""What a network with a decoder says of labelled places, square by square."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geosim.siamese.architecture import STRIDE
from geosim.siamese.backend import torch
from geosim.siamese.blending import Answers
from geosim.siamese.decoder import DECODER_MARGIN
from geosim.siamese.devices import has_bfloat16
from geosim.siamese.judging import odds_histogram
from geosim.siamese.smoothing import block_margin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.siamese.labelled import LabelledPair
    from geosim.siamese.network import SiameseVGG16

_TILE = 1024
"""Side in pixels of the squares that places are judged by."""

_EXACT_TILE = 512
"""The same in float32, which takes twice the memory."""


def log_odds(model: SiameseVGG16, images: torch.Tensor) -> torch.Tensor:
    """Log odds of change, in bfloat16 where the processor has it.

    Args:
        model: has a decoder.
        images: (2B, 3, H, W) in 0..1, the first dates in front of the second ones; H
            and W multiples of 16.

    Returns:
        (B, H, W) float32.
    """
    assert model.decoder is not None  # noqa: S101 - as it must be
    kind = images.device.type
    fast = kind == "cuda" or has_bfloat16()
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=fast):
        odds: torch.Tensor = model.decoder(model.activations(images))
    return odds.float()


def odds_counts(
    model: SiameseVGG16, pair: LabelledPair, device: str
) -> NDArray[np.int64]:
    """Histograms of the log odds over all valid pixels of a place."""
    odds, _ = told(model, pair, device)
    return odds_histogram(odds[pair.valid], pair.changed[pair.valid])


def answers(model: SiameseVGG16, pair: LabelledPair, device: str) -> Answers:
    """Log odds and score of the valid pixels of a place, in float32."""
    odds, score = told(model, pair, device, exact=True)
    return Answers(
        odds=odds[pair.valid],
        score=score[pair.valid],
        changed=pair.changed[pair.valid],
    )


def told(
    model: SiameseVGG16, pair: LabelledPair, device: str, *, exact: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log odds and, where exact, score (H, W) of a place; the model is judging then."""
    model.eval()
    side = _EXACT_TILE if exact else _TILE
    margin = max(DECODER_MARGIN, block_margin(pair.metres))
    height, width = pair.valid.shape
    odds = np.empty((height, width), np.float32)
    score = np.zeros_like(odds)
    for row in range(0, height, side):
        for col in range(0, width, side):
            top, left = max(row - margin, 0), max(col - margin, 0)
            rows = slice(top, row + side + margin)
            cols = slice(left, col + side + margin)
            found = _square(model, pair, (rows, cols), device, exact=exact)
            inner = (slice(row - top, None), slice(col - left, None))
            place = (slice(row, row + side), slice(col, col + side))
            size = odds[place].shape
            for whole, part in zip((odds, score), found, strict=False):
                whole[place] = part[inner][: size[0], : size[1]].cpu().numpy()
    return odds, score


def _square(
    model: SiameseVGG16,
    pair: LabelledPair,
    cut: tuple[slice, slice],
    device: str,
    *,
    exact: bool,
) -> list[torch.Tensor]:
    """Log odds and, where exact, score of a part, its sides made multiples of 16."""
    dates = np.stack([pair.before[:, *cut], pair.after[:, *cut]])
    pad = [(0, -n % STRIDE) for n in dates.shape[2:]]
    padded = np.pad(dates.astype(np.float32), [(0, 0), (0, 0), *pad], mode="symmetric")
    images = torch.from_numpy(padded).to(device)
    with torch.inference_mode():
        if not exact:
            return [log_odds(model, images)[0]]
        valid = torch.from_numpy(np.pad(pair.valid[cut], pad)[None]).to(device)
        activations = model.activations(images)
        odds = model.decode(activations)
        assert odds is not None  # noqa: S101 - as it must be
        score = model.score(images, activations, valid, metres=pair.metres, fixed=True)
        return [odds[0], score[0]]
