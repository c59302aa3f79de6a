"""Names that options are made of, without anything heavy."""

from typing import Literal, get_args

ModelName = Literal["siamese", "ssim", "vgg16", "resnet18", "resnet50", "mobilenet_v2"]
"""`siamese` is geosim's own network, `ssim` needs none; the others are torchvision's,
trained on ImageNet."""

MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)

Align = Literal["none", "resize", "register"]
"""`none`: both have one size already; `resize`: the second gets the first's size;
`register`: it is laid over the first by what both show, where that can be found."""
