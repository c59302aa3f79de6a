"""Parameters that several algorithms share, each said once."""

from __future__ import annotations

from geosim_processing.spec import (
    EXTRA,
    LOAD,
    OUTPUT,
    OVERWRITE,
    RESUME,
    Parameter,
)

LOADING = Parameter(
    LOAD,
    "Put the results onto the map",
    "switch",
    default=True,
    help="With their styles, in a group of their own. Switch it off in a model whose "
    "next step takes them.",
)
REPLACING = Parameter(
    OVERWRITE,
    "Replace an earlier result",
    "switch",
    "--overwrite",
    default=False,
    advanced=True,
    help="In the same folder. Without it, geosim refuses to write over a result.",
)
RESUMING = Parameter(
    RESUME,
    "Go on with an interrupted run",
    "switch",
    "--resume",
    default=False,
    advanced=True,
    help="Needs the same folder and the same options. While it is on, a run that is "
    "cancelled keeps what it has finished; otherwise nothing is left of it.",
)
FURTHER = Parameter(
    EXTRA,
    "Further options of the command line",
    "text",
    optional=True,
    advanced=True,
    help="As one would type them.",
)
THREADS = Parameter(
    "THREADS",
    "Threads",
    "integer",
    "--threads",
    least=1,
    optional=True,
    advanced=True,
    help="Empty: all cores.",
)

MASK_KIND = Parameter(
    "MASK_KIND",
    "Numbers of a raster mask",
    "choice",
    "--mask-kind",
    default="auto",
    choices=("auto", "binary", "qa_pixel", "scl"),
    advanced=True,
    help="binary: anything but 0; qa_pixel: Landsat's; scl: Sentinel-2's.",
)

NODATA = Parameter(
    "NODATA",
    "Value of pixels without data",
    "text",
    "--nodata",
    optional=True,
    advanced=True,
    help="0; between two dates 0:255, or :0 of date 2 alone. Empty: as the files say.",
)


def folder() -> Parameter:
    """Where the result goes; the last parameter."""
    return Parameter(OUTPUT, "Folder of the result", "output folder", "--out")


RULES = (
    Parameter(
        "METHOD",
        "Method",
        "choice",
        "--method",
        default="siamese",
        choices=("siamese", "ssim", "cva", "irmad"),
        help="The network, or a reference: SSIM, change vector analysis, IR-MAD.",
    ),
    Parameter(
        "THEME",
        "Theme",
        "choice",
        "--theme",
        default="any",
        choices=("any", "deforestation", "urban", "water", "ice"),
        help="Keep only polygons of this theme's classes; the change map stays whole.",
    ),
    Parameter(
        "SEASON",
        "Season",
        "choice",
        "--season",
        default="auto",
        choices=("auto", "keep"),
        advanced=True,
        help="auto: fields that turn green or bare and water that turns muddy are not "
        "change (pixels of 6 to 24 m, with infrared); keep: they are.",
    ),
    Parameter(
        "BANDS",
        "Bands",
        "text",
        "--bands",
        optional=True,
        help="Numbers or names joined by commas, roles ('red=3,nir=4'), a sensor "
        "(landsat-tm, landsat-etm, landsat-oli, sentinel-2, naip) or 'all'. Empty: "
        "red, green and blue where bands are named so, else the first three.",
    ),
    Parameter(
        "THRESHOLD",
        "Threshold",
        "text",
        "--threshold",
        default="auto",
        help="auto, otsu, kapur or a probability 0..1.",
    ),
    Parameter(
        "MIN_AREA",
        "Smallest object",
        "text",
        "--min-area",
        default="50px",
        help="'500' or '500m2' for square metres, '0.5ha', '50px' for pixels.",
    ),
    Parameter(
        "COREGISTER",
        "Take out the shift between the dates",
        "switch",
        "--coregister",
        default=False,
    ),
    Parameter(
        "NORMALIZE",
        "Matching of light",
        "choice",
        "--normalize",
        default="histogram",
        choices=("histogram", "linear", "none"),
        advanced=True,
        help="How date 2's light is matched to date 1's.",
    ),
)

MACHINE = (
    Parameter(
        "TILE_SIZE",
        "Side of a scoring tile in pixels",
        "integer",
        "--tile-size",
        least=32,
        optional=True,
        advanced=True,
        help="Empty: 256.",
    ),
    Parameter(
        "WEIGHTS",
        "Weights of the network",
        "file",
        "--weights",
        optional=True,
        advanced=True,
        pattern="Weights (*.safetensors)",
        help="A file that `geosim train` wrote. Empty: the small network that geosim "
        "comes with; the whole VGG16: --weights geosim-vgg16-1 in the further options.",
    ),
    Parameter(
        "DEVICE",
        "Device",
        "choice",
        "--device",
        default="auto",
        choices=("auto", "cpu", "torch", "cuda"),
        advanced=True,
        help="cuda and torch need geosim's extra 'torch'.",
    ),
    Parameter(
        "PRECISION",
        "Precision of the network",
        "choice",
        "--precision",
        default="auto",
        choices=("auto", "int8", "float32"),
        advanced=True,
        help="auto: int8 where it can.",
    ),
    THREADS,
    Parameter(
        "MEMORY",
        "Memory to work with, MB",
        "integer",
        "--memory",
        least=500,
        optional=True,
        advanced=True,
        help="Empty: half of the machine's, at least 1000 and at most 16000.",
    ),
    Parameter(
        "BLOCK_SIZE",
        "Side of a block in pixels",
        "integer",
        "--block-size",
        least=16,
        optional=True,
        advanced=True,
        help="A multiple of 16. Empty: as memory allows.",
    ),
    Parameter(
        "CREATION_OPTIONS",
        "Creation options of the rasters",
        "items",
        "--co",
        optional=True,
        advanced=True,
        help="As GDAL's COG driver has them, such as COMPRESS=ZSTD|LEVEL=9.",
    ),
)

GRID = (
    Parameter(
        "GRID",
        "Whose pixels",
        "choice",
        "--grid",
        default="before",
        choices=("before", "after"),
        advanced=True,
    ),
    Parameter(
        "GRID_LAYER",
        "Or those of a third raster",
        "raster",
        "--grid",
        optional=True,
        advanced=True,
    ),
    Parameter(
        "RESOLUTION",
        "Another pixel size",
        "number",
        "--resolution",
        least=0,
        optional=True,
        advanced=True,
        help="In the units of the grid's CRS.",
    ),
    Parameter(
        "BOUNDS",
        "Cut to",
        "extent",
        "--bounds",
        optional=True,
        advanced=True,
        help="Brought into the grid's CRS.",
    ),
)
