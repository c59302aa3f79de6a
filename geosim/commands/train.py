"""The command `geosim train`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geosim.commands.console import hush_libraries, shown_progress, training_summary
from geosim.commands.refusing import refusing
from geosim.commands.shared import (
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Threads,
    parse_threads,
)
from geosim.commands.train_pairs import (
    DistanceOption,
    MarginOption,
    is_table,
    train_table,
)
from geosim.train_options import TrainOptions

if TYPE_CHECKING:
    from geosim.training.model_files import TrainResult

DEFAULTS = TrainOptions()


Folder = Annotated[
    Path,
    typer.Argument(
        help="Labelled pairs: A/ (date 1), B/ (date 2), label/ (0 same, 1 or 255 "
        "changed); files of the same names. Or a CSV file: first, second, similar."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="The weights file; its card and curves go beside it.",
        show_default="model.safetensors",
    ),
]
Steps = Annotated[int, typer.Option(help="Steps of the first fit at most.")]
Validation = Annotated[
    str,
    typer.Option(
        help="Share to hold out, or a folder of other pairs.", metavar="SHARE|FOLDER"
    ),
]
Refit = Annotated[
    bool,
    typer.Option(help="Go on with what was held out as well, a third as long."),
]
SwapDates = Annotated[
    bool,
    typer.Option(
        "--swap-dates",
        help="Learn from swapped dates too: labels of what came and what went.",
    ),
]
Start = Annotated[str, typer.Option(help="Name or path of the weights to start from.")]
Seed = Annotated[int, typer.Option(help="Of all chance.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to train.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted training.")
]
KeepCheckpoint = Annotated[
    bool,
    typer.Option(
        "--keep-checkpoint",
        help="Leave the checkpoint: --resume --overwrite then finds blend and "
        "threshold anew.",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell each look at held-out pairs.")
]


def train(  # noqa: PLR0913 - the options are the command
    folder: Folder,
    *,
    out: Out = None,
    steps: Steps = DEFAULTS.steps,
    validation: Validation = str(DEFAULTS.validation),
    refit: Refit = DEFAULTS.refit,
    swap_dates: SwapDates = DEFAULTS.swap_dates,
    distance: DistanceOption = "cosine",
    margin: MarginOption = None,
    weights: Start = DEFAULTS.weights,
    seed: Seed = DEFAULTS.seed,
    device: Device = DEFAULTS.device,
    threads: Threads = "all",
    resume: Resume = DEFAULTS.resume,
    keep_checkpoint: KeepCheckpoint = DEFAULTS.keep_checkpoint,
    overwrite: Overwrite = DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Train a model of one's own on the labelled pairs of FOLDER.

    FOLDER may be a CSV file of similar and dissimilar pictures: then the embedding is
    trained that `geosim compare` and the search use.

    Starts from the whole VGG16 that geosim comes with; `geosim change --weights` takes
    the result. Needs the extra 'torch'.
    """
    if not debug:
        hush_libraries()
    left = "interrupted: no model was written; --resume goes on where it stood"
    with refusing(debug=debug, interrupted=left):
        options = TrainOptions(
            steps=steps,
            validation=parse_validation(validation),
            refit=refit,
            swap_dates=swap_dates,
            weights=weights,
            seed=seed,
            device=device,
            threads=parse_threads(threads),
            resume=resume,
            keep_checkpoint=keep_checkpoint,
            overwrite=overwrite,
        )
        if is_table(folder):
            train_table(
                folder,
                out,
                options,
                distance=distance,
                margin=margin,
                as_json=as_json,
                quiet=quiet,
                verbose=verbose,
            )
            return
        result = _run(folder, out, options, quiet=quiet, verbose=verbose)
        if result.record.doubt and not quiet:
            typer.echo(f"note: {result.record.doubt}", err=True)
        if as_json:
            typer.echo(
                json.dumps(result.record.to_dict() | {"weights": str(result.weights)})
            )
        elif not quiet:
            typer.echo(training_summary(result))


def parse_validation(text: str) -> float | str:
    """A number as a share, anything else as a folder."""
    try:
        return float(text)
    except ValueError:
        return text


def _run(
    folder: Path, out: Path | None, options: TrainOptions, *, quiet: bool, verbose: bool
) -> "TrainResult":
    """Call the library; progress on stderr."""
    from geosim.train import train_model

    def say(line: str) -> None:
        if verbose and not quiet:
            typer.echo(line, err=True)

    with shown_progress(quiet=quiet) as progress:
        return train_model(folder, out, options, progress=progress, say=say)
