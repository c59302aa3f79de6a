"""Make geosim-vgg16-1, from open imagery without labels (`distil_weights.py`: small).

    python scripts/train_weights.py IMAGERY --start TRUNK.safetensors --work FOLDER

IMAGERY is a folder as `open_imagery` reads it; TRUNK the 13 convolutions of the
ImageNet VGG16. The stages, each kept in FOLDER so that a broken run resumes:

1. `start.safetensors`: the ImageNet trunk, whitened PCA embedding, unfitted head.
2. `trained.safetensors`: gentle contrastive training, stopped by held-out places.
3. `--share` of the way from 1 to 2 (WiSE-FT), embedding and head fitted again:
   `final.safetensors`, the file to ship. Its sha256 is printed; put it into
   `geosim.siamese.shipped.WEIGHTS` and NOTICE.md together with the file.

`calibration.json` holds the reliability of the head on places it was not fitted on.
`--check` takes that of weights that geosim has (`--weights`), and trains nothing.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from open_imagery import Split, open_imagery
from safetensors.numpy import load_file

from geosim.siamese.architecture import EMBEDDING_RELU, term_row
from geosim.siamese.calibration import (
    CalibrationSample,
    Head,
    best_threshold,
    fit_head,
    join,
    reliability,
    sample_scene,
    scene_score,
)
from geosim.siamese.loading import create_siamese_model, load_state
from geosim.siamese.network import SiameseVGG16, pool
from geosim.siamese.pairs import ImagePair, random_crop
from geosim.siamese.shipped import VGG16_WEIGHTS
from geosim.siamese.synthesis import SynthesisOptions, synthesize
from geosim.siamese.training import (
    average_states,
    initialise_embedding,
    train,
    train_embedding,
)
from geosim.siamese.validation import TrainingConfig, draw, to_batch
from geosim.siamese.weights import load_weights, save_weights

TILE = 192
"""Size in pixels of the tiles that the embedding is fitted on."""
SCENE = 384
"""Largest size in pixels of the scenes that the head is fitted on."""
SHARES = (0.70, 0.0, 0.0)
"""Shares of the scene's 10, 25 and 50 % quantiles in the head. Left to the fit, the
first is 0.57 with the same calibration error: pasted changes hardly tell it, since they
come in every scene alike. Labelled pairs of other places do (docs/accuracy.md)."""
DROPPED = 0.05
"""Fraction of the unpasted pixels, the most different, left out of a second look at
the calibration: real dates hold real changes that nobody marked."""


def tell(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def pooled_features(
    model: SiameseVGG16, pairs: Sequence[ImagePair], *, tiles: int, seed: int
) -> torch.Tensor:
    """Pooled relu5_3 (tiles, 512) of random tiles of both dates."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.resize(np.arange(len(pairs)), tiles))
    found = []
    with torch.inference_mode():
        for index in order:
            crop = random_crop(pairs[index], TILE, rng)
            image = crop.before if rng.integers(2) else crop.after
            activations = model.activations(torch.from_numpy(image)[None])
            found.append(pool(activations[EMBEDDING_RELU])[0])
    return torch.stack(found).clone()


def save(model: SiameseVGG16, path: Path, *, name: str) -> str:
    """Write the model as a weights file; return its sha256."""
    state = {n: v.detach().numpy() for n, v in model.state_dict().items()}
    metadata = {
        "name": name,
        "version": "1",
        "licence": "CC-BY-4.0",
        "attribution": "VGG16: Simonyan & Zisserman, Oxford VGG, CC BY 4.0",
        "trained_on": "ImageNet, then open imagery without labels: see NOTICE.md",
    }
    return save_weights(path, state, metadata=metadata)


def start(options: argparse.Namespace, imagery: Split) -> Path:
    """Stage 1: the network before training."""
    path = options.work / "start.safetensors"
    if not path.exists():
        model = SiameseVGG16().eval()
        trunk = load_file(options.start)
        state = {n: torch.from_numpy(v.astype(np.float32)) for n, v in trunk.items()}
        model.load_state_dict(state, strict=False)
        spread = spread_out(imagery.train)
        features = pooled_features(model, spread, tiles=options.tiles, seed=1)
        initialise_embedding(model, features)
        save(model, path, name="start")
        tell(f"wrote {path}")
    return path


