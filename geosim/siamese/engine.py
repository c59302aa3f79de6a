"""Run the network on a block: OpenVINO on a CPU, torch on a GPU or as the reference."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from geosim.errors import OptionError
from geosim.siamese.architecture import GEM_EPSILON, GEM_POWER
from geosim.siamese.decoder import has_decoder
from geosim.siamese.keeping import kept
from geosim.siamese.quantization import find_quantization

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from geosim.siamese.quantization import Quantization
    from geosim.siamese.weights import LoadedWeights

Device = Literal["auto", "cpu", "torch", "cuda"]
"""`torch` is torch float32 on the CPU, the reference that tests compare with."""

Precision = Literal["auto", "int8", "float32"]
"""Of the convolutions. `auto`: int8 on a CPU where a quantisation belongs to the
weights, half precision on a GPU, else float32."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What the network says of one block, margin included."""

    score: NDArray[np.float32]
    """(height, width): the score without its colour term, before smoothing."""
    low: NDArray[np.float32]
    """(height, width) 0..1: mean cosine distance at relu1_2 and relu2_2."""
    mid: NDArray[np.float32]
    """(height, width) 0..1: at relu3_3."""
    high: NDArray[np.float32]
    """(height, width) 0..1: at relu4_3."""
    features: NDArray[np.float32]
    """(2, channels, height / 16, width / 16): relu5_3 of both dates."""
    odds: NDArray[np.float32] | None = None
    """(height, width): a decoder's log odds; None where the weights have none."""


