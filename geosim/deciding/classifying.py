"""What the changed objects are: land cover of their pixels on both dates.

Works beside the second pass: only where a strip holds kept objects are the dates read
once more, in cells, and only sums per object stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from geosim.raster.grid import Window
from geosim.themes import colour
from geosim.themes.classes import COVERS
from geosim.themes.cover import COVER_REACH, NEEDED, with_banks
from geosim.themes.land_cover import is_spectral, land_cover
from geosim.themes.roles import is_sensor, per_date
from geosim.themes.tones import Tones, fit_display, fit_tones, with_darkest
from geosim.themes.transitions import class_confidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.raster.scene import Scene
    from geosim.raster.source import Source
    from geosim.raster.writer import WorkRaster
    from geosim.scoring.sampling import Sample

_CELL = 192
"""Columns of a cell, of a strip's rows: what is told at a time."""

_SPAN = 4096
"""Columns that are read and written at a time: of a raster that is stored by rows a
narrow window costs as much as its whole rows."""

_COUNT = len(COVERS)

CONFIDENCE_LEVELS = 254
"""Level of a confidence of 1 in the working raster."""


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Gathers, object by object, what its pixels were and became."""

    scene: Scene
    tones: tuple[Tones, Tones]
    theme: str
    metres: float | None
    """Size of a pixel on the ground."""
    pairs: WorkRaster
    """Takes, of each pixel of an object, the number of its pair of covers (1 + 7 times
    that of date 1 + that of date 2) and how sure its class is."""
    sums: NDArray[np.float64]
    """(objects, 49) confidence by pair of covers."""
    pixels: NDArray[np.int64]
    """(objects,)."""

    @classmethod
    def of(
        cls,
        scene: Scene,
        tones: tuple[Tones, Tones],
        theme: str,
        pairs: WorkRaster,
        objects: int,
    ) -> Classifier:
        """Start with nothing seen."""
        return cls(
            scene=scene,
            tones=tones,
            theme=theme,
            metres=scene.grid.ground_resolution(),
            pairs=pairs,
            sums=np.zeros((objects, _COUNT**2)),
            pixels=np.zeros(objects, np.int64),
        )

    def add(self, window: Window, numbers: NDArray[np.int32]) -> None:
        """Take in a strip.

        Args:
            window: the strip.
            numbers: (rows, width) object numbers from 1, 0 elsewhere.
        """
        cells = _cells(window, numbers)
        for _, group in groupby(cells, lambda one: one.col_off // _SPAN):
            self._add_span(window, numbers, list(group))

    def _add_span(
        self, window: Window, numbers: NDArray[np.int32], cells: list[Window]
    ) -> None:
        """Take in neighbouring cells, which are read and written together."""
        first, last = cells[0], cells[-1]
        span = Window(
            first.col_off,
            window.row_off,
            last.col_off + last.width - first.col_off,
            window.height,
        )
        grid = self.scene.grid
        *dates, known = self.scene.read_roles(_around(span, grid), COVER_REACH)
        told = np.zeros((2, span.height, span.width), np.uint8)
        for part in cells:
            inside = numbers[part.slices_in(window)]
            outer = _around(part, grid)
            place = outer.slices_in(_around(span, grid))
            cut = dates[0][:, *place], dates[1][:, *place]
            changed, inner = inside > 0, part.slices_in(outer)
            pair, confidence = self._pairs_of(cut, inner, changed)
            levels = np.rint(confidence * CONFIDENCE_LEVELS) * known[*place][*inner]
            told[:, *part.slices_in(span)] = (pair + 1) * changed, levels * changed
            self._count(inside[changed], pair[changed], levels[changed])
        for band, values in enumerate(told, 1):
            self.pairs.write(values, span, band)

    def _pairs_of(
        self,
        dates: tuple[NDArray[np.float32], NDArray[np.float32]],
        inner: tuple[slice, slice],
        changed: NDArray[np.bool_],
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Number of the pair of covers of each pixel of a cell, and how sure its class.

        Args:
            dates: (roles, ...) of both, the cell with its margin.
            inner: where the cell lies in them.
            changed: (height, width) where it is asked how sure; 0 elsewhere.
        """
        covers = [
            land_cover(values, self.scene.roles, tones, self.metres)
            for values, tones in zip(dates, self.tones, strict=True)
        ]
        before, after = (cover[:, *inner] for cover in with_banks(covers[0], covers[1]))
        pair = before.argmax(axis=0) * _COUNT + after.argmax(axis=0)
        sure = np.zeros(pair.shape, np.float32)
        trust = 1.0 if is_spectral(self.scene.roles) else colour.TRUST
        sure[changed] = np.float32(trust) * class_confidence(
            before, after, pair, changed, self.theme
        )
        return pair, sure

    def _count(
        self,
        numbers: NDArray[np.int32],
        pair: NDArray[np.intp],
        levels: NDArray[np.float32],
    ) -> None:
        """Add the pixels of a cell to the objects' sums."""
        first = int(numbers.min())  # neighbours have numbers close by
        there = np.bincount(numbers - first)
        present = np.flatnonzero(there)
        place = np.zeros(len(there), np.intp)
        place[present] = np.arange(len(present))
        key = place[numbers - first] * _COUNT**2 + pair
        found = np.bincount(key, levels, len(present) * _COUNT**2)
        own = present + first - 1
        self.sums[own] += found.reshape(-1, _COUNT**2) / CONFIDENCE_LEVELS
        self.pixels[own] += there[present]


