"""What the worker processes do: files in a private folder in, plain values out."""

from __future__ import annotations

import base64
import contextlib
import io
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from geosim.errors import MissingDependencyError, PictureReadError
from geosim.images.names import MODEL_NAMES, Align, ModelName
from geosim.images.picture import Limits
from geosim.images.pixels import as_bytes
from geosim.images.reading import read_picture
from geosim.web.explaining import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geosim.images.models import ImageModel
    from geosim.web.limits import WebLimits

    Report = Callable[[Any], None]

PREVIEW_SIDE = 640
"""Longest side of a preview in pixels."""

_QUALITY = 88


def list_models(report: Report) -> list[dict[str, Any]]:
    """The models there are, and why some cannot be used here.

    Returns:
        `name`, `available` and `reason` (None where available) of each.
    """
    del report
    reasons = {name: _missing(name) for name in MODEL_NAMES}
    return [
        {"name": name, "available": reason is None, "reason": reason}
        for name, reason in reasons.items()
    ]


def compare_files(
    report: Report,
    *,
    first: str,
    second: str,
    model: ModelName,
    align: Align,
    limits: WebLimits,
) -> dict[str, Any]:
    """Compare two pictures.

    Args:
        report: not used: it takes seconds.
        first: path of a picture.
        second: likewise.
        model: by its name.
        align: how the second is laid over the first.
        limits: of bytes and pixels.

    Returns:
        What `POST /compare` answers.
    """
    from geosim.compare import compare_pictures
    from geosim.image_options import CompareOptions

    del report
    options = CompareOptions(model=model, align=align)
    at_most = Limits(file_bytes=limits.picture_bytes, pixels=limits.picture_pixels)
    pictures = [
        read_picture(path, name=name, at_most=options.side, limits=at_most)
        for path, name in ((Path(first), "image1"), (Path(second), "image2"))
    ]
    result = compare_pictures(pictures[0], pictures[1], options, model=_opened(model))
    record = result.to_dict()
    height, width = result.differences.combined.shape
    return {
        "similarity_score": record["similarity"],
        **{key: record[key] for key in ("model", "cosine", "euclidean", "ssim")},
        "difference_mean": record["difference_mean"],
        "alignment": result.alignment.said,
        "explanation": list(explain(result)),
        "notes": list(result.notes),
        "width": width,
        "height": height,
        "heatmap_image": _text(result.visualization, "PNG"),
        "first_image": _text(as_bytes(result.pair.first), "JPEG"),
        "second_image": _text(_shown(result.pair.second, result.pair.valid), "JPEG"),
    }


def preview_file(report: Report, *, path: str, limits: WebLimits) -> dict[str, Any]:
    """A small picture of a file, for those that browsers cannot show.

    Pictures are shown as a comparison reads them, also those that are TIFFs.

    Returns:
        `image` (base64 JPEG), `width`, `height` in pixels, `georeferenced`.
    """
    from geosim.web.rasters import is_tiff, look_at

    del report
    place = Path(path)
    tiff = is_tiff(place)
    georeferenced, picture = look_at(place, limits) if tiff else (False, True)
    pixels, size = _preview(place, limits, picture=picture, raster=tiff)
    return {
        "image": _text(pixels, "JPEG"),
        "width": size[0],
        "height": size[1],
        "georeferenced": georeferenced,
    }


def change_files(
    report: Report, *, before: str, after: str, out: str, limits: WebLimits
) -> dict[str, Any]:
    """Make a change map of two GeoTIFFs, in the folder above the result.

    That becomes the process's current folder meanwhile, so nothing else may run in it.

    Args:
        report: hears `(stage, done, total)`.
        before: path of date 1.
        after: path of date 2.
        out: folder of the result, which gets a folder `map` beside it.
        limits: of pixels and bands.

    Returns:
        What the page's map shows, see `geosim.web.mapping.map_of`.
    """
    from geosim.options import ChangeOptions
    from geosim.pipeline import detect_change
    from geosim.web.mapping import map_of
    from geosim.web.rasters import check_raster

    for path, name in ((before, "before"), (after, "after")):
        check_raster(Path(path), name, limits)
    folder = Path(out).parent
    names = [os.path.relpath(path, folder) for path in (before, after)]
    # a result tells the paths of its inputs: the server's private folder is not told
    with contextlib.chdir(folder):
        result = detect_change(
            names[0],
            names[1],
            Path(out).name,
            ChangeOptions(memory=1500),
            progress=lambda stage, done, total: report((stage, done, total)),
        )
        return map_of(result, Path(names[0]), Path(names[1]), Path())


def _preview(
    path: Path, limits: WebLimits, *, picture: bool, raster: bool
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A file as a comparison reads it, or else as a raster of any numbers.

    Args:
        path: of the upload.
        limits: of bytes, pixels and bands.
        picture: whether it is to be looked at as a comparison does.
        raster: whether it may be looked at as a raster.

    Returns:
        (height, width, 3) uint8, and (width, height) of the file.
    """
    from geosim.web.rasters import preview_raster

    at_most = Limits(file_bytes=limits.picture_bytes, pixels=limits.picture_pixels)
    if picture:
        try:
            read = read_picture(
                path, name="image", at_most=PREVIEW_SIDE, limits=at_most
            )
        except PictureReadError:
            if not raster:
                raise
            # a change map takes larger files than a comparison, and further codecs
        else:
            return as_bytes(read.pixels), read.original_size
    return preview_raster(path, PREVIEW_SIDE, limits)


@cache
def _opened(name: ModelName) -> ImageModel:
    """A model, opened once in a process."""
    from geosim.images.models import open_model

    reason = _missing(name)
    if reason is not None:
        raise MissingDependencyError(reason)
    return open_model(name)


def _missing(name: str) -> str | None:
    """Why a model cannot be used without a download; None where it can."""
    if name in ("siamese", "ssim"):
        return None
    try:
        from geosim.siamese.backbones import is_downloaded
    except MissingDependencyError as error:
        return str(error)
    if is_downloaded(name):
        return None
    return (
        f"the weights of {name} are not on this machine; whoever runs the server "
        f"fetches them by comparing once with: geosim compare A B --model {name}"
    )


def _shown(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The second picture, grey where it shows nothing."""
    return as_bytes(np.where(valid, pixels, np.float32(0.6)))


def _text(pixels: NDArray[np.uint8], form: str) -> str:
    """A picture as base64."""
    stream = io.BytesIO()
    options = {"quality": _QUALITY} if form == "JPEG" else {}
    Image.fromarray(pixels).save(stream, form, **options)
    return base64.b64encode(stream.getvalue()).decode("ascii")
