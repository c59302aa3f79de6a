"""Parts of the network's graph alone, against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geosim.siamese.distance_graph import enlarged
from geosim.siamese.graph import compile_graph
from geosim.siamese.runtime import openvino, ops

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def enlarged_by_graph(values, stride):
    """The answer of a graph that takes any size."""
    given = ops.parameter([1, values.shape[1], -1, -1], np.float32)
    graph = openvino.Model([enlarged(ops.abs(given), stride)], [given], "enlarged")
    return compile_graph(graph, 1).create_infer_request().infer([values])[0]


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 3]),
)
def test_enlarged_is_torchs_bilinear(height, width, stride, channels):
    rng = np.random.default_rng(height * 10 + width)
    values = rng.random((1, channels, height, width), np.float32)
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(values), scale_factor=stride, mode="bilinear"
    )
    found = enlarged_by_graph(values, stride)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)


def test_enlarged_by_hand():
    found = enlarged_by_graph(np.array([[[[0.0, 4.0]]]], np.float32), 2)
    assert found[0, 0].tolist() == [[0, 1, 3, 4], [0, 1, 3, 4]]
