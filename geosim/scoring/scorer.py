"""What every method offers: a block of two dates becomes a score per pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from geosim.windows import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from geosim.change.scores import ScoreScale
    from geosim.change.threshold import Threshold
    from geosim.siamese.weights import LoadedWeights
    from geosim.windows import Part


@dataclass(frozen=True, kw_only=True)
class BlockScores:
    """A method's answer for one block, margin included, before it is smoothed."""

    score: NDArray[np.float32]
    """(height, width), 0 upwards; of the network without its colour term."""
    bands: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Further layers in 0..1 for `difference.tif`, by band name."""
    features: NDArray[np.float32] | None = None
    """(2, channels, height / 16, width / 16) for embeddings; None without a network."""
    odds: NDArray[np.float32] | None = None
    """(height, width): log odds of a decoder trained on labels; None without one."""


class Scorer(Protocol):
    """A method, fitted to a scene."""

    @property
    def margin(self) -> int:
        """Pixels around a block that its scores depend on."""

    @property
    def edge_margin(self) -> int:
        """Mirrored pixels beyond the raster's edge, where nothing is valid."""

    @property
    def scale(self) -> ScoreScale:
        """Range of the score."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of `BlockScores.bands`."""

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that a pixel of a block takes."""

    @property
    def network_ns(self) -> float:
        """Processor time in ns that a pixel of a block takes in the network, about.

        0 without a network.
        """

    @property
    def base_megabytes(self) -> int:
        """Memory that a run takes beside its blocks."""

    @property
    def description(self) -> str:
        """What it runs on."""

    @property
    def weights(self) -> LoadedWeights | None:
        """The network's weights, None without a network."""

    @property
    def untaught(self) -> bool:
        """True of a network that no label told which change is meant."""

    @property
    def threshold(self) -> Threshold | None:
        """Where "auto" decides; None: as for all methods."""

    def compare(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> BlockScores:
        """Compare a block: (bands, height, width) in 0..1, sides multiples of 16."""

    def smoothed(
        self,
        found: BlockScores,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
        inner: Part,
    ) -> NDArray[np.float32]:
        """The score of a block without its margin, 0 upwards.

        Apart from `compare`, for the network to go on with the next block meanwhile.

        Args:
            found: what `compare` gave.
            before: as `compare` took it.
            after: likewise.
            valid: (height, width).
            inner: rows and columns without the margin, whose shape is returned.
        """

    def probability(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability of change at each of the 65,535 score levels, rising.

        Args:
            counts: the whole scene's histogram of scores.
        """


def block_score(
    scorer: Scorer,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Both steps of a block, see `Scorer`."""
    found, inner = scorer.compare(before, after), whole(valid.shape)
    return scorer.smoothed(found, before, after, valid, inner)
