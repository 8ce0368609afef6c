"""Operators whose weights are constants, as torch's layers: so training and pruning find them.

A rule gets the operator and what is known, and gives a layer, or None where only a function will
do.  What torch's layer cannot do, an operator before it does: pads that differ by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from assay.graphs.operators import Operator, Shape
from assay.running.network.constants import Constants
from assay.running.network.sizes import as_tensor
from assay.running.network.windows import transposed_padding

EXTRA = "torch"

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@dataclass
class Layer:
    """A layer, and how it stands in the graph."""

    module: nn.Module
    weights: dict[str, str]  # its parameters, by the constants that they are; "": made here
    inputs: tuple[str, ...]  # tensors that it reads
    before: Operator | None = None  # what its input goes through
    after: Operator | None = None  # what its output goes through


@dataclass
class Facts:
    """What rules ask."""

    constants: Constants
    shapes: dict[str, Shape]  # of the file's own inputs

    def constant(self, node: Operator, place: int) -> str:
        """The name of an input that is a constant; "" where it is computed, or not given."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        return name if name and name in self.constants else ""

    def is_zero(self, name: str) -> bool:
        """Whether a tensor is a constant of nothing but zeros."""
        return name in self.constants and not self.constants[name].any()

    def rank(self, name: str) -> int:
        """The number of axes of a tensor; 0 where it is not facts."""
        return len(self.shapes.get(name, ()))


Rule = Callable[[Operator, Facts], Layer | None]


def is_given(node: Operator, place: int) -> bool:
    """Whether an operator has an input at a place."""
    return place < len(node.inputs) and node.inputs[place] != ""


def fill(parameter: torch.Tensor | None, values: np.ndarray) -> None:
    """Put values into a parameter, where the layer has it."""
    if parameter is not None:
        with torch.no_grad():
            parameter.copy_(as_tensor(values, parameter.device).reshape(parameter.shape))


def _convolution(node: Operator, facts: Facts) -> Layer | None:
    weight, bias = facts.constant(node, 1), facts.constant(node, 2)
    if not weight or (is_given(node, 2) and not bias):
        return None
    if bias and facts.constants.is_zero(bias):
        bias = ""
    values = facts.constants[weight]
    space = values.ndim - 2
    if (
        space not in _CONVOLUTIONS
        or node.ints("kernel_shape", values.shape[2:]) != values.shape[2:]
    ):
        return None
    groups = node.integer("group", 1)
    pads = node.ints("pads", (0,) * (2 * space))
    auto = node.attributes.get("auto_pad", "NOTSET")
    before = None
    padding: Shape = (0,) * space
    if auto in ("NOTSET", "") and pads[:space] == pads[space:]:
        padding = pads[:space]
    elif auto != "VALID":
        attributes = {**node.attributes, "kernel_shape": values.shape[2:]}
        name = f"{node.outputs[0]}/padded"
        before = Operator("assay::PadWindow", node.inputs[:1], (name,), attributes)
    module = nn.utils.skip_init(
        _CONVOLUTIONS[space],
        values.shape[1] * groups,
        values.shape[0],
        values.shape[2:],
        node.ints("strides", (1,) * space),
        padding,
        node.ints("dilations", (1,) * space),
        groups,
        bool(bias),
    )
    fill(module.weight, values)
    if bias:
        fill(module.bias, facts.constants[bias])
    inputs = (before.outputs[0] if before else node.inputs[0],)
    return Layer(module, {"weight": weight, "bias": bias}, inputs, before)


