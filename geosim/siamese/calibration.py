"""From a scene's score to a calibrated probability: fit and check the head.

The head has `probability = sigmoid(slope * (S - T))`, `T = offset + quantiles . q`,
where S is the smoothed score of a pixel and q the 10, 25 and 50 % quantiles of S over
the scene's valid pixels. It is fitted on scenes whose changes were pasted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from geosim.siamese.architecture import HEAD_QUANTILES, LEVELS, STRIDE
from geosim.siamese.backend import functional, torch
from geosim.siamese.network import SiameseVGG16
from geosim.siamese.pairs import ImagePair

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_RIDGE = 1e-3
_SCENE_QUANTILES = (True, False, False)
"""Quantiles of the scene that the fit may use. The score is a logarithm, so what the
10 % quantile tells is by how much more than the calm part of its own scene a place has
to differ. The median would rise with the share of a scene that changed: the more there
is to find, the stricter it would be."""

_LEAST_SLOPE = 0.05


@dataclass(frozen=True, kw_only=True)
class Head:
    """The numbers of the change head."""

    slope: float
    """Probability's steepness per unit of score, above 0."""
    offset: float
    """Threshold of a scene whose score is 0 nearly everywhere."""
    quantiles: tuple[float, float, float]
    """Shares of the scene's q10, q25 and q50 that are added to the threshold, >= 0."""

    def probability(self, score: FloatArray, scene: DoubleArray) -> DoubleArray:
        """Probability of change of scores (N,) in scenes with quantiles (N, 3)."""
        threshold = self.offset + scene @ np.asarray(self.quantiles)
        logit = self.slope * (score - threshold)
        return np.asarray(0.5 * (1 + np.tanh(logit / 2)), np.float64)


