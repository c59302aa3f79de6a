"""Make the small network's weights: half of the channels, taught by the large one.

    python scripts/distil_weights.py IMAGERY --work FOLDER [--steps 3000]

IMAGERY is a folder as `open_imagery` reads it; no label is read. The small network has
the layers of VGG16 with half of their channels. It learns to find the distances that
the large one finds (knowledge distillation, Hinton, Vinyals & Dean 2015,
arXiv:1503.02531; of relations, Park et al. 2019, arXiv:1904.05068): of the two dates of
a place, of two places, and of a place and its own surroundings. The stages:

1. The start: of each layer the half of the channels that tells most about the others
   (QR with pivoting), kernels fitted one layer after the other so that they give what
   the large network gives (He, Zhang & Sun 2017, arXiv:1707.06168).
2. Adam, the rate falling to 0 along a cosine, on pairs with pasted changes, their
   light and colours changed at random: the teacher answers for any image.

Every `--say-every` steps the error on held-out places is told and `checkpoint.pt` is
written, from which a broken run goes on. The end is `small.safetensors`, with the head
of the large network, whose score it imitates.
"""

import argparse
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from narrower import started
from open_imagery import Split, crops, open_imagery

from geosim.siamese.architecture import (
    CONVOLUTIONS,
    COSINE_EPSILON,
    EMBEDDING_RELU,
    LEVELS,
    SMALL_CHANNELS,
    SPREAD_RELU,
)
from geosim.siamese.fusion import log_distance, spread
from geosim.siamese.graph import centred, compile_graph, trunk
from geosim.siamese.loading import create_siamese_model
from geosim.siamese.network import SiameseVGG16
from geosim.siamese.pairs import ImagePair
from geosim.siamese.quantization import find_quantization
from geosim.siamese.ranges import as_tensors, measure_ranges
from geosim.siamese.runtime import openvino, ops
from geosim.siamese.synthesis import SynthesisOptions
from geosim.siamese.validation import TrainingConfig, draw, to_batch
from geosim.siamese.weights import load_weights, save_weights

Features = Mapping[str, torch.Tensor]

CROP = 192
"""Height and width of a pair in pixels."""
BATCH = 4
"""Pairs per step."""
RELUS = (*(level.relu for level in LEVELS), EMBEDDING_RELU)
"""Activations whose distances are learnt."""
SHARES = {"relu1_2": 1.0, "relu2_2": 0.5, "relu3_3": 0.5, "relu4_3": 0.5}
SHARES |= {"relu5_3": 0.25, "spread": 1.0}
"""What an error of each distance weighs; the score's terms weigh most."""
OTHERS = 0.25
"""What a distance to another place weighs beside that of two dates."""
EMBEDDING = 0.5
"""What a tile's embedding weighs."""
START_CROPS = 160
"""Crops that the start is fitted on."""
SWAPPED, GREY, RELIT, APART, GRAINY = 0.3, 0.15, 0.5, 0.3, 0.2
"""Chances that a pair's bands are exchanged, that it is grey, in other light, each date
in its own, or grainy."""
LARGEST_GRADIENT = 1.0
"""Gradients are scaled down to this norm."""
RANGE_CROPS = 96
"""Pairs of crops that ranges for int8 are measured on."""
WARM_UP = 200
"""Steps in which the rate rises."""
LARGEST_SHIFT = 12
"""Cells of stride 8 by which a place is compared with its surroundings."""


def teacher(threads: int) -> Callable[[np.ndarray], dict[str, torch.Tensor]]:
    """The large network in int8: images (n, 3, CROP, CROP) to activations by name."""
    weights = load_weights()
    image = ops.parameter([2 * BATCH, 3, CROP, CROP], np.float32, name="images")
    found = find_quantization(weights)
    kept = trunk(centred(image), CONVOLUTIONS, weights.arrays, found, RELUS)
    model = openvino.Model([kept[relu] for relu in RELUS], [image], "teacher")
    request = compile_graph(model, threads).create_infer_request()

    def run(images: np.ndarray) -> dict[str, torch.Tensor]:
        answers = request.infer([images])
        tensors = (torch.from_numpy(answers[n]) for n in range(len(RELUS)))
        return dict(zip(RELUS, tensors, strict=True))

    return run


