"""Find the labelled pairs of a folder and read their truth.

A set is a folder of one of these forms, anywhere below the folder given:

- `A/`, `B/` and `label/` with files of the same names; the label is 0 where nothing
  changed and 255 (or 1) where something did;
- a folder of folders, each with `t1.tif`, `t2.tif` and `label.tif`; the label is 0
  where nothing changed, 255 where nobody looked, else changed;
- a folder with `t1.tif`, `t2.tif` and `gt.tif`, which is as `label.tif`: a set of one;
- `t1/` and `t2/` with files of the same names in a folder whose name holds
  `no_change`: nothing changed anywhere.

Where a folder has a `test` folder, only that is read. Labels lie on the pixels of the
first date.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.windows import Window

from geosim.errors import GridMismatchError, NoDataError
from geosim.raster.source import plain_images_welcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

UNLABELLED = 255
_IMAGES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")

SZTAKI_CROP = (0, 0, 784, 448)
"""(col_off, row_off, width, height) that is published for SZTAKI AirChange."""

OSCD_FOUR = ("brasilia", "milano", "montpellier", "rio")
"""Cities of earlier figures: in the fifth the dates lie on different grids."""

NEON_HELD_OUT = ("SJER_010", "SJER_012", "SJER_015", "SJER_016")
"""Pairs without change that the shipped network was not trained on."""


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """Two dates and what changed between them."""

    name: str
    """Of the scene within its set."""
    before: Path
    """Date 1."""
    after: Path
    """Date 2."""
    label: Path | None
    """What changed; None: nothing did."""
    crop: tuple[int, int, int, int] | None = None
    """(col_off, row_off, width, height) that alone is looked at."""
    all_bands: bool = False
    """Whether the methods that can read any number of bands get all of them."""


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Scenes that are measured together."""

    name: str
    """As the table shows it."""
    pairs: tuple[LabelledPair, ...]
    """Its scenes."""

    @property
    def no_change(self) -> bool:
        """Whether nothing changed in any of its scenes."""
        return all(pair.label is None for pair in self.pairs)


def find_sets(data: Path) -> list[LabelledSet]:
    """All sets below a folder, by name.

    Raises:
        NoDataError: there is none.
    """
    found = [
        part
        for folder, pairs in _folders(data)
        for part in _arranged(_set_name(data, folder), tuple(pairs))
    ]
    if not found:
        raise NoDataError(
            "a folder with A/ B/ label/ or with t1.tif, t2.tif and label.tif (or "
            f"gt.tif) is wanted; found none in '{data}'; check the path"
        )
    return found


def _folders(data: Path) -> Iterator[tuple[Path, list[LabelledPair]]]:
    """Each folder that is a set, with its pairs."""
    for name, children, _ in os.walk(data):
        folder = Path(name)
        if "test" in children:
            children[:] = ["test"]
        children.sort()
        if pairs := _pairs_in(folder):
            yield folder, pairs


def _pairs_in(folder: Path) -> list[LabelledPair]:
    """The pairs of a folder, [] where it has none of the forms."""
    if all((folder / part).is_dir() for part in ("A", "B", "label")):
        return [
            LabelledPair(
                name=path.stem,
                before=path,
                after=folder / "B" / path.name,
                label=folder / "label" / path.name,
            )
            for path in _images(folder / "A")
        ]
    if "no_change" in folder.name and all((folder / t).is_dir() for t in ("t1", "t2")):
        return [
            LabelledPair(
                name=path.stem,
                before=path,
                after=folder / "t2" / path.name,
                label=None,
            )
            for path in _images(folder / "t1")
        ]
    if alone := _one_pair(folder, "gt.tif"):
        return [alone]
    inside = sorted(part for part in folder.iterdir() if part.is_dir())
    return [pair for part in inside if (pair := _one_pair(part, "label.tif"))]


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _IMAGES)