@dataclass(frozen=True, kw_only=True)
class CalibrationSample:
    """Pixels of many scenes with their truth."""

    score: FloatArray
    """(N,) smoothed score S."""
    scene: DoubleArray
    """(N, 3) quantiles of the scene the pixel lies in."""
    changed: BoolArray
    """(N,) whether something was pasted there."""
    weight: DoubleArray
    """(N,) how many pixels of the whole the sample stands for."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """One row of a reliability table."""

    low: float
    """Smallest probability of the bin."""
    high: float
    """Largest probability of the bin."""
    share: float
    """Fraction of all pixels that fall in it."""
    predicted: float
    """Mean probability."""
    observed: float
    """Fraction that changed."""


def scene_score(model: SiameseVGG16, pair: ImagePair) -> FloatArray:
    """Smoothed score of a scene, as the main job has it.

    Args:
        model: The network.
        pair: A scene; its pixel size chooses weights and smoothing.

    Returns:
        (H, W) float32; NaN where the pair is not valid.
    """
    height, width = pair.valid.shape
    images = torch.from_numpy(np.stack([pair.before, pair.after]))
    padding = (0, -width % STRIDE, 0, -height % STRIDE)
    images = functional.pad(images, padding, mode="replicate")
    valid = functional.pad(torch.from_numpy(pair.valid)[None], padding)
    with torch.inference_mode():
        activations = model.activations(images, deepest=LEVELS[-1].relu)
        score = model.score(images, activations, valid, metres=pair.metres)
    found = score[0, :height, :width].numpy()
    return np.where(pair.valid, found, np.nan).astype(np.float32)


def scene_quantiles(score: FloatArray) -> DoubleArray:
    """The three quantiles that the head reads, of the values that are not NaN."""
    valid = score[np.isfinite(score)]
    return np.asarray(np.quantile(valid, HEAD_QUANTILES), np.float64)


def sample_scene(
    score: FloatArray,
    changed: FloatArray,
    rng: np.random.Generator,
    *,
    pixels: int = 4000,
    drop_most_different: float = 0.0,
) -> CalibrationSample:
    """Take pixels of one scene for the fit.

    Real pairs of dates hold real changes that nobody marked. The part where nothing
    was pasted can therefore be trimmed: its most different pixels are left out.

    Args:
        score: (H, W) smoothed score, NaN where not valid.
        changed: (H, W) fraction that was pasted, 0..1; between 0.1 and 0.5 a pixel is
            neither and left out.
        rng: Source of chance.
        pixels: How many pixels to take.
        drop_most_different: Fraction of the unpasted pixels left out, 0..1.

    Returns:
        The sample, each pixel weighing the same; all scenes together count alike.
    """
    usable = np.isfinite(score)
    positive = usable & (changed >= 0.5)  # noqa: PLR2004
    negative = usable & (changed <= 0.1)  # noqa: PLR2004
    if drop_most_different > 0 and negative.any():
        limit = np.quantile(score[negative], 1 - drop_most_different)
        negative &= score <= limit
    chosen = np.flatnonzero(positive | negative)
    chosen = rng.choice(chosen, size=min(pixels, chosen.size), replace=False)
    count = chosen.size
    return CalibrationSample(
        score=score.ravel()[chosen],
        scene=np.repeat(scene_quantiles(score)[None], count, axis=0),
        changed=positive.ravel()[chosen],
        weight=np.full(count, 1.0 / max(count, 1)),
    )


def join(samples: Sequence[CalibrationSample]) -> CalibrationSample:
    """Put the samples of many scenes into one."""
    return CalibrationSample(
        score=np.concatenate([s.score for s in samples]),
        scene=np.concatenate([s.scene for s in samples]),
        changed=np.concatenate([s.changed for s in samples]),
        weight=np.concatenate([s.weight for s in samples]),
    )


def fit_head(
    sample: CalibrationSample, *, shares: Sequence[float] | None = None
) -> Head:
    """Fit the head by penalised logistic regression under its constraints.

    The logit is `a * S - c - b . q` with a >= 0.05 and b >= 0, which is convex; then
    slope = a, offset = c / a, quantiles = b / a.

    Args:
        sample: Pixels of many scenes.
        shares: The head's three shares of the scene's quantiles, where they are known:
            scenes of one place hardly differ in their level and cannot tell them.

    Returns:
        The head with the least log loss plus a small ridge on a, b and c.
    """
    known = np.zeros(3) if shares is None else np.asarray(shares, np.float64)
    above = sample.score - sample.scene @ known
    design = np.column_stack([above, -np.ones(above.size), -sample.scene])
    sign = np.where(sample.changed, 1.0, -1.0)
    weight = sample.weight / sample.weight.sum()

    def loss(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        margin = sign * (design @ parameters)
        value = float(weight @ np.logaddexp(0, -margin))
        slope = -weight * sign * 0.5 * (1 - np.tanh(margin / 2))
        ridge = _RIDGE * float(parameters @ parameters) / 2
        return value + ridge, design.T @ slope + _RIDGE * parameters

    start = np.array([0.8, 5.0, 0.1, 0.1, 0.1])
    free = [used and shares is None for used in _SCENE_QUANTILES]
    of_shares = [(0, None if fitted else 0) for fitted in free]
    bounds = [(_LEAST_SLOPE, None), (None, None), *of_shares]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    total = known + found[2:] / found[0]
    return Head(
        slope=float(found[0]),
        offset=float(found[1] / found[0]),
        quantiles=(float(total[0]), float(total[1]), float(total[2])),
    )


def reliability(
    head: Head, sample: CalibrationSample, *, bins: int = 10
) -> tuple[list[ReliabilityBin], float]:
    """Compare probabilities with what happened.

    Args:
        head: The head.
        sample: Pixels that the head was not fitted on.
        bins: Number of equal steps from 0 to 1.

    Returns:
        The rows that hold any pixel, and the expected calibration error: the mean of
        |predicted - observed| over the pixels, 0..1.
    """
    probability = head.probability(sample.score, sample.scene)
    weight = sample.weight / sample.weight.sum()
    index = np.minimum((probability * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        inside = index == number
        share = float(weight[inside].sum())
        if share == 0:
            continue
        predicted = float(weight[inside] @ probability[inside]) / share
        observed = float(weight[inside] @ sample.changed[inside]) / share
        low, high = number / bins, (number + 1) / bins
        row = ReliabilityBin(
            low=low, high=high, share=share, predicted=predicted, observed=observed
        )
        rows.append(row)
        error += share * abs(predicted - observed)
    return rows, error


def best_threshold(head: Head, sample: CalibrationSample) -> tuple[float, float]:
    """Find the probability from which flagging gives the best F1.

    With calibrated probabilities it lies at half the F1 that it reaches (Lipton,
    Elkan & Naryanaswamy 2014, arXiv:1402.1892), below 0.5 where change is rare.

    Args:
        head: The head.
        sample: Pixels of many scenes.

    Returns:
        The threshold and its F1, both 0..1.
    """
    probability = head.probability(sample.score, sample.scene)
    order = np.argsort(-probability, kind="stable")
    weight = sample.weight[order]
    true = np.cumsum(weight * sample.changed[order])
    f1 = 2 * true / (np.cumsum(weight) + true[-1])
    best = int(f1.argmax())
    return float(probability[order[best]]), float(f1[best])
