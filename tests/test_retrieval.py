"""Index file, exact and approximate search, groups, measures: hand-worked cases."""

import sqlite3
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from geosim.errors import IndexFileError, OutputError
from geosim.retrieval import approximate, exact
from geosim.retrieval.diffusion import diffused
from geosim.retrieval.finding import Searcher
from geosim.retrieval.index_draft import editing
from geosim.retrieval.index_file import open_index
from geosim.retrieval.measures import diffused_ranks, leave_one_out
from geosim.retrieval.records import Entry, ModelRecord, Place, Source

MODEL = ModelRecord(model="siamese", weights="", weights_sha256="ab", size=4)
SOURCE = Source(kind="folder", path="/pictures")


def unit(values):
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def entries(*names, source=SOURCE):
    return [Entry(source=source, name=n, width=8, height=6, stamp="1") for n in names]


def fill(path, names, vectors, model=MODEL, **how):
    with editing(path, model, **{"rebuild": False} | how) as writer:
        number = writer.source(SOURCE)
        jpegs = [name.encode() for name in names]
        writer.add(number, entries(*names), unit(vectors), jpegs)
    return path


@pytest.fixture
def index(tmp_path):
    return fill(tmp_path / "a.index", ["a", "b", "c"], np.eye(4)[:3])


def test_index_gives_back_what_was_put_in(tmp_path):
    place = Place(
        crs="EPSG:32633", corners=((0.5, 1.0), (2.0, 1.0), (2.0, 0.0), (0.5, 0))
    )
    source = Source(kind="raster", path="/a.tif", settings="tiles 8")
    tile = Entry(
        source=source,
        name="16,0",
        width=8,
        height=6,
        stamp="5 6",
        window=(16, 0, 8, 6),
        place=place,
    )
    frame = Entry(source=source, name="1.5 s", width=8, height=6, time=1.5)
    with editing(tmp_path / "i", MODEL, rebuild=False) as writer:
        number = writer.source(source)
        writer.add(number, [tile, frame], unit(np.eye(4)[:2]), [b"one", b"two"])
        assert writer.stamps(number) == {"16,0": "5 6", "1.5 s": ""}
    index = open_index(tmp_path / "i")
    assert index.entries([1, 0]) == [frame, tile]
    assert index.thumbnails([1]) == [b"two"]
    assert index.model == MODEL
    assert np.array_equal(index.embeddings, np.eye(4, dtype=np.float32)[:2])


def test_names_replace_what_had_them_and_others_stay(index):
    fill(index, ["b"], [[0, 0, 0, 1]])
    found = open_index(index)
    assert [entry.name for entry in found.entries(range(3))] == ["a", "c", "b"]
    assert np.array_equal(found.embeddings[2], [0, 0, 0, 1])
    assert found.thumbnails([2]) == [b"b"]


