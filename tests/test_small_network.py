"""The small network finds what the large one finds, and serves wherever that does."""

import numpy as np
import pytest
from rasters import drawn_pair, read, write_pair

from geosim import ChangeOptions, detect_change
from geosim.siamese.embedding import Embedder
from geosim.siamese.engine import open_engine
from geosim.siamese.shipped import SMALL_WEIGHTS, VGG16_WEIGHTS
from geosim.siamese.weights import load_weights

BOTH = (SMALL_WEIGHTS, VGG16_WEIGHTS)


@pytest.fixture(scope="module")
def dates():
    before, after = drawn_pair(height=256, width=320)
    return [(date / 255).astype(np.float32) for date in (before, after)]


def test_it_finds_the_distances_of_the_large_one(dates):
    small, large = (
        open_engine(load_weights(name), threads=2).differences(*dates) for name in BOTH
    )
    for name, most in (("score", 0.1), ("low", 0.03), ("mid", 0.05), ("high", 0.06)):
        ours, wanted = getattr(small, name), getattr(large, name)
        assert wanted.std() > 0.05, name
        assert np.abs(ours - wanted).mean() < most, name
        assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] > 0.95, name


def test_it_decides_as_the_large_one(tmp_path):
    paths = write_pair(tmp_path, *drawn_pair(height=384, width=384))
    maps, weights = [], []
    for name in BOTH:
        result = detect_change(*paths, tmp_path / name, ChangeOptions(weights=name))
        maps.append(read(result.paths["change"])[0] == 1)
        weights.append(result.record.weights.name)
        page = result.paths["report"].read_text(encoding="utf-8")
        # who publishes the map says which network made it
        assert ("half of their channels" in page) is (name == SMALL_WEIGHTS)
    assert weights == list(BOTH)
    assert ChangeOptions().weights == SMALL_WEIGHTS
    ours, wanted = maps
    assert 0.02 < wanted.mean() < 0.5
    assert (ours & wanted).sum() > 0.8 * (ours | wanted).sum()


def test_embeddings_of_both_are_near_and_descriptors_of_it_shorter(dates):
    image = dates[0][None, :, :240, :]
    small, large = (Embedder(load_weights(name), threads=2) for name in BOTH)
    ours = small.embed(image)
    alike = (ours * large.embed(image)).sum()
    apart = (ours * large.embed(image[..., ::8, ::8].repeat(8, -1).repeat(8, -2))).sum()
    assert alike > 0.5
    assert alike > apart + 0.1
    assert small.describe(image).shape == (1, 256)
    assert small.describe(image[:0]).shape == (0, 256)
    assert np.linalg.norm(small.describe(image)) == pytest.approx(1, abs=1e-5)
