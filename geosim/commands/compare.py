"""The command `geosim compare`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geosim.commands.console import aligned, hush_libraries
from geosim.commands.refusing import refusing
from geosim.commands.shared import (
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Threads,
    parse_threads,
)
from geosim.image_options import CompareOptions
from geosim.images.names import Align

if TYPE_CHECKING:
    from geosim.comparison_files import ImageComparison
    from geosim.errors import GeosimError

DEFAULTS = CompareOptions()

ModelOrAll = Literal[
    "siamese", "ssim", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "all"
]


def compare(  # noqa: PLR0913 - the options are the command
    first: Annotated[str, typer.Argument(help="A picture; its frame is kept.")],
    second: Annotated[str, typer.Argument(help="The other one.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the result.",
            show_default="compare_FIRST_SECOND",
        ),
    ] = None,
    model: Annotated[
        ModelOrAll,
        typer.Option(
            help="What compares: geosim's network, structural similarity, an ImageNet "
            "network of torchvision, or all of them beside each other."
        ),
    ] = DEFAULTS.model,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weights of the model.", show_default="shipped, or torchvision's"
        ),
    ] = None,
    align: Annotated[
        Align,
        typer.Option(
            help="How the second picture is laid over the first: not at all, by size, "
            "or by what both show."
        ),
    ] = DEFAULTS.align,
    side: Annotated[
        int, typer.Option(help="Longest side at which pictures are compared, in px.")
    ] = DEFAULTS.side,
    threads: Threads = "all",
    overwrite: Overwrite = DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare two pictures: how alike they are, and where they differ.

    Paintings, photographs, scans, in any size and mode. Writes a heatmap, an overlay, a
    sheet with both pictures, the differences at three levels, and a JSON record.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        from geosim.compare import compare_images, compare_models, default_folder

        folder = out or default_folder(first, second)
        options = CompareOptions(
            model=DEFAULTS.model if model == "all" else model,
            weights=weights,
            align=align,
            side=side,
            threads=parse_threads(threads),
            overwrite=overwrite,
        )
        if model == "all":
            found = compare_models(first, second, folder, options)
            _tell_all(found, folder, as_json=as_json, quiet=quiet)
        else:
            result = compare_images(first, second, folder, options)
            _tell(result, as_json=as_json, quiet=quiet)


def _tell(result: "ImageComparison", *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
        return
    if quiet:
        return
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
    rows = [
        ("similarity", f"{result.similarity:.3f}"),
        ("cosine", f"{result.cosine:.3f}"),
        ("Euclidean", f"{result.euclidean:.3f}"),
        ("SSIM", f"{result.ssim:.3f}"),
        ("aligned", result.alignment.said),
        *((key, str(path)) for key, path in result.paths.items()),
    ]
    typer.echo(aligned(rows))


def _tell_all(
    found: "dict[str, ImageComparison | GeosimError]",
    folder: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """The table of all models; those that are missing say why on stderr."""
    from geosim.comparison_files import models_table

    table = models_table(found)
    if as_json:
        typer.echo(json.dumps(table))
        return
    if quiet:
        return
    heads = ("similarity", "cosine", "euclidean", "ssim", "difference_mean")
    lines = [f"{'model':<13}" + "".join(f"{head:>17}" for head in heads)]
    for name, row in table.items():
        if "error" in row:
            typer.echo(f"note: {name} left out: {row['error']}", err=True)
        else:
            lines.append(
                f"{name:<13}" + "".join(f"{row[head]:>17.3f}" for head in heads)
            )
    typer.echo("\n".join([*lines, f"folder: {folder}"]))
