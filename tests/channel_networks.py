"""Small networks in which channels go together in every way that real ones have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SHAPE = (3, 8, 8)
MIXED = 4


class Joined(nn.Module):
    """A concatenation whose halves a residual sum ties to one layer; flattened into the head."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.c, self.norm = nn.Conv2d(12, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.head = nn.Linear(12 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.a(x), self.b(x)], 1).relu()
        y = y + self.norm(self.c(y)).relu()
        return self.head(functional.max_pool2d(y, 2).flatten(1))


class Dense(nn.Module):
    """Each layer reads all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.c, self.d = nn.Conv2d(10, 4, 3, padding=1), nn.Conv2d(14, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).relu()
        x = torch.cat([x, self.b(x).relu()], 1)
        x = torch.cat([x, self.c(x).relu()], 1)
        return self.head(self.d(x).relu().mean((2, 3)))


class PixelByPixel(nn.Module):
    """Flattened with the channels last, as TensorFlow does."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = (
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Linear(384, 7),
            nn.Linear(7, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.a(x).relu().permute(0, 2, 3, 1)
        return self.head(self.b(pixels.flatten(1)).relu())


class Gated(nn.Module):
    """Squeeze and excitation: one branch multiplies the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.squeeze, self.excite = (
            nn.Conv2d(3, 8, 3),
            nn.Conv2d(8, 4, 1),
            nn.Conv2d(4, 8, 1),
        )
        self.b, self.head = nn.Conv2d(8, 6, 1), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.hardswish(self.a(x))
        gate = self.excite(self.squeeze(y.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return self.head(self.b(y * gate).relu().mean((2, 3)))


class Widening(nn.Module):
    """A transposed convolution, channels that are scaled one by one, and PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.up = nn.Conv2d(3, 8, 3, 2), nn.ConvTranspose2d(8, 6, 3, 2)
        self.norm, self.prelu = nn.BatchNorm2d(6), nn.PReLU(6)
        self.scales = nn.Parameter(torch.rand(8, 1, 1))
        self.b, self.head = nn.Conv2d(6, 5, 1), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.norm(self.up((self.a(x) * self.scales).relu())))
        return self.head(self.b(y).relu().mean((2, 3)))


class Series(nn.Module):
    """One-dimensional convolutions, flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(3, 6, 3, padding=1), nn.Conv1d(6, 4, 3, padding=1)
        self.c, self.head = nn.Linear(4 * 64, 7), nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.b(self.a(x.flatten(2)).relu()).relu()
        return self.head(self.c(y.flatten(1)).relu())


class Reused(nn.Module):
    """A layer and its normalization that are used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(192, 16), nn.Linear(16, 16), nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.b(self.a(x.flatten(1)).relu())).relu()
        return self.head(self.norm(self.b(y)).relu())


class Recurrent(nn.Module):
    """Two layers of an LSTM that reads both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(24, 10, num_layers=2, bidirectional=True, batch_first=True)
        self.a, self.head = nn.Linear(20, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x.reshape(len(x), 8, 24))
        return self.head(self.a(states.mean(1)).relu())


class Left(nn.Module):
    """What cannot be followed lies before one layer that can."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.groups = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=2)
        self.norm, self.multiplier = nn.GroupNorm(2, 8), nn.Conv2d(8, 16, 1, groups=8)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.b, self.tied, self.c = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 9)
        self.tied.weight = self.b.weight
        self.head = nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.multiplier(self.norm(self.groups(self.a(x)).relu())).relu()
        y = y.flatten(2).transpose(1, 2)
        y, _ = self.attention(y, y, y)
        y = self.tied(self.b(y.mean(1)).relu()).relu()
        return self.head(self.c(y).relu())


class TwoOutputs(nn.Module):
    """The features are an output, too."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(192, 16), nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = self.b(self.a(x.flatten(1)).relu())
        return self.head(features.relu()), {"features": features}


GROUPS: dict[type[nn.Module], dict[str, int]] = {  # channels of each layer that are in groups
    Joined: {"a": 8, "b": 4, "c": 12},
    Dense: {"a": 6, "b": 4, "c": 4, "d": 8},
    PixelByPixel: {"a": 6, "b": 7},
    Gated: {"a": 8, "squeeze": 4, "excite": 8, "b": 6},
    Widening: {"a": 8, "up": 6, "b": 5},
    Series: {"a": 6, "b": 4, "c": 7},
    Reused: {"a": 16, "b": 16},
    Recurrent: {"lstm": 40, "a": 8},
    Left: {"c": 9},
    TwoOutputs: {"a": 16},
}


def settled(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in evaluation mode, with statistics that a training might have left."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            part.weight.data.uniform_(0.2, 2, generator=generator)
            part.bias.data.normal_(0, 0.3, generator=generator)
    return module.eval()


def made(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network of this kind."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return settled(kind(), seed)


class Residual(nn.Module):
    """Drawn by Hypothesis: a stem, blocks around shortcuts, and a head behind a flattening.

    No channel of its blocks is silent, as it might be behind a ReLU: it would have no place.
    """

    def __init__(self, width: int, inner: tuple[int, ...], joined: int, normalized: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, each, 3, padding=1, bias=not normalized),
                nn.BatchNorm2d(each) if normalized else nn.Identity(),
                nn.LeakyReLU(0.3),
                nn.Conv2d(each, each, 3, padding=1, groups=each),
                nn.LeakyReLU(0.3),
                nn.Conv2d(each, width, 1),
            )
            for each in inner
        )
        self.side = nn.Conv2d(3, joined, 3, padding=1)
        self.mix = nn.Conv2d(width + joined, MIXED, 1)
        self.head = nn.Linear(MIXED * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x).relu()
        for block in self.blocks:
            y = y + block(y)
        y = self.mix(torch.cat([self.side(x).relu(), y], 1)).relu()
        return self.head(functional.adaptive_max_pool2d(y, 2).flatten(1))
