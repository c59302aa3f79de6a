"""Folders of labelled pairs: A/ (date 1), B/ (date 2) and label/, names that match.

Both dates are read and normalised as the main job does it, so that training sees what
`geosim change` feeds to the network.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from geosim.errors import GeosimError, GridMismatchError, LabelError, OptionError
from geosim.options import MIN_TILE, ChangeOptions
from geosim.raster.grid import Grid, Window, pixel_offset, same_crs
from geosim.raster.scene import open_scene
from geosim.raster.source import one_line_errors, open_raster
from geosim.scoring.sampling import take_sample
from geosim.siamese.labelled import LabelledPair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.raster.scene import Scene

FOLDERS = ("A", "B", "label")
"""Where date 1, date 2 and the labels lie."""

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""Files that count; others are left alone."""

NUMBERED = (".png", ".tif", ".tiff")
"""Files whose numbers are as they were saved, so that they may be those of classes."""

UNLABELLED = 255
"""Beside 0 and 1: no answer, as in `change.tif`."""


def read_pairs(
    folder: Path, progress: Callable[[int], None] = lambda _: None
) -> list[LabelledPair]:
    """Read every labelled pair of a folder into memory.

    Args:
        folder: holds A/, B/ and label/.
        progress: called with 1 after each pair.

    Returns:
        The pairs, ordered by name.

    Raises:
        LabelError: a folder, a date or a label is missing, a label has other values or
            another size than it should or lies elsewhere, or no pixel of all labels
            changed.
        GeosimError: an image cannot be read, or the dates do not fit each other.
    """
    pairs, found = [], find_pairs(folder)
    ones = withholds(label for *_, label in found.values())
    for name, files in found.items():
        pairs.append(_read_pair(name, *files, ones=ones))
        progress(1)
    if not any(len(pair.places) for pair in pairs):
        raise LabelError(
            f"no label in '{folder / 'label'}' has a changed pixel; nothing can be "
            "learned from pairs without change alone"
        )
    return pairs


def find_pairs(folder: Path) -> dict[str, tuple[Path, Path, Path]]:
    """Files of date 1, date 2 and label by their common name.

    Raises:
        LabelError: a folder is missing or empty, or a pair lacks a file.
    """
    found: list[dict[str, Path]] = []
    for part in FOLDERS:
        if not (folder / part).is_dir():
            raise LabelError(
                f"'{folder}' wants the folders A (date 1), B (date 2) and label; "
                f"{part} is missing"
            )
        listed = sorted((folder / part).iterdir())
        found.append({p.stem: p for p in listed if p.suffix.lower() in SUFFIXES})
    names = sorted(set().union(*found))
    if not names:
        raise LabelError(
            f"'{folder}' holds no image in A, B and label; PNG, JPEG or GeoTIFF files "
            "with the same names are wanted"
        )
    for name in names:
        for part, files in zip(FOLDERS, found, strict=True):
            if name not in files:
                raise LabelError(
                    f"'{folder / part}' has no file for '{name}'; each pair wants one "
                    "file of the same name in A, B and label"
                )
    return {name: (found[0][name], found[1][name], found[2][name]) for name in names}


def withholds(labels: Iterable[Path]) -> bool:
    """Whether 255 means no answer in a set: a raster of it has both 1 and 255.

    Or numbers of classes. One label alone may not tell: where nothing changed there is
    no 1 beside the 255.
    """
    for path in labels:
        with suppress(GeosimError), open_raster(str(path)) as dataset:
            with one_line_errors(str(path)):
                values = dataset.read(1)
            if path.suffix.lower() in NUMBERED and has_classes(values, dataset.nodata):
                return True
            held = values[answered_in(values, dataset.nodata)]
            if (held == 1).any() and (held == UNLABELLED).any():
                return True
    return False


