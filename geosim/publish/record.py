"""What a run did and found, as plain values.

The report, the STAC Item and `--json` all speak from a `RunRecord`.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Any

import numpy as np

from geosim.publish.wording import SQUARE_METRES_PER_HECTARE


@dataclass(frozen=True, kw_only=True)
class InputRecord:
    """One of the two dates, as it was found."""

    path: str
    """The input as the user gave it: a path, a URL or a GDAL name."""
    driver: str
    """GDAL's short name of the format, such as `GTiff`."""
    crs: str | None
    """Its CRS, short where there is a short name; None without one."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    bands: tuple[int | str, ...]
    """The bands compared, by number from 1 or by description."""
    dtype: str
    """Type of the values, such as `uint16`."""
    nodata: float | None
    """The declared nodata value; None where the file declares none."""
    date: str | None
    """ISO 8601 (`2020`, `2020-07`, `2020-07-14`); None where unknown."""
    warped: bool
    """True where the input was resampled onto the grid."""
    placement: str
    """One sentence: how the input was brought onto the grid."""
    size: int | None = None
    """Bytes of the file; None where it is no file on this machine."""
    sha256: str | None = None
    """Checksum of the file, hexadecimal; None as `size`."""


@dataclass(frozen=True, kw_only=True)
class GridRecord:
    """The grid that both dates were read on."""

    wkt: str | None
    """The CRS as WKT2; None for plain pictures."""
    crs: str | None
    """The CRS in short, such as `EPSG:32633`, or its name where it has no code."""
    transform: tuple[float, float, float, float, float, float]
    """`a, b, c, d, e, f` of the affine `(col, row) -> (x, y)`, pixel corners."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    resolution_m: float | None
    """Side of a pixel on the ground in metres; None without a CRS."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """`left, bottom, right, top` in the grid's CRS, of a rotated grid too."""
        a, b, c, d, e, f = self.transform
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        xs = [a * col + b * row + c for col, row in corners]
        ys = [d * col + e * row + f for col, row in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """The network's weights."""

    name: str
    """Name in `geosim models`, or the file's name."""
    sha256: str
    """Checksum of the weights file."""
    licence: str
    """SPDX identifier or a short name."""
    attribution: str
    """Whom to name."""
    half_width: bool = False
    """True of the small network, which has half of VGG16's channels."""


@dataclass(frozen=True, kw_only=True)
class ShiftRecord:
    """How far the content of `after` lies from `before`."""

    rows: float
    """Pixels of the grid, downwards."""
    cols: float
    """Pixels of the grid, to the right."""
    corrected: bool
    """True where the shift was taken out before comparing."""


@dataclass(frozen=True, kw_only=True)
class ThresholdRecord:
    """From where on a pixel counts as changed."""

    value: float
    """Probability 0..1."""
    rule: str
    """Name of the rule that set it, such as `otsu` or `given`."""
    reason: str
    """One sentence: why this value."""


@dataclass(frozen=True, kw_only=True)
class AreaRecord:
    """How much was compared and how much of it changed."""

    valid_px: int
    """Pixels with data on both dates."""
    changed_px: int
    """Pixels that changed."""
    valid_m2: float | None
    """Square metres on the ellipsoid; None without a CRS."""
    changed_m2: float | None
    """Square metres on the ellipsoid; None without a CRS."""

    @property
    def changed_ha(self) -> float | None:
        """Hectares that changed; None without a CRS."""
        if self.changed_m2 is None:
            return None
        return self.changed_m2 / SQUARE_METRES_PER_HECTARE

    @property
    def changed_percent(self) -> float:
        """Changed part of the compared area; by pixels without a CRS."""
        if self.valid_m2 and self.changed_m2 is not None:
            return 100 * self.changed_m2 / self.valid_m2
        return 100 * self.changed_px / self.valid_px if self.valid_px else 0.0


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """All that a finished run has to tell."""

    name: str
    """Name of the run's folder."""
    version: str
    """geosim's version."""
    created: datetime
    """When the run ended, UTC."""
    method: str
    """The method that compared, such as `siamese`."""
    engine: str
    """What the method ran on, such as `OpenVINO int8, 8 threads`."""
    before: InputRecord
    """Date 1."""
    after: InputRecord
    """Date 2."""
    grid: GridRecord
    """The grid of all rasters written."""
    threshold: ThresholdRecord
    """The decision's threshold."""
    areas: AreaRecord
    """Compared and changed area."""
    polygons: int
    """Objects in the layer `changes`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options in force, defaults included."""
    memory: str = ""
    """Memory that the run worked with, such as `half of the machine's memory: 11,900
    MB`."""
    weights: WeightsRecord | None = None
    """The network's weights; None for a method without a network."""
    shift: ShiftRecord | None = None
    """The shift found; None where it was not looked for."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds per stage."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that did the work, such as GDAL's."""
    notes: tuple[str, ...] = ()
    """Decisions and warnings that a reader should know, one sentence each."""

    from_to: tuple[Mapping[str, Any], ...] = ()
    """Changed area by what was there and what is there now, the largest first:
    `from_class`, `to_class`, `class`, `polygons`, `area_px`, `area_m2` (None without a
    CRS); of all changes, whatever the theme. Empty where that cannot be told."""

    @property
    def labels(self) -> tuple[str, str]:
        """What the dates are called: by date, else by file, else with its folder."""
        both = self.before, self.after
        paths = [one.path.partition("?")[0] for one in both]
        names = [PurePath(path).name or path for path in paths]
        told = [one.date or name for one, name in zip(both, names, strict=True)]
        if told[0] == told[1]:
            told = names
        if told[0] == told[1]:
            told = ["/".join(PurePath(path).parts[-2:]) for path in paths]
        return told[0], told[1]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values, without NaN and infinity."""
        values: dict[str, Any] = dataclasses.asdict(self)
        values["grid"]["bounds"] = self.grid.bounds
        values["areas"]["changed_ha"] = self.areas.changed_ha
        values["areas"]["changed_percent"] = self.areas.changed_percent
        return {key: plain(value) for key, value in values.items()}


def rfc3339(moment: datetime) -> str:
    """A moment in UTC as `2020-07-14T09:30:00Z`; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    text = moment.astimezone(UTC).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "Z"


def plain(value: object) -> Any:  # noqa: ANN401
    """The value in JSON's own types.

    NaN and infinity become None, numpy scalars Python's, paths, enumerations and
    whatever else JSON does not know become text.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    return str(value)
