"""Objects across strips: as if the mask had been labelled at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.measure import regionprops

from geosim.change.objects import ObjectFinder

masks = st.tuples(st.integers(1, 24), st.integers(1, 16)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def cut(array, rows):
    return [array[start : start + rows] for start in range(0, len(array), rows)]


def find(mask, levels, rows, *, areas=None, min_pixels=1, min_area=0.0):
    """The objects and their numbers over the whole mask, by strips of `rows` rows."""
    areas = np.ones((len(mask), 1)) if areas is None else areas
    finder = ObjectFinder()
    strips = cut(mask, rows)
    for strip in zip(strips, cut(levels, rows), cut(areas, rows), strict=True):
        finder.add(*strip)
    objects = finder.finish(min_pixels=min_pixels, min_area=min_area)
    numbers = [objects.numbers(place, strip) for place, strip in enumerate(strips)]
    return objects, np.concatenate(numbers)


def label_at_once(mask, levels, *, keep=lambda _: True):
    """Numbers, pixels, mean and maximum, by scikit-image's region properties."""
    labels, _ = ndimage.label(mask)
    regions = [r for r in regionprops(labels, levels) if keep(r)]

    def order(region):
        return -region.area, tuple(region.coords[0])

    numbers = np.zeros(mask.shape, int)
    found = []
    for number, region in enumerate(sorted(regions, key=order), start=1):
        numbers[tuple(region.coords.T)] = number
        found.append((region.area, region.intensity_mean, region.intensity_max))
    return numbers, np.array(found).reshape(-1, 3)


def check(objects, numbers, wanted):
    wanted_numbers, table = wanted
    assert (numbers == wanted_numbers).all()
    assert objects.pixels.tolist() == table[:, 0].tolist()
    assert objects.probability_mean == pytest.approx(table[:, 1])
    assert objects.probability_max.tolist() == table[:, 2].tolist()


def blobs(seed, shape=(120, 90), level=0.5):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
    levels = rng.integers(127, 255, shape).astype(np.uint8)
    return smooth > level * smooth.std(), levels


@settings(max_examples=150, deadline=None)
@given(masks, st.integers(1, 30))
def test_any_strip_height(mask, rows):
    levels = np.random.default_rng(0).integers(0, 255, mask.shape).astype(np.uint8)
    check(*find(mask, levels, rows), label_at_once(mask, levels))


@pytest.mark.parametrize("rows", [1, 7, 64, 120])
def test_blobs(rows):
    mask, levels = blobs(1)
    wanted = label_at_once(mask, levels)
    assert len(wanted[1]) > 20
    check(*find(mask, levels, rows), wanted)


@pytest.mark.parametrize("rows", [1, 7, 120])
def test_smallest_object_in_pixels(rows):
    mask, levels = blobs(2)
    found = find(mask, levels, rows, min_pixels=12)
    wanted = label_at_once(mask, levels, keep=lambda region: region.area >= 12)
    assert 3 < len(wanted[1]) < len(label_at_once(mask, levels)[1])
    check(*found, wanted)


@pytest.mark.parametrize("rows", [1, 7, 120])
def test_smallest_object_in_area(rows):
    mask, levels = blobs(3)
    areas = np.linspace(1.0, 3.0, len(mask))[:, None]
    found = find(mask, levels, rows, areas=areas, min_area=25.0)
    wanted = label_at_once(
        mask, levels, keep=lambda region: areas[region.coords[:, 0], 0].sum() >= 25.0
    )
    assert 3 < len(wanted[1]) < len(label_at_once(mask, levels)[1])
    check(*found, wanted)


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_a_spiral_is_one_object(rows):
    mask = np.array(
        [
            [1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 0, 1],
            [1, 0, 0, 1, 0, 1],
            [1, 1, 0, 0, 0, 1],
            [0, 1, 1, 1, 1, 1],
        ],
        bool,
    )
    objects, numbers = find(mask, mask.astype(np.uint8), rows)
    assert objects.pixels.tolist() == [mask.sum()]
    assert (numbers == mask).all()


@pytest.mark.parametrize("rows", [1, 2])
def test_corners_do_not_connect(rows):
    mask = np.eye(4, dtype=bool)
    objects, numbers = find(mask, mask.astype(np.uint8), rows)
    assert objects.pixels.tolist() == [1, 1, 1, 1]
    assert numbers.diagonal().tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_nothing_changed(rows):
    mask = np.zeros((5, 3), bool)
    objects, numbers = find(mask, mask.astype(np.uint8), rows)
    assert len(objects.pixels) == 0
    assert len(objects.probability_mean) == 0
    assert not numbers.any()


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_all_dropped(rows):
    mask = np.eye(5, dtype=bool)
    objects, numbers = find(mask, mask.astype(np.uint8), rows, min_pixels=2)
    assert len(objects.pixels) == 0
    assert not numbers.any()
