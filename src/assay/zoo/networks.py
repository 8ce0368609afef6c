"""Trainable networks, small enough for two CPU cores: what the zoo's families are trained from.

Every network is an ``nn.Sequential`` of named stages.  The last one, ``head``, is the linear layer
that gives the logits; ``stages`` names those before it, for methods that compare features.  For
pictures of 1 x 28 x 28 in 10 classes:

    network         weights   multiply-adds
    lenet-5         431,080       2,293,000
    lenet-300-100   266,610         266,200
    vgg              72,666       7,338,880
    resnet           77,754       9,345,920
    mobilenet        39,866       1,593,248
    gru              37,258       1,000,896
    transformer      71,946       1,164,928
    mlp              55,050          54,912
    cnn              25,034         527,104
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import nn

from assay.errors import BadOption
from assay.running.modules import seed_of, seeded
from assay.zoo._blocks import Encoder, InvertedResidual, Mean, Patches, Residual, RowGru

EXTRA = "torch"

Shape = tuple[int, ...]  # of one input, without the batch: (channels, height, width)


def build(
    name: str, input_shape: Shape, classes: int, seed: int, width: float = 1.0
) -> nn.Sequential:
    """A new network in training mode; equal arguments give equal weights.

    torch's own random numbers go on as if nothing had been drawn.

    Args:
        name: one of ``NETWORKS``.
        input_shape: shape of one input, (channels, height, width); at least 8 x 8 pixels.
        classes: how many logits the head gives.
        seed: of the initial weights.
        width: factor of every hidden width.

    Raises:
        BadOption: no such network, or an argument that gives no network.
    """
    if name not in NETWORKS:
        raise BadOption(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    if len(input_shape) != 3 or min(input_shape[1:]) < 8 or input_shape[0] < 1:
        raise BadOption(
            f"input shape {input_shape}: networks take (channels, height, width), 8 x 8 at least"
        )
    if classes < 1 or not width > 0:
        raise BadOption(f"classes {classes}, width {width}: both must be positive")
    with seeded(seed_of(name, seed)):  # of networks that begin with equal layers, none is equal
        return NETWORKS[name](input_shape, classes, width)


def stages(network: nn.Module) -> tuple[str, ...]:
    """Names of the children whose outputs are features: those with weights, without the head."""
    weighted = [name for name, child in network.named_children() if [*child.parameters()]]
    return tuple(weighted[:-1])


def lenet_5(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """5x5 convolutions of 20 and 50 channels, 500 neurons [LeCun et al., 1998; Caffe's LeNet].

    An image smaller than 16 x 16 is padded by 2: nothing would be left of it.
    """
    first, second, neurons = _widths((20, 50, 500), width)
    padding = 2 if min(input_shape[1:]) < 16 else 0
    blocks = [
        nn.Sequential(nn.Conv2d(inputs, outputs, 5, padding=padding), nn.MaxPool2d(2))
        for inputs, outputs in ((input_shape[0], first), (first, second))
    ]
    return _flattened(blocks, input_shape, neurons, classes)


def lenet_300_100(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """300 and 100 neurons: the usual network of papers on pruning [LeCun et al., 1998]."""
    return _perceptron(input_shape, _widths((300, 100), width), classes)


def mlp(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """64 and 64 neurons."""
    return _perceptron(input_shape, _widths((64, 64), width), classes)


def cnn(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """3x3 convolutions of 8, 16 and 32 channels without batch normalization, 64 neurons."""
    *channels, neurons = _widths((8, 16, 32, 64), width)
    blocks = [
        nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        for inputs, outputs in pairwise((input_shape[0], *channels))
    ]
    return _flattened(blocks, input_shape, neurons, classes)


def vgg(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """Pairs of 3x3 convolutions of 16, 32 and 64 channels [Simonyan and Zisserman, 2015]."""
    channels = _widths((16, 32, 64), width)
    blocks = [
        nn.Sequential(
            *_convolution(inputs, outputs), *_convolution(outputs, outputs), nn.MaxPool2d(2)
        )
        for inputs, outputs in pairwise((input_shape[0], *channels))
    ]
    return _pooled(blocks, channels[-1], classes)


def resnet(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """A convolution and three residual blocks of 16, 32 and 64 channels [He et al., 2016]."""
    a, b, c = _widths((16, 32, 64), width)
    blocks = [
        nn.Sequential(*_convolution(input_shape[0], a)),
        Residual(a, a, stride=1),
        Residual(a, b, stride=2),
        Residual(b, c, stride=2),
    ]
    return _pooled(blocks, c, classes)


def mobilenet(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """Five inverted residuals of 16, 24 and 40 channels [MobileNetV2: Sandler et al., 2018].

    The first convolution halves an image of 16 x 16 or more.
    """
    a, b, c, d = _widths((16, 24, 40, 96), width)
    stride = 2 if min(input_shape[1:]) >= 16 else 1
    stem = nn.Conv2d(input_shape[0], a, 3, stride, padding=1, bias=False)
    blocks = [
        nn.Sequential(stem, nn.BatchNorm2d(a), nn.ReLU6()),
        InvertedResidual(a, a, stride=1),
        nn.Sequential(InvertedResidual(a, b, stride=2), InvertedResidual(b, b, stride=1)),
        nn.Sequential(InvertedResidual(b, c, stride=2), InvertedResidual(c, c, stride=1)),
        nn.Sequential(nn.Conv2d(c, d, 1, bias=False), nn.BatchNorm2d(d), nn.ReLU6()),
    ]
    return _pooled(blocks, d, classes)


def gru(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """A gated recurrent unit of 96 neurons that reads the image row by row [Cho et al., 2014]."""
    channels, _, pixels = input_shape
    (hidden,) = _widths((96,), width)
    return nn.Sequential(
        OrderedDict(stage1=RowGru(channels * pixels, hidden), head=nn.Linear(hidden, classes))
    )


def transformer(input_shape: Shape, classes: int, width: float) -> nn.Sequential:
    """Two encoder blocks of 64 features and 4 heads over 4 x 4 patches [Dosovitskiy et al., 2021].

    A patch is a square whose side is a quarter of the image's, the shorter one.
    """
    heads = 4
    features = heads * _widths((16,), width)[0]
    patch = min(input_shape[1:]) // 4
    return nn.Sequential(
        OrderedDict(
            stage1=Patches(input_shape, patch, features),
            stage2=Encoder(features, heads),
            stage3=Encoder(features, heads),
            pool=nn.Sequential(nn.LayerNorm(features), Mean()),
            head=nn.Linear(features, classes),
        )
    )


NETWORKS: Mapping[str, Callable[[Shape, int, float], nn.Sequential]] = MappingProxyType(
    {
        "lenet-5": lenet_5,
        "lenet-300-100": lenet_300_100,
        "vgg": vgg,
        "resnet": resnet,
        "mobilenet": mobilenet,
        "gru": gru,
        "transformer": transformer,
        "mlp": mlp,
        "cnn": cnn,
    }
)


def _widths(widths: tuple[int, ...], factor: float) -> tuple[int, ...]:
    return tuple(max(1, round(factor * width)) for width in widths)


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def _perceptron(input_shape: Shape, widths: tuple[int, ...], classes: int) -> nn.Sequential:
    layers = [
        nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())
        for inputs, outputs in pairwise((math.prod(input_shape), *widths))
    ]
    head = nn.Linear(widths[-1], classes)
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), **_numbered(layers), head=head))


def _flattened(
    blocks: list[nn.Module], input_shape: Shape, neurons: int, classes: int
) -> nn.Sequential:
    """The blocks, a hidden layer over all that they give, and the head."""
    inputs = nn.Sequential(*blocks)(torch.zeros(1, *input_shape)).numel()
    hidden = nn.Sequential(nn.Flatten(), nn.Linear(inputs, neurons), nn.ReLU())
    return nn.Sequential(
        OrderedDict(_numbered([*blocks, hidden]), head=nn.Linear(neurons, classes))
    )


def _pooled(blocks: list[nn.Module], channels: int, classes: int) -> nn.Sequential:
    """The blocks, the mean over space, and the head."""
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(
        OrderedDict(_numbered(blocks), pool=pool, head=nn.Linear(channels, classes))
    )


def _numbered(blocks: list[nn.Module]) -> dict[str, nn.Module]:
    return {f"stage{number}": block for number, block in enumerate(blocks, start=1)}
