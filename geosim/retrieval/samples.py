"""What is embedded: pictures on their way from a source into the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geosim.retrieval.records import Entry


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture, read."""

    entry: Entry
    """What it is."""
    pixels: NDArray[np.float32]
    """(3, height, width) in 0..1, reduced where it is large."""


LONGEST_SIDE = 512
"""Pictures are read no larger than this: the network looks at 256 x 256 pixels."""