def drawn(pairs: Sequence[ImagePair], seed: Sequence[int], *, vary: bool) -> np.ndarray:
    """Images (2 * BATCH, 3, CROP, CROP), first dates in front."""
    rng = np.random.default_rng(seed)
    config = TrainingConfig(
        crop=CROP, synthesis=SynthesisOptions(unchanged_pairs=0.3, nuisance=0.8)
    )
    made = [draw(pairs, rng, config) for _ in range(BATCH)]
    images = to_batch(made)[0].numpy()
    if vary:
        for place in range(BATCH):
            both = images[place::BATCH]
            both[:] = varied(both, rng)
    return images


def varied(dates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Both dates (2, 3, H, W) in other light and colours, mostly alike."""
    if rng.random() < SWAPPED:
        dates = dates[:, rng.permutation(3)]
    if rng.random() < GREY:
        dates = np.broadcast_to(dates.mean(axis=1, keepdims=True), dates.shape)
    if rng.random() < RELIT:
        shape = (2 if rng.random() < APART else 1, 3, 1, 1)
        gamma = np.exp(rng.normal(0, 0.25, shape))
        gain = np.exp(rng.normal(0, 0.15, shape))
        shift = rng.normal(0, 0.05, shape)
        dates = np.clip(dates, 0, 1) ** gamma * gain + shift
    if rng.random() < GRAINY:
        dates = dates + rng.normal(0, rng.uniform(0, 0.04), dates.shape)
    return np.clip(dates, 0, 1).astype(np.float32)


def distances(found: Features, seed: int) -> Iterator[tuple[str, float, torch.Tensor]]:
    """Name, weight and logarithm of each distance that both networks must agree on."""
    rng = np.random.default_rng([7, seed])
    turn = 1 + int(rng.integers(BATCH - 1))
    shift = rng.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, 2)
    features = dict(found) | {"spread": spread(found[SPREAD_RELU])}
    for name, share in SHARES.items():
        first, second = directions(features[name]).chunk(2)
        yield name, share, between(first, second)
        cells = CROP // first.shape[-1]
        sparse = first[:, :, :: max(1, 4 // cells), :: max(1, 4 // cells)]
        others = [sparse.roll(turn, dims=0)]
        if name not in ("spread", EMBEDDING_RELU):
            step = max(cells, 4)
            moved = tuple(int(part) * 8 // step for part in shift)
            others.append(sparse.roll(moved, dims=(2, 3)))
        for other in others:
            yield "others", share * OTHERS, between(sparse, other)


def directions(features: torch.Tensor) -> torch.Tensor:
    """Channel vectors of length 1 (0 where there is nothing)."""
    squares = features.square().sum(dim=1, keepdim=True)
    return features * torch.rsqrt(squares + COSINE_EPSILON**0.5)


def between(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Logarithm of the distance of two directions, as it enters the score."""
    return log_distance(1 - (first * second).sum(dim=1))


def errors(
    small: Features, large: Features, seed: int
) -> dict[str, tuple[float, torch.Tensor]]:
    """Weight and mean absolute error of each distance."""
    pairs = zip(distances(small, seed), distances(large, seed), strict=True)
    return {
        f"{name} {number}": (share, (one - other).abs().mean())
        for number, ((name, share, one), (_, _, other)) in enumerate(pairs)
    }


def embedding_error(
    model: SiameseVGG16, large: SiameseVGG16, small: Features, wanted: Features
) -> torch.Tensor:
    """Mean of 1 - cosine of both networks' embeddings of a tile."""
    with torch.no_grad():
        target = large.embed(wanted[EMBEDDING_RELU])
    return (1 - (model.embed(small[EMBEDDING_RELU]) * target).sum(dim=1)).mean()


def start_images(imagery: Split) -> torch.Tensor:
    """Crops (START_CROPS, 3, CROP, CROP) that the start is fitted on."""
    steps = range(START_CROPS // (2 * BATCH))
    batches = [drawn(imagery.train, [1, step], vary=True) for step in steps]
    return torch.from_numpy(np.concatenate(batches))


def told(
    model: SiameseVGG16,
    large: SiameseVGG16,
    ask: Callable[[np.ndarray], dict[str, torch.Tensor]],
    pairs: Sequence[ImagePair],
) -> str:
    """Mean errors on held-out places, always the same ones."""
    sums: dict[str, list[float]] = {}
    with torch.inference_mode():
        for number in range(8):
            images = drawn(pairs, [9, number], vary=False)
            small = model.activations(torch.from_numpy(images))
            wanted = ask(images)
            for name, (_, error) in errors(small, wanted, number).items():
                sums.setdefault(name.split()[0], []).append(float(error))
            error = embedding_error(model, large, small, wanted)
            sums.setdefault("embedding", []).append(float(error))
    return " ".join(f"{name} {np.mean(values):.4f}" for name, values in sums.items())


def lesson(
    model: SiameseVGG16,
    large: SiameseVGG16,
    ask: Callable[[np.ndarray], dict[str, torch.Tensor]],
    images: np.ndarray,
    step: int,
) -> torch.Tensor:
    """What the small network gets wrong on a batch of images."""
    batch = torch.from_numpy(images).to(memory_format=torch.channels_last)
    small, wanted = model.activations(batch), ask(images)
    terms = errors(small, wanted, step).values()
    loss = torch.stack([share * error for share, error in terms]).sum()
    return loss + EMBEDDING * embedding_error(model, large, small, wanted)


def resumed(
    model: SiameseVGG16, optimiser: torch.optim.Optimizer, checkpoint: Path
) -> int:
    """Steps done by a broken run, whose state is put in."""
    found = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(found["model"])
    optimiser.load_state_dict(found["optimiser"])
    return int(found["step"])


def keep(
    model: SiameseVGG16, optimiser: torch.optim.Optimizer, step: int, checkpoint: Path
) -> None:
    """Write what `resumed` reads, never half."""
    state = {"step": step, "model": model.state_dict()}
    state["optimiser"] = optimiser.state_dict()
    partial = checkpoint.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(checkpoint)


def groups(model: SiameseVGG16) -> list[dict[str, object]]:
    """Parameters by layer: a layer of more inputs learns by smaller steps.

    Source: Yang et al. 2022, arXiv:2203.03466 (Adam's rate falls as inputs grow).
    """
    layers = [layer for layer in model.features if hasattr(layer, "weight")]
    return [
        {
            "params": list(layer.parameters()),
            "share": min(1.0, SMALL_CHANNELS[0] / layer.weight.shape[1]),
        }
        for layer in [*layers, model.embedding]
    ]


def distil(imagery: Split, options: argparse.Namespace) -> SiameseVGG16:
    """Both stages."""
    large = create_siamese_model()
    ask = teacher(os.cpu_count() or 1)
    checkpoint = options.work / "checkpoint.pt"
    model = SiameseVGG16(SMALL_CHANNELS)
    optimiser = torch.optim.Adam(groups(model), lr=options.rate, betas=(0.9, 0.98))
    learnt = [*model.features.parameters(), *model.embedding.parameters()]
    first = 0
    if checkpoint.exists():
        first = resumed(model, optimiser, checkpoint)
    else:
        with torch.no_grad():
            model.load_state_dict(started(large, start_images(imagery)).state_dict())
    model = model.to(memory_format=torch.channels_last)
    for step in range(first, options.steps + 1):
        if step % options.say_every == 0 or step == options.steps:
            print(f"step {step}: {told(model, large, ask, imagery.fit)}", flush=True)
            keep(model, optimiser, step, checkpoint)
        if step == options.steps:
            break
        rate = options.rate * (1 + math.cos(math.pi * step / options.steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"] * min(1.0, (step + 1) / WARM_UP)
        images = drawn(imagery.train, [0, step], vary=True)
        loss = lesson(model, large, ask, images, step)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, LARGEST_GRADIENT)
        optimiser.step()
    return model


def write(model: SiameseVGG16, imagery: Split, path: Path) -> str:
    """The weights file, ranges for int8 in it; its sha256."""
    state = {n: v.detach().contiguous().numpy() for n, v in model.state_dict().items()}
    # kernels are rounded to half precision in the file
    rounded = {n: v.astype(np.float16).astype(np.float32) for n, v in state.items()}
    ranges = measure_ranges(rounded, crops(imagery.train, RANGE_CROPS, seed=0))
    metadata = {
        "name": "geosim-small-1",
        "version": "1",
        "licence": "CC-BY-4.0",
        "attribution": "VGG16: Simonyan & Zisserman, Oxford VGG, CC BY 4.0",
        "trained_on": "taught by geosim-vgg16-1 on open imagery: see NOTICE.md",
    }
    return save_weights(path, state | as_tensors(ranges), metadata=metadata)


def main() -> None:
    """Distil and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imagery", type=Path, help="folder of open imagery")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--say-every", type=int, default=150)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    imagery = open_imagery(options.imagery)
    model = distil(imagery, options)
    path = options.work / "small.safetensors"
    print(f"wrote {path}, sha256 {write(model, imagery, path)}")


if __name__ == "__main__":
    main()