def _transposed_convolution(node: Operator, facts: Facts) -> Layer | None:
    """What is cut off more at one end than at the other is cut off by a Pad behind the layer."""
    weight, bias = facts.constant(node, 1), facts.constant(node, 2)
    if not weight or (is_given(node, 2) and not bias):
        return None
    values = facts.constants[weight]  # (inputs, outputs / groups, space)
    kernel, space = values.shape[2:], values.ndim - 2
    sizes = facts.shapes.get(node.inputs[0], (1,) * values.ndim)[2:]
    if space not in _TRANSPOSED or ("output_shape" in node.attributes and sizes == (1,) * space):
        return None
    strides, dilations = node.ints("strides", (1,) * space), node.ints("dilations", (1,) * space)
    starts, extra = transposed_padding(node, sizes, kernel)
    ends = [start - more for start, more in zip(starts, extra, strict=True)]
    padding = tuple(min(start, max(end, 0)) for start, end in zip(starts, ends, strict=True))
    added = tuple(max(-end, 0) for end in ends)
    widest = [max(pair) for pair in zip(strides, dilations, strict=True)]
    if min(padding) < 0 or any(a >= b for a, b in zip(added, widest, strict=True)):
        return None
    groups = node.integer("group", 1)
    module = nn.utils.skip_init(
        _TRANSPOSED[space],
        values.shape[0],
        values.shape[1] * groups,
        kernel,
        strides,
        padding,
        added,
        groups,
        bool(bias),
        dilations,
    )
    fill(module.weight, values)
    if bias:
        fill(module.bias, facts.constants[bias])
    left = [done - start for done, start in zip(padding, starts, strict=True)]
    right = [done - max(end, 0) for done, end in zip(padding, ends, strict=True)]
    after = None
    if any(left) or any(right):
        pads = {"pads": (0, 0, *left, 0, 0, *right)}
        after = Operator("Pad", (f"{node.outputs[0]}/whole",), node.outputs, pads)
    return Layer(module, {"weight": weight, "bias": bias}, node.inputs[:1], after=after)


def _linear(values: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    module = nn.utils.skip_init(nn.Linear, values.shape[1], values.shape[0], bias is not None)
    fill(module.weight, values)
    if bias is not None:
        fill(module.bias, bias)
    return module


def _gemm(node: Operator, facts: Facts) -> Layer | None:
    weight, bias = facts.constant(node, 1), facts.constant(node, 2)
    if not weight or (is_given(node, 2) and not bias) or node.integer("transA", 0):
        return None
    values = facts.constants[weight]
    values = values if node.integer("transB", 0) else values.T
    scale, share = node.real("alpha", 1.0), node.real("beta", 1.0)
    shift = None
    if bias:
        shift = facts.constants[bias]
        if shift.size not in (1, len(values)) or (shift.ndim == 2 and len(shift) != 1):
            return None
        shift = np.broadcast_to(shift.reshape(-1) * np.float32(share), (len(values),))
    values = values if scale == 1 else values * np.float32(scale)
    return Layer(_linear(values, shift), {"weight": weight, "bias": bias}, node.inputs[:1])


def _matmul(node: Operator, facts: Facts) -> Layer | None:
    """``node`` may have a bias as its third input: that of an Add behind it."""
    weight, bias = facts.constant(node, 1), facts.constant(node, 2)
    if not weight or facts.constants[weight].ndim != 2:
        return None
    shift = facts.constants[bias].reshape(-1) if bias else None
    return Layer(
        _linear(facts.constants[weight].T, shift),
        {"weight": weight, "bias": bias},
        node.inputs[:1],
    )


def _parametric_relu(node: Operator, facts: Facts) -> Layer | None:
    slope, rank = facts.constant(node, 1), facts.rank(node.inputs[0])
    if not slope or rank < 2:
        return None
    values = facts.constants[slope]
    if values.size != 1 and values.shape[-rank + 1 :] != (values.size, *[1] * (rank - 2)):
        return None  # not one for each channel
    module = nn.PReLU(values.size)
    fill(module.weight, values)
    return Layer(module, {"weight": slope}, node.inputs[:1])


def _embedding(node: Operator, facts: Facts) -> Layer | None:
    table = facts.constant(node, 0)
    if not table or facts.constant(node, 1) or node.integer("axis", 0):
        return None
    values = facts.constants[table]
    if values.ndim != 2 or values.dtype.kind != "f":
        return None
    module = nn.utils.skip_init(nn.Embedding, *values.shape)
    fill(module.weight, values)
    return Layer(module, {"weight": table}, node.inputs[1:2])


def _dropout(node: Operator, facts: Facts) -> Layer | None:
    if any(node.outputs[1:]):  # the mask
        return None
    share = facts.constant(node, 1)
    ratio = float(facts.constants[share].item()) if share else node.real("ratio", 0.5)
    return Layer(nn.Dropout(ratio), {}, node.inputs[:1])


LAYERS: dict[str, Rule] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "PRelu": _parametric_relu,
    "Gather": _embedding,
    "Dropout": _dropout,
}
