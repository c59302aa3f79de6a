"""Learning from labels: the loss, the steps, resuming, what is kept."""

import dataclasses

import numpy as np
import pytest

from geosim.errors import OptionError
from geosim.siamese.blending import Blend
from geosim.siamese.crops import Augmentation
from geosim.siamese.labelled import LabelledPair
from geosim.siamese.weights import check_tensors, load_weights

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.siamese.answering import told  # noqa: E402
from geosim.siamese.checkpoint import read_checkpoint, write_checkpoint  # noqa: E402
from geosim.siamese.devices import use_device  # noqa: E402
from geosim.siamese.fit import Fit, Look, Recipe  # noqa: E402
from geosim.siamese.judging import Judgement  # noqa: E402
from geosim.siamese.losses import change_loss  # noqa: E402
from geosim.siamese.supervised import Trainer, finished, run_fit  # noqa: E402

RECIPE = Recipe(
    steps=2,
    seed=0,
    batch=1,
    judge_every=1,
    augmentation=Augmentation(crop=32, changed_share=1.0, same_date_share=0.0),
)


def made(seed=0):
    rng = np.random.default_rng(seed)
    before = rng.random((3, 6, 6)).repeat(8, axis=1).repeat(8, axis=2)
    changed = np.zeros((48, 48), bool)
    changed[8:32, 16:40] = True
    return LabelledPair(
        name=f"pair {seed}",
        before=before.astype(np.float16),
        after=np.where(changed, 1 - before, before).astype(np.float16),
        changed=changed,
        valid=np.ones((48, 48), bool),
    )


@pytest.fixture(scope="module")
def arrays():
    return load_weights().arrays


def fit(trainer, steps=2, keep=lambda _: None, said=None):
    return run_fit(
        trainer,
        training=[made(0), made(1)],
        held_out=[made(2)],
        steps=steps,
        keep=keep,
        say=(said or []).append,
    )


def test_loss_by_hand():
    odds = torch.tensor([[[0.0, 0.0], [50.0, -50.0]]])
    changed = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    valid = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    entropy = 2 * np.log(2) / 3
    dice = (2 * (0.5 + 1) + 1) / ((0.5 + 0.5 + 1) + (1 + 1) + 1)
    found = change_loss(odds, changed, valid)
    assert found.item() == pytest.approx(entropy + 1 - dice, abs=1e-5)


def test_nothing_valid_gives_a_finite_loss():
    nothing = torch.zeros(1, 2, 2)
    assert torch.isfinite(change_loss(nothing, nothing, nothing))


def test_deep_layers_and_decoder_learn_and_early_layers_stay(arrays):
    trainer = Trainer(arrays, RECIPE, "cpu")
    start = {n: v.clone() for n, v in trainer.model.state_dict().items()}
    fit(trainer, steps=3)
    moved = {
        name
        for name, value in trainer.model.state_dict().items()
        if not torch.equal(value, start[name])
    }
    assert {"features.17.weight", "features.28.bias", "decoder.out.weight"} <= moved
    assert not any(name.startswith(("head.", "embedding.")) for name in moved)
    assert "features.14.weight" not in moved


@pytest.mark.slow
def test_steps_lower_the_loss(arrays):
    trainer = Trainer(arrays, dataclasses.replace(RECIPE, judge_every=50), "cpu")
    found = fit(trainer, steps=40)
    assert np.mean(found.losses[-5:]) < 0.6 * np.mean(found.losses[:5])
    assert found.looks[-1].judgement.f1 > 0.5


