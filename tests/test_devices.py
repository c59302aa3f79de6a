"""torch's threads: as many as asked for at work, the caller's own number afterwards."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pictures import textured
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
pytestmark = pytest.mark.torch

from geosim.siamese.backbones import Backbone  # noqa: E402
from geosim.siamese.devices import torch_threads, use_device  # noqa: E402

CALLERS = 5


@pytest.fixture(autouse=True)
def _threads_of_the_caller():
    before = torch.get_num_threads()
    torch.set_num_threads(CALLERS)
    yield
    torch.set_num_threads(before)


def test_a_run_leaves_the_callers_threads(tmp_path):
    dates = (date[:, 48:128, 64:160] for date in drawn_pair())
    pair = write_pair(tmp_path, *dates)
    detect_change(*pair, tmp_path / "out", ChangeOptions(device="torch", threads=1))
    assert torch.get_num_threads() == CALLERS


def test_a_network_of_torchvision_leaves_them(tmp_path):
    network = torchvision.models.get_model("mobilenet_v2", weights=None)
    torch.save(network.state_dict(), tmp_path / "random.pth")
    backbone = Backbone("mobilenet_v2", tmp_path / "random.pth", threads=1)
    seen = []
    backbone._network.register_forward_hook(
        lambda *_: seen.append(torch.get_num_threads())
    )
    pictures = np.stack([textured(1, 64, 64), textured(2, 64, 64)])
    backbone.embed(pictures)
    backbone.distances(pictures)
    assert seen == [1, 1]
    assert torch.get_num_threads() == CALLERS


@pytest.mark.parametrize("threads", [None, 2])
def test_training_leaves_them(threads):
    with use_device("cpu", threads):
        assert torch.get_num_threads() == (threads or CALLERS)
    assert torch.get_num_threads() == CALLERS
    with pytest.raises(ZeroDivisionError), use_device("cpu", threads):
        torch.set_num_threads(1 // 0)
    assert torch.get_num_threads() == CALLERS


def test_work_that_overlaps_in_threads_leaves_them():
    first, second = torch_threads(1), torch_threads(2)
    with ThreadPoolExecutor(1) as pool:
        first.__enter__()
        pool.submit(second.__enter__).result()
        assert pool.submit(torch.get_num_threads).result() == 2
        first.__exit__(None, None, None)
        assert torch.get_num_threads() == CALLERS
        assert pool.submit(torch.get_num_threads).result() == 2
        pool.submit(second.__exit__, None, None, None).result()
        assert pool.submit(torch.get_num_threads).result() == CALLERS
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == CALLERS