def answered_in(values: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """(H, W), False where a label holds its nodata value; 0 is "same" all the same."""
    if nodata is None or nodata == 0:
        return np.ones(values.shape, np.bool_)
    if np.isnan(nodata):
        return np.asarray(values == values)  # noqa: PLR0124 - false of NaN alone
    return np.asarray(values != nodata)


def has_classes(values: NDArray[np.generic], nodata: float | None) -> bool:
    """Whether a label has numbers of classes of change, beside 0, 1 and 255."""
    if not np.issubdtype(values.dtype, np.integer):
        return False
    held = np.unique(values[answered_in(values, nodata)])
    return bool((~np.isin(held, (0, 1, UNLABELLED))).any())


def _read_pair(
    name: str, before: Path, after: Path, label: Path, *, ones: bool
) -> LabelledPair:
    try:
        with open_scene(str(before), str(after)) as scene:
            images, valid = _normalised(scene)
            values, answered = _read_label(label, scene, ones=ones)
            metres = scene.grid.ground_resolution()
    except GeosimError as error:
        raise type(error)(f"pair '{name}': {error}") from error
    return LabelledPair(
        name=name,
        before=images[0].astype(np.float16),
        after=images[1].astype(np.float16),
        changed=values,
        valid=valid & answered,
        metres=metres,
    )


def _normalised(
    scene: Scene,
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Both dates (3, H, W) in 0..1, normalised with the main job's defaults."""
    grid = scene.grid
    if min(grid.width, grid.height) < MIN_TILE:
        raise GridMismatchError(
            f"at least {MIN_TILE} x {MIN_TILE} px that both dates share are wanted; "
            f"found {grid.width} x {grid.height}; give larger images"
        )
    fitted = take_sample(scene, ChangeOptions()).radiometry
    pair = scene.read(Window(0, 0, grid.width, grid.height))
    dates = fitted.apply(pair.before, pair.after, pair.valid)
    if len(dates[0]) not in (1, 3):
        raise OptionError(
            f"the network reads three bands or one; found {len(dates[0])}; write the "
            "wanted bands into files of their own"
        )
    return [np.broadcast_to(d, (3, *d.shape[1:])) for d in dates], pair.valid


def _read_label(
    path: Path, scene: Scene, *, ones: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What changed, and where the label has an answer, on the pair's common grid."""
    source = scene.before.grid
    with open_raster(str(path)) as dataset:
        size = (dataset.width, dataset.height)
        if size != (source.width, source.height):
            raise LabelError(
                f"the label is {size[0]} x {size[1]} px, date 1 is {source.width} x "
                f"{source.height} px; draw it on date 1's pixels"
            )
        own = Grid.of(dataset)
        same = same_crs(own.crs, source.crs) and pixel_offset(source, own) == (0, 0)
        if own.crs is not None and source.crs is not None and not same:
            raise LabelError(
                "a label on date 1's pixels is wanted; by its georeference it lies "
                "elsewhere; warp it onto them ('gdalwarp -r near'), or take the "
                "georeference out with 'gdal_edit.py -a_srs \"\" -unsetgt'"
            )
        with one_line_errors(str(path)):
            values = dataset.read(1)
        nodata = dataset.nodata
    # of the whole label: what 255 means depends on whether there is a 1 anywhere
    changed, answered = read_values(values, nodata, ones=ones)
    return (
        _on_grid(changed, source, scene.grid),
        _on_grid(answered, source, scene.grid),
    )


def read_values(
    values: NDArray[np.generic],
    nodata: float | None = None,
    *,
    ones: bool = False,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell what a label says.

    Args:
        values: (H, W): 0 same and 1 changed (255: no answer), or 0 same and 255
            changed.
        nodata: the value that the file declares as no answer.
        ones: whether a 1 stands elsewhere, in the label of which this is a part or,
            beside a 255, in another one of its set (`withholds`).

    Returns:
        (changed, answered), both (H, W).

    Raises:
        LabelError: other values.
    """
    answered = answered_in(values, nodata)
    kinds = set(np.unique(values[answered]).tolist())
    if not kinds <= {0, 1, UNLABELLED}:
        others = sorted(kinds - {0, 1, UNLABELLED})
        raise LabelError(
            "a label wants 0 (same) and 1 or 255 (changed); found "
            f"{', '.join(f'{value:g}' for value in others[:4])}"
            f"{' and more' if len(others) > 4 else ''}"  # noqa: PLR2004
            "; JPEG blurs labels, save them as PNG or GeoTIFF"
        )
    if ones or 1 in kinds:
        answered &= values != UNLABELLED
        return np.asarray(values == 1), answered
    return np.asarray(values == UNLABELLED) & answered, answered


def _on_grid(values: NDArray[np.bool_], source: Grid, grid: Grid) -> NDArray[np.bool_]:
    """The part of date 1's pixels that both dates share."""
    offset = ~source.transform @ grid.transform
    col, row = round(offset.c), round(offset.f)
    return values[row : row + grid.height, col : col + grid.width]
