"""Blocks of the zoo's trainable networks that an ``nn.Sequential`` alone cannot say."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EXTRA = "torch"


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut [He et al., 2016].

    The shortcut is a 1x1 convolution where the width or the resolution changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:  # (n, inputs, h, w) -> (n, outputs, h', w')
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel for itself, narrow again [Sandler et al., 2018].

    The narrow end has no activation; a shortcut joins ends of equal shape.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 4) -> None:
        super().__init__()
        inner = expansion * inputs
        self.has_shortcut = stride == 1 and inputs == outputs
        self.expand = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
        )
        self.project = nn.Sequential(
            nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:  # (n, inputs, h, w) -> (n, outputs, h', w')
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_shortcut else y


class RowGru(nn.Module):
    """A gated recurrent unit [Cho et al., 2014] that reads an image row by row."""

    def __init__(self, row: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(row, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # (n, c, h, w) -> (n, hidden), after the last row
        rows = x.transpose(1, 2).flatten(2)  # (n, h, c * w)
        outputs, _ = self.gru(rows)  # (n, h, hidden)
        return outputs[:, -1]


class Patches(nn.Module):
    """An image cut into square patches, each a vector, plus a learned position."""

    def __init__(self, shape: tuple[int, ...], patch: int, features: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.conv = nn.Conv2d(channels, features, patch, stride=patch)
        count = (height // patch) * (width // patch)
        self.position = nn.Parameter(torch.randn(count, features) * features**-0.5)

    def forward(self, x: Tensor) -> Tensor:  # (n, c, h, w) -> (n, patches, features)
        return self.conv(x).flatten(2).transpose(1, 2) + self.position


class Encoder(nn.Module):
    """A transformer's encoder block with normalization first [Xiong et al., 2020]."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(features)
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.output = nn.Linear(features, features)
        self.norm2 = nn.LayerNorm(features)
        self.mlp = nn.Sequential(
            nn.Linear(features, 2 * features), nn.GELU(), nn.Linear(2 * features, features)
        )

    def forward(self, x: Tensor) -> Tensor:  # (n, t, features) -> the same
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def attention(self, x: Tensor) -> Tensor:  # (n, t, features) -> the same
        query, key, value = (
            linear(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (n, heads, t, features')
            for linear in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).flatten(2))


class Mean(nn.Module):
    """The mean of the vectors of a sequence."""

    def forward(self, x: Tensor) -> Tensor:  # (n, t, features) -> (n, features)
        return x.mean(1)
