"""The command `geosim bench`."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.cli_options import with_change_options
from geosim.console import bench_table, hush_libraries, progress_bar
from geosim.options import BENCH_RESOLUTION, BENCH_SIZE, ChangeOptions
from geosim.refusing import refusing

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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
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

    if quiet or not sys.stderr.isatty():
        return measure(options, size=size, resolution=resolution)
    with progress_bar() as progress:
        return measure(options, size=size, resolution=resolution, progress=progress)
