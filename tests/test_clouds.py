"""Signs of cloud, shadow and haze, on drawn clouds."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasters import texture, write
from scipy.ndimage import gaussian_filter

from geosim import ChangeOptions, detect_change
from geosim.change.clouds import cloud_signs
from geosim.change.shadows import shadow_shares


def dark_ground(seed=1):
    """(3, 200, 240): textured ground of middling brightness."""
    return (0.15 + 0.35 * texture(3, 200, 240, seed)).astype(np.float32)


def clouded(image, share=0.08):
    """The image with soft white clouds over about a share of it."""
    noise = gaussian_filter(np.random.default_rng(3).standard_normal((200, 240)), 12)
    edge = np.quantile(noise, 1 - share)
    cover = np.clip((noise - edge) / (0.5 * noise.std()) + 0.5, 0.0, 1.0)
    return (image * (1 - cover) + 0.9 * cover).astype(np.float32)


VALID = np.ones((200, 240), bool)


@pytest.mark.parametrize("date", [0, 1])
def test_clouds_are_told_of_the_date_that_has_them(date):
    dates = [dark_ground(), dark_ground()]
    dates[date] = clouded(dates[date])
    signs = cloud_signs([(*dates, VALID)], metres=10.0)
    assert signs[date].cloudy
    assert 0.03 < signs[date].share < 0.12
    assert not signs[1 - date].cloudy
    assert not any(sign.hazy for sign in signs)


def shade(share=0.1, deepest=0.5):
    """(height, width) part of the light that is left under clouds."""
    noise = gaussian_filter(np.random.default_rng(5).standard_normal((200, 240)), 12)
    edge = np.quantile(noise, 1 - share)
    cover = np.clip((noise - edge) / (0.5 * noise.std()) + 0.5, 0.0, 1.0)
    return (1 - (1 - deepest) * cover).astype(np.float32)


@pytest.mark.parametrize("date", [0, 1])
@pytest.mark.parametrize("season", [1.0, 0.7])
def test_shadows_are_told_of_the_date_that_has_them(date, season):
    dates = [dark_ground(), season * dark_ground()]
    dates[date] = dates[date] * shade()
    shares = shadow_shares([(*dates, VALID)], metres=10.0)
    assert 0.03 < shares[date] < 0.12
    assert shares[1 - date] == 0


@pytest.mark.parametrize("what", ["nothing", "water", "burnt", "plough", "narrow"])
def test_what_is_dark_for_another_reason_is_no_shadow(what):
    before = dark_ground()
    after = before.copy()
    cover = shade() < 0.75
    if what == "water":  # dark, and nothing of the ground is left
        after[:, cover] = dark_ground(9)[:, cover] * 0.3
    if what == "burnt":  # the bands do not lose alike
        left = np.reshape([0.4, 0.55, 0.95], (3, 1, 1))
        after = np.where(cover, after * left, after)
    if what == "plough":  # a field with its edges
        after[:, 50:150, 50:150] *= 0.5
    if what == "narrow":
        after[:, ::20] *= 0.5
    assert shadow_shares([(before, after.astype(np.float32), VALID)], 10.0) == (0, 0)


def test_no_shadow_where_there_is_nothing_to_look_at():
    assert shadow_shares([], None) == (0, 0)
    empty = np.zeros((200, 240), bool)
    assert shadow_shares([(dark_ground(), dark_ground(), empty)], 30.0) == (0, 0)
    flat = np.full((3, 200, 240), 0.4, np.float32)
    assert shadow_shares([(flat, flat * shade(), VALID)], 10.0) == (0, 0)


def test_a_run_tells_of_shadows(tmp_path):
    ground, place = dark_ground(), Affine(10, 0, 500_000, 0, -10, 5_400_000)
    paths = [
        write(
            tmp_path / f"{year}.tif",
            np.rint(255 * values).astype(np.uint8),
            transform=place,
        )
        for year, values in ((2020, ground), (2021, ground * shade()))
    ]
    result = detect_change(*paths, tmp_path / "out", ChangeOptions(method="cva"))
    (said,) = [note for note in result.record.notes if "shadow" in note]
    assert said.startswith("The image of after")


def test_what_is_masked_is_no_cloud():
    before, after = dark_ground(), clouded(dark_ground())
    valid = np.abs(after - before).max(axis=0) < 0.05
    assert not cloud_signs([(before, after, valid)], metres=10.0)[1].cloudy


def test_haze():
    before = dark_ground()
    after = (0.7 * before + 0.3 * 0.95).astype(np.float32)
    first, second = cloud_signs([(before, after, VALID)], metres=10.0)
    assert second.hazy
    assert not first.hazy
    assert second.haze == pytest.approx(-first.haze)


@pytest.mark.parametrize("what", ["nothing", "season", "roofs", "field", "soil"])
def test_clear_pairs_are_not_warned_of(what):
    before = dark_ground()
    after = before.copy()
    if what == "season":
        after = np.clip(after * 1.2 + 0.02, 0, 1)
    if what == "roofs":  # bright and colourless, but small
        for row in range(10, 190, 20):
            for col in range(10, 230, 20):
                after[:, row : row + 4, col : col + 4] = 0.9
    if what == "field":  # large, but coloured
        after[:, 50:150, 50:150] = np.reshape([0.7, 0.6, 0.35], (3, 1, 1))
    if what == "soil":  # large and pale, but its edges are sharp
        after[:, 50:150, 50:150] = 0.8
    signs = cloud_signs([(before, after.astype(np.float32), VALID)], metres=10.0)
    assert not any(sign.cloudy or sign.hazy for sign in signs)


def test_nothing_to_look_at():
    signs = cloud_signs([], metres=None)
    assert [(sign.share, sign.haze) for sign in signs] == [(0.0, 0.0)] * 2
    empty = np.zeros((200, 240), bool)
    signs = cloud_signs([(dark_ground(), dark_ground(), empty)], metres=30.0)
    assert not any(sign.cloudy or sign.hazy for sign in signs)


@pytest.mark.parametrize(("declared", "told"), [(True, False), (False, True)])
def test_counts_of_another_offset_are_no_haze(tmp_path, declared, told):
    """As Sentinel-2's of before and after 2022, where the files declare it."""
    ground = np.rint(4000 * dark_ground()).astype(np.uint16)
    paths = []
    for name, added in (("2020", 0), ("2023", 1000)):
        paths.append(write(tmp_path / f"{name}.tif", ground + np.uint16(added)))
        if declared:
            with rasterio.open(paths[-1], "r+") as file:
                file.scales, file.offsets = (1e-4,) * 3, (-added * 1e-4,) * 3
    result = detect_change(*paths, tmp_path / "out", ChangeOptions(method="cva"))
    seen = [note for note in result.record.notes if "haz" in note or "cloud" in note]
    assert bool(seen) == told
