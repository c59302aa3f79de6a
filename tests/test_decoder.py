"""The decoder: one answer in torch and OpenVINO, no further reach, strict files."""

import numpy as np
import pytest
from rasters import drawn_pair, read, write_pair
from safetensors.numpy import save_file

from geosim import ChangeOptions, MinArea, detect_change
from geosim.errors import WeightsError
from geosim.siamese.architecture import CHANNELS, SMALL_CHANNELS, STRIDE
from geosim.siamese.blending import blended
from geosim.siamese.decoder import (
    DECODER_MARGIN,
    DECODER_REACH,
    ODDS_LIMIT,
    decoder_shapes,
    has_decoder,
)
from geosim.siamese.engine import open_engine
from geosim.siamese.shipped import WEIGHTS
from geosim.siamese.smoothing import EDGE_MARGIN
from geosim.siamese.weights import load_weights, save_weights

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.siamese.decoder_network import Decoder, compared, enlarged  # noqa: E402
from geosim.siamese.loading import create_siamese_model  # noqa: E402
from geosim.siamese.network import SiameseVGG16  # noqa: E402

THRESHOLD = 0.4
BLEND = (1.2, 0.6, -0.5)


@pytest.fixture(scope="module", params=list(WEIGHTS))
def tensors(request):
    """The shipped weights with a decoder of random numbers."""
    torch.manual_seed(3)
    arrays = load_weights(request.param).arrays
    made = Decoder(create_siamese_model(weights=request.param).channels)
    decoder = {f"decoder.{n}": v.numpy() for n, v in made.state_dict().items()}
    decoder["decoder.out.weight"] = 8 * decoder["decoder.out.weight"]
    decoder["decoder.blend"] = np.array(BLEND, np.float32)
    decoder["decoder.threshold"] = np.array([THRESHOLD], np.float32)
    return {**arrays, **decoder}


@pytest.fixture(scope="module")
def file(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "labelled.safetensors"
    save_weights(path, tensors, metadata={"name": "labelled"})
    return path


@pytest.fixture(scope="module")
def images():
    before, after = drawn_pair(height=208, width=240)
    return [(date / 255).astype(np.float32) for date in (before, after)]


@pytest.mark.parametrize("channels", [CHANNELS, SMALL_CHANNELS])
def test_torch_has_the_tensors_that_the_description_names(channels):
    made = Decoder(channels).state_dict()
    state = {f"decoder.{n}": tuple(v.shape) for n, v in made.items()}
    assert state == decoder_shapes(channels)
    assert has_decoder(state)
    assert not has_decoder(SiameseVGG16().state_dict())


def test_openvino_and_torch_agree(file, images):
    loaded = load_weights(file)
    fast, reference = (
        open_engine(loaded, device=device, threads=2).differences(*images)
        for device in ("cpu", "torch")
    )
    assert np.ptp(fast.odds) > 0.8
    np.testing.assert_allclose(fast.odds, reference.odds, atol=1e-3)
    np.testing.assert_allclose(fast.score, reference.score, atol=1e-3)


def test_model_for_ones_own_program_says_the_same(file, images):
    model = create_siamese_model(weights=file)
    with torch.inference_mode():
        dates = [torch.from_numpy(image)[None] for image in images]
        found = model(*dates).probability[0].numpy()
        activations = model.activations(torch.cat(dates))
        score = model.score(torch.cat(dates), activations, fixed=True)[0].numpy()
    odds = open_engine(load_weights(file), threads=2).differences(*images).odds
    wanted = blended(odds, score, np.array(BLEND, np.float32))
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_weights_without_a_decoder_give_no_odds(images):
    assert open_engine(load_weights(), threads=2).differences(*images).odds is None


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_odds_are_held_in(tensors, images, tmp_path, device):
    steep = {**tensors, "decoder.out.weight": 1e3 * tensors["decoder.out.weight"]}
    save_file(steep, tmp_path / "steep.safetensors")
    engine = open_engine(load_weights(tmp_path / "steep.safetensors"), device=device)
    assert np.abs(engine.differences(*images).odds).max() == ODDS_LIMIT


def test_compared_by_hand():
    first, second = [3.0, 4.0], [0.0, 2.0]
    found = compared(torch.tensor([first, second])[:, :, None, None])[0, :, 0, 0]
    a = np.array(first) / np.sqrt(12.5)
    b = np.array(second) / np.sqrt(2)
    np.testing.assert_allclose(found, [*np.abs(a - b), *a, *b], atol=1e-5)
    assert compared(torch.zeros(2, 4, 1, 1)).abs().max() == 0


def test_enlarged_by_hand():
    found = enlarged(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0]
    assert found.tolist() == [0, 1, 3, 4]


def test_decoder_sees_no_further_than_its_reach(file):
    model = create_siamese_model(weights=file)
    torch.manual_seed(0)
    before, after = torch.rand(2, 1, 3, 32, 400)
    edge = 160
    other = before.clone()
    other[..., :edge] = torch.rand(1, 3, 32, edge)
    with torch.inference_mode():
        one, two = (
            model.decode(model.activations(torch.cat([date, after])))
            for date in (before, other)
        )
    beyond = edge + DECODER_REACH
    torch.testing.assert_close(one[..., beyond:], two[..., beyond:], atol=1e-5, rtol=0)
    assert (one[..., :edge] - two[..., :edge]).abs().max() > 0.01
    assert DECODER_MARGIN % STRIDE == 0
    assert DECODER_MARGIN >= DECODER_REACH


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.out.bias": None}, r"decoder\.out\.bias is missing"),
        ({"decoder.more": np.ones(1, np.float32)}, r"decoder\.more is unexpected"),
        (
            {"decoder.out.bias": np.ones(2, np.float32)},
            r"decoder\.out\.bias has shape \(2,\), wanted \(1,\)",
        ),
        (
            {"decoder.threshold": np.ones(1, np.float32)},
            r"decoder\.threshold does not lie between 0 and 1",
        ),
        (
            {"decoder.blend": np.array([1, -0.1, 0], np.float32)},
            r"decoder\.blend falls while an answer rises",
        ),
        (
            {"decoder.blend": np.array([0, 0, 1], np.float32)},
            r"decoder\.blend falls while an answer rises",
        ),
    ],
)
def test_wrong_decoders_are_refused(tensors, tmp_path, change, message):
    changed = {n: v for n, v in {**tensors, **change}.items() if v is not None}
    save_file(changed, tmp_path / "wrong.safetensors")
    with pytest.raises(WeightsError, match=message):
        load_weights(tmp_path / "wrong.safetensors")


