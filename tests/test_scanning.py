"""The first pass: blocks with margins, working ahead, tile embeddings."""

import gc
import math
import threading
import time

import numpy as np
import pytest
import rasterio
from affine import Affine

from geosim.machine.overlapping import ahead, together
from geosim.raster.grid import Grid, Window, blocks
from geosim.raster.radiometry import fit
from geosim.raster.scene import open_scene
from geosim.scoring.scanning import Block, block_of, read_block
from geosim.scoring.tile_embeddings import TileEmbeddings
from geosim.siamese.weights import load_weights

# blocks with margins


@pytest.fixture
def pair(tmp_path):
    """Two dates of 70 x 50 px of noise with nodata, and their radiometry."""
    rng = np.random.default_rng(1)
    dates = rng.integers(1, 255, (2, 3, 50, 70)).astype("uint8")
    dates[1, :, :10, 30:] = 0
    names = []
    for name, values in zip(("a.tif", "b.tif"), dates, strict=True):
        profile = {"driver": "GTiff", "count": 3, "height": 50, "width": 70}
        place = Affine(10, 0, 5e5, 0, -10, 5e6)
        with rasterio.open(
            tmp_path / name,
            "w",
            dtype="uint8",
            crs="EPSG:32633",
            transform=place,
            nodata=0,
            **profile,
        ) as dataset:
            dataset.write(values)
        names.append(str(tmp_path / name))
    model = fit(*dates.reshape(2, 3, -1).astype(np.float32), dtype="uint8", how="none")
    with open_scene(*names) as scene:
        yield scene, model, dates / np.float32(255)


@pytest.mark.parametrize("margin", [0, 16, 32])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_blocks_are_mirrored_beyond_the_edge(pair, margin, size):
    scene, model, dates = pair
    valid = (dates[1] > 0).any(axis=0)
    dates[:, :, ~valid] = model.mean[None, :, None]
    reach = size + margin
    mirrored = np.pad(
        dates, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="symmetric"
    )
    seen = np.pad(valid, reach)
    for window in blocks(scene.grid, size):
        block = read_block(scene, model, window, window.grown(margin, 16))
        assert block.window == window
        assert block.outer == window.grown(margin, 16)
        assert block.outer.width % 16 == block.outer.height % 16 == 0
        # only up to the margin: what lies farther does not matter
        needed = window.grown(margin)
        part = needed.slices_in(block.outer)
        whole = needed.slices_in(Window(-reach, -reach, 0, 0))
        assert np.abs(block.before[:, *part] - mirrored[0, :, *whole]).max() < 1e-6
        assert np.abs(block.after[:, *part] - mirrored[1, :, *whole]).max() < 1e-6
        assert (block.valid[part] == seen[whole]).all()
        inner = block.inner
        assert (block.valid[inner] == valid[window.slices_in(scene.grid.window)]).all()


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_a_block_is_the_same_in_several_threads(pair, threads):
    scene, model, _ = pair
    window = scene.grid.window
    outer = window.grown(16, 16)
    read = scene.read(window)
    one = block_of(read, model, window, outer)
    more = block_of(read, model, window, outer, threads)
    assert np.ptp(one.before) > 0
    for name in ("before", "after", "valid"):
        assert np.array_equal(getattr(one, name), getattr(more, name))


# working ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_together_keeps_the_order(threads):
    where = []

    def work(number):
        time.sleep(0.002 * (3 - number))
        where.append(threading.get_ident())
        return number**2

    works = [lambda number=number: work(number) for number in range(4)]
    assert together(works, threads) == [0, 1, 4, 9]
    assert min(threads, 2) <= len(set(where)) <= threads
    assert (threading.get_ident() in where) == (threads == 1)


@pytest.mark.parametrize("threads", [1, 3])
def test_together_passes_exceptions_on(threads):
    with pytest.raises(ValueError, match="number 1"):
        together([lambda n=n: fail_at(1)(n) for n in range(3)], threads)


def test_ahead_keeps_the_order():
    def slow(number):
        time.sleep(0.002 * (number % 3))
        return number**2

    assert list(ahead(slow, range(20))) == [n**2 for n in range(20)]
    assert list(ahead(slow, range(20), depth=5)) == [n**2 for n in range(20)]
    assert list(ahead(slow, [])) == []


def test_ahead_works_in_one_other_thread():
    threads = set(ahead(lambda _: threading.get_ident(), range(10), depth=4))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("depth", [1, 3])
def test_ahead_is_no_further_ahead_than_asked(depth):
    begun = []
    results = ahead(lambda number: begun.append(number) or number, range(50), depth)
    for number in range(10):
        assert next(results) == number
        time.sleep(0.005)
        assert max(begun) <= number + depth
    results.close()


def fail_at(bad):
    def function(number):
        if number == bad:
            raise ValueError(f"number {number}")
        return number

    return function


@pytest.mark.parametrize("bad", [0, 5, 19])
def test_ahead_passes_exceptions_on_at_their_place(bad):
    results = ahead(fail_at(bad), range(20))
    assert [next(results) for _ in range(bad)] == list(range(bad))
    with pytest.raises(ValueError, match=f"number {bad}"):
        next(results)


def test_ahead_passes_exceptions_of_its_items_on():
    def items():
        yield 1
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        list(ahead(lambda number: number, items()))