def test_work_that_breaks_leaves_the_index_and_goes_on(index):
    before = index.read_bytes()

    def broken():
        with editing(index, MODEL, rebuild=False) as writer:
            number = writer.source(SOURCE)
            writer.add(number, entries("d"), unit([[1, 1, 0, 0]]), [b"d"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert index.read_bytes() == before
    with editing(index, MODEL, rebuild=False) as writer:
        assert set(writer.stamps(writer.source(SOURCE))) == {"a", "b", "c", "d"}
    assert len(open_index(index)) == 4
    assert [path.name for path in index.parent.iterdir()] == ["a.index"]


def test_work_that_breaks_at_once_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), editing(tmp_path / "i", MODEL, rebuild=False):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def interrupted(path, sources):
    with (
        suppress(RuntimeError),
        editing(path, MODEL, sources, rebuild=False) as writer,
    ):
        writer.add(writer.source(SOURCE), entries("d"), unit([[1, 1, 0, 0]]), [b"d"])
        raise RuntimeError


@pytest.mark.parametrize(
    ("sources", "goes_on"), [([SOURCE.path], True), (["/elsewhere"], False)]
)
def test_what_was_interrupted_of_other_sources_begins_anew(tmp_path, sources, goes_on):
    path = tmp_path / "i"
    interrupted(path, [SOURCE.path])
    with editing(path, MODEL, sources, rebuild=False) as writer:
        assert writer.count() == int(goes_on)


def test_a_draft_of_what_the_index_has_goes_on(index):
    interrupted(index, [SOURCE.path])
    with editing(index, MODEL, ["/elsewhere"], rebuild=False) as writer:
        assert writer.count() == 4


def test_a_folder_under_another_name_is_the_same_source(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "f")
    names = [tmp_path / "f", tmp_path / "x" / ".." / "f", tmp_path / "link"]
    with editing(tmp_path / "i", MODEL, rebuild=False) as writer:
        numbers = {
            writer.source(Source(kind="folder", path=str(name))) for name in names
        }
    assert len(numbers) == 1


def test_an_index_that_was_damaged_within(index):
    whole = bytearray(index.read_bytes())
    third = len(whole) // 3
    whole[third:] = b"\xff" * (len(whole) - third)
    index.write_bytes(whole)
    with pytest.raises(IndexFileError, match="--rebuild"):
        fill(index, ["z"], [[1, 0, 0, 0]])
    assert [path.name for path in index.parent.iterdir()] == ["a.index"]


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_file_of_another_kind_is_kept(tmp_path, rebuild):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG and so on")
    with pytest.raises(IndexFileError, match="no index, but a file of another kind"):
        fill(path, ["z"], [[1, 0, 0, 0]], rebuild=rebuild)
    with pytest.raises(IndexFileError, match="is a folder; name a file"):
        fill(tmp_path, ["z"], [[1, 0, 0, 0]], rebuild=rebuild)
    assert path.read_bytes() == b"\x89PNG and so on"


def test_two_runs_on_one_index(index):
    with editing(index, MODEL, rebuild=False) as writer:
        for rebuild in (False, True):
            with pytest.raises(OutputError, match="another run is working"):
                fill(index, ["z"], [[1, 0, 0, 0]], rebuild=rebuild)
        writer.remove(writer.source(SOURCE), ["a"])
        assert len(open_index(index)) == 3
    assert len(open_index(index)) == 2


def test_other_settings_begin_a_source_anew(tmp_path):
    video = Source(kind="video", path="/v.mp4", settings="every 1 s")
    with editing(tmp_path / "i", MODEL, rebuild=False) as writer:
        number = writer.source(video)
        writer.add(number, entries("0 s", source=video), unit([[1, 0, 0, 0]]), [b"j"])
        writer.finish(number, "7 8")
        assert writer.finished(writer.source(video)) == "7 8"
        other = Source(kind="video", path="/v.mp4", settings="every 2 s")
        assert writer.source(other) == number
        assert (writer.count(), writer.finished(number)) == (0, "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no index"),
        (b"nonsense" * 99, "cannot be read"),
        (b"", "no index"),
    ],
)
def test_files_that_are_no_index_are_refused(tmp_path, content, told):
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexFileError, match=told):
        open_index(path)


def test_another_database_another_format_another_model(tmp_path, index):
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("CREATE TABLE a (b)")
    database.close()
    with pytest.raises(IndexFileError, match="is no index"):
        open_index(tmp_path / "db")
    with pytest.raises(IndexFileError, match="made with the model siamese"):
        fill(
            index,
            ["d"],
            [[1, 0, 0, 0]],
            ModelRecord(model="ssim", weights="", weights_sha256="", size=4),
        )
    with sqlite3.connect(index) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(IndexFileError, match="format 99"):
        open_index(index)


def test_a_truncated_index_is_refused(index):
    index.write_bytes(index.read_bytes()[:5000])
    with pytest.raises(IndexFileError, match="rebuild"):
        open_index(index)


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="choose another place"):
        fill(tmp_path / "missing" / "i", ["a"], [[1, 0, 0, 0]])


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 99), st.integers(1, 3))
def test_nearest_is_the_sorted_product(size, count, seed, views):
    rng = np.random.default_rng(seed)
    # few different values, so that there are ties
    vectors = unit(rng.integers(1, 3, (size, 3)))
    query = unit(rng.integers(1, 3, (views, 3)))
    rows, scores = exact.nearest(vectors, query[0] if views == 1 else query, count)
    products = (vectors @ query.T).max(axis=1) if views > 1 else vectors @ query[0]
    order = np.argsort(-products, kind="stable")[:count]
    assert np.array_equal(rows, order)
    assert np.array_equal(scores, products[order])


