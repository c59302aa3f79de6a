"""Pixels without data: what stands in for them, and that nothing depends on them."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geosim import ChangeOptions, detect_change, detect_series
from geosim.raster.gaps import without_gaps

NAN = np.float32(np.nan)

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def test_gaps_by_hand():
    values = np.array(
        [
            [NAN, 1, NAN, NAN, NAN, 5],
            [NAN, NAN, NAN, NAN, NAN, NAN],
            [NAN, NAN, NAN, NAN, NAN, NAN],
            [9, 8, 7, 6, 5, 4],
        ],
        np.float32,
    )
    found = without_gaps(np.stack([values, -values]), np.isfinite(values))
    wanted = np.array(
        [[1, 1, 1, 1, 5, 5], [1, 1, 1, 1, 5, 5], [9, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4]]
    )
    assert (found == np.stack([wanted, -wanted])).all()


def test_what_lies_too_far_is_not_taken():
    values = np.zeros((7, 8), np.float32)
    values[2, 2], values[2, 3] = 5, 7
    found = without_gaps(values[None], values > 0, 2)[0]
    wanted = np.zeros((7, 8))
    wanted[:5, :3], wanted[:5, 3:6] = 5, 7
    assert (found == wanted).all()


@given(masks, st.integers(0, 3), st.data())
def test_a_margin_of_the_reach_tells_what_the_whole_does(valid, reach, data):
    place = np.arange(1.0, valid.size + 1, dtype=np.float32).reshape(valid.shape)
    whole = without_gaps(place[None], valid, reach)[0]
    inner = []
    outer = []
    for length in valid.shape:
        first = data.draw(st.integers(0, length - 1))
        end = data.draw(st.integers(first + 1, length))
        start = max(first - reach, 0)
        outer.append(slice(start, end + reach))
        inner.append(slice(first - start, end - start))
    part = without_gaps(place[None][:, *outer], valid[*outer], reach)[0]
    core = tuple(
        slice(o.start + i.start, o.start + i.stop)
        for o, i in zip(outer, inner, strict=True)
    )
    assert (part[*inner] == whole[core]).all()


@given(masks, st.integers(0, 3))
def test_a_filter_beside_a_valid_pixel_meets_values_alone(valid, reach):
    found = without_gaps(np.ones((1, *valid.shape), np.float32), valid, reach)[0]
    for row, col in np.argwhere(valid):
        rows = slice(max(row - reach, 0), row + reach + 1)
        assert (found[rows, max(col - reach, 0) : col + reach + 1] == 1).all()


def test_nothing_to_fill_and_nothing_to_fill_with():
    values = np.full((2, 3, 4), 7, np.float32)
    assert without_gaps(values, np.ones((3, 4), bool)) is values
    assert (without_gaps(values, np.zeros((3, 4), bool)) == 0).all()


@given(masks)
def test_every_gap_has_the_value_of_a_valid_pixel_close_by(valid):
    place = np.arange(1.0, valid.size + 1, dtype=np.float32).reshape(valid.shape)
    found = without_gaps(np.where(valid, place, NAN)[None], valid)[0]
    if not valid.any():
        assert (found == 0).all()
        return
    assert np.isin(found, place[valid]).all()
    assert (found[valid] == place[valid]).all()
    for row, col in np.argwhere(~valid & valid.any(axis=1)[:, None]):
        there = np.flatnonzero(valid[row])
        from_col = int(found[row, col] - 1) - row * valid.shape[1]
        assert abs(from_col - col) == np.abs(there - col).min()


SOIL, FOREST, WATER = (
    np.array(values, np.float32)[:, None, None]
    for values in (
        (0.10, 0.14, 0.20, 0.26),
        (0.04, 0.07, 0.05, 0.35),
        (0.08, 0.06, 0.04, 0.02),
    )
)
"""Reflectances of blue, green, red and near infrared."""


def draw(path, nodata, *, lake, speck):
    """Soil, forest, a river; perhaps a lake of 60 x 60 px, and pixels without data."""
    pixels = np.empty((4, 256, 256), np.float32)
    pixels[:] = SOIL
    pixels[:, :70], pixels[:, :20] = FOREST, WATER
    if lake:
        pixels[:, 150:210, 130:190] = WATER
    noise = np.random.default_rng(lake).standard_normal(pixels.shape)
    pixels *= (1 + 0.03 * noise).astype(np.float32)
    pixels[:, 160:162, 122:124] = nodata if speck else pixels[:, 159:161, 122:124]
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    how = {"driver": "GTiff", "dtype": "float32", "crs": "EPSG:32633", "count": 4}
    size = {"height": 256, "width": 256, "transform": transform}
    with rasterio.open(path, "w", **how, **size, nodata=nodata) as file:
        file.write(pixels)
    return path


ROLES = "blue=1,green=2,red=3,nir=4"


NODATA = [float("nan"), -9999.0, float(np.finfo(np.float32).min)]


@pytest.mark.parametrize("nodata", NODATA)
def test_a_speck_without_data_changes_no_class_beside_it(tmp_path, nodata):
    pair = [
        draw(tmp_path / f"{lake}.tif", nodata, lake=lake, speck=True) for lake in (0, 1)
    ]
    options = ChangeOptions(method="cva", bands=ROLES, threads=1)
    changes = detect_change(*pair, tmp_path / "out", options).changes
    (lake,) = changes[changes["area_px"] > 1000].to_dict("records")
    assert (lake["class"], lake["from_class"]) == ("water_gain", "bare")
    assert lake["class_probability"] > 0.9
    assert lake["area_px"] == 3600


@pytest.mark.parametrize("nodata", NODATA)
def test_a_speck_without_data_changes_no_class_of_a_series(tmp_path, nodata):
    scenes = [
        draw(tmp_path / f"{year}.tif", nodata, lake=year > 2000, speck=year == 2002)
        for year in (2000, 2001, 2002)
    ]
    options = ChangeOptions(method="cva", bands=ROLES, threads=1)
    found = detect_series(scenes, tmp_path / "out", options).changes
    (lake,) = found[found["area_px"] > 1000].to_dict("records")
    assert lake["class"] == "water_gain"
