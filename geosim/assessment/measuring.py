"""From answers and truth to figures with bootstrap intervals.

Neighbouring pixels are alike, so the bootstrap draws blocks of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.assessment.agreement import (
    boundary_flags,
    harmonic,
    iou,
    kappa,
    met_share,
    object_flags,
    precision,
    recall,
)
from geosim.assessment.settings import TOLERANCE
from geosim.change.accuracy import (
    average_precision,
    best_f1,
    block_counts,
    block_numbers,
    bootstrap_weights,
    expected_calibration_error,
    f1_curve,
    flagged_fraction,
    level_counts,
    percentile_interval,
    resample,
    roc_area,
)
from geosim.change.scores import SCORE_LEVELS, UNIT_LEVELS
from geosim.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FIGURES = (
    "precision",
    "recall",
    "f1",
    "iou",
    "kappa",
    "ap",
    "roc_area",
    "best_f1",
    "f1_ratio",
    "flagged",
    "object_recall",
    "object_precision",
    "boundary_f1",
    "calibration_error",
)
"""What is measured."""

_GROUPS = 512
"""Levels that a bootstrap tells apart at most: groups of levels with as many pixels, or
as many changed ones, each."""

PROBABILITY = np.linspace(0.0, 1.0, UNIT_LEVELS + 1)
"""Probability of the 8-bit levels."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says about every pixel of the common grid."""

    levels: NDArray[np.uint16]
    """(height, width): the score in levels that rise with it."""
    decided: NDArray[np.bool_]
    """(height, width): changed, by the method's automatic threshold."""
    valid: NDArray[np.bool_]
    """(height, width): where both dates have data."""
    probability: NDArray[np.uint8] | None = None
    """(height, width): probability in levels 0..254; None where it knows none."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A method's answer at the pixels that count."""

    levels: NDArray[np.uint16]
    """(n,), score in levels."""
    decided: NDArray[np.bool_]
    """(n,)."""
    probability: NDArray[np.uint8] | None
    """(n,), levels 0..254."""
    flags: NDArray[np.uint8]
    """(4, n), of true objects, of found objects, of the true boundary, of the found
    one: 0 none, 1 missed by the other, 2 met by it."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The pixels of a scene that are labelled and valid, n of them."""

    changed: NDArray[np.bool_]
    """(n,), the truth."""
    blocks: NDArray[np.int64]
    """(n,), number of the block that the pixel lies in."""
    voices: Mapping[str, Voice]
    """By method."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measure and its 95 % interval; NaN where it has no meaning."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one method on one set or scene."""

    figures: Mapping[str, Figure]
    """By the names of `FIGURES`."""
    pixels: int
    """Labelled and valid pixels."""
    changed: float
    """Fraction of them that changed, 0..1."""


def gather(
    answers: Mapping[str, Answer],
    changed: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    tolerance: float = TOLERANCE,
) -> Scene:
    """Keep what the figures need: pixels labelled, and valid for every method.

    Args:
        answers: by method, (height, width).
        changed: the truth, (height, width).
        labelled: where it is known, (height, width).
        tolerance: pixels that a boundary may lie beside the true one.

    Raises:
        NoDataError: there is no such pixel.
    """
    counted = labelled.copy()
    for answer in answers.values():
        counted &= answer.valid
    voices = {
        name: Voice(
            levels=answer.levels[counted],
            decided=answer.decided[counted],
            probability=None
            if answer.probability is None
            else answer.probability[counted],
            flags=_flags(
                answer.decided & counted, changed & counted, counted, tolerance
            ),
        )
        for name, answer in answers.items()
    }
    if not counted.any():
        raise NoDataError("no pixel is labelled and has data on both dates")
    blocks = block_numbers(*counted.shape)[counted]
    return Scene(changed=changed[counted], blocks=blocks, voices=voices)


def _flags(
    decided: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    tolerance: float,
) -> NDArray[np.uint8]:
    """Flags of objects and boundaries at the pixels that count, (4, n)."""
    return np.stack(
        [
            object_flags(changed, decided)[counted],
            object_flags(decided, changed)[counted],
            boundary_flags(changed, decided, counted, tolerance)[counted],
            boundary_flags(decided, changed, counted, tolerance)[counted],
        ]
    )


