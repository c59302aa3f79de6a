"""The cameras of both dates: sunlight and shadows, haze, blur, grain and shift.

Everything in here differs between the dates without anything having changed on the
ground: these are the nuisances that a program has to see through.
"""

from dataclasses import dataclass

import numpy as np
from canvas import DISPLAY_GAMMA, Surface, fractal
from scipy import ndimage
from shapes import AFTER, BEFORE, MARGIN, Array, Date

SHIFT_ROWS = 0.4
SHIFT_COLS = -0.3
"""How far the content of 2020 lies from that of 1990, in pixels of the grid:
after(row + SHIFT_ROWS, col + SHIFT_COLS) shows what before(row, col) shows."""


@dataclass(frozen=True)
class Grid:
    """A picture's place: offset from the 1990 corner, size, and `pixel` in m."""

    col_off: float
    row_off: float
    width: int
    height: int
    pixel: float


@dataclass(frozen=True)
class Camera:
    """Sun, air and sensor of one flight; triples are red, green, blue.

    `azimuth` and `elevation` of the sun are degrees; `sky` is the light of the blue sky
    beside the sun's 1; `haze` is the display value 0..1 that air adds; `blur` and
    `grain` are sigmas in pixels; `noise` is the spread of the grain in display values;
    `falloff` is the light that the corners lack; `shift` is (rows, columns) in pixels.
    """

    azimuth: float
    elevation: float
    sky: tuple[float, float, float]
    haze: tuple[float, float, float]
    gain: tuple[float, float, float]
    gamma: tuple[float, float, float]
    blur: float
    noise: float
    grain: float
    falloff: float
    shift: tuple[float, float]


CAMERAS: dict[Date, Camera] = {
    BEFORE: Camera(
        azimuth=150.0,
        elevation=57.0,
        sky=(0.20, 0.24, 0.30),
        haze=(0.060, 0.065, 0.078),
        gain=(1.00, 0.94, 0.89),
        gamma=(1.02, 1.00, 0.98),
        blur=0.75,
        noise=0.016,
        grain=0.6,
        falloff=0.12,
        shift=(0.0, 0.0),
    ),
    AFTER: Camera(
        azimuth=190.0,
        elevation=47.0,
        sky=(0.17, 0.22, 0.31),
        haze=(0.02, 0.025, 0.04),
        gain=(1.06, 1.07, 1.08),
        gamma=(0.97, 0.98, 1.00),
        blur=0.6,
        noise=0.009,
        grain=0.35,
        falloff=0.04,
        shift=(SHIFT_ROWS, SHIFT_COLS),
    ),
}


def _shadow(height: Array, spacing: float, azimuth: float, elevation: float) -> Array:
    """Share of sunlight that arrives, (n, n): 0 in full shadow, 1 in the sun."""
    east, south = np.sin(np.radians(azimuth)), -np.cos(np.radians(azimuth))
    fall = float(np.tan(np.radians(elevation)))
    reach = float(height.max() - height.min()) / fall
    blocked = np.full(height.shape, -np.inf, np.float32)
    rows, cols = height.shape
    for away in np.arange(spacing, reach, spacing):
        down, right = round(away * south / spacing), round(away * east / spacing)
        here = (slice(max(-down, 0), rows - max(down, 0)),
                slice(max(-right, 0), cols - max(right, 0)))  # fmt: skip
        there = (slice(max(down, 0), rows + min(down, 0)),
                 slice(max(right, 0), cols + min(right, 0)))  # fmt: skip
        ray = height[there] - np.float32(away * fall)
        np.maximum(blocked[here], ray, out=blocked[here])
    lit = np.clip(1 - (blocked - height) / 0.6, 0, 1)
    return np.asarray(ndimage.gaussian_filter(lit, 0.8))


def light(surface: Surface, camera: Camera) -> Array:
    """Radiance (3, n, n), linear: albedo under sun and sky."""
    spacing, height = surface.spacing, surface.height
    azimuth, elevation = np.radians(camera.azimuth), np.radians(camera.elevation)
    smooth = ndimage.gaussian_filter(height, 0.25 / spacing)
    slope_y, slope_x = (np.clip(s / spacing, -1.2, 1.2) for s in np.gradient(smooth))
    sun = np.array([np.sin(azimuth), -np.cos(azimuth)]) * np.cos(elevation)
    facing = np.sin(elevation) - slope_x * sun[0] - slope_y * sun[1]
    facing = facing / np.sqrt(1 + slope_x**2 + slope_y**2) / np.sin(elevation)
    sunlight = np.clip(facing, 0, 1.7) * _shadow(
        height, spacing, camera.azimuth, camera.elevation
    )
    around = ndimage.gaussian_filter(height, 2.0 / spacing)
    open_sky = np.clip(1 - 0.06 * (around - height), 0.35, 1.1)
    sky = np.array(camera.sky, np.float32)[:, None, None] * open_sky
    return np.asarray(surface.albedo * (sunlight + sky), np.float32)


def _sampled(band: Array, spacing: float, grid: Grid, camera: Camera) -> Array:
    """One band of the canvas through the lens on a grid, (height, width)."""
    scale = grid.pixel / spacing
    d_row, d_col = camera.shift
    first_row = (grid.row_off + 0.5 - d_row) * scale + MARGIN / spacing - 0.5
    first_col = (grid.col_off + 0.5 - d_col) * scale + MARGIN / spacing - 0.5
    sharp = ndimage.gaussian_filter(band, camera.blur * scale)
    shape = (grid.height, grid.width)
    seen = ndimage.affine_transform(
        sharp, [scale, scale], [first_row, first_col], shape
    )
    rows, cols = (np.linspace(-1, 1, count) for count in shape)
    dimmed = 1 - camera.falloff * (rows[:, None] ** 2 + cols**2) / 2
    return np.asarray(seen * dimmed)


def expose(
    radiance: Array,
    spacing: float,
    grid: Grid,
    camera: Camera,
    rng: np.random.Generator,
) -> Array:
    """The picture of one camera on its grid, (3, height, width) uint8."""
    side = max(grid.width, grid.height)
    grey = fractal(rng, side, 1.0, 40, 0.3)[: grid.height, : grid.width]
    tones = zip(camera.haze, camera.gain, camera.gamma, strict=True)
    bands = []
    for band, (haze, gain, gamma) in zip(radiance, tones, strict=True):
        seen = np.clip(_sampled(band, spacing, grid, camera) * gain, 0, None)
        grain = ndimage.gaussian_filter(rng.standard_normal(seen.shape), camera.grain)
        noise = camera.noise * (0.7 * grey + 0.7 * grain / grain.std())
        value = haze + (1 - haze) * seen ** (gamma / DISPLAY_GAMMA) + noise
        bands.append(np.clip(np.rint(value * 255), 1, 255))
    return np.stack(bands).astype(np.uint8)
