"""Every model, with weights of our own; the download against a server of our own."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from pictures import textured
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change
from geosim.errors import OptionError, WeightsError
from geosim.images.models import MODEL_NAMES, open_model, working_size
from geosim.images.pixels import resized
from geosim.siamese.weights import load_weights

TORCHVISION = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
LENGTHS = {"vgg16": 512, "resnet18": 512, "resnet50": 2048, "mobilenet_v2": 1280}


def random_state(name):
    """A state dict of the architecture, without its classifier, from a seed."""
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision").models
    with torch.device("meta"):
        network = models.get_model(name, weights=None)
    generator = torch.Generator().manual_seed(7)
    state = {}
    for key, value in network.state_dict().items():
        if key.startswith(("classifier.", "fc.")):
            continue
        if value.ndim == 4:
            spread = (2 / value[0].numel()) ** 0.5
            state[key] = torch.randn(value.shape, generator=generator) * spread
        elif key.endswith(("running_var", "weight")):
            state[key] = torch.ones(value.shape)
        else:
            state[key] = torch.zeros(value.shape, dtype=value.dtype)
    return state


def saved(name, path):
    import torch

    torch.save(random_state(name), path)
    return path


@pytest.fixture(scope="module")
def siamese():
    return open_model("siamese", threads=2)


@pytest.fixture(
    scope="module",
    params=[
        "siamese",
        "ssim",
        *(pytest.param(n, marks=pytest.mark.torch) for n in TORCHVISION),
    ],
)
def model(request, tmp_path_factory):
    name = request.param
    if name not in TORCHVISION:
        return open_model(name, threads=2)
    path = saved(name, tmp_path_factory.mktemp("weights") / f"{name}.pth")
    return open_model(name, weights=path, threads=2)


def test_embeddings_are_unit_vectors_in_order(model):
    pictures = [textured(1), textured(2, 150, 60), textured(3), textured(2, 150, 60)]
    found = model.embed(pictures)
    length = LENGTHS.get(model.name) or {"siamese": 128, "ssim": 256}[model.name]
    assert found.shape == (4, length)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[1], found[3], atol=1e-5)
    assert np.allclose(found[2], model.embed([pictures[2]])[0], atol=1e-5)
    assert found[0] @ found[2] < 0.9999


def test_resolution_hardly_matters(model):
    large = textured(4, 300, 420)
    first, second, other = model.embed(
        [large, resized(large, 210, 150), textured(5, 300, 420)]
    )
    assert first @ second > 0.98
    assert first @ second > first @ other


def test_differences_are_where_the_pictures_differ(model):
    first = textured(6, 128, 160)
    second = first.copy()
    second[:, 32:64, 96:144] = textured(7, 32, 48)
    same = model.differences(first, first)
    found = model.differences(first, second)
    for level in ("low", "mid", "high"):
        assert getattr(same, level).max() < 2e-3
        values = getattr(found, level)
        assert values.shape == (128, 160)
        assert values.dtype == np.float32
        assert values[40:56, 104:136].mean() > 3 * values[96:, :48].mean()


def test_sizes_that_no_stride_divides(model):
    found = model.differences(textured(1, 45, 67), textured(2, 45, 67))
    assert found.low.shape == found.mid.shape == found.high.shape == (45, 67)
    assert np.isfinite(found.high).all()


def test_embedding_is_the_networks_own(siamese):
    torch = pytest.importorskip("torch")
    from geosim.siamese.loading import create_siamese_model

    picture = textured(8, 256, 256)
    reference = create_siamese_model((256, 256, 3))
    batch = torch.from_numpy(picture[None])
    with torch.inference_mode():
        wanted = reference.embed(reference.activations(batch)["relu5_3"])[0].numpy()
    assert siamese.embed([picture])[0] @ wanted > 0.99  # int8 beside float32
    assert siamese.weights_sha256 == load_weights().record.sha256


def test_working_sizes_keep_shape_and_area():
    assert working_size(4000, 4000) == working_size(90, 90) == (256, 256)
    assert working_size(1600, 900) == (352, 192)
    assert working_size(10, 5000) == (64, 1024)
    for width, height in ((1, 1), (3, 2), (2000, 700)):
        assert all(side % 32 == 0 for side in working_size(width, height))


def test_structure_needs_no_weights():
    model = open_model("ssim")
    flat = [np.full((3, 40, 40), value, np.float32) for value in (0.2, 0.7)]
    first, second = model.embed(flat)
    assert first @ second == pytest.approx(1, abs=1e-6)
    picture = textured(9)
    negative = model.embed([picture, 1 - picture])
    assert negative[0] @ negative[1] == pytest.approx(-1, abs=1e-5)
    with pytest.raises(OptionError, match="ssim has none"):
        open_model("ssim", weights="some.pth")


def test_unknown_model_names_those_there_are():
    with pytest.raises(OptionError, match=", ".join(MODEL_NAMES)):
        open_model("alexnet")


@pytest.mark.torch
def test_wrong_weights_are_told_in_one_line(tmp_path):
    path = saved("resnet18", tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not those of mobilenet_v2") as caught:
        open_model("mobilenet_v2", weights=path)
    assert "\n" not in str(caught.value)
    (tmp_path / "no.pth").write_bytes(b"nothing")
    for name in ("no.pth", "missing.pth", "missing.safetensors"):
        with pytest.raises(WeightsError, match="cannot be read"):
            open_model("resnet18", weights=tmp_path / name)


@pytest.mark.torch
def test_safetensors_are_taken_too(tmp_path):
    pytest.importorskip("torch")
    from safetensors.torch import save_file

    path = tmp_path / "mine.safetensors"
    save_file(random_state("resnet18"), path)
    model = open_model("resnet18", weights=path)
    assert model.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of files, and torch's cache in an empty folder: (folder, URL, asked)."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=folder)
    ) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


def offered(monkeypatch, url):
    """Let torchvision's own class of weights point at a server of ours."""
    from torchvision.models import Weights, WeightsEnum

    from geosim.siamese import backbones

    class Local(WeightsEnum):
        OURS = Weights(url=url, transforms=None, meta={})

    monkeypatch.setattr(backbones, "pretrained", lambda _: Local.OURS)


