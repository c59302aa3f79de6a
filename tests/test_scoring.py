"""Methods: what their scores are made of."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from geosim.errors import OptionError
from geosim.options import ChangeOptions
from geosim.raster.grid import Window
from geosim.raster.radiometry import fit
from geosim.raster.scene import Pair
from geosim.scoring.methods import METHODS
from geosim.scoring.sampling import Sample
from geosim.scoring.scorer import block_score
from geosim.siamese.weighting import scene_weights

RNG = np.random.default_rng(8)


def piece(pixels):
    """Twenty rows of the pixels as a picture."""
    before, after = pixels.reshape(2, -1, 20, 25)
    return Pair(
        before=before,
        after=after,
        valid=np.ones((20, 25), bool),
        window=Window(0, 0, 25, 20),
    )


def sample(bands=3):
    first = RNG.integers(0, 255, (bands, 500))
    second = np.clip(first + RNG.integers(-9, 9, first.shape), 0, 255)
    pixels = np.stack([first, second]).astype(np.float32)
    fitted = fit(pixels[0], pixels[1], dtype="uint8")
    return Sample(
        before=pixels[0],
        after=pixels[1],
        pieces=(piece(pixels),),
        radiometry=fitted,
        shift=None,
        corrected=False,
    )


@pytest.fixture(scope="module")
def pair():
    noise = RNG.random((2, 3, 64, 64))
    return gaussian_filter(noise, (0, 0, 1, 1)).astype(np.float32)


@pytest.mark.torch
@pytest.mark.parametrize("metres", [None, 0.1, 10.0, 90.0])
def test_score_is_that_of_the_torch_reference(pair, metres):
    torch = pytest.importorskip("torch")
    fusion = pytest.importorskip("geosim.siamese.fusion")
    loading = pytest.importorskip("geosim.siamese.loading")
    model = loading.create_siamese_model(weights=ChangeOptions().weights)
    valid = np.ones((64, 64), bool)
    valid[:20, :30] = False
    dates = pair * valid
    options = ChangeOptions(precision="float32")
    scorer = METHODS["siamese"](sample(), options, metres)
    found = block_score(scorer, dates[0], dates[1], valid)
    images = torch.from_numpy(dates)
    with torch.inference_mode():
        distances = fusion.terms(images, model.activations(images))
        wanted = fusion.smooth(
            fusion.fuse(distances, torch.from_numpy(scorer.term_weights)),
            images.mean(dim=1)[None],
            torch.from_numpy(valid)[None],
            metres=metres,
        )[0]
    assert found[valid] == pytest.approx(wanted.numpy()[valid], abs=2e-4)


@pytest.mark.torch
@pytest.mark.parametrize("metres", [None, 90.0])
def test_term_weights_are_those_of_the_torch_reference(metres):
    torch = pytest.importorskip("torch")
    fusion = pytest.importorskip("geosim.siamese.fusion")
    loading = pytest.importorskip("geosim.siamese.loading")
    taken = sample()
    taken.pieces[0].valid[:, 20:] = False
    scorer = METHODS["siamese"](taken, ChangeOptions(), metres)
    model = loading.create_siamese_model(weights=ChangeOptions().weights)
    (piece,) = taken.pieces
    dates = taken.radiometry.apply(piece.before, piece.after, piece.valid)
    images = torch.from_numpy(np.stack(dates))
    with torch.inference_mode():
        seen = model.activations(images, deepest="relu1_2")["relu1_2"]
        distances = {
            "relu1_2": fusion.cosine_distance(seen),
            "colour": fusion.colour_distance(*images.chunk(2)),
        }
    valid = torch.from_numpy(piece.valid)[None]
    (medians,) = fusion.scene_medians(distances, valid)
    row = int(metres is not None)
    wanted = scene_weights(model.head.term_weights[row].tolist(), medians, row=row)
    assert scorer.term_weights == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("metres", [None, 0.1, 10.0])
def test_the_margin_is_not_smoothed_and_nothing_else_changes(metres):
    rng = np.random.default_rng(5)
    before, after = rng.random((2, 3, 192, 208), np.float32)
    valid = rng.random((192, 208)) > 0.05
    scorer = METHODS["siamese"](sample(), ChangeOptions(), metres)
    found = scorer.compare(before, after)
    inner, every = (slice(80, 130), slice(64, 144)), (slice(0, 192), slice(0, 208))
    alone = scorer.smoothed(found, before, after, valid, inner)
    wanted = scorer.smoothed(found, before, after, valid, every)[inner]
    assert alone.shape == (50, 80)
    assert alone[valid[inner]] == pytest.approx(wanted[valid[inner]], rel=1e-5)


def test_every_band_counts_in_the_colour_and_three_in_the_network(pair):
    valid = np.ones((64, 64), bool)
    more = np.concatenate([pair, pair[:, :1]], axis=1)  # a fourth band
    changed = more.copy()
    changed[1, 3, 20:40, 20:40] = 1 - changed[0, 3, 20:40, 20:40]
    scorer = METHODS["siamese"](sample(4), ChangeOptions(), None)
    before, after = (scorer.compare(dates[0], dates[1]) for dates in (more, changed))
    assert (after.bands["high"] == before.bands["high"]).all()
    one, two = (
        block_score(scorer, dates[0], dates[1], valid) for dates in (more, changed)
    )
    assert (two[25:35, 25:35] > one[25:35, 25:35]).all()


def test_score_of_equal_dates_is_nothing(pair):
    valid = np.ones((64, 64), bool)
    scorer = METHODS["siamese"](sample(), ChangeOptions(), None)
    assert block_score(scorer, pair[0], pair[0], valid) == pytest.approx(0, abs=1e-4)


def test_score_does_not_see_further_than_the_margin():
    rng = np.random.default_rng(2)
    scorer = METHODS["siamese"](sample(), ChangeOptions(), None)
    width = scorer.margin + 64
    before, after = rng.random((2, 3, 48, width)).astype(np.float32)
    other = after.copy()
    other[..., :48] = rng.random((3, 48, 48))
    valid = np.ones((48, width), bool)
    one, two = (block_score(scorer, before, date, valid) for date in (after, other))
    assert one[:, 48 + scorer.margin :] == pytest.approx(
        two[:, 48 + scorer.margin :], abs=1e-5
    )
    assert np.abs(one - two)[:, :48].max() > 0.01


def test_two_bands_are_not_for_the_network():
    with pytest.raises(OptionError, match="three bands"):
        METHODS["siamese"](sample(2), ChangeOptions(), None)


@pytest.mark.parametrize(
    ("metres", "wanted"),
    [(None, 0.2), (0.5, 0.2), (7.9, 0.2), (8.0, 0.18), (30.0, 0.18), (50.0, 0.26)],
)
def test_the_threshold_follows_the_pixels_size(metres, wanted):
    threshold = METHODS["siamese"](sample(), ChangeOptions(), metres).threshold
    assert (threshold.value, threshold.rule) == (wanted, "auto")
    assert ("2 %" in threshold.reason) == (wanted == 0.2)  # what it rests on