def spread_out(pairs: Sequence[ImagePair], *, most: int = 200) -> list[ImagePair]:
    """Take at most so many pairs of a source, evenly, and few sources' pairs often."""
    chosen: list[ImagePair] = []
    for source in sorted({pair.source for pair in pairs}):
        group = [pair for pair in pairs if pair.source == source]
        step = max(1, len(group) // most)
        chosen += group[::step] * max(1, 12 // len(group))
    return chosen


def trained(options: argparse.Namespace, imagery: Split, first: Path) -> Path:
    """Stage 2: contrastive training."""
    path = options.work / "trained.safetensors"
    if not path.exists():
        model = SiameseVGG16().eval()
        load_state(model, first)
        run = train(
            model,
            training=imagery.train,
            held_out=imagery.fit,
            config=TrainingConfig(steps=options.steps),
            checkpoint=options.work / "checkpoint.pt",
            say=tell,
        )
        history = [asdict(validation) for validation in run.validations]
        (options.work / "history.json").write_text(json.dumps(history, indent=1))
        save(model, path, name="trained")
        tell(f"wrote {path}")
    return path


def between(options: argparse.Namespace, first: Path, last: Path) -> SiameseVGG16:
    """Network `--share` of the way from one file's trunk to another's."""
    models = [SiameseVGG16().eval() for _ in range(2)]
    for model, path in zip(models, (first, last), strict=True):
        load_state(model, path)
    states = [model.state_dict() for model in models]
    models[1].load_state_dict(average_states(*states, share=options.share))
    return models[1]


def fit_embedding(
    model: SiameseVGG16, pairs: Sequence[ImagePair], options: argparse.Namespace
) -> None:
    """Whitened PCA of the trained trunk's features, then contrastive steps."""
    spread = spread_out(pairs)
    features = pooled_features(model, spread, tiles=options.tiles, seed=1)
    initialise_embedding(model, features)
    rng = np.random.default_rng(2)
    config = TrainingConfig(crop=TILE)
    made = [draw(spread, rng, config) for _ in range(options.tiles)]
    with torch.inference_mode():
        images = [to_batch([pair])[0] for pair in made]
        pooled = [pool(model.activations(x)[EMBEDDING_RELU]) for x in images]
    losses = train_embedding(
        model,
        torch.stack(pooled).clone(),
        torch.tensor([float(pair.changed.mean()) for pair in made]),
    )
    tell(f"embedding: loss from {losses[0]:.4f} to {losses[-1]:.4f}")


Scene = tuple[np.ndarray, np.ndarray]


def scenes(
    model: SiameseVGG16, pairs: Sequence[ImagePair], *, each: int, seed: int
) -> list[Scene]:
    """Score and pasted fraction, both (H, W), of scenes of two real dates.

    Two fifths of the scenes are left as they are, in the others up to 40 % is pasted.
    """
    found: list[Scene] = []
    options = SynthesisOptions(
        unchanged_pairs=0.4, least_changed=0.005, most_changed=0.4, nuisance=0.5
    )
    for index, source in enumerate(sorted({p.source for p in pairs if p.two_dates})):
        group = [pair for pair in pairs if pair.source == source]
        size = min(SCENE, *(min(pair.valid.shape) for pair in group)) // 16 * 16
        for number in range(each):
            rng = np.random.default_rng([seed, index, number])
            place, donor = (
                random_crop(group[int(rng.integers(len(group)))], size, rng)
                for _ in range(2)
            )
            made = synthesize(place, donor, rng, options)
            scene = replace(
                place, before=made.before, after=made.after, valid=made.valid
            )
            found.append((scene_score(model, scene), made.changed))
    return found


def sample(found: Sequence[Scene], *, drop: float) -> CalibrationSample:
    """Pixels of all scenes, each scene weighing the same."""
    rng = np.random.default_rng(5)
    return join(
        [
            sample_scene(score, changed, rng, drop_most_different=drop)
            for score, changed in found
        ]
    )


def calibrate(
    model: SiameseVGG16, imagery: Split, options: argparse.Namespace
) -> dict[str, object]:
    """Fit both rows of the head on `fit`, check them on `check`; put them in.

    With `--check` those of the weights that geosim has are checked instead.
    """
    report: dict[str, object] = {}
    for row, name in enumerate(("usual pixels", "coarse pixels")):
        parts = [
            [pair for pair in pairs if term_row(pair.metres) == row]
            for pairs in (imagery.fit, imagery.check)
        ]
        sources = {pair.source for pair in parts[0] if pair.two_dates}
        each = options.scenes // len(sources)
        check = scenes(model, parts[1], each=each, seed=12)
        if options.check:
            report[name] = checked(shipped_head(row, options.weights), check)
            continue
        fit = scenes(model, parts[0], each=each, seed=11)
        head = fit_head(sample(fit, drop=0.0), shares=SHARES)
        with torch.no_grad():
            model.head.slope[row] = head.slope
            model.head.offset[row] = head.offset
            model.head.quantiles[row] = torch.tensor(head.quantiles)
        tell(f"{name}: {head}")
        fitted = reliability_report(head, sample(fit, drop=0.0), "fit")
        report[name] = {"head": asdict(head), "fit": fitted} | checked(head, check)
    return report


def checked(head: Head, check: Sequence[Scene]) -> dict[str, object]:
    """Reliability of a head on scenes that it was not fitted on."""
    return {
        what: reliability_report(head, sample(check, drop=drop), what)
        for what, drop in (
            ("check", 0.0),
            ("check, most different left out", DROPPED),
        )
    }


def shipped_head(row: int, weights: str) -> Head:
    """A row of the head of weights that geosim has."""
    arrays = load_weights(weights).arrays
    return Head(
        slope=float(arrays["head.slope"][row]),
        offset=float(arrays["head.offset"][row]),
        quantiles=tuple(arrays["head.quantiles"][row].tolist()),
    )


def reliability_report(
    head: Head, pixels: CalibrationSample, name: str
) -> dict[str, object]:
    """Calibration error and best threshold of a sample, told and returned."""
    rows, error = reliability(head, pixels)
    threshold, f1 = best_threshold(head, pixels)
    tell(f"calibration on {name}: expected error {error:.4f}")
    tell(f"  best F1 {f1:.3f} at probability {threshold:.3f}")
    for row in rows:
        tell(
            f"  {row.low:.1f}-{row.high:.1f} share {row.share:.4f} "
            f"predicted {row.predicted:.3f} observed {row.observed:.3f}"
        )
    return {
        "error": error,
        "best_threshold": threshold,
        "best_f1": f1,
        "bins": [asdict(row) for row in rows],
    }


def keep_report(report: dict[str, object], options: argparse.Namespace) -> None:
    """Write `calibration.json`."""
    text = json.dumps(report, indent=1) + "\n"
    (options.work / "calibration.json").write_text(text)


def main() -> None:
    """Run the stages that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imagery", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--weights", default=VGG16_WEIGHTS, help="to check")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--share", type=float, default=1.0)
    options = parser.parse_args()
    if not (options.start or options.check):
        parser.error("--start wants a file of weights, unless --check is given")
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    imagery = open_imagery(options.imagery)
    if options.check:
        model = create_siamese_model(weights=options.weights)
        keep_report(calibrate(model, imagery, options), options)
        return
    first = start(options, imagery)
    last = trained(options, imagery, first)
    model = between(options, first, last)
    fit_embedding(model, imagery.train, options)
    keep_report(calibrate(model, imagery, options), options)
    final = options.work / "final.safetensors"
    tell(f"wrote {final}, sha256 {save(model, final, name=VGG16_WEIGHTS)}")


if __name__ == "__main__":
    main()
