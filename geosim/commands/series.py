"""The command `geosim series`."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.commands.console import aligned, hush_libraries, shown_progress
from geosim.commands.extras import Extras, Ogr, OgrLayer, Pdf
from geosim.commands.options import with_change_options
from geosim.commands.refusing import refusing
from geosim.commands.shared import AsJson, Debug, Quiet
from geosim.errors import OptionError
from geosim.options import ChangeOptions
from geosim.publish.wording import SQUARE_METRES_PER_HECTARE
from geosim.siamese.weights import reading_weights
from geosim.timeline.options import Decide, Extent, SeriesOptions

if TYPE_CHECKING:
    from geosim.timeline.result import SeriesResult

DEFAULTS = SeriesOptions()

_Grid = Annotated[
    str,
    typer.Option(help="Whose pixels: before (the first scene), after or a raster."),
]
_Nodata = Annotated[
    str | None,
    typer.Option(
        help="Value of pixels without data, of all scenes.",
        metavar="VALUE",
        show_default="as the files declare",
    ),
]
_Resume = Annotated[
    bool,
    typer.Option("--resume", help="Keep comparisons that are finished, do the others."),
]


@with_change_options(
    only=[
        "method", "bands", "theme", "season", "tile_size", "threshold", "min_area",
        "normalize", "coregister", "mask_kind", "nodata", "grid", "resolution",
        "bounds", "weights", "device", "precision", "threads", "memory", "block_size",
        "co", "formats", "overwrite", "resume",
    ],
    grid=_Grid,
    nodata=_Nodata,
    resume=_Resume,
)  # fmt: skip
def series(  # noqa: PLR0913 - the options are the command
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Rasters in any order; or a folder of them, a CSV file (columns path "
            "and, as needed, date) or a STAC ItemCollection (.json).",
        ),
    ],
    *,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the result.",
            show_default="series_FIRST_LAST",
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            help="ISO dates joined by commas, in the order of the scenes.",
            show_default="from lists, names or tags",
        ),
    ] = None,
    extent: Annotated[
        Extent,
        typer.Option(help="All of the grid's raster, or what all scenes show."),
    ] = DEFAULTS.extent,
    decide: Annotated[
        Decide,
        typer.Option(
            help="Who says when and where a pixel changed: all dates together, or each "
            "comparison alone; auto: together from pixels of 3 m on."
        ),
    ] = DEFAULTS.decide,
    initial: Annotated[
        list[str] | None,
        typer.Option(
            help="Hectares of a land cover on the first date, for rates; repeatable.",
            metavar="COVER=HA",
        ),
    ] = None,
    options: Callable[[], ChangeOptions],
    ogr: Ogr = None,
    ogr_layer: OgrLayer = None,
    pdf: Pdf = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell how each scene is read.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Find what changed when in a series of scenes of one place.

    Compares neighbouring dates as `geosim change` does, then lets all dates decide
    together. Writes the years of the first and the latest change, their number,
    polygons with their dates, a table of areas with annual rates, a chart and a report
    with a slider through time. A scene that cannot be read is left out: the series goes
    on, and the exit code is 1.
    """
    left = "interrupted: comparisons that are finished are kept for --resume"
    with refusing(debug=debug, interrupted=left):
        own = SeriesOptions(
            dates=_dates(dates),
            extent=extent,
            decide=decide,
            initial=tuple(map(_initial, initial or [])),
        )
        how = options()
        if not debug:
            hush_libraries()
        extras = Extras(ogr=ogr, named=ogr_layer, pdf=pdf, replace=how.overwrite)
        extras.check()
        result = _run(scenes, out, how, own, quiet=quiet)
        extras.deliver(result, lambda: _print_report(result))
        if as_json:
            typer.echo(json.dumps(result.record | {"folder": str(result.folder)}))
        elif not quiet:
            _tell(result, verbose=verbose)
    for one in result.left_out:
        typer.echo(
            f"error: the scene of {one['date']} was left out: {one['reason']}", err=True
        )
    if result.left_out:
        raise typer.Exit(1)


def _print_report(result: "SeriesResult") -> None:
    from geosim.timeline.printing import print_series

    print_series(result)


def _dates(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))


def _initial(text: str) -> tuple[str, float]:
    """Read "forest=1234.5"."""
    cover, _, hectares = text.partition("=")
    try:
        return cover.strip(), float(hectares)
    except ValueError as error:
        raise OptionError(
            f"--initial wants a land cover and hectares such as forest=1234.5; found "
            f"'{text}'"
        ) from error


def _run(
    scenes: list[str],
    out: str | None,
    options: ChangeOptions,
    own: SeriesOptions,
    *,
    quiet: bool,
) -> "SeriesResult":
    """Call the library with a progress bar on stderr."""
    with ExitStack() as stack:
        if options.method == "siamese":
            stack.enter_context(reading_weights(options.weights))
        from geosim.series import detect_series  # slow: the weights come meanwhile

        progress = stack.enter_context(shown_progress(quiet=quiet))
        return detect_series(scenes, out, options, series=own, progress=progress)


def _tell(result: "SeriesResult", *, verbose: bool) -> None:
    """Results on stdout, remarks on stderr."""
    record = result.record
    if verbose:
        for scene in record["scenes"]:
            typer.echo(
                f"{scene['date']}: {scene['path']}: {scene['reading']}", err=True
            )
    for note in record["notes"]:
        typer.echo(f"note: {note}", err=True)
    areas = record["areas"]
    changed = f"{areas['changed_px']:,} px at least once"
    if areas["changed_m2"] is not None:
        hectares = areas["changed_m2"] / SQUARE_METRES_PER_HECTARE
        changed = f"{hectares:,.2f} ha at least once"
    dates = [scene["date"] for scene in record["scenes"]]
    rows = [
        ("dates", f"{len(dates)}, {dates[0]} to {dates[-1]}"),
        ("changed", changed),
        ("polygons", f"{record['polygons']:,}"),
        ("decided by", record["decision"]["by"]),
    ]
    rows += [(name, str(path)) for name, path in result.paths.items()]
    typer.echo(aligned(rows))
