"""The pairs of a batch as jobs: each with a folder and options; which are done."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from geosim.batching.summary import PairOutcome
from geosim.delivering.finished import open_result, same_run
from geosim.errors import OutputError, PairListError, ResultExistsError
from geosim.pipeline import default_folder
from geosim.raster.output_folder import check_folder
from geosim.result import EXTRA_FILES, FILES
from geosim.scoring.journal import finished_blocks
from geosim.scoring.spreading import whole_name, with_whole_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geosim.batching.pairs import ImagePair
    from geosim.options import ChangeOptions


@dataclass(frozen=True, kw_only=True)
class PairJob:
    """A pair with all that a worker must know of it."""

    pair: ImagePair
    folder: Path
    options: ChangeOptions


def jobs_of(
    pairs: Sequence[ImagePair], home: Path, options: ChangeOptions
) -> list[PairJob]:
    """The pairs with the folder and the options of each.

    Args:
        pairs: of the list.
        home: folder of the results of pairs that name none.
        options: of all; dates and masks of a pair's own come first.

    Raises:
        PairListError: two pairs name one folder.
    """
    folders = zip(pairs, _folders(pairs, home), strict=True)
    return [_job(pair, folder, options) for pair, folder in folders]


def _folders(pairs: Sequence[ImagePair], home: Path) -> list[Path]:
    """Folder of each pair's result.

    Where names alone would bring two pairs into one folder (`a/1990.tif`,
    `b/1990.tif`), the folders of date 1 tell them apart.

    Raises:
        PairListError: two pairs name one folder.
    """
    short = [default_folder(pair.before, pair.after).name for pair in pairs]
    count = Counter(
        name for pair, name in zip(pairs, short, strict=True) if pair.out is None
    )
    names = [
        _longer(pair, name) if count[name] > 1 else name
        for pair, name in zip(pairs, short, strict=True)
    ]
    folders = [
        Path(
            os.path.normpath(
                (home / name if pair.out is None else Path(pair.out)).absolute()
            )
        )
        for pair, name in zip(pairs, names, strict=True)
    ]
    first: dict[Path, int] = {}
    for number, (pair, folder) in enumerate(zip(pairs, folders, strict=True)):
        other = first.setdefault(folder.resolve(), number)
        if other != number:
            raise PairListError(
                f"{pair.place}: its result would lie in '{folder}' as that of "
                f"{pairs[other].place}; give each a folder of its own in the column "
                "'out'"
            )
    return folders


def _longer(pair: ImagePair, name: str) -> str:
    parent = PurePath(pair.before).parent.name
    return name.replace("change_", f"change_{parent}_", 1)


def _job(pair: ImagePair, folder: Path, options: ChangeOptions) -> PairJob:
    """The pair with its options, names as every process sees them."""
    own = replace(
        options,
        date_before=pair.date_before or options.date_before,
        date_after=pair.date_after or options.date_after,
        mask_before=pair.mask_before or options.mask_before,
        mask_after=pair.mask_after or options.mask_after,
        overwrite=options.overwrite or options.resume,
    )
    own = with_whole_names(own)
    pair = replace(pair, before=whole_name(pair.before), after=whole_name(pair.after))
    return PairJob(pair=pair, folder=folder, options=own)


def check_free(job: PairJob) -> None:
    """Refuse a job whose folder holds a result or what an interrupted run finished.

    Raises:
        ResultExistsError: it does, and nothing says to replace it.
    """
    try:
        check_folder(
            job.folder, (*FILES, *EXTRA_FILES.values()), overwrite=job.options.overwrite
        )
    except ResultExistsError as error:
        raise ResultExistsError(
            f"{job.pair.place}: '{job.folder}' holds a result already; keep what is "
            "done with --resume or replace all with --overwrite"
        ) from error
    finished = finished_blocks(job.folder)
    if finished and not job.options.overwrite:
        raise ResultExistsError(
            f"{job.pair.place}: {finished} blocks of an interrupted run to "
            f"'{job.folder}' are kept; go on with --resume or begin anew with "
            "--overwrite"
        )


def kept_results(
    jobs: Sequence[PairJob], weights: str | None
) -> dict[int, PairOutcome]:
    """Pairs that are done already, by their place.

    Args:
        jobs: all pairs.
        weights: checksum of the weights that they want.
    """
    kept = {}
    for number, job in enumerate(jobs):
        try:
            result = open_result(job.folder)
        except OutputError:
            continue
        pair = job.pair
        if same_run(result.record, pair.before, pair.after, job.options, weights):
            kept[number] = PairOutcome(
                pair=pair, folder=job.folder, status="skipped", result=result
            )
    return kept
