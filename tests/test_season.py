"""Season taken out of change: fields and water, not forest, houses or roads."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from geosim import ChangeOptions, detect_change
from geosim.themes.season import (
    CALM,
    SEASON_METRES,
    rim_reach,
    season_share,
    without_season,
)
from geosim.themes.tones import Tones

SIDE = 48
COVERS = {  # reflectances in red, green, near infrared
    "crop": (0.05, 0.09, 0.42),
    "soil": (0.20, 0.15, 0.26),
    "forest": (0.025, 0.035, 0.30),
    "bare forest": (0.035, 0.03, 0.16),
    "clear water": (0.02, 0.04, 0.01),
    "muddy water": (0.10, 0.12, 0.06),
    "dry soil": (0.24, 0.20, 0.28),
    "concrete": (0.30, 0.29, 0.31),
    "snow": (0.8, 0.82, 0.75),
}
ROLES = ("red", "green", "nir")


def ground(name, rough=0.0, seed=0):
    """One cover everywhere; rough: relative spread of its brightness."""
    noise = 1 + rough * np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    return {
        role: np.float32(value) * noise.astype(np.float32)
        for role, value in zip(ROLES, COVERS[name], strict=True)
    }


def tones(dark=0.03):
    return Tones(
        gain=np.ones(3, np.float32),
        offset=np.zeros(3, np.float32),
        kind="reflectance",
        dark=dark,
    )


def share(before, after):
    return season_share(before, after, (tones(), tones()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("crop", "soil"),
        ("soil", "crop"),
        ("clear water", "muddy water"),
        ("muddy water", "clear water"),
    ],
)
def test_fields_and_waters_that_look_different_are_season(before, after):
    assert share(ground(before), ground(after)).min() > 0.9


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("forest", "soil"),  # cleared
        ("bare forest", "soil"),  # cleared in winter
        ("forest", "crop"),
        ("soil", "forest"),  # grown
        ("crop", "clear water"),  # a river that moved
        ("muddy water", "soil"),
        ("snow", "soil"),  # a glacier that melted
        ("dry soil", "concrete"),  # green on neither date
    ],
)
def test_what_became_something_else_is_no_season(before, after):
    assert share(ground(before), ground(after)).max() < 0.1


def test_houses_built_on_a_field_are_no_season():
    built = ground("concrete", rough=0.3)
    assert share(ground("crop"), built).max() < 0.05


def test_a_road_of_three_pixels_stays_and_a_track_of_one_goes_with_its_field():
    before, after = ground("crop"), ground("soil")
    for role, value in zip(ROLES, COVERS["concrete"], strict=True):
        after[role][:, 10] = value
        after[role][:, 30:33] = value
    found = share(before, after)
    assert found[:, 10].min() > 0.9
    assert found[:, 31].max() < 0.1
    assert found[:, 20].min() > 0.9


def test_rims_are_season_as_far_as_the_score_was_smoothed():
    before, after = ground("crop"), ground("soil")
    for date in (before, after):
        for role, value in zip(ROLES, COVERS["concrete"], strict=True):
            date[role][:, 24:] = value
    alone = share(before, after)
    with_rims = season_share(before, after, (tones(), tones()), 2.0)
    assert alone[:, :24].min() > 0.9
    assert alone[:, 24:].max() < 0.05
    # the part of a Gaussian of 2 px from 0.5, 1.5, 4.5 px beside its middle on
    assert with_rims[20, [24, 25, 28]] == pytest.approx(
        [0.4013, 0.2266, 0.0122], abs=0.05
    )
    assert with_rims[:, 24 + rim_reach(2.0) :].max() < 0.05
    assert (with_rims >= alone).all()


def test_the_rim_of_a_water_that_widened_is_no_season():
    before, after = ground("dry soil"), ground("dry soil")
    for date, width, name in (
        (before, 24, "clear water"),
        (after, 27, "muddy water"),
    ):
        for role, value in zip(ROLES, COVERS[name], strict=True):
            date[role][:, :width] = value
    found = season_share(before, after, (tones(), tones()), 2.0)
    assert found[:, :24].min() > 0.9
    assert found[:, 24:27].max() < 0.1


def test_log_odds_shrink_towards_calm_by_the_share():
    probability = np.array([0.03, CALM, 0.5, 0.5, 0.5, 0.9], np.float32)
    by = np.array([1.0, 1.0, 0.0, 0.5, 1.0, 1.0], np.float32)
    # halfway between the log odds of 0.06 (-2.7515) and of 0.5 (0): -1.3758
    wanted = [0.03, CALM, 0.5, 1 / (1 + np.exp(1.37577)), CALM, CALM]
    assert without_season(probability, by) == pytest.approx(wanted, abs=1e-5)


def test_the_order_of_probabilities_is_kept():
    probability = np.linspace(0, 1, 101, dtype=np.float32)
    for by in (0.0, 0.3, 0.9, 1.0):
        found = without_season(probability, np.full(101, by, np.float32))
        assert (np.diff(found) >= -1e-6).all()
        assert (found <= probability + 1e-6).all()


def write(path, layers, metres, names):
    layout = {
        "driver": "GTiff",
        "height": layers[0].shape[0],
        "width": layers[0].shape[1],
        "count": len(layers),
        "dtype": "uint16",
        "crs": "EPSG:32631",
        "transform": Affine(metres, 0, 500_000, 0, -metres, 5_400_000),
    }
    with rasterio.open(path, "w", **layout) as file:
        for number, (layer, name) in enumerate(zip(layers, names, strict=True), 1):
            file.write(np.rint(np.clip(layer, 0, 1) * 10_000).astype("uint16"), number)
            file.set_band_description(number, name)


def farmland(seed):
    """Rough ground, a forest (left), a town with fields that stay (below)."""
    rng = np.random.default_rng(seed)
    drawn = {role: np.empty((320, 320), np.float32) for role in (*ROLES, "blue")}

    def fill(place, name, rough):
        size = drawn["red"][place].shape
        tone = 1 + rough * rng.normal(size=size)
        for role, value in zip(ROLES, COVERS[name], strict=True):
            drawn[role][place] = value * tone
        drawn["blue"][place] = drawn["red"][place] * 0.8

    fill(np.s_[:, :], "crop", 0.25)
    fill(np.s_[220:, :], "concrete", 0.3)
    fill(np.s_[240:310, 20:140], "soil", 0.01)
    fill(np.s_[240:310, 170:310], "crop", 0.01)
    fill(np.s_[60:140, 40:120], "forest", 0.04)
    return drawn, fill


FIELD, FOREST = np.s_[70:130, 200:260], np.s_[70:130, 50:110]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """By pixel size: a pair whose field was ploughed and whose forest was cleared."""
    folder = tmp_path_factory.mktemp("farmland")
    made = {}
    for metres in (10.0, 1.0):
        drawn, fill = farmland(1)
        fill(np.s_[60:140, 190:270], "crop", 0.01)
        names = folder / f"{metres:g}_1.tif", folder / f"{metres:g}_2.tif"
        order = ("red", "green", "blue", "nir")
        write(names[0], [drawn[role] for role in order], metres, order)
        fill(np.s_[60:140, 190:270], "soil", 0.01)
        fill(np.s_[60:140, 40:120], "soil", 0.02)
        write(names[1], [drawn[role] for role in order], metres, order)
        made[metres] = names
    return made


def changed(pair, out, **options):
    result = detect_change(*pair, out, ChangeOptions(threads=1, **options))
    return result.read("change")["change"] == 1, result


def test_a_run_finds_the_clearing_and_not_the_ploughing(pairs, tmp_path):
    found, result = changed(pairs[10.0], tmp_path / "auto")
    assert found[FOREST].mean() > 0.9
    assert found[FIELD].mean() < 0.02
    assert any("--season keep" in note for note in result.record.notes)


def test_where_the_infrared_has_no_data_nothing_is_season(pairs, tmp_path):
    names = []
    for path in pairs[10.0]:
        names.append(tmp_path / path.name)
        with rasterio.open(path) as file:
            layers, profile = file.read().astype(np.float32), file.profile
            roles = file.descriptions
        layers[3, :, 170:] = -9999.0
        profile.update(dtype="float32", nodata=-9999.0)
        with rasterio.open(names[-1], "w", **profile) as file:
            file.write(layers)
            file.descriptions = roles
    found, result = changed(names, tmp_path / "gap")
    assert found[FOREST].mean() > 0.9
    assert found[FIELD].mean() > 0.9
    assert any("no class can be told" in note for note in result.record.notes)


def test_keep_finds_both(pairs, tmp_path):
    found, result = changed(pairs[10.0], tmp_path / "keep", season="keep")
    assert found[FOREST].mean() > 0.9
    assert found[FIELD].mean() > 0.9
    assert not any("season" in note for note in result.record.notes)


def test_pixels_too_fine_to_tell_fields_from_roofs_are_left_alone(pairs, tmp_path):
    assert not SEASON_METRES[0] <= 1.0 <= SEASON_METRES[1]
    found, result = changed(pairs[1.0], tmp_path / "fine")
    assert found[FIELD].mean() > 0.9
    assert not any("season" in note for note in result.record.notes)


def test_nothing_depends_on_how_strips_are_cut_into_cells(pairs, tmp_path, monkeypatch):
    whole, _ = changed(pairs[10.0], tmp_path / "whole")
    monkeypatch.setattr("geosim.deciding.seasons._CELL", 96)
    parts, result = changed(pairs[10.0], tmp_path / "parts")
    assert (whole == parts).all()
    difference = [
        rasterio.open(tmp_path / name / "difference.tif").read(1)
        for name in ("whole", "parts")
    ]
    assert (difference[0] == difference[1]).all()
    assert result.record.notes
