"""Synthetic pairs: nuisance that is no change, and changes of graded strength.

A pair is made from one image or from two real dates of one place. What differs by
light, haze, sensor, blur or a small shift is to be ignored; what is exchanged along
superpixels or polygons with content of another place is to be found. All chance comes
from the numpy Generator that is passed in: the same seed gives the same pair.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift, uniform_filter
from skimage.draw import polygon
from skimage.segmentation import slic

from geosim.siamese.pairs import FloatArray, ImagePair

_LIGHT = 0.12
"""Largest change of brightness by a light that varies over the image."""


@dataclass(frozen=True, kw_only=True)
class SynthesisOptions:
    """How synthetic pairs are made."""

    least_changed: float = 0.03
    """Smallest fraction of the image that changes, where anything does."""
    most_changed: float = 0.30
    """Largest fraction of the image that changes."""
    unchanged_pairs: float = 0.15
    """Fraction of the pairs in which nothing changes."""
    faintest: float = 0.6
    """Smallest opacity of a change, 0..1."""
    unlike: float = 0.6
    """A region counts as wholly changed from this difference on, in standard
    deviations of the image; alike content counts as less."""
    nuisance: float = 1.0
    """Strength of the nuisance added to pairs of one date; two real dates have their
    own and get a third of it."""


@dataclass(frozen=True, kw_only=True)
class SyntheticPair:
    """A pair and what changed in it."""

    before: FloatArray
    """(3, H, W), 0..1."""
    after: FloatArray
    """(3, H, W), 0..1."""
    changed: FloatArray
    """(H, W), how much of the pixel changed: coverage times opacity times unlikeness,
    0..1."""
    valid: npt.NDArray[np.bool_]
    """(H, W), True where both dates have data."""


def synthesize(
    pair: ImagePair,
    donor: ImagePair,
    rng: np.random.Generator,
    options: SynthesisOptions | None = None,
) -> SyntheticPair:
    """Make one pair with known changes.

    Args:
        pair: Two real dates, or one image as both.
        donor: Another place of the same set and size; its content is pasted.
        rng: Source of chance.
        options: How pairs are made.

    Returns:
        The pair; which date received the content is a matter of chance.
    """
    options = options or SynthesisOptions()
    shape = pair.valid.shape
    dates = [pair.before, pair.after]
    given = [donor.before, donor.after]
    changed = np.zeros(shape, np.float32)
    if rng.random() >= options.unchanged_pairs:
        fraction = float(rng.uniform(options.least_changed, options.most_changed))
        target = int(rng.integers(2))
        dates[target], changed = paste(
            dates[target], given[target], rng, fraction=fraction, options=options
        )
    strength = options.nuisance / (3 if pair.two_dates else 1)
    dates[1] = add_nuisance(dates[1], rng, strength=strength)
    if rng.random() < 0.3:  # noqa: PLR2004
        dates[0] = add_nuisance(dates[0], rng, strength=strength / 2)
    return SyntheticPair(
        before=dates[0],
        after=dates[1],
        changed=(changed * pair.valid).astype(np.float32),
        valid=pair.valid,
    )


def paste(
    image: FloatArray,
    donor: FloatArray,
    rng: np.random.Generator,
    *,
    fraction: float,
    options: SynthesisOptions,
) -> tuple[FloatArray, FloatArray]:
    """Exchange regions of an image with content of another.

    Args:
        image: (3, H, W), 0..1.
        donor: (3, H, W), what is pasted.
        rng: Source of chance.
        fraction: Share of the image that the regions cover together, roughly.
        options: Opacity and unlikeness.

    Returns:
        The new image, and how much each pixel changed (H, W), 0..1.
    """
    shape = (image.shape[1], image.shape[2])
    if rng.random() < 0.6:  # noqa: PLR2004
        labels = superpixels(image if rng.random() < 0.5 else donor, rng)  # noqa: PLR2004
    else:
        labels = polygons(shape, rng)
    regions = _choose_regions(labels, fraction, rng)
    spread = float(image.std()) + 1e-3
    opacity_map = np.zeros(shape, np.float32)
    graded = np.zeros(shape, np.float32)
    content = donor.copy()
    for region in regions:
        if rng.random() < 0.25:  # noqa: PLR2004
            content[:, region] = _plain(donor, int(region.sum()), rng)
        opacity = float(rng.uniform(options.faintest, 1.0))
        opacity_map[region] = opacity
        difference = _unlikeness(image[:, region], content[:, region]) / spread
        graded[region] = opacity * min(difference / options.unlike, 1.0)
    edge = float(rng.uniform(0.4, 1.5))
    opacity_map = gaussian_filter(opacity_map, edge)
    result = image + opacity_map * (content - image)
    return result.astype(np.float32), gaussian_filter(graded, edge)


def superpixels(image: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.int_]:
    """Labels (H, W) of regions that follow an image's edges (SLIC), 1 upwards."""
    count = int(np.exp(rng.uniform(np.log(12), np.log(150))))
    return np.asarray(
        slic(
            np.moveaxis(image, 0, -1).astype(np.float64),
            n_segments=count,
            compactness=float(rng.choice([5.0, 10.0, 20.0])),
            start_label=1,
            channel_axis=-1,
        )
    )


