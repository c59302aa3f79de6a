"""Synthetic pairs in a folder, with their truth: for tests, judging and training."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geosim.errors import PictureReadError
from geosim.image_options import SynthOptions
from geosim.images.pixels import as_bytes
from geosim.images.reading import find_pictures, read_picture
from geosim.images.synthetic import make_pair, square_of
from geosim.raster.output_folder import check_folder
from geosim.raster.staging import publish_folder, work_folder, writing
from geosim.training.labels import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.images.picture import FloatArray
    from geosim.images.synthetic import PicturePair
    from geosim.progress import Progress

TABLE = "pairs.csv"
"""The table of the pairs."""

COLUMNS = ("first", "second", "similarity", "similar")
"""Its columns: two paths beside it, the share that stayed, 1 where that is half."""

SIMILAR_FROM = 0.5
"""Similarity from which a pair counts as similar in the table."""


@dataclass(frozen=True, kw_only=True)
class MadePairs:
    """What `make_pairs` wrote."""

    folder: Path
    """Holds A/, B/ and label/ (0 same, 255 changed), files of the same names."""
    table: Path
    """CSV with `COLUMNS`."""
    similarities: tuple[float, ...]
    """Of each pair."""
    skipped: tuple[str, ...] = ()
    """Pictures that could not be read, each with the reason."""


def make_pairs(
    pictures: str | Path,
    out: str | Path,
    options: SynthOptions | None = None,
    *,
    progress: Progress | None = None,
) -> MadePairs:
    """Make pairs of a chosen degree of similarity from the pictures of a folder.

    Args:
        pictures: folder with at least two pictures, folders in it included.
        out: folder to write. `train_model` takes it as labelled pairs, and its table
            as similar and dissimilar ones.
        options: how; the defaults where None.
        progress: called as the work goes on; the stage is "pairs".

    Returns:
        Where everything is.

    Raises:
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    from geosim.progress import Clock

    options = options or SynthOptions()
    folder = Path(out)
    check_folder(folder, [TABLE, *FOLDERS], overwrite=options.overwrite)
    files = find_pictures(Path(pictures))
    if len(files) < 2:  # noqa: PLR2004
        raise PictureReadError(
            f"'{pictures}' wants at least 2 pictures to make pairs of; "
            f"found {len(files)}; give a folder with more"
        )
    with work_folder(folder) as work:
        work.keep = False
        made = work.new_result()
        for name in FOLDERS:
            (made / name).mkdir()
        rows, skipped = [], dict[Path, str]()
        with Clock(progress).stage("pairs", options.count) as tick:
            for name, pair in _pairs(files, options, skipped):
                _write(pair, made, name)
                rows.append(_row(pair, name))
                tick(1)
        _write_table(made / TABLE, rows)
        _publish(made, folder)
    return MadePairs(
        folder=folder,
        table=folder / TABLE,
        similarities=tuple(float(row[2]) for row in rows),
        skipped=tuple(skipped.values()),
    )


def _pairs(
    files: list[Path], options: SynthOptions, skipped: dict[Path, str]
) -> Iterator[tuple[str, PicturePair]]:
    """Pairs one after another; each has its own chance, so more of them go on."""
    digits = len(str(options.count))
    for number in range(options.count):
        rng = np.random.default_rng((options.seed, number))
        first, donor = _two(files, options.size, rng, skipped)
        similarity = float(rng.uniform(options.least, options.most))
        pair = make_pair(first, donor, similarity, rng, nuisance=options.nuisance)
        yield f"{number + 1:0{digits}}.png", pair


def _two(
    files: list[Path], size: int, rng: np.random.Generator, skipped: dict[Path, str]
) -> list[FloatArray]:
    """Squares of two pictures; others where one cannot be read, which is told.

    Raises:
        PictureReadError: fewer than two can be read.
    """
    chosen = rng.choice(len(files), 2, replace=False).tolist()
    squares: list[FloatArray] = []
    for index in _chosen_first(chosen, len(files), rng):
        try:
            pixels = read_picture(files[index]).pixels
        except PictureReadError as error:
            skipped[files[index]] = str(error)
            continue
        squares.append(square_of(pixels, size, rng))
        if len(squares) == len(chosen):
            return squares
    raise PictureReadError(
        "at least 2 pictures that can be read are wanted to make pairs of; found "
        f"{len(squares)}: {next(iter(skipped.values()))}"
    )


def _chosen_first(
    chosen: list[int], count: int, rng: np.random.Generator
) -> Iterator[int]:
    """The chosen ones, then all others by chance."""
    yield from chosen
    yield from (i for i in rng.permutation(count).tolist() if i not in chosen)


def _write(pair: PicturePair, folder: Path, name: str) -> None:
    label = np.where(pair.changed, np.uint8(255), np.uint8(0))
    images = (as_bytes(pair.first), as_bytes(pair.second), label)
    for part, image in zip(FOLDERS, images, strict=True):
        path = folder / part / name
        with writing(path):
            Image.fromarray(image).save(path)


def _row(pair: PicturePair, name: str) -> tuple[str, str, str, str]:
    similar = int(pair.similarity >= SIMILAR_FROM)
    return f"A/{name}", f"B/{name}", f"{pair.similarity:.6f}", str(similar)


def _write_table(path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    with writing(path), path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _publish(made: Path, folder: Path) -> None:
    """Earlier pairs go as a whole: more of them must not stay among new ones."""
    if folder.exists():
        for name in FOLDERS:
            old = folder / name
            if old.is_dir():
                old.rename(made.parent / f"old {name}")
    publish_folder(made, folder, TABLE)
