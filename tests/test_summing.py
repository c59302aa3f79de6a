"""Objects of a series: small ones go, parts that are not sure take what is beside.

Of a square in another class a majority in 5 x 5 px takes the 12 pixels at its corners
(3 at each: 9, 12 and 12 of 25 are too few); the rest of it is one part.
"""

import numpy as np
import pytest
from affine import Affine

from geosim.option_values import MinArea
from geosim.raster.grid import Grid
from geosim.raster.writer import Layout, WorkRaster
from geosim.timeline.deciding import RETURNS
from geosim.timeline.summing import clean

SLUGS = ["", "built_up_gain", "water_gain", "bare_or_mining"]
TOWN, POND, PIT = 1, 2, 3
CORNERS = 12


def cleaned(folder, codes, sure, smallest=50):
    """`clean` on a series of two dates: codes and confidences (0..1) after it."""
    height, width = codes.shape
    grid = Grid(crs=None, transform=Affine.identity(), width=width, height=height)
    rasters = []
    for name, values in (("codes", codes), ("sure", np.rint(254 * sure))):
        layout = Layout(dtype="uint8", nodata=255, bands=("2000",))
        rasters.append(WorkRaster(folder / name, grid, layout))
        rasters[-1].write(values, grid.window, 1)
    ticks = []
    clean(
        grid, *rasters, 2, MinArea(value=smallest, unit="px"), SLUGS, ticks.append
    )  # fmt: skip
    assert sum(ticks) == height * width
    found = [raster.read(grid.window, 1) for raster in rasters]
    for raster in rasters:
        raster.close()
    return found[0], found[1] / 254


def town_with(kind, side, how_sure):
    """A new town, 40 x 40 px and half sure, with a square of another class in it."""
    codes, sure = np.zeros((60, 60), np.uint8), np.zeros((60, 60))
    codes[10:50, 10:50], sure[10:50, 10:50] = TOWN, 0.5
    square = slice(20, 20 + side), slice(25, 25 + side)
    codes[square], sure[square] = kind, how_sure
    return codes, sure


@pytest.mark.parametrize(
    ("kind", "side", "how_sure", "kept"),
    [
        # 81 - 12 = 69 px, of which 69 * 0.9 = 62 are expected to be water: a pond
        (POND, 9, 0.9, True),
        # 69 * 0.7 = 48: too few for 50 px
        (PIT, 9, 0.7, False),
        # 144 - 12 = 132 px, 132 * 0.4 = 53: as unsure, but large
        (PIT, 12, 0.4, True),
        # 52 px that are sure of it; 37 px that are
        (POND, 8, 1.0, True),
        (POND, 7, 1.0, False),
    ],
)
def test_a_part_is_as_large_as_it_is_sure(tmp_path, kind, side, how_sure, kept):
    codes, sure = town_with(kind, side, how_sure)
    found, _ = cleaned(tmp_path, codes, sure)
    assert ((found > 0) == (codes > 0)).all()
    assert (found == kind).sum() == (side**2 - CORNERS if kept else 0)


def test_what_is_given_a_class_is_not_sure_of_it(tmp_path):
    codes, sure = town_with(PIT, 9, 0.7)
    codes[20:24, 25:34] |= RETURNS
    found, levels = cleaned(tmp_path, codes, sure)
    given = (codes & ~np.uint8(RETURNS)) == PIT
    assert (levels[given] == 0).all()
    assert levels[~given & (codes > 0)] == pytest.approx(0.5)
    # what is taken back later stays so, whatever its class
    assert ((found & RETURNS) == (codes & RETURNS)).all()


def test_objects_of_unsure_parts_stay_whole_in_the_class_expected_most(tmp_path):
    codes, sure = np.zeros((20, 20), np.uint8), np.zeros((20, 20))
    # 100 px that are hardly sure, 20 expected; 60 px that are, 42 expected
    codes[2:12, 2:12], sure[2:12, 2:12] = PIT, 0.2
    codes[2:12, 12:18], sure[2:12, 12:18] = POND, 0.7
    found, _ = cleaned(tmp_path, codes, sure)
    assert (found[codes > 0] == POND).all()


def test_objects_below_the_smallest_go_however_sure(tmp_path):
    codes, sure = np.zeros((20, 20), np.uint8), np.ones((20, 20))
    codes[2:9, 2:9], codes[11:19, 2:9] = POND, PIT
    found, _ = cleaned(tmp_path, codes, sure)
    assert (found[:10] == 0).all()
    assert (found[10:] == codes[10:]).all()
