"""The commands `geosim sample` and `geosim assess`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.assessing.options import AssessOptions, SampleOptions, StrataOf
from geosim.assessment.settings import Allocation
from geosim.commands.console import hush_libraries, shown_progress
from geosim.commands.refusing import refusing
from geosim.commands.shared import AsJson, Debug, Overwrite, Quiet
from geosim.errors import OptionError

if TYPE_CHECKING:
    from geosim.assess import Assessment
    from geosim.sample import Sample

DEFAULTS = SampleOptions()
ASSESS_DEFAULTS = AssessOptions()


def sample(  # noqa: PLR0913 - the options are the command
    folder: Annotated[
        Path, typer.Argument(help="Result of geosim change or geosim series.")
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="GeoPackage to write; chips go into a folder beside it.",
            show_default="FOLDER/samples.gpkg",
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Samples.")] = DEFAULTS.n,
    target_se: Annotated[
        float | None,
        typer.Option(
            help="Standard error wanted of the overall accuracy, such as 0.01; tells "
            "how many samples it takes."
        ),
    ] = DEFAULTS.target_se,
    strata: Annotated[
        StrataOf, typer.Option(help="Change and no change, or the classes of change.")
    ] = DEFAULTS.strata,
    allocation: Annotated[
        Allocation,
        typer.Option(
            help="rare: enough for rare strata, the rest by size; equal; proportional "
            "to size; neyman: by size and spread."
        ),
    ] = DEFAULTS.allocation,
    least: Annotated[
        int | None,
        typer.Option(
            help="Samples of a rare stratum.", show_default="50 to 100, by --n"
        ),
    ] = DEFAULTS.least,
    buffer: Annotated[
        int,
        typer.Option(
            help="Pixels around changes that are a stratum of their own.", metavar="PX"
        ),
    ] = DEFAULTS.buffer,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            help="User's accuracy expected of a stratum, for --target-se and neyman; "
            "repeatable.",
            metavar="STRATUM=0..1",
            show_default="change 0.7, others 0.95",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = DEFAULTS.seed,
    no_chips: Annotated[
        bool, typer.Option("--no-chips", help="No pictures of the places.")
    ] = not DEFAULTS.chips,
    overwrite: Overwrite = DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw reference points for a change map, for someone to answer.

    A stratified random sample (Olofsson et al. 2014) as a GeoPackage: QGIS asks for the
    column 'reference' from a list, with a picture of the place on both dates. Then run
    geosim assess.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        options = SampleOptions(
            n=n,
            strata=strata,
            allocation=allocation,
            least=least,
            buffer=buffer,
            target_se=target_se,
            expected=tuple(_expected(text) for text in expect or []),
            seed=seed,
            chips=not no_chips,
            overwrite=overwrite,
        )
        from geosim.sample import draw_sample

        with shown_progress(quiet=quiet) as progress:
            drawn = draw_sample(folder, out, options, progress=progress)
        if as_json:
            typer.echo(json.dumps(drawn.to_dict()))
        elif not quiet:
            _tell_sample(drawn)


def _expected(text: str) -> tuple[str, float]:
    """A stratum and an accuracy.

    Raises:
        OptionError: the text is no such thing.
    """
    name, sign, value = text.partition("=")
    try:
        return name.strip(), float(value if sign else "")
    except ValueError as error:
        raise OptionError(
            f"--expect wants STRATUM=ACCURACY, such as changed=0.7; found '{text}'"
        ) from error


def _tell_sample(drawn: "Sample") -> None:
    for note in drawn.notes:
        typer.echo(f"note: {note}", err=True)
    table = drawn.to_dict()["strata"]
    width = max(len(row["stratum"]) for row in table)
    total = sum(row["pixels"] for row in table)
    typer.echo(f"{'stratum':<{width}}  {'samples':>7}  {'pixels':>13}  {'share':>8}")
    for row in table:
        share = 100 * row["pixels"] / total
        typer.echo(
            f"{row['stratum']:<{width}}  {row['samples']:>7}  {row['pixels']:>13,}  "
            f"{share:>6.2f} %"
        )
    typer.echo(f"samples: {drawn.path}")
    if drawn.chips:
        typer.echo(f"chips:   {drawn.chips}")
    typer.echo(
        "next: open the file in QGIS, answer 'reference' for every sample, then run\n"
        f"      geosim assess {drawn.path}"
    )


def assess(  # noqa: PLR0913 - the options are the command
    samples: Annotated[
        Path, typer.Argument(help="GeoPackage of geosim sample, with answers.")
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="assessment_NAME"
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="File with the answers, such as AcATaMa's: columns id and reference "
            "or label.",
            show_default="those in SAMPLES",
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave out samples without an answer.")
    ] = ASSESS_DEFAULTS.partial,
    overwrite: Overwrite = ASSESS_DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Tell how accurate a change map is, and the true areas with their error.

    Error matrix in shares of the area, overall, user's and producer's accuracy with
    standard errors, and areas with 95 % intervals, as JSON, CSV and a page.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        from geosim.assess import assess_sample

        options = AssessOptions(
            partial=partial,
            answers=str(answers) if answers else None,
            overwrite=overwrite,
        )
        found = assess_sample(samples, out, options)
        if as_json:
            typer.echo(json.dumps(found.to_dict()))
        elif not quiet:
            _tell_assessment(found)


def _tell_assessment(found: "Assessment") -> None:
    from geosim.assessing.files import summary_lines

    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo("\n".join(summary_lines(found)))
    typer.echo(f"folder: {found.folder}")