@pytest.mark.torch
def test_download_is_checked_and_kept(server, monkeypatch, tmp_path):
    folder, url, asked = server
    content = saved("resnet18", tmp_path / "new.pth").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"resnet18-{sha256[:8]}.pth"
    (folder / name).write_bytes(content)
    offered(monkeypatch, f"{url}/{name}")
    model = open_model("resnet18")
    assert model.weights_sha256 == sha256
    kept = tmp_path / "cache" / "hub" / "checkpoints" / name
    assert kept.read_bytes() == content
    again = open_model("resnet18")  # from the cache
    picture = textured(1)
    assert np.array_equal(model.embed([picture]), again.embed([picture]))
    assert asked == [f"/{name}"]
    kept.write_bytes(content[:5000])
    with pytest.raises(WeightsError, match="remove it and try again"):
        open_model("resnet18")


@pytest.mark.torch
def test_other_bytes_than_promised_are_refused(server, monkeypatch, tmp_path):
    folder, url, _ = server
    saved("resnet18", folder / "resnet18-00000000.pth")
    offered(monkeypatch, f"{url}/resnet18-00000000.pth")
    with pytest.raises(WeightsError, match="sent other bytes than were wanted"):
        open_model("resnet18")
    assert not list((tmp_path / "cache").rglob("*.pth"))


@pytest.mark.torch
def test_without_network_the_remedy_is_named(server, monkeypatch, capsys):
    _, url, _ = server
    for where in (f"{url}/resnet18-1.pth", "http://127.0.0.1:1/resnet18-1.pth"):
        offered(monkeypatch, where)
        with pytest.raises(WeightsError, match="elsewhere and put it into ") as caught:
            open_model("resnet18")
        assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""


@pytest.mark.torch
def test_imagenet_is_a_trunk_for_two_dates(server, monkeypatch, tmp_path):
    folder, url, asked = server
    content = saved("vgg16", tmp_path / "new.pth").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / f"vgg16-{sha256[:8]}.pth").write_bytes(content)
    offered(monkeypatch, f"{url}/vgg16-{sha256[:8]}.pth")
    found, own = load_weights("imagenet"), load_weights()
    assert found.record.sha256 == sha256
    state = random_state("vgg16")
    for name, values in found.arrays.items():
        if name.startswith("features."):
            assert np.array_equal(values, state[name].numpy())
        elif name.startswith("head."):
            assert np.array_equal(values, own.arrays[name])
    axes = found.arrays["embedding.weight"]
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)

    pair = write_pair(tmp_path, *drawn_pair())
    options = ChangeOptions(weights="imagenet", threads=2)
    record = detect_change(*pair, tmp_path / "out", options).record
    assert (record.weights.name, record.weights.sha256) == ("imagenet", sha256)
    assert "float32" in record.engine
    assert len(asked) == 1  # what was fetched is kept


@pytest.mark.torch
def test_imagenet_without_network_is_asked_for_once(server, monkeypatch, tmp_path):
    _, url, asked = server
    offered(monkeypatch, f"{url}/vgg16-00000000.pth")
    pair = write_pair(tmp_path, *drawn_pair())
    options = ChangeOptions(weights="imagenet", threads=2)
    with pytest.raises(WeightsError, match=r"cannot be fetched \("):
        detect_change(*pair, tmp_path / "out", options)
    assert set(asked) == {"/vgg16-00000000.pth"}
    assert len(asked) <= 2  # the server tells of an error and of the request
    assert not list(tmp_path.glob("*out*"))
