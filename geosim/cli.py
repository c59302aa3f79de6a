"""The command line: parse, one call, message, exit code.

Nothing heavy is imported before a command runs: `geosim --help` answers at once.
"""

import gc
import inspect
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

import geosim
import geosim.machine.blas  # before numpy is imported
from geosim.cluster_options import ClusterOptions
from geosim.commands.assess import assess, sample
from geosim.commands.batch import WorkersOption, batch
from geosim.commands.bench import bench
from geosim.commands.compare import compare
from geosim.commands.console import (
    ProgressStyle,
    decisions,
    hush_libraries,
    show_progress_as,
    shown_progress,
    summary,
)
from geosim.commands.evaluate import evaluate
from geosim.commands.extras import Extras, Ogr, OgrLayer, Pdf
from geosim.commands.models import models
from geosim.commands.options import with_change_options
from geosim.commands.refusing import refusing
from geosim.commands.report import report
from geosim.commands.retrieval import index, pairs, search
from geosim.commands.series import series
from geosim.commands.serve import serve
from geosim.commands.shared import AsJson, Debug, Quiet
from geosim.commands.synth import synth
from geosim.commands.train import train
from geosim.machine.heap import keep_memory
from geosim.options import ChangeOptions
from geosim.siamese.weights import reading_weights

if TYPE_CHECKING:
    from geosim.result import ChangeResult

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own choice is 700 to 10,000, by version."""

_SECONDS_BETWEEN_THREADS = 0.0005
"""Python's own choice is 0.005."""

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
    progress: Annotated[
        ProgressStyle,
        typer.Option(
            envvar="GEOSIM_PROGRESS",
            help="Of any command, on stderr: a bar, lines for another program, none; "
            "auto: a bar on a terminal.",
        ),
    ] = "auto",
) -> None:
    """Find what changed between two georeferenced images of one place."""
    del version
    show_progress_as(progress)


@with_change_options()
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
    options: Callable[[], ChangeOptions],
    ogr: Ogr = None,
    ogr_layer: OgrLayer = None,
    pdf: Pdf = False,
    workers: WorkersOption = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Score blocks on a running Dask cluster, or 'local': on workers of "
            "this machine.",
            metavar="ADDRESS|local",
            show_default="in this process",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell each decision.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Find what changed between BEFORE and AFTER.

    Writes a folder with the change mask, polygons, difference maps, tile scores and a
    report; QGIS opens every file styled.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        cluster = None
        if workers is not None or scheduler is not None:
            cluster = ClusterOptions(scheduler=scheduler, workers=workers)
        wanted = options()
        extras = Extras(ogr=ogr, named=ogr_layer, pdf=pdf, replace=wanted.overwrite)
        extras.check()
        result = _run(before, after, out, wanted, cluster, quiet=quiet)
        extras.deliver(result, lambda: _print_report(result))
        _tell(result, as_json=as_json, quiet=quiet, verbose=verbose)


def _print_report(result: "ChangeResult") -> None:
    from geosim.delivering.remaking import print_report

    print_report(result)


def _run(
    before: str,
    after: str,
    out: str | None,
    options: ChangeOptions,
    cluster: ClusterOptions | None,
    *,
    quiet: bool,
) -> "ChangeResult":
    """Call the library with a progress bar on stderr."""
    keep_memory()
    with ExitStack() as stack:
        if options.method == "siamese":
            stack.enter_context(reading_weights(options.weights))
        from geosim.pipeline import detect_change  # slow: the weights come meanwhile

        progress = stack.enter_context(shown_progress(quiet=quiet))
        return detect_change(
            before, after, out, options, cluster=cluster, progress=progress
        )


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


def _add(command: Callable[..., None]) -> None:
    """Add a command whose help is its docstring, a paragraph in one line.

    The terminal breaks lines; those of the source would stay where they are.
    """
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    told = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    app.command(help=told)(command)


for _command in (
    *(change, series, batch, bench, compare, synth, report, serve, train, index),
    *(search, pairs, models, sample, assess, evaluate),
):
    _add(_command)


def main() -> None:
    """Entry point of the command `geosim`."""
    # imports make many objects and hardly any garbage: looking for it took a tenth of a
    # small pair's time
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # a thread that computes takes the interpreter for a moment, again and again: it
    # waited most of the time for one that imports meanwhile
    sys.setswitchinterval(_SECONDS_BETWEEN_THREADS)
    try:
        app()
    finally:
        gc.freeze()  # nor is there any use in looking once more when the process ends
