"""Where a scene is sampled: over all of it, or over what has data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasters import drawn_pair, texture, write_pair

from geosim.options import ChangeOptions
from geosim.pipeline import detect_change
from geosim.raster.scene import open_scene
from geosim.scoring.sample_windows import spread_cells, valid_pairs
from geosim.scoring.sampling import take_sample


def in_a_corner(folder, patch, at, size):
    """Two dates with data in a small part of a large raster, 0 elsewhere."""
    dates = []
    for values in patch:
        whole = np.zeros((len(values), *size), values.dtype)
        whole[:, at[0] : at[0] + values.shape[1], at[1] : at[1] + values.shape[2]] = (
            values
        )
        dates.append(whole)
    return write_pair(folder, *dates, nodata=0, compress="deflate", tiled=True)


def test_one_pixel_in_a_window_is_no_sample(tmp_path):
    """The window of columns 1498 to 1754 and rows 0 to 256 meets the data by one."""
    patch = drawn_pair(height=600, width=480)
    paths = in_a_corner(tmp_path, patch, (255, 1753), (3000, 4000))
    with open_scene(*map(str, paths)) as scene:
        sample = take_sample(scene, ChangeOptions(threads=1))
    assert sample.before.shape == (3, 600 * 480)
    assert sample.shift is not None
    assert sum(int(piece.valid.sum()) for piece in sample.pieces) > 100_000


@pytest.mark.parametrize("method", ["cva", "irmad"])
def test_nothing_around_the_data_changes_the_map(tmp_path, method):
    patch = drawn_pair(height=600, width=480)
    (tmp_path / "small").mkdir()
    options = ChangeOptions(method=method, threads=1)
    large = detect_change(
        *in_a_corner(tmp_path, patch, (255, 1753), (3000, 4000)),
        tmp_path / "large_out",
        options=options,
    )
    small = detect_change(
        *write_pair(tmp_path / "small", *patch), tmp_path / "small_out", options=options
    )
    found, wanted = (one.record.areas.changed_px for one in (large, small))
    assert wanted > 1000
    assert found == pytest.approx(wanted, rel=0.03)


def test_windows_are_spread_over_all_that_has_data(tmp_path):
    """Between the rows of all usual windows, 256 and 718, lie 1.8 million pixels."""
    patch = (texture(1, 440, 4000) * 255).astype(np.uint8)
    paths = in_a_corner(tmp_path, (patch, patch), (265, 500), (6000, 6000))
    with open_scene(*map(str, paths)) as scene:
        found = valid_pairs(scene)
    assert len(found) == 24
    rows = [pair.window.row_off for pair in found]
    cols = [pair.window.col_off for pair in found]
    assert set(rows) == {265, 512}
    assert min(cols) < 1000
    assert max(cols) > 3800
    assert all(pair.valid.any(axis=axis).all() for pair in found for axis in (0, 1))


def test_four_times_as_many_windows_before_all_is_read(tmp_path):
    """Columns 500 to 900: in a gap of the 24 windows, not of the 96."""
    patch = (texture(1, 6000, 400) * 255).astype(np.uint8)
    paths = in_a_corner(tmp_path, (patch, patch), (0, 500), (6000, 6000))
    with open_scene(*map(str, paths)) as scene:
        found = valid_pairs(scene)
    assert {pair.window.col_off for pair in found} == {638}
    assert {pair.window.row_off for pair in found} == set(range(0, 6000, 718))


def test_windows_with_enough_data_stay_where_they_are(tmp_path):
    """At the corners of the scene, and evenly between them."""
    patch = (texture(1, 1300, 1400) * 255).astype(np.uint8)
    with open_scene(*map(str, write_pair(tmp_path, patch, patch))) as scene:
        found = valid_pairs(scene)
    assert {pair.window.col_off for pair in found} == {0, 286, 572, 858, 1144}
    assert {pair.window.row_off for pair in found} == {0, 348, 696, 1044}


def test_cells_by_hand():
    """Of 8 px in 4 cells each fourth: the 3rd and the 7th, along the curve Z."""
    counts = np.array([[1, 1], [2, 4]])
    assert spread_cells(counts, wanted=0, fewest=2, most=9) == [(1, 0), (1, 1)]


def test_few_cells_are_all_taken():
    counts = np.array([[0, 3, 0], [1, 0, 0]])
    assert spread_cells(counts, wanted=4, fewest=5, most=9) == [(0, 1), (1, 0)]
    assert spread_cells(np.zeros((3, 3), np.int64), 4, 5, 9) == []


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1)
)
def test_enough_or_all_there_are(rows, cols, seed, empty):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 50, (rows, cols))
    counts[rng.random(counts.shape) < empty] = 0
    chosen = spread_cells(counts, wanted=300, fewest=4, most=32)
    held = sum(counts[cell] for cell in chosen)
    with_data = int((counts > 0).sum())
    assert len(set(chosen)) == len(chosen) <= 32
    assert all(counts[cell] for cell in chosen)
    assert held >= 300 or len(chosen) == with_data or len(chosen) > 10
