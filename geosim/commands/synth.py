"""The command `geosim synth`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.commands.console import hush_libraries, shown_progress
from geosim.commands.refusing import one_line, refusing
from geosim.commands.shared import AsJson, Debug, Overwrite, Quiet
from geosim.errors import OptionError
from geosim.image_options import SynthOptions

if TYPE_CHECKING:
    from geosim.synth import MadePairs

DEFAULTS = SynthOptions()


def synth(  # noqa: PLR0913 - the options are the command
    pictures: Annotated[
        Path, typer.Argument(help="Folder of pictures to make pairs of.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path(
        "synthetic_pairs"
    ),
    count: Annotated[int, typer.Option(help="Pairs to make.")] = DEFAULTS.count,
    similarity: Annotated[
        str,
        typer.Option(
            help="Share of a picture that stays: one number or a range.",
            metavar="S|S-S",
        ),
    ] = f"{DEFAULTS.least:g}-{DEFAULTS.most:g}",
    size: Annotated[
        int, typer.Option(help="Side of the pictures in pixels.")
    ] = DEFAULTS.size,
    nuisance: Annotated[
        float,
        typer.Option(help="How much light, blur and grain differ: 0 not, 1 usual."),
    ] = DEFAULTS.nuisance,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = DEFAULTS.seed,
    overwrite: Overwrite = DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make pairs of pictures that are alike to a chosen degree, with their truth.

    Writes A/, B/ and label/, which `geosim train` takes as they are, and pairs.csv with
    the similarity of each pair.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        least, most = parse_range(similarity)
        options = SynthOptions(
            count=count,
            least=least,
            most=most,
            size=size,
            nuisance=nuisance,
            seed=seed,
            overwrite=overwrite,
        )
        made = _run(pictures, out, options, quiet=quiet)
        for line in () if quiet else made.skipped:
            typer.echo(f"skipped: {one_line(line)}", err=True)
        if as_json:
            typer.echo(
                json.dumps(
                    {"folder": str(made.folder), "similarities": made.similarities}
                )
            )
        elif not quiet:
            typer.echo(f"{len(made.similarities)} pairs in {made.folder}")


def parse_range(text: str) -> tuple[float, float]:
    """Read "0.5" or "0.2-0.9" as the least and the largest.

    Raises:
        OptionError: neither.
    """
    parts = text.split("-")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise OptionError(
            "--similarity wants a number from 0 to 1 or two such as 0.2-0.9; "
            f"found '{text}'"
        )
    return numbers[0], numbers[-1]


def _run(
    pictures: Path, out: Path, options: SynthOptions, *, quiet: bool
) -> "MadePairs":
    """Call the library with a progress bar on stderr."""
    from geosim.synth import make_pairs

    with shown_progress(quiet=quiet) as progress:
        return make_pairs(pictures, out, options, progress=progress)
