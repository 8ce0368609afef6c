"""Quantized operators, in float32 numbers that are whole: their codes [ONNX operators].

Rounding lets the gradient through as if it were not there, so that what is quantized can be
trained.  Operators on codes are spelled out: dequantize, the float operator, quantize.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.errors import UnfitModel
from assay.graphs.operators import Operator, OperatorGraph
from assay.running.network.elementwise import Function

EXTRA = "torch"

_MS = "com.microsoft::"
LIMITS = {  # onnx.TensorProto.DataType → least and largest code
    2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767), 6: (-(2**31), 2**31 - 1),
    21: (0, 15), 22: (-8, 7), 25: (0, 3), 26: (-2, 1),
}  # fmt: skip


def rounded(x: Tensor) -> Tensor:
    """The nearest whole number; its gradient is that of ``x``."""
    return x + (torch.round(x) - x).detach()


def _along(node: Operator, values: Tensor, x: Tensor) -> Tensor:
    """Scales or zero points, ready to be broadcast: one, one a place of an axis, one a block."""
    values = values.float()
    if values.numel() == 1:
        return values.reshape(())
    axis = node.integer("axis", 1) % x.ndim
    if values.ndim == x.ndim:
        size = -(-x.shape[axis] // values.shape[axis])
        return values.repeat_interleave(size, axis).narrow(axis, 0, x.shape[axis])
    return values.reshape([-1 if i == axis else 1 for i in range(x.ndim)])


def _quantize(node: Operator, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    least, most = node.ints("limits", LIMITS[2])
    shift = 0.0 if zero is None else _along(node, zero, x)
    return torch.clamp(rounded(x / _along(node, scale, x)) + shift, least, most)


def _dequantize(node: Operator, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    shift = 0.0 if zero is None else _along(node, zero, x)
    return (x.float() - shift) * _along(node, scale, x)


def _quantize_dynamically(node: Operator, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """To 0 … 255, by the extremes of the whole tensor: a batch shares one scale."""
    least, most = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (most - least) / 255
    scale = torch.where(scale == 0, 1.0, scale)
    zero = rounded((-least / scale).clamp(0, 255))
    return torch.clamp(rounded(x / scale) + zero, 0, 255), scale, zero


def _shifted(node: Operator, x: Tensor, zero: Tensor | None = None) -> Tensor:
    """Codes without their zero point, which may be one for each place of an axis."""
    if zero is None:
        return x.float()
    if zero.numel() == 1:
        return x.float() - zero.float().reshape(())
    axis = node.integer("axis", 0) % x.ndim
    return x.float() - zero.float().reshape([-1 if i == axis else 1 for i in range(x.ndim)])


QUANTIZED: dict[str, Function] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    _MS + "QuantizeLinear": _quantize,
    _MS + "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
    "assay::Shifted": _shifted,
}


@dataclass(frozen=True)
class _Spelling:
    """Which float operator one on codes is, and where its codes, scales and zero points are."""

    op: str
    codes: tuple[int, ...]  # places of codes, each with its scale and zero point behind it
    result: int | None  # the place of the output's scale; None: real numbers
    rest: tuple[int, ...] = ()  # places of other inputs


_SPELLINGS = {
    "QLinearConv": _Spelling("Conv", (0, 3), 6, (8,)),
    "QLinearMatMul": _Spelling("MatMul", (0, 3), 6),
    _MS + "QLinearAdd": _Spelling("Add", (0, 3), 6),
    _MS + "QLinearMul": _Spelling("Mul", (0, 3), 6),
    _MS + "QLinearSigmoid": _Spelling("Sigmoid", (0,), 3),
    _MS + "QLinearLeakyRelu": _Spelling("LeakyRelu", (0,), 3),
    _MS + "QLinearSoftmax": _Spelling("Softmax", (0,), 3),
    _MS + "QLinearAveragePool": _Spelling("AveragePool", (0,), 3),
    _MS + "QLinearGlobalAveragePool": _Spelling("GlobalAveragePool", (0,), 3),
    _MS + "QGemm": _Spelling("Gemm", (0, 3), 7, (6,)),
}
# Operator → places of the factors with their scales and zero points, and of what is added.
_PRODUCTS = {
    _MS + "DynamicQuantizeMatMul": (((0,), (1, 2, 3)), 4),
    _MS + "MatMulIntegerToFloat": (((0, 2, 4), (1, 3, 5)), 6),
}
_INTEGER = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}


def spelled_out(graph: OperatorGraph) -> OperatorGraph:
    """The graph with operators on codes taken apart."""
    operators: list[Operator] = []
    for node in graph.operators:
        if node.op in _SPELLINGS:
            operators += _spelled(node, _SPELLINGS[node.op])
        elif node.op == _MS + "QLinearConcat":
            operators += _concatenated(node)
        elif node.op in _INTEGER:
            operators += _of_integers(node)
        elif node.op in _PRODUCTS:
            operators += _product(node, *_PRODUCTS[node.op])
        elif node.op == _MS + "DynamicQuantizeLSTM":
            operators += _lstm(node)
        else:
            operators.append(node)
    return graph.replaced(operators)


def _spelled(node: Operator, spelling: _Spelling) -> Iterator[Operator]:
    if len(node.inputs) <= max(*spelling.codes, spelling.result or 0):
        raise UnfitModel(f"{node.op} {node.outputs[0]!r} has no scale")
    real = []
    for place in spelling.codes:
        name = f"{node.outputs[0]}/real#{place}"
        axis = 0 if spelling.op == "Conv" else node.integer("axis", -1)
        yield Operator("DequantizeLinear", _some(node, place, 3), (name,), {"axis": axis})
        real.append(name)
    scales = [node.inputs[place + 1] for place in spelling.codes]
    for place in spelling.rest:
        if place < len(node.inputs) and node.inputs[place]:
            name = f"{node.outputs[0]}/real#{place}"  # a bias is scaled by both scales
            yield Operator("Mul", (scales[0], scales[1]), (f"{name}/scale",))
            scaled = (node.inputs[place], f"{name}/scale")
            yield Operator("DequantizeLinear", scaled, (name,), {"axis": 0})
            real.append(name)
    if spelling.result is None or not node.inputs[spelling.result]:
        yield Operator(spelling.op, tuple(real), node.outputs, node.attributes)
        return
    result = f"{node.outputs[0]}/real"
    yield Operator(spelling.op, tuple(real), (result,), node.attributes)
    ends = (result, *_some(node, spelling.result, 2))
    yield Operator("QuantizeLinear", ends, node.outputs)


def _some(node: Operator, place: int, count: int) -> tuple[str, ...]:
    return node.inputs[place : place + count]


def _concatenated(node: Operator) -> Iterator[Operator]:
    """Inputs: scale, zero point, and for each part codes, scale, zero point."""
    names = []
    for place in range(2, len(node.inputs) - 2, 3):
        names.append(f"{node.outputs[0]}/real#{place}")
        yield Operator("DequantizeLinear", _some(node, place, 3), (names[-1],))
    result = f"{node.outputs[0]}/real"
    yield Operator("Concat", tuple(names), (result,), node.attributes)
    yield Operator("QuantizeLinear", (result, *_some(node, 0, 2)), node.outputs)


def _of_integers(node: Operator) -> Iterator[Operator]:
    """Codes minus zero points, multiplied: whole numbers."""
    names = []
    for place in range(2):
        names.append(f"{node.outputs[0]}/shifted#{place}")
        zero = _some(node, place + 2, 1)
        read = (node.inputs[place], *zero) if zero and zero[0] else (node.inputs[place],)
        axis = -1 if node.op == "MatMulInteger" and place == 1 else 0
        if node.op == "MatMulInteger" and place == 0:
            axis = -2
        yield Operator("assay::Shifted", read, (names[-1],), {"axis": axis})
    yield Operator(_INTEGER[node.op], tuple(names), node.outputs, node.attributes)


def _product(
    node: Operator, factors: tuple[tuple[int, ...], ...], added: int
) -> Iterator[Operator]:
    """A product of real numbers with the real numbers that codes stand for."""
    inputs = (*node.inputs, *[""] * 7)
    names = []
    for places in factors:
        name = inputs[places[0]]
        if len(places) > 1:
            name = f"{node.outputs[0]}/real#{places[0]}"
            read = tuple(inputs[place] for place in places)
            yield Operator("DequantizeLinear", read, (name,), {"axis": -1})
        names.append(name)
    if not inputs[added]:
        yield Operator("MatMul", tuple(names), node.outputs)
        return
    product = f"{node.outputs[0]}/product"
    yield Operator("MatMul", tuple(names), (product,))
    yield Operator("Add", (product, inputs[added]), node.outputs)


def _lstm(node: Operator) -> Iterator[Operator]:
    """Its matrices are stored (directions, inputs, gates · hidden); its states stay real."""
    inputs = [*node.inputs, *[""] * 12][:12]
    for place, scale in ((1, 8), (2, 10)):
        real, turned = f"{inputs[place]}/real", f"{inputs[place]}/turned"
        read = (inputs[place], inputs[scale], inputs[scale + 1])
        yield Operator("DequantizeLinear", read, (real,), {"axis": -1})
        yield Operator("Transpose", (real,), (turned,), {"perm": (0, 2, 1)})
        inputs[place] = turned
    yield Operator("LSTM", tuple(inputs[:8]), node.outputs, node.attributes)
