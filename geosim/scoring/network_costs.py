"""What the network takes of memory and time, per pixel of a block: measured figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosim.siamese.decoder import has_decoder

if TYPE_CHECKING:
    from geosim.siamese.weights import LoadedWeights

BASE_MEGABYTES = 700
"""MB that a run takes beside its blocks: libraries, GDAL's cache, the sample, and the
weights, as they came and as the engine packs them."""


@dataclass(frozen=True)
class Costs:
    """Of one pixel of a block, margin included."""

    memory: int
    """Bytes: of a block that is read, of one that is in the network and of one that is
    written."""
    ns: float
    """Processor time in the network, nanoseconds."""


_VGG16 = {
    # the network takes 260 and 520 of the bytes, the others are dates and scores
    "int8": Costs(450, 2600.0),
    "float32": Costs(750, 9800.0),
    "float16": Costs(2200, 2600.0),
}
"""By precision. The memory of float16, on a GPU, is reckoned, here and below; its time
is not known, that of int8 stands for it."""

_SMALL = {
    # 130 and 310; the time in float32 is reckoned
    "int8": Costs(350, 870.0),
    "float32": Costs(500, 3300.0),
    "float16": Costs(1200, 870.0),
}

_DECODER = {
    # 950 and 1,400: it keeps the activations of four depths; on the whole VGG16, on the
    # small network it takes less
    "int8": Costs(1200, 6000.0),
    "float32": Costs(1700, 15000.0),
    "float16": Costs(3000, 6000.0),
}


def network_costs(weights: LoadedWeights, precision: str) -> Costs:
    """What a pixel takes in a network of these weights in "int8", "float32"..."""
    if has_decoder(weights.arrays):
        return _DECODER[precision]
    return (_SMALL if weights.small else _VGG16)[precision]
