"""The command `geosim models`."""

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geosim.commands.console import aligned, hush_libraries, shown_progress
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geosim.known_models import KnownModel, KnownWeights
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
            help="Name or path of its weights; without --compare: tell of these alone.",
            show_default="the model's own",
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
    """Tell of the weights and models there are, or how these rank a collection.

    Without --compare: bands, licence, checksum, where they come from.

    With --compare every picture is the query once, the others of its class are right:
    mean average precision, precision and recall among the first k, and a chart.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        if compare is None and (model or out):
            raise OptionError(
                "--model and --out are of a comparison; give --compare and a folder "
                "with a folder of pictures per class too"
            )
        if compare is None:
            _tell_known(weights, as_json=as_json, quiet=quiet)
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


def _tell_known(weights: str | None, *, as_json: bool, quiet: bool) -> None:
    """All weights and models that have a name, or the weights of a file."""
    from geosim.known_models import known_models, known_weights, weights_of_file

    found = known_weights() if weights is None else (weights_of_file(weights),)
    models = known_models() if weights is None else ()
    if as_json:
        told: dict[str, Sequence[Any]] = {"weights": found, "models": models}
        rows = {name: [asdict(one) for one in some] for name, some in told.items()}
        typer.echo(json.dumps(rows))
        return
    if quiet:
        return
    for one in found:
        typer.echo(f"{one.name}\n{indent(aligned(_rows(one)), '  ')}\n")
    if models:
        lines = aligned([(one.name, _in_a_line(one)) for one in models])
        typer.echo(f"models for pictures (--model)\n{indent(lines, '  ')}")


def _rows(one: "KnownWeights") -> list[tuple[str, str]]:
    rows = [
        ("default of", ", ".join(one.default_of)),
        ("bands", ", ".join(one.bands)),
        ("licence", one.licence),
        ("from", one.source),
        ("trained on", one.trained_on),
        ("sha256", one.sha256 or ""),
        ("file", one.file),
        ("here", f"no: {one.lacking}" if one.lacking else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _in_a_line(one: "KnownModel") -> str:
    return "; ".join(text for text in (one.source, one.lacking) if text)


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
