"""The commands `geosim index`, `search`, `pairs` and `models`."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.console import hush_libraries, progress_bar
from geosim.images.names import MODEL_NAMES, ModelName
from geosim.options import parse_threads
from geosim.refusing import refusing
from geosim.search_options import (
    DEFAULT_PAIR_SIMILARITY,
    MOST_PAIRS,
    IndexOptions,
    Ranking,
    SearchOptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.progress import Progress
    from geosim.ranking import ModelComparison

DEFAULTS, SEARCH_DEFAULTS = IndexOptions(), SearchOptions()

_SHOWN = 10
"""Lines that are printed; the files have all."""

ModelOption = Annotated[ModelName, typer.Option(help="What makes the embeddings.")]
WeightsOption = Annotated[
    str | None,
    typer.Option(help="Name or path of its weights.", show_default="the model's own"),
]
IndexOption = Annotated[
    Path, typer.Option("--index", "-i", help="An index that 'geosim index' made.")
]
ThreadsOption = Annotated[
    str, typer.Option(help="A number, or 'all'.", metavar="N|all")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier result.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.")
]


def index(  # noqa: PLR0913 - the options are the command
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of pictures, videos, or rasters, which are cut into tiles.",
            metavar="FOLDER|VIDEO|RASTER...",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The index file.", show_default="FIRST.index"),
    ] = None,
    model: ModelOption = "siamese",
    weights: WeightsOption = DEFAULTS.weights,
    every: Annotated[
        float | None,
        typer.Option(
            help="Of a video: a frame each so many seconds; 0: every frame.",
            show_default="1",
        ),
    ] = DEFAULTS.every,
    scenes: Annotated[
        float | None,
        typer.Option(
            help="Of a video: a frame where the picture differs by this much, such as "
            "0.1, from the last one taken."
        ),
    ] = DEFAULTS.scenes,
    tile_size: Annotated[
        int, typer.Option(help="Of a raster: side of a tile in pixels.")
    ] = DEFAULTS.tile_size,
    overlap: Annotated[
        int, typer.Option(help="Of a raster: pixels that neighbours share.")
    ] = DEFAULTS.overlap,
    bands: Annotated[
        str | None,
        typer.Option(
            "--bands",
            "-b",
            help="Of a raster: three numbers or names joined by commas.",
            show_default="red, green, blue where named, else the first three",
        ),
    ] = DEFAULTS.bands,
    threads: ThreadsOption = "all",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make it anew, not only what is new.")
    ] = DEFAULTS.rebuild,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make an index of pictures, or bring one up to date.

    Only what is new or has changed is embedded; what a folder has no more is dropped.
    """
    if not debug:
        hush_libraries()
    left = "interrupted: what is done is kept; the same command goes on from there"
    with refusing(debug=debug, interrupted=left):
        from geosim.search import build_index

        options = IndexOptions(
            model=model,
            weights=weights,
            every=every,
            scenes=scenes,
            tile_size=tile_size,
            overlap=overlap,
            bands=bands,
            threads=parse_threads(threads),
            rebuild=rebuild,
        )
        path = out or Path(f"{sources[0].absolute().stem}.index")
        with _progress(quiet=quiet) as progress:
            result = build_index(sources, path, options, progress=progress)
        for line in result.skipped if not quiet else ():
            typer.echo(f"skipped: {line}", err=True)
        if as_json:
            found = {name: getattr(result, name) for name in _INDEX_FIELDS}
            typer.echo(json.dumps(found | {"path": str(path)}))
        elif not quiet:
            typer.echo(
                f"{path}: {result.total:,} pictures; {result.added:,} embedded now, "
                f"{result.removed:,} dropped, {len(result.skipped):,} not readable "
                f"({result.seconds:.1f} s, {result.model.model})"
            )


_INDEX_FIELDS = ("added", "removed", "total", "skipped", "seconds")


