"""Polygons of a series: against scipy's labels, and how often the rasters are read."""

from collections import Counter
from operator import attrgetter

import numpy as np
import pytest
from affine import Affine
from scipy.ndimage import label

from geosim.raster.grid import Grid
from geosim.raster.writer import Layout, WorkRaster
from geosim.timeline import places
from geosim.timeline.deciding import RETURNS
from geosim.timeline.places import Maps, find_places

SHAPE = (70, 50)
SLUGS = ["", "loss", "gain", "loss", "gain"]
"""Two codes of each class."""


class Levels:
    """Probability of a comparison, from an array."""

    def __init__(self, values):
        self.values = values

    def probability(self, window):
        return self.values[window.row_off : window.row_end]


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Three dates after the first, random patches, gaps; the arrays and their maps."""
    monkeypatch.setattr(places, "STRIP_ROWS", 16)
    rng = np.random.default_rng(4)
    grid = Grid(crs=None, transform=Affine.identity(), width=SHAPE[1], height=SHAPE[0])
    patches = np.kron(rng.integers(0, 5, (3, 14, 10)), np.ones((5, 5), int))
    grain = rng.integers(1, 5, (3, *SHAPE))
    codes = np.where((patches > 0) & (rng.random((3, *SHAPE)) < 0.2), grain, patches)
    codes |= np.where((codes > 0) & (rng.random((3, *SHAPE)) < 0.3), RETURNS, 0)
    since = np.stack([np.full(SHAPE, date) for date in (1, 2, 3)])
    since[2, :, 20:] = 2  # bridged: date 3 against date 1
    arrays = {
        "codes": codes.astype(np.uint8),
        "since": since.astype(np.uint8),
        "last": np.broadcast_to(rng.integers(0, 4, SHAPE), (3, *SHAPE)).astype(
            np.uint8
        ),
        "sure": rng.integers(0, 255, (3, *SHAPE)).astype(np.uint8),
    }
    rasters = {}
    layout = Layout(dtype="uint8", nodata=255, bands=("a", "b", "c"))
    for name, values in arrays.items():
        rasters[name] = WorkRaster(tmp_path / name, grid, layout)
        for band, layer in enumerate(values, start=1):
            window = next(iter(places.strips(grid, SHAPE[0])))
            rasters[name].write(layer, window, band)
    levels = {
        pair: Levels(rng.integers(0, 255, SHAPE).astype(np.uint8))
        for pair in ((0, 1), (1, 2), (2, 3), (1, 3))
    }
    yield arrays, Maps(grid=grid, rasters=rasters, pairs=levels, slugs=SLUGS)
    for raster in rasters.values():
        raster.close()


KEYS = [
    (*pair, slug) for pair in ((0, 1), (1, 2), (1, 3), (2, 3)) for slug in SLUGS[1:3]
]


def by_hand(arrays, maps):
    """(key, pixels, mean and largest level, returning, code, sure) of each place."""
    for key in KEYS:
        before, date, slug = key
        codes = arrays["codes"][date - 1]
        kinds = codes & ~np.uint8(RETURNS)
        mask = np.isin(kinds, [n for n, one in enumerate(SLUGS) if one == slug])
        labels, count = label(mask & (arrays["since"][date - 1] == before + 1))
        levels = maps.pairs[before, date].values
        for number in range(1, count + 1):
            own = labels == number
            yield (
                key,
                int(own.sum()),
                levels[own].mean(),
                levels[own].max(),
                (arrays["last"][0][own] > date).mean(),
                (codes[own] >= RETURNS).mean(),
                np.bincount(kinds[own]).argmax(),
                arrays["sure"][date - 1][own].mean() / 254,
            )


def test_places_are_what_hangs_together_of_a_class_and_two_dates(drawn):
    _, maps = drawn
    found = find_places(maps, KEYS)
    assert [one.pixels for one in found] == sorted(p.pixels for p in found)[::-1]
    assert all(one.outline.area == one.pixels for one in found)
    figures = attrgetter(
        "pixels",
        "probability_mean",
        "probability_max",
        "later",
        "returning",
        "code",
        "sure",
    )
    rows = [(one.key, *figures(one)) for one in found]
    wanted = list(by_hand(*drawn))
    assert len(rows) == len(wanted) > 50

    def ordered(some):
        return sorted((*(round(float(v), 9) for v in row[1:]), *row[0]) for row in some)

    assert ordered(rows) == ordered(wanted)


def test_a_date_is_read_twice_however_many_classes_it_has(drawn, monkeypatch):
    _, maps = drawn
    read, reads = WorkRaster.read, Counter()

    def counted(raster, window, band):
        reads[raster.path.name, window.row_off, band] += 1
        return read(raster, window, band)

    monkeypatch.setattr(WorkRaster, "read", counted)
    find_places(maps, KEYS)
    of_dates = [times for (name, *_), times in reads.items() if name != "last"]
    assert max(of_dates) == 2
    assert {band for _, _, band in reads} == {1, 2, 3}


def test_keys_without_a_pixel_have_no_places(drawn):
    _, maps = drawn
    assert find_places(maps, []) == []
    assert find_places(maps, [(0, 2, "loss")]) == []
