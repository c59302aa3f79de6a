"""What an algorithm is made of: plain descriptions, from which QGIS's are built.

Nothing here imports QGIS, so that command lines are built and tested without it.
Python 3.9 reads this package: QGIS 3.22 comes with it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RESUME, OVERWRITE, EXTRA, LOAD, OUTPUT = (
    "RESUME",
    "OVERWRITE",
    "EXTRA",
    "LOAD",
    "OUTPUT",
)
"""Names of the parameters that every algorithm treats alike."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of an algorithm, and the option of the command line it stands for."""

    name: str
    """In QGIS: capital letters."""
    label: str
    """What the dialog says."""
    kind: str
    """"raster", "rasters", "vector", "layer" (either), "file", "folder", "text",
    "items" (texts joined by commas), "choice", "integer", "number", "switch",
    "extent", "output folder", "output vector"."""
    flag: str = ""
    """Option of the command line; "": an argument without one, or none of its own."""
    default: Any = None
    """That of the command line; None: it may be left out."""
    choices: tuple[str, ...] = ()
    """Values of a choice."""
    least: float | None = None
    """Of a number."""
    most: float | None = None
    """Of a number."""
    optional: bool = False
    """True: may be left empty."""
    advanced: bool = False
    """True: hidden among the advanced ones."""
    argument: bool = False
    """True: an argument of the command line."""
    pattern: str = ""
    """Of a file: the filter of the dialog."""
    help: str = ""
    """A sentence for the help beside the dialog."""


@dataclass(frozen=True)
class Output:
    """Something that an algorithm gives to the next one, or to the map."""

    name: str
    """In QGIS: capital letters."""
    label: str
    """What the dialog and the map's legend say."""
    kind: str
    """"raster", "vector", "html", "file", "number"."""
    place: str = ""
    """File in the output folder, with what follows it (`|layername=changes`);
    "": the output file itself."""
    keys: tuple[str, ...] = ()
    """Of a number: where it stands in the JSON file."""
    load: bool = False
    """True: goes onto the map."""
    shown: bool = True
    """False: is switched off there at first."""


@dataclass(frozen=True)
class Command:
    """A command of geosim as an algorithm."""

    name: str
    """Of the command and of the algorithm."""
    title: str
    """What the toolbox says."""
    summary: str
    """What it does, in a few sentences."""
    parameters: tuple[Parameter, ...]
    """In the order of the dialog."""
    outputs: tuple[Output, ...]
    """The topmost on the map first."""
    tags: tuple[str, ...] = ()
    """What the toolbox also finds it by."""
    stages: tuple[tuple[str, float], ...] = ()
    """Stages of a run and how much of its time each takes, about."""
    record: str = ""
    """File that is written last: where it is new, the result is whole, and an error
    concerns what goes beside it."""


def arguments(command: Command, values: Mapping[str, Any]) -> list[str]:
    """What follows `geosim` on the command line.

    Args:
        command: which one.
        values: by the parameters' names; None, "" and () are not given. Layers and
            files are names already, an extent is (left, bottom, right, top).

    Returns:
        Command, options, then `--` and arguments: a file may be called `-x.tif`. What
        has its default is left out, so that an older geosim takes the rest.

    Raises:
        ValueError: nothing is given to work on, or `EXTRA` has a quotation mark that is
            not closed.
    """
    options: list[str] = []
    given: list[str] = []
    for one in command.parameters:
        value = values.get(one.name)
        if value is None or value in ("", ()) or value == []:
            continue
        if one.argument:
            given += [str(item) for item in _several(value)]
        elif one.flag:
            options += _option(one, value)
    if not given:
        labels = [one.label for one in command.parameters if one.argument]
        raise ValueError(f"give {' or '.join(labels)}")
    extra = shlex.split(str(values.get(EXTRA) or ""))
    return [command.name, *options, *extra, "--", *given]


def percent(command: Command, stage: str, share: float) -> float:
    """How far a run is, 0..100.

    Args:
        command: which one.
        stage: what it does; one that is not known counts alone.
        share: how far that is, 0..1.
    """
    names = [name for name, _ in command.stages]
    if stage not in names:
        return 100.0 * share
    parts = [part for _, part in command.stages]
    index = names.index(stage)
    return 100.0 * (sum(parts[:index]) + share * parts[index]) / sum(parts)


def _option(one: Parameter, value: Any) -> list[str]:  # noqa: ANN401
    """A parameter as options; nothing where it has its default."""
    if one.kind == "switch":
        return [one.flag] if value else []
    if value == one.default:
        return []
    if one.kind == "extent":
        return [one.flag, *(repr(float(edge)) for edge in value)]
    if one.kind == "number":
        return [one.flag, f"{float(value):.15g}"]
    return [part for item in _several(value) for part in (one.flag, str(item))]


def _several(value: Any) -> list[Any]:  # noqa: ANN401
    """A list as it is, anything else as a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def split_items(text: str) -> list[str]:
    """`COMPRESS=ZSTD|LEVEL=9`, joined by bars, commas or spaces, one by one."""
    for mark in "|,":
        text = text.replace(mark, " ")
    return text.split()
