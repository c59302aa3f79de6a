"""The command `geosim models`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.commands.console import hush_libraries, shown_progress
from geosim.commands.refusing import one_line, refusing
from geosim.commands.shared import (
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Threads,
    parse_threads,
)
from geosim.errors import OptionError
from geosim.images.names import MODEL_NAMES

if TYPE_CHECKING:
    from geosim.ranking import ModelComparison


def models(  # noqa: PLR0913 - the options are the command
    *,
    compare: Annotated[
        Path | None,
        typer.Option(help="A folder with a folder of pictures per class."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable.", show_default="all that can be opened"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Name or path of its weights.", show_default="the model's own"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="models_FOLDER"
        ),
    ] = None,
    threads: Threads = "all",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Name the models, or measure how they rank a labelled collection.

    With --compare every picture is the query once, the others of its class are right:
    mean average precision, precision and recall among the first k, and a chart.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        if compare is None and (model or weights or out):
            raise OptionError(
                "--model, --weights and --out are of a comparison; give --compare and "
                "a folder with a folder of pictures per class too"
            )
        if compare is None:
            typer.echo(json.dumps(MODEL_NAMES) if as_json else "\n".join(MODEL_NAMES))
            return
        from geosim.ranking import rank_models

        with shown_progress(quiet=quiet) as progress:
            found = rank_models(
                compare,
                model,
                weights=weights,
                out=out or Path(f"models_{compare.absolute().name}"),
                overwrite=overwrite,
                threads=parse_threads(threads),
                progress=progress,
            )
        _tell_models(found, as_json=as_json, quiet=quiet)


def _tell_models(found: "ModelComparison", *, as_json: bool, quiet: bool) -> None:
    """The table of all models."""
    from geosim.ranking import table

    rows = table(found)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if quiet:
        return
    for name, reason in found.left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    for name, reason in found.skipped.items():
        typer.echo(f"skipped: {one_line(f'{name}: {reason}')}", err=True)
    names = list(rows[0])
    widths = [max(len(name), 12 if name == "model" else 6) for name in names]
    typer.echo("  ".join(f"{n:>{w}}" for n, w in zip(names, widths, strict=True)))
    for row in rows:
        cells = zip(row.values(), widths, strict=True)
        typer.echo("  ".join(f"{value!s:>{width}}" for value, width in cells))
    typer.echo(
        f"{found.folder}: {found.pictures:,} pictures, {len(found.classes)} classes"
    )
