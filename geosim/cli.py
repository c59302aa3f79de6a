"""The command line: parse, one call, message, exit code.

Nothing heavy is imported before a command runs: `geosim --help` answers at once.
"""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

import geosim
from geosim.cli_train import train
from geosim.console import decisions, hush_libraries, progress_bar, summary
from geosim.errors import OptionError
from geosim.options import DEFAULT_TILE, ChangeOptions, Method, MinArea, parse_threads
from geosim.raster.radiometry import Normalization
from geosim.refusing import refusing
from geosim.siamese.engine import Device, Precision

if TYPE_CHECKING:
    from geosim.result import ChangeResult

DEFAULTS = ChangeOptions()

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        typer.echo(f"geosim {geosim.__version__}")
        raise typer.Exit


@app.callback()
def geosim_command(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version."),
    ] = False,
) -> None:
    """Find what changed between two georeferenced images of one place."""
    del version


@app.command()
def change(  # noqa: PLR0913 - the options are the command
    before: Annotated[
        str, typer.Argument(help="Date 1: a raster, any name that GDAL opens.")
    ],
    after: Annotated[str, typer.Argument(help="Date 2.")],
    *,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the result.",
            show_default="change_BEFORE_AFTER",
        ),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(help="The network, or a reference: SSIM, CVA, IR-MAD."),
    ] = DEFAULTS.method,
    bands: Annotated[
        str | None,
        typer.Option(
            "--bands",
            "-b",
            help="Numbers or names joined by commas, or 'all'.",
            show_default="red, green, blue where named, else the first three",
        ),
    ] = DEFAULTS.bands,
    tile_size: Annotated[
        int | None,
        typer.Option(
            help="Side of a scoring tile in pixels.", show_default=str(DEFAULT_TILE)
        ),
    ] = DEFAULTS.tile_size,
    threshold: Annotated[
        str, typer.Option(help="auto, otsu, kapur or a probability 0..1.")
    ] = str(DEFAULTS.threshold),
    min_area: Annotated[
        str,
        typer.Option(help="Smallest object kept: '500' or '500m2' (m2), '50px'."),
    ] = str(DEFAULTS.min_area),
    normalize: Annotated[
        Normalization, typer.Option(help="How date 2's light is matched to date 1's.")
    ] = DEFAULTS.normalize,
    coregister: Annotated[
        bool, typer.Option("--coregister", help="Take out the shift that is found.")
    ] = DEFAULTS.coregister,
    grid: Annotated[
        str, typer.Option(help="Whose pixels: before, after or a third raster.")
    ] = DEFAULTS.grid,
    resolution: Annotated[
        float | None, typer.Option(help="Another pixel size, in the CRS's units.")
    ] = DEFAULTS.resolution,
    bounds: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(
            help="Cut to LEFT BOTTOM RIGHT TOP, in the grid's CRS.",
            metavar="LEFT BOTTOM RIGHT TOP",
        ),
    ] = DEFAULTS.bounds,
    date_before: Annotated[
        str | None,
        typer.Option(
            help="ISO date of date 1.", show_default="from its name or its tags"
        ),
    ] = DEFAULTS.date_before,
    date_after: Annotated[
        str | None,
        typer.Option(
            help="ISO date of date 2.", show_default="from its name or its tags"
        ),
    ] = DEFAULTS.date_after,
    weights: Annotated[
        str, typer.Option(help="Name or path of the network's weights.")
    ] = DEFAULTS.weights,
    device: Annotated[
        Device, typer.Option(help="cuda and torch need the extra 'torch'.")
    ] = DEFAULTS.device,
    precision: Annotated[
        Precision, typer.Option(help="Of the network; auto: int8 where it can.")
    ] = DEFAULTS.precision,
    threads: Annotated[
        str, typer.Option(help="A number, or 'all'.", metavar="N|all")
    ] = "all",
    memory: Annotated[int, typer.Option(help="MB to work with.")] = DEFAULTS.memory,
    block_size: Annotated[
        int | None,
        typer.Option(
            help="Side of a block in pixels.", show_default="as memory allows"
        ),
    ] = DEFAULTS.block_size,
    co: Annotated[
        list[str] | None,
        typer.Option("--co", help="GDAL creation option, repeatable.", metavar="K=V"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result.")
    ] = DEFAULTS.overwrite,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = DEFAULTS.resume,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's record as JSON.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell each decision.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Find what changed between BEFORE and AFTER.

    Writes a folder with the change mask, polygons, difference maps, tile scores and a
    report; QGIS opens every file styled.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        options = ChangeOptions(
            method=method,
            bands=bands,
            tile_size=tile_size,
            threshold=parse_threshold(threshold),
            min_area=MinArea.parse(min_area),
            normalize=normalize,
            coregister=coregister,
            grid=grid,
            resolution=resolution,
            bounds=bounds,
            date_before=date_before,
            date_after=date_after,
            weights=weights,
            device=device,
            precision=precision,
            threads=parse_threads(threads),
            memory=memory,
            block_size=block_size,
            creation_options=parse_creation_options(co or []),
            overwrite=overwrite,
            resume=resume,
        )
        result = _run(before, after, out, options, quiet=quiet)
        _tell(result, as_json=as_json, quiet=quiet, verbose=verbose)


def parse_threshold(text: str) -> Any:  # noqa: ANN401 - a rule's name or a number
    """A rule's name as it is, anything else as a number."""
    try:
        return float(text)
    except ValueError:
        return text


def parse_creation_options(items: list[str]) -> tuple[tuple[str, str], ...]:
    """KEY=VALUE texts as pairs.

    Raises:
        OptionError: one without "=".
    """
    for item in items:
        if "=" not in item:
            raise OptionError(f"--co wants KEY=VALUE; found '{item}'")
    pairs = (item.split("=", 1) for item in items)
    return tuple((key.upper(), value) for key, value in pairs)


def _run(
    before: str, after: str, out: str | None, options: ChangeOptions, *, quiet: bool
) -> "ChangeResult":
    """Call the library with a progress bar on stderr."""
    from geosim.pipeline import detect_change

    if quiet or not sys.stderr.isatty():
        return detect_change(before, after, out, options)
    with progress_bar() as progress:
        return detect_change(before, after, out, options, progress=progress)


def _tell(result: "ChangeResult", *, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Results on stdout, remarks on stderr."""
    if as_json:
        typer.echo(json.dumps(result.record.to_dict() | {"folder": str(result.folder)}))
        return
    if quiet:
        return
    if verbose:
        for line in decisions(result):
            typer.echo(line, err=True)
    for role, source in (
        ("before", result.record.before),
        ("after", result.record.after),
    ):
        if source.warped and not verbose:
            typer.echo(f"{role}: {source.placement}", err=True)
    for note in result.record.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(summary(result))


app.command()(train)


def main() -> None:
    """Entry point of the command `geosim`."""
    app()
