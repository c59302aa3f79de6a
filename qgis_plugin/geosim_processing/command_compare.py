"""The algorithm `geosim:compare`."""

from __future__ import annotations

from geosim_processing.shared import FURTHER, REPLACING, THREADS, folder
from geosim_processing.spec import LOAD, Command, Output, Parameter

COMPARE = Command(
    name="compare",
    record="compare.json",
    title="Compare two pictures",
    summary="Says how alike two pictures are, and where they differ: paintings, "
    "photographs, scans, of any size, without coordinates. Writes a heatmap, an "
    "overlay, a sheet with both pictures, the differences at three levels, and a "
    "JSON record. For two georeferenced rasters take 'Change between two dates'.",
    parameters=(
        Parameter("FIRST", "First picture", "raster", argument=True),
        Parameter("SECOND", "Second picture", "raster", argument=True),
        Parameter(
            "MODEL",
            "What compares",
            "choice",
            "--model",
            default="siamese",
            choices=(
                *("siamese", "ssim", "vgg16", "resnet18", "resnet50"),
                "mobilenet_v2",
            ),
            help="geosim's network, structural similarity, or an ImageNet network of "
            "torchvision.",
        ),
        Parameter(
            "ALIGN",
            "How the second is laid over the first",
            "choice",
            "--align",
            default="register",
            choices=("none", "resize", "register"),
            help="Not at all, by size, or by what both show.",
        ),
        Parameter(
            "SIDE",
            "Longest side when compared, px",
            "integer",
            "--side",
            default=1024,
            least=64,
            advanced=True,
        ),
        Parameter(
            "WEIGHTS",
            "Weights of the model",
            "file",
            "--weights",
            optional=True,
            advanced=True,
            pattern="Weights (*.safetensors *.pth)",
        ),
        THREADS,
        REPLACING,
        FURTHER,
        Parameter(
            LOAD,
            "Put the pictures onto the map",
            "switch",
            default=False,
            help="They have no coordinates and lie beside the map's data.",
        ),
        folder(),
    ),
    outputs=(
        Output(
            "OVERLAY", "Difference over the first", "raster", "overlay.png", load=True
        ),
        Output(
            "HEATMAP", "Difference", "raster", "heatmap.png", load=True, shown=False
        ),
        Output("SHEET", "Sheet", "file", "sheet.png"),
        Output("RECORD", "Record", "file", "compare.json"),
        *(
            Output(key.upper(), label, "number", "compare.json", (key,))
            for key, label in (
                ("similarity", "Similarity, 0..1"),
                ("cosine", "Cosine of the embeddings"),
                ("euclidean", "Euclidean distance of the embeddings"),
                ("ssim", "Structural similarity"),
            )
        ),
    ),
    tags=("similarity", "pictures", "paintings", "SSIM"),
)
