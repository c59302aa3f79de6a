"""The names of the models of pictures, without anything heavy."""

from typing import Literal, get_args

ModelName = Literal["siamese", "ssim", "vgg16", "resnet18", "resnet50", "mobilenet_v2"]
"""`siamese` is geosim's own network, `ssim` needs none; the others are torchvision's,
trained on ImageNet."""

MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)