@given(st.integers(2, 30), st.integers(0, 99), st.floats(0, 1), st.integers(1, 60))
def test_pairs_are_those_of_the_whole_product(size, seed, least, most):
    vectors = unit(np.random.default_rng(seed).normal(size=(size, 3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_ROWS", 7)
        patch.setattr(exact, "_COLUMNS", 5)
        pairs, scores, full = exact.similar_pairs(vectors, least, most)
    wanted = {
        (a, b): float(vectors[a] @ vectors[b])
        for a in range(size)
        for b in range(a + 1, size)
        if vectors[a] @ vectors[b] >= least
    }
    assert full == (len(wanted) > most)
    best = sorted(wanted.values(), reverse=True)[:most]
    assert np.allclose(scores, best, atol=1e-6)
    found = [wanted[int(a), int(b)] for a, b in pairs]
    assert np.allclose(found, scores, atol=1e-6)


def test_groups_hang_together_by_pairs():
    pairs = np.array([[1, 2], [2, 5], [0, 7], [3, 4], [1, 5]])
    assert exact.groups_of(pairs, 9) == [[1, 2, 5], [0, 7], [3, 4]]
    assert exact.groups_of(np.zeros((0, 2), np.int64), 3) == []


def test_measures_worked_by_hand():
    # on a line: a0 a1 b0 a2 b1, at angles 0, 10, 25, 45, 70 degrees
    angles = np.deg2rad([0, 10, 25, 45, 70])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    quality = leave_one_out(vectors, ["a", "a", "b", "a", "b"], depths=(1, 2, 9))
    # ranks by query: a0: a1 b0 a2 b1; a1: a0 b0 a2 b1; b0: a1 a2 a0 b1;
    # a2: b0 b1 a1 a0; b1: a2 b0 a1 a0
    average = {
        "a": np.mean([(1 + 2 / 3) / 2, (1 + 2 / 3) / 2, (1 / 3 + 2 / 4) / 2]),
        "b": np.mean([1 / 4, 1 / 2]),
    }
    assert quality.per_class == pytest.approx(average)
    assert quality.mean_average_precision == pytest.approx(
        (3 * average["a"] + 2 * average["b"]) / 5
    )
    assert quality.depths == (1, 2)
    assert quality.precision == pytest.approx([2 / 5, (1 + 1 + 0 + 0 + 1) / 2 / 5])
    assert quality.recall == pytest.approx(
        [(1 / 2 + 1 / 2) / 5, (1 / 2 + 1 / 2 + 1) / 5]
    )


def test_measures_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    vectors, labels = unit(rng.normal(size=(30, 5))), rng.integers(0, 3, 30)
    quality = leave_one_out(vectors, [str(label) for label in labels])
    others = [np.delete(np.arange(30), row) for row in range(30)]
    wanted = [
        average_precision_score(
            labels[rest] == labels[row], vectors[rest] @ vectors[row]
        )
        for row, rest in enumerate(others)
    ]
    assert quality.mean_average_precision == pytest.approx(np.mean(wanted), abs=1e-6)


def test_measures_want_a_class_of_two():
    with pytest.raises(ValueError, match="no class has two"):
        leave_one_out(unit(np.eye(3)), ["a", "b", "c"])


def arcs():
    """Two long bands that come near each other: their own ends are further apart."""
    angles = np.deg2rad(np.arange(0, 60, 1.0))
    first = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    second = np.stack([np.cos(angles), 0.3 + 0 * angles, np.sin(angles) + 0.4], axis=1)
    return unit(np.concatenate([first, second])), ["a"] * 60 + ["b"] * 60


def test_diffusion_follows_a_band():
    vectors, labels = arcs()
    plain = leave_one_out(vectors, labels).mean_average_precision
    spread = leave_one_out(vectors, labels, ranks=diffused_ranks)
    assert spread.mean_average_precision > plain + 0.03


def test_diffusion_is_the_limit_of_the_walk():
    """The linear system against the power series that it sums."""
    from geosim.retrieval import diffusion

    rng = np.random.default_rng(5)
    vectors = unit(rng.normal(size=(50, 6)))
    reached = diffused(vectors[1:], vectors[0])
    flow = diffusion._flow(vectors)
    assert np.allclose((flow - flow.T).toarray(), 0, atol=1e-12)
    step = np.zeros(50)
    step[0] = 1.0
    total = step.copy()
    for _ in range(400):
        step = diffusion.FLOW * (flow @ step)
        total += step
    assert np.allclose(total[1:], reached, atol=1e-7)


def test_graph_finds_what_the_product_finds(tmp_path):
    pytest.importorskip("usearch")
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(3000, 4)))
    names = [str(number) for number in range(3000)]
    path = fill(tmp_path / "i", names, vectors)
    with editing(path, MODEL, rebuild=False) as writer:
        assert not writer.has_graph()
        writer.put_graph(approximate.build_graph(writer.embeddings(), 1))
    index = open_index(path)
    by_graph, by_all = Searcher(index, use_graph=True), Searcher(index, use_graph=False)
    assert (by_graph.exact, by_all.exact) == (False, True)
    same = [
        np.isin(by_graph.nearest(query, 10)[0], by_all.nearest(query, 10)[0]).mean()
        for query in unit(rng.normal(size=(20, 4)))
    ]
    assert np.mean(same) > 0.98


def test_what_changes_an_index_takes_its_graph_away(tmp_path):
    path = fill(tmp_path / "i", ["a", "b"], np.eye(4)[:2])
    with editing(path, MODEL, rebuild=False) as writer:
        writer.put_graph(b"of a and b")
    assert open_index(path).graph() == b"of a and b"
    fill(path, ["c"], np.eye(4)[2:3])
    assert open_index(path).graph() is None