def test_nested_exceptions_end_all_threads():
    before = threading.active_count()
    with pytest.raises(ValueError, match="number 3"):
        list(ahead(str, ahead(fail_at(3), range(20))))
    gc.collect()
    assert threading.active_count() == before


def test_ahead_stops_when_nobody_listens():
    before = threading.active_count()
    begun = []
    results = ahead(lambda number: begun.append(number) or number, range(1000), depth=3)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before
    assert len(begun) <= 5


# tile embeddings


@pytest.fixture(scope="module")
def weights():
    return load_weights()


def grid_of(width, height):
    return Grid(crs=None, transform=Affine.scale(1, -1), width=width, height=height)


def features_of(width, height, seed=1):
    """Features of every cell of a raster, (2, 512, rows, columns), and validity."""
    rng = np.random.default_rng(seed)
    shape = (2, 512, math.ceil(height / 16), math.ceil(width / 16))
    features = np.maximum(rng.standard_normal(shape), 0).astype(np.float32)
    features[1] = 0.7 * features[0] + 0.3 * features[1]
    valid = rng.random((height, width)) < 0.9
    valid[: height // 3, : width // 2] = False
    return features, valid


def scanned(weights, features, valid, *, tile_size, block_size, margin=32):
    """Similarities when the blocks come one after another."""
    height, width = valid.shape
    grid = grid_of(width, height)
    embeddings = TileEmbeddings(grid, tile_size, weights)
    cells = margin // 16
    around = ((0, 0), (0, 0), (cells, cells + 64), (cells, cells + 64))
    # what lies beyond the edge must not count
    padded = np.pad(features, around, constant_values=9.0)
    seen = np.pad(valid, ((margin, margin + 1024),) * 2)
    for window in blocks(grid, block_size):
        outer = window.grown(margin, 16)
        rows, cols = outer.slices_in(Window(-margin, -margin, 0, 0))
        part = (
            slice(rows.start // 16, rows.stop // 16),
            slice(cols.start // 16, cols.stop // 16),
        )
        nothing = np.zeros((3, 0, 0), np.float32)
        block = Block(
            window=window,
            outer=outer,
            before=nothing,
            after=nothing,
            valid=seen[rows, cols],
        )
        if block.valid[block.inner].any():
            embeddings.add(block, padded[:, :, *part])
    return embeddings.finish()


def brute_force(weights, features, valid, tile_size):
    """GeM pooling (Radenovic et al. 2019) and the embedding, tile by tile."""
    height, width = valid.shape
    rows, cols = math.ceil(height / tile_size), math.ceil(width / tile_size)
    sums = np.zeros((rows, cols, 2, 512))
    count = np.zeros((rows, cols))
    for row in range(features.shape[2]):
        for col in range(features.shape[3]):
            cell = valid[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16]
            share = cell.sum() / 256
            tile = [(row * 16 + 8) // tile_size, (col * 16 + 8) // tile_size]
            # the last cell is the last tile's
            if row == features.shape[2] - 1:
                tile[0] = rows - 1
            if col == features.shape[3] - 1:
                tile[1] = cols - 1
            values = features[:, :, row, col].astype(float)
            sums[tile[0], tile[1]] += share * values**3
            count[tile[0], tile[1]] += share
    similarity = np.full((rows, cols), np.nan)
    matrix, bias = weights.arrays["embedding.weight"], weights.arrays["embedding.bias"]
    for place in zip(*np.nonzero(count), strict=True):
        pooled = np.cbrt(sums[place] / count[place])
        one, two = (matrix.astype(float) @ date + bias for date in pooled)
        cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
        similarity[place] = np.clip(cosine, 0, 1)
    return similarity


SIZES = [(160, 128), (151, 99), (33, 70), (251, 40), (20, 16)]


@pytest.mark.parametrize("tile_size", [32, 50, 100])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_embeddings_are_those_of_brute_force(weights, width, height, tile_size):
    features, valid = features_of(width, height)
    wanted = brute_force(weights, features, valid, tile_size)
    for block_size in (16, 64, 1024):
        found = scanned(
            weights, features, valid, tile_size=tile_size, block_size=block_size
        )
        assert found.dtype == np.float32
        assert found == pytest.approx(wanted, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("tile_size", [32, 50, 100, 256])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_tile_has_a_similarity_where_it_has_data(weights, width, height, tile_size):
    features, _ = features_of(width, height)
    valid = np.ones((height, width), bool)
    found = scanned(weights, features, valid, tile_size=tile_size, block_size=64)
    assert np.isfinite(found).all()


def test_equal_dates_are_1_and_nothing_is_nan(weights):
    features, valid = features_of(96, 64)
    features[1] = features[0]
    valid[:32] = False
    found = scanned(weights, features, valid, tile_size=32, block_size=64)
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx(1.0)


def test_tile_rows_are_dropped_when_they_are_done(weights):
    height = 16 * 40
    features, valid = features_of(32, height)
    grid = grid_of(32, height)
    embeddings = TileEmbeddings(grid, 32, weights)
    for row in range(0, height, 32):
        window = Window(0, row, 32, 32)
        nothing = np.zeros((3, 0, 0), np.float32)
        block = Block(
            window=window,
            outer=window,
            before=nothing,
            after=nothing,
            valid=valid[row : row + 32],
        )
        embeddings.add(block, features[:, :, row // 16 : row // 16 + 2])
        assert len(embeddings._open) <= 2
