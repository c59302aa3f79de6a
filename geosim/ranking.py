"""Which model ranks best on a labelled collection of one's own."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import GeosimError, LabelError
from geosim.images.models import open_model
from geosim.images.names import MODEL_NAMES
from geosim.images.reading import find_pictures
from geosim.machine.overlapping import ahead
from geosim.raster.source import plain_images_welcome
from geosim.retrieval import delivering
from geosim.retrieval.chart import ranking_chart
from geosim.retrieval.indexing import read_alone
from geosim.retrieval.measures import RankingQuality, diffused_ranks, leave_one_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.images.models import ImageModel
    from geosim.progress import Progress

FILES = ("models.csv", "models.json", "models.png")
"""Names of the files of a comparison of models."""

_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class ModelQuality:
    """How one model ranks."""

    model: str
    """Its name."""
    weights_sha256: str | None
    """Of its weights; None where it has none."""
    similarity: RankingQuality
    """By cosine similarity."""
    diffusion: RankingQuality
    """By diffusion, `search_index(..., rank="class")`."""
    pictures_per_second: float
    """Embedding, reading included."""


@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    """How models rank on one collection."""

    models: tuple[ModelQuality, ...]
    """In the order they were named."""
    left_out: dict[str, str]
    """Models that could not be opened, and why."""
    pictures: int
    """Pictures that were read."""
    skipped: dict[str, str]
    """Pictures that could not be read, by their path in the collection, and why."""
    classes: dict[str, int]
    """Pictures that were read of each class."""
    folder: Path | None
    """Where the files are; None where none were written."""


def rank_models(
    collection: str | Path,
    models: Sequence[str] | None = None,
    *,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ModelComparison:
    """Rank all pictures of a labelled collection for each, with each model.

    Every picture is the query once; right are the others of its class. What cannot be
    read is skipped.

    Args:
        collection: a folder with a folder of pictures per class.
        models: names; None: all that can be opened.
        weights: of the one model that is named.
        out: folder for the table as CSV and JSON and a chart; None: no files.
        overwrite: True: an earlier result in the folder is replaced.
        threads: None: all cores.
        progress: hears the stage "ranking", counted in models.

    Raises:
        LabelError: fewer than two classes, or none with two pictures that can be read.
        GeosimError: no model can be opened, or one that is named.
    """
    folder = None if out is None else Path(out)
    if folder is not None:
        delivering.check_result(folder, FILES, overwrite=overwrite)
    root = Path(collection)
    paths = labelled(root)
    names = list(models) if models else list(MODEL_NAMES)
    found: list[ModelQuality] = []
    left_out: dict[str, str] = {}
    skipped: dict[Path, str] = {}
    for place, name in enumerate(names):
        try:
            model = open_model(name, weights, threads)
        except GeosimError as error:
            if models:
                raise
            left_out[name] = " ".join(str(error).split())
            continue
        read = [path for path in paths if path not in skipped]
        step = (place, len(names))
        embeddings, told, seconds = _embedded(model, read, progress, step)
        skipped |= told
        labels = [_label(path, root) for path in read if path not in told]
        _check_labels(labels, root)
        found.append(_quality(model, embeddings, labels, seconds))
    read = [path for path in paths if path not in skipped]
    counts = Counter(_label(path, root) for path in read)
    comparison = ModelComparison(
        models=tuple(found),
        left_out=left_out,
        pictures=len(read),
        skipped={
            path.relative_to(root).as_posix(): why for path, why in skipped.items()
        },
        classes=dict(sorted(counts.items())),
        folder=folder,
    )
    if folder is not None:
        delivering.deliver(folder, _files(comparison), FILES)
    return comparison


def labelled(collection: Path) -> list[Path]:
    """Pictures with a class, which is the name of the folder right below.

    Raises:
        LabelError: fewer than two classes, or none with two pictures.
    """
    paths = [
        path
        for path in find_pictures(collection)
        if len(path.relative_to(collection).parts) > 1
    ]
    _check_labels([_label(path, collection) for path in paths], collection)
    return paths


def _label(path: Path, collection: Path) -> str:
    return path.relative_to(collection).parts[0]


def _check_labels(labels: Sequence[str], collection: Path) -> None:
    if len(set(labels)) < 2 or len(labels) == len(set(labels)):  # noqa: PLR2004
        raise LabelError(
            f"'{collection}' must hold a folder of pictures for each of two or more "
            f"classes; found {len(set(labels))} with {len(labels)} pictures that can "
            "be read"
        )


def embed_files(
    model: ImageModel, paths: Sequence[Path]
) -> tuple[NDArray[np.float32] | None, dict[Path, str]]:
    """Vectors of picture files, and the files that cannot be read.

    Returns:
        (n, d) unit vectors of those that can, in their order, None where none can; and
        the reason for each of the others.
    """
    vectors: list[NDArray[np.float32]] = []
    waiting: list[NDArray[np.float32]] = []
    skipped: dict[Path, str] = {}
    reading = ahead(_read, paths, 2 * _BATCH, threads=2)
    with plain_images_welcome(), closing(reading) as pictures:
        for path, found in zip(paths, pictures, strict=True):
            if isinstance(found, str):
                skipped[path] = found
                continue
            waiting.append(found)
            if len(waiting) == _BATCH:
                vectors.append(model.describe(waiting))
                waiting = []
    if waiting:
        vectors.append(model.describe(waiting))
    return (np.concatenate(vectors) if vectors else None), skipped


def _read(path: Path) -> NDArray[np.float32] | str:
    """A picture, or why it cannot be read."""
    try:
        return read_alone(path)
    except (GeosimError, OSError, MemoryError) as error:
        return " ".join(str(error).split()).removeprefix(f"'{path}' ")


def _embedded(
    model: ImageModel,
    paths: Sequence[Path],
    progress: Progress | None,
    place: tuple[int, int],
) -> tuple[NDArray[np.float32], dict[Path, str], float]:
    """As `embed_files`, and the seconds that it took."""
    start = time.perf_counter()
    vectors = []
    skipped: dict[Path, str] = {}
    parts = np.array_split(np.arange(len(paths)), max(len(paths) // 64, 1))
    for step, part in enumerate(parts):
        found, told = embed_files(model, [paths[at] for at in part])
        skipped |= told
        if found is not None:
            vectors.append(found)
        if progress is not None:
            progress("ranking", place[0] + (step + 1) / len(parts), place[1])
    embeddings = np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)
    return embeddings, skipped, time.perf_counter() - start


def _quality(
    model: ImageModel,
    embeddings: NDArray[np.float32],
    labels: Sequence[str],
    seconds: float,
) -> ModelQuality:
    return ModelQuality(
        model=model.name,
        weights_sha256=model.weights_sha256,
        similarity=leave_one_out(embeddings, labels),
        diffusion=leave_one_out(embeddings, labels, ranks=diffused_ranks),
        pictures_per_second=len(labels) / seconds,
    )


def table(comparison: ModelComparison) -> list[dict[str, Any]]:
    """A row for each model: measures by similarity, then by diffusion."""
    rows = []
    for one in comparison.models:
        quality = one.similarity
        row: dict[str, Any] = {
            "model": one.model,
            "map": round(quality.mean_average_precision, 4),
            "map_class": round(one.diffusion.mean_average_precision, 4),
        }
        for name, values in (("p", quality.precision), ("r", quality.recall)):
            pairs = zip(quality.depths, values, strict=True)
            row |= {f"{name}@{k}": round(value, 4) for k, value in pairs}
        row["pictures_per_second"] = round(one.pictures_per_second, 2)
        rows.append(row)
    return rows


def _files(comparison: ModelComparison) -> dict[str, bytes]:
    rows = table(comparison)
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["model"])
    writer.writeheader()
    writer.writerows(rows)
    content = asdict(comparison) | {"folder": None}
    qualities = {one.model: one.similarity for one in comparison.models}
    chart = ranking_chart(
        next(iter(qualities.values())).depths,
        {name: one.precision for name, one in qualities.items()},
        {name: one.recall for name, one in qualities.items()},
        {
            name: f"{name} (mAP {one.mean_average_precision:.2f})"
            for name, one in qualities.items()
        },
    )
    return {
        "models.csv": stream.getvalue().encode(),
        "models.json": (json.dumps(content, indent=1) + "\n").encode(),
        "models.png": chart,
    }
