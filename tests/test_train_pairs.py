"""`geosim train` on a CSV file of similar and dissimilar pictures."""

import dataclasses

import numpy as np
import pytest
from pictures import as_uint8, textured
from PIL import Image
from processes import call
from rasters import listing

from geosim import TrainOptions, compare_images
from geosim.errors import OptionError, PairListError, ResultExistsError
from geosim.image_options import CompareOptions
from geosim.siamese.weights import load_weights
from geosim.training.similar_pairs import (
    SimilarPair,
    hold_out_pairs,
    read_similar_pairs,
)

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.siamese import metric  # noqa: E402
from geosim.siamese.decoder import decoder_shapes  # noqa: E402
from geosim.siamese.losses import pair_loss  # noqa: E402
from geosim.train_pairs import train_on_pairs  # noqa: E402
from geosim.training import pair_pictures  # noqa: E402


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twelve pictures: red ones are similar, blue ones too, red and blue are not."""
    folder = tmp_path_factory.mktemp("similar")
    names = []
    for number in range(12):
        picture = 0.5 * textured(60 + number, 64, 64)
        picture[0 if number < 6 else 2] += 0.5
        name = f"{'red' if number < 6 else 'blue'}{number}.png"
        Image.fromarray(as_uint8(picture)).save(folder / name)
        names.append(name)
    rows = ["first,second,similar"]
    rows += [f"{names[i]},{names[i + 1]},1" for i in (0, 2, 4, 6, 8, 10)]
    rows += [f"{names[i]},{names[i + 6]},0" for i in range(6)]
    path = folder / "pairs.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def small(*_):
    """A quarter of the side at which pictures are embedded: the tests are quicker."""
    return 64, 64


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    said, seen = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_pictures, "working_size", small)
        result = train_on_pairs(
            table,
            tmp_path_factory.mktemp("model") / "mine.safetensors",
            TrainOptions(steps=8, threads=2),
            progress=lambda *what: seen.append(what),
            say=said.append,
        )
    return result, said, seen


def test_loss_by_hand():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    similar = torch.tensor([False, True, False])
    found = pair_loss(first, second, similar, distance="cosine", margin=0.9)
    # similar: d = 1; others: d = 0 and 0.4, both nearer than 0.9
    assert float(found) == pytest.approx(1.0 + (0.81 + 0.25) / 2)
    found = pair_loss(first, second, similar, distance="euclidean", margin=0.5)
    # the similar ones lie sqrt(2) apart, the others 0 and more than the margin
    assert float(found) == pytest.approx(2.0 + 0.25 / 2, abs=1e-4)


def test_training_brings_the_pairs_apart(trained):
    result, said, seen = trained
    record = result.record
    assert record.loss < record.loss_before
    assert record.auc >= record.auc_before
    assert record.steps > 0
    assert record.pairs + record.held_out == 12
    assert said[0].startswith("step 0: held out: loss ")
    assert said[-1].startswith("step 8: loss ")
    assert ("training", 8.0, 8) in seen


def test_only_the_embedding_has_learned(trained):
    before, after = load_weights().arrays, load_weights(trained[0].weights).arrays
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {"embedding.weight", "embedding.bias", "features.28.weight"} <= changed
    for name in changed:
        assert name.startswith("embedding.") or int(name.split(".")[1]) >= 24


def test_files_tell_the_same_story(trained):
    result = trained[0]
    names = sorted(path.name for path in result.weights.parent.iterdir())
    assert names == ["mine.md", "mine.png", "mine.safetensors"]
    card = result.card.read_text()
    for text in (result.record.sha256, "contrastive, cosine distance, margin 0.9"):
        assert text in card
    loaded = load_weights(result.weights)
    assert loaded.ranges is not None
    assert loaded.record.trained_on == "similar and dissimilar pairs: pairs.csv"
    assert np.array(Image.open(result.curves)).std() > 1


def test_compare_takes_the_model(trained, table):
    pictures = table.parent
    options = CompareOptions(weights=str(trained[0].weights), align="resize")
    one, other = pictures / "red0.png", pictures / "blue6.png"
    mine = compare_images(one, other, None, options)
    shipped = compare_images(one, other, None, CompareOptions(align="resize"))
    assert mine.weights_sha256 == trained[0].record.sha256
    assert mine.cosine < shipped.cosine
    same = compare_images(one, one, None, options)
    assert same.similarity == pytest.approx(1, abs=1e-3)


def test_interrupted_and_resumed_ends_alike(table, tmp_path, monkeypatch):
    monkeypatch.setattr(metric, "_LOOK_EVERY", 2)
    monkeypatch.setattr(pair_pictures, "working_size", small)
    options = TrainOptions(steps=4, threads=2)
    whole = train_on_pairs(table, tmp_path / "whole.safetensors", options)

    def stop(line):
        if line.startswith("step 2"):
            raise KeyboardInterrupt

    half = tmp_path / "half.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train_on_pairs(table, half, options, say=stop)
    assert [p.name for p in tmp_path.glob("half*")] == ["half.checkpoint"]
    with pytest.raises(ResultExistsError, match="go on with --resume"):
        train_on_pairs(table, half, options)
    other = TrainOptions(steps=4, threads=2, seed=1, resume=True)
    with pytest.raises(OptionError, match="belongs to a training with other seed"):
        train_on_pairs(table, half, other)
    on = TrainOptions(steps=4, threads=2, resume=True)
    labels = table.read_text(encoding="utf-8")
    flipped = labels.replace(",1\n", ",x\n").replace(",0\n", ",1\n")
    table.write_text(flipped.replace(",x\n", ",0\n"), encoding="utf-8")
    with pytest.raises(OptionError, match="with other labels or contents"):
        train_on_pairs(table, half, on)
    table.write_text(labels, encoding="utf-8")
    resumed = train_on_pairs(table, half, on)
    one, two = (load_weights(r.weights).arrays for r in (whole, resumed))
    for name, value in one.items():
        assert np.array_equal(value, two[name]), name


def test_what_is_held_out_was_not_seen(table):
    pairs = [
        SimilarPair(
            first=table.parent / f"{group}a{kind}",
            second=table.parent / f"{group}b{kind}",
            similar=kind,
        )
        for group in range(10)
        for kind in (True, False)
    ]
    rest, held = hold_out_pairs(pairs, 0.25, seed=3)
    seen = {place for pair in rest for place in (pair.first, pair.second)}
    assert len(rest) + len(held) == 20
    assert 4 <= len(held) <= 10
    for pair in held:
        assert not {pair.first, pair.second} & seen
    # all pictures are connected: single pairs, both kinds
    rest, held = hold_out_pairs(read_similar_pairs(table), 0.25, seed=0)
    assert {pair.similar for pair in held} == {pair.similar for pair in rest}
    with pytest.raises(PairListError, match="too few to hold out"):
        hold_out_pairs(pairs[:2], 0.25, seed=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "wants the columns first, second and similar"),
        ("first,second,similar\nno.png,red0.png,1\n", "row 2: first wants a picture's"),
        (
            "first,second,similar\nred0.png,red1.png,maybe\n",
            "row 2: similar wants 1 or",
        ),
        ("first,second,similarity\nred0.png,red1.png,7\n", "a number from 0 to 1"),
        ("first,second,similar\nred0.png,red1.png,1\n", "found only similar ones"),
        ("first,second,similar\n", "found only none"),
    ],
)
def test_lists_that_are_not_in_order(table, text, message):
    path = table.with_name("wrong.csv")
    path.write_text(text)
    with pytest.raises(PairListError, match=message):
        read_similar_pairs(path)


def test_words_for_similar(table):
    path = table.with_name("words.csv")
    path.write_text(
        "similar, first, second\nyes,red0.png,red1.png\nDissimilar,red0.png,blue6.png\n"
    )
    assert [pair.similar for pair in read_similar_pairs(path)] == [True, False]
    path.write_text(
        "first,second,similarity\nred0.png,red1.png,0.5\nred0.png,blue6.png,0.49\n"
    )
    assert [pair.similar for pair in read_similar_pairs(path)] == [True, False]


def test_command(commands, table, tmp_path):
    rows = table.read_text().splitlines()
    few = table.with_name("few.csv")
    few.write_text("\n".join([rows[0], *rows[1:3], *rows[7:9]]))
    how = ("--steps", 1, "--distance", "euclidean", "--threads", 2)
    done = call("train", few, *how, "-v", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "area under ROC" in done.stdout
    assert "step 1: loss " in done.stderr
    assert (tmp_path / "model.safetensors").exists()
    before = listing(tmp_path)
    for arguments, message in (
        ([table], "error: 'model.safetensors' exists already"),
        ([table, "-o", "m.safetensors", "--margin", 3], "error: --margin wants more"),
        (["none.csv", "-o", "m.safetensors"], "error: 'none.csv' must be a CSV file"),
    ):
        code, _, stderr = commands(tmp_path, "train", *arguments)
        assert code == 1
        assert stderr.startswith(message)
        assert stderr.count("\n") == 1
        assert listing(tmp_path) == before


@pytest.mark.parametrize("keep", [False, True])
def test_the_checkpoint_stays_where_that_is_asked_for(
    table, tmp_path, monkeypatch, keep
):
    monkeypatch.setattr(pair_pictures, "working_size", small)
    model = tmp_path / "mine.safetensors"
    options = TrainOptions(steps=1, threads=2, keep_checkpoint=keep)
    train_on_pairs(table, model, options)
    assert (tmp_path / "mine.checkpoint").exists() == keep
    if keep:
        further = dataclasses.replace(options, steps=2, resume=True, overwrite=True)
        assert train_on_pairs(table, model, further).record.steps == 2


def test_a_decoder_keeps_what_it_reads():
    """`geosim train` with labels taught it on the convolutions behind relu4_3 too."""
    start = dict(load_weights().arrays)
    channels = tuple(
        start[f"features.{place}.weight"].shape[0] for place in (2, 7, 14, 21, 28)
    )
    for name, shape in decoder_shapes(channels).items():
        start[name] = np.full(shape, 0.01, np.float32)
    pictures = [textured(seed, 32, 32) for seed in range(4)]
    pairs = metric.PairIndex(
        first=np.array([0, 0, 1, 2]),
        second=np.array([1, 2, 3, 3]),
        similar=np.array([True, False, False, True]),
    )
    trainer = metric.PairTrainer(start, pictures, seed=0, distance="cosine", margin=0.9)
    trainer.run(pairs, pairs, 2, lambda _: None)
    found = trainer.content()["model"]
    moved = {
        name for name, value in found.items() if (value.numpy() != start[name]).any()
    }
    assert moved == {name for name in found if name.startswith("embedding.")}