def polygons(
    shape: tuple[int, int], rng: np.random.Generator, *, count: int = 40
) -> npt.NDArray[np.int_]:
    """Labels (H, W) of random polygons and rectangles, 0 between them."""
    labels = np.zeros(shape, np.int_)
    shortest = min(shape)
    for label in range(1, count + 1):
        radius = shortest * float(np.exp(rng.uniform(np.log(0.02), np.log(0.2))))
        row, col = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        if rng.random() < 0.5:  # noqa: PLR2004
            stretch = float(rng.uniform(0.3, 1.0))
            corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * (1, stretch)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 10))))
            reach = rng.uniform(0.5, 1.0, angles.size)[:, None]
            corners = np.column_stack([np.sin(angles), np.cos(angles)]) * reach
        turn = float(rng.uniform(0, np.pi))
        cos, sin = np.cos(turn), np.sin(turn)
        outline = corners @ np.array([(cos, sin), (-sin, cos)]) * radius
        outline += (row, col)
        rows, cols = polygon(outline[:, 0], outline[:, 1], shape)
        labels[rows, cols] = label
    return labels


def add_nuisance(
    image: FloatArray, rng: np.random.Generator, *, strength: float = 1.0
) -> FloatArray:
    """Change how an image looks without changing what it shows.

    Gain, gamma and offset per band, haze, light that varies slowly, blur, a shift of
    less than a pixel, noise.

    Args:
        image: (3, H, W), 0..1.
        rng: Source of chance.
        strength: 0 leaves the image as it is, 1 is usual.

    Returns:
        (3, H, W), 0..1.
    """
    if strength <= 0:
        return image
    by_band = rng.normal(0, 0.05 * strength, (3, 1, 1))
    gain = np.exp(rng.normal(0, 0.10 * strength) + by_band)
    gamma = np.exp(rng.normal(0, 0.10 * strength) + by_band)
    new = np.clip(gain * np.maximum(image, 0) ** gamma, 0, 1)
    haze = float(rng.uniform(0, 0.15 * strength))
    new = new * (1 - haze) + haze * rng.uniform(0.6, 0.9)
    light = gaussian_filter(rng.normal(size=image.shape[1:]), image.shape[1] / 6)
    light /= np.abs(light).max() + 1e-9
    new = new * (1 + _LIGHT * strength * rng.random() * light)
    moved = rng.uniform(-0.7, 0.7, 2) * min(strength, 1.0)
    blur = float(rng.uniform(0, 0.8 * min(strength, 1.0)))
    new = np.stack(
        [gaussian_filter(shift(b, moved, order=1, mode="nearest"), blur) for b in new]
    )
    noise = rng.normal(0, 0.015 * strength * rng.random(), image.shape)
    return np.clip(new + noise, 0, 1).astype(np.float32)


def _choose_regions(
    labels: npt.NDArray[np.int_], fraction: float, rng: np.random.Generator
) -> list[npt.NDArray[np.bool_]]:
    """Pick labelled regions until they cover the fraction; the first always counts."""
    names = np.unique(labels[labels > 0])
    wanted = fraction * labels.size
    regions: list[npt.NDArray[np.bool_]] = []
    covered = 0.0
    for name in rng.permutation(names):
        region = labels == name
        size = float(region.sum())
        if regions and covered + size > wanted * 1.2:
            continue
        regions.append(region)
        covered += size
        if covered >= wanted:
            break
    return regions


def _plain(donor: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
    """Content (3, size) of a bare surface: one colour of the donor, little texture."""
    row, col = rng.integers(donor.shape[1]), rng.integers(donor.shape[2])
    smooth = uniform_filter(donor, (0, 5, 5))
    texture = rng.normal(0, float(rng.uniform(0.005, 0.03)), size)
    plain = smooth[:, row, col, None] + texture
    return np.asarray(np.clip(plain, 0, 1), np.float32)


def _unlikeness(old: FloatArray, new: FloatArray) -> float:
    """Difference of two contents (3, N): mean colour and contrast, in image units."""
    colour = np.abs(old.mean(axis=1) - new.mean(axis=1)).max()
    contrast = np.abs(old.std(axis=1) - new.std(axis=1)).max()
    return float(colour + contrast)
