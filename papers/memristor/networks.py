"""The paper's four networks: layers, crossbars, ratios, and what it says of power and area."""

from __future__ import annotations

from dataclasses import dataclass

from assay.crossbars import Crossbar


@dataclass(frozen=True)
class Network:
    """A network as the paper maps it."""

    layers: tuple[tuple[str, int, int], ...]  # name, filters, columns of its matrix
    crossbar: Crossbar
    ratio: float  # of weights, at which power and area are given
    crossbar_area: float  # reductions in percent, as printed: of crossbars alone
    power: float
    area: float
    buffer: float  # KB: input and output of the largest layer at 8 bits, for a variant
    source: str

    @property
    def weights(self) -> int:
        return sum(filters * columns for _, filters, columns in self.layers)


def _convolutions(channels: int, *widths: int) -> list[tuple[int, int]]:
    """3x3 convolutions in a row: filters and columns of each."""
    inputs = (channels, *widths)
    return [(width, 9 * before) for before, width in zip(inputs, widths, strict=False)]


def _numbered(sizes: list[tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    return tuple((f"conv{place + 1}", *size) for place, size in enumerate(sizes))


NETWORKS = {
    "VGG-16": Network(
        _numbered(_convolutions(3, 64, 64, 128, 128, *[256] * 3, *[512] * 6)),
        Crossbar(128, 64),
        29.81,
        96.65,
        98.38,
        98.29,
        128,
        "Simonyan and Zisserman 2015, table 1, D: 13 convolutions, 14,710,464 weights; for CIFAR-10"
        " one linear layer of 512 x 10 follows, which is not counted",
    ),
    "ResNet-18": Network(
        _numbered(_convolutions(3, *[64] * 5, *[128] * 4, *[256] * 4, *[512] * 4)),
        Crossbar(128, 64),
        20.88,
        95.2,
        96.96,
        97.47,
        192,
        "He et al. 2016, table 1, first layer 3x3: 17 convolutions, 10,987,200 weights; 10.46 of"
        " 10.99 million removed is what the paper says, so shortcuts and the head are not counted",
    ),
    "ConvNet": Network(
        (("conv1", 32, 75), ("conv2", 32, 800), ("conv3", 64, 800), ("ip1", 10, 1024)),
        Crossbar(32, 32),
        5.88,
        82.99,
        95.91,
        89.74,
        35,
        "Caffe's cifar10_full, as in Group Scissor (Wang et al. 2017), which the paper compares"
        " with: 89,440 weights.  The paper prints no layer table: this is an assumption, and its"
        " crossbar area is 1 - 1/5.88",
    ),
    "LeNet-5": Network(
        (("conv1", 20, 25), ("conv2", 50, 500), ("ip1", 500, 800), ("ip2", 10, 500)),
        Crossbar(32, 32),
        17.69,
        94.35,
        96.96,
        93.97,
        12,
        "Caffe's LeNet: 430,500 weights.  The paper's crossbar area is 'above 94'",
    ),
}
