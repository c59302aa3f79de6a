"""Image pairs for training and measuring, and crops of them.

Pure functions of arrays. Reading files is done by whoever calls.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ImagePair:
    """Two dates of one place, three bands, scaled to 0..1."""

    before: FloatArray
    """(3, H, W), date 1."""
    after: FloatArray
    """(3, H, W), date 2; the same array as `before` where there is one date only."""
    valid: BoolArray
    """(H, W), True where both dates have data."""
    source: str
    """Name of the set it belongs to; changes are exchanged within a set."""
    metres: float | None = None
    """Size of a pixel on the ground; None where unknown."""

    @property
    def two_dates(self) -> bool:
        """Whether the second date is a picture of its own."""
        return self.after is not self.before


def single_image(
    image: npt.NDArray[np.generic],
    *,
    valid: BoolArray | None = None,
    source: str = "",
) -> ImagePair:
    """Make a pair of one uint8 image (3, H, W): both dates are the same array."""
    scaled = (image.astype(np.float32) / 255).astype(np.float32)
    where = np.ones(image.shape[1:], bool) if valid is None else valid
    return ImagePair(before=scaled, after=scaled, valid=where, source=source)


def random_crop(
    pair: ImagePair, size: int, rng: np.random.Generator, *, least_valid: float = 0.95
) -> ImagePair:
    """Cut a square of a pair, turned and mirrored by chance.

    Args:
        pair: The pair; both sizes at least `size`.
        size: Height and width of the square in pixels.
        rng: Source of chance.
        least_valid: Fraction of valid pixels that is looked for; after twenty tries
            the best square found is taken.

    Returns:
        The square, a copy.
    """
    height, width = pair.valid.shape
    if min(height, width) < size:
        raise ValueError(
            f"a crop of {size} px is wanted from an image of {height} x {width} px; "
            "take a smaller crop"
        )
    best, best_share = (0, 0), -1.0
    for _ in range(20):
        row = int(rng.integers(0, height - size + 1))
        col = int(rng.integers(0, width - size + 1))
        share = float(pair.valid[row : row + size, col : col + size].mean())
        if share > best_share:
            best, best_share = (row, col), share
        if best_share >= least_valid:
            break
    row, col = best
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))

    def cut(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        square = array[..., row : row + size, col : col + size]
        turned = np.rot90(square, turns, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if mirror else turned)

    before = np.asarray(cut(pair.before), np.float32)
    after = np.asarray(cut(pair.after), np.float32) if pair.two_dates else before
    valid = np.asarray(cut(pair.valid), bool)
    return ImagePair(
        before=before,
        after=after,
        valid=valid,
        source=pair.source,
        metres=pair.metres,
    )
