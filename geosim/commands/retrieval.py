"""The commands `geosim index`, `search` and `pairs`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from geosim.commands.console import hush_libraries, shown_progress
from geosim.commands.refusing import one_line, refusing
from geosim.commands.shared import (
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Threads,
    parse_threads,
)
from geosim.images.names import ModelName
from geosim.search_options import (
    DEFAULT_PAIR_SIMILARITY,
    MOST_PAIRS,
    IndexOptions,
    Ranking,
    SearchOptions,
)

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
    threads: Threads = "all",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make it anew, not only what is new.")
    ] = DEFAULTS.rebuild,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
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
        with shown_progress(quiet=quiet) as progress:
            result = build_index(sources, path, options, progress=progress)
        for line in result.skipped if not quiet else ():
            typer.echo(f"skipped: {one_line(line)}", err=True)
        if as_json:
            found = {name: getattr(result, name) for name in _INDEX_FIELDS}
            typer.echo(json.dumps(found | {"path": str(path)}))
        elif not quiet:
            typer.echo(
                f"{path}: {result.total:,} pictures; {result.added:,} embedded now, "
                f"{result.removed:,} dropped, {len(result.skipped):,} skipped "
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
    threads: Threads = "all",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
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
                title = one_line(hit.entry.title)
                typer.echo(f"{hit.rank:>3}  {hit.score:.3f}  {title}")
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
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
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
                titles = one_line(f"{first.title}  {second.title}")
                typer.echo(f"{score:.3f}  {titles}")
            more = "" if result.complete else f" (the first {most:,} only)"
            typer.echo(
                f"{result.folder}: {len(result.pairs):,} pairs{more}, "
                f"{len(result.groups):,} groups"
            )
