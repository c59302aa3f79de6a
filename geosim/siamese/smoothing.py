"""How the score is smoothed, by the size of a pixel, and what margin a block needs.

Numbers only, as `architecture`: what they are used for is in `fusion` (torch) and in
`geosim.scoring.network`.
"""

import math

from geosim.siamese.architecture import REACHES, STRIDE, term_row

SMOOTHING_TRUNCATE = 4.0
"""The Gaussian is cut at this many standard deviations (scipy's default)."""

GUIDE_EPSILON = 0.01
"""Regularisation of the guided filter (He, Sun & Tang 2013): edges of the images are
kept where their variance in a window, of brightness in 0..1, is larger than this."""

EDGE_MARGIN = STRIDE
"""Mirrored pixels beyond the raster's edge, behind which the network fills up with
zeros. More of them do no better: against the same place with its real surroundings the
score of the outer 32 px errs by 0.016 without any, and by 0.009 with 16, 32 and 96."""


def smoothing_sigma(metres: float | None) -> float:
    """Standard deviation of the Gaussian that smooths the score, in pixels.

    What changes is of some size on the ground, so small pixels are smoothed over more
    of them: `3 / sqrt(metres)`, at most 8 and at least 1; at least 2 of coarse pixels,
    which flicker; 3 where the pixel's size is unknown.
    """
    if metres is None:
        return 3.0
    least = 2.0 if term_row(metres) else 1.0
    return float(min(max(3.0 / math.sqrt(metres), least), 8.0))


def guide_radius(metres: float | None) -> int:
    """Half the window of the guided filter in pixels: one more than the Gaussian's.

    At least 3, so that it averages enough pixels beside a narrow Gaussian, which blurs
    the edges that it keeps; at least 2 from 20 m on, where fields are small.
    """
    fine = metres is None or metres < 20.0  # noqa: PLR2004
    return max(1 + round(smoothing_sigma(metres)), 3 if fine else 2)


def smoothing_spread(metres: float | None) -> float:
    """Standard deviation in pixels of a Gaussian that stands for both smoothings.

    Where the Gaussian is narrow the guided filter spreads a score further: on ground
    without edges it is two means over its window.
    """
    return max(smoothing_sigma(metres), guide_radius(metres) - 1.0)


def block_margin(metres: float | None) -> int:
    """Margin of a block in pixels.

    Behind it neither score nor probability nor embedding depends on where the block
    was cut, if blocks start at a multiple of STRIDE of the raster.

    Args:
        metres: Size of a pixel on the ground; None where unknown.

    Returns:
        The network's reach plus that of both smoothings, up to a multiple of STRIDE.
    """
    gaussian = int(SMOOTHING_TRUNCATE * smoothing_sigma(metres) + 0.5)
    score = REACHES["spread"] + gaussian + 2 * guide_radius(metres)
    return -(-max(score, REACHES["embedding"]) // STRIDE) * STRIDE
