"""Bring two pictures into one frame: as they are, by size, or by what they show.

Registering finds the homography between two pictures of one thing from matched SIFT
features (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) by RANSAC (Fischler and
Bolles 1981), with scikit-image; a flat thing such as a painting has exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter
from skimage.feature import SIFT, match_descriptors
from skimage.measure import ransac
from skimage.transform import ProjectiveTransform, warp

from geosim.errors import OptionError
from geosim.images.pixels import resized
from geosim.images.structure import brightness
from geosim.machine.process_wide import silence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.images.names import Align

    FloatArray = NDArray[np.float32]

_FEATURE_SIDE = 640
"""Features are looked for in pictures of at most this side."""

_FEWEST = 12
"""Matches that agree, below which two pictures are not taken for the same thing."""

_TOLERANCE = 2.0
"""Largest distance of a match that agrees, in pixels of `_FEATURE_SIDE`."""

_TRIES = 2000
_RIM = 3
"""Pixels along the edge of what both show that count as the same: a registration is
exact to about one, so that a frame or a wall behind a picture shows there."""

_LEAST_SCALE, _LEAST_OVERLAP = 0.1, 0.05
_RATIO = 0.8
"""A match counts where the second best is farther by this factor (Lowe)."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """What was done to bring the second picture into the frame of the first."""

    asked: Align
    """What was asked for."""
    done: Align
    """What was done: `resize`, or `none` of one size, where nothing in common was found
    to register by."""
    said: str
    """The same in words."""
    matches: int = 0
    """Features that look alike."""
    inliers: int = 0
    """Those of them that one homography explains."""
    homography: tuple[tuple[float, ...], ...] | None = None
    """3 x 3, from (x, y) of the first picture's frame to (x, y) of the second, in
    pixels from the top left pixel's centre; None unless registered."""
    rotation: float = 0.0
    """By how much the second picture is turned, degrees, clockwise positive."""
    scale: float = 1.0
    """How many of its pixels, as compared, lie along one of the first picture's, at the
    centre."""
    overlap: float = 1.0
    """Share of the first picture that the second one shows."""


@dataclass(frozen=True, kw_only=True)
class AlignedPair:
    """Two pictures in one frame."""

    first: FloatArray
    """(3, height, width) float32 in 0..1."""
    second: FloatArray
    """As `first`; where it shows nothing, and along the edge of what it shows, the
    first one's pixels."""
    valid: NDArray[np.bool_]
    """(height, width), True where both show something."""
    alignment: Alignment
    """What was done."""


def align(
    first: FloatArray, second: FloatArray, how: Align, *, reduced: float = 1.0
) -> AlignedPair:
    """Lay the second picture over the first.

    Args:
        first: (3, height, width) float32 in 0..1; its frame is kept.
        second: (3, any height, any width).
        how: see `Align`.
        reduced: how many times more the second picture was reduced than the first
            before it came here; told, as the scale in the pictures' own pixels.

    Raises:
        OptionError: `none` with pictures of two sizes.
    """
    height, width = first.shape[1:]
    same_size = first.shape == second.shape
    if how == "none" and not same_size:
        raise OptionError(
            f"--align none wants pictures of one size; found {width} x {height} and "
            f"{second.shape[2]} x {second.shape[1]}; use --align resize or register"
        )
    if how == "register":
        found = _registered(first, second, reduced)
        if found is not None:
            return found
    told = "as they are" if same_size else _resize_told(first, second)
    if how == "register":
        told = f"no common features to register by; {told}"
    return AlignedPair(
        first=first,
        second=resized(second, width, height),
        valid=np.ones((height, width), np.bool_),
        alignment=Alignment(
            asked=how,
            done="none" if same_size else "resize",
            said=told,
            scale=float(np.sqrt(second[0].size / first[0].size)),
        ),
    )


def _resize_told(first: FloatArray, second: FloatArray) -> str:
    shapes = [f"{image.shape[2]} x {image.shape[1]}" for image in (second, first)]
    return f"second resized from {shapes[0]} to {shapes[1]}"


def _registered(
    first: FloatArray, second: FloatArray, reduced: float
) -> AlignedPair | None:
    """The pair registered; None where no homography is found."""
    found = find_homography(first, second)
    if found is None:
        return None
    matrix, matches, inliers = found
    moved, valid = laid_over(second, matrix, (first.shape[1], first.shape[2]))
    overlap = float(valid.mean())
    inner = binary_erosion(valid, iterations=_RIM)
    rotation, scale = _turn_and_scale(matrix, first)
    if overlap < _LEAST_OVERLAP or not _LEAST_SCALE < scale < 1 / _LEAST_SCALE:
        return None
    said = (
        f"registered by {inliers} of {matches} matched features: second turned by "
        f"{rotation:z.1f} degrees, scaled {scale * reduced:.2f}, shows {overlap:.0%} "
        "of the first"
    )
    return AlignedPair(
        first=first,
        second=np.where(inner, moved, first).astype(np.float32),
        valid=valid,
        alignment=Alignment(
            asked="register",
            done="register",
            said=said,
            matches=matches,
            inliers=inliers,
            homography=tuple(tuple(float(v) for v in row) for row in matrix),
            rotation=rotation,
            scale=scale,
            overlap=overlap,
        ),
    )


