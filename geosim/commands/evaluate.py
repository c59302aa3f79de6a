"""The command `geosim evaluate`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.assessing.options import EvaluateOptions
from geosim.commands.console import hush_libraries, shown_progress
from geosim.commands.options import with_change_options
from geosim.commands.refusing import refusing
from geosim.commands.shared import AsJson, Debug, Overwrite, Quiet
from geosim.errors import OptionError
from geosim.options import ChangeOptions

if TYPE_CHECKING:
    from geosim.evaluate import Evaluation

DEFAULTS = EvaluateOptions()

_OF_CHANGE = (
    *("bands", "threshold", "min_area", "normalize", "coregister", "weights", "device"),
    *("precision", "threads", "memory"),
)
"""Options of `geosim change` that apply to its own methods."""


@with_change_options(_OF_CHANGE)
def evaluate(  # noqa: PLR0913 - the options are the command
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with labelled pairs (A/ B/ label/, or t1, t2, label), or a "
            "result of geosim change with --labels."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the result.", show_default="evaluation_DATA"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Methods to run, joined by commas: siamese, ssim, cva, irmad, none.",
            show_default=",".join(DEFAULTS.methods),
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            help="Probabilities of your own, a file for each pair, or results of "
            "geosim change; repeatable.",
            metavar="NAME=FOLDER",
        ),
    ] = None,
    maps_threshold: Annotated[
        float, typer.Option(help="From where on a pixel of --maps counts as changed.")
    ] = DEFAULTS.maps_threshold,
    labels: Annotated[
        Path | None,
        typer.Option(help="Labels of a finished result: a raster or polygons."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(help="Pixels that a boundary may lie beside the true one."),
    ] = DEFAULTS.tolerance,
    bootstrap: Annotated[
        int, typer.Option(help="Samples behind the intervals.")
    ] = DEFAULTS.samples,
    options: Callable[[], ChangeOptions],
    overwrite: Overwrite = DEFAULTS.overwrite,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure methods on labelled pairs, or a finished result against its labels.

    Precision, recall, F1, IoU, kappa, average precision, ROC area, objects, boundaries
    and calibration, per scene and pooled, with bootstrap intervals and curves.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug):
        chosen = EvaluateOptions(
            methods=_methods(method),  # type: ignore[arg-type]
            maps=tuple(_named(text) for text in maps or []),
            maps_threshold=maps_threshold,
            labels=str(labels) if labels else None,
            tolerance=tolerance,
            samples=bootstrap,
            overwrite=overwrite,
        )
        change = options()
        from geosim.evaluate import evaluate_methods

        with shown_progress(quiet=quiet) as progress:
            found = evaluate_methods(
                data, out, chosen, change=change, progress=progress
            )
        if as_json:
            typer.echo(json.dumps(found.to_dict()))
        elif not quiet:
            _tell(found)


def _methods(text: str | None) -> tuple[str, ...]:
    if text is None:
        return DEFAULTS.methods
    names = [name.strip() for name in text.split(",")]
    return tuple(name for name in names if name not in ("", "none"))


def _named(text: str) -> tuple[str, str]:
    """A name and a folder.

    Raises:
        OptionError: the text is no such thing.
    """
    name, _, folder = text.partition("=")
    if not name.strip() or not folder:
        raise OptionError(f"--maps wants NAME=FOLDER; found '{text}'")
    return name.strip(), folder


def _tell(found: "Evaluation") -> None:
    from geosim.assessing.evaluation_files import summary_lines

    typer.echo("\n".join(summary_lines(found)))
    typer.echo(f"page: {found.paths['page']}")
