"""The classical references: change vector analysis and IR-MAD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import NoDataError
from geosim.windows import strips_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_ITERATIONS = 50
_TOLERANCE = 1e-4
"""The iteration ends when no canonical correlation moves by more than this."""

_RIDGE = 1e-9
"""Relative ridge on the covariances: constant or repeated bands stay solvable."""

_LEAST_SAMPLE = 0.1
"""Share of the sample that the weights must count for (Kish's effective sample size).
Below it the model follows pixels that agree by chance or by rounding."""


def cva_magnitude(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Length of the change vector (Malila 1980).

    Args:
        before: (bands, height, width) in 0..1.
        after: as `before`.

    Returns:
        (height, width) float32, root mean square over the bands, 0..1.
    """
    magnitude = np.zeros(before.shape[1:], np.float32)
    for rows in strips_of(magnitude.shape):
        total = magnitude[rows]  # a view
        for one, other in zip(before[:, rows], after[:, rows], strict=True):
            change = other - one
            change *= change
            total += change
        total /= len(before)
        np.sqrt(total, out=total)
    return magnitude


@dataclass(frozen=True, kw_only=True)
class IrMad:
    """A fitted IR-MAD transform."""

    mean_before: NDArray[np.float64]
    """(bands,) weighted mean of date 1."""
    mean_after: NDArray[np.float64]
    """(bands,) weighted mean of date 2."""
    vectors_before: NDArray[np.float64]
    """(bands, bands), a column per canonical variate of date 1."""
    vectors_after: NDArray[np.float64]
    """(bands, bands), the same for date 2, positively correlated with it."""
    correlations: NDArray[np.float64]
    """(bands,) weighted canonical correlations, smallest first."""
    variances: NDArray[np.float64]
    """(bands,) variance of each MAD variate where nothing changed."""
    iterations: int
    """Rounds of the fit that this model is from."""

    def chi(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Root of the sum of squared standardised MAD variates, (height, width).

        Its square follows a chi-squared distribution with as many degrees of freedom
        as there are bands where nothing changed.
        """
        flat_before = before.reshape(len(before), -1).T - self.mean_before
        flat_after = after.reshape(len(after), -1).T - self.mean_after
        mad = flat_before @ self.vectors_before - flat_after @ self.vectors_after
        squares = (mad**2 / self.variances).sum(axis=1)
        root: NDArray[np.float32] = np.sqrt(squares).astype(np.float32)
        return root.reshape(before.shape[1:])


def fit_irmad(before: NDArray[np.float32], after: NDArray[np.float32]) -> IrMad:
    """Fit iteratively reweighted multivariate alteration detection (Nielsen 2007).

    Ends when the canonical correlations stand still, or with the last model before the
    weights would single out a small part of the sample. The variances, 2 (1 - rho) of
    the weighted correlations, are corrected for what the weights leave out (see
    `_shrinkage`), which the paper does not do.

    Args:
        before: (bands, n) sample of valid pixels of date 1, n > bands.
        after: (bands, n) the same pixels of date 2.

    Raises:
        NoDataError: too few pixels to estimate the covariances.
    """
    from scipy.stats import chi2  # slow to import, like all of scipy here

    bands, count = before.shape
    if count <= 2 * bands:
        raise NoDataError(
            f"IR-MAD needs more than {2 * bands} valid pixels for {bands} bands; "
            f"found {count}; use --method cva"
        )
    both = np.concatenate([before, after]).astype(np.float64)
    rounding = _rounding_variance(both)
    model = _canonical(both, np.ones(count), rounding, 1)
    shrinkage = _shrinkage(bands)
    for iteration in range(2, _MAX_ITERATIONS + 1):
        # the probability of no change weighs each pixel in the next round
        weights = chi2.sf(_squares(model, before, after), bands)
        effective = weights.sum() ** 2 / max((weights**2).sum(), 1e-300)
        if effective < max(_LEAST_SAMPLE * count, 2 * bands + 1):
            break
        found = _canonical(both, weights, rounding, iteration)
        found = replace(found, variances=found.variances / shrinkage)
        moved = np.abs(found.correlations - model.correlations).max()
        model = found
        if moved < _TOLERANCE:
            break
    return _standardised(model, before, after)


def _shrinkage(bands: int) -> float:
    """Weighted over true variance of the MAD variates where nothing changed.

    The weights favour small variates, so the variance under them is too small. Taken
    as it is, each round would shrink the next one's weights further: with one or two
    bands to nothing, with three to a sixth of the variance. With W chi-squared with k
    degrees of freedom and p = P(chi2_k > W) its weight, mean 1/2, the ratio is
    E[p W] / (k E[p]) = 2 P(chi2_(k+2) < chi2_k), a regularised incomplete beta.
    """
    from scipy.special import betainc

    return 2.0 * float(betainc(bands / 2 + 1, bands / 2, 0.5))


def _squares(
    model: IrMad, before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Chi-squared statistic of each pixel of a (bands, n) sample."""
    root = model.chi(before[:, None, :], after[:, None, :])[0]
    squares: NDArray[np.float64] = root.astype(np.float64) ** 2
    return squares


def _standardised(
    model: IrMad, before: NDArray[np.float32], after: NDArray[np.float32]
) -> IrMad:
    """The model with the variances that the unchanged half of the sample has.

    Pixels differ in how much they flicker (edges, trees, roofs), so even corrected
    variances follow the calm ones.
    """
    from scipy.stats import chi2

    typical = float(np.median(_squares(model, before, after)))
    scale = typical / float(chi2.median(len(before)))
    return replace(model, variances=model.variances * scale) if scale > 0 else model


def _rounding_variance(both: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of rounding to the levels that each band has, step^2 / 12 (Sheppard).

    Next to nothing for continuous values: their steps shrink with the sample.
    """
    steps = [np.diff(np.unique(band)) for band in both]
    return np.array([np.median(s) ** 2 / 12 if len(s) else 0.0 for s in steps])


def _canonical(
    both: NDArray[np.float64],
    weights: NDArray[np.float64],
    rounding: NDArray[np.float64],
    iteration: int,
) -> IrMad:
    """Weighted canonical correlation analysis of two stacked dates (2 bands, n).

    `rounding` (2 bands,) is variance that the values do not show. Left out, pixels
    that rounding made equal would draw the weights to themselves, and any other pixel
    would seem changed.
    """
    from scipy.linalg import eigh

    bands = len(both) // 2
    share = weights / weights.sum()
    mean = both @ share
    centred = both - mean[:, None]
    covariance = (centred * share) @ centred.T
    trace = np.trace(covariance)
    ridge = _RIDGE * (trace if trace > 0 else 1.0)
    covariance[np.diag_indices(2 * bands)] += ridge + rounding
    s11, s12 = covariance[:bands, :bands], covariance[:bands, bands:]
    s22 = covariance[bands:, bands:]
    squared, a = eigh(s12 @ np.linalg.solve(s22, s12.T), s11)
    correlations = np.sqrt(np.clip(squared, 0.0, 1.0))
    b = np.linalg.solve(s22, s12.T @ a)
    b /= np.maximum(np.sqrt(np.einsum("ij,ik,kj->j", b, s22, b)), 1e-30)
    return IrMad(
        mean_before=mean[:bands],
        mean_after=mean[bands:],
        vectors_before=a,
        vectors_after=b,
        correlations=correlations,
        variances=np.maximum(2.0 * (1.0 - correlations), 1e-12),
        iterations=iteration,
    )
