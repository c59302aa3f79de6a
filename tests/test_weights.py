"""Weights files: what is shipped loads, and whatever is wrong is named."""

import hashlib

import numpy as np
import pytest
from processes import run_code
from safetensors.numpy import save_file

from geosim.errors import WeightsError
from geosim.siamese import weights
from geosim.siamese.architecture import (
    CONVOLUTIONS,
    REACHES,
    SMALL_CHANNELS,
    STRIDE,
    reach,
    state_shapes,
)
from geosim.siamese.shipped import SMALL_WEIGHTS as SMALL
from geosim.siamese.shipped import WEIGHTS
from geosim.siamese.smoothing import (
    block_margin,
    guide_radius,
    smoothing_sigma,
    smoothing_spread,
)
from geosim.siamese.weights import load_weights, save_weights


@pytest.fixture(scope="module")
def tensors():
    rng = np.random.default_rng(0)
    made = {}
    for name, shape in state_shapes().items():
        made[name] = (0.02 * rng.standard_normal(shape)).astype(np.float32)
    for name in ("head.slope", "head.term_weights", "head.quantiles"):
        made[name] = np.abs(made[name]) + np.float32(0.1)
    return made


@pytest.fixture
def file(tmp_path, tensors):
    def write(**changes):
        changed = {**tensors}
        for name, value in changes.items():
            if value is None:
                del changed[name]
            else:
                changed[name] = value
        path = tmp_path / "my.safetensors"
        save_file(changed, path)
        return path

    return write


def test_shipped_weights_load_with_their_sha256():
    loaded = load_weights()
    assert loaded.record is WEIGHTS["geosim-vgg16-1"]
    assert {n: v.shape for n, v in loaded.arrays.items()} == state_shapes()
    assert all(v.dtype == np.float32 for v in loaded.arrays.values())
    path = weights.DATA_FOLDER / loaded.record.file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == loaded.record.sha256


def test_small_weights_have_half_of_the_channels():
    small, large = (load_weights(name).arrays for name in (SMALL, "geosim-vgg16-1"))
    assert {n: v.shape for n, v in small.items()} == state_shapes(SMALL_CHANNELS)
    for layer in CONVOLUTIONS:
        one, other = (arrays[f"{layer.name}.weight"] for arrays in (small, large))
        assert 2 * one.shape[0] == other.shape[0]
    # the head is of the score, which the small network imitates
    for name in ("head.term_weights", "head.slope", "head.offset", "head.quantiles"):
        np.testing.assert_array_equal(small[name], large[name])


def test_kernels_of_two_widths_do_not_go_together(tmp_path):
    small, large = (load_weights(name).arrays for name in (SMALL, "geosim-vgg16-1"))
    path = tmp_path / "mixed.safetensors"
    save_file({**small, "features.28.weight": large["features.28.weight"]}, path)
    wanted = (
        r"features\.28\.weight has shape \(512, 512, 3, 3\), "
        r"wanted \(256, 256, 3, 3\)"
    )
    with pytest.raises(WeightsError, match=wanted):
        load_weights(path)


def test_shipped_weights_are_attributed():
    notice = (weights.DATA_FOLDER / "NOTICE.md").read_text()
    for record in WEIGHTS.values():
        assert record.sha256 in notice
        assert "Simonyan" in record.attribution
        assert record.licence == "CC-BY-4.0"


def test_shipped_file_keeps_large_tensors_small():
    for name, most in (("geosim-vgg16-1", 31e6), (SMALL, 8e6)):
        assert (weights.DATA_FOLDER / WEIGHTS[name].file).stat().st_size < most


def test_saved_weights_come_back(tmp_path, tensors):
    path = tmp_path / "mine.safetensors"
    sha256 = save_weights(path, tensors, metadata={"name": "mine", "licence": "MIT"})
    loaded = load_weights(path)
    assert (loaded.record.name, loaded.record.licence) == ("mine", "MIT")
    assert loaded.record.sha256 == sha256
    assert loaded.record.version == "unknown"
    for name, value in tensors.items():
        stored = value if value.ndim == 1 else value.astype(np.float16)
        np.testing.assert_array_equal(loaded.arrays[name], stored)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]


def test_missing_tensor_is_named(file):
    with pytest.raises(WeightsError, match=r"features\.5\.bias is missing"):
        load_weights(file(**{"features.5.bias": None}))


def test_unexpected_tensor_is_named(file):
    with pytest.raises(WeightsError, match=r"classifier\.0\.bias is unexpected"):
        load_weights(file(**{"classifier.0.bias": np.zeros(3, np.float32)}))