class Engine(Protocol):
    """The network, ready to run."""

    description: str
    """For the log: library, precision, device, threads."""
    precision: Literal["int8", "float32", "float16"]
    """In which the convolutions run."""

    def prepare(self, height: int, width: int) -> None:
        """Compile for blocks of one shape ahead of the first; may do nothing."""

    def differences(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> Differences:
        """Compare two dates.

        Args:
            before: (3, height, width) float32 in 0..1, sides multiples of 16.
            after: as `before`.
        """


def open_engine(
    weights: LoadedWeights,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    term_weights: NDArray[np.float32] | None = None,
) -> Engine:
    """Load the network onto a device.

    Args:
        weights: checked tensors.
        device: "auto" and "cpu" take OpenVINO on the CPU; "cuda" takes torch on a GPU,
            "torch" torch in float32 on the CPU.
        precision: of the convolutions, see `Precision`.
        threads: inference threads; all cores where None.
        term_weights: (4,) of the scene (`weighting.scene_weights`); None: the first
            row of the weights as it is.

    Raises:
        OptionError: no GPU where one is asked for, or int8 where there is none.
        WeightsError: the quantisation of the weights cannot be read.
        MissingDependencyError: torch is asked for and not installed.
    """
    row = weights.arrays["head.term_weights"][0]
    chosen = row if term_weights is None else term_weights
    if device in ("auto", "cpu"):
        wanted = precision != "float32"
        found = find_quantization(weights) if wanted else None
        if precision == "int8" and found is None:
            raise OptionError(
                "--precision int8 wants weights that hold ranges for it, as those "
                "that geosim comes with and models of its present version; found "
                f"{weights.record.file}; leave --precision out to use float32"
            )
        missing = wanted and found is None
        reason = "no ranges for int8 belong to these weights" if missing else None
        return _OpenVinoEngine(
            weights, found, threads or os.cpu_count() or 1, chosen, reason
        )
    if precision == "int8":
        raise OptionError(
            f"--precision int8 wants --device auto or cpu; found '{device}'"
        )
    from geosim.siamese.torch_engine import TorchEngine

    return TorchEngine(weights, device, precision, threads, chosen)


def level_distances(
    weights: LoadedWeights,
    pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]],
    relu: str,
    *,
    threads: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Cosine distances of small pieces of a scene at one depth, float32 on the CPU.

    Args:
        weights: checked tensors.
        pairs: before and after, each (3, height, width) in 0..1, sides multiples of
            the level's stride.
        relu: the activation that is compared.
        threads: inference threads; all cores where None.

    Yields:
        (height / stride, width / stride) float32 for each piece.
    """
    compiled = _level_network(weights, relu, threads or os.cpu_count() or 1)
    request = compiled.create_infer_request()
    for pair in pairs:
        yield np.array(request.infer([np.stack(pair)])[0][0, 0])


def prepare_level(
    weights: LoadedWeights, relu: str, *, threads: int | None = None
) -> None:
    """Compile what `level_distances` runs, if it is not there yet."""
    _level_network(weights, relu, threads or os.cpu_count() or 1)


def _level_network(weights: LoadedWeights, relu: str, threads: int) -> Any:  # noqa: ANN401
    """The trunk up to one level, compiled for pieces of any shape."""
    from geosim.siamese.graph import build_level_graph, compile_graph

    return kept(
        "level",
        (weights.record.sha256, relu, threads),
        lambda: compile_graph(build_level_graph(weights.arrays, relu), threads),
    )


class _OpenVinoEngine:
    """OpenVINO, int8 or float32."""

    def __init__(
        self,
        weights: LoadedWeights,
        quantization: Quantization | None,
        threads: int,
        term_weights: NDArray[np.float32],
        reason: str | None,
    ) -> None:
        self._weights, self._quantization = weights, quantization
        self._term_weights, self._threads = term_weights, threads
        self._shape: tuple[int, ...] | None = None
        self._run: Any = None
        self._decodes = has_decoder(weights.arrays)
        self.precision: Literal["int8", "float32", "float16"]
        self.precision = "int8" if quantization else "float32"
        why = f" ({reason})" if reason else ""
        self.description = (
            f"OpenVINO {self.precision} on the CPU, {threads} threads{why}"
        )

    def prepare(self, height: int, width: int) -> None:
        """Compile for blocks of one shape: faster than for any shape."""
        from geosim.siamese import graph, staged

        if (height, width) == self._shape:
            return
        self._run = None  # its buffers go before the next ones come
        arrays, ranges, size = self._weights.arrays, self._quantization, (height, width)

        def whole() -> Any:  # noqa: ANN401
            model = graph.build_graph(arrays, quantization=ranges, size=size)
            return graph.compile_graph(model, self._threads)

        def stages() -> staged.Stages:
            return staged.compile_stages(arrays, ranges, size, self._threads)

        key = self._weights.record.sha256, self.precision, self._threads, size
        compiled = kept("network", key, whole if self._decodes else stages)
        opened = graph.opened if self._decodes else staged.StagedNetwork
        self._run = opened(compiled)
        self._shape = size

    def differences(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> Differences:
        self.prepare(*before.shape[1:])
        score, low, mid, high, features, *odds = self._run(
            before, after, self._term_weights
        )
        return Differences(
            score=score,
            low=low,
            mid=mid,
            high=high,
            features=features,
            odds=odds[0] if odds else None,
        )


def tile_similarity(
    sums: NDArray[np.float64],
    weight: NDArray[np.float64],
    weights: LoadedWeights,
) -> NDArray[np.float32]:
    """Cosine similarity of both dates' tile embeddings.

    Args:
        sums: (2, channels, tiles) weighted sums of the cells' features ** GEM_POWER.
        weight: (tiles,) sum of the weights (valid share of each cell).
        weights: the network's weights.

    Returns:
        (tiles,) float32, 0 different .. 1 same; NaN where nothing was valid.
    """
    safe = np.where(weight > 0, weight, 1.0)
    pooled = np.maximum(sums / safe, GEM_EPSILON) ** (1.0 / GEM_POWER)
    matrix = weights.arrays["embedding.weight"].astype(np.float64)
    bias = weights.arrays["embedding.bias"].astype(np.float64)
    embedded = np.einsum("ef,dft->det", matrix, pooled) + bias[None, :, None]
    lengths = np.linalg.norm(embedded, axis=1)
    cosine = (embedded[0] * embedded[1]).sum(axis=0) / np.maximum(
        lengths[0] * lengths[1], 1e-12
    )
    similar = np.where(weight > 0, np.clip(cosine, 0.0, 1.0), np.nan)
    result: NDArray[np.float32] = similar.astype(np.float32)
    return result
