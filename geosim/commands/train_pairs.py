"""What `geosim train` does with a CSV file of similar and dissimilar pictures."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geosim.commands.console import aligned, shown_progress
from geosim.train_options import TrainOptions

if TYPE_CHECKING:
    from geosim.training.pair_model_files import PairTrainResult

DistanceOption = Annotated[
    Literal["cosine", "euclidean"],
    typer.Option(help="Of embeddings, for a CSV file of pairs."),
]
MarginOption = Annotated[
    float | None,
    typer.Option(
        help="Distance wanted of dissimilar pairs, for a CSV file of pairs.",
        show_default="0.9 cosine, 1.3 euclidean",
    ),
]


def is_table(path: Path) -> bool:
    """True where pairs are listed in a CSV file instead of lying in folders."""
    return path.suffix.lower() == ".csv"


def train_table(  # noqa: PLR0913 - as the command has them
    table: Path,
    out: Path | None,
    options: TrainOptions,
    *,
    distance: Literal["cosine", "euclidean"],
    margin: float | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Train on a CSV file and tell what came of it."""
    from geosim.train_pairs import train_on_pairs

    def say(line: str) -> None:
        if verbose and not quiet:
            typer.echo(line, err=True)

    with shown_progress(quiet=quiet) as progress:
        result = train_on_pairs(
            table,
            out,
            options,
            distance=distance,
            margin=margin,
            progress=progress,
            say=say,
        )
    if as_json:
        record = result.record.to_dict() | {"weights": str(result.weights)}
        typer.echo(json.dumps(record))
    elif not quiet:
        typer.echo(pair_training_summary(result))


def pair_training_summary(result: "PairTrainResult") -> str:
    """The closing table as text."""
    record = result.record
    rows = [
        ("learned from", f"{record.pairs} pairs, {record.steps} steps"),
        ("held out", f"{record.held_out} pairs"),
        ("area under ROC", f"{record.auc:.3f} (before {record.auc_before:.3f})"),
        ("loss", f"{record.loss:.4f} (before {record.loss_before:.4f})"),
        ("took", f"{record.seconds / 60:.1f} min"),
        ("weights", os.fspath(result.weights)),
        ("card", os.fspath(result.card)),
        ("curves", os.fspath(result.curves)),
    ]
    return aligned(rows)
