"""The command `geosim batch`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geosim.cluster_options import ClusterOptions
from geosim.commands.console import (
    batch_summary,
    hush_libraries,
    outcome_line,
    shown_progress,
)
from geosim.commands.options import with_change_options
from geosim.commands.refusing import refusing
from geosim.commands.shared import AsJson, Debug, Quiet
from geosim.machine.memory import ELSEWHERE, default_memory
from geosim.options import ChangeOptions

if TYPE_CHECKING:
    from geosim.batching.summary import PairOutcome

DEFAULTS = ClusterOptions()

PerWorkerThreads = Annotated[
    str,
    typer.Option(
        "--threads-per-worker",
        "--threads",
        help="A number, or 'all': the cores shared out.",
        metavar="N|all",
    ),
]
PerWorkerMemory = Annotated[
    int | None,
    typer.Option(
        help="MB for each worker.",
        show_default=f"half of the machine's memory shared out: {default_memory():,} "
        f"MB; with --scheduler {ELSEWHERE:,}",
    ),
]
Replace = Annotated[
    bool, typer.Option("--overwrite", help="Replace all earlier results.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Skip pairs whose result is there; go on with the others."
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        help="Address of a running Dask scheduler, such as tcp://host:8786.",
        metavar="ADDRESS",
        show_default="workers of its own on this machine",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        help="Processes on this machine.",
        show_default="as many as cores and --memory allow",
    ),
]


@with_change_options(
    threads=PerWorkerThreads, memory=PerWorkerMemory, overwrite=Replace, resume=Resume
)
def batch(  # noqa: PLR0913 - the options are the command
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS.csv",
            help="Columns before, after and, as needed, out, date_before, date_after "
            "(or dates: 2001-05/2020); paths are relative to the file.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the summary and of results without a folder of their own.",
            show_default="batch_PAIRS",
        ),
    ] = None,
    workers: WorkersOption = DEFAULTS.workers,
    scheduler: SchedulerOption = DEFAULTS.scheduler,
    retries: Annotated[
        int, typer.Option(help="How often a failed or lost pair is tried again.")
    ] = DEFAULTS.retries,
    options: Callable[[], ChangeOptions],
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell of each pair that ends.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Find what changed in each pair of a list, on the workers of a Dask cluster.

    Takes the options of `geosim change` for every pair. Writes a result for each and
    summary.csv and summary.parquet of all. Needs the extra 'batch'.
    """
    left = "interrupted: finished pairs are kept; --resume goes on with the others"
    with refusing(debug=debug, interrupted=left):
        where = ClusterOptions(scheduler=scheduler, workers=workers, retries=retries)
        how = {"options": options(), "cluster": where}
        if not debug:
            hush_libraries()
        outcomes = _run(pairs, out, how, quiet=quiet, verbose=verbose)
        home = out or Path(f"batch_{pairs.stem}")
        if as_json:
            typer.echo(json.dumps([_plain(outcome) for outcome in outcomes]))
        elif not quiet:
            typer.echo(batch_summary(outcomes, home))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        typer.echo(f"error: {outcome_line(outcome)}", err=True)
    if failed:
        raise typer.Exit(1)


def _run(
    pairs: Path, out: Path | None, how: dict[str, Any], *, quiet: bool, verbose: bool
) -> "list[PairOutcome]":
    """Call the library; progress on stderr."""
    from geosim.batch import detect_changes

    def ended(outcome: "PairOutcome") -> None:
        if verbose and not quiet:
            typer.echo(outcome_line(outcome), err=True)

    with shown_progress(quiet=quiet) as progress:
        return detect_changes(pairs, out, **how, ended=ended, progress=progress)


def _plain(outcome: "PairOutcome") -> dict[str, Any]:
    """An outcome in JSON's types."""
    return {
        "row": outcome.pair.row,
        "status": outcome.status,
        "error": outcome.error,
        "attempts": outcome.attempts,
        "folder": str(outcome.folder),
        "record": outcome.result.record.to_dict() if outcome.result else None,
    }
