"""Maps that are many times longer than wide: pictures fine enough, cut into parts."""

import re

import numpy as np
import pytest
from affine import Affine
from rasters import UTM, texture, write_pair

from geosim import ChangeOptions, detect_change, remake_report
from geosim.publish.figure import Pin
from geosim.publish.record import GridRecord
from geosim.publish.strip import strip_html
from geosim.raster.grid import Grid
from geosim.scoring.gathering import preview_cell

PICTURES = {"before": ("1990", "data:b"), "after": ("2020", "data:a")}


def plain(width, height):
    """A grid without a CRS."""
    return GridRecord(
        wkt=None,
        crs=None,
        transform=(1, 0, 0, 0, -1, 0),
        width=width,
        height=height,
        resolution_m=None,
    )


@pytest.mark.parametrize(
    ("width", "height", "cell"),
    [
        (1400, 1400, 1),
        (1401, 900, 2),
        (8000, 8000, 6),
        (28_000, 8000, 20),  # 3.5 to 1: as ever
        (20_000, 100, 2),  # 16,000 px at most
        (100, 20_000, 2),
        (8000, 400, 2),  # as many pixels as a square of 1,400
        (100_000, 2000, 11),
    ],
)
def test_pictures_of_strips_keep_more(width, height, cell):
    grid = Grid(crs=None, transform=Affine.identity(), width=width, height=height)
    assert preview_cell(grid) == cell
    assert (width // cell) * (height // cell) <= 1400**2


@pytest.mark.parametrize("across", [True, False])
def test_a_strip_is_cut_into_parts_with_their_numbers(across):
    grid = plain(*((3200, 100) if across else (100, 3200)))
    places = [(0.1, 0.5), (0.3, 0.5), (0.99, 0.5)]
    pins = [
        Pin(number=number, x=long if across else short, y=short if across else long)
        for number, (long, short) in enumerate(places, start=1)
    ]
    page = strip_html(grid, PICTURES, pins)
    parts = page.split("<figure")[1:]
    assert len(parts) == 4  # 8 to 1 each
    numbers = [re.findall(r'class="pin[^>]*>(\d)<', part) for part in parts]
    assert numbers == [["1"], ["2"], [], ["3"]]
    edge = "left" if across else "top"
    assert f"800 to 1,600 px from the {edge}" in parts[1]
    position = "33.3333% 0" if across else "0 33.3333%"
    assert parts[1].count(f"background-position: {position}") == 2
    assert page.count("url(data:b)") == 1  # the picture once, whatever the parts


def test_other_maps_are_not_cut():
    assert strip_html(plain(900, 100), PICTURES, []) == ""
    assert strip_html(plain(100, 900), PICTURES, []) == ""


def test_the_report_of_a_strip(tmp_path):
    ground = (texture(3, 40, 1600) * 255).astype("uint8")
    after = ground.copy()
    after[:, 5:35, 1000:1060] = np.clip(ground[:, 5:35, 200:260] + 90.0, 0, 250)
    crs = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 5_400_000.0)
    pair = write_pair(tmp_path, ground, after, crs=UTM, transform=crs)
    options = ChangeOptions(method="cva", threshold=0.5)
    result = detect_change(*pair, tmp_path / "out", options)
    for _ in range(2):
        page = result.paths["report"].read_text()
        assert 'class="stage broad strip"' in page
        assert "The map in 5 parts" in page
        fourth = page.split('<figure class="part">')[4]
        assert "960\u00a0m to 1.281\u00a0km from the left" in fourth  # on the ground
        assert 'href="#change-1"' in fourth
        remake_report(tmp_path / "out")
