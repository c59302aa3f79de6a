"""Synthetic pairs: the same seed, the same pair; the mask says what was pasted."""

import numpy as np
import pytest

from geosim.siamese.pairs import ImagePair, random_crop, single_image
from geosim.siamese.synthesis import (
    SynthesisOptions,
    add_nuisance,
    paste,
    polygons,
    superpixels,
    synthesize,
)

SIZE = 96


def picture(seed, size=SIZE):
    rng = np.random.default_rng(seed)
    coarse = rng.random((3, size // 8, size // 8))
    return coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.float32)


def place(seed):
    image = picture(seed)
    return ImagePair(
        before=image, after=image, valid=np.ones((SIZE, SIZE), bool), source="made"
    )


def test_the_same_seed_gives_the_same_pair():
    first, second = (
        synthesize(place(1), place(2), np.random.default_rng(7)) for _ in range(2)
    )
    for name in ("before", "after", "changed"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    other = synthesize(place(1), place(2), np.random.default_rng(8))
    assert not np.array_equal(first.after, other.after)


@pytest.mark.parametrize("seed", range(8))
def test_pairs_are_in_range_and_leave_their_source_alone(seed):
    pair, donor = place(seed), place(seed + 100)
    kept = pair.before.copy(), donor.before.copy()
    made = synthesize(pair, donor, np.random.default_rng(seed))
    for image in (made.before, made.after):
        assert image.dtype == np.float32
        assert image.shape == (3, SIZE, SIZE)
        assert 0 <= image.min() <= image.max() <= 1
    assert 0 <= made.changed.min() <= made.changed.max() <= 1
    np.testing.assert_array_equal(pair.before, kept[0])
    np.testing.assert_array_equal(donor.before, kept[1])


def test_without_nuisance_only_what_is_marked_differs():
    options = SynthesisOptions(unchanged_pairs=0, nuisance=0)
    for seed in range(6):
        made = synthesize(place(1), place(2), np.random.default_rng(seed), options)
        difference = np.abs(made.before - made.after).max(axis=0)
        assert difference[made.changed == 0].max(initial=0) < 1e-3
        assert difference[made.changed > 0.5].mean() > 0.1


def test_unchanged_pairs_hold_no_change():
    options = SynthesisOptions(unchanged_pairs=1)
    made = synthesize(place(1), place(2), np.random.default_rng(0), options)
    assert made.changed.max() == 0
    assert np.abs(made.before - made.after).max() > 0.01


def test_alike_content_counts_as_less_change():
    image, options = picture(1), SynthesisOptions(faintest=1)
    strange = picture(2)
    alike = np.clip(image + 0.02, 0, 1).astype(np.float32)
    fraction = 0.3
    marks = []
    for donor in (alike, strange):
        found = [
            paste(
                image,
                donor,
                np.random.default_rng(s),
                fraction=fraction,
                options=options,
            )[1].sum()
            for s in range(10)
        ]
        marks.append(np.median(found))
    assert marks[0] < marks[1] / 2


def test_fraction_grows_with_what_is_asked():
    options = SynthesisOptions(faintest=1)
    means = [
        np.mean(
            [
                paste(
                    picture(1),
                    1 - picture(1),
                    np.random.default_rng(seed),
                    fraction=fraction,
                    options=options,
                )[1].mean()
                for seed in range(12)
            ]
        )
        for fraction in (0.02, 0.1, 0.3)
    ]
    assert means[0] < means[1] < means[2] < 0.4


def test_nothing_is_marked_where_not_valid():
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, :40] = False
    pair = ImagePair(before=picture(1), after=picture(1), valid=valid, source="made")
    options = SynthesisOptions(unchanged_pairs=0)
    made = synthesize(pair, place(2), np.random.default_rng(0), options)
    assert made.changed[:, :40].max() == 0


def test_nuisance_of_no_strength_is_none_and_more_is_more():
    image = picture(0)
    assert add_nuisance(image, np.random.default_rng(0), strength=0) is image
    moved = [
        np.mean(
            [
                np.abs(
                    add_nuisance(image, np.random.default_rng(s), strength=k) - image
                ).mean()
                for s in range(5)
            ]
        )
        for k in (0.3, 1.0)
    ]
    assert 0 < moved[0] < moved[1] < 0.3


def test_regions_cover_and_overlap_nothing():
    labels = superpixels(picture(0), np.random.default_rng(0))
    assert labels.shape == (SIZE, SIZE)
    assert labels.min() == 1
    shapes = polygons((SIZE, 80), np.random.default_rng(0))
    assert shapes.shape == (SIZE, 80)
    assert shapes.min() == 0
    assert shapes.max() > 1


def test_pairs_that_do_not_fit_are_refused():
    image = np.zeros((3, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="crop of 64 px"):
        random_crop(single_image(image), 64, np.random.default_rng(0))


def test_crops_keep_dates_together_and_prefer_valid_places():
    image = picture(5)
    valid = np.zeros((SIZE, SIZE), bool)
    valid[40:, 40:] = True
    pair = ImagePair(before=image, after=image * 0.5, valid=valid, source="made")
    shares = []
    for seed in range(10):
        crop = random_crop(pair, 32, np.random.default_rng(seed))
        np.testing.assert_allclose(crop.after, crop.before * 0.5)
        shares.append(crop.valid.mean())
    assert np.mean(shares) > 0.7
