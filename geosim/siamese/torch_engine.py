"""The network in torch: on a GPU, or in float32 on the CPU as the reference."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geosim.errors import OptionError
from geosim.siamese.architecture import EMBEDDING_RELU, LEVELS
from geosim.siamese.engine import Differences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.siamese.engine import Precision
    from geosim.siamese.weights import LoadedWeights


class TorchEngine:
    """Half precision on a GPU, float32 on the CPU."""

    def __init__(
        self,
        weights: LoadedWeights,
        device: str,
        precision: Precision,
        threads: int | None,
        term_weights: NDArray[np.float32],
    ) -> None:
        from geosim.siamese import fusion, loading
        from geosim.siamese.backend import torch
        from geosim.siamese.devices import torch_threads

        if device == "cuda" and not torch.cuda.is_available():
            raise OptionError(
                "--device cuda wants an NVIDIA GPU that torch can use; found none; "
                "leave --device out to run on the CPU"
            )
        self._torch, self._fusion = torch, fusion
        self._threads = partial(torch_threads, threads)
        half = device == "cuda" and precision == "auto"
        self._place: dict[str, Any] = {
            "device": "cuda" if device == "cuda" else "cpu",
            "dtype": torch.float16 if half else torch.float32,
            "memory_format": torch.channels_last,
        }
        self._term_weights = torch.from_numpy(term_weights).to(self._place["device"])
        model = loading.network_of(weights.arrays)
        self._model = model.eval().to(**self._place)
        self.precision: Literal["int8", "float32", "float16"]
        self.precision = "float16" if half else "float32"
        self.description = (
            f"torch {torch.__version__} {self.precision} on {self._place['device']}"
        )

    def prepare(self, height: int, width: int) -> None:
        """Nothing is compiled."""

    def differences(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> Differences:
        """Compare two dates, see `engine.Engine`."""
        torch, fusion = self._torch, self._fusion
        with self._threads(), torch.inference_mode():
            pair = torch.from_numpy(np.stack([before, after])).to(**self._place)
            size = (pair.shape[-2], pair.shape[-1])
            found = self._model.activations(pair)
            # squares of half precision overflow: distances are taken in float32
            maps = [
                fusion.enlarge(fusion.cosine_distance(found[level.relu].float()), size)
                for level in LEVELS
            ]
            distances = fusion.terms(pair, found)
            del distances["colour"]  # of all bands: added where they are at hand
            score = fusion.fuse(distances, self._term_weights)
            odds = self._model.decode(found)
        low1, low2, mid, high = (part[0].cpu().numpy() for part in maps)
        return Differences(
            score=score[0].cpu().numpy(),
            low=(low1 + low2) / 2,
            mid=mid,
            high=high,
            features=found[EMBEDDING_RELU].float().cpu().numpy(),
            odds=None if odds is None else odds[0].float().cpu().numpy(),
        )
