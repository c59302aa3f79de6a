"""Weights files become torch networks."""

from pathlib import Path
from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.siamese.architecture import channels_of
from geosim.siamese.backend import torch
from geosim.siamese.decoder import has_decoder
from geosim.siamese.decoder_network import Decoder
from geosim.siamese.network import MINIMUM_SIZE, SiameseVGG16
from geosim.siamese.shipped import VGG16_WEIGHTS
from geosim.siamese.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geosim.siamese.weights import FloatArray


def create_siamese_model(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    weights: str | Path | None = VGG16_WEIGHTS,
) -> SiameseVGG16:
    """Make the network, ready to compare two images.

    Args:
        input_shape: Size of the images: (height, width, 3) as in Keras or
            (3, height, width) as in torch. It is checked and kept on the model as
            `input_shape` in torch's order; other sizes work too.
        weights: Name of shipped weights, path of a weights file, or None for random
            numbers.

    Returns:
        The network in evaluation mode.

    Raises:
        OptionError: `input_shape` is not the size of a three-band image.
        WeightsError: The weights are not those of this network.

    Example:
        >>> model = create_siamese_model((256, 256, 3))
        >>> model.input_shape
        (3, 256, 256)
    """
    channels_first = _torch_order(input_shape)
    if weights is None:
        model = SiameseVGG16()
    else:
        model = network_of(load_weights(weights).arrays)
    model.input_shape = channels_first
    return model.eval()


def load_state(model: SiameseVGG16, weights: str | Path) -> None:
    """Put the tensors of a weights file into a network, strictly."""
    load_arrays(model, load_weights(weights).arrays)


def network_of(arrays: "Mapping[str, FloatArray]") -> SiameseVGG16:
    """A network of these checked tensors, as wide as they are, in training mode."""
    model = SiameseVGG16(channels_of(arrays))
    load_arrays(model, arrays)
    return model


def load_arrays(model: SiameseVGG16, arrays: "Mapping[str, FloatArray]") -> None:
    """Put checked tensors into a network, with a decoder where they have one."""
    model.decoder = Decoder(model.channels) if has_decoder(arrays) else None
    model.load_state_dict({name: torch.from_numpy(v) for name, v in arrays.items()})


def _torch_order(input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    shape = tuple(input_shape)
    three_numbers = len(shape) == 3 and all(isinstance(n, int) for n in shape)  # noqa: PLR2004
    if three_numbers and shape[2] == 3 and min(shape[:2]) >= MINIMUM_SIZE:  # noqa: PLR2004
        return (3, shape[0], shape[1])
    if three_numbers and shape[0] == 3 and min(shape[1:]) >= MINIMUM_SIZE:  # noqa: PLR2004
        return (3, shape[1], shape[2])
    raise OptionError(
        f"input_shape must be (height, width, 3) or (3, height, width) of at least "
        f"{MINIMUM_SIZE} px, found {shape}; geosim's network reads three bands"
    )