def run(pair, folder, file, **options):
    options = {"min_area": MinArea(value=1, unit="px"), **options}
    return detect_change(*pair, folder, ChangeOptions(weights=str(file), **options))


def test_change_map_is_that_of_odds_and_score(file, tmp_path):
    """Probability as the reference gives it, cut at the file's own threshold."""
    pair = write_pair(tmp_path, *drawn_pair(height=208, width=240))
    result = run(pair, tmp_path / "out", file, normalize="none")
    assert result.record.threshold.value == pytest.approx(THRESHOLD)
    assert result.record.threshold.rule == "auto"
    assert "held out" in result.record.threshold.reason
    assert result.record.weights.name == "labelled"
    levels = read(result.paths["difference"], 1).astype(int)
    model = create_siamese_model(weights=file)
    pad = ((0, 0), (EDGE_MARGIN,) * 2, (EDGE_MARGIN,) * 2)
    inner = (slice(EDGE_MARGIN, -EDGE_MARGIN),) * 2
    dates = [
        np.pad((read(path) / 255).astype(np.float32), pad, mode="symmetric")
        for path in pair
    ]
    images = torch.from_numpy(np.stack(dates))
    valid = np.pad(np.ones(dates[0].shape[1:], bool)[inner], pad[1:])
    with torch.inference_mode():
        activations = model.activations(images)
        odds = model.decode(activations)[0].numpy()
        score = model.score(
            images, activations, torch.from_numpy(valid)[None], fixed=True
        )
    weights = np.array(BLEND, np.float32)
    wanted = blended(odds, score[0].numpy(), weights)[inner]
    assert np.abs(levels - np.rint(254 * wanted)).max() <= 1
    decided = read(result.paths["change"], 1) == 1
    np.testing.assert_array_equal(decided, levels >= np.ceil(254 * THRESHOLD))
    assert 0 < decided.mean() < 1


def test_another_threshold_can_be_asked_for(file, tmp_path):
    pair = write_pair(tmp_path, *drawn_pair(height=112, width=144))
    result = run(pair, tmp_path / "out", file, threshold=0.9)
    assert (result.record.threshold.rule, result.record.threshold.value) == (
        "fixed",
        0.9,
    )


def test_blocks_leave_the_answer_alone(file, tmp_path):
    pair = write_pair(tmp_path, *drawn_pair(height=203, width=241))
    whole = run(pair, tmp_path / "whole", file, block_size=512)
    parts = run(pair, tmp_path / "parts", file, block_size=112, threads=1)
    one, two = (read(r.paths["difference"]).astype(int) for r in (whole, parts))
    assert np.abs(one - two).max() <= 1
    np.testing.assert_array_equal(*(read(r.paths["change"]) for r in (whole, parts)))
    assert np.ptp(one[0]) > 50
