"""Options of samples, assessments and evaluations: the only home of their defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from geosim.assessment.settings import LEAST, TOLERANCE, Allocation
from geosim.errors import OptionError
from geosim.options import Method
from geosim.themes.classes import CHANGED_CLASS, CLASSES

StrataOf = Literal["change", "class"]
"""What the strata of a sample are: change and no change, or the classes of change."""

CHANGED, BUFFER = CHANGED_CLASS, "buffer"
"""Names of strata beside `NO_CHANGE`; a buffer is mapped as no change."""

CHANGE_CLASSES = tuple(CLASSES)
"""Classes of change, in the order of every table; `changed`: of a class that the map
does not tell."""

EXPECTED_CHANGE, EXPECTED_SAME = 0.7, 0.95
"""User's accuracies expected of change and of no change, where none are given; of the
order of those in the example of Olofsson et al. (2014)."""


_LEAST_SAMPLES = 100
"""Bootstrap samples without which an interval means nothing."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How `draw_sample` works. Every field has the default of the command line."""

    n: int = 300
    """Samples; `target_se` takes its place."""
    strata: StrataOf = "change"
    """What the strata are."""
    allocation: Allocation = "rare"
    """How the samples are spread over the strata."""
    least: int | None = None
    """Samples of a rare stratum; None: 50 to 100, by the number of samples."""
    buffer: int = 0
    """Pixels around changes that are a stratum of their own; 0: none."""
    target_se: float | None = None
    """Standard error of the overall accuracy that decides how many samples to draw."""
    expected: tuple[tuple[str, float], ...] = ()
    """(stratum, user's accuracy 0..1) expected, for `target_se` and `neyman`."""
    seed: int = 0
    """Of all chance."""
    chips: bool = True
    """True: pictures of each sample's place are written."""
    overwrite: bool = False
    """True: an earlier sample without answers is replaced."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, kind in (("strata", StrataOf), ("allocation", Allocation)):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(
                    f"--{name} wants one of {', '.join(get_args(kind))}; found "
                    f"'{getattr(self, name)}'"
                )
        limits = (
            ("n", self.n, 2 * LEAST),
            ("least", self.least, LEAST),
            ("buffer", self.buffer, 0),
            ("seed", self.seed, 0),
        )
        for name, value, least in limits:
            if value is not None and value < least:
                raise OptionError(f"--{name} wants at least {least}; found {value}")
        if self.target_se is not None and not 0 < self.target_se < 1:
            raise OptionError(
                "--target-se wants a standard error between 0 and 1, such as 0.01; "
                f"found {self.target_se:g}"
            )
        for name, accuracy in self.expected:
            if not 0 < accuracy < 1:
                raise OptionError(
                    f"--expect wants an accuracy between 0 and 1; found {accuracy:g} "
                    f"for '{name}'"
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into the sample's file."""
        values = asdict(self)
        values["expected"] = dict(self.expected)
        return values


@dataclass(frozen=True, kw_only=True)
class AssessOptions:
    """How `assess_sample` works. Every field has the default of the command line."""

    partial: bool = False
    """True: samples without an answer are left out, as missing at random in their
    stratum."""
    answers: str | None = None
    """File with the answers, such as AcATaMa's, where they are not in the sample's."""
    overwrite: bool = False
    """True: an earlier result in the folder is replaced."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How `evaluate` works. Every field has the default of the command line."""

    methods: tuple[Method, ...] = ("siamese",)
    """Methods of `geosim change` that are run on each pair."""
    maps: tuple[tuple[str, str], ...] = ()
    """(name, folder) of maps that others made, a file or result for each pair."""
    maps_threshold: float = 0.5
    """Probability from which a pixel of such a map counts as changed."""
    labels: str | None = None
    """Labels of a finished result: a raster or polygons."""
    tolerance: float = TOLERANCE
    """Pixels that a boundary may lie beside the true one."""
    samples: int = 1000
    """Samples of the bootstrap over blocks of pixels."""
    overwrite: bool = False
    """True: an earlier result in the folder is replaced."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        unknown = [name for name in self.methods if name not in get_args(Method)]
        if unknown:
            raise OptionError(
                f"--method wants some of {', '.join(get_args(Method))}, joined by "
                f"commas; found '{unknown[0]}'"
            )
        names = [*self.methods, *(name for name, _ in self.maps)]
        if len(set(names)) < len(names):
            raise OptionError(
                f"each method and map wants a name of its own; found {', '.join(names)}"
            )
        if not names:
            raise OptionError("--method or --maps is wanted; found neither")
        if not 0 < self.maps_threshold <= 1:
            raise OptionError(
                "--maps-threshold wants a probability above 0 and up to 1; found "
                f"{self.maps_threshold:g}"
            )
        if self.tolerance < 0:
            raise OptionError(
                f"--tolerance wants 0 px or more; found {self.tolerance:g}"
            )
        if self.samples < _LEAST_SAMPLES:
            raise OptionError(
                f"--bootstrap wants at least {_LEAST_SAMPLES} samples; found "
                f"{self.samples}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into the record."""
        return asdict(self) | {"maps": dict(self.maps)}
