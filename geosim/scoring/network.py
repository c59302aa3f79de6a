"""Scoring by the network: its own score, or that of a decoder trained on labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.change.scores import (
    ScoreScale,
    smooth,
    smooth_along_edges,
    smoothing_reach,
)
from geosim.change.threshold import (
    Threshold,
    histogram_quantiles,
    logistic_probability,
)
from geosim.errors import OptionError
from geosim.scoring.network_costs import BASE_MEGABYTES, network_costs
from geosim.scoring.scorer import BlockScores
from geosim.scoring.term_weights import (
    as_rgb,
    colour_distance,
    fixed_weights,
    sampled_weights,
)
from geosim.siamese.architecture import (
    AUTO_THRESHOLDS,
    HEAD_QUANTILES,
    TERMS,
    term_row,
    threshold_row,
)
from geosim.siamese.blending import blended
from geosim.siamese.decoder import BLEND, DECODER_MARGIN, has_decoder
from geosim.siamese.engine import Engine, open_engine, prepare_level
from geosim.siamese.smoothing import (
    EDGE_MARGIN,
    GUIDE_EPSILON,
    block_margin,
    guide_radius,
    smoothing_sigma,
)
from geosim.siamese.weighting import SATURATION, SHALLOW, log_distance
from geosim.siamese.weights import LoadedWeights, kept_weights
from geosim.windows import grown, inside, strips_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.scoring.sampling import Sample
    from geosim.scoring.scorer import Scorer
    from geosim.windows import Part

_REASONS = (
    "keeps false alarms below 2 % on pairs of dates without change",
    "comes near the best F1 of labelled pairs of other places",
    "balances missed changes and false alarms on held-out imagery",
)
"""Why `AUTO_THRESHOLDS` are where they are."""


@dataclass(frozen=True, kw_only=True)
class _Siamese:
    """The network: a weighted geometric mean of distances and of the colour change."""

    engine: Engine
    weights: LoadedWeights
    scale: ScoreScale
    metres: float | None
    """Size of a pixel on the ground; None where unknown."""
    term_weights: NDArray[np.float32]
    """(4,) of the scene, in the order of `TERMS`."""
    band_names: tuple[str, ...] = ("low", "mid", "high")
    base_megabytes: int = BASE_MEGABYTES
    edge_margin: int = EDGE_MARGIN
    untaught: bool = True

    @property
    def bytes_per_pixel(self) -> int:
        return network_costs(self.weights, self.engine.precision).memory

    @property
    def network_ns(self) -> float:
        return network_costs(self.weights, self.engine.precision).ns

    @property
    def threshold(self) -> Threshold:
        return Threshold(
            value=AUTO_THRESHOLDS[threshold_row(self.metres)],
            rule="auto",
            reason=_REASONS[threshold_row(self.metres)],
        )

    @property
    def margin(self) -> int:
        return block_margin(self.metres)

    @property
    def description(self) -> str:
        return self.engine.description

    def compare(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> BlockScores:
        return _block_scores(self.engine, before, after)

    def smoothed(
        self,
        found: BlockScores,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
        inner: Part,
    ) -> NDArray[np.float32]:
        dates, weights = (before, after), self.term_weights
        return _smoothed(found.score, weights, self.metres, dates, valid, inner)

    def probability(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        arrays, row = self.weights.arrays, term_row(self.metres)
        scene = histogram_quantiles(counts, self.scale.bin_centres(), HEAD_QUANTILES)
        shares = arrays["head.quantiles"][row]
        middle = float(arrays["head.offset"][row] + shares @ scene)
        slope = float(arrays["head.slope"][row])
        return logistic_probability(self.scale.values(), slope=slope, middle=middle)


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    """Weights trained on labels: their decoder and the score give the probability."""

    engine: Engine
    weights: LoadedWeights
    scale: ScoreScale
    metres: float | None
    """Size of a pixel on the ground; None where unknown."""
    band_names: tuple[str, ...] = ("low", "mid", "high")
    base_megabytes: int = BASE_MEGABYTES
    edge_margin: int = EDGE_MARGIN
    untaught: bool = False

    @property
    def bytes_per_pixel(self) -> int:
        return network_costs(self.weights, self.engine.precision).memory

    @property
    def network_ns(self) -> float:
        return network_costs(self.weights, self.engine.precision).ns

    @property
    def margin(self) -> int:
        return max(block_margin(self.metres), DECODER_MARGIN)

    @property
    def description(self) -> str:
        return self.engine.description

    @property
    def threshold(self) -> Threshold | None:
        if self.weights.threshold is None:
            return None
        return Threshold(
            value=self.weights.threshold,
            rule="auto",
            reason="balances missed changes and false alarms on the labelled places "
            "that were held out when these weights were trained",
        )

    def compare(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> BlockScores:
        return _block_scores(self.engine, before, after)

    def smoothed(
        self,
        found: BlockScores,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
        inner: Part,
    ) -> NDArray[np.float32]:
        assert found.odds is not None  # noqa: S101 - the weights have a decoder
        dates, weights = (before, after), fixed_weights(self.metres)
        score = _smoothed(found.score, weights, self.metres, dates, valid, inner)
        return blended(found.odds[inner], score, self.weights.arrays[BLEND])

    def probability(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        del counts
        return self.scale.values()


def _block_scores(
    engine: Engine, before: NDArray[np.float32], after: NDArray[np.float32]
) -> BlockScores:
    """What the network says of a block."""
    found = engine.differences(as_rgb(before), as_rgb(after))
    return BlockScores(
        score=found.score,
        bands={"low": found.low, "mid": found.mid, "high": found.high},
        features=found.features,
        odds=found.odds,
    )


def _smoothed(
    score: NDArray[np.float32],
    term_weights: NDArray[np.float32],
    metres: float | None,
    dates: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: NDArray[np.bool_],
    inner: Part,
) -> NDArray[np.float32]:
    """The score of `inner` with its colour term, smoothed along edges of both dates."""
    sigma, radius = smoothing_sigma(metres), guide_radius(metres)
    # the margin is wider than what smoothing reaches: the network needs it
    held = grown(inner, smoothing_reach(sigma) + 2 * radius, score.shape)
    score, valid, first, second = (
        score[held],
        valid[held],
        *(d[:, *held] for d in dates),
    )
    inner = inside(inner, held)
    every, weight = np.empty_like(score), term_weights[TERMS.index("colour")]
    for rows in strips_of(score.shape):
        colour = log_distance(colour_distance(first[:, rows], second[:, rows]))
        every[rows] = score[rows] + weight * colour
    near = grown(inner, 2 * radius, score.shape)
    return smooth_along_edges(
        smooth(every, valid, sigma, near),
        (first.mean(axis=0), second.mean(axis=0)),
        valid,
        radius=radius,
        epsilon=GUIDE_EPSILON,
        where=inner,
    )[inner]


def network_scorer(
    sample: Sample, options: ChangeOptions, resolution: float | None
) -> Scorer:
    """The network with its weights, fitted to a scene.

    Args:
        sample: of the scene; at least three bands, or one.
        options: weights, device, precision, threads.
        resolution: size of a pixel in metres; None where unknown.

    Raises:
        OptionError: two bands, or a device or precision that is not there.
        WeightsError: the weights cannot be used.
    """
    bands = len(sample.before)
    if bands == 2:  # noqa: PLR2004
        raise OptionError(
            f"--method siamese reads three bands or more (or one); found {bands}; "
            "choose with --bands, or use --method irmad for any number of bands"
        )
    weights = kept_weights(options.weights)
    term_weights = (
        fixed_weights(resolution)
        if has_decoder(weights.arrays)
        else sampled_weights(sample, weights, resolution, threads=options.thread_count)
    )
    return _opened(weights, options, resolution, term_weights)


def prepare_network(
    options: ChangeOptions,
    resolution: float | None,
    block_shape: Callable[[Scorer], tuple[int, int]],
) -> None:
    """Compile ahead what `network_scorer` and the first block will ask for.

    Args:
        options: as `network_scorer`.
        resolution: as `network_scorer`.
        block_shape: height and width of a block with its margin.
    """
    weights = kept_weights(options.weights)
    if not has_decoder(weights.arrays):
        prepare_level(weights, SHALLOW, threads=options.thread_count)
    scorer = _opened(weights, options, resolution, fixed_weights(resolution))
    scorer.engine.prepare(*block_shape(scorer))


def _opened(
    weights: LoadedWeights,
    options: ChangeOptions,
    resolution: float | None,
    term_weights: NDArray[np.float32],
) -> _Siamese | _Decoded:
    """The scorer with these weights of the terms."""
    engine = open_engine(
        weights,
        device=options.device,
        precision=options.precision,
        threads=options.thread_count,
        term_weights=term_weights,
    )
    if has_decoder(weights.arrays):
        return _Decoded(
            engine=engine,
            weights=weights,
            scale=ScoreScale(largest=1.0),
            metres=resolution,
        )
    return _Siamese(
        engine=engine,
        weights=weights,
        scale=ScoreScale(largest=float(term_weights.sum()) * SATURATION),
        metres=resolution,
        term_weights=term_weights,
    )
