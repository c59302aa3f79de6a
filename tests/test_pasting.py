"""Objects of labels in other places: the label goes with them, or tells of nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geosim.siamese.crops import Augmentation, Crop, draw_crop
from geosim.siamese.labelled import LabelledPair
from geosim.siamese.pasting import (
    FEATHER,
    LEAST_AREA,
    RIM,
    ChangedObject,
    Pasting,
    cut_objects,
    paste,
    paste_objects,
    turned,
)

ONE = np.ones((3, 1, 1), np.float32)


def place(changed, **other):
    """Date 1 dark, date 2 bright where the label says changed."""
    changed = np.asarray(changed, bool)
    after = np.stack([changed * level for level in (0.9, 0.7, 0.5)])
    given = {"valid": np.ones(changed.shape, bool), "metres": None} | other
    return LabelledPair(
        name="place",
        before=np.full(after.shape, 0.25, np.float16),
        after=after.astype(np.float16),
        changed=changed,
        **given,
    )


def ground(side=16, level=0.2):
    """A crop where both dates are alike and nothing changed."""
    image = np.full((3, side, side), level, np.float32)
    nothing = np.zeros((side, side), bool)
    return Crop(
        before=image, after=image.copy(), changed=nothing.copy(), valid=~nothing
    )


def block(changed, level=0.8):
    """An object that fills its cut."""
    changed = np.asarray(changed, bool)
    return ChangedObject(
        image=np.full((3, *changed.shape), level, np.float32),
        changed=changed,
        outside=np.zeros(changed.shape, np.float32),
        metres=None,
    )


def test_object_is_cut_with_its_rim():
    changed = np.zeros((60, 70), bool)
    changed[20:26, 30:40] = True
    (one,) = cut_objects([place(changed)])
    wide = RIM + int(FEATHER)
    assert one.changed.shape == (6 + 2 * wide, 10 + 2 * wide)
    inner = np.zeros(one.changed.shape, bool)
    inner[wide : wide + 6, wide : wide + 10] = True
    np.testing.assert_array_equal(one.changed, inner)
    np.testing.assert_array_equal(one.outside == 0, inner)
    assert one.outside[wide - 1, wide] == 1
    assert one.outside[wide - 3, wide - 4] == 5
    np.testing.assert_allclose(one.image[0], 0.9 * inner, atol=1e-3)


def test_neighbours_that_reach_into_the_cut_keep_their_label():
    changed = np.zeros((60, 70), bool)
    changed[20:28, 20:28] = changed[20:28, 31:39] = True
    one, other = cut_objects([place(changed)])
    wide = RIM + int(FEATHER)
    assert one.changed.sum() == 64 + 8 * 8
    assert (one.outside == 0).sum() == 64
    assert one.outside[wide, wide + 8 + 3] == 4
    assert other.changed.sum() == one.changed.sum()


@pytest.mark.parametrize(
    "piece",
    [
        (slice(0, 8), slice(30, 40)),  # touches the edge
        (slice(20, 25), slice(30, 35)),  # below LEAST_AREA
        (slice(20, 28), slice(2, 210)),  # above MOST_SIDE
        (slice(20, 28), slice(215, 223)),  # beside pixels that are not valid
    ],
)
def test_pieces_that_cannot_be_used_are_left(piece):
    changed = np.zeros((60, 240), bool)
    changed[piece] = True
    valid = np.ones(changed.shape, bool)
    valid[:, 230:] = False
    assert LEAST_AREA > 25
    assert cut_objects([place(changed, valid=valid)]) == []


def test_change_is_pasted_into_date_2_alone():
    crop = ground()
    said = np.array([[1, 1, 0], [1, 0, 0]])
    paste(crop, block(said), np.array([4, 5]), "change", rim=2.0, gain=ONE)
    after = np.full((16, 16), 0.2, np.float32)
    after[3:5, 4:7] = 0.8
    np.testing.assert_allclose(crop.after, np.stack([after] * 3), rtol=1e-6)
    assert (crop.before == np.float32(0.2)).all()
    np.testing.assert_array_equal(crop.changed[3:5, 4:7], said)
    assert crop.changed.sum() == 3


def test_label_goes_where_something_else_is_pasted_over_it():
    crop = ground()
    crop.changed[2:8, 2:8] = True
    paste(crop, block(np.zeros((2, 2))), np.array([5, 5]), "change", rim=2.0, gain=ONE)
    assert crop.changed.sum() == 36 - 4
    assert not crop.changed[4:6, 4:6].any()


def test_what_stands_in_both_dates_is_no_change():
    crop = ground()
    crop.changed[2:8, 2:8] = True
    gain = np.array([1.0, 0.5, 2.0], np.float32).reshape(3, 1, 1)
    paste(crop, block(np.ones((2, 2))), np.array([5, 5]), "both", rim=2.0, gain=gain)
    np.testing.assert_allclose(crop.after[:, 4, 4], [0.8, 0.4, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(crop.before, crop.after)
    assert crop.changed.sum() == 36 - 4


def test_other_light_leaves_label_and_date_1():
    crop = ground()
    crop.changed[4, 4] = True
    paste(
        crop, block(np.ones((2, 2))), np.array([5, 5]), "light", rim=2.0, gain=4 * ONE
    )
    np.testing.assert_allclose(crop.after[:, 4:6, 4:6], 0.4, rtol=1e-6)
    assert (crop.before == np.float32(0.2)).all()
    assert crop.changed.sum() == 1


def test_objects_fade_into_their_place():
    crop = ground(level=0.0)
    one = block(np.ones((1, 9)), level=1.0)
    outside = np.array([[0, 0, 0, 1, 2, 3, 4, 5, 6]], np.float32)
    one = ChangedObject(**{**vars(one), "outside": outside})
    paste(crop, one, np.array([0, 4]), "change", rim=3.0, gain=ONE)
    opacity = [1, 1, 1, 1, 5 / 6, 1 / 2, 1 / 6, 0, 0]
    np.testing.assert_allclose(crop.after[0, 0, :9], opacity, atol=1e-6)
    assert crop.changed[0].sum() == 5


@pytest.mark.parametrize("centre", [(0, 0), (15, 16), (-9, 3), (30, 30)])
def test_what_sticks_out_is_cut_off(centre):
    crop, wide = ground(), ground(side=64)
    one = block(np.ones((6, 4)))
    paste(crop, one, np.array(centre), "change", rim=2.0, gain=ONE)
    paste(wide, one, np.array(centre) + 24, "change", rim=2.0, gain=ONE)
    np.testing.assert_array_equal(crop.after, wide.after[:, 24:40, 24:40])
    np.testing.assert_array_equal(crop.changed, wide.changed[24:40, 24:40])


def corner():
    """An object without symmetry, zero at its rim."""
    rng = np.random.default_rng(0)
    image = np.zeros((3, 12, 9), np.float32)
    image[:, 2:10, 2:7] = rng.random((3, 8, 5))
    changed = np.zeros((12, 9), bool)
    changed[2:10, 2:4] = changed[2:4, 2:7] = True
    outside = np.where(changed, 0, 1).astype(np.float32)
    return ChangedObject(image=image, changed=changed, outside=outside, metres=0.5)


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns_move_pixels_only(quarters):
    one = corner()
    found = turned(one, quarters * np.pi / 2, 1.0, mirrored=False)
    for name in ("image", "changed", "outside"):
        wanted = np.rot90(getattr(one, name), quarters, axes=(-2, -1))
        values = getattr(found, name).astype(float)
        assert values.shape == wanted.shape
        # the outermost pixels may be rounded to lie beyond the cut
        inner = (..., slice(1, -1), slice(1, -1))
        np.testing.assert_allclose(values[inner], wanted[inner], atol=1e-5)


def test_mirrored():
    one = corner()
    found = turned(one, 0.0, 1.0, mirrored=True)
    np.testing.assert_allclose(found.image, one.image[..., ::-1], atol=1e-6)
    np.testing.assert_array_equal(found.changed, one.changed[:, ::-1])


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(0, 6.28),
    zoom=st.floats(0.7, 1.5),
    mirrored=st.booleans(),
)
def test_turned_objects_keep_their_area_and_middle(angle, zoom, mirrored):
    changed = np.zeros((60, 80), bool)
    changed[15:45, 20:60] = True
    one = ChangedObject(
        image=np.stack([changed.astype(np.float32)] * 3),
        changed=changed,
        outside=np.where(changed, 0, 5).astype(np.float32),
        metres=None,
    )
    found = turned(one, angle, zoom, mirrored=mirrored)
    assert found.changed.sum() == pytest.approx(1200 * zoom**2, rel=0.06)
    middle = np.argwhere(found.changed).mean(axis=0)
    np.testing.assert_allclose(
        middle, (np.array(found.changed.shape) - 1) / 2, atol=0.6
    )
    assert found.image.shape[1:] == found.changed.shape == found.outside.shape
    # what was not cut out is far: it is never pasted
    assert set(np.unique(found.outside[~found.changed] > 0)) <= {True}


def some_objects():
    changed = np.zeros((90, 200), bool)
    for number in range(4):
        col = 20 + 45 * number
        changed[30 : 40 + 3 * number, col : col + 12] = True
    return cut_objects([place(changed)])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whatever_is_pasted_label_and_dates_agree(seed):
    crop = ground(side=64)
    how = Pasting(kinds=(0.5, 0.5, 0.0))
    found = paste_objects(crop, some_objects(), np.random.default_rng(seed), how)
    # the dates of the ground are alike: only what was pasted into one of them differs
    differs = np.abs(found.after - found.before).max(axis=0) > 0.01
    assert differs[found.changed].mean() > 0.9 if found.changed.any() else True
    for image in (found.before, found.after):
        assert image.min() >= 0
        assert image.max() <= 1
    assert (crop.after == crop.before).all()
    assert not crop.changed.any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_pasted_into_both_dates_nothing_differs(seed):
    how = Pasting(kinds=(0.0, 1.0, 0.0))
    rng = np.random.default_rng(seed)
    found = paste_objects(ground(side=64), some_objects(), rng, how)
    np.testing.assert_array_equal(found.before, found.after)
    assert not found.changed.any()


def test_crops_are_not_filled_beyond_the_share():
    how = Pasting(kinds=(1.0, 0.0, 0.0), groups=40, most_changed=0.1)
    objects = some_objects()
    largest = max(one.changed.sum() for one in objects) * how.zoom**2
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = paste_objects(ground(side=64), objects, rng, how)
        assert found.changed.sum() <= 0.1 * 64**2 + 1.2 * largest


@pytest.mark.parametrize(
    ("metres", "pasted"), [(None, True), (0.6, True), (2.0, False)]
)
def test_objects_of_another_scale_are_not_pasted(metres, pasted):
    empty = place(np.zeros((90, 90)), metres=0.5)
    how = Augmentation(
        crop=64,
        same_date_share=0,
        shift=0,
        light=0,
        light_apart=0,
        pasting=Pasting(share=1.0, kinds=(1.0, 0.0, 0.0)),
    )
    objects = [
        ChangedObject(**{**vars(one), "metres": metres}) for one in some_objects()
    ]
    crops = [
        draw_crop([empty], np.random.default_rng(seed), how, objects)
        for seed in range(8)
    ]
    assert any(crop.changed.any() for crop in crops) == pasted