def _one_pair(folder: Path, label: str) -> LabelledPair | None:
    """The pair that a folder with `t1.tif` holds."""
    files = [folder / name for name in ("t1.tif", "t2.tif", label)]
    if not all(file.is_file() for file in files):
        return None
    before, after, truth = files
    return LabelledPair(name=folder.name, before=before, after=after, label=truth)


def _set_name(data: Path, folder: Path) -> str:
    """Where the set lies, without `test`."""
    parts = [part for part in folder.relative_to(data).parts if part != "test"]
    return "/".join(parts) or data.resolve().name


def _arranged(name: str, pairs: tuple[LabelledPair, ...]) -> list[LabelledSet]:
    """The set as it is published: crops, bands and parts of the sets known by name."""
    known = name.rsplit("/", maxsplit=1)[-1]
    if known == "sztaki":
        return [
            LabelledSet(name=p.name, pairs=(replace(p, crop=SZTAKI_CROP),))
            for p in pairs
        ]
    if known == "oscd":
        four = tuple(pair for pair in pairs if pair.name in OSCD_FOUR)
        return [_set(f"{name}, {len(pairs)} cities", pairs)] + [
            _set(f"{name}, {len(four)} cities", four)
            for _ in range(0 < len(four) < len(pairs))
        ]
    if known == "landsat_taizhou":
        return [_set(name, tuple(replace(pair, all_bands=True) for pair in pairs))]
    if known == "neon_no_change":
        held = tuple(pair for pair in pairs if pair.name in NEON_HELD_OUT)
        seen = tuple(pair for pair in pairs if pair.name not in NEON_HELD_OUT)
        parts = (f"{name}, held out", held), (f"{name}, trained on", seen)
        return [_set(part, scenes) for part, scenes in parts if scenes]
    return [_set(name, pairs)]


def _set(name: str, pairs: tuple[LabelledPair, ...]) -> LabelledSet:
    return LabelledSet(name=name, pairs=pairs)


def read_truth(
    pair: LabelledPair, size: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What changed, and where anyone looked.

    Args:
        pair: the pair, before it is cropped.
        size: (height, width) of its first date.

    Returns:
        (changed, labelled), each (height, width).

    Raises:
        GridMismatchError: the label has another size than the first date.
    """
    if pair.label is None:
        return np.zeros(size, np.bool_), np.ones(size, np.bool_)
    with plain_images_welcome(), rasterio.open(pair.label) as file:
        values: NDArray[np.generic] = file.read(1)
        nodata = file.nodata
    if values.shape != size:
        raise GridMismatchError(
            f"the label '{pair.label}' must have the {size[1]} x {size[0]} px of the "
            f"first date; it has {values.shape[1]} x {values.shape[0]} px"
        )
    if pair.label.parent.name == "label":
        # a picture: black and white, maybe with the grey of a lossy format between
        return values > (values.max() // 2), np.ones(size, np.bool_)
    labelled = values != UNLABELLED
    if nodata is not None and nodata != 0:
        labelled &= values != nodata
    return (values != 0) & labelled, labelled


def cropped(pair: LabelledPair, folder: Path) -> LabelledPair:
    """The pair's own crop as files of its own; the pair itself where it has none."""
    if pair.crop is None or pair.label is None:
        return pair
    window = Window(*pair.crop)
    parts = {"A": pair.before, "B": pair.after, "label": pair.label}
    for part, source in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        with plain_images_welcome():
            with rasterio.open(source) as file:
                values = file.read(window=window)
            profile = {"count": len(values), "dtype": values.dtype, "driver": "PNG"}
            size = {"height": values.shape[1], "width": values.shape[2]}
            parts[part] = folder / part / f"{pair.name}.png"
            with rasterio.open(parts[part], "w", **profile, **size) as out:
                out.write(values)
    return replace(
        pair, before=parts["A"], after=parts["B"], label=parts["label"], crop=None
    )
