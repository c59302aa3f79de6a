"""The options of a training from labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from geosim.errors import OptionError
from geosim.siamese.shipped import VGG16_WEIGHTS


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How `train_model` works. Every field has the default of the command line."""

    steps: int = 300
    """Steps of the first fit at most; early stop may end it sooner."""
    validation: float | str = 0.25
    """Share that is held out (of fewer than 12 pairs an end of each, else whole pairs),
    or a folder of other labelled pairs."""
    refit: bool = True
    """True: a second fit goes on with what was held out too, for a third as many steps
    as served best in the first."""
    swap_dates: bool = False
    """True: half of the crops show date 2 first, for labels that mark what came and
    what went alike."""
    weights: str = VGG16_WEIGHTS
    """What to start from."""
    seed: int = 0
    """Of all chance."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to train."""
    threads: int | None = None
    """Threads; None: all cores."""
    resume: bool = False
    """True: go on from the checkpoint of an interrupted training."""
    keep_checkpoint: bool = False
    """True: the checkpoint stays; `resume` finds blend and threshold anew from it."""
    overwrite: bool = False
    """True: an earlier model of that name is replaced."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, value in (("steps", self.steps), ("threads", self.threads)):
            if value is not None and value < 1:
                raise OptionError(f"--{name} wants at least 1; found {value}")
        if self.seed < 0:
            raise OptionError(f"--seed wants 0 or more; found {self.seed}")
        share = self.validation
        if not isinstance(share, str) and not 0 < share < 1:
            raise OptionError(
                "--validation wants a share between 0 and 1 or a folder; "
                f"found {share:g}"
            )
        if self.device not in ("cpu", "cuda"):
            raise OptionError(f"--device wants cpu or cuda; found '{self.device}'")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into the model card."""
        return asdict(self)
