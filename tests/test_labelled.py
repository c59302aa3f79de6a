"""Crops for training keep image and label together; what is held out is fair."""

import numpy as np
import pytest

from geosim.siamese.crops import Augmentation, draw_crop
from geosim.siamese.labelled import WHOLE_FROM, LabelledPair, hold_out

STILL = Augmentation(
    crop=64, same_date_share=0, shift=0, light=0, light_apart=0, scale=1.0
)


def made(name="pair", shape=(120, 160), seed=0):
    """Date 1 dark; date 2 shows in each band where the label says changed."""
    rng = np.random.default_rng(seed)
    changed = np.kron(
        rng.random((shape[0] // 8, shape[1] // 8)) < 0.15, np.ones((8, 8))
    )
    after = np.stack([changed] * 3).astype(np.float16)
    return LabelledPair(
        name=name,
        before=np.full_like(after, 0.25),
        after=after,
        changed=changed > 0,
        valid=np.ones(shape, bool),
    )


def test_label_follows_the_image():
    rng = np.random.default_rng(0)
    for _ in range(40):
        crop = draw_crop([made()], rng, STILL)
        assert crop.before.shape == crop.after.shape == (3, 64, 64)
        np.testing.assert_array_equal(crop.after[1] > 0.5, crop.changed)
        assert crop.valid.all()


def test_label_follows_the_image_in_another_size():
    rng = np.random.default_rng(0)
    how = Augmentation(crop=64, same_date_share=0, shift=0, light=0, light_apart=0)
    wrong = [
        ((crop.after[0] > 0.5) != crop.changed).mean()
        for crop in (draw_crop([made()], rng, how) for _ in range(40))
    ]
    assert max(wrong) < 0.02


def test_crops_hold_the_change_they_were_drawn_for():
    rng = np.random.default_rng(0)
    pair = made(shape=(400, 400))
    only = np.zeros((400, 400), bool)
    only[7, 391] = True
    rare = LabelledPair(**{**fields(pair), "changed": only})
    how = Augmentation(**{**vars(STILL), "changed_share": 1.0})
    crops = [draw_crop([made(seed=1), rare], rng, how) for _ in range(60)]
    assert all(crop.changed.any() for crop in crops)
    assert any(crop.changed.sum() == 1 for crop in crops)


def fields(pair):
    return {name: value for name, value in vars(pair).items() if name != "places"}


def test_same_state_of_chance_gives_the_same_crop():
    first, second = (
        draw_crop([made()], np.random.default_rng(5), Augmentation(crop=64))
        for _ in range(2)
    )
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(second, name))


def test_one_date_twice_shows_no_change():
    how = Augmentation(**{**vars(STILL), "same_date_share": 1.0})
    crop = draw_crop([made()], np.random.default_rng(0), how)
    np.testing.assert_array_equal(crop.before, crop.after)
    assert not crop.changed.any()


def test_dates_are_swapped_only_where_asked_for():
    def bright(swap):
        how = Augmentation(**{**vars(STILL), "swap_dates": swap})
        rng = np.random.default_rng(0)
        crops = [draw_crop([made()], rng, how) for _ in range(40)]
        return np.mean([crop.before.max() > 0.5 for crop in crops])

    assert bright(swap=False) == 0
    assert 0.2 < bright(swap=True) < 0.8


def test_shift_moves_date_2_alone():
    how = Augmentation(**{**vars(STILL), "shift": 2})
    rng = np.random.default_rng(0)
    apart = [
        ((crop.after[0] > 0.5) != crop.changed).mean()
        for crop in (draw_crop([made()], rng, how) for _ in range(60))
    ]
    assert min(apart) == 0
    assert 0.01 < max(apart) < 0.3


def test_small_images_are_mirrored():
    pair = made(shape=(40, 48))
    crop = draw_crop([pair], np.random.default_rng(0), STILL)
    assert crop.changed.shape == (64, 64)
    np.testing.assert_array_equal(crop.after[2] > 0.5, crop.changed)


def test_few_pairs_give_an_end_each():
    pairs = [made(str(seed), (160, 240), seed) for seed in range(4)]
    training, held_out = hold_out(pairs, 0.25)
    for whole, rest, end in zip(pairs, training, held_out, strict=True):
        assert rest.valid.size + end.valid.size == whole.valid.size
        assert len(rest.places) + len(end.places) == len(whole.places)
        assert 0.1 <= end.valid.size / whole.valid.size <= 0.5
        assert 0.15 <= len(end.places) / len(whole.places) <= 0.35
        assert rest.name.startswith(whole.name)


def test_end_is_cut_where_the_change_is():
    pair = made(shape=(104, 200))
    changed = np.zeros((104, 200), bool)
    changed[:, 180:] = True
    after = np.stack([changed] * 3).astype(np.float16)
    pair = LabelledPair(**{**fields(pair), "changed": changed, "after": after})
    (rest,), (end,) = hold_out([pair], 0.25)
    assert len(end.places) == pytest.approx(0.25 * changed.sum(), rel=0.1)
    np.testing.assert_array_equal(end.after[0] > 0.5, end.changed)
    np.testing.assert_array_equal(rest.after[0] > 0.5, rest.changed)


def test_of_many_pairs_whole_ones_are_held_out():
    pairs = []
    for number in range(WHOLE_FROM):
        changed = np.zeros((32, 32), bool)
        changed.flat[: 10 * number] = True
        pairs.append(
            LabelledPair(**{**fields(made(shape=(32, 32))), "changed": changed})
        )
        object.__setattr__(pairs[-1], "name", f"{number:02d}")
    training, held_out = hold_out(pairs, 0.25)
    assert [pair.name for pair in held_out] == ["02", "06", "10"]
    assert len(training) == WHOLE_FROM - 3
