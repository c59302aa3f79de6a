"""Weights files: strict reading and writing.

A weights file is a safetensors file with exactly the tensors of
`architecture.state_shapes()`; where it was trained on labels also with those of
`decoder.decoder_shapes()`, and where int8 was measured also with those of
`ranges.range_shapes()`. Reading needs numpy only; neither torch nor OpenVINO.
"""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from geosim.errors import WeightsError
from geosim.siamese.architecture import SMALL_CHANNELS, channels_of, state_shapes
from geosim.siamese.decoder import BLEND, THRESHOLD, decoder_shapes, has_decoder
from geosim.siamese.keeping import keeping, kept
from geosim.siamese.ranges import from_tensors, has_ranges, range_shapes
from geosim.siamese.shipped import (
    DATA_FOLDER,
    IMAGENET,
    PREPROCESSING,
    VGG16_WEIGHTS,
    WEIGHTS,
    Weights,
)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """Weights in memory: checked, float32."""

    record: Weights
    """Where they come from."""
    arrays: Mapping[str, FloatArray]
    """Tensor by name, the names and shapes of `architecture.state_shapes()`; with a
    decoder also those of `decoder.decoder_shapes()`."""
    ranges: Mapping[str, FloatArray] | None = None
    """(lowest, highest) of what enters a convolution, by the name of the layer; None
    where the file holds none."""

    @property
    def small(self) -> bool:
        """Whether they are of the small network."""
        return channels_of(self.arrays) == SMALL_CHANNELS

    @property
    def threshold(self) -> float | None:
        """Probability where `--threshold auto` decides; None without a decoder."""
        found = self.arrays.get(THRESHOLD)
        return None if found is None else float(found[0])


def load_weights(name_or_path: str | Path = VGG16_WEIGHTS) -> LoadedWeights:
    """Read a weights file and check everything about it.

    Args:
        name_or_path: A name of `WEIGHTS`; `imagenet`, torchvision's VGG16, which it
            fetches; or the path of a safetensors file with the tensors of
            `architecture.state_shapes()`.

    Returns:
        The record and the tensors as float32 (large ones are float16 in the file).

    Raises:
        WeightsError: The name is unknown, the file is missing, is no whole safetensors
            file, has other bytes than it was shipped with, or a tensor is missing,
            unexpected, misshapen or not finite.
        MissingDependencyError: `imagenet` is asked for and torchvision not installed.
    """
    if str(name_or_path) == IMAGENET:
        return _imagenet()
    shipped = WEIGHTS.get(str(name_or_path))
    path = DATA_FOLDER / shipped.file if shipped else Path(name_or_path)
    content = _read_bytes(path, shipped=shipped is not None)
    sha256 = hashlib.sha256(content).hexdigest()
    if shipped and sha256 != shipped.sha256:
        raise WeightsError(
            f"{path} is not the file that geosim was shipped with: wanted sha256 "
            f"{shipped.sha256}, found {sha256}; install geosim again"
        )
    try:
        tensors = safetensors_numpy.load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read as safetensors with float16 or float32 tensors "
            f"({error}); it is another kind of file or was cut short"
        ) from error
    arrays = check_tensors(tensors, source=str(path))
    ranges = from_tensors(arrays) if has_ranges(arrays) else None
    for name in range_shapes():
        arrays.pop(name, None)
    record = shipped or _user_record(path, sha256=sha256)
    return LoadedWeights(record=record, arrays=arrays, ranges=ranges)


def _imagenet() -> LoadedWeights:
    """The convolutions of torchvision under the head of geosim's VGG16."""
    from geosim.siamese.imagenet import imagenet_trunk, with_head  # needs torch

    trunk, record = imagenet_trunk()
    tensors = with_head(trunk, load_weights(VGG16_WEIGHTS).arrays)
    arrays = check_tensors(tensors, source=record.attribution)
    return LoadedWeights(record=record, arrays=arrays)


def kept_weights(name_or_path: str | Path = VGG16_WEIGHTS) -> LoadedWeights:
    """The same as `load_weights`, read once while they are kept (see `keeping`).

    Raises:
        WeightsError: as `load_weights`.
    """
    if str(name_or_path) == IMAGENET:
        return kept("weights", (IMAGENET,), _imagenet)
    shipped = WEIGHTS.get(str(name_or_path))
    path = DATA_FOLDER / shipped.file if shipped else Path(name_or_path).absolute()
    try:
        state = path.stat()
    except OSError:
        return load_weights(name_or_path)  # which tells what is wrong
    key = str(path), state.st_size, state.st_mtime_ns
    return kept("weights", key, lambda: load_weights(name_or_path))


@contextmanager
def reading_weights(name_or_path: str) -> Iterator[None]:
    """Read weights in another thread and keep them, for whoever asks `kept_weights`.

    What is wrong with them is told to who asks.
    """
    with keeping(), ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(kept_weights, name_or_path)
        yield


