"""The options of comparing pictures: one frozen record, the only home of defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from geosim.errors import OptionError
from geosim.images.names import MODEL_NAMES, Align, ModelName

_LEAST_SIDE = 64
_MOST_NUISANCE = 3.0


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How `compare_images` works. Every field has the default of the command line."""

    model: ModelName = "siamese"
    """What compares the pictures."""
    weights: str | None = None
    """Of the model: a name or a path; None: geosim-vgg16-1, or ImageNet's."""
    align: Align = "register"
    """How the second picture is brought into the frame of the first."""
    side: int = 1024
    """Longest side in pixels at which pictures are compared; larger are reduced."""
    threads: int | None = None
    """Threads; None: all cores."""
    overwrite: bool = False
    """True: an earlier result in the folder is replaced."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        if self.model not in MODEL_NAMES:
            raise OptionError(
                f"--model wants one of {', '.join(MODEL_NAMES)}; found '{self.model}'"
            )
        if self.align not in get_args(Align):
            raise OptionError(
                f"--align wants one of {', '.join(get_args(Align))}; "
                f"found '{self.align}'"
            )
        if self.side < _LEAST_SIDE:
            raise OptionError(
                f"--side wants at least {_LEAST_SIDE} px; found {self.side}"
            )
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"--threads wants at least 1; found {self.threads}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into the record."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SynthOptions:
    """How `make_pairs` works. Every field has the default of the command line."""

    count: int = 100
    """Pairs to make."""
    least: float = 0.0
    """Smallest similarity of a pair, 0..1."""
    most: float = 1.0
    """Largest similarity; those in between come alike often."""
    size: int = 256
    """Side of the pictures in pixels."""
    nuisance: float = 1.0
    """How much light, blur and grain differ; 0: not at all, 1: as usual."""
    seed: int = 0
    """Of all chance."""
    overwrite: bool = False
    """True: earlier pairs in the folder are replaced."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        if self.count < 1:
            raise OptionError(f"--count wants at least 1; found {self.count}")
        if not 0 <= self.least <= self.most <= 1:
            raise OptionError(
                "--similarity wants a number from 0 to 1 or two such as 0.2-0.9; "
                f"found {self.least:g}-{self.most:g}"
            )
        if self.size < _LEAST_SIDE:
            raise OptionError(
                f"--size wants at least {_LEAST_SIDE} px; found {self.size}"
            )
        if not 0 <= self.nuisance <= _MOST_NUISANCE:
            raise OptionError(
                f"--nuisance wants 0 to {_MOST_NUISANCE:g}; found {self.nuisance:g}"
            )
        if self.seed < 0:
            raise OptionError(f"--seed wants 0 or more; found {self.seed}")
