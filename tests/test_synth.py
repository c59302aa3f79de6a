"""Synthetic pairs: the truth is the truth, and the commands read what is written."""

import csv
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import as_uint8, textured
from PIL import Image
from processes import call
from rasters import listing

from geosim import SynthOptions, make_pairs
from geosim.errors import OptionError, PictureReadError, ResultExistsError
from geosim.images.synthetic import make_pair, regions_of, square_of
from geosim.training.labels import find_pairs

ONE, TWO = textured(31, 64, 80), textured(32, 64, 80)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number, (height, width) in enumerate([(90, 140), (100, 70), (64, 64)]):
        image = Image.fromarray(as_uint8(textured(40 + number, height, width)))
        image.save(folder / f"{number}.png")
    return folder


@settings(max_examples=30)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_share_is_kept_to_a_pixel(share, seed):
    changed = regions_of(ONE, TWO, share, np.random.default_rng(seed))
    assert int(changed.sum()) == round(share * 64 * 80)


@settings(max_examples=15)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_without_nuisance_only_what_is_marked_differs(similarity, seed):
    rng = np.random.default_rng(seed)
    pair = make_pair(ONE, TWO, similarity, rng, nuisance=0)
    assert pair.similarity == pytest.approx(similarity, abs=1 / 64 / 80)
    far = np.abs(pair.second - ONE).max(axis=0) > 0.6 * np.abs(TWO - ONE).max(axis=0)
    inside = far & (np.abs(TWO - ONE).max(axis=0) > 0.05)
    assert (inside & ~pair.changed).mean() < 0.02


def test_ends_of_the_scale():
    rng = np.random.default_rng(0)
    assert np.array_equal(make_pair(ONE, TWO, 1.0, rng, nuisance=0).second, ONE)
    assert np.allclose(make_pair(ONE, TWO, 0.0, rng, nuisance=0).second, TWO, atol=1e-6)
    assert not np.array_equal(make_pair(ONE, TWO, 1.0, rng).second, ONE)


def test_square_of_a_picture():
    rng = np.random.default_rng(1)
    assert square_of(ONE, 64, rng).shape == (3, 64, 64)
    pieces = {square_of(ONE, 64, rng).tobytes() for _ in range(40)}
    assert 5 < len(pieces) <= 17


def test_folder(pictures, tmp_path):
    options = SynthOptions(count=4, least=0.3, most=0.8, size=64)
    made = make_pairs(pictures, tmp_path / "out", options)
    names = ["1.png", "2.png", "3.png", "4.png"]
    for part in ("A", "B", "label"):
        assert sorted(p.name for p in (made.folder / part).iterdir()) == names
    with made.table.open() as file:
        rows = list(csv.DictReader(file))
    for row, similarity in zip(rows, made.similarities, strict=True):
        label = np.array(Image.open(made.folder / row["first"].replace("A/", "label/")))
        assert set(np.unique(label)) <= {0, 255}
        assert float(row["similarity"]) == similarity
        assert similarity == pytest.approx((label == 0).mean(), abs=1e-6)
        assert 0.3 <= similarity <= 0.8
        assert row["similar"] == str(int(similarity >= 0.5))
        second = np.array(Image.open(made.folder / row["second"]))
        assert second.shape == (64, 64, 3)
    assert len(find_pairs(made.folder)) == 4  # as `geosim train` finds them


def test_same_seed_same_bytes_and_more_of_them_go_on(pictures, tmp_path):
    few, same, more = (
        make_pairs(pictures, tmp_path / name, SynthOptions(count=n, size=64, seed=5))
        for name, n in (("few", 2), ("same", 2), ("more", 3))
    )
    assert few.similarities == same.similarities == more.similarities[:2]
    for name in ("1.png", "2.png"):
        contents = [(f.folder / "B" / name).read_bytes() for f in (few, same, more)]
        assert len(set(contents)) == 1


def test_earlier_pairs_are_replaced_as_a_whole(pictures, tmp_path):
    out = tmp_path / "out"
    make_pairs(pictures, out, SynthOptions(count=3, size=64))
    (out / "mine.txt").write_text("keep")
    before = listing(out)
    with pytest.raises(ResultExistsError):
        make_pairs(pictures, out, SynthOptions(count=1, size=64))
    assert listing(out) == before
    make_pairs(pictures, out, SynthOptions(count=1, size=64, overwrite=True))
    assert [p.name for p in (out / "A").iterdir()] == ["1.png"]
    assert (out / "mine.txt").read_text() == "keep"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_refusals(tmp_path):
    (tmp_path / "few").mkdir()
    with pytest.raises(PictureReadError, match="at least 2 pictures"):
        make_pairs(tmp_path / "few", tmp_path / "out")
    for wrong, message in (
        ({"count": 0}, "--count wants at least 1"),
        ({"least": 0.9, "most": 0.1}, "--similarity wants"),
        ({"most": 1.1}, "--similarity wants"),
        ({"size": 10}, "--size wants at least 64"),
        ({"nuisance": -1}, "--nuisance wants 0 to 3"),
        ({"seed": -1}, "--seed wants 0 or more"),
    ):
        with pytest.raises(OptionError, match=message):
            SynthOptions(**wrong)


def test_command(pictures, tmp_path):
    few = ("--count", 2, "--similarity", 0.75, "--size", 64)
    done = call("synth", pictures, *few, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["similarities"] == [0.75, 0.75]
    assert (tmp_path / found["folder"] / "pairs.csv").exists()
    wrong = call(
        "synth", pictures, "--similarity", "much", "-o", "other", folder=tmp_path
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: --similarity wants a number from 0 to 1")
    assert not (tmp_path / "other").exists()


def test_a_picture_that_cannot_be_read_is_skipped_and_told(pictures, tmp_path):
    folder = tmp_path / "some"
    shutil.copytree(pictures, folder)
    bad = folder / "empty.jpg"
    bad.touch()
    made = make_pairs(folder, tmp_path / "out", SynthOptions(count=12, size=64))
    assert len(made.similarities) == 12
    (said,) = made.skipped
    assert str(bad) in said
    for path in folder.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(PictureReadError, match="that can be read are wanted"):
        make_pairs(folder, tmp_path / "none", SynthOptions(count=2, size=64))
    assert not (tmp_path / "none").exists()
