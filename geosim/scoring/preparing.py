"""What a run needs later, made ready in another thread while it begins.

A small pair takes little more than its start: libraries that write the result load
while the network runs, and the network is compiled while the scene is sampled.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from geosim.errors import GeosimError
from geosim.scoring.blocking import cut_grid, plan_blocks
from geosim.scoring.network import prepare_network
from geosim.siamese.keeping import keeping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.options import ChangeOptions
    from geosim.raster.grid import Grid
    from geosim.scoring.scorer import Scorer

_LATER = (
    "geosim.deciding.decision",
    "geosim.deciding.seasons",
    "geosim.delivering.delivery",
    "geosim.delivering.recording",
    "geosim.delivering.notes",
    "geosim.delivering.reporting",
)
"""Modules that are slow to import and needed only once all is scored."""


@contextmanager
def preparing(
    grid: Grid,
    options: ChangeOptions,
    *,
    here: bool,
    planned: tuple[int, int] | None = None,
) -> Iterator[None]:
    """Compile and import while the run goes on; what is made is kept until it ends.

    What fails here fails again where it is needed, and is told there. A run of one
    thread has none to spare, and compiles and imports when it is time.

    Args:
        grid: of the scene.
        options: of the run.
        here: whether blocks are scored in this process.
        planned: width and height of the blocks, where they are known already.
    """
    if options.thread_count == 1:
        with keeping():
            yield
        return
    with keeping(), ThreadPoolExecutor(max_workers=1) as pool:
        if here and options.method == "siamese":
            pool.submit(_compile, grid, options, planned)
        pool.submit(_load)
        yield


def _compile(
    grid: Grid, options: ChangeOptions, planned: tuple[int, int] | None
) -> None:
    """Make the network ready for the blocks of a scene."""

    def shape(scorer: Scorer) -> tuple[int, int]:
        if planned:
            return cut_grid(grid, scorer, planned).outer_shape
        return plan_blocks(grid, scorer, options).outer_shape

    with suppress(GeosimError):
        prepare_network(options, grid.ground_resolution(), shape)


def _load() -> None:
    """Import what writes the result."""
    for name in _LATER:
        import_module(name)
