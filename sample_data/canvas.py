"""A canvas of colour and height, finer than the pictures, and ways to paint on it.

Colours are linear reflectances; they are written as the sRGB colour that one would see
in an ordinary photograph.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.features import rasterize
from scipy import fft, ndimage
from shapes import EXTENT, MARGIN, Array, Geometry

DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class Look:
    """How one kind of ground looks: two colours in patches, grain, edge and height.

    `grain` is the relative spread of brightness; `soft` (m) blurs the edge and `ragged`
    (0..1) frays it; `height` (m), with `bumps` (m), is None where the ground keeps its
    height; `tone` multiplies red, green and blue.
    """

    colours: tuple[str, str]
    grain: float = 0.10
    soft: float = 0.25
    ragged: float = 0.0
    height: float | None = None
    bumps: float = 0.0
    tone: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Patch:
    """A window of the canvas: slices of rows and columns, and metres of its pixels."""

    rows: slice
    cols: slice
    x: Array  # (1, width)
    y: Array  # (height, 1)
    transform: Affine


@dataclass(frozen=True)
class Surface:
    """The canvas: albedo (3, n, n) linear, height (n, n) in m; painted in place.

    The rest is noise (n, n) of spread 1: patches of 20..250 m (`coarse`), 2..30 m
    (`medium`) and 0.4..4 m (`fine`) that stay, and those of one date (`season`).
    """

    spacing: float
    albedo: Array
    height: Array
    coarse: Array
    medium: Array
    fine: Array
    season: Array

    def patch(self, bounds: tuple[float, float, float, float]) -> Patch | None:
        """The window around some bounds in metres, None where all is outside."""
        size = self.height.shape[0]
        first = [int((value + MARGIN) / self.spacing) - 3 for value in bounds[:2]]
        last = [int((value + MARGIN) / self.spacing) + 4 for value in bounds[2:]]
        col, row = (min(max(value, 0), size) for value in first)
        end_col, end_row = (min(max(value, 0), size) for value in last)
        if end_col <= col or end_row <= row:
            return None
        x = (np.arange(col, end_col) + 0.5) * self.spacing - MARGIN
        y = (np.arange(row, end_row) + 0.5) * self.spacing - MARGIN
        left, top = col * self.spacing - MARGIN, row * self.spacing - MARGIN
        to_metres = Affine(self.spacing, 0, left, 0, self.spacing, top)
        return Patch(
            slice(row, end_row), slice(col, end_col), x[None], y[:, None], to_metres
        )


Pattern = Callable[[Patch, Array], Array]


def linear(colour: str) -> Array:
    """A colour like '#8a7f60' as linear reflectance, (3, 1, 1)."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return (values**DISPLAY_GAMMA).astype(np.float32)[:, None, None]


def fractal(
    rng: np.random.Generator, size: int, shortest: float, longest: float, slope: float
) -> Array:
    """Noise (size, size) with wavelengths of `shortest`..`longest` pixels, spread 1."""
    spectrum = fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1.0
    band = (frequency > 1 / longest) & (frequency < 1 / max(shortest, 1.0))
    noise = fft.irfft2(spectrum * band * frequency**-slope, s=(size, size))
    return np.asarray(noise / max(float(noise.std()), 1e-9), np.float32)


def blank(
    spacing: float, rng: np.random.Generator, season: np.random.Generator
) -> Surface:
    """An empty canvas; `rng` for the noise of both dates, `season` for that of one."""
    size = fft.next_fast_len(round((EXTENT + 2 * MARGIN) / spacing), real=True)
    return Surface(
        spacing,
        np.zeros((3, size, size), np.float32),
        np.zeros((size, size), np.float32),
        fractal(rng, size, 20 / spacing, 250 / spacing, 1.3),
        fractal(rng, size, 2 / spacing, 30 / spacing, 1.2),
        fractal(rng, size, 0.4 / spacing, 4 / spacing, 0.6),
        fractal(season, size, 4 / spacing, 70 / spacing, 1.4),
    )


def _mix(surface: Surface, patch: Patch, look: Look) -> Array:
    """The colour of a look on a patch, (3, h, w)."""
    window = (patch.rows, patch.cols)
    clouds = 0.7 * surface.coarse[window] + 0.7 * surface.medium[window]
    share = 1 / (1 + np.exp(-2.0 * clouds))
    colour = linear(look.colours[0]) * share + linear(look.colours[1]) * (1 - share)
    light = 0.75 * surface.fine[window] + 0.5 * surface.medium[window]
    light = light + 0.5 * surface.season[window]
    tone = np.array(look.tone, np.float32)[:, None, None]
    return np.asarray(colour * tone * np.exp(look.grain * light))


def cover(
    surface: Surface, area: Geometry, look: Look, pattern: Pattern | None = None
) -> None:
    """Paint a look over an area; a pattern multiplies its brightness."""
    if area.is_empty:
        return
    left, top, right, bottom = area.bounds
    reach = 3 * look.soft
    patch = surface.patch((left - reach, top - reach, right + reach, bottom + reach))
    if patch is None:
        return
    window = (patch.rows, patch.cols)
    inside = rasterize(
        [area], out_shape=surface.height[window].shape, transform=patch.transform
    ).astype(np.float32)
    alpha = ndimage.gaussian_filter(inside, look.soft / surface.spacing)
    if look.ragged:
        frayed = alpha + look.ragged * 0.25 * surface.medium[window] * (alpha > 0.02)  # noqa: PLR2004
        alpha = np.clip((frayed - 0.5) * 3 + 0.5, 0, 1)
    colour = _mix(surface, patch, look)
    if pattern is not None:
        colour = colour * pattern(patch, inside)
    albedo = surface.albedo[:, patch.rows, patch.cols]
    albedo += alpha * (colour - albedo)
    if look.height is not None:
        height = surface.height[window]
        height += alpha * (look.height + look.bumps * surface.fine[window] - height)
