"""The command `geosim report`."""

from pathlib import Path
from typing import Annotated

import typer

from geosim.commands.refusing import refusing
from geosim.commands.shared import Debug, Quiet
from geosim.errors import OptionError


def report(  # noqa: PLR0913 - the options are the command
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of a result of geosim change; with --pdf alone also of geosim "
            "series.",
        ),
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
    anew = {
        "title": title,
        "author": author,
        "organisation": organisation,
        "logo": logo,
        "assessment": assessment,
    }
    with refusing(debug=debug, interrupted=left):
        if _is_series(folder):
            paths = _print_series(folder, anew, pdf=pdf)
        else:
            from geosim.delivering.remaking import remake_report

            paths = remake_report(folder, **anew, pdf=pdf).paths  # type: ignore[arg-type]
        if not quiet:
            typer.echo(paths["report"])
            if pdf:
                typer.echo(paths["pdf"])


def _is_series(folder: Path) -> bool:
    from geosim.result import RECORD  # slow, and not needed for `geosim --help`
    from geosim.timeline.result import SERIES_RECORD

    return (folder / SERIES_RECORD).is_file() and not (folder / RECORD).is_file()


def _print_series(
    folder: Path, anew: dict[str, str | Path | None], *, pdf: bool
) -> dict[str, Path]:
    """Print the report of a series, which is not made anew."""
    given = [f"--{name}" for name, value in anew.items() if value is not None]
    if given or not pdf:
        what = f"{' and '.join(given)} would make it anew" if given else "no --pdf"
        raise OptionError(
            f"'{folder}' holds a series, whose report can only be printed: give --pdf "
            f"alone; found {what}"
        )
    from geosim.timeline.printing import print_series
    from geosim.timeline.result import open_series

    result = open_series(folder)
    print_series(result)
    return result.paths
