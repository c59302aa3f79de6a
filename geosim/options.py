"""The options of a run: one frozen record, checked once, the home of its defaults."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from geosim.change.threshold import Rule
from geosim.dates import is_date
from geosim.errors import OptionError
from geosim.machine.memory import ELSEWHERE, default_memory
from geosim.option_values import (
    MinArea,
    check_creation_options,
    plain_integer,
    plain_number,
    plain_numbers,
    plain_pairs,
    plain_text,
)
from geosim.publish.formats import Format
from geosim.raster.mask_files import MaskFiles, MaskKind
from geosim.raster.matching import Normalization
from geosim.raster.nodata import Nodata, nodata_text, parse_nodata
from geosim.siamese.engine import Device, Precision
from geosim.siamese.shipped import DEFAULT_WEIGHTS
from geosim.themes.classes import SeasonRule, ThemeName

if TYPE_CHECKING:
    from collections.abc import Iterator

Method = Literal["siamese", "ssim", "cva", "irmad"]
"""How the dates are compared."""

DEFAULT_TILE = 256
MIN_TILE = 32
"""Two cells of the network's coarsest features; smaller tiles have no embedding."""

BENCH_SIZE = 2048
"""Side in pixels of the pair that `geosim bench` draws."""
BENCH_RESOLUTION = 10.0
"""Size of its pixels in metres, that of Sentinel-2."""

_TEXTS = {
    "bands": "4,3,2",
    "grid": "after",
    "date_before": "2020-07",
    "date_after": "2020-07",
    "mask_before": "clouds.gpkg",
    "mask_after": "clouds.gpkg",
    "weights": DEFAULT_WEIGHTS,
}
"""Options that are texts or paths, each with an example."""


