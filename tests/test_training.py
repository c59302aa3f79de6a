"""Training: the loss falls, a resumed run is the same run, the head is calibrated."""

import dataclasses

import numpy as np
import pytest

from geosim.errors import OptionError
from geosim.siamese.pairs import ImagePair

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.siamese.calibration import (  # noqa: E402
    CalibrationSample,
    Head,
    best_threshold,
    fit_head,
    join,
    reliability,
    sample_scene,
    scene_quantiles,
    scene_score,
)
from geosim.siamese.loading import create_siamese_model  # noqa: E402
from geosim.siamese.network import SiameseVGG16  # noqa: E402
from geosim.siamese.training import (  # noqa: E402
    average_states,
    initialise_embedding,
    train,
)
from geosim.siamese.validation import (  # noqa: E402
    TrainingConfig,
    average_precision,
    draw,
    validate,
)

CONFIG = TrainingConfig(steps=2, batch=1, crop=32, validate_every=1, learning_rate=1e-4)


def imagery(count, source="made"):
    pairs = []
    for seed in range(count):
        rng = np.random.default_rng([seed, 9])
        coarse = rng.random((3, 8, 8)).repeat(6, axis=1).repeat(6, axis=2)
        image = coarse.astype(np.float32)
        other = np.clip(image * 0.9 + 0.03, 0, 1).astype(np.float32)
        valid = np.ones((48, 48), bool)
        pairs.append(ImagePair(before=image, after=other, valid=valid, source=source))
    return pairs


@pytest.fixture(scope="module")
def model():
    return create_siamese_model()


def fresh():
    return create_siamese_model()


def test_steps_lower_the_loss():
    model = fresh()
    held_out = imagery(2)
    first = validate(model, held_out, CONFIG, pairs_per_source=2)
    config = dataclasses.replace(CONFIG, steps=3, validate_every=3)
    run = train(model, training=held_out, held_out=held_out, config=config)
    assert [v.step for v in run.validations] == [0, 3]
    assert len(run.losses) == 3
    after = SiameseVGG16().eval()
    after.load_state_dict(model.state_dict())
    assert run.validations[-1].loss < run.validations[0].loss
    assert first.by_source.keys() == {"made"}


def test_resumed_run_ends_as_one_that_was_never_interrupted(tmp_path):
    given = {"training": imagery(2), "held_out": imagery(1)}
    whole = fresh()
    run = train(whole, config=CONFIG, **given)
    half = dataclasses.replace(CONFIG, steps=1)
    checkpoint = tmp_path / "checkpoint.pt"
    train(fresh(), config=half, checkpoint=checkpoint, **given)
    resumed = create_siamese_model(weights=None)
    again = train(resumed, config=CONFIG, checkpoint=checkpoint, **given)
    assert again.losses == run.losses
    assert again.validations == run.validations
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_training_stops_when_it_gets_no_better():
    config = dataclasses.replace(CONFIG, steps=9, patience=1, learning_rate=0.0)
    run = train(fresh(), training=imagery(1), held_out=imagery(1), config=config)
    assert run.step == 1


def test_drawing_is_deterministic_and_stays_within_a_source():
    pairs = [*imagery(2, "one"), *imagery(2, "two")]
    first, second = (draw(pairs, np.random.default_rng(4), CONFIG) for _ in range(2))
    np.testing.assert_array_equal(first.after, second.after)
    assert first.changed.shape == (32, 32)


def test_average_precision_by_hand():
    score = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    truth = np.array([True, False, True, False])
    assert average_precision(score, truth) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(score, ~truth | truth) == 1
    assert average_precision(score, truth & ~truth) == 0


def test_states_are_averaged_on_the_line_between_them():
    start, end = {"a": torch.zeros(2)}, {"a": torch.full((2,), 4.0)}
    assert average_states(start, end, share=0.25)["a"].tolist() == [1, 1]
    assert average_states(start, end, share=1)["a"].tolist() == [4, 4]
    with pytest.raises(OptionError, match="share"):
        average_states(start, end, share=1.5)


def test_embedding_starts_as_centred_decorrelated_projection():
    model = create_siamese_model(weights=None)
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(512, 512, generator=generator)
    features = torch.randn(700, 512, generator=generator) @ mixing + 5
    initialise_embedding(model, features)
    with torch.inference_mode():
        projected = model.embedding(features)
    assert projected.mean(dim=0).abs().max() < 1e-2
    covariance = torch.cov(projected.T)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 1e-2
    with pytest.raises(OptionError, match="more than 128 tiles"):
        initialise_embedding(model, features[:128])


