"""Compare two pictures of any kind: paintings, photographs, scans.

`compare_images` reads, aligns, compares and, where a folder is given, writes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geosim.comparison_files import (
    FILES,
    MODELS_FILE,
    ImageComparison,
    models_table,
    with_paths,
    write_into,
)
from geosim.errors import GeosimError, OptionError
from geosim.image_options import CompareOptions
from geosim.images import drawing
from geosim.images.alignment import align
from geosim.images.comparison import (
    Scores,
    at_one_resolution,
    compare_pixels,
    score,
)
from geosim.images.models import SMALLEST_SIDE, open_model
from geosim.images.names import MODEL_NAMES
from geosim.images.pixels import resized
from geosim.images.reading import read_picture
from geosim.images.similarity import calibration_of
from geosim.raster.output_folder import check_folder
from geosim.raster.staging import publish_folder, work_folder, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from geosim.images.alignment import AlignedPair
    from geosim.images.models import ImageModel
    from geosim.images.picture import Picture

    Source = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]

_ONE_COLOUR = 2 / 255
"""Range of the values in a picture in which nothing is to be seen."""


def compare_images(
    first: Source,
    second: Source,
    out: str | Path | None = None,
    options: CompareOptions | None = None,
    *,
    model: ImageModel | None = None,
) -> ImageComparison:
    """Compare two pictures.

    Args:
        first: a path, the bytes of a file, a Pillow image or an array; its frame is
            kept. See `geosim.images.reading.read_picture` for all it may be.
        second: likewise.
        out: folder for heatmap, overlay, sheet, levels and JSON; None: write nothing.
        options: how; the defaults where None.
        model: an opened one, for many comparisons; None: that of the options.

    Returns:
        The similarity, the differences, the visualization, and more.

    Raises:
        GeosimError: one of `geosim.errors`; nothing is left under a final name.
    """
    options = options or CompareOptions()
    folder = _checked(out, options)
    pictures = [
        read_picture(source, name=name, at_most=options.side)
        for source, name in ((first, _name(first)), (second, _name(second)))
    ]
    result = compare_pictures(pictures[0], pictures[1], options, model=model)
    return _written(result, folder) if folder is not None else result


def compare_pictures(
    first: Picture,
    second: Picture,
    options: CompareOptions | None = None,
    *,
    model: ImageModel | None = None,
) -> ImageComparison:
    """Compare two pictures that are read already, and write nothing.

    Args:
        first: read with `at_most` the options' `side`; its frame is kept.
        second: likewise.
        options: how; the defaults where None.
        model: an opened one, for many comparisons; None: that of the options.

    Raises:
        GeosimError: one of `geosim.errors`.
    """
    options = options or CompareOptions()
    model = model or open_model(options.model, options.weights, options.threads)
    pictures = [first, second]
    return _compared(pictures, _aligned(pictures, options), model)


def compare_models(
    first: Source,
    second: Source,
    out: str | Path | None = None,
    options: CompareOptions | None = None,
) -> dict[str, ImageComparison | GeosimError]:
    """Compare two pictures by every model.

    Args:
        first: as for `compare_images`.
        second: likewise.
        out: folder for a folder of each model and `models.json`; None: write nothing.
        options: `model` and `weights` count for nothing.

    Returns:
        By the models' names the result, or why there is none: weights that cannot be
        downloaded, torch that is not installed.
    """
    options = options or CompareOptions()
    if options.weights is not None:
        raise OptionError("--weights belongs to one model; leave it out with all")
    folder = Path(out) if out is not None else None
    if folder is not None:
        known = [MODELS_FILE, *MODEL_NAMES]
        check_folder(folder, known, overwrite=options.overwrite)
    pictures = [
        read_picture(source, name=_name(source), at_most=options.side)
        for source in (first, second)
    ]
    pair = _aligned(pictures, options)
    found: dict[str, ImageComparison | GeosimError] = {}
    for name in MODEL_NAMES:
        try:
            model = open_model(name, threads=options.threads)
        except GeosimError as error:
            found[name] = error
        else:
            found[name] = _compared(pictures, pair, model)
    return _all_written(found, folder) if folder is not None else found


def default_folder(first: str, second: str) -> Path:
    """Where a comparison goes unless told otherwise: `compare_A_B`."""
    return Path(f"compare_{Path(first).stem}_{Path(second).stem}")


def _name(source: Source) -> str | None:
    return str(source) if isinstance(source, str | os.PathLike) else None


def _checked(out: str | Path | None, options: CompareOptions) -> Path | None:
    """The folder, refused before any work where it would be refused after it."""
    if out is None:
        return None
    check_folder(Path(out), list(FILES.values()), overwrite=options.overwrite)
    return Path(out)


def _aligned(pictures: list[Picture], options: CompareOptions) -> AlignedPair:
    sizes = [picture.original_size for picture in pictures]
    if options.align == "none" and sizes[0] != sizes[1]:
        told = " and ".join(f"{width} x {height}" for width, height in sizes)
        raise OptionError(
            f"--align none wants pictures of one size; found {told}; use --align "
            "resize or register"
        )
    first, second = (_large_enough(picture.pixels) for picture in pictures)
    shrunk = [
        max(picture.original_size) / max(image.shape)
        for picture, image in zip(pictures, (first, second), strict=True)
    ]
    return align(first, second, options.align, reduced=shrunk[1] / shrunk[0])


def _large_enough(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A tiny picture enlarged until the network can look at it."""
    height, width = pixels.shape[1:]
    factor = max(SMALLEST_SIDE / min(height, width), 1)
    if factor == 1:
        return pixels
    # a strip is not made longer than need be
    sides = [
        min(max(round(side * factor), SMALLEST_SIDE), max(side, 1024))
        for side in (width, height)
    ]
    return resized(pixels, *sides)


