"""ImageNet networks of torchvision as image models: embedding and level distances.

Weights come from torchvision's own download, which checks the SHA-256 that is part of
the file's name and keeps the file in torch's cache (`TORCH_HOME`), or from a file.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import re
import sys
import time
import urllib.error
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from geosim.errors import MissingDependencyError, WeightsError
from geosim.siamese.architecture import IMAGENET_MEAN, IMAGENET_STD
from geosim.siamese.backend import functional, torch
from geosim.siamese.devices import torch_threads

try:
    from torchvision import models
    from torchvision.models.feature_extraction import create_feature_extractor
except ImportError as error:  # pragma: no cover - tests run with torchvision
    message = (
        f"torchvision is needed for this and cannot be imported ({error}); "
        "install it with: pip install 'geosim[torch]'"
    )
    raise MissingDependencyError(message) from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Taps:
    """Where a network is listened to, by the names of its modules."""

    levels: tuple[str, str, str]
    """Activations compared as low, mid and high."""
    last: str
    """Activation whose mean over the picture is the embedding."""
    unused: str
    """Start of the names of tensors that are not needed: the classifier."""


BACKBONES: Mapping[str, Taps] = MappingProxyType(
    {
        # relu2_2, relu3_3, relu4_3 and relu5_3, the levels of geosim's own network
        "vgg16": Taps(
            levels=("features.8", "features.15", "features.22"),
            last="features.29",
            unused="classifier.",
        ),
        "resnet18": Taps(
            levels=("layer1", "layer2", "layer3"), last="layer4", unused="fc."
        ),
        "resnet50": Taps(
            levels=("layer1", "layer2", "layer3"), last="layer4", unused="fc."
        ),
        "mobilenet_v2": Taps(
            levels=("features.3", "features.6", "features.13"),
            last="features.18",
            unused="classifier.",
        ),
    }
)
"""The networks there are."""

_FETCHING = Lock()
"""Held while a file is fetched: another thread that wants it waits for it."""

_GIVEN_UP: dict[str, tuple[float, str]] = {}
"""Addresses that could not be reached: when, and what was told."""

_NOT_AGAIN_S = 30.0
"""Seconds in which such an address is not tried again: threads of a run ask for the
same weights, and each try may wait for a network that is not there."""


class Backbone:
    """A network of torchvision on the CPU, float32."""

    def __init__(
        self, name: str, weights: str | Path | None = None, threads: int | None = None
    ) -> None:
        """Load it.

        Raises:
            WeightsError: the weights cannot be downloaded or read, or are not those of
                this network.
        """
        self._threads = partial(torch_threads, threads)
        taps = BACKBONES[name]
        state, self.weights_sha256 = (
            downloaded(name) if weights is None else _read(Path(weights))
        )
        nodes = {
            f"layers.{node}": part
            for node, part in zip(
                (*taps.levels, taps.last), ("low", "mid", "high", "last"), strict=True
            )
        }
        network = _Trunk(name, state, taps.unused)
        self._network = create_feature_extractor(network.eval(), nodes)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(IMAGENET_MEAN).reshape(shape)
        self._std = torch.tensor(IMAGENET_STD).reshape(shape)

    def embed(self, images: FloatArray) -> FloatArray:
        """Unit vectors (n, d) of a batch (n, 3, height, width) in 0..1."""
        with self._threads():
            last = self._run(images)["last"].mean(dim=(2, 3))
            found: FloatArray = functional.normalize(last, dim=1).numpy()
        return found

    def distances(self, pair: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """`1 - cos` of the channel vectors of two pictures, low, mid and high.

        Args:
            pair: (2, 3, height, width) in 0..1.

        Returns:
            Three maps (height, width) float32 in 0..1 (0..2 where activations are
            negative).
        """
        with self._threads():
            size = (pair.shape[2], pair.shape[3])
            found = self._run(pair)
            maps = []
            for level in ("low", "mid", "high"):
                first, second = functional.normalize(found[level], dim=1, eps=1e-6)
                distance = (1 - (first * second).sum(dim=0)).clamp_min(0)
                large = functional.interpolate(
                    distance[None, None],
                    size=size,
                    mode="bilinear",
                    align_corners=False,
                )
                maps.append(large[0, 0].numpy())
        return maps[0], maps[1], maps[2]

    def _run(self, images: FloatArray) -> dict[str, Any]:
        with torch.inference_mode():
            normal = (torch.from_numpy(images) - self._mean) / self._std
            found: dict[str, Any] = self._network(normal)
            return found


class _Trunk(torch.nn.Module):
    """A network without its classifier, its tensors put in strictly."""

    def __init__(self, name: str, state: Mapping[str, Any], unused: str) -> None:
        super().__init__()
        with torch.device("meta"):  # nothing is drawn at random only to be replaced
            network = models.get_model(name, weights=None)
        wanted = {
            key: value.shape
            for key, value in network.state_dict().items()
            if not key.startswith(unused)
        }
        given = {k: v for k, v in state.items() if not k.startswith(unused)}
        wrong = sorted(
            key
            for key in wanted.keys() | given.keys()
            # absent in files older than the counter of batches
            if not key.endswith("num_batches_tracked")
            and (
                key not in wanted
                or key not in given
                or getattr(given[key], "shape", None) != wanted[key]
            )
        )
        if wrong:
            raise WeightsError(
                f"the weights are not those of {name}: {wrong[0]} is missing, "
                f"unexpected or misshapen ({len(wrong)} such tensors); give a state "
                "dict of torchvision"
            )
        for part in ("classifier", "fc"):
            if hasattr(network, part):
                setattr(network, part, torch.nn.Identity())
        values = {
            key: given[key].float() if key in given else torch.tensor(0)
            for key in wanted
        }
        network.load_state_dict(values, strict=True, assign=True)
        self.layers = network

    def forward(self, images: Any) -> Any:  # noqa: ANN401 - traced
        return self.layers(images)


def pretrained(name: str) -> Any:  # noqa: ANN401 - torchvision has no types
    """The entry in torchvision the ImageNet weights: where they are, and their hash."""
    return models.get_model_weights(name).IMAGENET1K_V1


def address(name: str) -> str:
    """Where the ImageNet weights are fetched from."""
    return str(pretrained(name).url)


def _place(url: str) -> Path:
    """Where torch keeps the file of an address."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def downloaded(name: str) -> tuple[dict[str, Any], str]:
    """The tensors from torch's cache, or from the network into it; their SHA-256.

    Raises:
        WeightsError: they cannot be fetched, or what lies in the cache cannot be read.
    """
    url = address(name)
    place = _place(url)
    with _FETCHING:
        if not place.exists():
            _fetch(name, url, place)
    try:
        state = torch.load(place, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"weights of {name}: '{place}' cannot be read; remove it and try again"
        ) from error
    return state, _sha256(place)


