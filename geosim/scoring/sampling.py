"""What is fitted once for the whole scene, on a sample: radiometry and shift."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import NoDataError
from geosim.raster import radiometry
from geosim.raster.coregister import Shift, estimate_shift
from geosim.raster.grid import Window
from geosim.scoring.sample_windows import read_valid, valid_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.raster.scene import Pair, Scene

_KEPT = 400_000
"""Pixels of the sample windows that are kept as pictures, in one piece of each; of a
raster that is not larger, all."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Pixels of the scene that are valid on both dates, and what they taught."""

    before: NDArray[np.float32]
    """(bands, n) file values of date 1."""
    after: NDArray[np.float32]
    """(bands, n) of date 2."""
    pieces: tuple[Pair, ...]
    """Pieces of the scene with any valid pixel, about 400,000 px together; file
    values."""
    radiometry: radiometry.Radiometry
    """The fitted normalisation."""
    shift: Shift | None
    """The shift found before any correction; None where it cannot be measured."""
    corrected: bool
    """True where the scene is read with the shift taken out."""


def take_sample(scene: Scene, options: ChangeOptions) -> Sample:
    """Fit radiometry and shift; with `coregister` the scene is corrected.

    Raises:
        NoDataError: no pixel is valid on both dates.
        RasterReadError: a file is damaged.
    """
    known = valid_pairs(scene)
    _check_any(known, scene)
    before, after = _valid_pixels(known)
    fitted = _fit(before, after, scene, options)
    shift = _shift(known, fitted)
    corrected = options.coregister and shift is not None and shift.reliable
    if corrected and shift is not None:
        scene.correct_shift(shift.d_row, shift.d_col)
        known = list(read_valid(scene, [pair.window for pair in known]))
        _check_any(known, scene)
        before, after = _valid_pixels(known)
        fitted = _fit(before, after, scene, options)
    side = _piece_side(known)
    return Sample(
        before=before,
        after=after,
        pieces=tuple(_piece(pair, side) for pair in known),
        radiometry=fitted,
        shift=shift,
        corrected=corrected,
    )


def _piece_side(pairs: list[Pair]) -> int:
    """Side in pixels of the piece that is kept of each sample window."""
    if sum(pair.valid.size for pair in pairs) <= _KEPT:
        return max(max(p.window.width, p.window.height) for p in pairs)
    return math.ceil(math.sqrt(_KEPT / len(pairs)))


def _piece(pair: Pair, side: int) -> Pair:
    """A square around the middle of what is valid, within the window."""
    top, left = (
        int(np.clip(np.median(places) - side // 2, 0, max(size - side, 0)))
        for places, size in zip(np.nonzero(pair.valid), pair.valid.shape, strict=True)
    )
    window = (slice(top, top + side), slice(left, left + side))
    return replace(
        pair,
        before=pair.before[:, *window].copy(),
        after=pair.after[:, *window].copy(),
        valid=pair.valid[window].copy(),
        window=Window(
            pair.window.col_off + left,
            pair.window.row_off + top,
            min(side, pair.window.width),
            min(side, pair.window.height),
        ),
    )


def _valid_pixels(
    pairs: Iterable[Pair],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All valid pixels of the pairs, each (bands, n)."""
    chosen = [(pair.before[:, pair.valid], pair.after[:, pair.valid]) for pair in pairs]
    before, after = zip(*chosen, strict=True)
    return np.concatenate(before, axis=1), np.concatenate(after, axis=1)


def _check_any(found: list[Pair], scene: Scene) -> None:
    """Refuse dates that share no pixel with data."""
    if found:
        return
    masks = [path for path in (scene.masks.before, scene.masks.after) if path]
    masked = (
        f", and that {' and '.join(masks)} hold 0 where nothing is to be left out"
        if masks
        else ""
    )
    raise NoDataError(
        "no pixel has data on both dates: "
        f"'{scene.before.path}' and '{scene.after.path}' share only nodata; check "
        f"the nodata values ('gdalinfo') and that the images overlap{masked}"
    )


def _fit(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    scene: Scene,
    options: ChangeOptions,
) -> radiometry.Radiometry:
    """Fit the normalisation; 8-bit range is kept only where both dates have it."""
    same = scene.before.dtype == scene.after.dtype
    dtype = scene.before.dtype if same else "mixed"
    return radiometry.fit(before, after, dtype=dtype, how=options.normalize, whole=True)


def _shift(pairs: list[Pair], fitted: radiometry.Radiometry) -> Shift | None:
    """Shift over the sample windows, on the mean of the scaled bands."""
    windows = []
    for pair in pairs:
        before, after = fitted.apply(pair.before, pair.after, pair.valid)
        windows.append((before.mean(axis=0), after.mean(axis=0), pair.valid))
    return estimate_shift(windows)
