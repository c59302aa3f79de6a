"""Estimate the shift that is left between the dates: phase correlation on a sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Window = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]

    _Real = NDArray[np.float64]
    _Complex = tuple[_Real, _Real]
    """Real and imaginary part."""

_STEP = 0.05
"""Shifts are resolved to this many pixels."""

_COARSE_STEP = 0.25
"""First sought this far apart: a third of the width of a peak below `_LOW_PASS`."""

LARGEST = 8.0
"""Largest shift that is looked for, in pixels."""

_SIDE = 128
"""Side of a correlated window; smaller ones correlate by chance."""

_MIN_VALID = 0.9
"""Windows with less valid area than this are left out."""

_LOW_PASS = 0.2
"""Width of the spectral Gaussian in cycles per pixel; noise lies above."""

_HIGH_PASS = 0.01
"""Slower waves than this (cycles per pixel) are light and season, not edges."""

_FEWEST = 3
"""Windows that an uncertainty can be estimated from."""

_RELIABLE = 0.5
"""A shift is reliable where its standard error is at most this, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far the content of `after` lies from that of `before`."""

    d_row: float
    """Rows, downwards positive, in pixels of the grid."""
    d_col: float
    """Columns, rightwards positive."""
    error: float
    """Standard error of the worse of the two; infinite with fewer than 3 windows."""
    windows: int
    """Windows that were correlated."""

    @property
    def agreed(self) -> bool:
        """True where the windows agree to half a pixel."""
        return self.error <= _RELIABLE

    @property
    def at_the_end(self) -> bool:
        """True where it is as large as is looked for: it may be larger."""
        return max(abs(self.d_row), abs(self.d_col)) > LARGEST - _STEP

    @property
    def reliable(self) -> bool:
        """True where the windows agree on a shift that is no larger than looked for."""
        return self.agreed and not self.at_the_end


def estimate_shift(windows: Sequence[Window]) -> Shift | None:
    """The one shift that explains all windows best; None where no window shows any.

    Args:
        windows: (before, after, valid) each; before and after (height, width) grey
            values on one scale, valid (height, width).

    Phase correlation (Kuglin & Hines 1975), evaluated at sub-pixel shifts by a matrix
    Fourier transform (Guizar-Sicairos et al. 2008). The cross-power spectra of all
    windows are summed before the peak is sought: a single window over a field or a
    clearing has no usable peak, but adds what it knows. The spectrum is whitened by
    the root of its magnitude, between plain and phase correlation, which long shadows
    and crop rows mislead less than either. The error is jackknifed over the windows.
    """
    spectra = np.array([_spectrum(before, after) for before, after in _parts(windows)])
    if not len(spectra):
        return None
    total = spectra.sum(axis=0)
    best = _peak(total)
    error = float("inf")
    count = len(spectra)
    if count >= _FEWEST:
        without = np.array([_peak(total - spectrum) for spectrum in spectra])
        spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
        error = float(np.sqrt(spread * (count - 1) / count).max())
    return Shift(
        d_row=round(float(best[0]), 2),
        d_col=round(float(best[1]), 2),
        error=error,
        windows=count,
    )


def _parts(
    windows: Sequence[Window],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Cut windows into squares of 128 px that are almost wholly valid.

    What is of one value on a date, such as a plain background, shows no shift.
    """
    for before, after, valid in windows:
        for row in range(0, valid.shape[0] - _SIDE + 1, _SIDE):
            for col in range(0, valid.shape[1] - _SIDE + 1, _SIDE):
                part = slice(row, row + _SIDE), slice(col, col + _SIDE)
                dates, known = (before[part], after[part]), valid[part]
                if known.mean() >= _MIN_VALID and all(
                    np.ptp(date[known]) > 0 for date in dates
                ):
                    yield dates


def _spectrum(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.complex128]:
    """Half-whitened, band-passed cross-power spectrum of weight 1."""
    taper, band = _taper(), _band()
    waves = [np.fft.fft2((date - date.mean()) * taper) for date in (before, after)]
    power = np.conj(waves[0]) * waves[1]
    half_white = power / np.sqrt(np.abs(power) + 1e-12) * band
    spectrum: NDArray[np.complex128] = half_white / (np.abs(half_white).sum() + 1e-12)
    return spectrum


@cache
def _taper() -> NDArray[np.float64]:
    """What fades a window out towards its edges."""
    return np.outer(np.hanning(_SIDE), np.hanning(_SIDE))


@cache
def _band() -> NDArray[np.float64]:
    """Weight of each wave."""
    along = np.fft.fftfreq(_SIDE)
    frequency = np.hypot(along[:, None], along)
    weight: NDArray[np.float64]
    weight = np.exp(-0.5 * (frequency / _LOW_PASS) ** 2) * (frequency > _HIGH_PASS)
    return weight


def _peak(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """(d_row, d_col) at which the correlation is largest: coarsely, then around it."""
    parts = spectrum.real.copy(), spectrum.imag.copy()
    coarse = _coarse_waves()
    near = _largest(_correlation(parts, coarse, coarse), _COARSE, _COARSE)
    rows, cols = np.clip(near[:, None] + _FINE, -LARGEST, LARGEST)
    return _largest(_correlation(parts, _waves(rows), _waves(cols)), rows, cols)


def _largest(correlation: _Real, rows: _Real, cols: _Real) -> NDArray[np.float64]:
    """The shift by rows and by columns where the correlation is largest."""
    row, col = np.unravel_index(int(correlation.argmax()), correlation.shape)
    return np.array([rows[row], cols[col]])


def _correlation(spectrum: _Complex, rows: _Complex, cols: _Complex) -> _Real:
    """Real part of the correlation at each shift by rows and by columns."""
    # einsum, since the threads of `@` cost more than products as small as these; of
    # real numbers, which it takes several at a time
    real = np.einsum("sf,fg->sg", rows[0], spectrum[0])
    real -= np.einsum("sf,fg->sg", rows[1], spectrum[1])
    imaginary = np.einsum("sf,fg->sg", rows[0], spectrum[1])
    imaginary += np.einsum("sf,fg->sg", rows[1], spectrum[0])
    correlation: _Real = np.einsum("sg,tg->st", real, cols[0])
    correlation -= np.einsum("sg,tg->st", imaginary, cols[1])
    return correlation


def _waves(shifts: _Real) -> _Complex:
    """The spectrum of each shift along one axis, each part (shifts, 128)."""
    turns = 2 * np.pi * np.outer(shifts, np.fft.fftfreq(_SIDE))
    return np.cos(turns), np.sin(turns)


@cache
def _coarse_waves() -> _Complex:
    """Of the shifts that are tried first."""
    return _waves(_COARSE)


def _steps(largest: float, step: float) -> NDArray[np.float64]:
    """Shifts from -largest to largest."""
    count = round(largest / step)
    return np.arange(-count, count + 1, dtype=np.float64) * step


_COARSE, _FINE = _steps(LARGEST, _COARSE_STEP), _steps(_COARSE_STEP, _STEP)
