"""Find pictures again: build an index and search it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import IndexFileError, NoDataError, OptionError
from geosim.images.models import ImageModel, open_model
from geosim.images.reading import read_picture
from geosim.raster.source import plain_images_welcome
from geosim.retrieval import checking, delivering, tiles
from geosim.retrieval.building import Building, add_graph
from geosim.retrieval.finding import Hit, Searcher
from geosim.retrieval.index_draft import editing
from geosim.retrieval.index_file import ImageIndex, open_index
from geosim.retrieval.indexing import describe_source, read_alone
from geosim.retrieval.records import ModelRecord
from geosim.retrieval.samples import LONGEST_SIDE
from geosim.retrieval.sheet import thumbnail
from geosim.search_options import IndexOptions, SearchOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geosim.progress import Progress

_QUERY_SCALES = (1.0, 0.8)


@dataclass(frozen=True, kw_only=True)
class IndexResult:
    """What `build_index` did."""

    path: Path
    """The index file."""
    added: int
    """Pictures that were embedded now."""
    removed: int
    """Pictures that are gone from the sources, or were read anew."""
    total: int
    """Pictures in the index."""
    skipped: tuple[str, ...]
    """What could not be read, or not to its end, and why, one line each."""
    model: ModelRecord
    """What made the embeddings."""
    seconds: float
    """Time it took, without opening the network."""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What `search_index` found."""

    hits: tuple[Hit, ...]
    """The most similar pictures, the first one most."""
    exact: bool
    """False where the index's graph was used, which can miss some."""
    folder: Path | None
    """Where the files are; None where none were written."""
    seconds: float
    """Time of the search, without reading and embedding the query."""


def build_index(
    sources: str | Path | Sequence[str | Path],
    index: str | Path,
    options: IndexOptions | None = None,
    *,
    model: ImageModel | None = None,
    progress: Progress | None = None,
) -> IndexResult:
    """Make an index of pictures, or bring one up to date.

    Only what is new or has changed is read and embedded; what a folder has no more
    leaves the index. Interrupted, the next call goes on where this one stood; until the
    work is done the index is what it was.

    Args:
        sources: folders of pictures, videos, rasters.
        index: the index file.
        options: how; None: the defaults.
        model: an opened model, used instead of opening that of the options.
        progress: hears the stage "indexing".

    Raises:
        OptionError: a source that does not exist.
        IndexFileError: the file is no index, or one of another model.
        NoDataError: none of the sources has a picture that can be read.
        OutputError: the index cannot be written.
        GeosimError: a video or a raster cannot be read.
    """
    options = options or IndexOptions()
    listed = [sources] if isinstance(sources, str | Path) else list(sources)
    if not listed:
        raise OptionError("at least one folder, video or raster is wanted")
    wanted = [describe_source(source, options) for source in listed]
    opened = model or open_model(options.model, options.weights, options.threads)
    record = model_record(opened, options.weights)
    start = time.perf_counter()
    with plain_images_welcome():
        path = Path(index)
        names = [source.path for source in wanted]
        with editing(path, record, names, rebuild=options.rebuild) as writer:
            run = Building(writer, opened, options, progress, len(wanted))
            for place, source in enumerate(wanted):
                run.update(source, place)
            run.check()
            run.look_for_gone()
            add_graph(writer, options)
            total = writer.count()
    return IndexResult(
        path=path,
        added=run.added,
        removed=run.removed,
        total=total,
        skipped=tuple(run.skipped),
        model=record,
        seconds=time.perf_counter() - start,
    )


