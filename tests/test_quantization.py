"""The network in int8: that it is used, and that it says what float32 says."""

import dataclasses

import numpy as np
import pytest

from geosim.errors import OptionError, WeightsError
from geosim.siamese import quantization
from geosim.siamese.architecture import CONVOLUTIONS, IMAGENET_MEAN, IMAGENET_STD
from geosim.siamese.engine import open_engine
from geosim.siamese.graph import build_graph, centred, compile_graph, in_two_parts
from geosim.siamese.quantization import (
    QUANTIZATIONS,
    Quantization,
    find_quantization,
    pack_quantization,
    parse_quantization,
)
from geosim.siamese.ranges import (
    CALIBRATED,
    as_tensors,
    from_tensors,
    measure_ranges,
    range_shapes,
)
from geosim.siamese.runtime import openvino, ops
from geosim.siamese.shipped import DATA_FOLDER, WEIGHTS
from geosim.siamese.weights import load_weights, save_weights

MAPS = ("score", "low", "mid", "high")


@pytest.fixture(scope="module", params=list(WEIGHTS))
def shipped(request):
    weights = load_weights(request.param)
    return weights, find_quantization(weights)


@pytest.fixture(scope="module")
def dates():
    """Grains of several sizes; the second date differs in its right half."""
    rng = np.random.default_rng(5)

    def ground():
        image = np.zeros((3, 128, 160), np.float32)
        for size in (2, 8, 16):
            grains = rng.random((3, 128 // size, 160 // size), np.float32)
            image += grains.repeat(size, axis=1).repeat(size, axis=2) / 3
        return image

    before = ground()
    after = before + 0.02 * rng.normal(size=before.shape).astype(np.float32)
    after[..., 80:] = ground()[..., 80:]
    return before, np.clip(after, 0, 1)


def executed(model):
    """Type and precision of what runs, from OpenVINO's own account."""
    compiled = compile_graph(model, 1)
    infos = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    return [
        tuple(
            info[key].astype(str) if hasattr(info[key], "astype") else str(info[key])
            for key in ("layerType", "runtimePrecision")
        )
        for info in infos
    ]


@pytest.mark.parametrize("size", [(-1, -1), (64, 96)])
def test_all_convolutions_run_in_int8(shipped, size):
    weights, ranges = shipped
    ours = executed(build_graph(weights.arrays, quantization=ranges, size=size))
    found = [precision for kind, precision in ours if kind == "Convolution"]
    # besides the 13 the average over a feature's surroundings, two passes of two dates,
    # and what enlarges the four distances that are not of the image's size
    assert len(found) == len(CONVOLUTIONS) + 4 + 4
    assert sum(precision in ("u8", "i8") for precision in found) == len(CONVOLUTIONS)
    plain = executed(build_graph(weights.arrays, size=size))
    assert {p for kind, p in plain if kind == "Convolution"} == {"f32"}


def test_int8_says_what_float32_says(shipped, dates):
    weights, _ = shipped
    ours = open_engine(weights, precision="int8", threads=1).differences(*dates)
    wanted = open_engine(weights, precision="float32", threads=1).differences(*dates)
    for name in MAPS:
        one, two = getattr(ours, name), getattr(wanted, name)
        assert two.std() > 0.01, name
        assert np.abs(one - two).mean() < 0.01, name
        assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.995, name
    assert np.corrcoef(ours.features.ravel(), wanted.features.ravel())[0, 1] > 0.99


def first_layer(arrays, image, bits):
    """What the first convolution makes of an image: float32, 8 bits, or two parts."""
    given = centred(ops.constant(image))
    kernel = arrays["features.0.weight"]
    parts, whole = in_two_parts(given, kernel)
    if bits == 8:  # without the second part
        parts = ops.multiply(parts, np.float32([1, 1, 1, 0, 0, 0]).reshape(1, 6, 1, 1))
    values, numbers = (given, kernel) if bits == 32 else (parts, whole)
    sums = ops.convolution(values, ops.constant(numbers), *[[1, 1]] * 4)
    return openvino.Core().compile_model(openvino.Model([sums], []), "CPU")([])[0]


def test_an_image_in_two_parts_keeps_its_fine_texture(shipped):
    arrays = shipped[0].arrays
    rng = np.random.default_rng(2)
    # less than a level of 8 bits on flat ground
    image = 0.4 + rng.uniform(-0.4, 0.4, (2, 3, 64, 64)).astype(np.float32) / 255
    image[:, :, 0, 0], image[:, :, 0, 1] = 0, 1  # neither end of the range is cut
    wanted = first_layer(arrays, image, 32)
    eight, twelve = (
        np.abs(first_layer(arrays, image, bits) - wanted).mean() for bits in (8, 12)
    )
    assert twelve < eight / 8
    assert twelve < 0.05 * wanted[:, :, 8:].std(axis=(2, 3)).mean()


def test_same_image_is_the_same_in_int8(shipped, dates):
    found = open_engine(shipped[0], precision="int8").differences(dates[0], dates[0])
    for name in MAPS:
        assert np.abs(getattr(found, name)).max() < 1e-4, name


def test_threads_and_place_leave_int8_alone(shipped, dates):
    weights = shipped[0]
    one = open_engine(weights, precision="int8", threads=1)
    two = open_engine(weights, precision="int8", threads=2)
    whole = one.differences(*dates)
    assert np.array_equal(whole.features, two.differences(*dates).features)
    np.testing.assert_allclose(
        whole.score, two.differences(*dates).score, rtol=0, atol=1e-6
    )
    # further from the cut than relu2_2 sees
    part = one.differences(*(date[:, :, 32:] for date in dates))
    inner = np.s_[:, 40:]
    np.testing.assert_allclose(
        whole.low[:, 32:][inner], part.low[inner], rtol=0, atol=1e-6
    )


def test_int8_is_the_default_and_is_told(shipped):
    engine = open_engine(shipped[0], threads=2)
    assert engine.precision == "int8"
    assert engine.description == "OpenVINO int8 on the CPU, 2 threads"
    plain = open_engine(shipped[0], precision="float32", threads=2)
    assert plain.precision == "float32"
    assert plain.description == "OpenVINO float32 on the CPU, 2 threads"


def largest_by_hand(arrays, image):
    """Largest value that enters each convolution but the first, by torch."""
    torch = pytest.importorskip("torch")
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in (IMAGENET_MEAN, IMAGENET_STD))
    flow = torch.from_numpy(((image - mean) / deviation).astype(np.float32))
    found = []
    for layer in CONVOLUTIONS:
        if layer.pool_before:
            flow = torch.nn.functional.max_pool2d(flow, 2)
        found.append(flow.max().item())
        kernel, bias = (
            torch.from_numpy(arrays[f"{layer.name}.{part}"])
            for part in ("weight", "bias")
        )
        flow = torch.relu(torch.nn.functional.conv2d(flow, kernel, bias, padding=1))
    return np.array(found[1:])


@pytest.mark.torch
def test_ranges_are_the_means_of_the_largest_values(shipped, dates):
    arrays = shipped[0].arrays
    batches = [np.stack(dates), 0.5 * np.stack(dates)[:, :, :64]]
    found = measure_ranges(arrays, batches, threads=1)
    wanted = np.mean([largest_by_hand(arrays, batch) for batch in batches], axis=0)
    assert list(found) == [layer.name for layer in CALIBRATED]
    assert all(low == 0 for low, _ in found.values())
    np.testing.assert_allclose([high for _, high in found.values()], wanted, rtol=1e-3)


def test_weights_with_ranges_run_in_int8(shipped, dates, tmp_path):
    path = tmp_path / "mine.safetensors"
    weights, given = shipped
    save_weights(path, weights.arrays | as_tensors(given.ranges), metadata={})
    mine = load_weights(path)
    assert mine.arrays.keys() == weights.arrays.keys()
    engine = open_engine(mine, threads=1)
    assert engine.precision == "int8"
    same = open_engine(weights, threads=1).differences(*dates)
    found = engine.differences(*dates)
    # kernels are float16 in both files
    assert all(np.array_equal(getattr(found, m), getattr(same, m)) for m in MAPS)
    assert open_engine(mine, precision="float32").precision == "float32"


@pytest.mark.parametrize("wrong", ["missing", "empty", "endless"])
def test_a_model_with_half_its_ranges_is_refused(shipped, tmp_path, wrong):
    weights, given = shipped
    ranges = as_tensors(given.ranges)
    name = list(ranges)[4]
    if wrong == "missing":
        del ranges[name]
    else:
        highest = np.inf if wrong == "endless" else 0.0
        ranges[name] = np.array([0.0, highest], np.float32)
    with pytest.raises(WeightsError, match=name):
        save_weights(tmp_path / "x.safetensors", weights.arrays | ranges, metadata={})
    assert not list(tmp_path.iterdir())


def test_ranges_come_back_from_their_tensors(shipped):
    given = shipped[1].ranges
    tensors = as_tensors(given)
    assert {name: value.shape for name, value in tensors.items()} == range_shapes()
    back = from_tensors(tensors)
    assert all(np.array_equal(back[name], given[name]) for name in given)


def test_weights_without_ranges_run_in_float32(shipped, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_weights(path, shipped[0].arrays, metadata={"name": "mine"})
    mine = load_weights(path)
    engine = open_engine(mine, threads=1)
    assert engine.precision == "float32"
    assert "no ranges for int8 belong to these weights" in engine.description
    with pytest.raises(OptionError, match="--precision int8 wants weights that hold"):
        open_engine(mine, precision="int8")


@pytest.mark.parametrize("device", ["torch", "cuda"])
def test_int8_is_of_the_cpu_alone(shipped, device):
    with pytest.raises(
        OptionError, match="--precision int8 wants --device auto or cpu"
    ):
        open_engine(shipped[0], device=device, precision="int8")


def test_what_is_shipped_belongs_to_shipped_weights_and_is_attributed():
    notice = (DATA_FOLDER / "NOTICE.md").read_text()
    sums = {record.sha256 for record in WEIGHTS.values()}
    for record in QUANTIZATIONS:
        assert record.weights_sha256 in sums
        assert record.file in notice
        assert record.sha256 in notice
        assert (DATA_FOLDER / record.file).stat().st_size < 10_000


def test_ranges_begin_at_zero(shipped):
    ranges = shipped[1].ranges
    assert set(ranges) == {layer.name for layer in CALIBRATED}
    assert all(low == 0 for low, _ in ranges.values())  # what a ReLU leaves


def test_another_file_is_refused(monkeypatch, tmp_path):
    record = QUANTIZATIONS[0]
    (tmp_path / record.file).write_bytes(b"other")
    monkeypatch.setattr(quantization, "DATA_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="is not the file that geosim was shipped"):
        find_quantization(load_weights())
    (tmp_path / record.file).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        find_quantization(load_weights())


def test_a_quantisation_comes_back_and_a_wrong_one_does_not(shipped):
    given = shipped[1]
    back = parse_quantization(pack_quantization(given, metadata={}), source="x")
    for name, bounds in given.ranges.items():
        assert np.array_equal(back.ranges[name], bounds)
    name = CALIBRATED[3].name
    for wrong in (
        np.array([0.0, np.nan], np.float32),
        np.array([1.0, 1.0], np.float32),
        np.zeros(3, np.float32),
    ):
        broken = dataclasses.replace(given, ranges={**given.ranges, name: wrong})
        content = pack_quantization(broken, metadata={})
        with pytest.raises(WeightsError, match=f"{name}.range is missing"):
            parse_quantization(content, source="x")
    fewer = Quantization(ranges={n: v for n, v in given.ranges.items() if n != name})
    with pytest.raises(WeightsError, match=f"{name}.range is missing"):
        parse_quantization(pack_quantization(fewer, metadata={}), source="x")
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        parse_quantization(b"12", source="x")
