"""VGG-16, VGG-19, ResNet-56 and DenseNet-40 for small pictures, at any width."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.errors import BadOption
from assay.running.modules import seed_of, seeded
from assay.zoo._blocks import Residual

Shape = tuple[int, ...]  # of one input: (channels, height, width)
# channels of each 3x3 convolution; 0 halves the picture [Simonyan and Zisserman, 2015]
_VGG = {
    16: (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512),
    19: (64, 64, 0, 128, 128, 0, *(256,) * 4, 0, *(512,) * 4, 0, *(512,) * 4),
}


def build(name: str, shape: Shape, classes: int, seed: int, width: float = 1.0) -> nn.Sequential:
    """A new network in training mode; equal arguments give equal weights.

    ``width`` is a factor of every hidden width.  Raises BadOption where there is no such network.
    """
    if name not in NETWORKS:
        raise BadOption(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    with seeded(seed_of(name, seed)):
        return NETWORKS[name](shape, classes, width)


def vgg(depth: int, shape: Shape, classes: int, width: float) -> nn.Sequential:
    """3x3 convolutions with batch normalization, the mean over space, and a linear layer."""
    blocks: list[nn.Module] = []
    inputs = shape[0]
    for channels in _VGG[depth]:
        if not channels:
            blocks.append(nn.MaxPool2d(2))
            continue
        outputs = _wide(channels, width)
        blocks.append(_normalized(inputs, outputs))
        inputs = outputs
    return _headed(blocks, inputs, classes)


def resnet_56(shape: Shape, classes: int, width: float) -> nn.Sequential:
    """Three stages of nine residual blocks, of 16, 32 and 64 channels [He et al., 2016]."""
    inputs = _wide(16, width)
    blocks: list[nn.Module] = [_normalized(shape[0], inputs)]
    for stage, channels in enumerate((16, 32, 64)):
        outputs = _wide(channels, width)
        for number in range(9):
            blocks.append(Residual(inputs, outputs, stride=2 if stage and not number else 1))
            inputs = outputs
    return _headed(blocks, inputs, classes)


class Dense(nn.Module):
    """Normalize, rectify, convolve; the outputs stand behind the inputs [Huang et al., 2017]."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (n, inputs, h, w) -> (n, inputs + growth, h, w)
        return torch.cat([x, self.conv(functional.relu(self.norm(x)))], 1)


def densenet_40(shape: Shape, classes: int, width: float) -> nn.Sequential:
    """Three blocks of twelve layers that grow by 12 channels each, without bottlenecks."""
    growth, channels = _wide(12, width), _wide(24, width)
    blocks: list[nn.Module] = [nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)]
    for stage in range(3):
        for _ in range(12):
            blocks.append(Dense(channels, growth))
            channels += growth
        if stage < 2:
            blocks.append(
                nn.Sequential(
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                    nn.Conv2d(channels, channels, 1, bias=False),
                    nn.AvgPool2d(2),
                )
            )
    blocks.append(nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()))
    return _headed(blocks, channels, classes)


NETWORKS: Mapping[str, Callable[[Shape, int, float], nn.Sequential]] = MappingProxyType(
    {
        "vgg-16": lambda *given: vgg(16, *given),
        "vgg-19": lambda *given: vgg(19, *given),
        "resnet-56": resnet_56,
        "densenet-40": densenet_40,
    }
)


def _wide(channels: int, width: float) -> int:
    return max(1, round(width * channels))


def _normalized(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _headed(blocks: list[nn.Module], channels: int, classes: int) -> nn.Sequential:
    """The blocks, the mean over space, and a linear layer."""
    named = {f"stage{number}": block for number, block in enumerate(blocks, start=1)}
    named["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(OrderedDict(named, head=nn.Linear(channels, classes)))
