"""Read the imagery that the shipped weights may be trained on, and split it.

Only imagery whose terms are open, and no label: UC Merced and NEON tiles; pairs of
dates of NEON, NAIP, Sentinel-2 (the images of OSCD's training cities) and Landsat. No
file below a folder `test`, and no file that holds a truth, is ever opened.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geosim.raster.radiometry import fit
from geosim.siamese.pairs import ImagePair, random_crop, single_image

FORBIDDEN = {"test", "label", "labels", "gt.tif", "label.tif"}
NEON_FIT = ("SJER_010", "SJER_012")
NEON_CHECK = ("SJER_015", "SJER_016")
OSCD_TRAIN = ("bercy", "bordeaux", "paris")
OSCD_FIT = ("rennes",)
OSCD_CHECK = ("aguasclaras",)
SMALLEST = 192
CROP = 256
SMALL_CROP = 192
"""Pixels; some of the open scenes are no larger."""
TENTHS = ("train",) * 8 + ("fit", "check")


class Split(NamedTuple):
    """Pairs by use; places do not cross from one to another, except where said."""

    train: list[ImagePair]
    """To learn from."""
    fit: list[ImagePair]
    """To stop the training by and to fit the head on."""
    check: list[ImagePair]
    """To check the calibration on."""


def open_imagery(folder: Path) -> Split:
    """Read everything there is below a folder."""
    split = Split([], [], [])
    for collect in (uc_merced, neon_tiles, neon_pairs, naip, sentinel_2, landsat):
        for use, pair in collect(folder):
            getattr(split, use).append(pair)
    return split


def uc_merced(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """Single images: of each class 80 % train, 10 % fit, 10 % check."""
    for group in sorted((folder / "tiles" / "uc_merced").glob("*/")):
        paths = sorted(group.glob("*.jpg"))
        for index, path in enumerate(paths):
            use = TENTHS[10 * index // len(paths)]
            image = read(path)
            if min(image.shape[1:]) >= SMALLEST:
                yield use, single_image(image, source="uc_merced")


def neon_tiles(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """Single images at 0.1 m, all to train."""
    for path in sorted((folder / "tiles" / "neon").glob("*.tif")):
        image = read(path)
        if image.dtype == np.uint8:
            yield "train", single_image(image, source="neon_tiles")


def neon_pairs(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """Two survey years at 0.1 m and, averaged, at 0.2 m.

    Their nodata value is 255, but what is white in these pairs is rock, not border.
    """
    root = folder / "neon_no_change"
    for path in sorted((root / "t1").glob("*.tif")):
        held = {**dict.fromkeys(NEON_FIT, "fit"), **dict.fromkeys(NEON_CHECK, "check")}
        use = held.get(path.stem, "train")
        for zoom in (1, 2):
            before, after = read(path, zoom), read(root / "t2" / path.name, zoom)
            pair = prepare_pair(
                before, after, source=f"neon_{zoom}0cm", metres=0.1 * zoom
            )
            yield use, pair


def naip(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """5 m: west and first dates to train, north-east to fit, south-east to check."""
    root = folder / "naip_north_dakota"
    years = sorted(path.stem for path in root.glob("*.tif"))
    dates = {year: read_on(root / f"{year}.tif", root / "2010.tif") for year in years}
    regions = {
        "train": (np.s_[:, :, :540], [("2010", "2014"), ("2014", "2016")]),
        "fit": (np.s_[:, :350, 570:], [("2010", "2014"), ("2016", "2019")]),
        "check": (np.s_[:, 370:, 570:], [("2010", "2014"), ("2016", "2019")]),
    }
    for use, (part, pairs) in regions.items():
        for first, second in pairs:
            both = (dates[first], dates[second])
            yield use, cut(pair_of(*both, source="naip", metres=5.0), part)


def sentinel_2(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """10 m, the two dates of OSCD's training cities."""
    held = {**dict.fromkeys(OSCD_FIT, "fit"), **dict.fromkeys(OSCD_CHECK, "check")}
    for city in (*OSCD_TRAIN, *OSCD_FIT, *OSCD_CHECK):
        paths = [folder / "oscd" / "train" / city / f"{t}.tif" for t in ("t1", "t2")]
        before, after = (read(path, bands=(3, 2, 1)) for path in paths)
        pair = prepare_pair(before, after, source="sentinel_2", metres=10.0)
        yield held.get(city, "train"), pair