def test_resumed_fit_ends_as_one_that_was_never_interrupted(arrays, tmp_path):
    whole = Trainer(arrays, RECIPE, "cpu")
    wanted = fit(whole, steps=3)
    path, key = tmp_path / "model.checkpoint", {"seed": 0}
    half = Trainer(arrays, RECIPE, "cpu")
    fit(half, steps=2, keep=lambda at: write_checkpoint(path, at.content(), key))
    resumed = Trainer(arrays, dataclasses.replace(RECIPE, seed=0), "cpu")
    resumed.restore(read_checkpoint(path, key))
    found = fit(resumed, steps=3)
    assert found.losses == wanted.losses
    assert found.looks == wanted.looks
    for name, value in wanted.best.items():
        torch.testing.assert_close(found.best[name], value, rtol=0, atol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["model.checkpoint"]


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    path = tmp_path / "model.checkpoint"
    write_checkpoint(path, {"fit": 1}, {"seed": 0, "pairs": ["a"]})
    with pytest.raises(OptionError, match="other seed, pairs; give the same"):
        read_checkpoint(path, {"seed": 1, "pairs": ["b"]})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OptionError, match="--resume cannot read"):
        read_checkpoint(path, {"seed": 0})


def test_training_stops_when_it_gets_no_better(arrays):
    still = dataclasses.replace(
        RECIPE, decoder_rate=0.0, trunk_rate=0.0, weight_decay=0.0, patience=2
    )
    assert fit(Trainer(arrays, still, "cpu"), steps=9).step == 3


@pytest.mark.parametrize("exact", [False, True])
def test_judged_square_by_square_as_at_once(arrays, monkeypatch, exact):
    trainer = Trainer(arrays, RECIPE, "cpu")
    rng = np.random.default_rng(0)
    shape = (3, 40, 352)
    images = [rng.random(shape).astype(np.float16) for _ in range(2)]
    nothing = np.zeros(shape[1:], bool)
    pair = LabelledPair(
        name="wide", before=images[0], after=images[1], changed=nothing, valid=~nothing
    )
    whole = told(trainer.model, pair, "cpu", exact=exact)
    for side in ("_TILE", "_EXACT_TILE"):
        monkeypatch.setattr(f"geosim.siamese.answering.{side}", 96)
    parts = told(trainer.model, pair, "cpu", exact=exact)
    share = 1e-4 if exact else 0.02
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=share * np.ptp(one) + 1e-3)
    assert (np.ptp(whole[1]) > 0.1) == exact


def test_blend_leaves_the_parameters_alone(arrays):
    trainer = Trainer(arrays, RECIPE, "cpu")
    found = fit(trainer)
    held = {n: v.clone() for n, v in trainer.model.state_dict().items()}
    blend = trainer.blend(found.best, [made(2)])
    for name, value in trainer.model.state_dict().items():
        torch.testing.assert_close(value, held[name], rtol=0, atol=0)
    # where date 2 is date 1 inverted, the score alone tells a good part
    assert blend.average_precision > 0.6
    assert blend.weights[1] > 0


def test_what_is_kept_holds_the_blend(arrays):
    trainer = Trainer(arrays, RECIPE, "cpu")
    state = {n: v.clone() for n, v in trainer.mean.items()}
    kept = finished(state, Blend(weights=(0.5, 2.0, -3.0), threshold=0.3))
    assert kept["decoder.blend"].tolist() == [0.5, 2.0, -3.0]
    assert kept["decoder.threshold"] == pytest.approx(0.3)
    np.testing.assert_array_equal(
        kept["decoder.out.weight"], state["decoder.out.weight"].numpy()
    )
    check_tensors(kept, source="what is kept")


def test_fits_survive_a_checkpoint():
    judged = Judgement(average_precision=0.5, f1=0.5, threshold=1.0)
    fit = Fit(
        step=3,
        losses=[1.0, 0.5, 0.25],
        looks=[Look(step=1, judgement=judged)],
        blend=Blend(weights=(0.5, 2.0, -3.0), threshold=0.3),
    )
    assert Fit.of(fit.content()) == fit


def test_missing_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wanted = pytest.raises(OptionError, match="--device cuda wants an NVIDIA GPU")
    with wanted, use_device("cuda", None):
        pass
