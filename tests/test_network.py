"""The torch network against torchvision's VGG16 and arithmetic by hand."""

import sys

import numpy as np
import pytest

from geosim.errors import MissingDependencyError, OptionError
from geosim.siamese.architecture import REACHES, state_shapes

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
pytestmark = pytest.mark.torch

from geosim.siamese.fusion import cosine_distance  # noqa: E402
from geosim.siamese.loading import create_siamese_model  # noqa: E402
from geosim.siamese.network import pool  # noqa: E402
from geosim.siamese.weights import load_weights  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return create_siamese_model()


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(3)
    grains = rng.random((2, 3, 12, 15)).repeat(8, axis=2).repeat(8, axis=3)
    return torch.from_numpy(grains.astype(np.float32))


def test_trunk_has_the_numbers_of_torchvisions_vgg16(model, photographs):
    layers = torchvision.models.vgg.cfgs["D"]  # vgg16().features, no classifier
    oracle = torchvision.models.vgg.make_layers(layers).eval()
    oracle.load_state_dict(model.features.state_dict())
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    images = photographs[:, :, :96, :112]
    with torch.inference_mode():
        found = model.activations(images)
        wanted = {
            name: oracle[: last + 1]((images - mean) / std)
            for name, last in (
                ("relu1_2", 3),
                ("relu2_2", 8),
                ("relu3_3", 15),
                ("relu4_3", 22),
                ("relu5_3", 29),
            )
        }
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_state_has_the_names_and_shapes_of_the_architecture(model):
    state = {name: tuple(v.shape) for name, v in model.state_dict().items()}
    assert state == state_shapes()
    for name, value in load_weights().arrays.items():
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), value)


def test_same_image_is_same_everywhere(model, photographs):
    with torch.inference_mode():
        out = model(photographs, photographs)
    assert out.similarity.tolist() == pytest.approx([1, 1], abs=1e-5)
    for band in (out.low, out.mid, out.high):
        assert band.abs().max() < 1e-5
    assert out.probability.max() < 0.5


def test_answers_have_the_inputs_size_and_stay_in_range(model, photographs):
    before, after = photographs[:1, :, :75, :101], photographs[1:, :, :75, :101]
    with torch.inference_mode():
        out = model(before, after)
    for band in (out.probability, out.low, out.mid, out.high):
        assert band.shape == (1, 75, 101)
        assert band.min() >= -1e-6
        assert band.max() <= 1 + 1e-6
    for embedding in (out.embedding_before, out.embedding_after):
        assert embedding.shape == (1, 128)
        assert embedding.norm(dim=1).tolist() == pytest.approx([1])
    cosine = float((out.embedding_before * out.embedding_after).sum())
    assert out.similarity.item() == pytest.approx(max(cosine, 0), abs=1e-6)


def test_change_is_found_where_it_is(model, photographs):
    before = photographs[:1]
    after = before.clone()
    after[:, :, 32:64, 40:80] = photographs[1:, :, 32:64, 40:80]
    with torch.inference_mode():
        out = model(before, after)
    inside = out.probability[0, 40:56, 48:72].mean()
    assert inside > out.probability[0, 80:].mean() + 0.3


def test_an_item_does_not_see_the_rest_of_its_batch(model, photographs):
    other = photographs.flip(0)
    with torch.inference_mode():
        together = model(photographs, other)
        alone = model(photographs[1:], other[1:])
    for name in together._fields:
        found, wanted = getattr(together, name)[1:], getattr(alone, name)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("row", [0, 1])
def test_probability_is_the_heads_formula(model, row):
    score = torch.linspace(0, 3, 32 * 40).reshape(1, 32, 40)
    head = load_weights().arrays
    scene = np.quantile(score.numpy(), [0.1, 0.25, 0.5])
    threshold = head["head.offset"][row] + head["head.quantiles"][row] @ scene
    logit = head["head.slope"][row] * (score.numpy() - threshold)
    with torch.inference_mode():
        found = model.head(score, row).numpy()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logit)), atol=1e-5)


def test_cosine_distance_by_hand():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [3.0, 0.0]])
    found = cosine_distance(vectors[:, :, None, None]).flatten()
    wanted = [1.0, 1 - 1 / np.sqrt(2)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)
    nothing = cosine_distance(torch.zeros(2, 5, 1, 1))
    assert nothing.item() == 1  # a vector of zeros has no direction


def test_pooling_by_hand():
    cells = torch.tensor([1.0, 2.0, 0.0, 3.0]).reshape(1, 1, 2, 2)
    assert pool(cells).item() == pytest.approx(((1 + 8 + 27) / 4) ** (1 / 3))
    assert np.isfinite(pool(torch.zeros(1, 1, 2, 2)).item())


def test_differences_see_no_further_than_their_reach(model):
    torch.manual_seed(0)
    before, after = torch.rand(2, 1, 3, 32, 160)
    edge = 48
    other = before.clone()
    other[..., :edge] = torch.rand(1, 3, 32, edge)
    with torch.inference_mode():
        first, second = model(before, after), model(other, after)
    beyond = edge + REACHES["differences"]
    for name in ("low", "mid", "high"):
        one, two = getattr(first, name), getattr(second, name)
        torch.testing.assert_close(one[..., beyond:], two[..., beyond:])
        assert (one[..., :edge] - two[..., :edge]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((224, 224, 3), (3, 224, 224)),
        ((64, 96, 3), (3, 64, 96)),
        ((3, 64, 96), (3, 64, 96)),
    ],
)
def test_input_shape_in_either_order(given, kept):
    assert create_siamese_model(given, weights=None).input_shape == kept


@pytest.mark.parametrize(
    "bad", [(224, 224), (224, 224, 4), (16, 224, 3), (3, 3, 3), (224.0, 224, 3)]
)
def test_other_input_shapes_are_refused(bad):
    with pytest.raises(OptionError, match=r"input_shape must be \(height, width, 3\)"):
        create_siamese_model(bad, weights=None)


def test_images_that_do_not_fit_are_refused(model):
    good = torch.zeros(1, 3, 32, 32)
    for bad in (good[0], good[:, :2], good[:, :, :31], torch.zeros(1, 3, 32, 48)):
        with pytest.raises(OptionError, match="two batches"):
            model(good, bad)
        with pytest.raises(OptionError, match="two batches"):
            model(bad, good)


def test_model_is_ready_to_compare(model):
    assert not model.training
    assert not create_siamese_model(weights=None).training


def test_without_torch_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "geosim.siamese.backend")
    with pytest.raises(MissingDependencyError, match=r"pip install 'geosim\[torch\]'"):
        __import__("geosim.siamese.backend")
