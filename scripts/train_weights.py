"""Make the weights that geosim ships, from open imagery without labels.

    python scripts/train_weights.py IMAGERY --start TRUNK.safetensors --work FOLDER

IMAGERY is a folder as `open_imagery` reads it; TRUNK the 13 convolutions of the
ImageNet VGG16. The stages, each kept in FOLDER so that a broken run resumes:

1. `start.safetensors`: the ImageNet trunk, whitened PCA embedding, unfitted head.
2. `trained.safetensors`: gentle contrastive training, stopped by held-out places.
3. `--share` of the way from 1 to 2 (WiSE-FT), embedding and head fitted again:
   `final.safetensors`, the file to ship. Its sha256 is printed; put it into
   `geosim.siamese.weights.WEIGHTS` together with the file.

`calibration.json` holds the reliability of the head on places it was not fitted on.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from open_imagery import Split, open_imagery
from safetensors.numpy import load_file

from geosim.siamese.architecture import EMBEDDING_RELU
from geosim.siamese.network import SiameseVGG16, load_state, pool
from geosim.siamese.pairs import ImagePair, random_crop
from geosim.siamese.training import (
    TrainingConfig,
    average_states,
    initialise_embedding,
    train,
)
from geosim.siamese.weights import save_weights

TILE = 192


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


def main() -> None:
    """Run the stages that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imagery", type=Path)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--share", type=float, default=1.0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    imagery = open_imagery(options.imagery)
    first = start(options, imagery)
    trained(options, imagery, first)


if __name__ == "__main__":
    main()
