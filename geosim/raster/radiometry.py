"""Bring both dates to one radiometric scale: fit once on a sample, apply per block.

Light, haze, sensor and season change an image's brightness everywhere; what is looked
for changes it somewhere. The distribution of date 2 is therefore matched to that of
date 1, band by band, over a sample of the whole scene, never over a tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from geosim.raster import matching

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.raster.matching import Normalization

_WHOLE = {"uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
"""Data types whose values are looked up in a table."""

_AT_ONCE = 1 << 16
"""Pixels that are scaled at a time: what lies between the steps stays in the cache."""

_STRETCH_PERCENT = (1.0, 99.0)
"""Date 1's percentiles that become 0 and 1, where the data do not fill 8 bits."""

_FILLED = (88.0, 112.0)
"""Levels of 8 bits between these percentiles, median of the first bands, up to which a
date is stretched and from which on it is shown as it is; between them a blend of both
ranges. Pictures fill theirs; counts of a satellite's sensor often take a tenth of it,
and look grey in grey to a network."""

_SEEN = 3
"""Bands, the first, that tell: the network looks at these. The infrared, which is often
as wide as the visible bands are narrow, tells nothing about them, nor does one band of
the three about the other two; hence the median, not the mean."""

_SHOWN = 0.75
"""Part of 0..1 that the percentiles of a picture of more than 8 bits, three bands, take
together. Stretched each by itself they lose their colours, and the noise of the
narrowest is as loud as change; and pictures, for which the network is made, have 98 %
of their pixels within 130 to 200 of 255 levels."""

_NARROWEST = 1 / 3
"""Part of a picture's range that the percentiles of each band take at least."""