def test_wrong_shape_is_named_with_both_shapes(file):
    wrong = np.zeros((64, 4, 3, 3), np.float32)
    wanted = r"features\.0\.weight has shape \(64, 4, 3, 3\), wanted \(64, 3, 3, 3\)"
    with pytest.raises(WeightsError, match=wanted):
        load_weights(file(**{"features.0.weight": wrong}))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_tensor_is_named(file, tensors, bad):
    value = tensors["embedding.bias"].copy()
    value[7] = bad
    with pytest.raises(WeightsError, match=r"embedding\.bias holds NaN or infinity"):
        load_weights(file(**{"embedding.bias": value}))


def test_wrong_type_is_named(file):
    with pytest.raises(WeightsError, match=r"head\.offset is float64"):
        load_weights(file(**{"head.offset": np.zeros(2)}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("head.slope", "head.slope is not positive"),
        ("head.quantiles", "head.quantiles holds a negative number"),
        ("head.term_weights", "head.term_weights holds a negative number"),
    ],
)
def test_head_that_is_not_monotone_is_refused(file, tensors, name, message):
    with pytest.raises(WeightsError, match=message):
        load_weights(file(**{name: -tensors[name]}))


def test_many_problems_are_counted(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, path)
    with pytest.raises(WeightsError, match="and 28 more"):
        load_weights(path)


def test_shipped_file_with_other_bytes_is_refused(tmp_path, monkeypatch, tensors):
    save_weights(tmp_path / WEIGHTS["geosim-vgg16-1"].file, tensors, metadata={})
    monkeypatch.setattr(weights, "DATA_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=r"wanted sha256 .* found .* install"):
        load_weights()


def test_truncated_file_is_refused(file):
    path = file()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="cut short"):
        load_weights(path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(WeightsError, match="another kind of file"):
        load_weights(path)


def test_missing_file_and_unknown_name_list_what_there_is(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot be read .*geosim-vgg16-1"):
        load_weights(tmp_path / "no.safetensors")
    with pytest.raises(WeightsError, match="geosim-vgg16-1"):
        load_weights("geosim-vgg19")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tmp_path)


def test_reading_weights_imports_neither_torch_nor_openvino():
    code = (
        "import sys, geosim.siamese.weights as w; w.load_weights();"
        "assert not {'torch', 'openvino'} & set(sys.modules)"
    )
    run_code(code)


def test_reach_is_half_the_known_receptive_field():
    # receptive fields of VGG16, by the usual recurrence
    field, jump, fields = 1, 1, {}
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
        if block > 1:
            field, jump = field + jump, 2 * jump
        for position in range(1, depth + 1):
            field += 2 * jump
            fields[f"relu{block}_{position}"] = (field, jump)
    assert fields["relu4_3"][0] == 92
    for relu, (size, stride) in fields.items():
        assert 2 * reach(relu) + stride == size


@pytest.mark.parametrize(
    ("metres", "gaussian", "radius"),
    # sigma 3 / sqrt(metres) within 1..8, cut at four of it; the window of the guide
    [
        (None, 12, 4),
        (0.1, 32, 9),
        (1.0, 12, 4),
        (0.25, 24, 7),
        (10.0, 4, 3),
        (30.0, 4, 2),
    ],
)
def test_margin_of_a_block_holds_network_and_smoothings(metres, gaussian, radius):
    margin = block_margin(metres)
    assert margin % STRIDE == 0
    beyond = REACHES["spread"] + gaussian + 2 * radius
    assert beyond <= margin < beyond + STRIDE
    assert REACHES["spread"] == REACHES["differences"] + 5 * 8


@pytest.mark.parametrize(
    ("metres", "sigma"),
    [(None, 3), (0.1, 8), (1, 3), (4, 1.5), (9, 1), (10, 1), (49, 1), (50, 2)],
)
def test_smoothing_is_of_one_size_on_the_ground_within_limits(metres, sigma):
    assert smoothing_sigma(metres) == sigma


@pytest.mark.parametrize(
    ("metres", "radius"),
    [(None, 4), (0.1, 9), (2, 3), (10, 3), (19, 3), (20, 2), (30, 2), (60, 3)],
)
def test_window_along_edges_is_wide_enough_beside_a_narrow_gaussian(metres, radius):
    assert guide_radius(metres) == radius


@pytest.mark.parametrize(
    ("metres", "spread"), [(None, 3), (0.25, 6), (10, 2), (30, 1), (60, 2)]
)
def test_both_smoothings_reach_as_far_as_the_wider_one(metres, spread):
    assert smoothing_spread(metres) == pytest.approx(spread)


def test_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="relu6_1"):
        reach("relu6_1")
