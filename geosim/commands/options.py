"""The options of `geosim change`, which other commands take too: defined once."""

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Annotated, Any, cast, get_args

import typer

from geosim.commands.shared import Overwrite, Threads, parse_threads
from geosim.errors import OptionError
from geosim.machine.memory import default_memory
from geosim.option_values import MinArea
from geosim.options import DEFAULT_TILE, ChangeOptions, Method
from geosim.publish.formats import Format
from geosim.raster.mask_files import MaskKind
from geosim.raster.matching import Normalization
from geosim.siamese.engine import Device, Precision
from geosim.siamese.shipped import VGG16_WEIGHTS
from geosim.themes.classes import SeasonRule, ThemeName

DEFAULTS = ChangeOptions()

# Each option with its help, in the order of `--help`.


_Method = Annotated[
    Method,
    typer.Option(help="The network, or a reference: SSIM, CVA, IR-MAD."),
]
_Bands = Annotated[
    str | None,
    typer.Option(
        "--bands",
        "-b",
        help="Numbers or names joined by commas, roles ('red=3,nir=4'), a sensor "
        "(landsat-tm, landsat-etm, landsat-oli, sentinel-2, naip) or 'all'.",
        show_default="red, green, blue where named, else the first three",
    ),
]
_Theme = Annotated[
    ThemeName, typer.Option(help="Keep only polygons of this theme's classes.")
]
_Season = Annotated[
    SeasonRule,
    typer.Option(
        help="auto: fields that turn green or bare, water that turns muddy are not "
        "change (10 m or so, with infrared); keep: they are."
    ),
]
_TileSize = Annotated[
    int | None,
    typer.Option(
        help="Side of a scoring tile in pixels.", show_default=str(DEFAULT_TILE)
    ),
]
_Threshold = Annotated[
    str, typer.Option(help="auto, otsu, kapur or a probability 0..1.")
]
_MinArea = Annotated[
    str,
    typer.Option(help="Smallest object kept: '500' or '500m2' (m2), '0.5ha', '50px'."),
]
_Normalize = Annotated[
    Normalization, typer.Option(help="How date 2's light is matched to date 1's.")
]
_Coregister = Annotated[
    bool, typer.Option("--coregister", help="Take out the shift that is found.")
]
_Grid = Annotated[
    str, typer.Option(help="Whose pixels: before, after or a third raster.")
]
_Resolution = Annotated[
    float | None, typer.Option(help="Another pixel size, in the CRS's units.")
]
_Bounds = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(
        help="Cut to LEFT BOTTOM RIGHT TOP, in the grid's CRS.",
        metavar="LEFT BOTTOM RIGHT TOP",
    ),
]
_DateBefore = Annotated[
    str | None,
    typer.Option(help="ISO date of date 1.", show_default="from its name or its tags"),
]
_DateAfter = Annotated[
    str | None,
    typer.Option(help="ISO date of date 2.", show_default="from its name or its tags"),
]
_MaskBefore = Annotated[
    str | None,
    typer.Option(
        help="Raster or polygons of what to leave out of date 1: clouds.",
        metavar="PATH",
    ),
]
_MaskAfter = Annotated[
    str | None, typer.Option(help="The same of date 2.", metavar="PATH")
]
_MaskKind = Annotated[
    MaskKind, typer.Option(help="What the numbers of a raster mask mean.")
]
_Nodata = Annotated[
    str | None,
    typer.Option(
        help="Value of pixels without data: '0', '0:255' one for each date, ':0' of "
        "date 2 alone.",
        metavar="VALUE",
        show_default="as the files declare",
    ),
]
_Weights = Annotated[
    str,
    typer.Option(
        help=f"Name or path of the network's weights; {VGG16_WEIGHTS}: four times the "
        "work, the whole of VGG16; see 'geosim models'."
    ),
]
_Device = Annotated[Device, typer.Option(help="cuda and torch need the extra 'torch'.")]
_Precision = Annotated[
    Precision, typer.Option(help="Of the network; auto: int8 where it can.")
]
_Memory = Annotated[
    int | None,
    typer.Option(
        help="MB to work with; without it 1000 to 16000.",
        show_default=f"half of the machine's memory: {default_memory():,} MB",
    ),
]
_BlockSize = Annotated[
    int | None,
    typer.Option(help="Side of a block in pixels.", show_default="as memory allows"),
]
_Co = Annotated[
    list[str] | None,
    typer.Option("--co", help="GDAL creation option, repeatable.", metavar="K=V"),
]
_Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        help="Of the polygons, beside the GeoPackage; repeatable.",
        metavar="|".join(get_args(Format)),
        show_default="gpkg",
    ),
]
_Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted run.")
]