@pytest.mark.parametrize("metres", [None, 0.1, 90.0])
def test_scene_score_leads_to_the_networks_probability(model, metres):
    pair = dataclasses.replace(imagery(1)[0], metres=metres)
    score = scene_score(model, pair)
    before, after = (torch.from_numpy(d)[None] for d in (pair.before, pair.after))
    with torch.inference_mode():
        wanted = model(before, after, metres=metres).probability[0].numpy()
    row = int(metres == 90.0)
    head = Head(
        slope=model.head.slope[row].item(),
        offset=model.head.offset[row].item(),
        quantiles=tuple(model.head.quantiles[row].tolist()),
    )
    probability = head.probability(score.ravel(), scene_quantiles(score)[None])
    np.testing.assert_allclose(probability.reshape(48, 48), wanted, atol=1e-4)
    holed = pair.valid.copy()
    holed[:, :20] = False
    masked = scene_score(model, dataclasses.replace(pair, valid=holed))
    assert np.isnan(masked[~holed]).all()
    assert np.isfinite(masked[holed]).all()


def made_sample(seed, head, scenes=80, pixels=600):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(scenes):
        level = rng.uniform(2, 6)
        score = (level + rng.gamma(2, 1.0, (20, pixels // 20))).astype(np.float32)
        quantiles = scene_quantiles(score)
        chance = head.probability(score.ravel(), quantiles[None])
        changed = rng.random(pixels) < chance
        samples.append(
            CalibrationSample(
                score=score.ravel(),
                scene=np.repeat(quantiles[None], pixels, axis=0),
                changed=changed,
                weight=np.full(pixels, 1 / pixels),
            )
        )
    return join(samples)


def test_fitted_head_gives_back_the_probabilities_of_the_true_one():
    true = Head(slope=1.3, offset=3.0, quantiles=(0.0, 0.9, 0.0))
    fitted = fit_head(made_sample(0, true))
    fresh_sample = made_sample(1, true)
    found = fitted.probability(fresh_sample.score, fresh_sample.scene)
    wanted = true.probability(fresh_sample.score, fresh_sample.scene)
    assert np.abs(found - wanted).mean() < 0.02
    rows, error = reliability(fitted, fresh_sample)
    assert error < 0.02
    assert sum(row.share for row in rows) == pytest.approx(1)


def test_known_shares_of_the_scene_are_kept_and_the_rest_is_fitted():
    true = Head(slope=1.3, offset=3.0, quantiles=(0.0, 0.9, 0.0))
    fitted = fit_head(made_sample(0, true), shares=(0.0, 0.9, 0.0))
    assert fitted.quantiles == (0.0, 0.9, 0.0)
    assert fitted.slope == pytest.approx(1.3, rel=0.1)
    assert fitted.offset == pytest.approx(3.0, rel=0.1)


def test_best_threshold_by_hand_and_at_half_the_f1():
    score = np.array([4, 3, 2, 1], np.float32)
    sample = CalibrationSample(
        score=score,
        scene=np.zeros((4, 3)),
        changed=np.array([True, False, True, False]),
        weight=np.ones(4),
    )
    head = Head(slope=1.0, offset=2.0, quantiles=(0.0, 0.0, 0.0))
    threshold, f1 = best_threshold(head, sample)
    assert (threshold, f1) == (pytest.approx(0.5), pytest.approx(0.8))
    true = Head(slope=1.3, offset=3.0, quantiles=(0.0, 0.9, 0.0))
    threshold, f1 = best_threshold(true, made_sample(2, true))
    assert threshold == pytest.approx(f1 / 2, abs=0.05)


def test_head_stays_monotone_when_the_data_say_the_opposite():
    sample = made_sample(0, Head(slope=1.0, offset=4.0, quantiles=(0.0, 0.5, 0.0)))
    wrong = dataclasses.replace(sample, changed=~sample.changed)
    head = fit_head(wrong)
    assert head.slope > 0
    assert min(head.quantiles) >= 0


def test_sampling_leaves_out_the_unsure_and_the_most_different():
    score = np.arange(100, dtype=np.float32).reshape(10, 10)
    changed = np.zeros((10, 10), np.float32)
    changed[0, :5] = 0.3  # neither
    changed[1, :5] = 0.9
    rng = np.random.default_rng(0)
    sample = sample_scene(score, changed, rng, pixels=1000, drop_most_different=0.1)
    assert sample.changed.sum() == 5
    assert sample.score[~sample.changed].max() == pytest.approx(90, abs=1)
    assert not set(range(5)) & set(sample.score.astype(int))
    assert sample.weight.sum() == pytest.approx(1)
