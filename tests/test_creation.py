"""Creation options leave the pixels as they are."""

import numpy as np
import pytest
from rasters import drawn_pair, read, write_pair

from geosim import ChangeOptions, detect_change


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A pair and its result without any."""
    folder = tmp_path_factory.mktemp("plain")
    pair = write_pair(folder, *drawn_pair())
    return pair, detect_change(*pair, folder / "out", ChangeOptions(method="cva"))


@pytest.mark.parametrize("name", ["STATISTICS", "SPARSE_OK", "PREDICTOR"])
def test_pixels_are_the_same(plain, tmp_path, monkeypatch, name):
    pair, wanted = plain
    monkeypatch.chdir(tmp_path)
    value = "TRUE" if name == "SPARSE_OK" else "YES"
    options = ChangeOptions(method="cva", creation_options=((name, value),))
    found = detect_change(*pair, "out", options)
    for file in ("change.tif", "difference.tif", "tiles.tif"):
        pixels = [read(one.folder / file) for one in (found, wanted)]
        assert np.array_equal(*pixels, equal_nan=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
