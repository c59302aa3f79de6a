"""The result of comparing two pictures, and the files of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import geosim
from geosim.images import drawing
from geosim.images.pixels import as_bytes
from geosim.raster.staging import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geosim.errors import GeosimError
    from geosim.images.alignment import AlignedPair, Alignment
    from geosim.images.comparison import Differences

FILES = {
    "heatmap": "heatmap.png",
    "overlay": "overlay.png",
    "sheet": "sheet.png",
    "low": "low.png",
    "mid": "mid.png",
    "high": "high.png",
    "record": "compare.json",
}
"""What a comparison writes."""

_DONE = {"none": "", "resize": ", resized", "register": ", registered"}
"""What the sheet says of the second picture."""

MODELS_FILE = "models.json"
"""The table of all models, beside a folder of each."""


@dataclass(frozen=True, kw_only=True)
class ImageComparison:
    """How alike two pictures are, and where they differ.

    Can be taken apart: `similarity, differences, visualization = compare_images(a, b)`.
    """

    similarity: float
    """0 unrelated .. 1 the same, also resized, recompressed or slightly re-lit."""
    differences: Differences
    """Maps in the first picture's frame: combined, low, mid, high."""
    visualization: NDArray[np.uint8]
    """(height, width, 3), the heatmap: blue the same, yellow and red different."""
    cosine: float
    """-1..1, of the model's embeddings."""
    euclidean: float
    """0..2, distance of the embeddings, which have length 1."""
    ssim: float
    """-1..1, mean structural similarity of the aligned pictures' brightness."""
    alignment: Alignment
    """What was done to lay the second picture over the first."""
    pair: AlignedPair
    """Both pictures in one frame."""
    model: str
    """Name of the model."""
    weights_sha256: str | None
    """Of the model's weights; None for `ssim`."""
    names: tuple[str, str]
    """What the pictures are called."""
    notes: tuple[str, ...] = ()
    """What was done when they were read."""
    paths: dict[str, Path] = field(default_factory=dict)
    """The files that were written, by the keys of `FILES`."""

    def __iter__(self) -> Iterator[Any]:
        """The similarity, the differences, the visualization."""
        return iter((self.similarity, self.differences, self.visualization))

    @property
    def overlay(self) -> NDArray[np.uint8]:
        """(height, width, 3): the differences over the first picture in grey."""
        return drawing.overlay(self.pair.first, self.differences.combined)

    @property
    def sheet(self) -> NDArray[np.uint8]:
        """(height, width, 3): both pictures, heatmap, overlay and levels together."""
        found = self.differences
        second = np.where(self.pair.valid, self.pair.second, np.float32(0.6))
        done = self.alignment.done
        first_name, second_name = (Path(name).name for name in self.names)
        panels = [
            (first_name, as_bytes(self.pair.first)),
            (f"{second_name}{_DONE[done]}", as_bytes(second)),
            (f"difference, {self.model}", self.visualization),
            ("difference over the first", self.overlay),
            ("low: edges, texture, colour", drawing.heatmap(found.low)),
            ("high: what is shown", drawing.heatmap(found.high)),
        ]
        figures = (
            f"similarity {self.similarity:.3f}, cosine {self.cosine:.3f}, "
            f"Euclidean {self.euclidean:.3f}, SSIM {self.ssim:.3f}"
        )
        return drawing.sheet(panels, [figures, self.alignment.said])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: everything but the pictures themselves."""
        combined = self.differences.combined
        height, width = combined.shape
        return {
            "first": self.names[0],
            "second": self.names[1],
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "similarity": round(self.similarity, 6),
            "cosine": round(self.cosine, 6),
            "euclidean": round(self.euclidean, 6),
            "ssim": round(self.ssim, 6),
            "difference_mean": round(float(np.nanmean(combined)), 6),
            "difference_max": round(float(np.nanmax(combined)), 6),
            "frame": {"width": width, "height": height},
            "alignment": asdict(self.alignment),
            "notes": list(self.notes),
            "files": {key: path.name for key, path in self.paths.items()},
            "software": f"geosim {geosim.__version__}",
        }


def models_table(
    found: dict[str, ImageComparison | GeosimError],
) -> dict[str, dict[str, Any]]:
    """By model: the figures as plain values, or `error`."""
    return {
        name: {
            key: result.to_dict()[key]
            for key in (
                *("similarity", "cosine", "euclidean", "ssim"),
                *("difference_mean", "difference_max", "weights_sha256"),
            )
        }
        if isinstance(result, ImageComparison)
        else {"error": " ".join(str(result).split())}
        for name, result in found.items()
    }


def with_paths(result: ImageComparison, folder: Path) -> ImageComparison:
    """A result that says where its files lie."""
    return replace(result, paths={key: folder / name for key, name in FILES.items()})


def write_into(result: ImageComparison, folder: Path) -> None:
    """The files of `FILES` in a folder that nobody sees yet."""
    found = result.differences
    pictures = {
        "heatmap": result.visualization,
        "overlay": result.overlay,
        "sheet": result.sheet,
        "low": drawing.levels(found.low),
        "mid": drawing.levels(found.mid),
        "high": drawing.levels(found.high),
    }
    for key, picture in pictures.items():
        path = folder / FILES[key]
        with writing(path):
            Image.fromarray(picture).save(path)
    path = folder / FILES["record"]
    record = with_paths(result, folder).to_dict()
    with writing(path):
        path.write_text(json.dumps(record, indent=2) + "\n")
