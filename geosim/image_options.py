"""The options of comparing pictures: one frozen record, the only home of defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from geosim.errors import OptionError
from geosim.images.names import MODEL_NAMES, Align, ModelName

_LEAST_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How `compare_images` works. Every field has the default of the command line."""

    model: ModelName = "siamese"
    """What compares the pictures."""
    weights: str | None = None
    """Of the model: a name or a path; None: the default ones."""
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
