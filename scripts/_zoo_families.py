"""Which networks the zoo holds, by source and family.

A family is one published design: what a paper or a repository introduced under one name. Its
depths, widths, resolutions, stems, patch sizes, vocabularies and ways of training share it, under
whatever name it is trained again (RoBERTa is BERT's design, Mistral's and Qwen2's are Llama's); a
version whose block was designed anew (MobileNet V1, V2, V3) is a family of its own. Where several
sources have the same design, it has one name here. A name's module and docstring in its source
decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from _zoo_decoders import DECODERS
from _zoo_designs import Size
from _zoo_diffusers import DIFFUSERS
from _zoo_encoders import ENCODERS
from _zoo_media import MEDIA
from _zoo_timm import TIMM

DESIGNS = {"transformers": (*ENCODERS, *DECODERS, *MEDIA), "diffusers": DIFFUSERS}

TORCHVISION = {
    "alexnet": "alexnet",
    "convnext": "convnext_tiny convnext_small convnext_base convnext_large",
    "densenet": "densenet121 densenet161 densenet169 densenet201",
    "efficientnet": (
        "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4"
        " efficientnet_b5 efficientnet_b6 efficientnet_b7"
    ),
    "efficientnet_v2": "efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l",
    "googlenet": "googlenet",
    "inception_v3": "inception_v3",
    "maxvit": "maxvit_t",
    "mnasnet": "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3_small mobilenet_v3_large",
    "regnet_x": (
        "regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf"
        " regnet_x_32gf"
    ),
    "regnet_y": (
        "regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf"
        " regnet_y_32gf regnet_y_128gf"
    ),
    "resnet": "resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 wide_resnet101_2",
    "resnext": "resnext50_32x4d resnext101_32x8d resnext101_64x4d",
    "shufflenet_v2": "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
    "squeezenet": "squeezenet1_0 squeezenet1_1",
    "swin": "swin_t swin_s swin_b",
    "swin_v2": "swin_v2_t swin_v2_s swin_v2_b",
    "vgg": "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
    "vit": "vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14",
}

SAME_IN_KERAS = {  # the zoo's name → that of the same design in keras.applications
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "resnet152": "ResNet152",
    "timm/resnetv2_50": "ResNet50V2",
    "timm/resnetv2_101": "ResNet101V2",
    "densenet121": "DenseNet121",
    "densenet169": "DenseNet169",
    "densenet201": "DenseNet201",
    "mobilenet_v2": "MobileNetV2",
    "timm/mobilenetv1_100": "MobileNet",
    "mobilenet_v3_small": "MobileNetV3Small",
    "mobilenet_v3_large": "MobileNetV3Large",
    "inception_v3": "InceptionV3",
    "timm/inception_resnet_v2": "InceptionResNetV2",
    "timm/legacy_xception": "Xception",
    "timm/nasnetalarge": "NASNetLarge",
    "efficientnet_b0": "EfficientNetB0",
    "efficientnet_b1": "EfficientNetB1",
    "efficientnet_b2": "EfficientNetB2",
    "efficientnet_b3": "EfficientNetB3",
    "efficientnet_v2_s": "EfficientNetV2S",
    "timm/tf_efficientnetv2_b0": "EfficientNetV2B0",
    "timm/tf_efficientnetv2_b1": "EfficientNetV2B1",
    "convnext_tiny": "ConvNeXtTiny",
    "convnext_small": "ConvNeXtSmall",
}


@cache
def sizes() -> Mapping[str, Size]:
    """Those of transformers and diffusers, by name.

    Raises:
        ValueError: a network is listed twice.
    """
    listed = [
        size
        for source, designs in DESIGNS.items()
        for design in designs
        for size in design.sizes(source)
    ]
    result = {size.name: size for size in listed}
    if len(result) < len(listed):
        raise ValueError("a network is listed twice")
    return result


@cache
def families() -> Mapping[str, str]:
    """Name → family, torchvision's first; other names begin with their source and a slash.

    Raises:
        ValueError: a network is listed twice.
    """
    listed = [(name, family) for family, names in TORCHVISION.items() for name in names.split()]
    listed += [(f"timm/{n}", family) for family, names in TIMM.items() for n in names]
    listed += [(size.name, size.family) for size in sizes().values()]
    result = dict(listed)
    if len(result) < len(listed):
        raise ValueError("a network is listed twice")
    return result


def source_of(name: str) -> str:
    """The package that a network is from."""
    source, slash, _ = name.partition("/")
    return source if slash else "torchvision"