def check_tensors(
    tensors: Mapping[str, npt.NDArray[np.generic]], *, source: str
) -> dict[str, FloatArray]:
    """Check tensors against the architecture and make them float32.

    Args:
        tensors: Array by name.
        source: What to call their origin in a message, for example a path.

    Returns:
        The same arrays as float32, in the order of `state_shapes()`, those of a
        decoder and of ranges last.

    Raises:
        WeightsError: A tensor is missing, unexpected, misshapen, of another type, not
            finite, a range is empty, or the head could fall where the score rises.
    """
    channels = channels_of(tensors)
    shapes = state_shapes(channels)
    if has_decoder(tensors):
        shapes |= decoder_shapes(channels)
    if has_ranges(tensors):
        shapes |= range_shapes()
    problems = [f"{name} is missing" for name in shapes if name not in tensors]
    problems += [f"{name} is unexpected" for name in tensors if name not in shapes]
    for name, shape in shapes.items():
        if name in tensors:
            problems += _problems_of(name, tensors[name], shape)
    if not problems:
        problems = _value_problems(tensors)
    if problems:
        raise WeightsError(
            f"{source} is not a weights file of the Siamese VGG16: "
            f"{_summary(problems)}; train one with `geosim train` or name one of: "
            f"{', '.join((*WEIGHTS, IMAGENET))}"
        )
    return {name: np.asarray(tensors[name], dtype=np.float32) for name in shapes}


def save_weights(
    path: Path,
    tensors: Mapping[str, npt.NDArray[np.generic]],
    *,
    metadata: Mapping[str, str],
) -> str:
    """Write a weights file: matrices and kernels float16, vectors float32.

    Args:
        path: File to write; an existing one is replaced at once, never half.
        tensors: Arrays with the names and shapes of `state_shapes()`, perhaps those of
            a decoder and of ranges.
        metadata: Text to keep in the file: `name`, `licence`, `attribution`,
            `trained_on`, `version` are read back into the record.

    Returns:
        SHA-256 of the file, hexadecimal.

    Raises:
        WeightsError: The tensors are not those of the network.
    """
    checked = check_tensors(tensors, source="what was to be written")
    stored: dict[str, npt.NDArray[np.generic]] = {}
    for name, value in checked.items():
        small = value if value.ndim == 1 else value.astype(np.float16)
        stored[name] = np.ascontiguousarray(small)
    check_tensors(stored, source="what was to be written, as float16,")
    content = safetensors_numpy.save(dict(stored), metadata=dict(metadata))
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)
    return hashlib.sha256(content).hexdigest()


def _read_bytes(path: Path, *, shipped: bool) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = (
            "install geosim again"
            if shipped
            else "give the path of a safetensors file or one of: "
            f"{', '.join((*WEIGHTS, IMAGENET))}"
        )
        reason = error.strerror or str(error)
        raise WeightsError(
            f"weights {path} cannot be read ({reason}); {remedy}"
        ) from error


def _problems_of(
    name: str, found: npt.NDArray[np.generic], shape: tuple[int, ...]
) -> list[str]:
    """What is wrong with one tensor, one line at most."""
    if found.shape != shape:
        return [f"{name} has shape {found.shape}, wanted {shape}"]
    if found.dtype not in (np.float16, np.float32):
        return [f"{name} is {found.dtype}, wanted float16 or float32"]
    if not np.isfinite(found).all():
        return [f"{name} holds NaN or infinity"]
    return []


def _value_problems(tensors: Mapping[str, npt.NDArray[np.generic]]) -> list[str]:
    """Name what no network can have, though its shape is right.

    A probability that falls while the score rises, or a range without values.
    """
    problems = []
    if bool((np.asarray(tensors["head.slope"], dtype=np.float32) <= 0).any()):
        problems.append("head.slope is not positive")
    problems += [
        f"{name} holds a negative number"
        for name in ("head.term_weights", "head.quantiles")
        if bool((np.asarray(tensors[name], dtype=np.float32) < 0).any())
    ]
    if THRESHOLD in tensors and not 0 < float(tensors[THRESHOLD].item()) < 1:
        problems.append(f"{THRESHOLD} does not lie between 0 and 1")
    if BLEND in tensors:
        of_odds, of_score, _ = np.asarray(tensors[BLEND], dtype=np.float32)
        if min(of_odds, of_score) < 0 or of_odds + of_score <= 0:
            problems.append(f"{BLEND} falls while an answer rises")
    if has_ranges(tensors):
        problems += [
            f"{name} is empty"
            for name in range_shapes()
            if not float(tensors[name][0]) < float(tensors[name][1])
        ]
    return problems


def _summary(problems: list[str], *, shown: int = 5) -> str:
    rest = len(problems) - shown
    text = ", ".join(problems[:shown])
    return f"{text} and {rest} more" if rest > 0 else text


def _user_record(path: Path, *, sha256: str) -> Weights:
    """Record of a file that geosim does not know, from its own metadata."""
    with safe_open(path, framework="numpy") as file:
        metadata: dict[str, str] = file.metadata() or {}
    return Weights(
        name=metadata.get("name", path.stem),
        file=str(path),
        sha256=sha256,
        licence=metadata.get("licence", "unknown"),
        attribution=metadata.get("attribution", "unknown"),
        bands=("red", "green", "blue"),
        preprocessing=PREPROCESSING,
        trained_on=metadata.get("trained_on", "unknown"),
        version=metadata.get("version", "unknown"),
    )
