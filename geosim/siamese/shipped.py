"""The weights that come with geosim: names, sums, licences, sources."""

from dataclasses import dataclass
from pathlib import Path

DATA_FOLDER = Path(__file__).parent / "data"
"""Where the shipped weights lie, beside NOTICE.md."""

VGG16_WEIGHTS = "geosim-vgg16-1"
"""Name of the weights of a whole VGG16: what training starts from, and what pictures
of any kind are compared and found by."""

SMALL_WEIGHTS = "geosim-small-1"
"""Name of the small network's weights: half of VGG16's channels, taught by all."""

DEFAULT_WEIGHTS = SMALL_WEIGHTS
"""Name of the weights that two dates are compared with unless others are asked for:
about as accurate as the whole on the labelled pairs, in half of the time."""

IMAGENET = "imagenet"
"""Name of a trunk that does not come with geosim: torchvision's VGG16, which its own
download fetches (see `imagenet`)."""

PREPROCESSING = (
    "red, green, blue in 0..1 over the scene's range, date 2 histogram-matched to "
    "date 1, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
)
"""What becomes of the bands before they enter a network of geosim's."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What is known about one set of weights."""

    name: str
    """Name on the command line and in `run.json`."""
    file: str
    """File name inside `DATA_FOLDER`, or the path a user gave."""
    sha256: str
    """SHA-256 of the file's bytes, hexadecimal."""
    licence: str
    """SPDX identifier of the licence, or `unknown`."""
    attribution: str
    """Whom the licence asks to name."""
    bands: tuple[str, ...]
    """Bands it reads, in order."""
    preprocessing: str
    """What is done to the bands before they enter."""
    trained_on: str
    """Imagery it was trained on; never the labels of a benchmark."""
    version: str
    """Version of these weights."""


WEIGHTS: dict[str, Weights] = {
    VGG16_WEIGHTS: Weights(
        name=VGG16_WEIGHTS,
        file="geosim-vgg16-1.safetensors",
        sha256="d303dc0b73333368d93686b16cb2279f156e540787883b9c5f406d913d2660a0",
        licence="CC-BY-4.0",
        attribution=(
            "VGG16 of K. Simonyan and A. Zisserman, Visual Geometry Group, University "
            "of Oxford (CC BY 4.0), trained further by the geosim developers"
        ),
        bands=("red", "green", "blue"),
        preprocessing=PREPROCESSING,
        trained_on=(
            "ImageNet (Oxford); then, without labels: UC Merced and NAIP (USGS, USDA), "
            "NEON airborne imagery, Sentinel-2 (Copernicus), Landsat (USGS)"
        ),
        version="1",
    ),
    SMALL_WEIGHTS: Weights(
        name=SMALL_WEIGHTS,
        file="geosim-small-1.safetensors",
        sha256="4cb95633bdafd321fc9180cd5734b35b9da2ed82ded2823be4c261f5b9c9db88",
        licence="CC-BY-4.0",
        attribution=(
            "Taught by geosim-vgg16-1, which starts from VGG16 of K. Simonyan and A. "
            "Zisserman, Visual Geometry Group, University of Oxford (CC BY 4.0)"
        ),
        bands=("red", "green", "blue"),
        preprocessing=PREPROCESSING,
        trained_on=(
            "What geosim-vgg16-1 says, without labels, of UC Merced and NAIP (USGS, "
            "USDA), NEON airborne imagery, Sentinel-2 (Copernicus), Landsat (USGS)"
        ),
        version="1",
    ),
}
"""The weights that come with geosim, by name."""
