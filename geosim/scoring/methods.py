"""The methods: how a block of two dates becomes a score per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.change import ssim
from geosim.change.classical import cva_magnitude, fit_irmad
from geosim.change.scores import ScoreScale, smooth, smoothing_reach
from geosim.change.threshold import Threshold, mixture_probability
from geosim.scoring.network import network_scorer
from geosim.scoring.scorer import BlockScores, Scorer
from geosim.siamese.architecture import STRIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions, Method
    from geosim.scoring.sampling import Sample
    from geosim.siamese.weights import LoadedWeights
    from geosim.windows import Part

_SSIM_SIGMA = 1.5
"""Smoothing of the SSIM score in pixels: its own window is 7 px wide."""

_IRMAD_LARGEST = 100.0
"""Largest root of the chi-squared statistic that is told apart from larger ones."""

_BYTES_CLASSICAL = 400
"""Measured memory per pixel of a block without the network (three bands)."""

_BASE_CLASSICAL = 450
"""MB that a run takes beside its blocks: libraries, GDAL's cache, the sample, what the
allocator keeps."""


@dataclass(frozen=True, kw_only=True)
class _PerPixel:
    """A method without a network."""

    function: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
    scale: ScoreScale
    margin: int
    description: str
    edge_margin: int
    sigma: float = 0.0
    band_names: tuple[str, ...] = ()
    bytes_per_pixel: int = _BYTES_CLASSICAL
    network_ns: float = 0.0
    base_megabytes: int = _BASE_CLASSICAL
    untaught: bool = False
    weights: LoadedWeights | None = None
    threshold: Threshold | None = None

    def compare(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> BlockScores:
        return BlockScores(score=self.function(before, after))

    def smoothed(
        self,
        found: BlockScores,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
        inner: Part,
    ) -> NDArray[np.float32]:
        del before, after
        return smooth(found.score, valid, self.sigma, inner)[inner]

    def probability(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        posterior = mixture_probability(counts, self.scale.bin_centres())
        return posterior(self.scale.values())


def _ssim(sample: Sample, options: ChangeOptions, resolution: float | None) -> Scorer:
    del sample, options, resolution
    return _PerPixel(
        function=lambda before, after: (1.0 - ssim.ssim_map(before, after)) / 2.0,
        scale=ScoreScale(largest=1.0),
        margin=_align(ssim.REACH + smoothing_reach(_SSIM_SIGMA)),
        edge_margin=_align(ssim.REACH),
        sigma=_SSIM_SIGMA,
        description="numpy",
    )


def _cva(sample: Sample, options: ChangeOptions, resolution: float | None) -> Scorer:
    del sample, options, resolution
    return _PerPixel(
        function=cva_magnitude,
        scale=ScoreScale(largest=1.0),
        margin=_align(ssim.REACH),
        edge_margin=_align(ssim.REACH),
        description="numpy",
    )


def _irmad(sample: Sample, options: ChangeOptions, resolution: float | None) -> Scorer:
    del options, resolution
    valid = np.ones((1, sample.before.shape[1]), np.bool_)
    before, after = sample.radiometry.apply(
        sample.before[:, None, :], sample.after[:, None, :], valid
    )
    model = fit_irmad(before[:, 0], after[:, 0])
    return _PerPixel(
        function=model.chi,
        scale=ScoreScale(largest=_IRMAD_LARGEST),
        margin=_align(ssim.REACH),
        edge_margin=_align(ssim.REACH),
        description=f"numpy, {model.iterations} iterations",
    )


def _align(pixels: int) -> int:
    """Up to a multiple of 16, as blocks are."""
    return math.ceil(pixels / STRIDE) * STRIDE


METHODS: dict[Method, Callable[[Sample, ChangeOptions, float | None], Scorer]] = {
    "siamese": network_scorer,
    "ssim": _ssim,
    "cva": _cva,
    "irmad": _irmad,
}
"""Method by name: fits itself to a sample of the scene, given its pixel in metres."""
