"""The weights and models there are: bands, licence, checksum, where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosim.errors import MissingDependencyError
from geosim.images.names import MODEL_NAMES
from geosim.siamese.shipped import (
    DATA_FOLDER,
    DEFAULT_WEIGHTS,
    IMAGENET,
    VGG16_WEIGHTS,
    WEIGHTS,
)
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

    from geosim.siamese.shipped import Weights

_DEFAULT_OF = {
    DEFAULT_WEIGHTS: ("change", "series", "batch", "evaluate", "bench"),
    VGG16_WEIGHTS: ("compare", "index", "search", "train"),
}
"""Commands that take these weights unless others are asked for."""

_BACKBONE = "vgg16"
"""Model of torchvision whose trunk the weights `imagenet` are."""


@dataclass(frozen=True, kw_only=True)
class KnownWeights:
    """What is known about weights of geosim's network."""

    name: str
    """For `--weights`; the path of a file of one's own."""
    bands: tuple[str, ...]
    """Bands that the network reads, in order."""
    licence: str
    """SPDX identifier, or `unknown`."""
    source: str
    """Where they come from, and whom the licence asks to name."""
    trained_on: str
    """Imagery they were trained on."""
    sha256: str | None
    """Of the file, hexadecimal; None where it is not on this machine."""
    file: str
    """Path, or the address it is fetched from; empty where that is not known."""
    here: bool
    """Whether it can be used without a download."""
    lacking: str = ""
    """What it needs that is not there."""
    default_of: tuple[str, ...] = ()
    """Commands that take them unless others are asked for."""


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """What is known about a model for pictures."""

    name: str
    """For `--model`."""
    source: str
    """Weights that it takes unless others are given."""
    file: str
    """Address that these are fetched from; empty where there is none."""
    here: bool
    """Whether it can be used without a download."""
    lacking: str = ""
    """What it needs that is not there."""


def known_weights() -> tuple[KnownWeights, ...]:
    """The weights that have a name, the default first."""
    names = (DEFAULT_WEIGHTS, *(name for name in WEIGHTS if name != DEFAULT_WEIGHTS))
    shipped = tuple(
        _known(WEIGHTS[name], name, str(DATA_FOLDER / WEIGHTS[name].file))
        for name in names
    )
    return (*shipped, _imagenet())


def weights_of_file(path: str | Path) -> KnownWeights:
    """What a weights file says of itself, or the weights of a name.

    Raises:
        WeightsError: it cannot be read, or is no weights file of the network.
    """
    for one in known_weights():
        if one.name == str(path):
            return one
    return _known(load_weights(path).record, str(path), str(path))


def known_models() -> tuple[KnownModel, ...]:
    """The models for pictures, in the order of their names."""
    own = {
        "siamese": f"{VGG16_WEIGHTS}, see --weights",
        "ssim": "structural similarity, without weights",
    }
    return tuple(
        KnownModel(name=name, source=own[name], file="", here=True)
        if name in own
        else _of_torchvision(name)
        for name in MODEL_NAMES
    )


def _known(record: Weights, name: str, file: str) -> KnownWeights:
    return KnownWeights(
        name=name,
        bands=record.bands,
        licence=record.licence,
        source=record.attribution,
        trained_on=record.trained_on,
        sha256=record.sha256,
        file=file,
        here=True,
        default_of=_DEFAULT_OF.get(name, ()),
    )


def _imagenet() -> KnownWeights:
    """The trunk of torchvision's VGG16, as far as torchvision is there to tell."""
    model = _of_torchvision(_BACKBONE)
    return KnownWeights(
        name=IMAGENET,
        bands=WEIGHTS[VGG16_WEIGHTS].bands,
        licence="unknown",
        source=f"{model.source}; the head is that of {VGG16_WEIGHTS}",
        trained_on="ImageNet",
        sha256=None,
        file=model.file,
        here=model.here,
        lacking=model.lacking,
    )


def _of_torchvision(name: str) -> KnownModel:
    try:
        from geosim.siamese.backbones import address, is_downloaded, pretrained
    except MissingDependencyError:
        return KnownModel(
            name=name,
            source="torchvision's, trained on ImageNet",
            file="",
            here=False,
            lacking="needs torchvision: pip install 'geosim[torch]'",
        )
    here = is_downloaded(name)
    return KnownModel(
        name=name,
        source=f"torchvision's {pretrained(name)}, trained on ImageNet",
        file=address(name),
        here=here,
        lacking="" if here else "fetched when it is first used",
    )
