"""The options of indexes and searches: frozen records, the only home of defaults."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal, get_args

from geosim.errors import OptionError
from geosim.images.names import MODEL_NAMES, ModelName

_LEAST_TILE = 32
"""Two cells of the network's coarsest features."""


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """How `build_index` works. Every field has the default of the command line."""

    model: ModelName = "siamese"
    """Name of the model that makes the embeddings."""
    weights: str | None = None
    """Name or path of its weights; None: the model's own."""
    every: float | None = None
    """Of a video: a frame each so many seconds, 0: each frame; None: 1 second, unless
    `scenes` is set."""
    scenes: float | None = None
    """Of a video: a frame where the picture differs from the last one taken by this
    much on average, 0..1; 0.1 finds cuts and slow pans."""
    tile_size: int = 256
    """Of a raster: side of a tile in pixels, 32 or more."""
    overlap: int = 0
    """Of a raster: pixels that neighbouring tiles share."""
    bands: str | None = None
    """Of a raster: as `ChangeOptions.bands`; the first three are seen."""
    threads: int | None = None
    """Threads; None: all cores."""
    rebuild: bool = False
    """True: an index that is there already is made anew; else what is new is added."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        if self.model not in MODEL_NAMES:
            raise OptionError(
                f"--model wants one of {', '.join(MODEL_NAMES)}; found '{self.model}'"
            )
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"--threads wants at least 1; found {self.threads}")
        if self.every is not None and self.scenes is not None:
            raise OptionError("--every and --scenes exclude each other; leave one out")
        if self.every is not None and not 0 <= self.every < math.inf:
            raise OptionError(f"--every wants 0 seconds or more; found {self.every:g}")
        if self.scenes is not None and not 0 < self.scenes < 1:
            raise OptionError(
                f"--scenes wants a difference between 0 and 1; found {self.scenes:g}"
            )
        if self.tile_size < _LEAST_TILE:
            raise OptionError(
                f"--tile-size wants at least {_LEAST_TILE} pixels; "
                f"found {self.tile_size}"
            )
        if not 0 <= self.overlap < self.tile_size:
            raise OptionError(
                f"--overlap wants 0 to {self.tile_size - 1} pixels, less than a tile; "
                f"found {self.overlap}"
            )

    @property
    def thread_count(self) -> int:
        """Threads to use: `threads`, or the machine's cores."""
        return self.threads or os.cpu_count() or 1


Ranking = Literal["similarity", "class"]
"""By cosine similarity, or by diffusion of it among the most similar pictures."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How `search_index` works. Every field has the default of the command line."""

    count: int = 20
    """Pictures to find."""
    rank: Ranking = "similarity"
    """"similarity": by cosine similarity, for likeness and near duplicates; "class":
    by diffusion among the 1000 most similar, for more of the query's kind."""
    check: int = 0
    """Of the first so many, the first one that shows the same thing as the query by
    matched features comes to the front; 0: no check. About a second for each."""
    window: tuple[int, int, int, int] | None = None
    """(col_off, row_off, width, height) of the query, which is then read as a raster;
    None: all of it."""
    exact: bool = False
    """True: all pictures are looked at, also where the index has a graph."""
    overwrite: bool = False
    """True: an earlier result in the output folder is replaced."""
    threads: int | None = None
    """Threads; None: all cores."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, value in (("count", self.count), ("threads", self.threads)):
            if value is not None and value < 1:
                raise OptionError(f"--{name} wants at least 1; found {value}")
        if self.check < 0:
            raise OptionError(f"--check wants 0 pictures or more; found {self.check}")
        if self.rank not in get_args(Ranking):
            raise OptionError(
                f"--rank wants {' or '.join(get_args(Ranking))}; found '{self.rank}'"
            )


DEFAULT_PAIR_SIMILARITY = 0.9
"""Cosine similarity from which two pictures count as near duplicates."""

MOST_PAIRS = 10_000
"""Pairs that `find_pairs` keeps at most, the most similar ones."""