def find_homography(
    first: FloatArray, second: FloatArray
) -> tuple[NDArray[np.float64], int, int] | None:
    """The homography from the first picture's (x, y) to the second's.

    Args:
        first: (3, height, width) float32 in 0..1.
        second: likewise, of any size.

    Returns:
        (3 x 3 matrix, matches, matches that agree); None where too few agree.
    """
    found1, found2 = _features(first), _features(second)
    if found1 is None or found2 is None:
        return None
    (points1, words1), (points2, words2) = found1, found2
    pairs = match_descriptors(
        words1, words2, cross_check=True, max_ratio=_RATIO, metric="euclidean"
    )
    if len(pairs) < _FEWEST:
        return None
    sides = max(*first.shape[1:], *second.shape[1:])
    # tries with points on one line have no homography; there are others
    with silence():
        model, agree = ransac(
            (points1[pairs[:, 0]], points2[pairs[:, 1]]),
            ProjectiveTransform,
            min_samples=4,
            residual_threshold=_TOLERANCE * max(sides / _FEATURE_SIDE, 1.0),
            max_trials=_TRIES,
            rng=0,
        )
    if not model or agree is None or int(agree.sum()) < _FEWEST:
        return None
    matrix = model.params / model.params[2, 2]
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) <= 0:
        return None
    return matrix, len(pairs), int(agree.sum())


def _features(
    image: FloatArray,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]] | None:
    """Places (x, y) and descriptors of SIFT; None where there are too few."""
    height, width = image.shape[1:]
    shrink = min(_FEATURE_SIDE / max(height, width), 1.0)
    sides = [max(round(side * shrink), 1) for side in (width, height)]
    grey = resized(brightness(image), *sides)[0]
    if min(grey.shape) < 16 or float(grey.std()) < 1e-3:  # noqa: PLR2004
        return None
    low, high = np.percentile(grey, (1, 99))
    detector = SIFT(upsampling=2 if max(grey.shape) <= _FEATURE_SIDE // 2 else 1)
    try:
        detector.detect_and_extract(np.clip((grey - low) / (high - low + 1e-6), 0, 1))
    except (RuntimeError, ValueError):  # it found nothing
        return None
    words = detector.descriptors
    if words is None or len(words) < _FEWEST:
        return None
    # centres of pixels: (x + 0.5) / scale - 0.5 in the whole picture
    factors = np.array([height / grey.shape[0], width / grey.shape[1]])
    places = (np.asarray(detector.positions, np.float64) + 0.5) * factors - 0.5
    return places[:, ::-1], words


def laid_over(
    second: FloatArray, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The second picture seen in the first one's frame, bicubic.

    Args:
        second: (3, any height, any width).
        matrix: from (x, y) of the frame to (x, y) of `second`.
        shape: height and width of the frame.

    Returns:
        The picture (3, height, width), and where it shows anything (height, width).
    """
    transform = ProjectiveTransform(matrix)
    shrink = _pixels_per_pixel(matrix, (shape[1] / 2, shape[0] / 2))
    if shrink > 1.2:  # noqa: PLR2004 - it would alias
        sigma = 0.4 * shrink
        second = np.stack([gaussian_filter(band, sigma) for band in second])
    options = {"output_shape": shape, "mode": "edge", "preserve_range": True}
    bands = [warp(band, transform, order=3, **options) for band in second]
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    where = transform(np.column_stack([cols.ravel(), rows.ravel()]))
    limits = np.array([second.shape[2] - 1, second.shape[1] - 1])
    inside = ((where >= 0) & (where <= limits)).all(axis=1).reshape(shape)
    return np.clip(np.stack(bands), 0, 1).astype(np.float32), inside


def _pixels_per_pixel(matrix: NDArray[np.float64], at: tuple[float, float]) -> float:
    """Root of the area that a pixel of the frame covers in the second picture."""
    x, y = at
    depth = matrix[2] @ (x, y, 1)
    return float(np.sqrt(abs(np.linalg.det(matrix) / depth**3)))


def _turn_and_scale(
    matrix: NDArray[np.float64], first: FloatArray
) -> tuple[float, float]:
    """Rotation in degrees and scale at the centre of the first picture."""
    x, y = (first.shape[2] - 1) / 2, (first.shape[1] - 1) / 2
    ends = matrix @ np.array([[x, x + 1], [y, y], [1, 1]])
    step = ends[:2, 1] / ends[2, 1] - ends[:2, 0] / ends[2, 0]
    rotation = float(np.degrees(np.arctan2(step[1], step[0])))
    return rotation, _pixels_per_pixel(matrix, (x, y))