def search_index(
    query: str | Path | NDArray[np.generic],
    index: str | Path | ImageIndex,
    options: SearchOptions | None = None,
    *,
    out: str | Path | None = None,
    model: ImageModel | None = None,
) -> SearchResult:
    """Find the pictures of an index that are most similar to a query.

    Args:
        query: a picture: a path or an array, as `read_picture` takes it.
        index: the index file, or what `open_index` made of it.
        options: how; None: the defaults.
        out: folder for contact sheet, CSV, JSON and GeoPackage; None: no files.
        model: an opened model, used instead of opening that of the index.

    Raises:
        IndexFileError: the index is none, is empty or its weights are others.
        GeosimError: the query cannot be read, the folder cannot be written.
    """
    options = options or SearchOptions()
    folder = None if out is None else Path(out)
    if folder is not None:
        delivering.check_result(
            folder, delivering.SEARCH_FILES, overwrite=options.overwrite
        )
    opened = index if isinstance(index, ImageIndex) else open_index(index)
    if not len(opened):
        raise IndexFileError(f"'{opened.path}' has no pictures; add some first")
    network = model or open_of(opened, options.threads)
    pixels = _read_query(query, options.window)
    views = query_views(network, [pixels])[0]
    start = time.perf_counter()
    searcher = Searcher(opened, use_graph=not options.exact)
    hits = searcher.hits(views, options.count, options.rank)
    seconds = time.perf_counter() - start
    if options.check:
        hits = _checked(opened, pixels, hits, options.check)
    if folder is not None:
        named = "the given picture" if isinstance(query, np.ndarray) else str(query)
        small = opened.thumbnails([hit.position for hit in hits])
        title = Path(named).name + (f" {options.window}" if options.window else "")
        files = delivering.search_files(title, thumbnail(pixels), hits, small)
        delivering.deliver(folder, files, delivering.SEARCH_FILES)
    return SearchResult(
        hits=tuple(hits), exact=searcher.exact, folder=folder, seconds=seconds
    )


def model_record(model: ImageModel, weights: str | None = None) -> ModelRecord:
    """What an index keeps of a model: name, weights' hash, length of its vectors."""
    probe = np.zeros((3, 64, 64), np.float32)
    return ModelRecord(
        model=model.name,
        weights=_found_anywhere(weights or ""),
        weights_sha256=model.weights_sha256 or "",
        size=int(model.describe([probe]).shape[1]),
    )


def _found_anywhere(weights: str) -> str:
    """The path of a file as it is found from any folder; a name stays."""
    return str(Path(weights).absolute()) if Path(weights).is_file() else weights


def open_of(index: ImageIndex, threads: int | None = None) -> ImageModel:
    """The model that made an index.

    Raises:
        IndexFileError: the weights of that name are others now.
    """
    record = index.model
    model = open_model(record.model, record.weights or None, threads)
    found = model.weights_sha256 or ""
    if found != record.weights_sha256:
        raise IndexFileError(
            f"'{index.path}' was made with weights {record.weights_sha256[:12]}, those "
            f"of {record.model} are {found[:12]} now; make the index anew with "
            "'geosim index --rebuild'"
        )
    return model


def query_views(
    model: ImageModel, pictures: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """How queries are looked at: as they are, and smaller, as a part of a picture is.

    A cropped picture is enlarged to the working size; the second view undoes that.

    Args:
        model: of the index.
        pictures: each (3, height, width) in 0..1.

    Returns:
        (n, 2, d) unit vectors.
    """
    both = [model.describe(pictures, scale=scale) for scale in _QUERY_SCALES]
    return np.stack(both, axis=1)


def _checked(
    index: ImageIndex, query: NDArray[np.float32], hits: list[Hit], count: int
) -> list[Hit]:
    """The hits with the first of `count` that shows the same thing in front."""

    def read(hit: Hit) -> NDArray[np.float32]:
        return checking.pixels_of(hit.entry, index.thumbnails([hit.position])[0])

    rest = hits[count:]
    return [*checking.same_first(query, hits[:count], read), *rest]


def _read_query(
    query: str | Path | NDArray[np.generic],
    window: tuple[int, int, int, int] | None,
) -> NDArray[np.float32]:
    """(3, height, width) in 0..1."""
    if isinstance(query, np.ndarray) and window is None:
        return read_picture(query, at_most=LONGEST_SIDE).pixels
    if isinstance(query, np.ndarray):
        raise OptionError("a window is for a query that is a file; cut the array")
    if window is None:
        with plain_images_welcome():
            return read_alone(query)
    with plain_images_welcome(), tiles.open_tiles(str(query)) as reader:
        grid = reader.grid
        col, row, width, height = window
        inside = 0 <= col < col + width <= grid.width
        if not (inside and 0 <= row < row + height <= grid.height):
            raise OptionError(
                f"--window wants columns and rows inside of {grid.width} x "
                f"{grid.height} pixels; found {' '.join(map(str, window))}"
            )
        pixels = reader.read(window, at_most=LONGEST_SIDE)
    if pixels is None:
        raise NoDataError(
            f"the window of '{query}' has hardly any data; choose another"
        )
    return pixels