_LEAST_WIDTH = 32.0
"""Levels that become 0..1 at least: a date that shows hardly anything stays calm."""


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """A fitted normalisation: maps file values of both dates to 0..1."""

    knots_after: tuple[NDArray[np.float32], ...]
    """Per band: rising values of date 2."""
    knots_before: tuple[NDArray[np.float32], ...]
    """Per band: the value of date 1 that each knot of date 2 becomes."""
    low: NDArray[np.float32]
    """(bands,): date 1's value that becomes 0."""
    high: NDArray[np.float32]
    """(bands,): date 1's value that becomes 1."""
    mean: NDArray[np.float32]
    """(bands,): date 1's scaled mean; stands where there is no data."""
    whole: tuple[int, int] | None = None
    """Smallest and largest value, where the files hold whole numbers of few bits:
    then a value is looked up."""

    def apply(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both dates as float32 in 0..1, (bands, height, width).

        Where not valid both hold the scene's mean: no difference and no edge of
        nodata that one date has and the other lacks.
        """
        scaled = np.empty_like(before), np.empty_like(after)
        self.apply_to(scaled, before, after, valid)
        return scaled

    def apply_to(
        self,
        scaled: tuple[NDArray[np.float32], NDArray[np.float32]],
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
    ) -> None:
        """The same into arrays that are there, perhaps parts of larger ones."""
        gaps = None if valid.all() else ~valid
        for out, date, matched in zip(
            scaled, (before, after), (False, True), strict=True
        ):
            for band in range(len(date)):
                self._fill(out[band], date[band], band, matched=matched)
                if gaps is not None:
                    out[band][gaps] = self.mean[band]

    def _fill(
        self,
        out: NDArray[np.float32],
        values: NDArray[np.float32],
        band: int,
        *,
        matched: bool,
    ) -> None:
        """Put one band of one date in 0..1 into `out`, rows by rows."""
        # date 1 is only scaled, which is quicker than to look it up
        by_table = matched and len(self.knots_after[band]) > 0
        rows = max(_AT_ONCE // max(values.shape[-1], 1), 1)
        for row in range(0, len(values), rows):
            some, to = values[row : row + rows], out[row : row + rows]
            if self.whole is None or not by_table:
                to[:] = self._scale(some, band, matched=matched)
                continue
            places = np.subtract(some, self.whole[0], dtype=np.float32).astype(np.intp)
            # without a check of its own, "take" would copy the output
            np.take(self._tables[band], places, out=to, mode="clip")

    @cached_property
    def _tables(self) -> list[NDArray[np.float32]]:
        """Scaled value of each whole number of date 2, by band."""
        assert self.whole is not None  # noqa: S101 - asked for then only
        values = np.arange(self.whole[0], self.whole[1] + 1, dtype=np.float32)
        return [
            self._scale(values, band, matched=True) for band in range(len(self.low))
        ]

    def _scale(
        self, values: NDArray[np.float32], band: int, *, matched: bool
    ) -> NDArray[np.float32]:
        """One band of one date in 0..1."""
        if matched:
            knots = self.knots_after[band], self.knots_before[band]
            values = matching.matched(values, knots)
        width = self.high[band] - self.low[band]
        scaled: NDArray[np.float32]
        with np.errstate(over="ignore"):  # of a nodata value such as -3.4e38
            scaled = np.clip((values - self.low[band]) / width, 0.0, 1.0)
        return scaled


def fit(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    *,
    dtype: str,
    how: Normalization = "histogram",
    whole: bool = False,
) -> Radiometry:
    """Fit on a sample of pixels that are valid on both dates.

    Args:
        before: (bands, n) sample of date 1, file values.
        after: (bands, n) sample of date 2 at the same places.
        dtype: data type of the files; 8-bit data whose first three bands, two of them
            at least, fill their range keep it, 0..255; any other is stretched between
            date 1's 1st and 99th percentile, but three bands of more bits together:
            then these become 0.125 and 0.875. Between full and narrow 8-bit data lies
            a blend.
        how: how date 2 is matched to date 1, see `geosim.raster.matching.match`.
        whole: True where all that is applied to later holds whole numbers of `dtype`,
            as files do; it is then looked up in a table, to the same result.
    """
    knots = matching.match(before, after, how)
    low, high = _range(before, dtype)
    scaled = np.clip((before - low[:, None]) / (high - low)[:, None], 0.0, 1.0)
    return Radiometry(
        knots_after=tuple(after_knots for after_knots, _ in knots),
        knots_before=tuple(before_knots for _, before_knots in knots),
        low=low,
        high=high,
        mean=scaled.mean(axis=1, dtype=np.float64).astype(np.float32),
        whole=_WHOLE.get(dtype) if whole else None,
    )


def _range(
    before: NDArray[np.float32], dtype: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Date 1's values, (bands,) each, that become 0 and 1."""
    low, high = np.percentile(before, _STRETCH_PERCENT, axis=1).astype(np.float32)
    if dtype != "uint8":
        if len(low) == _SEEN:
            low, high = _picture_range(low, high)
        return low, np.where(high > low, high, low + 1.0).astype(np.float32)
    width = high - low
    first, last = _FILLED
    filled = float(np.median(width[:_SEEN]))
    kept = float(np.clip((filled - first) / (last - first), 0.0, 1.0))
    room = np.maximum(_LEAST_WIDTH - width, 0.0) / 2
    low, high = (1.0 - kept) * (low - room), (1.0 - kept) * (high + room) + kept * 255.0
    return low.astype(np.float32), high.astype(np.float32)


def _picture_range(
    low: NDArray[np.float32], high: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One range for the bands of a picture, (bands,) each.

    A band that it would leave hardly visible, perhaps one of another unit, gets a part
    of it, around its own values.
    """
    least, most = low.min(), high.max()
    width = np.minimum(most - least, (high - low) / _NARROWEST)
    start = np.clip((low + high - width) / 2, least, most - width)
    room = width * (1.0 / _SHOWN - 1.0) / 2
    return (
        (start - room).astype(np.float32),
        (start + width + room).astype(np.float32),
    )
