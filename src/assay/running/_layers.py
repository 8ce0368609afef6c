"""Operators whose weights are constants, as torch's layers: so training and pruning find them.

A rule gets the operator and what is known, and gives a layer, or None where only a function will
do.  What torch's layer cannot do, an operator before it does: pads that differ by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from assay.graphs.operators import Operator, OperatorGraph, Shape
from assay.running._constants import Constants
from assay.running._operations_sizes import as_tensor

EXTRA = "torch"

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_BATCH_NORMS = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE_NORMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


@dataclass
class Layer:
    """A layer, and how it stands in the graph."""

    module: nn.Module
    weights: dict[str, str]  # its parameters, by the constants that they are; "": made here
    inputs: tuple[str, ...]  # tensors that it reads
    before: Operator | None = None  # what its input goes through
    extra: dict[str, object] = field(default_factory=dict)


@dataclass
class Known:
    """What rules ask."""

    graph: OperatorGraph
    constants: Constants
    shapes: dict[str, Shape]  # of the file's own inputs

    def constant(self, node: Operator, place: int) -> str:
        """The name of an input that is a constant; "" where it is computed, or not given."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        return name if name and name in self.constants else ""

    def rank(self, name: str) -> int:
        """The number of axes of a tensor; 0 where it is not known."""
        return len(self.shapes.get(name, ()))


Rule = Callable[[Operator, Known], Layer | None]


def _given(node: Operator, place: int) -> bool:
    return place < len(node.inputs) and node.inputs[place] != ""


def _fill(parameter: torch.Tensor | None, values: np.ndarray) -> None:
    if parameter is not None:
        with torch.no_grad():
            parameter.copy_(as_tensor(values, parameter.device).reshape(parameter.shape))


def _convolution(node: Operator, known: Known) -> Layer | None:
    weight, bias = known.constant(node, 1), known.constant(node, 2)
    if not weight or (_given(node, 2) and not bias):
        return None
    values = known.constants[weight]
    space = values.ndim - 2
    if space not in _CONVOLUTIONS or node.ints("kernel_shape", values.shape[2:]) != values.shape[2:]:
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
    _fill(module.weight, values)
    if bias:
        _fill(module.bias, known.constants[bias])
    inputs = (before.outputs[0] if before else node.inputs[0],)
    return Layer(module, {"weight": weight, "bias": bias}, inputs, before)


def _linear(values: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    module = nn.utils.skip_init(nn.Linear, values.shape[1], values.shape[0], bias is not None)
    _fill(module.weight, values)
    if bias is not None:
        _fill(module.bias, bias)
    return module


def _gemm(node: Operator, known: Known) -> Layer | None:
    weight, bias = known.constant(node, 1), known.constant(node, 2)
    if not weight or (_given(node, 2) and not bias) or node.integer("transA", 0):
        return None
    values = known.constants[weight]
    values = values if node.integer("transB", 0) else values.T
    scale, share = node.real("alpha", 1.0), node.real("beta", 1.0)
    shift = None
    if bias:
        shift = known.constants[bias]
        if shift.size not in (1, len(values)) or (shift.ndim == 2 and len(shift) != 1):
            return None
        shift = np.broadcast_to(shift.reshape(-1) * np.float32(share), (len(values),))
    values = values if scale == 1 else values * np.float32(scale)
    return Layer(
        _linear(values, shift), {"weight": weight, "bias": bias}, node.inputs[:1]
    )


def _matmul(node: Operator, known: Known) -> Layer | None:
    """``node`` may have a bias as its third input: that of an Add behind it."""
    weight, bias = known.constant(node, 1), known.constant(node, 2)
    if not weight or known.constants[weight].ndim != 2:
        return None
    shift = known.constants[bias].reshape(-1) if bias else None
    return Layer(
        _linear(known.constants[weight].T, shift),
        {"weight": weight, "bias": bias},
        node.inputs[:1],
    )


def _batch_norm(node: Operator, known: Known) -> Layer | None:
    names = [known.constant(node, place) for place in range(1, 5)]
    rank = known.rank(node.inputs[0])
    if not all(names) or rank - 2 not in _BATCH_NORMS or node.integer("training_mode", 0):
        return None
    scale, shift, mean, variance = (known.constants[name] for name in names)
    module = nn.utils.skip_init(
        _BATCH_NORMS[rank - 2],
        len(scale),
        node.real("epsilon", 1e-5),
        1 - node.real("momentum", 0.9),
    )
    _fill(module.weight, scale)
    _fill(module.bias, shift)
    _fill(module.running_mean, mean)
    _fill(module.running_var, variance)
    with torch.no_grad():
        module.num_batches_tracked.zero_()
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), names, strict=True))
    return Layer(module, weights, node.inputs[:1])


def _instance_norm(node: Operator, known: Known) -> Layer | None:
    scale, shift = known.constant(node, 1), known.constant(node, 2)
    space = known.rank(node.inputs[0]) - 2
    if not scale or not shift or space not in _INSTANCE_NORMS:
        return None
    values = known.constants[scale]
    module = _INSTANCE_NORMS[space](len(values), node.real("epsilon", 1e-5), affine=True)
    _fill(module.weight, values)
    _fill(module.bias, known.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _layer_norm(node: Operator, known: Known) -> Layer | None:
    scale, shift = known.constant(node, 1), known.constant(node, 2)
    if not scale or (_given(node, 2) and not shift) or any(node.outputs[1:]):
        return None
    values, rank = known.constants[scale], known.rank(node.inputs[0])
    axis = node.integer("axis", -1)
    if values.ndim != (-axis if axis < 0 else rank - axis):
        return None
    module = nn.LayerNorm(values.shape, node.real("epsilon", 1e-5), bias=bool(shift))
    _fill(module.weight, values)
    if shift:
        _fill(module.bias, known.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _group_norm(node: Operator, known: Known) -> Layer | None:
    scale, shift = known.constant(node, 1), known.constant(node, 2)
    groups = node.integer("num_groups", 1)
    shape = known.shapes.get(node.inputs[0], ())
    if not scale or not shift or len(shape) < 2 or len(known.constants[scale]) != shape[1]:
        return None  # one number for each group, or nothing known
    module = nn.GroupNorm(groups, shape[1], node.real("epsilon", 1e-5))
    _fill(module.weight, known.constants[scale])
    _fill(module.bias, known.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _embedding(node: Operator, known: Known) -> Layer | None:
    table = known.constant(node, 0)
    if not table or known.constant(node, 1) or node.integer("axis", 0):
        return None
    values = known.constants[table]
    if values.ndim != 2 or values.dtype.kind != "f":
        return None
    module = nn.utils.skip_init(nn.Embedding, *values.shape)
    _fill(module.weight, values)
    return Layer(module, {"weight": table}, node.inputs[1:2])


def _dropout(node: Operator, known: Known) -> Layer | None:
    share = known.constant(node, 1)
    ratio = float(known.constants[share].item()) if share else node.real("ratio", 0.5)
    return Layer(nn.Dropout(ratio), {}, node.inputs[:1])


LAYERS: dict[str, Rule] = {
    "Conv": _convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "Gather": _embedding,
    "Dropout": _dropout,
}
