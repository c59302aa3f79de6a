"""How well and how fast pictures are found again, on UC Merced.

`python -m benchmarks.retrieval DATA [--trunk FILE] [--only near,class,speed]`, where
`DATA/tiles/uc_merced` has a folder of tiles per class. Nothing is fitted to them.

near: 1,000 tiles are indexed; queries are made of 200 of them, once with one change
each (a crop of 80 % of the sides, a turn of up to 10 degrees, other light, JPEG of
quality 30..70, in turn), once cropped, turned and re-lit or recompressed at once.
class: every tile is the query once, right are the others of its class (leave one out).
check (with near): those of all changes after `SearchOptions(check=10)`; takes minutes.
speed: indexing beside the network alone, a search in 100,000 embeddings.

`--trunk` takes the convolutions of another VGG16 (names of torchvision), such as the
ImageNet ones, instead of geosim's.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance

from geosim.images.models import open_model
from geosim.images.reading import read_picture
from geosim.retrieval.checking import pixels_of, same_first
from geosim.retrieval.finding import Searcher
from geosim.retrieval.index_draft import editing
from geosim.retrieval.index_file import ImageIndex, open_index
from geosim.retrieval.measures import diffused_ranks, leave_one_out
from geosim.retrieval.records import Entry, ModelRecord, Source
from geosim.search import build_index, query_views
from geosim.search_options import IndexOptions, SearchOptions
from geosim.siamese.weights import load_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.images.models import ImageModel

TILES, QUERIES, SEED = 1000, 200, 20
CROP, TURN = 0.8, 10.0
LARGE = 100_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--trunk", type=Path, help="convolutions of another VGG16")
    parser.add_argument("--only", default="near,class,speed")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    parts = options.only.split(",")
    folder = options.data / "tiles" / "uc_merced"
    figures = _Told()
    with tempfile.TemporaryDirectory() as work, _weights(options.trunk) as weights:
        model = open_model("siamese", weights, options.threads)
        path = Path(work) / "uc_merced.index"
        if "near" in parts or "class" in parts:
            made = build_index(folder, path, IndexOptions(weights=weights), model=model)
            figures.tell({"indexed": made.total})
            index = open_index(path)
        if "near" in parts:
            figures.tell(near_duplicates(index, model, check="check" in parts))
        if "class" in parts:
            figures.tell(classes(index))
        if "speed" in parts:
            figures.tell(indexing(model, folder, Path(work)))
            figures.tell(large_search(Path(work)))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


class _Told(dict[str, Any]):
    """Figures, printed as they come: a long run that is stopped has told something."""

    def tell(self, found: dict[str, Any]) -> None:
        self.update(found)
        for name, value in found.items():
            shown = f"{value:.4f}" if isinstance(value, float) else f"{value}"
            print(f"{name:<36} {shown}", flush=True)


@contextmanager
def _weights(trunk: Path | None) -> Iterator[str | None]:
    """Weights with the convolutions of another trunk; None: geosim's own."""
    if trunk is None:
        yield None
        return
    from safetensors.numpy import load_file

    arrays = dict(load_weights().arrays)
    arrays |= {n: v.astype(np.float32) for n, v in load_file(trunk).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trunk.safetensors"
        save_weights(path, arrays, metadata={"name": trunk.stem})
        yield str(path)


def indexing(
    model: ImageModel, folder: Path, work: Path, rounds: int = 6
) -> dict[str, Any]:
    """Pictures per second of the network alone and of indexing, by turns.

    By turns, so that what else the machine does slows both alike.
    """
    network, whole, count = 0.0, 0.0, 0
    for number, one in enumerate(sorted(folder.iterdir())[:rounds]):
        pictures = [read_picture(path).pixels for path in sorted(one.glob("*.jpg"))]
        model.describe(pictures[:16])
        start = time.perf_counter()
        for at in range(0, len(pictures), 16):
            model.describe(pictures[at : at + 16])
        network += time.perf_counter() - start
        whole += build_index(one, work / f"{number}.index", model=model).seconds
        count += len(pictures)
    return {
        "network_per_second": count / network,
        "indexing_per_second": count / whole,
        "indexing_share": network / whole,
    }


def classes(index: ImageIndex) -> dict[str, Any]:
    """Mean average precision of class retrieval, leave one out."""
    labels = [e.name.split("/")[0] for e in index.entries(range(len(index)))]
    plain = leave_one_out(index.embeddings, labels)
    spread = leave_one_out(index.embeddings, labels, ranks=diffused_ranks)
    found: dict[str, Any] = {
        "class_map_similarity": plain.mean_average_precision,
        "class_map_diffusion": spread.mean_average_precision,
    }
    for name, quality in (("similarity", plain), ("diffusion", spread)):
        for depth, value in zip(quality.depths, quality.precision, strict=True):
            found[f"precision_at_{depth}_{name}"] = value
    return found


def _checked_first(
    index: ImageIndex, image: Image.Image, vector: NDArray[np.float32]
) -> int:
    """Row that comes first after the geometric check of ten."""
    hits = Searcher(index, use_graph=False).hits(vector, 10)
    ordered = same_first(
        read_picture(image).pixels, hits, lambda hit: pixels_of(hit.entry, b"")
    )
    return ordered[0].position


def near_duplicates(
    index: ImageIndex, model: ImageModel, *, check: bool
) -> dict[str, Any]:
    """Share of queries whose original ranks first."""
    rng = np.random.default_rng(SEED)
    kept = np.sort(rng.choice(len(index), min(TILES, len(index)), replace=False))
    part = ImageIndex(
        path=index.path,
        model=index.model,
        ids=index.ids[kept],
        embeddings=index.embeddings[kept],
    )
    chosen = rng.choice(len(part), min(QUERIES, len(part)), replace=False)
    names = [entry.path for entry in part.entries(chosen)]
    found: dict[str, Any] = {"near_indexed": len(part), "near_queries": len(chosen)}
    for kind in ("single", "together"):
        changed = []
        for number, name in enumerate(names):
            with Image.open(name) as opened:
                changed.append(altered(opened.convert("RGB"), rng, number, kind))
        pictures = [read_picture(image).pixels for image in changed]
        vectors = query_views(model, pictures)
        scores = (vectors @ part.embeddings.T).max(axis=1)
        own = scores[np.arange(len(chosen)), chosen]
        ranks = (scores > own[:, None]).sum(axis=1)
        found[f"near_first_{kind}"] = float((ranks == 0).mean())
        found[f"near_worst_rank_{kind}"] = int(ranks.max()) + 1
        if check and kind == "together":
            first = [
                _checked_first(part, image, vector)
                for image, vector in zip(changed, vectors, strict=True)
            ]
            right = np.array(first) == chosen
            found[f"near_first_{kind}_checked"] = float(right.mean())
        found[f"near_similarity_5_percent_{kind}"] = float(np.quantile(own, 0.05))
    return found


def altered(
    image: Image.Image, rng: np.random.Generator, number: int, kind: str
) -> Image.Image:
    """A query: one of four changes in turn, or cropped, turned and one of two more."""
    steps = [(number % 4)] if kind == "single" else [0, 1, 2 + number % 2]
    angle = float(rng.uniform(-TURN, TURN)) if 1 in steps else 0.0
    if angle:
        image = image.rotate(angle, Image.Resampling.BICUBIC)
    # the largest upright square without corners that the turn left empty
    radians = abs(np.deg2rad(angle))
    inside = 1 / (np.cos(radians) + np.sin(radians))
    share = CROP if 0 in steps else inside
    slack = max(inside - share, 0.0) / 2
    centre = 0.5 + rng.uniform(-slack, slack, 2)
    if share < 1:
        low, high = centre - share / 2, centre + share / 2
        box = [*(low * image.size), *(high * image.size)]
        image = image.crop(tuple(round(side) for side in box))
    if 2 in steps:
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.75, 1.25))
        image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.8, 1.2))
    if 3 in steps:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=int(rng.integers(30, 71)))
        image = Image.open(stream).convert("RGB")
    return image


def large_search(work: Path, size: int = 512) -> dict[str, Any]:
    """Milliseconds of a search in an index of random embeddings."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((LARGE, size), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    path = work / "large.index"
    record = ModelRecord(model="siamese", weights="", weights_sha256="", size=size)
    source = Source(kind="folder", path="/none")
    with editing(path, record, rebuild=True) as writer:
        number = writer.source(source)
        for at in range(0, LARGE, 1000):
            entries = [
                Entry(source=source, name=str(at + step), width=1, height=1)
                for step in range(1000)
            ]
            writer.add(number, entries, vectors[at : at + 1000], [b""] * 1000)
    start = time.perf_counter()
    index = open_index(path)
    opened = time.perf_counter() - start
    found: dict[str, Any] = {"large_open_ms": opened * 1e3}
    for rank in ("similarity", "class"):
        searcher, times = Searcher(index, use_graph=False), []
        for query in vectors[:21]:
            start = time.perf_counter()
            searcher.hits(query, SearchOptions().count, rank)
            times.append((time.perf_counter() - start) * 1e3)
        found[f"large_search_ms_{rank}"] = float(np.median(times))
    return found


if __name__ == "__main__":
    main()