def _around(part: Window, grid: Grid) -> Window:
    """A window with the margin that its covers need, within the grid."""
    return part.grown(COVER_REACH).clipped(grid.width, grid.height)


def fit_classifier_tones(
    scene: Scene, sample: Sample, options: ChangeOptions
) -> tuple[Tones, Tones] | None:
    """How both dates' numbers become reflectances; None where nothing can be told."""
    known = set(scene.roles)
    if not (known >= NEEDED or known >= colour.NEEDED):
        return None
    read = [scene.read_roles(piece.window) for piece in sample.pieces]
    seen = [
        piece.valid & one[2] for piece, one in zip(sample.pieces, read, strict=True)
    ]
    if not any(some.any() for some in seen):
        return None
    fitted = []
    sources = (scene.before, scene.after)
    for date, (source, wanted) in enumerate(
        zip(sources, per_date(options.bands), strict=True)
    ):
        values = np.concatenate(
            [dates[date][:, some] for dates, some in zip(read, seen, strict=True)],
            axis=1,
        )
        sensor = wanted.strip().lower() if wanted and is_sensor(wanted) else None
        if not known >= NEEDED:
            fitted.append(fit_display(values, source.dtype))
            continue
        tones = fit_tones(
            values,
            scene.roles,
            dtype=source.dtype,
            scaling=_scaling(source),
            sensor=sensor,
        )
        fitted.append(with_darkest(tones, values, scene.roles))
    return fitted[0], fitted[1]


def _scaling(source: Source) -> dict[str, tuple[float, float]]:
    return {role: source.scaling[band - 1] for role, band in source.roles.items()}


def _cells(window: Window, numbers: NDArray[np.int32]) -> Iterator[Window]:
    """Parts of a strip that hold any object, cut to the rows and columns of these."""
    cols = np.flatnonzero(numbers.any(axis=0))
    for start in np.unique(cols // _CELL) * _CELL:
        here = cols[(cols >= start) & (cols < start + _CELL)]
        first, end = int(here[0]), int(here[-1]) + 1
        rows = np.flatnonzero(numbers[:, first:end].any(axis=1))
        top = int(rows[0])
        yield Window(
            window.col_off + first,
            window.row_off + top,
            end - first,
            int(rows[-1]) + 1 - top,
        )
