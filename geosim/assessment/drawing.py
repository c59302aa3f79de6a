"""Draw pixels of strata at random, knowing only how many each run of the map holds.

A run is a part of a row in which all pixels count as equally large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_STRATUM = 255
"""Pixels that belong to none: without data."""

_LARGE_SHARE = 0.25
"""Share of a stratum's pixels from which on a draw looks at all of them."""


def run_counts(strata: NDArray[np.uint8], count: int, length: int) -> NDArray[np.int64]:
    """Count each run's pixels per stratum.

    Args:
        strata: (rows, width), numbers of strata from 0, 255 for none.
        count: number of strata.
        length: of a run in pixels; the last one of a row may be shorter.

    Returns:
        (count, runs), those of a row from the left, then those of the next.
    """
    short = -strata.shape[1] % length
    padded = np.pad(strata, ((0, 0), (0, short)), constant_values=NO_STRATUM)
    strata = padded.reshape(-1, length)
    rows = np.arange(len(strata))[:, None]
    places = np.where(strata == NO_STRATUM, count, strata).astype(np.int64)
    flat = (places + (count + 1) * rows).ravel()
    found = np.bincount(flat, minlength=(count + 1) * len(strata))
    return found.reshape(len(strata), count + 1)[:, :count].T


def draw(
    counts: NDArray[np.int64],
    run_areas: NDArray[np.float64],
    number: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw pixels of one stratum without replacement, by area.

    Each pixel is as likely as its area says, one by one, and counts once: where all
    pixels have one area, this is a simple random sample.

    Args:
        counts: (runs,), pixels of the stratum in each run.
        run_areas: (runs,), area of a pixel in each run, above 0.
        number: how many to draw; all, where there are no more.
        rng: the source of chance.

    Returns:
        (n, 2): run, and which of its pixels of the stratum from the left, from 0;
        in the order of drawing.
    """
    held = int(counts.sum())
    wanted = min(number, held)
    if wanted > _LARGE_SHARE * held:
        return _draw_of_all(counts, run_areas, wanted, rng)
    ends = np.cumsum(counts * run_areas)
    found = np.empty((0, 2), np.int64)
    while len(found) < wanted:
        area = rng.uniform(0.0, ends[-1], 2 * (wanted - len(found)) + 16)
        run = np.searchsorted(ends, area, side="right")
        before = ends[run] - counts[run] * run_areas[run]
        rank = ((area - before) / run_areas[run]).astype(np.int64)
        pixels = np.column_stack([run, np.clip(rank, 0, counts[run] - 1)])
        found = np.concatenate([found, pixels])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:wanted]


def _draw_of_all(
    counts: NDArray[np.int64],
    run_areas: NDArray[np.float64],
    wanted: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """As `draw`, where most draws one by one would meet pixels that were drawn before.

    The pixel that is drawn next is the one of the least waiting time, which is
    exponential with the pixel's area (Efraimidis & Spirakis 2006).
    """
    runs = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    waited = rng.exponential(size=len(runs)) / run_areas[runs]
    order = np.argsort(waited)[:wanted]
    return np.column_stack([runs, np.arange(len(runs)) - starts])[order]


def columns_of(
    strata: NDArray[np.uint8], stratum: int, ranks: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Columns of a run's pixels of a stratum, from its first.

    Args:
        strata: (length,), one run.
        stratum: the number looked for.
        ranks: (n,), which of its pixels from the left, from 0.

    Returns:
        (n,).
    """
    return np.flatnonzero(strata == stratum)[ranks].astype(np.int64)