def change_options(  # noqa: PLR0913 - the options are the command
    *,
    method: _Method = DEFAULTS.method,
    bands: _Bands = DEFAULTS.bands,
    theme: _Theme = DEFAULTS.theme,
    season: _Season = DEFAULTS.season,
    tile_size: _TileSize = DEFAULTS.tile_size,
    threshold: _Threshold = str(DEFAULTS.threshold),
    min_area: _MinArea = str(DEFAULTS.min_area),
    normalize: _Normalize = DEFAULTS.normalize,
    coregister: _Coregister = DEFAULTS.coregister,
    grid: _Grid = DEFAULTS.grid,
    resolution: _Resolution = DEFAULTS.resolution,
    bounds: _Bounds = DEFAULTS.bounds,
    date_before: _DateBefore = DEFAULTS.date_before,
    date_after: _DateAfter = DEFAULTS.date_after,
    mask_before: _MaskBefore = DEFAULTS.mask_before,
    mask_after: _MaskAfter = DEFAULTS.mask_after,
    mask_kind: _MaskKind = DEFAULTS.mask_kind,
    nodata: _Nodata = DEFAULTS.nodata,
    weights: _Weights = DEFAULTS.weights,
    device: _Device = DEFAULTS.device,
    precision: _Precision = DEFAULTS.precision,
    threads: Threads = "all",
    memory: _Memory = DEFAULTS.memory,
    block_size: _BlockSize = DEFAULTS.block_size,
    co: _Co = None,
    formats: _Formats = None,
    overwrite: Overwrite = DEFAULTS.overwrite,
    resume: _Resume = DEFAULTS.resume,
) -> ChangeOptions:
    """Read the options as they come from the command line.

    Raises:
        OptionError: a value that cannot be used.
    """
    return ChangeOptions(
        method=method,
        bands=bands,
        theme=theme,
        season=season,
        tile_size=tile_size,
        threshold=parse_threshold(threshold),
        min_area=MinArea.parse(min_area),
        normalize=normalize,
        coregister=coregister,
        grid=grid,
        resolution=resolution,
        bounds=bounds,
        date_before=date_before,
        date_after=date_after,
        mask_before=mask_before,
        mask_after=mask_after,
        mask_kind=mask_kind,
        nodata=nodata,
        weights=weights,
        device=device,
        precision=precision,
        threads=parse_threads(threads),
        memory=memory,
        block_size=block_size,
        creation_options=parse_creation_options(co or []),
        formats=cast("tuple[Format, ...]", tuple(formats or DEFAULTS.formats)),
        overwrite=overwrite,
        resume=resume,
    )


def parse_threshold(text: str) -> Any:  # noqa: ANN401 - a rule's name or a number
    """A rule's name as it is, anything else as a number."""
    try:
        return float(text)
    except ValueError:
        return text


def parse_creation_options(items: list[str]) -> tuple[tuple[str, str], ...]:
    """KEY=VALUE texts as pairs.

    Raises:
        OptionError: one without "=".
    """
    for item in items:
        if "=" not in item:
            raise OptionError(f"--co wants KEY=VALUE; found '{item}'")
    pairs = (item.split("=", 1) for item in items)
    return tuple((key.upper(), value) for key, value in pairs)


def with_change_options(
    only: Collection[str] | None = None,
    **reworded: Any,  # noqa: ANN401 - annotations
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the parameters of `change_options` in place of its `options`.

    The command is called with `options`, a function that reads them: what is wrong with
    them is told where the command tells its errors.

    Args:
        only: names of the parameters to take; None: all.
        reworded: another annotation of a shared parameter, by its name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        shared = {
            name: one
            for name, one in inspect.signature(change_options).parameters.items()
            if only is None or name in only
        }
        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command).parameters.values():
            if own.name != "options":
                parameters.append(own)
                continue
            for name, one in shared.items():
                meaning = reworded.get(name, one.annotation)
                parameters.append(one.replace(annotation=meaning))

        @functools.wraps(command)
        def called(**values: Any) -> None:  # noqa: ANN401
            given = {name: values.pop(name) for name in shared}
            command(**values, options=functools.partial(change_options, **given))

        # what typer reads
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return decorate
