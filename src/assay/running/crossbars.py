"""A module whose convolutions and linear layers are computed on memristor crossbars.

Weights lie on cells, with flaws where these have some; inputs and sums pass converters.  What a
converter's range is, a few inputs decide: the largest value that a layer sees for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.crossbars import (
    Cell,
    Converters,
    Crossbar,
    Flaws,
    Mapped,
    column_sums_of,
    effective,
    flawed,
    mapped,
    matrix,
    multiply,
    strips,
)
from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Array
from assay.running.modules import copy_of, outputs, weighted
from assay.running.modules import replace as put

EXTRA = "torch"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a network is put on."""

    crossbar: Crossbar = field(default_factory=Crossbar)
    cell: Cell = field(default_factory=Cell)
    bits: int = 5  # of a weight, with its sign
    converters: Converters | None = field(default_factory=Converters)  # None: nothing is rounded
    flaws: Flaws = field(default_factory=Flaws)


def on_crossbars(
    module: nn.Module,
    hardware: Hardware,
    scales: Mapping[str, float],
    inputs: Array,
    seed: int = 0,
) -> nn.Module:
    """A copy in float32 and evaluation mode whose layers are computed on crossbars.

    Args:
        module: Its weights are whole multiples of ``scales``, or rounded to such.
        hardware: What they lie on, and how that is read.
        scales: By layer: the weight of level 1.
        inputs: (n, …), a few: they set the converters' ranges.
        seed: Of the flaws.

    Raises:
        BadOption: a layer has no scale.
        BadData: with converters, a layer that no input reaches.
        UnfitModel: there is no layer, one that is no sum over a matrix, or one that torch's
            attention reads and does not run.
    """
    made = copy_of(module).float()
    if any(isinstance(part, nn.MultiheadAttention) for part in made.modules()):
        raise UnfitModel("torch's attention reads its layers' weights: it is not put on crossbars")
    random = np.random.default_rng(seed)
    layers: dict[str, OnCrossbars] = {}
    for name, layer in weighted(made).items():
        if name not in scales:
            raise BadOption(f"layer {name!r} has no scale: {', '.join(scales)} have")
        weight = matrix(layer.weight.detach().cpu().numpy())
        parts = [Strip(*place, _mapped(weight[np.ix_(*place)], scales[name], hardware, random))
                 for place in strips(weight, hardware.crossbar)]  # fmt: skip
        layers[name] = OnCrossbars(layer, parts, hardware)
        for place, part in [*made.named_modules(remove_duplicate=False)]:
            if part is layer:  # it may be used under several names
                put(made, place, layers[name])
    if hardware.converters is not None:
        outputs(made, inputs)  # exact, and remembered
        for name, each in layers.items():
            if not each.seen:
                raise BadData(f"no input reaches layer {name!r}: its converters have no range")
            each.set_ranges(hardware.converters)
    return made


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip of a layer's matrix, and the arrays it is on."""

    filters: Array  # their numbers
    columns: Array
    found: Mapped


def _mapped(
    weights: Array, scale: float, hardware: Hardware, random: np.random.Generator
) -> Mapped:
    wanted = mapped(weights, scale, hardware.bits, hardware.cell)
    return flawed(wanted, hardware.flaws, random)


class OnCrossbars(nn.Module):
    """A layer's product on its arrays; its bias is added as a number."""

    def __init__(self, layer: nn.Module, parts: Sequence[Strip], hardware: Hardware) -> None:
        super().__init__()
        if isinstance(layer, nn.Conv2d):
            plain = layer.groups == 1 and layer.padding_mode == "zeros"
            if not plain or isinstance(layer.padding, str):
                raise UnfitModel("a convolution in groups, or with such padding, is no matrix")
        elif not isinstance(layer, nn.Linear):
            raise UnfitModel(f"a {type(layer).__name__} is not put on crossbars")
        self.layer, self.parts, self.hardware = layer, [*parts], hardware
        weight = np.zeros((len(layer.weight), layer.weight[0].numel()))
        for part in parts:
            weight[np.ix_(part.filters, part.columns)] = effective(part.found)
        self.weight = torch.from_numpy(weight).float()  # (n, k)
        self.seen: list[Array] = []  # inputs, until ranges are set
        self.largest, self.full_scale = 0.0, 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        rows, shape = self._rows(inputs)
        if self.hardware.converters is None:
            sums = rows @ self.weight.T
        elif not self.full_scale:
            self.seen.append(rows.numpy())
            sums = rows @ self.weight.T
        else:
            sums = torch.from_numpy(self._read(rows.numpy(), self.hardware.converters)).float()
        if self.layer.bias is not None:
            sums = sums + self.layer.bias
        if isinstance(self.layer, nn.Conv2d):
            return sums.view(len(inputs), -1, sums.shape[1]).transpose(1, 2).reshape(shape)
        return sums.view(shape)

    def set_ranges(self, converters: Converters) -> None:
        """The converters' ranges: the largest input and the largest sum that were seen."""
        seen = np.concatenate(self.seen)
        self.seen = []
        self.largest = float(np.abs(seen).max()) or 1.0
        sums = [
            column_sums_of(
                seen[:, part.columns],
                part.found,
                self.hardware.crossbar,
                converters,
                largest=self.largest,
            )
            for part in self.parts
        ]
        self.full_scale = max(sums, default=0.0) or 1.0

    def _read(self, rows: Array, converters: Converters) -> Array:
        answers = np.zeros((len(rows), len(self.weight)))
        for part in self.parts:
            answers[:, part.filters] = multiply(
                rows[:, part.columns],
                part.found,
                self.hardware.crossbar,
                converters,
                largest=self.largest,
                full_scale=self.full_scale,
            )
        return answers

    def _rows(self, inputs: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """Inputs as (p, k), and the shape that the outputs have."""
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return inputs.reshape(-1, layer.in_features), (*inputs.shape[:-1], layer.out_features)
        assert isinstance(layer, nn.Conv2d)
        columns = functional.unfold(
            inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride
        )  # (b, k, p)
        spaces = [
            (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for size, pad, dilation, kernel, stride in zip(
                inputs.shape[2:],
                layer.padding,
                layer.dilation,
                layer.kernel_size,
                layer.stride,
                strict=True,
            )
        ]
        rows = columns.transpose(1, 2).reshape(-1, columns.shape[1])
        return rows, (len(inputs), layer.out_channels, *spaces)
