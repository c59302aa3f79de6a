"""What is made once and serves several runs: kept while somebody holds it."""

import threading
import time

import numpy as np
import pytest

from geosim.siamese import keeping as module
from geosim.siamese.engine import open_engine
from geosim.siamese.graph import build_level_graph, compile_graph
from geosim.siamese.keeping import keeping, kept
from geosim.siamese.weights import kept_weights, load_weights, save_weights


def test_nothing_is_kept_without_a_holder():
    assert kept("level", "a", object) is not kept("level", "a", object)
    assert module._KEPT == {}


def test_the_last_of_a_kind_is_kept_until_the_last_holder_goes():
    with keeping():
        with keeping():
            one = kept("level", "a", object)
            other = kept("network", "a", object)
        assert kept("level", "a", object) is one
        assert kept("level", "b", object) is not one
        assert kept("level", "a", object) is not one  # "b" took its place
        assert kept("network", "a", object) is other
    assert module._KEPT == {}


def test_who_asks_meanwhile_waits_and_gets_the_same():
    made, found = [], []

    def make():
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    with keeping():
        threads = [
            threading.Thread(target=lambda: found.append(kept("level", "a", make)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 1
    assert found == made * 4


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "mine.safetensors"
    arrays = dict(load_weights().arrays)
    with keeping():
        assert kept_weights() is kept_weights()
        save_weights(path, arrays, metadata={"name": "one"})
        one = kept_weights(path)
        assert kept_weights(path) is one
        save_weights(path, arrays, metadata={"name": "another one"})
        assert kept_weights(path).record.name == "another one"


def test_one_network_serves_scenes_of_other_weights_of_the_terms():
    weights = load_weights()
    rng = np.random.default_rng(0)
    dates = rng.random((2, 3, 64, 80), np.float32)
    rows = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [1, 2, 0, 0]], np.float32)
    with keeping():
        found = []
        for row in rows:
            engine = open_engine(weights, threads=1, term_weights=row)
            found.append(engine.differences(*dates))
            compiled = module._KEPT["network"][1]
        assert module._KEPT["network"][1] is compiled
    one, two, both = (each.score for each in found)
    np.testing.assert_allclose(one + two, both, rtol=1e-5)
    assert np.ptp(both) > 0.1
    assert np.array_equal(found[0].high, found[2].high)


def test_networks_of_several_processes_are_not_bound_to_the_same_cores():
    graph = build_level_graph(load_weights().arrays, "relu1_1")
    compiled = compile_graph(graph, 1)
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_could_not_be_made_can_be_asked_for_again(error):
    def fail():
        raise error

    with keeping():
        with pytest.raises(error):
            kept("level", "a", fail)
        assert kept("level", "a", lambda: 1) == 1
