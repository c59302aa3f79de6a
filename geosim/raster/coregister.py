"""Estimate the shift that is left between the dates: phase correlation on a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_UPSAMPLE = 20
"""Shifts are resolved to 1/20 px."""

_LARGEST = 8.0
"""A window whose shift is larger than this many pixels found something else."""

_MIN_SIDE = 64
"""Smaller windows correlate by chance."""

_MIN_VALID = 0.9
"""Windows with less valid area than this are left out."""

_AGREEMENT = 0.5
"""Windows that lie within this many pixels of the median agree with it."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far the content of `after` lies from that of `before`."""

    d_row: float
    """Rows, downwards positive, in pixels of the grid."""
    d_col: float
    """Columns, rightwards positive."""
    windows: int
    """Windows that agree within half a pixel."""
    tried: int
    """Windows with enough valid area that were correlated."""

    @property
    def reliable(self) -> bool:
        """True where at least half of the windows agree."""
        return self.tried > 0 and 2 * self.windows >= self.tried


def estimate_shift(
    windows: Sequence[
        tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]
    ],
) -> Shift | None:
    """The median shift over windows of both dates; None where none can be measured.

    Args:
        windows: (before, after, valid) each; before and after (height, width) grey
            values on one scale, valid (height, width).

    Each window is correlated by phase (Kuglin & Hines 1975) and refined by an
    upsampled matrix DFT (Guizar-Sicairos et al. 2008, scikit-image); the gradient's
    magnitude is correlated rather than the brightness, since fields change theirs
    from date to date while their edges stay. The median over the windows is robust
    to those where the land changed.
    """
    found = [
        _window_shift(before, after)
        for before, after, valid in windows
        if min(valid.shape) >= _MIN_SIDE and valid.mean() >= _MIN_VALID
    ]
    if not found:
        return None
    shifts = np.array([shift for shift in found if np.abs(shift).max() <= _LARGEST])
    if not len(shifts):
        return None
    middle = np.median(shifts, axis=0)
    agree = np.abs(shifts - middle).max(axis=1) <= _AGREEMENT
    if agree.any():
        middle = np.median(shifts[agree], axis=0)
    return Shift(
        d_row=float(middle[0]),
        d_col=float(middle[1]),
        windows=int(agree.sum()),
        tried=len(found),
    )


def _window_shift(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(d_row, d_col) of one window."""
    taper = np.outer(np.hanning(before.shape[0]), np.hanning(before.shape[1]))
    edges = [_edges(date) * taper for date in (before, after)]
    shift, _, _ = phase_cross_correlation(
        edges[0], edges[1], upsample_factor=_UPSAMPLE, normalization=None
    )
    # skimage says how to move date 2 back; the content lies the other way
    return -np.asarray(shift, np.float64)


def _edges(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gradient magnitude, slightly smoothed, with zero mean."""
    smooth = gaussian_filter(image, 1.0)
    row, col = np.gradient(smooth)
    edges = np.hypot(row, col)
    result: NDArray[np.float32] = edges - edges.mean()
    return result
