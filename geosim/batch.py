"""Many pairs: each on a worker of a Dask cluster, all results in one table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from geosim.batching.cluster import (
    local_workers,
    need,
    open_cluster,
    with_worker_memory,
)
from geosim.batching.jobs import PairJob, check_free, jobs_of, kept_results
from geosim.batching.pairs import ImagePair, read_pair_list
from geosim.batching.summary import SUMMARY_FILES, PairOutcome, write_summary
from geosim.batching.tasks import run_tasks
from geosim.batching.worker import Here, error_line
from geosim.cluster_options import ClusterOptions
from geosim.errors import (
    GeosimError,
    OptionError,
    OtherRunError,
    PairListError,
    ResultExistsError,
)
from geosim.options import ChangeOptions
from geosim.pipeline import detect_change
from geosim.raster.output_folder import check_folder, check_parent
from geosim.scoring.journal import remove_unfinished
from geosim.siamese.keeping import keeping
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from geosim.batching.tasks import Ended
    from geosim.progress import Progress
    from geosim.result import ChangeResult


def detect_changes(
    pairs: str | Path | Iterable[ImagePair],
    out: str | Path | None = None,
    options: ChangeOptions | None = None,
    cluster: ClusterOptions | None = None,
    *,
    progress: Progress | None = None,
    ended: Callable[[PairOutcome], None] = lambda _: None,
) -> list[PairOutcome]:
    """Find what changed in each of many pairs.

    A pair that fails, or whose worker is lost, is tried again and in the end reported;
    the others go on. `summary.csv` and `summary.parquet` in `out` tell of all.

    Args:
        pairs: a CSV file (see `read_pair_list`) or the pairs themselves.
        out: folder of the summary and of the results of pairs that name none; None:
            `batch_<name of the CSV file>` here.
        options: of `detect_change`, for every pair; `memory` and `threads` are per
            worker. Dates of a pair's own come first. With `resume` results stay that
            a run with these options and inputs would give again; all others are made,
            in place of what is there.
        cluster: where to compute; on this machine where None.
        progress: called as the work goes on, with the stage "pairs".
        ended: called with each pair that is done, skipped or given up.

    Returns:
        What became of each pair, in the order of the list.

    Raises:
        PairListError: the list is not in order; nothing was begun.
        ResultExistsError: a result is there already; nothing was begun.
        MissingDependencyError: the extra `batch` is not installed.
        ClusterError: the cluster cannot be used.
        GeosimError: an option cannot be used.
    """
    need("distributed", "pyarrow")
    options, cluster = options or ChangeOptions(), cluster or ClusterOptions()
    if options.resume and options.overwrite:
        raise OptionError(
            "--resume keeps what is finished, --overwrite makes all anew; give one of "
            "them"
        )
    home = Path(out) if out is not None else _default_home(pairs)
    jobs = jobs_of(_listed(pairs), home, options)
    weights = _checksum(options)
    check_parent(home)
    outcomes = kept_results(jobs, weights) if options.resume else {}
    if not options.resume:
        check_folder(home, SUMMARY_FILES, overwrite=options.overwrite)
        for job in jobs:
            check_free(job)
    for outcome in outcomes.values():
        ended(outcome)
    left = [number for number in range(len(jobs)) if number not in outcomes]
    tell = progress or (lambda *_: None)
    tell("pairs", len(outcomes), len(jobs))
    for found in _ended(
        [jobs[number] for number in left],
        options,
        cluster,
        tick=lambda share: tell("pairs", len(outcomes) + share, len(jobs)),
    ):
        number = left[found.number]
        outcomes[number] = _outcome(jobs[number], found)
        ended(outcomes[number])
        tell("pairs", len(outcomes), len(jobs))
    ordered = [outcomes[number] for number in range(len(jobs))]
    write_summary(home, ordered)
    return ordered


def _listed(pairs: str | Path | Iterable[ImagePair]) -> list[ImagePair]:
    """The pairs, read where a file is named."""
    if isinstance(pairs, str | Path):
        return read_pair_list(pairs)
    listed = list(pairs)
    if not listed:
        raise PairListError("at least one pair is wanted; found none")
    return listed


def _default_home(pairs: str | Path | Iterable[ImagePair]) -> Path:
    name = PurePath(pairs).stem if isinstance(pairs, str | Path) else "pairs"
    return Path(f"batch_{name}")


def _checksum(options: ChangeOptions) -> str | None:
    """Checksum of the weights; None for a method without.

    Raises:
        WeightsError: they cannot be used.
    """
    if options.method != "siamese":
        return None
    return load_weights(options.weights).record.sha256


def _ended(
    jobs: Sequence[PairJob],
    options: ChangeOptions,
    cluster: ClusterOptions,
    tick: Callable[[float], None],
) -> Iterable[Ended]:
    """Run the jobs; each comes back once."""
    if not jobs:
        return
    workers, threads = local_workers(cluster, options, len(jobs))
    jobs = [
        replace(job, options=with_worker_memory(job.options, cluster, len(jobs)))
        for job in jobs
    ]
    try:
        with open_cluster(cluster, workers=workers, threads=threads) as client:
            yield from run_tasks(
                client,
                compare,
                jobs,
                retries=cluster.retries,
                hopeless=_hopeless,
                tick=tick,
                shared=True,
            )
    finally:
        if cluster.local:  # workers of others may still be cleaning up
            for job in jobs:
                remove_unfinished(job.folder)


def compare(job: PairJob, here: Here) -> ChangeResult:
    """What a worker does with a pair."""

    def tell(stage: str, done: float, total: float) -> None:
        here.tell(done / total if stage == "scoring" else float(stage != "sampling"))

    shared = here.shared
    assert shared is not None  # noqa: S101 - given with the task
    if shared.opened is None:
        shared.closing.enter_context(keeping())  # the network, for all its pairs
        shared.opened = True
    pair, options = job.pair, job.options
    options = replace(options, threads=options.threads or here.threads)
    if here.attempt > 1:  # go on from what the attempt before finished
        options = replace(options, resume=True, overwrite=True)
    run = partial(detect_change, pair.before, pair.after, job.folder, progress=tell)
    try:
        return run(options)
    except OtherRunError:
        return run(replace(options, resume=False, overwrite=True))


def _hopeless(error: Exception) -> bool:
    """Whether an error would come again: a refusal that no file system can cause."""
    refused = isinstance(error, GeosimError) and not isinstance(error, OSError)
    return refused or isinstance(error, ResultExistsError)


def _outcome(job: PairJob, found: Ended) -> PairOutcome:
    if found.error is None:
        return PairOutcome(
            pair=job.pair,
            folder=job.folder,
            status="done",
            result=found.value,
            attempts=found.attempts,
        )
    return PairOutcome(
        pair=job.pair,
        folder=job.folder,
        status="failed",
        error=error_line(found.error),
        attempts=found.attempts,
    )