def _fetch(name: str, url: str, place: Path) -> None:
    """Fetch a file whose name holds the start of its SHA-256, which is checked."""
    when, cause = _GIVEN_UP.get(url, (-math.inf, ""))
    if time.monotonic() - when < _NOT_AGAIN_S:
        raise WeightsError(cause)
    promised = re.search(r"-([0-9a-f]{8,})\.", place.name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url,
            str(place),
            hash_prefix=promised[1] if promised else None,
            progress=sys.stderr.isatty(),
        )
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "hash" in str(error):
            cause = f"weights of {name}: {url} sent other bytes than were wanted"
            cause += "; try again"
        else:
            cause = (
                f"weights of {name}: {url} cannot be fetched ({_reason(error)}); "
                "connect to the network once, or fetch that file elsewhere and put it "
                f"into '{place.parent}'"
            )
            _GIVEN_UP[url] = time.monotonic(), cause
        raise WeightsError(cause) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and error.reason:
        return str(error.reason)
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The tensors of a file of the user's; pickles are read without running code."""
    from safetensors.torch import load_file

    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        what = error.strerror if isinstance(error, OSError) else None
        raise WeightsError(
            f"weights {path} cannot be read ({what or 'no state dict of torch'}); give "
            "a .pth or .safetensors file of torchvision's tensors"
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(
            f"weights {path} hold a {type(state).__name__}; wanted is a state dict: "
            "tensors by name"
        )
    return {re.sub(r"^module\.", "", key): v for key, v in state.items()}, _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_downloaded(name: str) -> bool:
    """Whether the ImageNet weights lie in torch's cache, so that none are fetched."""
    return _place(address(name)).is_file()