def search(  # noqa: PLR0913 - the options are the command
    query: Annotated[Path, typer.Argument(help="A picture.")],
    *,
    index: IndexOption,
    count: Annotated[
        int, typer.Option("--count", "-n", help="Pictures to find.")
    ] = SEARCH_DEFAULTS.count,
    rank: Annotated[
        Ranking,
        typer.Option(
            help="similarity: likeness, near duplicates first; class: more of its "
            "kind, by diffusion."
        ),
    ] = SEARCH_DEFAULTS.rank,
    check: Annotated[
        int,
        typer.Option(
            help="Of the first so many, bring to the front what shows the same thing "
            "by matched features; about a second each."
        ),
    ] = SEARCH_DEFAULTS.check,
    window: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            help="Take this part of QUERY, in pixels.",
            metavar="COLUMN ROW WIDTH HEIGHT",
        ),
    ] = SEARCH_DEFAULTS.window,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Look at all, also where the index has a graph."),
    ] = SEARCH_DEFAULTS.exact,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="search_QUERY"
        ),
    ] = None,
    threads: ThreadsOption = "all",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the pictures of an index that are most similar to QUERY.

    Writes a contact sheet, CSV, JSON and, of pictures with coordinates, a GeoPackage.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        from geosim.search import search_index

        result = search_index(
            query,
            index,
            SearchOptions(
                count=count,
                rank=rank,
                check=check,
                window=window,
                exact=exact,
                overwrite=overwrite,
                threads=parse_threads(threads),
            ),
            out=out or Path(f"search_{query.stem}"),
        )
        if as_json:
            path = result.folder / "results.json" if result.folder else Path()
            typer.echo(path.read_text().strip())
        elif not quiet:
            for hit in result.hits[:_SHOWN]:
                typer.echo(f"{hit.rank:>3}  {hit.score:.3f}  {hit.entry.title}")
            how = "all pictures looked at" if result.exact else "by the index's graph"
            typer.echo(f"{result.folder} ({result.seconds * 1e3:.0f} ms, {how})")


def pairs(  # noqa: PLR0913 - the options are the command
    *,
    index: IndexOption,
    least: Annotated[
        float, typer.Option(help="Cosine similarity from which a pair counts.")
    ] = DEFAULT_PAIR_SIMILARITY,
    most: Annotated[
        int, typer.Option(help="Pairs to keep, the most similar ones.")
    ] = MOST_PAIRS,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="pairs_INDEX"
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the most similar pairs of an index, and groups of near duplicates.

    Writes pairs and groups as CSV and JSON, and a contact sheet of the groups.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        from geosim.duplicates import find_pairs

        result = find_pairs(
            index,
            least,
            most=most,
            out=out or Path(f"pairs_{index.stem}"),
            overwrite=overwrite,
        )
        if as_json:
            path = result.folder / "pairs.json" if result.folder else Path()
            typer.echo(path.read_text().strip())
        elif not quiet:
            for first, second, score in result.pairs[:_SHOWN]:
                typer.echo(f"{score:.3f}  {first.title}  {second.title}")
            more = "" if result.complete else f" (the first {most:,} only)"
            typer.echo(
                f"{result.folder}: {len(result.pairs):,} pairs{more}, "
                f"{len(result.groups):,} groups"
            )


def models(  # noqa: PLR0913 - the options are the command
    *,
    compare: Annotated[
        Path | None,
        typer.Option(help="A folder with a folder of pictures per class."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable.", show_default="all that can be opened"),
    ] = None,
    weights: WeightsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="models_FOLDER"
        ),
    ] = None,
    threads: ThreadsOption = "all",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Name the models, or measure how they rank a labelled collection.

    With --compare every picture is the query once, the others of its class are right:
    mean average precision, precision and recall among the first k, and a chart.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        if compare is None:
            typer.echo(json.dumps(MODEL_NAMES) if as_json else "\n".join(MODEL_NAMES))
            return
        from geosim.ranking import rank_models

        with _progress(quiet=quiet) as progress:
            found = rank_models(
                compare,
                model,
                weights=weights,
                out=out or Path(f"models_{compare.absolute().name}"),
                overwrite=overwrite,
                threads=parse_threads(threads),
                progress=progress,
            )
        _tell_models(found, as_json=as_json, quiet=quiet)


def _tell_models(found: "ModelComparison", *, as_json: bool, quiet: bool) -> None:
    """The table of all models."""
    from geosim.ranking import table

    rows = table(found)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if quiet:
        return
    for name, reason in found.left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    names = list(rows[0])
    widths = [max(len(name), 12 if name == "model" else 6) for name in names]
    typer.echo("  ".join(f"{n:>{w}}" for n, w in zip(names, widths, strict=True)))
    for row in rows:
        cells = zip(row.values(), widths, strict=True)
        typer.echo("  ".join(f"{value!s:>{width}}" for value, width in cells))
    typer.echo(
        f"{found.folder}: {found.pictures:,} pictures, {len(found.classes)} classes"
    )


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Progress | None]":
    """A bar on stderr where somebody sees it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with progress_bar() as progress:
        yield progress
