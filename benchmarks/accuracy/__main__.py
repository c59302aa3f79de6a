"""Measure all methods on the labelled pairs of a folder.

    python -m benchmarks.accuracy DATA [--imagenet FILE] [--markdown FILE] [--json FILE]

Run from the project's root, with geosim[torch] installed. `benchmarks/accuracy/sets.py`
says what DATA may look like. For measuring only: nothing is fitted to it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import rasterio

from benchmarks.accuracy.measure import Scene, gather, measure
from benchmarks.accuracy.methods import GROUPS, METHODS, Case, lacking, view
from benchmarks.accuracy.pictures import sheet
from benchmarks.accuracy.sets import LabelledPair, cropped, find_sets, read_truth
from benchmarks.accuracy.table import Measured, as_json, markdown
from geosim.errors import GeosimError
from geosim.raster.source import plain_images_welcome
from geosim.siamese.engine import Precision
from geosim.siamese.shipped import DEFAULT_WEIGHTS
from geosim.themes.classes import SeasonRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.sets import LabelledSet
    from geosim.assessment.measuring import Answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (GeosimError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__.splitlines()[0]
    )
    parser.add_argument("data", type=Path, help="folder with labelled pairs")
    parser.add_argument(
        "--methods",
        type=_names,
        default=METHODS,
        help=f"joined by commas, of {','.join(METHODS)}; default: all",
    )
    parser.add_argument(
        "--sets", help="parts of names of sets, joined by commas; default: all"
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file")
    parser.add_argument(
        "--imagenet", type=Path, help="safetensors of VGG16, for the untrained trunk"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument(
        "--maps",
        type=Path,
        help="folder for a PNG per scene, of the first method that is asked for",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="auto",
        help="of the network in geosim change; the torch reference is float32",
    )
    parser.add_argument(
        "--season",
        choices=get_args(SeasonRule),
        default="auto",
        help="what becomes of season in geosim change",
    )
    parser.add_argument(
        "--threads", type=int, help="of the network; default: all cores"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    wanted = text.split(",")
    unknown = [name for name in wanted if name not in METHODS]
    if unknown:
        known = ", ".join(METHODS)
        raise argparse.ArgumentTypeError(f"found {unknown[0]!r}; one of {known}")
    return tuple(name for name in METHODS if name in wanted)


def _run(options: argparse.Namespace) -> None:
    started = time.monotonic()
    sets = _chosen(find_sets(options.data), options.sets)
    missing = {name: lacking(name, options.imagenet) for name in options.methods}
    missing = {name: why for name, why in missing.items() if why}
    methods = [name for name in options.methods if name not in missing]
    if not methods:
        reasons = ", ".join(f"{name}: {why}" for name, why in missing.items())
        raise GeosimError(f"a method that can run is wanted; found none ({reasons})")
    scenes: dict[LabelledPair, Scene] = {}
    measured = []
    for found in sets:
        for pair in found.pairs:
            if pair not in scenes:
                seconds = time.monotonic() - started
                print(f"{seconds:6.0f} s  {found.name}: {pair.name}", file=sys.stderr)
                scenes[pair] = _scene(pair, found.name, methods, options)
        measured.append(_measured(found, scenes, methods))
        _write(options, measured, missing)
    print(markdown(measured, missing))
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)


def _chosen(sets: list[LabelledSet], wanted: str | None) -> list[LabelledSet]:
    if wanted is None:
        return sets
    parts = wanted.split(",")
    chosen = [one for one in sets if any(part in one.name for part in parts)]
    if not chosen:
        names = ", ".join(one.name for one in sets)
        raise GeosimError(f"--sets wants parts of {names}; found '{wanted}'")
    return chosen


def _scene(
    pair: LabelledPair, name: str, methods: Sequence[str], options: argparse.Namespace
) -> Scene:
    """Ask every method about a pair; draw it where that is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        files = cropped(pair, Path(folder) / "crop")
        case = Case(
            before=files.before,
            after=files.after,
            all_bands=pair.all_bands,
            scratch=Path(folder),
            weights=options.weights,
            imagenet=options.imagenet,
            threads=options.threads,
            precision=options.precision,
            season=options.season,
        )
        answers: dict[str, Answer] = {}
        for names, group in GROUPS.items():
            wanted = [method for method in names if method in methods]
            if wanted:
                found = group(case)
                answers |= {method: found[method] for method in wanted}
        seen = view(case)
        with plain_images_welcome(), rasterio.open(files.before) as file:
            truth = read_truth(files, file.shape)
    col, row = seen.offset
    height, width = seen.valid.shape
    place = slice(row, row + height), slice(col, col + width)
    changed, labelled = (part[place] for part in truth)
    first = answers[methods[0]]
    if options.maps and first.probability is not None:
        options.maps.mkdir(parents=True, exist_ok=True)
        picture = sheet(seen, first, changed, labelled)
        file_name = f"{name.replace('/', '_').replace(', ', '_')}_{pair.name}.png"
        picture.save(options.maps / file_name.replace(" ", "_"))
    return gather(answers, changed, labelled)


def _measured(
    found: LabelledSet, scenes: dict[LabelledPair, Scene], methods: Sequence[str]
) -> Measured:
    return Measured(
        name=found.name,
        rows={
            name: measure([scenes[pair] for pair in found.pairs], name)
            for name in methods
        },
        scenes={
            pair.name: {name: measure([scenes[pair]], name) for name in methods}
            for pair in found.pairs
        },
    )


def _write(
    options: argparse.Namespace, measured: list[Measured], missing: dict[str, str]
) -> None:
    """What is known so far, so that a long run leaves something."""
    if options.json:
        text = json.dumps(as_json(measured, missing), indent=1)
        options.json.write_text(text + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(measured, missing))


if __name__ == "__main__":
    sys.exit(main())