def _compared(
    pictures: list[Picture], pair: AlignedPair, model: ImageModel
) -> ImageComparison:
    calibration = calibration_of(model)
    matched = at_one_resolution(pair)
    scores: Scores = score(model, calibration, matched)
    differences = compare_pixels(model, calibration, matched)
    return ImageComparison(
        similarity=scores.similarity,
        differences=differences,
        visualization=drawing.heatmap(differences.combined),
        cosine=scores.cosine,
        euclidean=scores.euclidean,
        ssim=scores.ssim,
        alignment=pair.alignment,
        pair=pair,
        model=model.name,
        weights_sha256=model.weights_sha256,
        names=(pictures[0].name, pictures[1].name),
        notes=tuple(f"{p.name}: {note}" for p in pictures for note in _notes(p)),
    )


def _notes(picture: Picture) -> tuple[str, ...]:
    """What a reader should know of a picture."""
    if float(np.ptp(picture.pixels, axis=(1, 2)).max()) > _ONE_COLOUR:
        return picture.notes
    return (*picture.notes, "shows one colour only; a similarity says nothing of it")


def _written(result: ImageComparison, folder: Path) -> ImageComparison:
    """Write all files, or none."""
    with work_folder(folder) as work:
        work.keep = False
        made = work.new_result()
        write_into(result, made)
        publish_folder(made, folder, FILES["record"])
    return with_paths(result, folder)


def _all_written(
    found: dict[str, ImageComparison | GeosimError], folder: Path
) -> dict[str, ImageComparison | GeosimError]:
    """A folder for each model, and the table."""
    with work_folder(folder) as work:
        work.keep = False
        made = work.new_result()
        for name, result in found.items():
            if isinstance(result, ImageComparison):
                (made / name).mkdir()
                write_into(result, made / name)
        table = models_table(found)
        with writing(made / MODELS_FILE):
            (made / MODELS_FILE).write_text(json.dumps(table, indent=2) + "\n")
        for name in found:
            _replace_folder(made / name, folder / name)
        publish_folder(made, folder, MODELS_FILE)
    for name, result in found.items():
        if not isinstance(result, ImageComparison):
            _remove_result(folder / name)
    return {
        name: with_paths(result, folder / name)
        if isinstance(result, ImageComparison)
        else result
        for name, result in found.items()
    }


def _remove_result(place: Path) -> None:
    """What an earlier comparison left of a model that could not be used now."""
    for name in FILES.values():
        (place / name).unlink(missing_ok=True)
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def _replace_folder(made: Path, place: Path) -> None:
    """Files of an earlier result of this model give way, foreign ones stay."""
    if made.is_dir() and place.is_dir():
        publish_folder(made, place, FILES["record"])
        made.rmdir()
