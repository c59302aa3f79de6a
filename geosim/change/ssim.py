"""Structural similarity per pixel (Wang et al. 2004), by scikit-image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.metrics import structural_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW = 7
"""Side of the window in pixels; scikit-image's default."""

REACH = WINDOW // 2
"""Pixels around a pixel that its value depends on."""


def ssim_map(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """SSIM of the bands' mean, per pixel.

    Args:
        before: (bands, height, width) in 0..1, each side at least 7 px.
        after: as `before`.

    Returns:
        (height, width) float32 in -1..1, 1 = same.
    """
    _, similarity = structural_similarity(
        before.mean(axis=0),
        after.mean(axis=0),
        win_size=WINDOW,
        data_range=1.0,
        full=True,
    )
    clipped: NDArray[np.float32] = np.clip(similarity, -1.0, 1.0).astype(np.float32)
    return clipped