@dataclass(frozen=True, kw_only=True)
class ChangeOptions:
    """How `detect_change` works. Every field has the default of the command line."""

    method: Method = "siamese"
    """"siamese" (the network), "ssim", "cva" or "irmad" (references)."""
    bands: str | None = None
    """"all", numbers or descriptions joined by commas ("4,3,2"), roles of numbers
    ("red=3,nir=4") or the name of a sensor ("sentinel-2"); None: red, green, blue."""
    theme: ThemeName = "any"
    """Which classes of change stay in `changes.gpkg`: "any", "deforestation", "urban",
    "water", "ice"."""
    season: SeasonRule = "auto"
    """"auto": fields that are green on one date and bare on the other, and water that
    is clear or muddy, count as unchanged, where bands and pixel size let them be told
    and the weights are not trained on labels; "keep": they count as change."""
    tile_size: int | None = None
    """Side of a scoring tile in pixels, 32 or more; None: 256, or the raster's side
    where that is smaller."""
    threshold: Rule | float = "auto"
    """"auto", "otsu", "kapur" or a probability 0..1."""
    min_area: MinArea = MinArea(value=50, unit="px")  # noqa: RUF009 - it is frozen
    """Minimum mapping unit. 50 px is about what the smoothing lets one tell apart."""
    normalize: Normalization = "histogram"
    """How date 2's radiometry is matched to date 1's."""
    coregister: bool = False
    """True: the shift that is found between the dates is taken out."""
    grid: str = "before"
    """Whose pixels to use: "before", "after" or the path of a third raster."""
    resolution: float | None = None
    """Another pixel size, in the units of the grid's CRS."""
    bounds: tuple[float, float, float, float] | None = None
    """(left, bottom, right, top) to cut to, in the grid's CRS."""
    date_before: str | None = None
    """ISO date of date 1; None: from its tags or its name."""
    date_after: str | None = None
    """ISO date of date 2; None: from its tags or its name."""
    mask_before: str | None = None
    """A raster or a file of polygons that takes pixels out of date 1: clouds."""
    mask_after: str | None = None
    """The same of date 2."""
    mask_kind: MaskKind = "auto"
    """What a raster mask's numbers mean: "auto", "binary" (all but 0 is masked),
    "qa_pixel" (Landsat), "scl" (Sentinel-2)."""
    nodata: str | None = None
    """Value of pixels without data, in place of what the files declare: "0" of both
    dates, "0:255" one for each, "0:" or ":0" of one alone; also as a number or two.
    None: as the files say."""
    weights: str = DEFAULT_WEIGHTS
    """Name of the weights or path of a weights file."""
    device: Device = "auto"
    """"auto" and "cpu": OpenVINO; "cuda": torch on a GPU; "torch": the reference."""
    precision: Precision = "auto"
    """"int8" or "float32" of the network; "auto": int8 on a CPU with weights that have
    ranges for it, half precision on a GPU, else float32."""
    threads: int | None = None
    """Threads; None: all cores."""
    memory: int | None = None
    """Memory to work with, in MB; it bounds the size of a block. None: half of the
    machine's, at least 1000 and at most 16000; with torch (`device`) 4000."""
    worker_memory: int | None = None
    """MB where `memory` is None and several processes work; set for them by
    `detect_changes` and by `detect_change` with a cluster."""
    block_size: int | None = None
    """Side of a block in pixels, a multiple of 16; None: the quickest in `memory`."""
    creation_options: tuple[tuple[str, str], ...] = ()
    """GDAL creation options for the rasters, as (KEY, VALUE)."""
    formats: tuple[Format, ...] = ("gpkg",)
    """Formats of the polygons: "gpkg", "geoparquet", "flatgeobuf", "geojson"; the
    GeoPackage is always written."""
    overwrite: bool = False
    """True: an earlier result in the output folder is replaced, and what an
    interrupted run finished is thrown away, unless `resume` is set."""
    resume: bool = False
    """True: go on from what an interrupted run with the same options finished."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, value in self._plain_values():
            object.__setattr__(self, name, value)
        self._check_choices()
        self._check_sizes()
        parse_nodata(self.nodata)
        for name in ("date_before", "date_after"):
            text = getattr(self, name)
            if text is not None and not is_date(text):
                raise OptionError(
                    f"--{name.replace('_', '-')} wants a date like 2020, 2020-07 or "
                    f"2020-07-14; found '{text}'"
                )
        if self.bounds is not None:
            left, bottom, right, top = self.bounds
            finite = all(map(math.isfinite, self.bounds))
            if not (finite and left < right and bottom < top):
                raise OptionError(
                    "--bounds wants left bottom right top with left < right and "
                    f"bottom < top; found {self.bounds}"
                )

        check_creation_options(self.creation_options)

    def _plain_values(self) -> Iterator[tuple[str, Any]]:
        """Fields with their values as plain Python has them."""

        def given(name: str) -> tuple[str, Any]:
            return f"--{name.replace('_', '-')}", getattr(self, name)

        for name, example in _TEXTS.items():
            yield name, plain_text(*given(name), example)
        if self.nodata is not None and not isinstance(self.nodata, str):
            several = isinstance(self.nodata, list | tuple)
            each = self.nodata if several else [self.nodata]
            yield "nodata", nodata_text([plain_number("--nodata", v) for v in each])
        for name in ("tile_size", "threads", "memory", "worker_memory", "block_size"):
            yield name, plain_integer(*given(name))
        yield "resolution", plain_number(*given("resolution"))
        yield "bounds", plain_numbers(*given("bounds"), 4)
        yield "creation_options", plain_pairs("--co", self.creation_options)
        if isinstance(self.formats, str):
            yield "formats", (self.formats,)
        if not isinstance(self.threshold, str):
            yield "threshold", plain_number("--threshold", self.threshold)
        if not isinstance(self.min_area, MinArea):
            raise OptionError(
                "--min-area wants a MinArea such as MinArea.parse('500'); found "
                f"{self.min_area!r}"
            )

    def _check_choices(self) -> None:
        for name, kind in (
            ("method", Method),
            ("normalize", Normalization),
            ("device", Device),
            ("precision", Precision),
            ("theme", ThemeName),
            ("season", SeasonRule),
            ("mask_kind", MaskKind),
        ):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(
                    f"--{name.replace('_', '-')} wants one of "
                    f"{', '.join(get_args(kind))}; found "
                    f"'{getattr(self, name)}'"
                )
        for name in self.formats:
            if name not in get_args(Format):
                raise OptionError(
                    f"--format wants one of {', '.join(get_args(Format))}; found "
                    f"'{name}'"
                )
        rule = self.threshold
        if isinstance(rule, str):
            if rule not in get_args(Rule):
                raise OptionError(
                    f"--threshold wants {', '.join(get_args(Rule))} or a probability "
                    f"between 0 and 1; found '{rule}'"
                )
        elif not 0.0 < rule <= 1.0:
            raise OptionError(
                f"--threshold wants a probability above 0 and up to 1; found {rule:g}"
            )

    def _check_sizes(self) -> None:
        limits: tuple[tuple[str, float | None, float, str], ...] = (
            ("tile-size", self.tile_size, MIN_TILE, "pixels"),
            ("threads", self.threads, 1, "threads"),
            ("memory", self.memory, 500, "MB"),
            ("memory", self.worker_memory, 500, "MB"),
            ("block-size", self.block_size, 16, "pixels"),
        )
        for name, value, least, unit in limits:
            if value is not None and value < least:
                raise OptionError(
                    f"--{name} wants at least {least:g} {unit}; found {value:g}"
                )
        if self.block_size is not None and self.block_size % 16:
            raise OptionError(
                f"--block-size wants a multiple of 16 pixels; found {self.block_size}; "
                f"take {self.block_size // 16 * 16 or 16}"
            )
        if self.resolution is not None and not 0 < self.resolution < math.inf:
            raise OptionError(
                f"--resolution wants a number above 0; found {self.resolution:g}"
            )

    @property
    def masks(self) -> MaskFiles:
        """The masks of both dates."""
        return MaskFiles(
            before=self.mask_before, after=self.mask_after, kind=self.mask_kind
        )

    @property
    def nodata_values(self) -> Nodata:
        """What takes the place of the nodata value that each date's file declares."""
        return parse_nodata(self.nodata)

    @property
    def thread_count(self) -> int:
        """Threads to use: `threads`, or the cores this process may run on."""
        if self.threads:
            return self.threads
        affinity = getattr(os, "sched_getaffinity", None)  # not on every system
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    @property
    def megabytes(self) -> int:
        """Memory to work with, in MB: `memory`, or what a run takes without it."""
        if self.memory or self._with_torch:
            return self.memory or ELSEWHERE
        return self.worker_memory or default_memory()

    @property
    def _with_torch(self) -> bool:
        return self.device in ("torch", "cuda")

    @property
    def memory_text(self) -> str:
        """The same for a reader, with where it comes from."""
        if self.memory is not None or self._with_torch:
            return f"{self.megabytes:,} MB"
        if self.worker_memory is not None:
            return f"{self.worker_memory:,} MB for each worker"
        return f"half of the machine's memory: {self.megabytes:,} MB"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into `run.json` and the rasters' tags.

        `resume` is left out: it decides nothing of the result. So is `worker_memory`,
        which is the machine's and not asked for.
        """
        values = asdict(self)
        del values["resume"], values["worker_memory"]
        values["min_area"] = str(self.min_area)
        values["creation_options"] = dict(self.creation_options)
        return values
