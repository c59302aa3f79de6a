"""Pictures of the report out of the sums of the two passes."""

import base64
import io
import json
import re
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image
from shapely import Polygon, box

from geosim.delivering.reporting import (
    _mask,
    changed_places,
    coarser,
    in_strips,
    report_pictures,
)
from geosim.publish.pictures import surroundings


def found(means, levels):
    """What `report_pictures` reads: two pixels per cell, so sums are twice the mean."""
    valid = np.isfinite(means[0]) * 2.0
    return SimpleNamespace(
        scan=SimpleNamespace(
            preview=SimpleNamespace(
                sums=np.concatenate([valid[None], np.nan_to_num(means) * 2])
            )
        ),
        decision=SimpleNamespace(
            preview=SimpleNamespace(
                sums=np.stack([valid, levels * valid, valid * (levels > 127)])
            )
        ),
    )


def test_one_stretch_for_both_dates_and_nodata_is_told():
    means = np.full((6, 40, 50), 0.5)
    means[:3, :, :25] = 0.1  # date 1, left
    means[3:, :, 25:] = 0.9  # date 2, right
    means[:, 0, 0] = np.nan
    pictures = report_pictures(found(means, np.full((40, 50), 254.0)))
    assert pictures.before.shape == (40, 50, 3)
    assert pictures.before[5, 5].tolist() == [0, 0, 0]
    assert pictures.before[5, 30].tolist() == pictures.after[5, 5].tolist()
    assert 120 <= pictures.after[5, 5, 0] <= 135
    assert pictures.after[5, 30].tolist() == [255, 255, 255]
    assert pictures.probability[5, 5] == 1.0
    assert np.isnan(pictures.probability[0, 0])
    assert pictures.decision[0, 0] == 255
    assert pictures.decision[5, 5] == 1


def test_the_stretch_of_a_large_picture_is_from_a_sample():
    means = np.random.default_rng(2).uniform(0.2, 0.8, (6, 900, 1300))
    pictures = report_pictures(found(means, np.zeros((900, 1300))))
    shares = [(pictures.before == end).mean() for end in (0, 255)]
    assert all(0.002 < share < 0.012 for share in shares)


def test_pixels_without_data_are_grey_not_black():
    means = np.full((6, 4, 4), 0.5)
    means[:, 0, 0] = np.nan
    pictures = report_pictures(found(means, np.zeros((4, 4))))
    assert pictures.before[0, 0].tolist() == [200, 200, 200]


def staircase(steps):
    """A triangle of pixels: n(n + 1)/2 of them."""
    corners = [(0, 0)]
    for step in range(steps):
        corners += [(steps - step, step), (steps - step, step + 1)]
    return Polygon([*corners, (0, steps)])


def test_coarser_outlines_have_few_corners_and_about_the_same_area():
    shape = staircase(1000)
    (simple,) = coarser([shape], 8)
    assert shapely.get_num_coordinates(shape) > 2000
    assert shapely.get_num_coordinates(simple) < 20
    assert simple.area == pytest.approx(shape.area, rel=0.01)
    tiny = box(3, 3, 5, 5)
    assert coarser([tiny], 8) == [tiny]
    assert coarser([shape], 1) == [shape]


def test_a_mask_is_the_part_of_the_outline_in_the_square():
    hole = Polygon(
        box(10, 10, 40, 30).exterior.coords, [box(12, 12, 20, 20).exterior.coords]
    )
    mask = _mask(hole, (8, 8, 20), 1)
    wanted = np.zeros((20, 20), bool)
    wanted[2:, 2:] = True
    wanted[4:12, 4:12] = False
    assert (mask.astype(bool) == wanted).all()
    # two pixels of the grid to one of the picture
    assert (_mask(box(10, 10, 20, 28), (0, 0, 40), 2) == 1).sum() == 5 * 9


def test_chips_show_each_change_in_detail(sample_result):
    """The chip of a change has its outline where the polygon lies."""
    page = sample_result.paths["report"].read_text(encoding="utf-8")
    known = json.loads(re.search(r'id="content">(.*?)</script>', page, re.DOTALL)[1])
    grid = sample_result.record.grid
    for change in known["changes"]:
        drawn = np.ones((240, 240), bool)  # on both dates: the outline, no roof
        for date in (0, 1):
            uri = re.search(rf'data-chip="{change["id"]}-{date}" src="([^"]+)"', page)[
                1
            ]
            data = base64.b64decode(uri.partition(",")[2])
            with Image.open(io.BytesIO(data)) as file:
                chip = np.asarray(file.convert("RGB"), int)
            drawn &= np.abs(chip - [216, 27, 96]).max(axis=-1) < 50
        left, top, side = surroundings(change["window"], grid.width, grid.height)
        change_map = sample_result.read("change", (left, top, side, side))["change"]
        rows, cols = np.nonzero(drawn)
        assert len(rows) > 50
        # every point of the outline lies beside a pixel that changed
        scale = side / 240
        near = [
            change_map[
                max(0, int((r - 3) * scale)) : int((r + 4) * scale) + 1,
                max(0, int((c - 3) * scale)) : int((c + 4) * scale) + 1,
            ].max()
            for r, c in zip(rows, cols, strict=True)
        ]
        assert np.mean(near) > 0.9


def test_the_largest_of_all_classes_are_listed_with_their_class():
    frame = gpd.GeoDataFrame(
        {
            "area_px": [50, 60],
            "area_m2": [np.nan, np.nan],
            "class": ["forest_loss", None],
        },
        geometry=[box(0, 0, 1, 1)] * 2,
    )
    places = changed_places(frame)
    assert [place.kind for place in places] == ["forest_loss", "changed"]
    assert [place.size for place in places] == [50, 60]
    assert places[0].area_m2 is None


def test_a_shape_of_many_corners_is_drawn_in_strips_as_in_one():
    shape = staircase(1500)
    strips = in_strips(shape, 1)
    assert len(strips) > 40
    assert sum(strip.area for strip in strips) == shape.area
    mask = _mask(shape, (0, 0, 1500), 1)
    rows, cols = np.indices(mask.shape)
    assert (mask.astype(bool) == (rows + cols < 1500)).all()
