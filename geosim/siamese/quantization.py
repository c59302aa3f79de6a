"""The network in 8 bits: which ranges are rounded to, and where they come from.

No second copy of the network: a quantisation is the range of what enters each
convolution but the first, twelve pairs of numbers: a small file beside the weights that
geosim comes with, or tensors in the file of a model that a user trained. What
enters that one is known, an image in 0..1. It is given in two parts of 8 bits, since
256 levels of it would hide the fine texture of a field (`graph.in_two_parts`). Kernels
are rounded when the graph is built, symmetrically and per output channel
(Krishnamoorthi 2018, arXiv:1806.08342). `scripts/quantize_weights.py` makes the file,
`geosim train` the tensors.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from geosim.errors import WeightsError
from geosim.siamese.ranges import as_tensors, from_tensors, range_shapes
from geosim.siamese.shipped import DATA_FOLDER
from geosim.siamese.weights import LoadedWeights

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class QuantizationRecord:
    """What is known about one quantisation."""

    file: str
    """File name inside `DATA_FOLDER`."""
    sha256: str
    """SHA-256 of the file's bytes, hexadecimal."""
    weights_sha256: str
    """SHA-256 of the weights file it belongs to; it serves no other."""
    licence: str
    """SPDX identifier of the licence."""
    calibrated_on: str
    """Imagery that the ranges were measured on."""


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Ranges in memory, checked."""

    ranges: Mapping[str, FloatArray]
    """(lowest, highest) of what enters a convolution, by the name of the layer."""


QUANTIZATIONS: tuple[QuantizationRecord, ...] = (
    QuantizationRecord(
        file="geosim-vgg16-1.int8.safetensors",
        sha256="6a9474fd099cb167ce0fa7c71fdd10087a7d6b778ddddf4132c2879227f8b084",
        weights_sha256=(
            "d303dc0b73333368d93686b16cb2279f156e540787883b9c5f406d913d2660a0"
        ),
        licence="CC-BY-4.0",
        calibrated_on="UC Merced, NAIP, NEON, Sentinel-2, Landsat",
    ),
)
"""What comes with geosim."""


def find_quantization(weights: LoadedWeights) -> Quantization | None:
    """The quantisation of these weights: their own, or one that comes with geosim.

    None where there is neither: models that geosim trained before it measured ranges.

    Raises:
        WeightsError: The file is missing, or not the one that geosim came with.
    """
    if weights.ranges is not None:
        return Quantization(ranges=weights.ranges)
    for record in QUANTIZATIONS:
        if record.weights_sha256 == weights.record.sha256:
            return _read(DATA_FOLDER / record.file, record.sha256)
    return None


def _read(path: Path, wanted: str) -> Quantization:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WeightsError(
            f"{path} cannot be read ({reason}); install geosim again, or use "
            "--precision float32"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise WeightsError(
            f"{path} is not the file that geosim was shipped with: wanted sha256 "
            f"{wanted}, found {found}; install geosim again, or use --precision float32"
        )
    return parse_quantization(content, source=str(path))


def parse_quantization(content: bytes, *, source: str) -> Quantization:
    """Read a quantisation and check everything about it.

    Args:
        content: The bytes of a file.
        source: What to call their origin in a message.

    Raises:
        WeightsError: A tensor is missing, unexpected, misshapen, not float32 or not
            finite, or a range is empty.
    """
    try:
        tensors = safetensors_numpy.load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{source} cannot be read as safetensors ({error})"
        ) from error
    shapes = range_shapes()
    wrong = sorted(tensors.keys() ^ shapes.keys())
    wrong += [
        name
        for name, shape in shapes.items()
        if name in tensors and not _fits(tensors[name], shape)
    ]
    if wrong:
        raise WeightsError(
            f"{source} is not a quantisation of the Siamese VGG16: {wrong[0]} is "
            "missing, unexpected or holds other values than it should; use "
            "--precision float32"
        )
    return Quantization(ranges=from_tensors(tensors))


def _fits(found: FloatArray, shape: tuple[int, ...]) -> bool:
    """Whether a tensor has its shape, is finite and not empty."""
    usable = (
        found.shape == shape and found.dtype == np.float32 and np.isfinite(found).all()
    )
    return bool(usable and found[0] < found[1])


def pack_quantization(
    quantization: Quantization, *, metadata: Mapping[str, str]
) -> bytes:
    """The bytes of a file, which `parse_quantization` reads."""
    tensors = as_tensors(quantization.ranges)
    return safetensors_numpy.save(tensors, metadata=dict(metadata))
