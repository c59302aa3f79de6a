"""All dates in one light and in units of their noise, fitted on what did not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRIMMED = 0.95
"""Share of a normal distribution that the noise is taken from: what changed and was not
noticed lies beyond."""

_ROUNDS = 3
_SMALLEST = 1e-6
CERTAINTY = 0.999
"""Quantile of the noise that a step must exceed."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted normalisation of several dates."""

    gain: NDArray[np.float64]
    """(t, bands)."""
    offset: NDArray[np.float64]
    """(t, bands)."""
    whitening: NDArray[np.float64]
    """(bands, bands): makes the noise independent and of spread 1."""

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(t, bands, ...) file values in units of noise."""
        shape = (*self.gain.shape, *([1] * (values.ndim - 2)))
        same = values * self.gain.reshape(shape) + self.offset.reshape(shape)
        scaled = np.einsum("ij,tj...->ti...", self.whitening, same)
        found: NDArray[np.float32] = scaled.astype(np.float32)
        return found

    @property
    def price(self) -> float:
        """What `fit_steps` asks for a state."""
        return float(chi2.ppf(CERTAINTY, self.gain.shape[1]))


def no_calibration(dates: int, bands: int) -> Calibration:
    """The calibration that leaves all values as they are."""
    return Calibration(
        gain=np.ones((dates, bands)),
        offset=np.zeros((dates, bands)),
        whitening=np.eye(bands),
    )


def fit_calibration(values: NDArray[np.float32]) -> Calibration:
    """Fit gains, offsets and noise.

    Each date's bands get the mean and the spread of the first date's. The noise is what
    a pixel differs by from its own mean through time.

    Args:
        values: (t, bands, n) of pixels that did not change and are valid on all dates;
            n at least 2.
    """
    dates, bands, _ = values.shape
    mean = values.mean(axis=2, dtype=np.float64)
    spread = np.maximum(values.std(axis=2, dtype=np.float64), _SMALLEST)
    gain = spread[0] / spread
    offset = mean[0] - gain * mean
    rest = values * gain[..., None]
    rest += offset[..., None]
    rest -= rest.mean(axis=0)
    rest = np.moveaxis(rest, 1, 0).reshape(bands, -1)
    rest *= np.sqrt(dates / max(dates - 1, 1))
    kept = rest
    limit = chi2.ppf(_TRIMMED, bands)
    # the spread of a normal distribution that is cut at the limit
    shrunk = chi2.cdf(limit, bands + 2) / _TRIMMED
    whitening = np.eye(bands)
    for turn in range(_ROUNDS):
        noise = kept @ kept.T / kept.shape[1] / (shrunk if turn else 1.0)
        noise += np.eye(bands) * max(float(np.trace(noise)) / bands * 1e-3, _SMALLEST)
        whitening = np.linalg.inv(np.linalg.cholesky(noise))
        far = ((whitening @ rest) ** 2).sum(axis=0)
        kept = rest[:, far <= limit]
        if kept.shape[1] <= bands:
            break
    return Calibration(gain=gain, offset=offset, whitening=whitening)