def landsat(folder: Path) -> Iterator[tuple[str, ImagePair]]:
    """28.5 m and about 90 m. Peru's held-out half is the same in fit and check."""
    root = folder / "landsat_juelich_2001"
    names = ("t1_LS20010525.tif", "t2_LS20010626.tif")
    both = [read(root / name) for name in names]
    pair = pair_of(*both, source="juelich", metres=28.5)
    yield "train", cut(pair, np.s_[:, :540])
    yield "fit", cut(pair, np.s_[:, 560:770])
    yield "check", cut(pair, np.s_[:, 790:])
    root = folder / "peru_landsat_1985_2020"
    for use, first, second in (
        ("train", "1985", "1990"),
        ("train", "1995", "2000"),
        ("fit", "2005", "2010"),
        ("check", "2015", "2020"),
    ):
        dates = [read(root / f"{year}.tif") for year in (first, second)]
        pair = pair_of(*dates, source="peru", metres=90.0)
        yield use, cut(pair, np.s_[:, :, :420] if use == "train" else np.s_[:, :, 440:])


def read(path: Path, zoom: int = 1, bands: Sequence[int] = (1, 2, 3)) -> np.ndarray:
    """Read three bands, averaged over `zoom` pixels; refuse what holds a truth."""
    if FORBIDDEN & set(path.parts[-4:]):
        raise ValueError(f"{path} is for measuring only; it is never trained on")
    with rasterio.open(path) as dataset:
        shape = (len(bands), dataset.height // zoom, dataset.width // zoom)
        return dataset.read(list(bands), out_shape=shape, resampling=Resampling.average)


def read_on(path: Path, reference: Path) -> np.ndarray:
    """Read three bands on the grid of another file."""
    with rasterio.open(reference) as grid, rasterio.open(path) as dataset:
        options = {"crs": grid.crs, "transform": grid.transform}
        size = {"width": grid.width, "height": grid.height}
        with WarpedVRT(dataset, **options, **size, resampling=Resampling.bilinear) as v:
            return v.read([1, 2, 3])


def pair_of(
    before: np.ndarray, after: np.ndarray, *, source: str, metres: float
) -> ImagePair:
    """Make a pair; a pixel without data has 0 in all bands."""
    valid = ~((before == 0).all(0) | (after == 0).all(0))
    return prepare_pair(before, after, valid=valid, source=source, metres=metres)


def prepare_pair(
    before: np.ndarray,
    after: np.ndarray,
    *,
    source: str,
    metres: float,
    valid: np.ndarray | None = None,
) -> ImagePair:
    """Match the light of two dates (3, H, W) as `geosim change` does, both in 0..1.

    Pixels that are not valid (H, W) hold the mean of the others.
    """
    where = np.ones(before.shape[1:], bool) if valid is None else valid
    dates = before.astype(np.float32), after.astype(np.float32)
    light = fit(*(date[:, where] for date in dates), dtype=str(before.dtype))
    one, two = light.apply(*dates, where)
    return ImagePair(before=one, after=two, valid=where, source=source, metres=metres)


def cut(pair: ImagePair, part: tuple[slice, ...]) -> ImagePair:
    """Cut a part (bands, rows, columns) out of a pair."""
    return ImagePair(
        before=pair.before[part],
        after=pair.after[part],
        valid=pair.valid[part[1:]],
        source=pair.source,
        metres=pair.metres,
    )


def crops(pairs: list[ImagePair], count: int, seed: int) -> Iterator[np.ndarray]:
    """Batches (2, 3, crop, crop): the same number of each source, by chance."""
    rng = np.random.default_rng(seed)
    sources = sorted({pair.source for pair in pairs})
    for index in range(count):
        group = [p for p in pairs if p.source == sources[index % len(sources)]]
        first, second = (group[rng.integers(len(group))] for _ in range(2))
        both = [first] if first.two_dates else [first, second]
        fits = all(min(pair.valid.shape) >= CROP for pair in both)
        found = [random_crop(p, CROP if fits else SMALL_CROP, rng) for p in both]
        yield np.stack([found[0].before, found[-1].after])