def measure(scenes: Sequence[Scene], method: str, samples: int = 1000) -> Row:
    """Figures over the pixels of all scenes, as if they were one.

    Args:
        scenes: at least one, with at least one pixel.
        method: the name of a voice that each of them has.
        samples: of the bootstrap over blocks of pixels.
    """
    voices = [scene.voices[method] for scene in scenes]
    changed = np.concatenate([scene.changed for scene in scenes])
    blocks = _blocks(scenes)
    levels = np.concatenate([voice.levels for voice in voices])
    decided = np.concatenate([voice.decided for voice in voices]).astype(np.uint8)
    exact = level_counts(levels, changed, SCORE_LEVELS + 1)
    group_of = _groups(exact)
    grouped = group_of[levels]
    confusion = block_counts(decided, changed, blocks, 2)
    weights = bootstrap_weights(len(confusion), samples)
    groups = block_counts(grouped, changed, blocks, int(group_of[-1]) + 1)
    drawn = _of_counts(resample(weights, groups), resample(weights, confusion))
    point = _of_counts(exact, confusion.sum(axis=0))
    whole = _of_counts(groups.sum(axis=0), confusion.sum(axis=0))
    for name in ("ap", "roc_area", "best_f1", "f1_ratio"):
        # groups are ties, which make a figure a little lower than it is
        # a threshold per scene may do better than the best of one for all
        most = np.inf if name == "f1_ratio" else 1.0
        drawn[name] = np.clip(drawn[name] + (point[name] - whole[name]), 0.0, most)
    marks = _mark_counts(np.concatenate([v.flags for v in voices], axis=1), blocks)
    drawn |= _of_marks(resample(weights, marks))
    point |= _of_marks(marks.sum(axis=0))
    if all(voice.probability is not None for voice in voices):
        chance = np.concatenate([v.probability for v in voices])
        counts = block_counts(chance, changed, blocks, UNIT_LEVELS + 1)
        errors = expected_calibration_error(resample(weights, counts), PROBABILITY)
        drawn["calibration_error"] = errors
        point["calibration_error"] = expected_calibration_error(
            counts.sum(axis=0), PROBABILITY
        )
    figures = {}
    for name in FIGURES:
        low, high = percentile_interval(drawn.get(name, np.empty(0)))
        value = float(point.get(name, np.float64("nan")))
        figures[name] = Figure(value=value, low=low, high=high)
    return Row(
        figures=figures, pixels=changed.size, changed=float(changed.mean(dtype=float))
    )


def _of_counts(
    score: NDArray[np.int64] | NDArray[np.float64],
    confusion: NDArray[np.int64] | NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Figures of counts (..., 2, levels) and (..., 2, 2); NaN where nothing changed."""
    best, _ = best_f1(score)
    some = confusion[..., 1, :].sum(axis=-1) > 0
    f1 = np.where(some, f1_curve(confusion)[..., 1], np.nan)
    return {
        "precision": precision(confusion),
        "recall": recall(confusion),
        "iou": iou(confusion),
        "kappa": kappa(confusion),
        "ap": average_precision(score),
        "roc_area": roc_area(score),
        "f1": f1,
        "best_f1": best,
        "f1_ratio": f1 / best,
        "flagged": flagged_fraction(confusion),
    }


def _mark_counts(
    flags: NDArray[np.uint8], blocks: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pixels per block, kind of flag and flag, (blocks, 4, 3)."""
    _, place = np.unique(blocks, return_inverse=True)
    held, kinds = int(place.max(initial=-1)) + 1, len(flags)
    row = place[None, :] * kinds + np.arange(kinds)[:, None]
    counts = np.bincount((row * 3 + flags).ravel(), minlength=held * kinds * 3)
    return counts.reshape(held, kinds, 3)


def _of_marks(
    marks: NDArray[np.int64] | NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Figures of objects and boundaries from counts (..., 4, 3)."""
    shares = met_share(marks)
    return {
        "object_recall": shares[..., 0],
        "object_precision": shares[..., 1],
        "boundary_f1": harmonic(shares[..., 3], shares[..., 2]),
    }


def _blocks(scenes: Sequence[Scene]) -> NDArray[np.int64]:
    """Block of each pixel, numbered through all scenes."""
    numbered, start = [], 0
    for scene in scenes:
        numbered.append(scene.blocks + start)
        start += int(scene.blocks.max(initial=-1)) + 1
    return np.concatenate(numbered)


def _groups(counts: NDArray[np.int64]) -> NDArray[np.uint16]:
    """(levels,) the group of each level: the levels that occur, or equal shares.

    Of all pixels and of those that changed: where those are few, all of them may be
    among the highest of all.
    """
    pixels = counts.sum(axis=0)
    used = pixels > 0
    if used.sum() <= _GROUPS:
        group = np.cumsum(used) - 1
    else:
        part = _GROUPS // 2
        group = np.zeros(len(pixels), np.int64)
        for some in (pixels, counts[1]):
            share = (np.cumsum(some) - some) / max(int(some.sum()), 1)
            # both rise, so their sum does, wherever one of them does
            group += np.minimum((share * part).astype(np.int64), part - 1)
        # from their numbers to an unbroken row
        group = np.unique(group, return_inverse=True)[1]
    numbers: NDArray[np.uint16] = np.maximum(group, 0).astype(np.uint16)
    return numbers
