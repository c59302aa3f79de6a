"""The command `geosim report`."""

from pathlib import Path
from typing import Annotated

import typer

from geosim.commands.refusing import refusing
from geosim.commands.shared import Debug, Quiet


def report(  # noqa: PLR0913 - the options are the command
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of a result of geosim change."),
    ],
    *,
    title: Annotated[
        str | None, typer.Option(help="Title.", show_default="as it was")
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(help="Who answers for it.", show_default="as it was"),
    ] = None,
    organisation: Annotated[
        str | None,
        typer.Option(help="For whom the author works.", show_default="as it was"),
    ] = None,
    logo: Annotated[
        Path | None,
        typer.Option(help="PNG, JPEG or SVG, at most 1 MB.", show_default="as it was"),
    ] = None,
    assessment: Annotated[
        Path | None,
        typer.Option(
            help="Folder that geosim assess wrote: areas with their error.",
            show_default="as it was",
        ),
    ] = None,
    pdf: Annotated[
        bool,
        typer.Option("--pdf", help="Print it to report.pdf, by an installed Chromium."),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make the report of a result anew: with a title, an assessment, as a PDF."""
    left = "interrupted: the report is as it was"
    with refusing(debug=debug, interrupted=left):
        from geosim.delivering.remaking import remake_report

        result = remake_report(
            folder,
            title=title,
            author=author,
            organisation=organisation,
            logo=logo,
            assessment=assessment,
            pdf=pdf,
        )
        if not quiet:
            typer.echo(result.paths["report"])
            if pdf:
                typer.echo(result.paths["pdf"])
