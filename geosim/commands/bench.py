"""The command `geosim bench`."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.commands.console import bench_table, hush_libraries, shown_progress
from geosim.commands.options import with_change_options
from geosim.commands.refusing import refusing
from geosim.commands.shared import AsJson, Debug, Quiet
from geosim.options import BENCH_RESOLUTION, BENCH_SIZE, ChangeOptions

if TYPE_CHECKING:
    from geosim.bench import BenchRecord

_TAKEN = (
    "method",
    "tile_size",
    "weights",
    "device",
    "precision",
    "threads",
    "memory",
    "block_size",
)
"""Options of `geosim change` that make a difference here."""


@with_change_options(only=_TAKEN)
def bench(
    *,
    size: Annotated[int, typer.Option(help="Side of the pair in pixels.")] = BENCH_SIZE,
    resolution: Annotated[
        float, typer.Option(help="Size of a pixel in metres.")
    ] = BENCH_RESOLUTION,
    options: Callable[[], ChangeOptions],
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure how fast this machine compares a synthetic pair.

    Nothing is left behind. Close other programs for figures that mean something.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        record = _run(options(), size, resolution, quiet=quiet)
        shown = json.dumps(record.to_dict()) if as_json else bench_table(record)
        typer.echo(shown)


def _run(
    options: ChangeOptions, size: int, resolution: float, *, quiet: bool
) -> "BenchRecord":
    """Call the library; progress on stderr."""
    from geosim.bench import measure

    with shown_progress(quiet=quiet) as progress:
        return measure(options, size=size, resolution=resolution, progress=progress)
